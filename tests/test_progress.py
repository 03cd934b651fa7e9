"""Plain lines where there is no terminal."""

from braingan import progress as module
from braingan.progress import progress


def test_lines_say_count_rate_and_note(capsys, monkeypatch):
    monkeypatch.setattr(module, "LINE_EVERY_SECONDS", 0.0)
    with progress("train", 10, "images", done=2) as advance:
        advance(4, "D 1.2")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("train: 6/10 images")
    assert "images/s" in lines[0]
    assert lines[0].endswith("D 1.2")


def test_work_of_unknown_length_has_no_total(capsys):
    with progress("train", 0, "images") as advance:
        advance(4)
    assert capsys.readouterr().err.startswith("train: 4 images, ")


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True)
    with progress("train", 10, "images") as advance:
        advance(10)
    assert "10/10" in capsys.readouterr().err
