"""The pipeline that ``init --ci gitlab`` writes, run job by job as GitLab's runner would run it."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
RUNNER = "gitlab-ci-local@4.61.0"
MERGE = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
Pipeline = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def runner(making: Callable[[Path], AbstractContextManager[None]]) -> Path:
    """The program, installed by npm into a cached folder."""
    home = ROOT / ".cache" / "envs" / RUNNER.replace("@", "-")
    program = home / "node_modules" / ".bin" / "gitlab-ci-local"
    npm, rsync = shutil.which("npm"), shutil.which("rsync")
    if npm is None or rsync is None:
        pytest.skip("npm and rsync are not installed, which the runner needs; apt-get install npm rsync")
    with making(home):
        if not (home / "ready").exists():
            home.mkdir(parents=True, exist_ok=True)
            words = [npm, "install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", RUNNER]
            done = subprocess.run(words, cwd=home, capture_output=True, text=True, timeout=280)
            if done.returncode:
                pytest.skip(f"npm cannot install {RUNNER}: {done.stderr.strip().splitlines()[-1:]}")
            (home / "ready").touch()
    return program


class Forge(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Reply)
        self.notes: list[str] = []
        self.states: list[str] = []


class Reply(BaseHTTPRequestHandler):
    server: Forge

    def log_message(self, *_: Any) -> None:
        pass

    def _reply(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command == "POST" and self.path.endswith("/notes"):
            self.server.notes.append(json.loads(body)["body"])
        elif "/statuses/" in self.path:
            self.server.states.append(json.loads(body)["state"])
        content = b"[]" if self.command == "GET" else b'{"url": "/uploads/x.png"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _reply  # noqa: N815


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    server = Forge()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, ports: Callable[[int], list[int]]) -> Iterator[Path]:
    """A new project in a repository with a remote; its environment is this one, as if ``make install`` had run."""
    folder = tmp_path_factory.mktemp("pipeline") / "screening"
    modelyard(folder.parent, "init", "screening", "--ci", "gitlab")
    settings = folder / "modelyard.toml"
    for at, port in enumerate(ports(3)):
        settings.write_text(settings.read_text().replace(f"port = {8101 + at}", f"port = {port}"))
    _environment(folder / ".venv")
    git(folder.parent, "init", "-q", "--bare", "-b", "main", "remote.git")
    git(folder, "init", "-q", "-b", "main")
    for name, value in (
        ("user.email", "a@example.org"),
        ("user.name", "A"),
        ("remote.origin.url", "../remote.git"),
    ):
        git(folder, "config", name, value)
    git(folder, "config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "A new project")
    git(folder, "push", "-q", "origin", "main")
    git(folder, "fetch", "-q", "origin")
    yield folder
    modelyard(folder, "stop")


def _environment(venv: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (held,) = (venv / "lib").glob("python3.*/site-packages")
    (held / "this.pth").write_text(f"{ROOT / 'src'}\n{sysconfig.get_paths()['purelib']}\n")
    (venv / "bin" / "ruff").symlink_to(Path(sys.executable).parent / "ruff")
    program = venv / "bin" / "modelyard"
    program.write_text(
        f"#!{venv / 'bin' / 'python'}\nimport sys\nfrom modelyard.cli import main\nsys.exit(main())\n"
    )
    program.chmod(0o755)
    (venv / "installed").touch()


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


def modelyard(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "modelyard", *words], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pipeline(runner: Path, project: Path, forge: Forge) -> Pipeline:
    """``pipeline("check", CI_COMMIT_TAG="v1")``: those jobs, or all that begin by themselves."""

    def run(*jobs: str, **variables: str) -> tuple[int, str]:
        port = forge.server_address[1]
        given = {"CI_API_V4_URL": f"http://127.0.0.1:{port}/api/v4", "CI_PROJECT_ID": "1", **variables}
        given |= {"GITLAB_TOKEN": "t", "CI_MERGE_REQUEST_IID": "7" if "CI_PIPELINE_SOURCE" in given else ""}
        words = [word for name, value in given.items() for word in ("--variable", f"{name}={value}")]
        done = subprocess.run(
            [str(runner), "--force-shell-executor", *words, *jobs],
            cwd=project,
            capture_output=True,
            text=True,
            env={**os.environ, "HOME": str(project.parent), "NO_COLOR": "1"},
            timeout=250,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def live(project: Path, at: int) -> dict[str, Any]:
    ports = [line.split("=")[1].split("#")[0].strip() for line in _lines(project) if line.startswith("port")]
    connection = http.client.HTTPConnection("127.0.0.1", int(ports[at]), timeout=5)
    connection.request("GET", "/health")
    found: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return found


def _lines(project: Path) -> list[str]:
    return (project / "modelyard.toml").read_text().splitlines()


def test_from_a_push_to_production_and_a_worse_model_stays_out(
    pipeline: Pipeline, project: Path, forge: Forge
) -> None:
    """One after the other, as a day goes."""
    code, told = pipeline()
    assert code == 0, told
    assert "4 passed" in told
    assert "screening@1 is live in test" in told
    assert live(project, 0) == {"status": "ok", "models": ["screening"]}

    git(project, "checkout", "-q", "-b", "worse")
    model = project / "models" / "screening" / "model.py"
    model.write_text(
        model.read_text().replace("data.features, data.target)", "data.features * 0, data.target)")
    )
    git(project, "commit", "-qam", "worse")
    code, told = pipeline("models of the merge request", **MERGE)
    assert code == 1, told
    assert "roc_auc is 0.5" in told
    assert forge.states == ["failed"]
    assert "gates not met: screening" in forge.notes[0]
    assert modelyard(project, "versions", "--json").count('"model"') == 1

    git(project, "checkout", "-q", "-f", "main")
    code, told = pipeline("staging", CI_COMMIT_TAG="v1", CI_COMMIT_BRANCH="")
    assert code == 0, told
    assert live(project, 1)["models"] == ["screening"]
    code, told = pipeline("prod", CI_COMMIT_TAG="v1", CI_COMMIT_BRANCH="")
    assert code == 1, told
    assert "prod asks for the review 'sme'" in told
    for subject in ("sme", "ethics"):
        modelyard(project, "review", "screening@1", "--for", subject, "--yes", "--reason", "looked at")
    code, told = pipeline("prod", CI_COMMIT_TAG="v1", CI_COMMIT_BRANCH="")
    assert code == 0, told
    assert live(project, 2)["models"] == ["screening"]
