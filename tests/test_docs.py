"""The docs say what the code says."""

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_settings_page_is_current():
    spec = importlib.util.spec_from_file_location("make_settings", ROOT / "docs" / "make_settings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "settings.md").read_text() == module.page(), "run python docs/make_settings.py"
    assert not re.search(r"\| +\|$", module.page(), re.MULTILINE), "a setting has no meaning written"


def test_the_readmes_tree_names_every_module_and_nothing_else():
    tree = re.search(r"```text\nsrc/braingan/\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
    named = {line.split()[0] for line in tree.splitlines()}
    source = ROOT / "src" / "braingan"
    there = {path.relative_to(source).as_posix() for path in source.rglob("*.*") if "__pycache__" not in path.parts}
    assert named == {path for path in there if not path.endswith("__init__.py")}


def test_local_links_lead_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!http|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readmes_python_runs_beside_a_run_and_a_store(told, monkeypatch, capsys):
    monkeypatch.chdir(told.root.parent)
    code = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    found = {}
    for block in code:
        exec(block, found)
    assert found["images"].shape == (16, 32, 32)
    assert "torch.Size([1, 32, 32])" in capsys.readouterr().out
