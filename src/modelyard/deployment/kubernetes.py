"""Services in a namespace of a Kubernetes cluster, applied server-side by ``kubectl``.

A plan is an immutable Secret named by its content, beside an image that holds the packages. The Deployment's pods carry
both, so that going back is applying again what a secret kept: the objects as they were, and their image.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from modelyard.deployment.drift import drifted
from modelyard.deployment.kubectl import Kubectl, labelled
from modelyard.deployment.pods import (
    GENERATION,
    MODELS,
    PLAN,
    Seen,
    doom,
    is_ready,
    noted,
    number,
    reasons,
)
from modelyard.deployment.smoke import answering
from modelyard.deployment.turn import turn
from modelyard.errors import ServiceDown
from modelyard.records.service import ServicePlan, ServiceState, Telling
from modelyard.storage.scratch import scratch

PORT = 8080
"""That a pod listens on."""
CONTENT, IMAGE = "modelyard.dev/content", "modelyard.dev/image"
PROVEN, LOST = "modelyard.dev/proven", "modelyard.dev/lost"
"""That pods were ready with a plan; that its image could not be pulled since."""
_MOUNTED = "/run/secrets"
_POLL = 0.5
_KEPT = 5
"""Plans that a cluster keeps, to go back to."""
_LIFETIME = 1800
"""Seconds after which the cluster ends a candidate that nobody ended."""
_MEMORY = """
import glob
held = 0
for file in glob.glob("/proc/[0-9]*/smaps_rollup"):
    try:
        held += sum(int(line.split()[1]) for line in open(file) if line.startswith("Pss:"))
    except OSError:
        pass
print(held)
"""
"""Kilobytes of a pod's processes, as on a machine of its own."""


class Manifests(Protocol):
    """Files of a kustomization, whose folder is ``release`` or ``candidate``."""

    def __call__(
        self, *, image: str, plan: str, keys: Sequence[str], notes: Mapping[str, str], candidate: str
    ) -> Mapping[str, bytes]: ...


class Images(Protocol):
    def __call__(self, plan: ServicePlan, known: Callable[[str], str | None]) -> tuple[str, str]:
        """The name of the content that the plan's packages need, and an image of it: one that is ``known`` by that
        name, else a new one that the cluster can pull."""
        ...


@dataclass(frozen=True, kw_only=True)
class Place:
    """A service in a namespace."""

    cluster: Kubectl
    name: str
    wait: float
    """Seconds in which pods have to be ready."""
    address: str | None = None
    """Where clients ask, if this machine can, too."""


class PodCandidate(NamedTuple):
    url: str
    grpc: str | None
    cluster: Kubectl
    pod: str

    def memory_mb(self) -> float:
        words = ("exec", self.pod, "-c", "service", "--", "python3", "-c", _MEMORY)
        return round(int(self.cluster.run(*words).strip() or 0) / 1024, 1)


