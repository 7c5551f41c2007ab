"""What a step depends on, thing by thing, and what is different from the last time, in words."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterator, Sequence

import msgspec

import modelyard
from modelyard.errors import UnknownName
from modelyard.pipelines.graph import Node
from modelyard.ports import Facts
from modelyard.project import Project
from modelyard.records.dataset import DatasetVersion, SourceFile
from modelyard.records.step import Input
from modelyard.settings import GateSettings, ModelSettings

_JUDGED = ("gates", "metric", "evaluation", "fairness")
"""Settings of a model that only its evaluation reads."""
_NAMED = ("code", "data", "include", "params", "seed", "timeout", "memory_gb", "uses", *_JUDGED)
"""Settings that are inputs of training in another form, or none; all others count as they are, which for one
that is new is the safe side."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """An input that is not what it was; None where it was not there, or is not any more."""

    kind: str
    name: str
    before: str | None
    now: str | None
    sentence: str


def ready() -> None:
    """Load what ``inputs`` reads with, when there is time for it."""
    import packaging.requirements  # noqa: F401

    import modelyard.actions.staged
    import modelyard.actions.uses
    import modelyard.actions.workbench
    import modelyard.registry  # noqa: F401


def identity(step: str, inputs: Sequence[Input]) -> str:
    """The digest of all that the step depends on."""
    told = [step, *sorted((given.kind, given.name, given.value) for given in inputs)]
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()


def inputs(project: Project, facts: Facts, node: Node, given: str) -> tuple[Input, ...]:
    """What a step after ``ingest`` depends on; ``given`` is what the step before it gave.

    The candidate is what every step after ``train`` is about.
    """
    always = Input(kind="modelyard", name="version", value=modelyard.__version__)
    if node.verb == "train":
        return (always, *_of_training(project, facts, node.subject, given))
    candidate = Input(kind="candidate", name=node.subject, value=given, shown=given[:12])
    if node.verb == "evaluate":
        return (always, candidate, *_of_evaluation(project, facts, node.subject))
    return (always, candidate)


def of_sources(version: DatasetVersion) -> tuple[Input, ...]:
    """What a dataset version was made of."""
    declared = version.declared
    return (
        *(_source(file) for file in version.sources),
        *_roles(version.schema.targets, version.schema.key),
        Input(kind="schema file", name=version.dataset, value=declared, shown=declared[:12]),
    )


def of_ingest(project: Project, dataset: str) -> tuple[Input, ...]:
    """What the dataset would be made of now; a source that only reading can tell is not among it."""
    from modelyard.actions.ingest import schema_path
    from modelyard.data import origins, schema_file

    settings = project.data(dataset)
    declared = schema_file.read(schema_path(project, dataset)).digest
    key = (settings.key,) if isinstance(settings.key, str) else settings.key
    return (
        *(_source(file) for file in origins(settings, project.root) or ()),
        *_roles(settings.labels or tuple(filter(None, [settings.one])), tuple(name for name in key if name)),
        Input(kind="schema file", name=dataset, value=declared, shown=declared[:12]),
    )


def changes(before: Sequence[Input], now: Sequence[Input]) -> tuple[Change, ...]:
    """What is different, in the order of ``now``; then what is gone."""
    old = {(given.kind, given.name): given for given in before}
    new = {(given.kind, given.name): given for given in now}
    found = [
        _change(old.get(at), given)
        for at, given in new.items()
        if at not in old or old[at].value != given.value
    ]
    found += [_change(given, None) for at, given in old.items() if at not in new]
    return tuple(found)


def read(given: Input) -> str:
    """An input's value as a person reads it."""
    return given.shown or given.value


def _of_training(project: Project, facts: Facts, model: str, data: str) -> Iterator[Input]:
    from modelyard.actions.staged import shared
    from modelyard.actions.uses import meant
    from modelyard.actions.workbench import requirements
    from modelyard.training import contents

    settings = project.model(model)
    folder = project.root / settings.code
    needed = requirements(project, model).versions  # first: it may write the lock into the folder
    yield _data(_version(facts, data))
    found = shared(project, model)
    for name, digest in contents(folder, found).items():
        path = os.path.relpath(found.get(name, folder / name), project.root)
        yield Input(kind="code", name=path, value=digest, shown=digest[:12])
    for name, value in settings.params.items():
        yield Input(kind="parameter", name=name, value=_text(value), shown=str(value))
    yield Input(kind="seed", name="", value=str(settings.seed))
    for used in meant(project, facts, model):
        yield Input(kind="used model", name=used.model, value=used.package, shown=f"@{used.number}")
    others = [field.name for field in msgspec.structs.fields(settings) if field.name not in _NAMED]
    yield from _settings(settings, others)
    yield Input(kind="environment", name="python", value=platform.python_version())
    for name, version in needed.items():
        yield Input(kind="environment", name=name, value=version)


