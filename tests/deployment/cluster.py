"""A small API server that the real kubectl speaks to, with a Deployment's controller and a node.

It answers discovery, GET, LIST, WATCH, POST, PUT, PATCH (server-side apply with its managers, merge) and DELETE, logs,
port-forward and exec. What it stores is what was sent: it fills no defaults, admits anything, and knows no rights but a
token's. ``docs/decisions`` says why it is here and what was seen on a real API server.
"""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from node import Api, Node
from spdy import execute, forward
from tls import Front, certificate

Object = dict[str, Any]
Key = tuple[str, str, str]
"""Resource, namespace, name."""
_RESOURCES = {
    "v1": {
        "pods": "Pod",
        "services": "Service",
        "configmaps": "ConfigMap",
        "secrets": "Secret",
        "serviceaccounts": "ServiceAccount",
        "events": "Event",
        "namespaces": "Namespace",
    },
    "apps/v1": {"deployments": "Deployment"},
    "autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
    "networking.k8s.io/v1": {"networkpolicies": "NetworkPolicy"},
    "coordination.k8s.io/v1": {"leases": "Lease"},
}
_KEYED = {
    "containers": "name",
    "env": "name",
    "volumes": "name",
    "ports": "name",
    "volumeMounts": "mountPath",
}
"""Lists that appliers share, by what tells their items apart."""


class Refused(Exception):
    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.told = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": status,
        }


class Store:
    """Objects with their versions and who manages which of their fields."""

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.applied: dict[tuple[Key, str], Object] = {}
        self.lock, self._version = threading.RLock(), 0

    def get(self, key: Key) -> Object:
        if key not in self.objects:
            raise Refused(404, "NotFound", f'{key[0]} "{key[2]}" not found')
        return self.objects[key]

    def list(self, resource: str, namespace: str, chosen: Callable[[Object], bool]) -> list[Object]:
        with self.lock:
            found = [
                one
                for (kind, where, _), one in sorted(self.objects.items())
                if kind == resource and namespace in ("", where) and chosen(one)
            ]
            return copy.deepcopy(found)

    def put(self, key: Key, new: Object, *, dry: bool = False) -> Object:
        """As it is after this; the cluster's own fields are the store's."""
        old = self.objects.get(key)
        new = copy.deepcopy(new)
        metadata = new.setdefault("metadata", {})
        metadata |= {"name": key[2]} | ({"namespace": key[1]} if key[1] else {})
        if key[1] and ("namespaces", "", key[1]) not in self.objects:
            raise Refused(404, "NotFound", f'namespaces "{key[1]}" not found')
        if old is None:
            now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now, "generation": 1}
        else:
            if old.get("immutable") and old.get("data") != new.get("data"):
                raise Refused(422, "Invalid", f'{key[0]} "{key[2]}" is immutable')
            same = new.get("spec") == old.get("spec")
            metadata["generation"] = old["metadata"]["generation"] + (not same)
        self._version += 1
        metadata["resourceVersion"] = str(self._version)
        if not dry:
            self.objects[key] = new
        return new

    def apply(self, key: Key, sent: Object, manager: str, *, dry: bool) -> Object:
        """What the manager applied before and sends no more goes; what others set stays."""
        before = self.applied.get((key, manager), {})
        live = copy.deepcopy(self.objects.get(key, {}))
        new = self.put(key, _merged(_without(live, before, sent), sent), dry=dry)
        if not dry:
            self.applied[key, manager] = copy.deepcopy(sent)
        return new

    def delete(self, key: Key) -> Object:
        for applied in [one for one in self.applied if one[0] == key]:
            del self.applied[applied]
        return self.objects.pop(key)


def _items(many: list[Any], key: str) -> dict[Any, Any]:
    return {one.get(key): one for one in many}


def _without(live: Any, before: Any, sent: Any, field: str = "") -> Any:
    if isinstance(live, dict) and isinstance(before, dict):
        sent = sent if isinstance(sent, dict) else {}
        kept = {name: value for name, value in live.items() if name in sent or name not in before}
        return {name: _without(value, before.get(name), sent.get(name), name) for name, value in kept.items()}
    if field in _KEYED and isinstance(live, list) and isinstance(before, list):
        key = _KEYED[field]
        was, is_ = _items(before, key), _items(sent or [], key)
        kept_ = [one for one in live if one.get(key) in is_ or one.get(key) not in was]
        return [_without(one, was.get(one.get(key)), is_.get(one.get(key))) for one in kept_]
    return live


