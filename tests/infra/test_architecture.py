"""The page of an architecture end to end: its commands are run, and its files hold together."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

Command = Callable[..., tuple[int, str, str]]
PAGE = Path(__file__).parents[2] / "docs" / "deploy" / "architecture.md"
HOST = "screening.models.example.org"


@pytest.fixture(scope="module")
def stands(built_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built project with the page's settings, after the page's commands."""
    folder = tmp_path_factory.mktemp("architecture") / "screening"
    shutil.copytree(built_once, folder)
    text = PAGE.read_text()
    (infra,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    with (folder / "modelyard.toml").open("a") as file:
        file.write(f"\n{infra}")
    asked = [
        line for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL) for line in block.splitlines()
    ]
    assert len(asked) == 7
    for line in asked:
        words, _, output = line.removeprefix("$ modelyard ").partition(" > ")
        # a timing decides no test: a promise that any machine keeps, and less of it
        given = shlex.split(words.replace("p99=50ms", "p99=9s").replace("errors=0.1%", "errors=50%"))
        given += ["--seconds", "1", "--ramp", "0", "--steps", "2"] if given[0] == "loadtest" else []
        done = subprocess.run(
            [sys.executable, "-m", "modelyard", *given], cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
        if output:
            (folder / output).write_text(done.stdout)
    return folder


def test_capacity_is_computed_from_the_load_test(stands: Path) -> None:
    levels = json.loads((stands / "load.json").read_text())["levels"]
    told = (stands / "capacity.md").read_text()
    best = max(level["rate"] for level in levels)
    assert f"{best:,.0f} sustained" in told
    (block,) = re.findall(r"```toml\n(.*?)```", told, re.DOTALL)
    assert set(tomllib.loads(block)["infra"]) == {"replicas", "cpu", "memory"}
    assert "<svg" not in (page := (stands / "capacity.html").read_text())
    assert "2,000 at the peak" in page


def test_the_gateway_knows_the_balancer_and_the_balancer_the_pods(stands: Path, tmp_path: Path) -> None:
    nginx = (stands / "deploy" / "nginx" / "nginx.conf").read_text()
    assert f"server_name {HOST};" in nginx
    assert re.findall(r"server (10\.\S+)", nginx) == ["10.0.1.11:80", "10.0.2.11:80", "10.0.3.11:80"]
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if program is None or shutil.which("kubectl") is None:
        pytest.skip("nginx and kubectl are not installed; apt-get install nginx-light")
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    files = ["-keyout", str(tmp_path / "tls.key"), "-out", str(tmp_path / "tls.crt"), "-subj", f"/CN={HOST}"]
    subprocess.run(["openssl", *words, *files], check=True, capture_output=True)
    local = re.sub(r"/etc/nginx/tls/\S+\.(crt|key);", rf"{tmp_path}/tls.\1;", nginx)
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/nginx.pid;\nerror_log {tmp_path}/error.log;\n{local}"
    )
    done = subprocess.run(
        [program, "-t", "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    overlay = stands / "deploy" / "kubernetes" / "overlays" / "prod"
    more = overlay / "kustomization.yaml"
    more.write_text(
        more.read_text().replace("components: []", "components: [../../monitoring, ../../builds]")
    )
    whole = subprocess.run(["kubectl", "kustomize", overlay], capture_output=True, text=True)
    assert whole.returncode == 0, whole.stderr
    (tmp_path / "whole.yaml").write_text(whole.stdout)
    checked = subprocess.run(
        [
            Path(sys.executable).parent / "kubernetes-validate",
            "--strict",
            "-k",
            "1.34",
            tmp_path / "whole.yaml",
        ],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    found = {one["kind"]: one for one in yaml.safe_load_all(whole.stdout)}
    assert found["HTTPRoute"]["spec"]["hostnames"] == [HOST]
    (rule,) = found["HTTPRoute"]["spec"]["rules"]
    service, pods = found["Service"], found["Deployment"]["spec"]
    assert rule["backendRefs"][0]["name"] == service["metadata"]["name"]
    assert rule["backendRefs"][0]["port"] in [port["port"] for port in service["spec"]["ports"]]
    assert service["spec"]["selector"].items() <= pods["template"]["metadata"]["labels"].items()
    (container,) = pods["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.org/team/screening:prod"
    assert container["resources"]["requests"] == {"cpu": "900m", "memory": "128Mi"}
    scaled = found["HorizontalPodAutoscaler"]["spec"]
    assert (scaled["minReplicas"], scaled["maxReplicas"]) == (2, 4)
    job = found["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    assert "screening-yard" in json.dumps(job)


def test_what_watches_asks_each_pod(stands: Path) -> None:
    (monitor,) = yaml.safe_load_all(
        (stands / "deploy" / "kubernetes" / "monitoring" / "monitor.yaml").read_text()
    )
    assert monitor["kind"] == "ServiceMonitor"
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; apt-get install prometheus")
    rules = stands / "deploy" / "prometheus" / "rules.yml"
    done = subprocess.run([promtool, "check", "rules", rules], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_is_of_what_was_built(stands: Path) -> None:
    image = stands / "deploy" / "image"
    assert "ARG BASE=python:3.12-slim" in (image / "Dockerfile").read_text()
    plan = json.loads((image / "service" / "plan.json").read_text())
    assert [model["model"] for model in plan["models"]] == ["screening"]