class KubernetesTarget:
    """A ``Target`` in a cluster, for one environment."""

    def __init__(self, place: Place, *, image: Images, manifests: Manifests) -> None:
        self._place, self._cluster = place, place.cluster
        self._image, self._manifests = image, manifests
        self._name = {"app.kubernetes.io/name": place.name}
        self._service = {**self._name, "app.kubernetes.io/component": "service"}

    def apply(self, plan: ServicePlan, *, timeout: float) -> ServiceState:
        wait = max(timeout, self._place.wait)
        content, image = self._image(plan, self._known)
        lease = f"{self._place.name}-deploy"
        with turn(self._cluster, lease, seconds=2 * wait + 120, timeout=wait):
            secret, manifest = self._written(plan, content, image)
            self._cluster.apply(json.dumps(secret))
            try:
                self._put(manifest)
                self._await(secret["metadata"]["name"], wait)
                self._smoke(plan)
            except ServiceDown as error:
                self._forgot(error, content)
                raise self._undone(error, secret["metadata"]["name"], wait) from None
            self._cluster.run("label", "secret", secret["metadata"]["name"], f"{PROVEN}=true", "--overwrite")
            self._sweep()
        state = self.state(plan.environment)
        if state is None:
            raise ServiceDown(f"The service of {plan.environment} was taken away as soon as it answered.")
        return state

    def state(self, environment: str) -> ServiceState | None:  # noqa: ARG002  a target is of one
        seen = self._seen()
        if seen.deployment is None or "deletionTimestamp" in seen.deployment["metadata"]:
            return None
        template = seen.deployment["spec"]["template"]
        ready = seen.ready
        told = [noted(pod) for pod in ready] or [noted(template)]
        models = [[name for name in one.get(MODELS, "").split(",") if name] for one in told]
        return ServiceState(
            pid=number(seen.deployment),
            generation=min(int(one.get(GENERATION, 0)) for one in told),
            workers=tuple(sorted(number(pod) for pod in ready)),
            models=tuple(name for name in models[0] if ready and all(name in one for one in models)),
        )

    def plan(self, environment: str) -> ServicePlan | None:  # noqa: ARG002
        secret = self._secret(self._seen().plan)
        return msgspec.json.decode(_kept(secret, "asked.json"), type=ServicePlan) if secret else None

    def stop(self, environment: str) -> None:  # noqa: ARG002
        self._cluster.run(
            "delete",
            "deployments,horizontalpodautoscalers,poddisruptionbudgets",
            *labelled(self._service),
            "--cascade=foreground",
            "--wait",
            f"--timeout={self._place.wait:.0f}s",
            timeout=self._place.wait + 30,
        )
        until = time.monotonic() + self._place.wait
        while self._seen().pods and time.monotonic() < until:
            time.sleep(_POLL)

    def logs(self, environment: str, *, lines: int = 100) -> str:  # noqa: ARG002
        if self._seen().deployment is None:
            return ""
        words = ("logs", *labelled(self._service), f"--tail={lines}", "--prefix", "--ignore-errors")
        said = self._cluster.run(*words, "--max-log-requests=50").splitlines()
        return "\n".join(said[-lines:])

    def drift(self, environment: str) -> tuple[str, ...]:  # noqa: ARG002
        """What stands otherwise in the cluster than it was applied."""
        secret = self._secret(self._seen().plan)
        if secret is None:
            return ()
        manifest = _kept(secret, "manifest.yaml").decode()
        try:
            wanted = _items(self._cluster.apply(manifest, "--dry-run=server", "-o", "json"))
        except ServiceDown as error:
            if "is invalid" in str(error):
                return (str(error).rstrip("."),)
            raise
        words = ("get", "-f", "-", "--ignore-not-found", "-o", "json")
        held = _items(self._cluster.run(*words, content=manifest))
        return drifted(held, wanted)

    @contextlib.contextmanager
    def candidate(
        self,
        plan: ServicePlan,
        *,
        timeout: float = 20.0,
        workers: int = 1,  # noqa: ARG002  pods are what scales
    ) -> Iterator[PodCandidate]:
        trial = msgspec.structs.replace(plan, rate_limit=None, jwt=None, log=None, telling=Telling())
        content, image = self._image(plan, self._known)
        name = f"{self._place.name}-candidate-{secrets.token_hex(4)}"
        self._sweep_candidates()
        secret, manifest = self._written(trial, content, image, candidate=name)
        try:
            self._cluster.apply(json.dumps(secret))
            self._cluster.apply(manifest)
            try:
                self._await_pod(name, max(timeout, self._place.wait))
            except ServiceDown as error:
                self._forgot(error, content)
                raise
            with self._cluster.tunnel(name, PORT) as port:
                yield PodCandidate(f"http://127.0.0.1:{port}", None, self._cluster, name)
        finally:
            self._cluster.tried("delete", "pod,secret", name, "--ignore-not-found", "--wait=false")

    def _written(
        self, plan: ServicePlan, content: str, image: str, *, candidate: str = ""
    ) -> tuple[dict[str, Any], str]:
        """The plan's secret, and the objects that carry it as one text."""
        held = inside(plan)
        models = ",".join(model.model_id for model in plan.models)
        notes = {GENERATION: str(plan.generation), MODELS: models}
        keys = ["plan.json", "modelyard-tokens", *(["jwks.json"] if plan.jwt else [])]

        def files(name: str) -> Mapping[str, bytes]:
            return self._manifests(
                image=image, plan=name, keys=keys, notes={PLAN: name, **notes}, candidate=candidate
            )

        name = candidate
        if not name:  # by all that is in it: a secret never changes
            told = hashlib.sha256(msgspec.json.encode([held, image, content, plan]))
            told.update(b"".join(path.encode() + text for path, text in sorted(files("plan").items())))
            name = f"{self._place.name}-plan-{told.hexdigest()[:10]}"
        with scratch("manifests-") as folder:
            for path, text in files(name).items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(text)
            manifest = self._cluster.run("kustomize", str(folder / ("candidate" if candidate else "release")))
        data = {
            "plan.json": msgspec.json.encode(held),
            "asked.json": msgspec.json.encode(plan),
            "modelyard-tokens": "".join(f"sha256:{digest}\n" for digest in plan.token_sha256).encode(),
            "manifest.yaml": manifest.encode(),
        }
        if plan.jwt:
            data["jwks.json"] = Path(plan.jwt.keys).read_bytes()
        kind = "candidate" if candidate else "plan"
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "immutable": True,
            "metadata": {
                "name": name,
                "labels": {**self._name, "modelyard.dev/kind": kind},
                "annotations": {GENERATION: str(plan.generation), CONTENT: content, IMAGE: image},
            },
            "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        }, manifest

    def _put(self, manifest: str) -> None:
        """Apply all of it; what it has no longer goes."""
        there = {one["kind"] for one in _items(self._cluster.apply(manifest, "-o", "json"))}
        gone = [kind for kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget") if kind not in there]
        for kind in gone:
            self._cluster.run("delete", kind, *labelled(self._service), "--ignore-not-found")

    def _await(self, plan: str, wait: float) -> None:
        """Until all pods answer for the plan; a connection that is lost meanwhile may come back."""
        until, lost, seen = time.monotonic() + wait, None, Seen(None, ())
        while time.monotonic() < until:
            try:
                seen, lost = self._seen(), None
            except ServiceDown as error:
                lost = error
            if not lost and seen.converged(plan):
                return
            if not lost and (why := seen.hopeless(plan)):
                break
            time.sleep(_POLL)
        else:
            why = f"its pods were not ready within {wait:g} s"
        if lost:
            raise lost
        told = reasons(self._cluster, seen.of(plan))
        raise ServiceDown(f"The cluster refused the release: {why}{told and '; ' + told}.")

    def _await_pod(self, name: str, wait: float) -> None:
        until, pod, late = time.monotonic() + wait, None, ""
        while not (pod and doom(pod)):
            found = self._cluster.objects("pod", name)
            pod = found[0] if found else None
            if pod and is_ready(pod):
                return
            if time.monotonic() > until:
                late = f" within {wait:g} s"
                break
            time.sleep(_POLL)
        told = reasons(self._cluster, [pod] if pod else [])
        raise ServiceDown(f"The candidate {name} was not ready{late}{told and '; ' + told}.")

    def _smoke(self, plan: ServicePlan) -> None:
        """What clients ask answers for the plan's models."""
        wanted = {model.model for model in plan.models}
        if self._place.address:
            answering(self._place.address, wanted)
            return
        with self._cluster.tunnel(self._seen().ready[0]["metadata"]["name"], PORT) as port:
            answering(f"http://127.0.0.1:{port}", wanted)

    def _undone(self, error: ServiceDown, failed: str, wait: float) -> ServiceDown:
        """Apply what was proven last, or leave nothing; the error, with what became of that."""
        said = str(error).rstrip(".")
        try:
            proven = [one for one in self._plans() if one["metadata"]["name"] != failed and _proven(one)]
            if proven:
                self._put(_kept(proven[-1], "manifest.yaml").decode())
            else:
                self.stop("")
        except ServiceDown as again:
            return ServiceDown(f"{said}; and taking it back failed, so run it again: {again}")
        if proven:
            with contextlib.suppress(ServiceDown):
                self._await(proven[-1]["metadata"]["name"], wait)
        return error

    def _seen(self) -> Seen:
        found = self._cluster.objects("deployments,pods", *labelled(self._service))
        deployments = [one for one in found if one["kind"] == "Deployment"]
        return Seen(deployments[0] if deployments else None, [one for one in found if one["kind"] == "Pod"])

    def _secret(self, name: str | None) -> dict[str, Any] | None:
        found = self._cluster.objects("secret", name) if name else []
        return found[0] if found else None

    def _plans(self) -> list[dict[str, Any]]:
        """The secrets of plans, the newest last."""
        found = self._cluster.objects("secrets", *labelled({**self._name, "modelyard.dev/kind": "plan"}))
        return sorted(found, key=lambda one: int(noted(one).get(GENERATION, 0)))

    def _known(self, content: str) -> str | None:
        """The image of that content, where a plan with it was ready once."""
        proven = (noted(one) for one in self._plans() if _proven(one))
        found = (told[IMAGE] for told in proven if told.get(CONTENT) == content and LOST not in told)
        return next(found, None)

    def _forgot(self, error: ServiceDown, content: str) -> None:
        """An image that the registry has no longer is made anew by the next run."""
        if "ImagePull" in str(error):
            for one in self._plans():
                if noted(one).get(CONTENT) == content:
                    self._cluster.tried(
                        "annotate", "secret", one["metadata"]["name"], f"{LOST}=true", "--overwrite"
                    )

    def _sweep(self) -> None:
        for old in self._plans()[:-_KEPT]:
            self._cluster.tried("delete", "secret", old["metadata"]["name"], "--ignore-not-found")

    def _sweep_candidates(self) -> None:
        """Those that a killed deployment left and that the cluster has ended."""
        for pod in self._cluster.objects(
            "pods", *labelled({**self._name, "app.kubernetes.io/component": "candidate"})
        ):
            if doom(pod):
                self._cluster.tried("delete", "pod,secret", pod["metadata"]["name"], "--ignore-not-found")


def inside(plan: ServicePlan) -> ServicePlan:
    """The plan as pods have it: packages by their place in the image, and no tokens."""
    models = tuple(
        msgspec.structs.replace(
            model,
            folder=f"packages/{Path(model.folder).name}",
            own=model.own and msgspec.structs.replace(model.own, python=None, path=None),
        )
        for model in plan.models
    )
    jwt = plan.jwt and msgspec.structs.replace(plan.jwt, keys=f"{_MOUNTED}/jwks.json")
    return msgspec.structs.replace(plan, models=models, jwt=jwt, log=None, token_sha256=())


def _items(told: str) -> list[dict[str, Any]]:
    found = json.loads(told or "{}")
    items: list[dict[str, Any]] = found["items"] if found.get("kind") == "List" else [found] if found else []
    return items


def _kept(secret: Mapping[str, Any], key: str) -> bytes:
    return base64.b64decode(secret["data"][key])


def _proven(secret: Mapping[str, Any]) -> bool:
    return PROVEN in (secret["metadata"].get("labels") or {})
