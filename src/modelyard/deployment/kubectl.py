"""One namespace of a cluster by the command ``kubectl``, with the rights and the configuration that it has here."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard.errors import ExtraMissing, ServiceDown

MANAGER = "modelyard"
"""Who applies, as the cluster's records of fields name it."""
_SECONDS = 60.0
_ADVICE = (
    (
        r"Unauthorized|must be logged in|provide credentials|token (has|is) expired|[Ee]xec.* executable",
        "the credentials of the kubeconfig are no longer accepted, log in to the cluster again",
    ),
    (
        r"[Ff]orbidden",
        "ask for the rights that docs/deploy/kubernetes.md lists",
    ),
    (
        r"is invalid",
        "somebody changed that object so that what is applied does not go with it, delete it and deploy again",
    ),
    (
        r"namespaces? \S+ not found",
        "make the namespace first, 'modelyard render kubernetes' writes it",
    ),
    (
        r"no matches for kind|doesn't have a resource type",
        "the cluster is older than what is applied; docs/deploy/kubernetes.md says from which version on it works",
    ),
    (
        r"refused|no such host|timeout|timed out|Unable to connect|unreachable|no configuration|EOF|reset by peer"
        r"|TLS handshake|does not exist|no context exists|certificate",
        "see that 'kubectl cluster-info' answers with this kubeconfig and context",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Kubectl:
    """Where: what is not given is as kubectl itself has it."""

    namespace: str
    context: str | None = None
    kubeconfig: Path | None = None

    def words(self, *words: str) -> list[str]:
        if shutil.which("kubectl") is None:
            raise ExtraMissing(
                "To deploy to a cluster install 'kubectl' (https://kubernetes.io/docs/tasks/tools)."
            )
        place = ["--namespace", self.namespace]
        place += ["--context", self.context] if self.context else []
        place += ["--kubeconfig", str(self.kubeconfig)] if self.kubeconfig else []
        return ["kubectl", *place, *words]

    def run(self, *words: str, content: str | None = None, timeout: float = _SECONDS) -> str:
        """What it prints; ``ServiceDown`` with its own last words and what to do."""
        code, output, complaint = self.tried(*words, content=content, timeout=timeout)
        if code:
            raise self.failed(words[0], complaint)
        return output

    def tried(
        self, *words: str, content: str | None = None, timeout: float = _SECONDS
    ) -> tuple[int, str, str]:
        """Exit code, output, complaint."""
        try:
            done = subprocess.run(
                self.words(*words),
                input=content or "",
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            return 1, "", f"timed out after {timeout:g} s"
        return done.returncode, done.stdout, done.stderr

    def failed(self, verb: str, complaint: str) -> ServiceDown:
        lines = [line.strip() for line in complaint.splitlines() if line.strip()]
        lines = [line for line in lines if not re.match(r"[EWI]\d{4} |Warning:", line)] or lines
        said = " / ".join(dict.fromkeys(lines))[:400].rstrip(".") or "it said nothing"
        advice = next((what for pattern, what in _ADVICE if re.search(pattern, said)), "")
        return ServiceDown(
            f"'kubectl {verb}' in namespace {self.namespace} failed: {said}{advice and '; ' + advice}."
        )

    def objects(self, *words: str) -> list[dict[str, Any]]:
        """``get``: what is there of a list."""
        found = json.loads(self.run("get", *words, "--ignore-not-found", "-o", "json") or "{}")
        items: list[dict[str, Any]] = found.get("items", [found] if found else [])
        return items

    def apply(self, content: str, *options: str) -> str:
        """Server-side, as the one who decides on what is written there."""
        words = ("apply", "--server-side", "--force-conflicts", f"--field-manager={MANAGER}", *options)
        return self.run(*words, "-f", "-", content=content)

    @contextlib.contextmanager
    def tunnel(self, pod: str, port: int, *, timeout: float = 20.0) -> Iterator[int]:
        """A port of this machine's loopback that leads to one of a pod, as long as this process lives.

        kubectl gives a tunnel up when one connection in it breaks, so that it is begun again whenever it ends.
        """
        tunnel = _Tunnel(lambda local: self.words("port-forward", f"pod/{pod}", f"{local}:{port}"))
        try:
            if not tunnel.opened.wait(timeout):
                raise self.failed("port-forward", tunnel.said or "it opened nothing in time")
            yield tunnel.port
        finally:
            tunnel.close()


class _Tunnel:
    def __init__(self, words: Callable[[str], Sequence[str]]) -> None:
        self.port, self.said, self.opened = 0, "", threading.Event()
        self._words, self._ended = words, threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def _keep(self) -> None:
        while not self._ended.is_set():
            # it ends with this process, however that ends
            words = ["setpriv", "--pdeathsig", "TERM", *self._words(str(self.port or ""))]
            if shutil.which("setpriv") is None:
                words = words[3:]
            with subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ) as process:
                self._process = process
                self._listen(process)
            if not self._ended.is_set():
                time.sleep(0.1)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        if self._ended.is_set():
            process.terminate()
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.match(r"Forwarding from 127\.0\.0\.1:(\d+)", line):
                self.port = int(found.group(1))
                self.opened.set()
            elif not line.startswith(("Forwarding", "Handling")):
                self.said = line.strip()

    def close(self) -> None:
        self._ended.set()
        if self._process and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)
        self._thread.join(10)


def labelled(selector: Mapping[str, str]) -> tuple[str, ...]:
    return "-l", ",".join(f"{key}={value}" for key, value in selector.items())
