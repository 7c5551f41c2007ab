"""The rendered nginx, for real, before two services of which one is killed under load."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelyard import infra
from modelyard.settings import read

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
HOST = "screening.example.org"
CLIENTS = 6


@pytest.fixture
def services(
    built: Path, ports: Callable[[int], list[int]]
) -> Iterator[list[tuple[int, subprocess.Popen[bytes]]]]:
    """Two of the same model, each in a session of its own."""
    started = []
    for port in ports(2):
        words = [
            sys.executable,
            "-m",
            "modelyard",
            "-C",
            str(built),
            "serve",
            "screening@1",
            "--port",
            str(port),
        ]
        started.append((port, subprocess.Popen(words, start_new_session=True, stdout=subprocess.DEVNULL)))
    for port, _ in started:
        wait(lambda port=port: ask(port, "GET", "/v2/health/ready", tls=False)[0] == 200)
    yield started
    for _, process in started:
        stop(process)


@pytest.fixture
def gateway(
    built: Path,
    services: list[tuple[int, subprocess.Popen[bytes]]],
    ports: Callable[[int], list[int]],
    tmp_path: Path,
) -> Iterator[int]:
    if NGINX is None:
        pytest.skip("nginx is not installed; apt-get install nginx-light")
    (port,) = ports(1)
    at = [f"127.0.0.1:{one}" for one, _ in services]
    settings = read(built, {"MODELYARD_INFRA__UPSTREAMS__PROD": json.dumps(at)})
    text = infra.files("nginx", infra.place(settings, built, user="nurse"))["nginx.conf"].decode()
    key, crt = tmp_path / "tls.key", tmp_path / "tls.crt"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-keyout", str(key), "-out", str(crt), "-subj", f"/CN={HOST}"]
    subprocess.run(["openssl", *words, *names], check=True, capture_output=True)
    for name in ("screening-test", "screening-staging", "screening"):
        text = text.replace(f"/etc/nginx/tls/{name}.example.org.crt", str(crt))
        text = text.replace(f"/etc/nginx/tls/{name}.example.org.key", str(key))
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;")
    text = f"daemon off;\npid {tmp_path}/nginx.pid;\nerror_log {tmp_path}/error.log;\nuser root;\n{text}"
    folders = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"  {one}_temp_path {tmp_path}/{one};\n" for one in folders)
    (tmp_path / "nginx.conf").write_text(text.replace("http {\n", f"http {{\n{temporary}"))
    process = subprocess.Popen([NGINX, "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)])
    wait(lambda: ask(port, "GET", "/v2/health/ready")[0] == 200)
    yield port
    process.terminate()
    process.wait(10)


def stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """The supervisor and its workers."""
    import os

    try:
        os.killpg(process.pid, how)
    except ProcessLookupError:
        return
    process.wait(20)


def wait(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            if ready():
                return
        except OSError:
            pass
        assert time.monotonic() < end, "it did not begin to answer"
        time.sleep(0.05)


def ask(
    port: int, verb: str, path: str, body: bytes | None = None, *, tls: bool = True, token: str = "Bearer t"
) -> tuple[int, bytes]:
    trusting = ssl._create_unverified_context()
    connection = (
        http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=trusting)
        if tls
        else http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    )
    try:
        connection.request(verb, path, body, {"Host": HOST, **({"Authorization": token} if token else {})})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def test_one_service_is_killed_and_nobody_notices(
    gateway: int, services: list[tuple[int, subprocess.Popen[bytes]]], built: Path
) -> None:
    lines = (built / "data" / "patients.csv").read_text().splitlines()
    row = dict(zip(lines[0].split(","), lines[1].split(","), strict=True))
    features = {k: float(v) for k, v in row.items() if k not in ("patient_id", "diagnosis")}
    body = json.dumps({"rows": [features]}).encode()
    done = threading.Event()
    statuses: list[int] = []

    def client() -> None:
        while not done.is_set():
            try:
                statuses.append(ask(gateway, "POST", "/models/screening/predict", body)[0])
            except OSError:
                statuses.append(0)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    wait(lambda: len(statuses) > 100)
    stop(services[0][1], signal.SIGKILL)
    before = len(statuses)
    wait(lambda: len(statuses) > before + 300)
    done.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}, {status: statuses.count(status) for status in set(statuses)}


def test_who_brings_no_token_and_who_asks_for_metrics_is_sent_away(gateway: int) -> None:
    assert ask(gateway, "GET", "/v2/models/screening", token="")[0] == 401
    assert ask(gateway, "GET", "/metrics")[0] == 403
    assert ask(gateway, "GET", "/v2/models/screening")[0] == 200
