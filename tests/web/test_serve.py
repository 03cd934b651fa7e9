"""`braingan serve`: where it binds, what address it prints, and what it says where something is missing."""

import re
import socket
import sys

import pytest
import uvicorn
from fastapi.testclient import TestClient

from braingan.cli.serve import command
from braingan.errors import InputError


@pytest.fixture
def bound(monkeypatch):
    """What would have been served, and where."""
    found = {}
    monkeypatch.setattr(uvicorn, "run", lambda app, **where: found.update(where, app=app))
    return found


def test_by_default_only_this_machine_can_connect_and_needs_no_token(bound, tmp_path, capsys):
    command(tmp_path)
    assert capsys.readouterr().out == "http://127.0.0.1:8765/   (Ctrl-C ends it)\n"
    assert (bound["host"], bound["port"]) == ("127.0.0.1", 8765)
    assert bound["limit_concurrency"] < 1000
    assert TestClient(bound["app"], base_url="http://127.0.0.1:8765").get("/").status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "2001:db8::1"])
def test_where_others_can_connect_the_address_has_a_token_that_is_asked_for(bound, tmp_path, capsys, host):
    command(tmp_path, 9000, host)
    printed, token = re.match(r"(http://\S+?:9000)/\?token=(\S{32,}) ", capsys.readouterr().out).groups()
    named = {"0.0.0.0": socket.gethostname(), "2001:db8::1": "[2001:db8::1]"}.get(host, host)
    assert printed == f"http://{named}:9000"
    assert (bound["host"], bound["port"]) == (host, 9000)
    client = TestClient(bound["app"], base_url=printed)
    assert client.get("/").status_code == 403
    assert client.get(f"/?token={token}").status_code == 200


def test_each_start_has_a_token_of_its_own(bound, tmp_path, capsys):
    for _ in range(2):
        command(tmp_path, 9000, "0.0.0.0")
    assert len(set(re.findall(r"token=(\S+)", capsys.readouterr().out))) == 2


@pytest.mark.parametrize("library", ["uvicorn", "fastapi"])
def test_what_is_not_installed_is_said_with_the_way_to_it(tmp_path, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=rf"{library} is not installed: pip install 'braingan\[web\]'"):
        command(tmp_path)


def test_what_is_no_folder_is_said(tmp_path):
    with pytest.raises(InputError, match="is no folder: name a study, a run, or a folder of runs"):
        command(tmp_path / "none")
