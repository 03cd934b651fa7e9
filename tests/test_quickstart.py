"""The notebook runs from its first cell to its last, on phantoms and on a folder of pictures."""

from pathlib import Path

import nbclient
import nbformat
import pytest

import made

NOTEBOOK = Path(__file__).resolve().parents[1] / "docs" / "quickstart.ipynb"


@pytest.mark.parametrize("source", ["phantom", pytest.param("pictures", marks=pytest.mark.slow)])
def test_the_notebook_runs_and_shows_pictures(source, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    if source == "pictures":
        made.picture_folder(tmp_path / "pictures", subjects=30, each=4, kind="jpg")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    first = notebook.cells[0]
    assert 'SOURCE = "phantom"' in first.source
    first.source = f"SOURCE, SUBJECTS, MINUTES = {source!r}, 8, 0.02"
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    printed = "".join(output.get("text", "") for output in outputs)
    assert "frechet_distance" in printed
    assert (tmp_path / "quickstart" / source / "run" / "report.html").exists()
