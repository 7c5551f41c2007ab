"""Images by docker, podman or buildah, whichever runs: built, and brought to a registry."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec

import modelyard
from modelyard.errors import ExtraMissing, ImageFailed, Misuse
from modelyard.infra.context import ROOMS, context, needed
from modelyard.infra.place import Place
from modelyard.records.package import Manifest
from modelyard.records.service import ServedModel, ServicePlan
from modelyard.storage.scratch import scratch

BUILDERS = ("docker", "podman", "buildah")


@dataclass(frozen=True, kw_only=True)
class Builder:
    """One that runs here."""

    program: str

    def build(self, context: Path, tag: str, identity: Path) -> str:
        """The image's id; ``ImageFailed`` with the builder's last words."""
        command = ["build", "--iidfile", str(identity), "--tag", tag, str(context)]
        if self.program != "docker":
            command[1:1] = ["--timestamp", "0", "--format", "docker"]
        self._run(command, f"cannot build {tag}")
        return identity.read_text().strip()

    def push(self, tag: str, told: Path) -> str:
        """Bring it to its registry; the reference by digest. ``told`` is a file that does not exist yet."""
        if self.program == "docker":
            self._run(["push", tag], f"cannot push {tag}")
            shown = self._run(
                ["inspect", "--format", "{{index .RepoDigests 0}}", tag], f"cannot tell the digest of {tag}"
            )
            return shown.strip().splitlines()[-1]
        self._run(["push", "--digestfile", str(told), tag], f"cannot push {tag}")
        return f"{tag.rpartition(':')[0]}@{told.read_text().strip()}"

    def _run(self, words: Sequence[str], what: str) -> str:
        done = subprocess.run(
            [self.program, *words],
            env={**os.environ, "SOURCE_DATE_EPOCH": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            said = [line for line in done.stdout.splitlines() if line.strip()]
            raise ImageFailed(f"{self.program} {what}: {' / '.join(said[-3:])[-600:] or 'it said nothing'}.")
        return done.stdout


def builder(wanted: str = "") -> Builder:
    """That of the name, else the first that runs. Raises ``Misuse``, ``ExtraMissing``."""
    if wanted and wanted not in BUILDERS:
        raise Misuse(f"There is no builder '{wanted}'; known: {', '.join(BUILDERS)}.")
    for program in (wanted,) if wanted else BUILDERS:
        if shutil.which(program) and _works(program):
            return Builder(program=program)
    raise ExtraMissing(
        f"{f'{wanted} does not run' if wanted else 'None of docker, podman and buildah runs'} here; install one (Debian: "
        "apt-get install buildah), or take the folder of 'modelyard render docker' to where one is."
    )


def _works(program: str) -> bool:
    """Docker's command may be there without its engine."""
    words = [program, "version" if program == "buildah" else "info"]
    return subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0


class Images:
    """Of an environment's packages, each made once: whoever asks says which are known already."""

    def __init__(self, place: Place, environment: str, *, scratch: Path, tell: Callable[[str], None]) -> None:
        self._place, self._environment = place, environment
        self._scratch, self._tell = scratch, tell
        self._made: dict[str, str] = {}

    def __call__(self, plan: ServicePlan, known: Callable[[str], str | None]) -> tuple[str, str]:
        """The name of the content that the plan needs, and an image with it in the registry, by its digest."""
        content = self._content(plan)
        if content not in self._made:
            self._made[content] = known(content) or self._new(plan, content)
        return content, self._made[content]

    def _new(self, plan: ServicePlan, content: str) -> str:
        with_ = builder()
        tag = f"{self._place.image}:{self._environment}-{content}"
        models = [(model, _manifest(model)) for model in plan.models]
        labels = {
            "org.opencontainers.image.title": f"{self._place.project} in {self._environment}",
            "org.opencontainers.image.version": ", ".join(
                f"{one.model}@{one.version}" for one in plan.models
            ),
            "dev.modelyard.packages": ", ".join(one.package for one in plan.models),
            "dev.modelyard.environment": self._environment,
        }
        with scratch("image-", self._scratch) as folder:
            self._tell(f"building {tag} by {with_.program}")
            where = folder / "context"
            where.mkdir()
            context(
                where, self._place, environment=self._environment, models=models, labels=labels, wheels=True
            )
            with_.build(where, tag, folder / "id")
            self._tell(f"pushing {tag}")
            return with_.push(tag, folder / "digest")

    def _content(self, plan: ServicePlan) -> str:
        """A name for all that goes into the image."""
        found = hashlib.sha256(f"{self._place.base} {version('modelyard')} {needed(plan.models)}".encode())
        for model in sorted(plan.models, key=lambda one: one.package):
            folder = Path(model.folder)
            signed = sorted(path.name for path in folder.parent.glob(f"{folder.name}.*.sig"))
            found.update(f"{model.package} {' '.join(signed)}\n".encode())
        library = Path(modelyard.__file__).parent
        for room in ROOMS:
            for file in sorted((library / room).rglob("*.py")) or [library / room]:
                found.update(file.read_bytes())
        return found.hexdigest()[:12]


def _manifest(model: ServedModel) -> Manifest:
    return msgspec.json.decode((Path(model.folder) / "manifest.json").read_bytes(), type=Manifest)
