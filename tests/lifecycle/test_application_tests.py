"""Application tests through the command line: chosen by an environment, kept with the release, and final."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Command = Callable[..., tuple[int, str, str]]


def test_a_broken_promise_leaves_the_live_service_alone(modelyard: Command, built: Path) -> None:
    settings = built / "modelyard.toml"
    plain = settings.read_text()
    assert modelyard("-C", built, "deploy", "test")[0] == 0
    settings.write_text(plain.replace("[models.screening]", "[models.screening]\nparams = { C = 0.3 }"))
    assert modelyard("-C", built, "build")[0] == 0
    asked = '\n[environments.test.tests]\nslo = ["p99=1us", "errors=0%"]\nseconds = 0.5\nmemory_mb = 4000\n'
    settings.write_text(plain + asked)
    code, _, complaint = modelyard("-C", built, "deploy", "test", "screening@2")
    assert code == 1
    assert "failed the application test 'promise p99=1us'" in complaint
    page = Path(re.search(r"All of them: (\S+\.html)", complaint)[1])  # type: ignore[index]
    assert "no traffic was switched" in page.read_text()
    assert answering(built) == "screening/test/1"
    newest, live = json.loads(modelyard("-C", built, "releases", "--json")[1])
    assert (newest["status"], live["status"]) == ("failed", "live")
    report = kept(built, newest["tests"])
    assert report["package"] == newest["package"]
    assert [o["name"] for o in report["outcomes"] if not o["passed"]] == ["promise p99=1us"]
    assert all(o["passed"] for o in kept(built, live["tests"])["outcomes"])
    assert modelyard("-C", built, "gc", "--grace", "0h")[0] == 0
    assert kept(built, newest["tests"]) == report
    settings.write_text(plain + asked.replace("1us", "60s"))
    code, output, complaint = modelyard("-C", built, "deploy", "test", "screening@2", "--json")
    assert code == 0, complaint
    told = json.loads(output)[0]["report"]
    assert {o["kind"] for o in told["outcomes"]} == set(told["kinds"]) >= {"performance", "security"}
    assert told["load"]["answered"] > 0
    assert 10 < told["memory_mb"] < 4000
    assert answering(built) == "screening/test/2"


def test_check_tests_as_an_environment_does(modelyard: Command, built: Path) -> None:
    settings = built / "modelyard.toml"
    settings.write_text(settings.read_text() + '\n[environments.prod.tests]\nkinds = ["functional"]\n')
    code, output, complaint = modelyard("-C", built, "check", "--for", "prod", "--json")
    assert code == 0, complaint
    report = json.loads(output)[0]["service"]
    assert (report["environment"], report["kinds"]) == ("prod", ["functional"])
    assert {o["kind"] for o in report["outcomes"]} == {"functional"}
    settings.write_text(settings.read_text() + "memory_mb = 1\n")
    code, _, complaint = modelyard("-C", built, "check", "--for", "prod")
    assert code == 2
    assert "go with the kind 'performance'" in complaint
    settings.write_text(settings.read_text().replace('["functional"]', '["performance"]'))
    code, _, complaint = modelyard("-C", built, "check", "--for", "prod")
    assert code == 1
    assert "'memory within 1 MB': after the load its processes held" in complaint
    assert modelyard("-C", built, "check", "--for", "nowhere")[0] == 2


def kept(project: Path, digest: str) -> dict[str, Any]:
    found = next((project / ".modelyard" / "artifacts").rglob(f"*{digest[4:]}*"))
    report: dict[str, Any] = json.loads(found.read_bytes())
    return report


def answering(project: Path) -> str:
    port = re.search(r"\[environments\.test\][^\[]*?port = (\d+)", (project / "modelyard.toml").read_text())
    assert port
    connection = http.client.HTTPConnection("127.0.0.1", int(port[1]), timeout=10)
    connection.request("GET", "/models")
    told = json.loads(connection.getresponse().read())
    connection.close()
    answer: str = told["models"][0]["model_id"]
    return answer