def _of_evaluation(project: Project, facts: Facts, model: str) -> Iterator[Input]:
    settings = project.model(model)
    latest = facts.datasets.latest(settings.data)
    if latest is None:
        raise UnknownName(
            f"There is no version of '{settings.data}' yet; run 'modelyard ingest {settings.data}'."
        )
    yield _data(latest)
    yield from _settings(settings, tuple(name for name in _JUDGED if name != "gates"))
    for metric, gate in settings.gates.items():
        yield Input(kind="gate", name=metric, value=_text(gate), shown=_gate(gate))
    rivals = {settings.evaluation.champion, *(gate.no_worse_than for gate in settings.gates.values())}
    for environment in sorted(name for name in rivals if name):
        release = facts.releases.live(environment, model)
        yield Input(
            kind="live version in",
            name=environment,
            value=release.package if release else "",
            shown=f"{model}@{release.version}" if release else "none",
        )


def _settings(settings: ModelSettings, names: Sequence[str]) -> Iterator[Input]:
    """Those that are set."""
    for field in msgspec.structs.fields(settings):
        value = getattr(settings, field.name)
        if field.name in names and value not in (field.default, {}):
            yield Input(kind="setting", name=field.name, value=_text(value))


def _data(version: DatasetVersion) -> Input:
    content = hashlib.sha256()
    for part in (version.digest, version.split, version.schema):
        content.update(_text(part).encode())
    return Input(
        kind="data",
        name=version.dataset,
        value=content.hexdigest(),
        shown=f"{version.dataset}@{version.number}",
    )


def _version(facts: Facts, ref: str) -> DatasetVersion:
    name, _, number = ref.partition("@")
    version = facts.datasets.get(name, int(number))
    if version is None:
        raise UnknownName(f"There is no dataset version {ref} in the yard; run 'modelyard doctor'.")
    return version


def _source(file: SourceFile) -> Input:
    return Input(
        kind="source", name=file.path, value=_text((file.size, file.sha256, file.mark)), shown=_size(file)
    )


def _size(file: SourceFile) -> str:
    return " ".join(filter(None, [f"{file.size} bytes", file.sha256[:12], file.mark]))


def _roles(targets: tuple[str, ...], key: tuple[str, ...]) -> tuple[Input, ...]:
    return (
        Input(kind="setting", name="target", value=", ".join(targets), shown=", ".join(targets) or "none"),
        Input(kind="setting", name="key", value=_text(key), shown=", ".join(key) or "none"),
    )


def _gate(gate: GateSettings) -> str:
    given = {field.name: getattr(gate, field.name) for field in msgspec.structs.fields(gate)}
    default = {field.name: field.default for field in msgspec.structs.fields(gate)}
    told = [f"{name} {value}".replace("_", " ") for name, value in given.items() if value != default[name]]
    return ", ".join(told)


def _text(value: object) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def _change(before: Input | None, now: Input | None) -> Change:
    given = now or before
    if given is None:
        raise AssertionError("nothing changed into nothing")
    old, new = (None if one is None else read(one) for one in (before, now))
    return Change(kind=given.kind, name=given.name, before=old, now=new, sentence=_sentence(given, old, new))


def _sentence(given: Input, before: str | None, now: str | None) -> str:
    what = f"{given.kind} {given.name}".strip()
    if given.kind == "data" and before and now:
        return f"data {before} → @{now.rpartition('@')[2]}"
    if given.kind in ("code", "source", "schema file", "candidate"):
        how = "new" if before is None else "gone" if now is None else "changed"
        return f"{what} {how}"
    if given.kind == "parameter" and (before is None or now is None):
        return f"{what} {before or 'as the model has it'} → {now or 'as the model has it'}"
    return f"{what} {before or 'none'} → {now or 'none'}"
