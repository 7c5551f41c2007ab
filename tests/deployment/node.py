"""A node of a cluster without containers: what pods would run in an image's root runs as processes of this machine.

It takes its work from the cluster's API as a kubelet does. An image is a folder with what ``infra.context`` writes: its
``service`` is bound to ``/srv/modelyard`` and volumes to their mount paths, in a mount namespace of each pod's own. A
container's port is another one here, since pods share this machine's network.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Object = dict[str, Any]
_TICK = 0.1
_BACKOFF = 1.0
NAME = "node"


def can_run() -> bool:
    """Whether mount namespaces can be made here."""
    words = [*unshare(), "sh", "-c", "mount -t tmpfs t /srv"]
    return subprocess.run(words, capture_output=True).returncode == 0


def unshare() -> list[str]:
    return ["unshare", *([] if os.getuid() == 0 else ["-r"]), "-m", "--propagation", "private"]


class Api:
    """The cluster's API for whoever holds a token."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url, self._token = urlsplit(url), token

    def ask(self, verb: str, path: str, body: object = None, kind: str = "application/json") -> Any:
        port, host = self._url.port, self._url.hostname or ""
        if self._url.scheme == "https":
            loose = ssl.create_default_context()
            loose.check_hostname, loose.verify_mode = False, ssl.CERT_NONE
            door: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, context=loose, timeout=20
            )
        else:
            door = http.client.HTTPConnection(host, port, timeout=20)
        headers = {"Content-Type": kind, "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        door.request(verb, path, None if body is None else json.dumps(body), headers)
        reply = door.getresponse()
        told = json.loads(reply.read() or b"{}")
        door.close()
        if reply.status >= 400:
            raise LookupError(f"{reply.status} {told.get('message')}")
        return told


class Container:
    """One pod's process, begun again when it ends."""

    def __init__(self, folder: Path, pod: Object) -> None:
        self.pod, self.folder = pod, folder
        self.process: subprocess.Popen[bytes] | None = None
        self.restarts, self.retry, self.code = 0, 0.0, 0
        self.waiting: Object | None = {"reason": "ContainerCreating"}
        self.port, self.begun, self.ready, self.over = _free_port(), time.monotonic(), False, False
        self.told: Object = {}
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def spec(self) -> Object:
        found: Object = self.pod["spec"]["containers"][0]
        return found

    def start(self, image: Path, environ: dict[str, str], mounts: dict[str, Path]) -> None:
        places = {"/srv/modelyard": image / "service", **mounts}
        script = ["set -e"]
        script += [f"mount -t tmpfs t {place}" for place in ("/srv", "/run", "/var/lib")]
        for place, source in places.items():
            if place != "/tmp":
                script += [f"mkdir -p {place}", f"mount --bind {source} {place}"]
        script += [
            "cd /srv/modelyard",
            f"exec {sys.executable} -m modelyard.serving.contained /srv/modelyard",
        ]
        held = {"PATH": os.environ["PATH"], "PYTHONPATH": str(image / "library"), "PYTHONUNBUFFERED": "1"}
        held |= environ | {"MODELYARD_PORT": str(self.port)}
        with (self.folder / f"{self.restarts}.log").open("wb") as log:
            self.process = subprocess.Popen(
                [*unshare(), "sh", "-c", "\n".join(script)],
                env=held,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.waiting = None

    def look(self) -> None:
        """Take notice of an end, and of whether it is ready."""
        if self.process is not None and (code := self.process.poll()) is not None:
            self._kill()
            self.process, self.code, self.ready = None, code, False
            if self.pod["spec"].get("restartPolicy") == "Never":
                self.over = True
            else:
                self.waiting = {
                    "reason": "CrashLoopBackOff",
                    "message": "back-off restarting failed container",
                }
                self.retry = time.monotonic() + _BACKOFF
                self.restarts += 1
        self.ready = self.process is not None and self._answers()

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self._kill()
        self._kill()

    def _kill(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def _answers(self) -> bool:
        door = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            door.request("GET", self.spec["readinessProbe"]["httpGet"]["path"])
            return door.getresponse().status == 200
        except OSError:
            return False
        finally:
            door.close()

    def log(self, *, previous: bool) -> str:
        at = self.restarts - 1 if previous or (self.process is None and self.restarts) else self.restarts
        path = self.folder / f"{at}.log"
        return path.read_text(errors="replace") if path.exists() else ""


class Node:
    """Runs what is bound to it, and binds what is bound to nobody."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.api, self._folder = api, folder
        self.images: dict[str, Path] = {}
        self.pods: dict[str, Container] = {}
        self._ended, self._told = threading.Event(), set[tuple[str, str]]()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(20)
        for container in self.pods.values():
            container.end()

    def container(self, namespace: str, name: str) -> Container:
        for one in self.pods.values():
            metadata = one.pod["metadata"]
            if (metadata["namespace"], metadata["name"]) == (namespace, name):
                return one
        raise LookupError(f"pods {name} not found")

    def _work(self) -> None:
        while not self._ended.wait(_TICK):
            with contextlib.suppress(LookupError, OSError, http.client.HTTPException):
                self._tick()

    def _tick(self) -> None:
        found = {pod["metadata"]["uid"]: pod for pod in self.api.ask("GET", "/api/v1/pods")["items"]}
        for uid in [uid for uid in self.pods if uid not in found]:
            self.pods.pop(uid).end()
        for uid, pod in found.items():
            with contextlib.suppress(LookupError):
                self._converge(uid, pod)

    def _converge(self, uid: str, pod: Object) -> None:
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
        if not pod["spec"].get("nodeName"):
            bound = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod["metadata"]["name"]}}
            self.api.ask("POST", f"{path}/binding", bound | {"target": {"kind": "Node", "name": NAME}})
            return
        container = self.pods.setdefault(uid, Container(self._folder / uid, pod))
        container.pod = pod
        if "deletionTimestamp" in pod["metadata"]:
            container.end()
            self.api.ask("DELETE", path, {"gracePeriodSeconds": 0})
            return
        deadline = pod["spec"].get("activeDeadlineSeconds")
        if deadline and time.monotonic() - container.begun > deadline:
            container.end()
            container.over = True
        if container.process is None and not container.over and time.monotonic() >= container.retry:
            self._begin(container)
        container.look()
        status = self._status(container)
        if status != container.told:
            self.api.ask("PATCH", f"{path}/status", {"status": status}, "application/merge-patch+json")
            container.told = status

    def _begin(self, container: Container) -> None:
        namespace = container.pod["metadata"]["namespace"]
        try:
            environ, mounts = self._surroundings(container, namespace)
        except LookupError as error:
            container.waiting = {"reason": "CreateContainerConfigError", "message": str(error)}
            return
        image = self.images.get(container.spec["image"])
        if image is None:
            container.waiting = {
                "reason": "ImagePullBackOff",
                "message": f"no image {container.spec['image']}",
            }
            self._tell(container, "Failed", f"Failed to pull image {container.spec['image']!r}: not found")
            return
        container.start(image, environ, mounts)

    def _surroundings(self, container: Container, namespace: str) -> tuple[dict[str, str], dict[str, Path]]:
        environ: dict[str, str] = {}
        for source in container.spec.get("envFrom", ()):
            name = source["configMapRef"]["name"]
            environ |= self.api.ask("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}").get(
                "data", {}
            )
        environ |= {one["name"]: one["value"] for one in container.spec.get("env", ())}
        volumes: dict[str, Path] = {}
        for volume in container.pod["spec"].get("volumes", ()):
            place = volumes[volume["name"]] = container.folder / volume["name"]
            place.mkdir(exist_ok=True)
            if secret := volume.get("secret"):
                named = {"secret": {"name": secret["secretName"], "items": secret.get("items")}}
                self._fill(place, namespace, named)
            for source in volume.get("projected", {}).get("sources", ()):
                self._fill(place, namespace, source)
        mounted = container.spec.get("volumeMounts", ())
        return environ, {mount["mountPath"]: volumes[mount["name"]] for mount in mounted}

    def _fill(self, place: Path, namespace: str, source: Object) -> None:
        """Files of a secret or a ConfigMap."""
        ((kind, asked),) = source.items()
        resource = {"secret": "secrets", "configMap": "configmaps"}[kind]
        told = self.api.ask("GET", f"/api/v1/namespaces/{namespace}/{resource}/{asked['name']}")["data"]
        held = {
            key: base64.b64decode(text) if kind == "secret" else text.encode() for key, text in told.items()
        }
        for item in asked.get("items") or [{"key": key, "path": key} for key in held]:
            if item["key"] not in held:
                raise LookupError(f"{kind} {asked['name']} has no {item['key']}")
            (place / item["path"]).write_bytes(held[item["key"]])

    def _status(self, container: Container) -> Object:
        never = container.pod["spec"].get("restartPolicy") == "Never"
        ended = {"exitCode": container.code, "reason": "Error"}
        if container.over:
            state: Object = {"terminated": ended}
        elif container.waiting:
            state = {"waiting": container.waiting}
        else:
            state = {"running": {}}
        phase = (
            "Failed"
            if container.over
            else "Pending"
            if container.waiting and not container.restarts
            else "Running"
        )
        ready = "True" if container.ready else "False"
        last = {"terminated": ended} if container.restarts and not never else {}
        started = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        since = container.told.get("startTime", started)
        return {
            "phase": phase,
            "podIP": "127.0.0.1",
            "hostIP": "127.0.0.1",
            "startTime": since,
            "conditions": [
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": since},
                {"type": "Ready", "status": ready, "lastTransitionTime": since},
                {"type": "ContainersReady", "status": ready, "lastTransitionTime": since},
            ],
            "containerStatuses": [
                {
                    "name": container.spec["name"],
                    "image": container.spec["image"],
                    "imageID": "",
                    "ready": container.ready,
                    "restartCount": container.restarts,
                    "state": state,
                    "lastState": last,
                }
            ],
        }

    def _tell(self, container: Container, reason: str, message: str) -> None:
        metadata = container.pod["metadata"]
        if (metadata["uid"], message) in self._told:
            return
        self._told.add((metadata["uid"], message))
        involved = {"kind": "Pod", "apiVersion": "v1"} | {
            k: metadata[k] for k in ("name", "namespace", "uid")
        }
        self.api.ask(
            "POST",
            f"/api/v1/namespaces/{metadata['namespace']}/events",
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {
                    "name": f"{metadata['name']}.{time.time_ns():x}",
                    "namespace": metadata["namespace"],
                },
                "involvedObject": involved,
                "reason": reason,
                "message": message,
                "type": "Warning",
            },
        )


class Balancer:
    """A service's address: each connection goes to one of its ready pods, none where there is none."""

    def __init__(self, node: Node, namespace: str, name: str) -> None:
        self._node, self._namespace, self._name = node, namespace, name
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        turn = 0
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            ready = self._ready()
            if not ready:
                client.close()
                continue
            turn += 1
            threading.Thread(
                target=self._carry, args=(client, ready[turn % len(ready)].port), daemon=True
            ).start()

    def _ready(self) -> list[Container]:
        try:
            path = f"/api/v1/namespaces/{self._namespace}/services/{self._name}"
            wanted = self._node.api.ask("GET", path)["spec"]["selector"].items()
        except LookupError:
            return []
        return [
            one
            for one in list(self._node.pods.values())
            if one.ready
            and one.pod["metadata"]["namespace"] == self._namespace
            and wanted <= one.pod["metadata"]["labels"].items()
            and "deletionTimestamp" not in one.pod["metadata"]
        ]

    def _carry(self, client: socket.socket, port: int) -> None:
        with client, contextlib.suppress(OSError):
            server = socket.create_connection(("127.0.0.1", port), timeout=5)
            server.settimeout(None)
            back = threading.Thread(target=_pour, args=(server, client), daemon=True)
            back.start()
            _pour(client, server)
            back.join()
            server.close()


def _pour(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(1 << 16):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def available() -> str:
    """Why it cannot be here; empty when it can."""
    if shutil.which("kubectl") is None:
        return "there is no kubectl; https://kubernetes.io/docs/tasks/tools"
    return "" if can_run() else "mount namespaces cannot be made here (unshare -m)"
