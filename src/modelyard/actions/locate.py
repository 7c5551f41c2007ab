"""From a reference to the package that it names, on this machine and verified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from modelyard.errors import Misuse, UnknownName
from modelyard.ports import Facts
from modelyard.project import Project
from modelyard.records.package import Form, Package
from modelyard.records.registry import Version

if TYPE_CHECKING:
    from modelyard.predictor import Predictor


def located(project: Project, ref: str) -> Package:
    """The package of ``NAME@7``, ``NAME@prod``, ``NAME@latest``, ``NAME@run``, ``NAME@DIGEST``, ``NAME``.

    A bare name is the latest version, or the newest run while nothing is registered.
    """
    from modelyard.registry import parse, resolve

    name, selector = parse(ref)
    project.model(name)
    with project.yard.read() as facts:
        if selector == "run" or (selector is None and facts.versions.latest(name) is None):
            return _newest(facts, name)
        if selector is not None and len(selector) == 64:
            return _package(facts, ref, selector)
        version = resolve(facts, ref, tuple(project.settings.environments))
        return _package(facts, ref, version.package)


def version_of(project: Project, ref: str) -> Version:
    """The registered version that ``ref`` names."""
    from modelyard.registry import parse, resolve

    project.model(parse(ref)[0])
    with project.yard.read() as facts:
        return resolve(facts, ref, tuple(project.settings.environments))


def chosen(project: Project, name: str, where: str, *, admitted: str) -> Version:
    """The newest version of the model that the environment ``admitted`` has admitted and the filter lets through.

    ``Misuse`` for a name with a version: it is one way or the other.
    """
    from modelyard.registry import choose

    if "@" in name:
        raise Misuse(f"{name} names a version already; write --where with the model's name alone.")
    project.model(name)
    environments = tuple(project.settings.environments)
    with project.yard.read() as facts:
        return choose(facts, name, where, environments=environments, admitted=admitted)


def opened(
    project: Project, digest: str, *, environment: str | None = None, form: Form | None = None
) -> Predictor:
    """A package, fetched to this machine if need be, verified and loaded.

    Code of it runs only when a key signed it that is trusted in the environment, or here without one.
    """
    from modelyard.actions.own import LONG, libraries
    from modelyard.predictor import Predictor, open_package
    from modelyard.predictor.verify import MANIFEST, decode

    folder = materialised(project, digest)
    trust = project.trust(environment)
    manifest = decode((folder / MANIFEST).read_bytes(), folder / MANIFEST)
    own = libraries(project, manifest, form=form)
    if own is None:
        return open_package(folder, digest=digest, trust=trust, form=form)
    from modelyard.predictor.own import OwnProcess

    process = OwnProcess(
        folder,
        name=manifest.model,
        digest=digest,
        trust=trust,
        own=msgspec.structs.replace(own, seconds=LONG),
        form=form,
    )
    return Predictor(process.manifest, process.predict)


def materialised(project: Project, digest: str) -> Path:
    """The folder of a package on this machine, fetched if need be and verified, with its signatures beside it."""
    from modelyard.packaging import fetch
    from modelyard.predictor import signature_path
    from modelyard.predictor.verify import fingerprint

    folder = fetch(digest, project.artifacts, project.package_folder(digest))
    with project.yard.read() as facts:
        package = facts.packages.get(digest)
    for signature in package.signatures if package else ():
        path = signature_path(folder, signature.key)
        if not path.is_file() or fingerprint(path)[1] != signature.digest:
            project.artifacts.fetch(signature.digest, path)
    return folder


def _newest(facts: Facts, model: str) -> Package:
    run = facts.runs.latest(model)
    package = facts.packages.get(run.candidate) if run and run.candidate else None
    if package is None:
        raise UnknownName(f"There is no trained '{model}' yet; run 'modelyard train {model}' first.")
    return package


def _package(facts: Facts, ref: str, digest: str) -> Package:
    package = facts.packages.get(digest)
    if package is None:
        raise UnknownName(f"The package of {ref} is not in the yard; run 'modelyard doctor'.")
    return package
