"""An environment on a server, through the command line and a real sshd."""

from __future__ import annotations

import http.client
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "deployment"))

from ssh_parts import HOST, SSHD, sshd

from modelyard.actions import canary
from modelyard.actions.keep import keep
from modelyard.errors import Misuse
from modelyard.project import open_project

Command = Callable[..., tuple[int, str, str]]


@pytest.mark.skipif(not Path(SSHD).exists(), reason="there is no sshd; install openssh-server")
def test_a_release_on_a_server(modelyard: Command, built: Path, tmp_path: Path) -> None:
    settings = built / "modelyard.toml"
    plain = settings.read_text()
    server = f'[environments.test.ssh]\nhost = "{HOST}"\nconfig = "{tmp_path}/keys/config"\nfolder = "{tmp_path}/there"\n'
    server += f'manager = "process"\nenvironment = "{sys.prefix}"\n\n'
    settings.write_text(plain.replace("[environments.test]", '[environments.test]\ntarget = "ssh"'))
    code, _, complaint = modelyard("-C", built, "deploy", "test")
    assert code == 2
    assert "[environments.test.ssh]" in complaint
    settings.write_text(
        settings.read_text().replace("[environments.staging]", f"{server}[environments.staging]")
    )
    with sshd(tmp_path / "keys"):
        code, output, complaint = modelyard("-C", built, "deploy", "test")
        assert code == 0, complaint
        assert "application tests" in output
        assert answering(settings) == "screening/test/1"
        assert '"answering": true' in modelyard("-C", built, "status", "--json")[1]
        assert "already" in modelyard("-C", built, "deploy", "test")[1]
        assert modelyard("-C", built, "doctor")[0] == 0
    # the server answers, but whoever deploys cannot reach it
    assert modelyard("-C", built, "rollback", "test", "screening")[0] == 2
    code, _, complaint = modelyard("-C", built, "deploy", "test", "screening@1", "--shadow")
    assert code == 2, complaint  # a trial is of another version
    assert '"answering": true' not in modelyard("-C", built, "status", "--json")[1]
    code, output, _ = modelyard("-C", built, "doctor")
    assert (code, "by ssh failed" in output) == (1, True)
    assert modelyard("-C", built, "logs", "test")[0] == 3
    assert modelyard("-C", built, "stop", "test")[0] == 3
    assert modelyard("-C", built, "gc", "--dry-run")[0] == 0
    here = open_project(built)
    assert not keep(here, "test"), "a server keeps its own"
    with pytest.raises(Misuse, match="loopback of its own server"):
        canary.begin(here, "test", "screening@1", 0.1, reason="", operation="o")
    assert answering(settings) == "screening/test/1"
    releases = json.loads(modelyard("-C", built, "releases", "--json")[1])
    assert [(r["status"], bool(r["tests"])) for r in releases] == [("live", True)]
    with sshd(tmp_path / "keys" / "again"):
        text = settings.read_text().replace("/keys/config", "/keys/again/config")
        settings.write_text(text)
        assert modelyard("-C", built, "logs", "test")[0] == 0
        assert modelyard("-C", built, "stop", "test")[0] == 0
    with pytest.raises(OSError):
        answering(settings)


def answering(settings: Path) -> str:
    port = re.search(r"\[environments\.test\][^\[]*?port = (\d+)", settings.read_text())
    assert port
    connection = http.client.HTTPConnection("127.0.0.1", int(port[1]), timeout=10)
    connection.request("GET", "/models")
    told = json.loads(connection.getresponse().read())
    connection.close()
    answer: str = told["models"][0]["model_id"]
    return answer