def _merged(live: Any, sent: Any, field: str = "") -> Any:
    if isinstance(live, dict) and isinstance(sent, dict):
        return live | {name: _merged(live.get(name), value, name) for name, value in sent.items()}
    if field in _KEYED and isinstance(live, list) and isinstance(sent, list):
        key = _KEYED[field]
        there = _items(live, key)
        news = [_merged(there.get(one.get(key)), one) for one in sent]
        mine = {one.get(key) for one in sent}
        return news + [one for one in live if one.get(key) not in mine]
    return sent


def _patched(live: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    found = dict(live) if isinstance(live, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = _patched(found.get(name), value)
    return found


class Cluster:
    """The API, its controller and one node."""

    def __init__(self, folder: Path) -> None:
        self.store, self.token, self.down = Store(), "t0ken", False
        self.forbidden: set[str] = set()
        cluster = self

        class Handler(_Handler):
            def setup(self) -> None:
                self.cluster = cluster
                super().setup()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        pem = certificate(folder)
        self._front = Front(self._server.server_address[1], pem)
        url = f"https://127.0.0.1:{self._front.port}"
        self.node = Node(
            Api(f"http://127.0.0.1:{self._server.server_address[1]}", self.token), folder / "node"
        )
        self._ended = threading.Event()
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [
                        {"name": "small", "cluster": {"server": url, "certificate-authority": str(pem)}}
                    ],
                    "users": [{"name": "deployer", "user": {"token": self.token}}],
                    "contexts": [{"name": "small", "context": {"cluster": "small", "user": "deployer"}}],
                    "current-context": "small",
                }
            )
        )
        self._threads = [
            threading.Thread(target=self._server.serve_forever, daemon=True),
            threading.Thread(target=self._control, daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        self.node.start()

    def stop(self) -> None:
        self._ended.set()
        self.node.stop()
        self._server.shutdown()
        self._server.server_close()
        self._front.close()

    def _control(self) -> None:
        while not self._ended.wait(0.1):
            with self.store.lock:
                for key, one in list(self.store.objects.items()):
                    if key[0] == "deployments":
                        self._roll(key, one)

    def _roll(self, key: Key, deployment: Object) -> None:
        """One pod more than wanted at most, none less than wanted ready."""
        spec, namespace = deployment["spec"], key[1]
        wanted = 0 if "deletionTimestamp" in deployment["metadata"] else spec.get("replicas", 1)
        told = hashlib.sha256(json.dumps(spec["template"], sort_keys=True).encode()).hexdigest()[:10]
        owned = spec["selector"]["matchLabels"].items()
        pods = [
            pod
            for pod in self.store.list(
                "pods", namespace, lambda one: owned <= one["metadata"]["labels"].items()
            )
            if "deletionTimestamp" not in pod["metadata"]
        ]
        new = [pod for pod in pods if pod["metadata"]["labels"]["pod-template-hash"] == told]
        old = [pod for pod in pods if pod not in new]
        ready = [pod for pod in pods if _ready(pod)]
        if len(new) < wanted and len(pods) <= wanted:
            name = f"{key[2]}-{told}-{uuid.uuid4().hex[:5]}"
            pod = {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(spec["template"])}
            pod["metadata"] |= {"labels": pod["metadata"]["labels"] | {"pod-template-hash": told}}
            self.store.put(("pods", namespace, name), pod)
        elif len(pods) > wanted and len(ready) > wanted - any(not _ready(p) for p in old):
            going = [*(p for p in old if not _ready(p)), *old, *new][0]
            self.remove(("pods", namespace, going["metadata"]["name"]), grace=30)
        if wanted == 0 and not self.store.list(
            "pods", namespace, lambda o: owned <= o["metadata"]["labels"].items()
        ):
            self.store.delete(key)
            return
        deployment["status"] = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": len(pods),
            "updatedReplicas": len(new),
            "readyReplicas": len(ready),
            "availableReplicas": len(ready),
        }

    def remove(self, key: Key, *, grace: int) -> Object:
        one = self.store.get(key)
        if key[0] == "pods" and grace and one["spec"].get("nodeName"):
            one["metadata"]["deletionTimestamp"] = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            return one
        if key[0] == "deployments":
            one["metadata"]["deletionTimestamp"] = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            return one
        return self.store.delete(key)


def _ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: Cluster

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _answer(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        sent = self.rfile.read(size)
        if self.cluster.down:
            self.close_connection = True
            return
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        try:
            if self.headers.get("Authorization") != f"Bearer {self.cluster.token}":
                raise Refused(401, "Unauthorized", "Unauthorized")
            told = _discovered(parts.path)
            if told is None:
                told = self._asked(parts.path, query, sent)
        except Refused as refused:
            self._say(refused.told["code"], refused.told)
            return
        if told is not None:
            self._say(201 if self.command == "POST" else 200, told)

    def _asked(self, path: str, query: dict[str, list[str]], sent: bytes) -> Object | None:
        words = path.strip("/").split("/")
        version = words[1] if words[0] == "api" else "/".join(words[1:3])
        words = words[2:] if words[0] == "api" else words[3:]
        namespace = ""
        if words[0] == "namespaces" and len(words) > 2:
            namespace, words = words[1], words[2:]
        resource, name, sub = [*words, "", ""][:3]
        if resource not in _RESOURCES.get(version, {}):
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        if resource in self.cluster.forbidden and self.command != "GET":
            verb = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}[self.command]
            raise Refused(
                403,
                "Forbidden",
                f'{resource} is forbidden: User "deployer" cannot {verb} resource "{resource}"',
            )
        key = (resource, namespace, name)
        if sub in ("portforward", "exec", "log"):
            self._entered(key, sub, query)
            return None
        body = yaml.safe_load(sent) if sent else {}
        if "watch" in query:
            self._watched(key, query)
            return None
        with self.cluster.store.lock:
            return copy.deepcopy(self._done(key, version, sub, query, body))

    def _done(self, key: Key, version: str, sub: str, query: dict[str, list[str]], body: Object) -> Object:
        store, kind = self.cluster.store, _RESOURCES[version][key[0]]
        dry = query.get("dryRun") == ["All"]
        if self.command == "GET" and key[2]:
            return store.get(key)
        if self.command == "GET":
            items = store.list(key[0], key[1], _selected(query))
            return {
                "apiVersion": version,
                "kind": f"{kind}List",
                "metadata": {"resourceVersion": "1"},
                "items": items,
            }
        if self.command == "DELETE":
            grace = body.get("gracePeriodSeconds")
            return self.cluster.remove(key, grace=30 if grace is None else grace)
        if self.command == "POST" and sub == "binding":
            store.get(key)["spec"]["nodeName"] = body["target"]["name"]
            return {"kind": "Status", "apiVersion": "v1", "status": "Success"}
        if self.command == "POST":
            key = (key[0], key[1], body["metadata"]["name"])
            if key in store.objects:
                raise Refused(409, "AlreadyExists", f'{key[0]} "{key[2]}" already exists')
            return store.put(key, body, dry=dry)
        if self.command == "PUT":
            version_, there = body["metadata"].get("resourceVersion"), store.get(key)
            if version_ and version_ != there["metadata"]["resourceVersion"]:
                raise Refused(409, "Conflict", "the object has been modified")
            return store.put(key, there | body, dry=dry)
        if self.headers["Content-Type"].startswith("application/apply-patch"):
            return store.apply(key, body, query["fieldManager"][0], dry=dry)
        if sub == "status":
            live = store.get(key)
            live["status"] = _patched(live.get("status", {}), body["status"])
            return live
        return store.put(key, _patched(store.get(key), body), dry=dry)

    def _entered(self, key: Key, sub: str, query: dict[str, list[str]]) -> None:
        node = self.cluster.node
        try:
            container = node.container(key[1], key[2])
        except LookupError as error:
            raise Refused(404, "NotFound", str(error)) from None
        if sub == "log":
            lines = container.log(previous=query.get("previous") == ["true"]).splitlines()
            tail = int(query.get("tailLines", ["-1"])[0])
            text = "".join(f"{line}\n" for line in (lines[-tail:] if tail >= 0 else lines)).encode()
            self._raw(200, "text/plain", text)
            return
        if "spdy" not in self.headers.get("Upgrade", "").lower():
            raise Refused(400, "BadRequest", "only SPDY is spoken here")
        protocol = "portforward.k8s.io" if sub == "portforward" else "v4.channel.k8s.io"
        self.send_response(101)
        for name, value in (
            ("Connection", "Upgrade"),
            ("Upgrade", "SPDY/3.1"),
            ("X-Stream-Protocol-Version", protocol),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        if sub == "portforward":
            forward(self.connection, lambda _: container.port)
        else:
            execute(
                self.connection, query["command"], 1 + sum(s in query for s in ("stdin", "stdout", "stderr"))
            )

    def _watched(self, key: Key, query: dict[str, list[str]]) -> None:
        """Changes from now on, until the client goes or its time is over."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        until = time.monotonic() + float(query.get("timeoutSeconds", ["30"])[0])
        known: dict[str, Object] = {}
        while time.monotonic() < until:
            now = {
                one["metadata"]["uid"]: one
                for one in self.cluster.store.list(key[0], key[1], _selected(query))
            }
            changes = [
                ("ADDED" if uid not in known else "MODIFIED", one)
                for uid, one in now.items()
                if known.get(uid) != one
            ]
            changes += [("DELETED", one) for uid, one in known.items() if uid not in now]
            try:
                for kind, one in changes:
                    self.wfile.write(json.dumps({"type": kind, "object": one}).encode() + b"\n")
                self.wfile.flush()
            except OSError:
                return
            known = now
            time.sleep(0.05)

    def _say(self, status: int, told: Object) -> None:
        self._raw(status, "application/json", json.dumps(told).encode())

    def _raw(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _selected(query: dict[str, list[str]]) -> Callable[[Object], bool]:
    labels = [term.split("=", 1) for term in ",".join(query.get("labelSelector", [])).split(",") if term]
    fields = [term.split("=", 1) for term in ",".join(query.get("fieldSelector", [])).split(",") if term]

    def chosen(one: Object) -> bool:
        has = one["metadata"].get("labels", {})
        return all(has.get(name) == value for name, value in labels) and all(
            _field(one, name) == value for name, value in fields
        )

    return chosen


def _field(one: Object, path: str) -> Any:
    found: Any = one
    for word in path.split("."):
        found = found.get(word, {})
    return found


def _discovered(path: str) -> Object | None:
    """What kubectl asks of any cluster first."""
    if path == "/version":
        return {"major": "1", "minor": "32", "gitVersion": "v1.32.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    groups = [version.split("/") for version in _RESOURCES if "/" in version]
    if path == "/apis":
        named = [
            {"name": group, "versions": [told], "preferredVersion": told}
            for group, version in groups
            for told in [{"groupVersion": f"{group}/{version}", "version": version}]
        ]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": named}
    if path == "/openapi/v3":
        places = {
            ("api/" if "/" not in v else "apis/") + v: {"serverRelativeURL": f"/openapi/v3/{v}"}
            for v in _RESOURCES
        }
        return {"paths": places}
    if path.startswith("/openapi/v3/"):
        return _described(path.removeprefix("/openapi/v3/"))
    version = path.removeprefix("/apis/") if path.startswith("/apis/") else path.removeprefix("/api/")
    if version in _RESOURCES:
        verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
        found = [
            {
                "name": name,
                "singularName": kind.lower(),
                "namespaced": name != "namespaces",
                "kind": kind,
                "verbs": verbs,
            }
            for name, kind in _RESOURCES[version].items()
        ]
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": found}
    return None


def _described(version: str) -> Object:
    """That every kind may be patched with its fields validated, which is for the server to do."""
    group, _, number = version.rpartition("/")
    paths = {}
    for name, kind in _RESOURCES[version].items():
        parameters = [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}]
        parameters.append({"name": "dryRun", "in": "query", "schema": {"type": "string"}})
        told = {"group": group, "version": number, "kind": kind}
        patch = {"parameters": parameters, "x-kubernetes-group-version-kind": told}
        paths[f"/apis/{version}/namespaces/{{namespace}}/{name}/{{name}}"] = {"patch": patch}
    return {"openapi": "3.0.0", "info": {"title": "small", "version": "1"}, "paths": paths}


@contextmanager
def cluster(folder: Path, *namespaces: str) -> Iterator[Cluster]:
    folder.mkdir(parents=True, exist_ok=True)
    made = Cluster(folder)
    for name in namespaces:
        made.store.put(("namespaces", "", name), {"apiVersion": "v1", "kind": "Namespace"})
    made.start()
    try:
        yield made
    finally:
        made.stop()
