"""Services by a config repository: a release is a commit, which Argo CD, Flux or another program applies to a cluster.

The folder of an environment holds what ``render kubernetes`` writes, the plan and the image. No cluster is asked: what
answers is known where the service has an address that this machine reaches.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from modelyard.deployment.config_repository import TRAILER, ConfigRepository, replaced
from modelyard.deployment.kubernetes import Images, Manifests, inside
from modelyard.deployment.local import Candidate, LocalTarget
from modelyard.deployment.pods import GENERATION, MODELS, PLAN
from modelyard.errors import ServiceDown
from modelyard.records.service import ServicePlan, ServiceState

STATE = "modelyard.json"
_KEPT = 5
_POLL = 1.0


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What the folder says of itself."""

    plan: ServicePlan
    images: dict[str, str] = {}
    """By the content that they hold, the last ones."""


@dataclass(frozen=True, kw_only=True)
class Followed:
    """A repository, and the service that comes of it."""

    repository: ConfigRepository
    name: str
    namespace: str
    wait: float
    """Seconds in which the service has to answer, where it has an address."""
    address: str | None = None
    token: str | None = None


class GitopsTarget:
    """A ``Target`` of commits, for one environment. Candidates run on this machine, by ``here``."""

    def __init__(self, place: Followed, *, image: Images, manifests: Manifests, here: LocalTarget) -> None:
        self._place, self._repository, self._here = place, place.repository, here
        self._image, self._manifests = image, manifests

    def apply(self, plan: ServicePlan, *, timeout: float) -> ServiceState:
        before = self._written()
        content, image = self._image(plan, (before.images if before else {}).get)
        commit = self._repository.change(lambda folder: self._put(folder, plan, content, image))
        try:
            self._await(plan, max(timeout, self._place.wait), commit)
        except ServiceDown:
            self._taken_back(before, plan)
            raise
        return _state(plan, commit)

    def state(self, environment: str) -> ServiceState | None:  # noqa: ARG002  a target is of one
        written, last = self._written(), self._repository.last()
        if written is None or last is None:
            return None
        found = _state(written.plan, last[0])
        if self._place.address is None:
            return found
        answering = self._answering()
        return msgspec.structs.replace(found, models=answering, workers=found.workers if answering else ())

    def plan(self, environment: str) -> ServicePlan | None:  # noqa: ARG002
        written = self._written()
        return written.plan if written else None

    def stop(self, environment: str) -> None:
        if self._written() is not None:
            self._repository.change(
                lambda folder: _emptied(folder, f"{self._place.name} stops in {environment}")
            )
            until = time.monotonic() + self._place.wait
            while self._place.address and self._answering() and time.monotonic() < until:
                time.sleep(_POLL)

    def logs(self, environment: str, *, lines: int = 100) -> str:  # noqa: ARG002
        """Where they are: no cluster is asked."""
        if self._written() is None:
            return ""
        selector = f"app.kubernetes.io/name={self._place.name}"
        return f"The cluster has them: kubectl -n {self._place.namespace} logs -l {selector} --tail={lines}"

    def drift(self, environment: str) -> tuple[str, ...]:  # noqa: ARG002
        written, last = self._written(), self._repository.last()
        if written is None or last is None:
            return ()
        name, author, ours = last
        found = [] if ours else [f"the folder {self._repository.folder} was changed by {author} in {name}"]
        wanted = {model.model_id for model in written.plan.models}
        if self._place.address and (answering := set(self._answering())) != wanted:
            told = ", ".join(sorted(answering)) or "nothing"
            found.append(
                f"{self._place.address} answers for {told}, the repository has {', '.join(sorted(wanted))}"
            )
        return tuple(found)

    @contextlib.contextmanager
    def candidate(self, plan: ServicePlan, *, timeout: float = 20.0, workers: int = 1) -> Iterator[Candidate]:
        with self._here.candidate(plan, timeout=timeout, workers=workers) as found:
            yield found

    def _written(self) -> Written | None:
        found = self._repository.read(STATE)
        try:
            return msgspec.json.decode(found, type=Written) if found else None
        except msgspec.DecodeError as error:
            raise ServiceDown(
                f"{self._repository.folder}/{STATE} of the config repository is damaged ({error}); revert the commit that "
                "changed it."
            ) from None

    def _put(self, folder: Path, plan: ServicePlan, content: str, image: str) -> str:
        """Write the folder; the commit's message. What is there by now may be another's."""
        there = _read(folder / STATE)
        told = msgspec.structs.replace(inside(plan), token_sha256=())
        named = hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:10]
        models = ",".join(model.model_id for model in plan.models)
        notes = {PLAN: f"{self._place.name}-plan-{named}", GENERATION: str(plan.generation), MODELS: models}
        files = self._manifests(image=image, plan=notes[PLAN], keys=["plan.json"], notes=notes, candidate="")
        images = {**(there.images if there else {}), content: image}
        kept = Written(
            plan=msgspec.structs.replace(plan, token_sha256=()), images=dict([*images.items()][-_KEPT:])
        )
        if there and there.plan == kept.plan and there.images == kept.images:
            return "nothing"
        config = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "immutable": True,
            "metadata": {"name": notes[PLAN]},
            "data": {"plan.json": msgspec.json.encode(told).decode()},
        }
        replaced(
            folder,
            {
                **files,
                "release/plan.json": json.dumps(config, indent=2).encode() + b"\n",
                STATE: msgspec.json.format(msgspec.json.encode(kept)) + b"\n",
            },
        )
        answers = ", ".join(
            f"{m.model}@{m.version}{'' if m.arm == 'champion' else ' ' + m.arm}" for m in plan.models
        )
        first = f"{self._place.name} in {plan.environment}: {answers}"
        reverts = there and there.plan.models != plan.models and self._reverts(folder, plan)
        if reverts:
            first = f"Revert to {first}\n\nThis reverts commit {reverts}."
        return f"{first}\n\n{TRAILER}: {plan.generation}"

    def _reverts(self, folder: Path, plan: ServicePlan) -> str | None:
        """The commit that is taken back when the plan is that of before."""
        before = self._repository.before(folder, STATE)
        if before is None:
            return None
        commit, content = before
        return commit if msgspec.json.decode(content, type=Written).plan.models == plan.models else None

    def _await(self, plan: ServicePlan, wait: float, commit: str) -> None:
        wanted = {model.model_id for model in plan.models}
        until = time.monotonic() + wait
        while self._place.address and set(self._answering()) != wanted:
            if time.monotonic() > until:
                raise ServiceDown(
                    f"{commit[:10]} was pushed, but {self._place.address} did not answer for {', '.join(sorted(wanted))} "
                    f"within {wait:g} s; it answers for {', '.join(self._answering()) or 'nothing'}."
                )
            time.sleep(_POLL)

    def _taken_back(self, before: Written | None, failed: ServicePlan) -> None:
        """A commit that reverts, unless somebody else's release is there by now."""

        def made(folder: Path) -> str:
            there = _read(folder / STATE)
            if there is None or there.plan.generation != failed.generation:
                return "nothing"
            reverts = f"Revert release {failed.generation} in {failed.environment}"
            if before is None:
                return _emptied(folder, reverts)
            content, image = self._image(before.plan, before.images.get)
            self._put(folder, before.plan, content, image)
            return f"{reverts}\n\n{TRAILER}: {before.plan.generation}"

        self._repository.change(made)

    def _answering(self) -> tuple[str, ...]:
        """The ``model_id`` of what answers at the address; nothing where nothing does."""
        parts = urllib.parse.urlsplit(self._place.address or "")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        door = kind(parts.hostname or "", parts.port, timeout=5)
        headers = {"Authorization": f"Bearer {self._place.token}"} if self._place.token else {}
        try:
            door.request("GET", f"{parts.path.rstrip('/')}/models", headers=headers)
            reply = door.getresponse()
            body = reply.read()
            if reply.status in (401, 403):
                raise ServiceDown(
                    f"{self._place.address}/models refuses the token of 'token_file' ({reply.status})."
                )
            told: list[Mapping[str, Any]] = json.loads(body)["models"] if reply.status == 200 else []
            return tuple(sorted(one["model_id"] for one in told))
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return ()
        finally:
            door.close()


def _state(plan: ServicePlan, commit: str) -> ServiceState:
    number = int(commit[:7], 16)
    models = tuple(model.model_id for model in plan.models)
    return ServiceState(pid=number, generation=plan.generation, workers=(number,), models=models)


def _read(path: Path) -> Written | None:
    return msgspec.json.decode(path.read_bytes(), type=Written) if path.is_file() else None


def _emptied(folder: Path, message: str) -> str:
    """Without the service: a mark alone, so that whoever applies the folder removes what was there."""
    mark = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "stopped"},
        "data": {"why": message},
    }
    kustomization = (
        b"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [stopped.json]\n"
    )
    files = {
        "release/kustomization.yaml": kustomization,
        "release/stopped.json": json.dumps(mark).encode() + b"\n",
    }
    replaced(folder, files)
    return f"{message}\n\n{TRAILER}: 0"
