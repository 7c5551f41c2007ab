"""An image by buildah on a base that Debian makes, and its service in a namespace of its own."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASE = "localhost/modelyard-test-base"
BUILDAH = {**os.environ, "BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}
Command = Callable[..., tuple[int, str, str]]


def buildah(*words: str | Path) -> str:
    done = subprocess.run(
        ["buildah", *map(str, words)], env=BUILDAH, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.fixture(scope="module")
def base(making: Callable[[Path], AbstractContextManager[None]]) -> str:
    """Debian with this Python's minor version, made once."""
    if os.getuid() or not shutil.which("buildah") or not shutil.which("debootstrap"):
        pytest.skip("root, buildah and debootstrap are needed; apt-get install buildah debootstrap")
    lines = Path("/etc/apt/sources.list.d/debian.sources")
    suite = {(3, 11): "bookworm", (3, 13): "trixie"}.get(sys.version_info[:2])
    if not lines.exists() or suite is None:
        pytest.skip("only Debian's own releases have a Python to build on: bookworm has 3.11, trixie 3.13")
    mirror = next(line.split()[1] for line in lines.read_text().splitlines() if line.startswith("URIs:"))
    home = ROOT / ".cache" / "envs" / f"debian-{suite}"
    with making(home):
        if not (home / "ready").exists():
            shutil.rmtree(home, ignore_errors=True)
            words = [
                "--variant=minbase",
                "--include=python3,python3-venv,python3-pip",
                suite,
                str(home),
                mirror,
            ]
            done = subprocess.run(["debootstrap", *words], capture_output=True, text=True, timeout=290)
            if done.returncode:
                pytest.skip(f"debootstrap cannot make a base image: {done.stdout.strip().splitlines()[-1:]}")
            (home / "ready").touch()
    container = buildah("from", "scratch")
    buildah("add", "-q", container, home, "/")
    buildah("commit", "-q", container, BASE)
    buildah("rm", container)
    return BASE


@pytest.fixture
def container(base: str, built: Path, modelyard: Command, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("BUILDAH_ISOLATION", "STORAGE_DRIVER"):
        monkeypatch.setenv(name, BUILDAH[name])
    monkeypatch.setenv("MODELYARD_INFRA__BASE", base)
    code, output, complaint = modelyard("-C", built, "image", "test", "--builder", "buildah", "--json")
    assert code == 0, complaint
    told = json.loads(output)
    assert (told["tag"], told["models"]) == ("screening:test", ["screening@1"])
    (event,) = [
        e for e in json.loads(modelyard("-C", built, "audit", "--json")[1]) if e["action"] == "image.built"
    ]
    assert (event["object"], event["payload"]["image"]) == ("screening:test", told["id"])
    container = buildah("from", "localhost/screening:test")
    yield container
    buildah("rm", container)
    buildah("rmi", "localhost/screening:test")


def test_it_answers_holds_nothing_to_train_with_and_is_the_same_again(
    container: str, built: Path, modelyard: Command, ports: Callable[[int], list[int]], tmp_path: Path
) -> None:
    shown = json.loads(buildah("inspect", "--type", "image", "localhost/screening:test"))
    config = shown["Docker"]["config"]
    assert config["User"] == "65532:65532"
    assert config["Labels"]["org.opencontainers.image.version"] == "screening@1"
    assert "Healthcheck" in json.dumps(config)
    assert modelyard("-C", built, "image", "test", "--builder", "buildah")[0] == 0
    again = json.loads(buildah("inspect", "--type", "image", "localhost/screening:test"))
    assert again["OCIv1"]["rootfs"]["diff_ids"] == shown["OCIv1"]["rootfs"]["diff_ids"]

    run = ["run", container, "--"]
    for words in ("find /srv -name '*.pem' -o -name '*token*'", "grep -rl 'PRIVATE KEY' /srv || true"):
        assert buildah(*run, "sh", "-c", words) == ""
    for name in ("sklearn", "polars", "sqlalchemy", "pip"):
        code = f"import importlib.util as u, sys; sys.exit(u.find_spec('{name}') is not None)"
        buildah(*run, "python3", "-c", code)
    refused = subprocess.run(
        ["buildah", *run, "python3", "-m", "modelyard.serving.contained"],
        env=BUILDAH,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert refused.returncode == 2
    assert "without a token" in refused.stderr

    (port,) = ports(1)
    (tmp_path / "tokens").write_text("s3cret\n")
    given = ["--env", f"MODELYARD_PORT={port}", "--env", "MODELYARD_WORKERS=1"]
    mounted = ["--volume", f"{tmp_path / 'tokens'}:/run/secrets/modelyard-tokens:ro"]
    process = subprocess.Popen(
        ["buildah", "run", *given, *mounted, container, "--", "python3", "-m", "modelyard.serving.contained"],
        env=BUILDAH,
        start_new_session=True,
    )
    try:
        assert answered(port, "/v2/health/ready") == 200
        assert answered(port, "/v2/models/screening") == 401
        assert answered(port, "/v2/models/screening", token="s3cret") == 200
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def answered(port: int, path: str, *, token: str = "") -> int:
    end = time.monotonic() + 60
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
            return connection.getresponse().status
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.1)
        finally:
            connection.close()


def test_a_service_names_its_version_where_no_distribution_is(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    import modelyard
    from modelyard.serving import pages

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    pages.version.cache_clear()
    assert pages.version() == modelyard.__version__


@pytest.mark.parametrize(
    ("form", "file", "lines"),
    [("native", "model/model.skops", 1), ("native", "model/x", 0), ("onnx", "model/model.skops", 0)],
)
def test_what_opens_a_native_model_is_among_what_its_service_needs(
    tmp_path: Path, form: str, file: str, lines: int
) -> None:
    import msgspec

    from modelyard.infra import needed
    from modelyard.records.package import Layout, Manifest, PackagedFile
    from modelyard.records.schema import Schema
    from modelyard.records.service import ServedModel

    manifest = Manifest(
        model="screening",
        task="regression",
        form=form,  # type: ignore[arg-type]
        frame="numpy",
        schema=Schema(columns=()),
        layout=Layout(numbers=(), texts=()),
        requirements=("scikit-learn==1.8.0",),
        python="3.11",
        files=(PackagedFile(path=file, size=1, sha256="0"),),
    )
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    model = ServedModel(model="screening", version=1, model_id="a", package="0", folder=str(tmp_path))
    found = needed([model]).splitlines()
    assert sum(line.startswith("skops==") for line in found) == lines
    assert sum(line.startswith("scikit-learn==1.8.0") for line in found) == (form == "native")
