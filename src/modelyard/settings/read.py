"""Read ``modelyard.toml``, put ``MODELYARD_...`` over it, refuse what is unknown or ill-typed."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path

import msgspec

from modelyard.errors import SettingsError
from modelyard.settings.tree import EnvironmentSettings, Settings

FILE = "modelyard.toml"
PREFIX = "MODELYARD_"
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>[^`]*)`(?: - at `\$(?P<path>.*)`)?$")
_WRONG = re.compile(r"(?P<what>.*?)(?: - at `(?P<kind>key in )?`?\$(?P<path>.*?)`)?$")


def find(start: Path) -> Path:
    """The project's folder: the nearest one at or above ``start`` with a ``modelyard.toml``."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder
    raise SettingsError(
        f"No {FILE} in {start} or above it; run 'modelyard init NAME' to begin a project, or change into one."
    )


def read(folder: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of the project in ``folder``.

    A variable ``MODELYARD_A__B=value`` sets ``a.b``: two underscores part the keys, the value is
    read as TOML when it is TOML and as a string otherwise; an empty one sets nothing. Raises ``SettingsError`` naming file,
    key and what was expected.
    """
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(f"No {FILE} in {folder}; run 'modelyard init NAME' first.") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from None
    return parse(text, path, environ)


def parse(text: str, path: Path, environ: Mapping[str, str]) -> Settings:
    """As ``read``, of what a file holds; ``path`` is what messages call it."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from None
    origin = _overlay(tree, environ)
    try:
        settings = msgspec.convert(tree, Settings, strict=True)
    except msgspec.ValidationError as error:
        raise SettingsError(_explain(str(error), tree, path, origin)) from None
    _cross_check(settings, path)
    return settings


def _overlay(tree: dict[str, typing.Any], environ: Mapping[str, str]) -> dict[str, str]:
    origin: dict[str, str] = {}
    for name, value in sorted(environ.items()):
        if not name.startswith(PREFIX) or "__" not in name or value in ("", f"$({name})"):
            continue  # a pipeline hands on a secret that nobody set as one of these
        keys = _existing(tree, name.removeprefix(PREFIX).lower().split("__"))
        place = tree
        for key in keys[:-1]:
            place = place.setdefault(key, {})
            if not isinstance(place, dict):
                raise SettingsError(f"{name} goes below '{key}', which is a value in {FILE}.")
        place[keys[-1]] = _value(value)
        origin[".".join(keys)] = name
    return origin


def _existing(tree: typing.Any, keys: list[str]) -> list[str]:
    """Environment variables cannot hold a dash: match ``my_model`` with an existing ``my-model``."""
    found = []
    for key in keys:
        options = tree if isinstance(tree, dict) else {}
        match = next((o for o in options if o == key or o.replace("-", "_") == key), key)
        found.append(match)
        tree = options.get(match)
    return found


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def _explain(error: str, tree: object, path: Path, origin: Mapping[str, str]) -> str:
    if match := _UNKNOWN.search(error):
        parent = _dotted(match["path"] or "", tree)
        field = match["field"]
        key = f"{parent}.{field}" if parent else field
        known = _fields_at(parent)
        near = difflib.get_close_matches(field, known, n=1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        below = next((k for k in origin if f"{k}.".startswith(f"{key}.")), key)
        return (
            f"{_where(path, below, origin)}: unknown setting '{key}'{hint}; known here: {', '.join(known)}."
        )
    match = _WRONG.search(error)
    what, place = (match["what"], match["path"]) if match else (error, "")
    key = _dotted(place or "", tree)
    known = _values_at(key) if what.startswith("Invalid enum value") else []
    hint = f"; known here: {', '.join(known)}" if known else ""
    return f"{_where(path, key, origin)}: '{key or 'the file'}': {what[:1].lower()}{what[1:]}{hint}."


def _where(path: Path, key: str, origin: Mapping[str, str]) -> str:
    return f"environment variable {origin[key]}" if key in origin else str(path)


def _dotted(path: str, tree: object) -> str:
    """msgspec writes ``.data[...].split``: the dots of names stand for themselves, ``[...]`` for a
    dict's key that it does not name; the first key whose value fails alone is looked for."""
    keys: list[str] = []
    for part in re.findall(r"\.([^.\[]+)|(\[\.\.\.\])|\[(\d+)\]", path):
        name, anything, index = part
        if name:
            keys.append(name)
        elif index:
            keys.append(index)
        elif anything:
            keys.append(_culprit(keys, tree))
    return ".".join(keys)


def _culprit(keys: list[str], tree: object) -> str:
    place: typing.Any = tree
    for key in keys:
        place = place.get(key, {}) if isinstance(place, dict) else {}
    inner = typing.get_args(_type_at(keys))
    for name, value in place.items() if isinstance(place, dict) else ():
        try:
            msgspec.convert({name: value}, dict[inner[0], inner[1]])  # type: ignore[valid-type]
        except msgspec.ValidationError:
            return str(name)
    return "..."


def _type_at(keys: list[str]) -> typing.Any:
    kind: typing.Any = Settings
    for key in keys:
        hints = typing.get_type_hints(kind, include_extras=True) if isinstance(kind, type) else {}
        kind = hints[key] if key in hints else typing.get_args(kind)[-1]
        structs = [one for one in typing.get_args(kind) if hasattr(one, "__struct_fields__")]
        if isinstance(kind, types.UnionType) and structs:
            kind = structs[0]  # of several forms the table's, the only one with keys
    return kind


def _fields_at(parent: str) -> list[str]:
    kind = _type_at(parent.split(".") if parent else [])
    return [f.name for f in msgspec.structs.fields(kind)]


def _values_at(key: str) -> list[str]:
    """The words that may stand there."""
    found: list[str] = []
    kinds: list[typing.Any] = [_type_at([part for part in key.split(".") if not part.isdigit()])]
    for kind in kinds:
        if typing.get_origin(kind) is typing.Literal:
            found += map(str, typing.get_args(kind))
        else:
            kinds += typing.get_args(kind)
    return found


def _cross_check(settings: Settings, path: Path) -> None:
    shared = settings.data.keys() & settings.models.keys()
    if shared:
        name = sorted(shared)[0]
        raise SettingsError(f"{path}: '{name}' names a dataset and a model; rename one of them.")
    for name, model in settings.models.items():
        if model.data not in settings.data:
            raise SettingsError(
                f"{path}: 'models.{name}.data': there is no [data.{model.data}]; "
                f"known: {', '.join(settings.data) or 'none'}."
            )
        if settings.data[model.data].target is None:
            raise SettingsError(f"{path}: 'data.{model.data}.target' is needed by model '{name}'.")
        champion = model.evaluation.champion
        if champion and champion not in settings.environments:
            raise SettingsError(
                f"{path}: 'models.{name}.evaluation.champion': there is no [environments.{champion}]."
            )
        for metric, gate in model.gates.items():
            if gate.no_worse_than and gate.no_worse_than not in settings.environments:
                raise SettingsError(
                    f"{path}: 'models.{name}.gates.{metric}.no_worse_than': there is no "
                    f"[environments.{gate.no_worse_than}]."
                )
            if gate.min is None and gate.max is None and gate.no_worse_than is None:
                raise SettingsError(
                    f"{path}: 'models.{name}.gates.{metric}' asks for nothing: give 'min', 'max' or "
                    "'no_worse_than'."
                )
    _check_uses(settings, path)
    apart = [name for name, model in settings.models.items() if model.isolation == "venv"]
    if apart and settings.engine.kind == "ray":
        raise SettingsError(
            f"{path}: 'models.{apart[0]}.isolation': a Ray cluster's nodes have their own libraries; take isolation = "
            '"venv" out, or train it on this machine.'
        )
    for name in settings.monitor:
        if name not in settings.models:
            raise SettingsError(f"{path}: 'monitor.{name}': there is no [models.{name}].")
    _check_triggers(settings, path)
    for name in ("latest", "run"):
        if name in settings.environments:
            raise SettingsError(
                f"{path}: an environment cannot be called '{name}': NAME@{name} means something else already."
            )
    asked = {subject for environment in settings.environments.values() for subject in environment.reviews}
    for name, person in settings.people.items():
        if strange := sorted(set(person.reviews) - asked):
            raise SettingsError(
                f"{path}: 'people.{name}.reviews': no environment asks for the review '{strange[0]}'; asked for: "
                f"{', '.join(sorted(asked)) or 'none'}."
            )
    ports: dict[tuple[str, str, int], str] = {}
    for name, environment in settings.environments.items():
        server = environment.ssh.host if environment.ssh else ""
        taken = (
            name if environment.pods else ports.setdefault((server, environment.host, environment.port), name)
        )
        if (other := taken) != name:
            raise SettingsError(
                f"{path}: environments '{other}' and '{name}' both ask for port {environment.port}."
            )
        for kind in ("ssh", "kubernetes", "gitops"):
            given = getattr(environment, kind)
            if (environment.target == kind) != (given is not None):
                raise SettingsError(
                    f"{path}: 'environments.{name}': target = \"{kind}\" and [environments.{name}.{kind}] go together."
                )
        if environment.pods:
            _check_pods(environment, f"{path}: 'environments.{name}")
        mutual = environment.tls is not None and environment.tls.clients
        guarded = environment.token_file or environment.jwt or mutual
        if environment.host not in ("127.0.0.1", "localhost", "::1") and not guarded:
            raise SettingsError(
                f"{path}: 'environments.{name}.host' is {environment.host}, beyond loopback; "
                f"give 'environments.{name}.token_file' as well, or 'jwt', or 'tls.clients'."
            )


def _check_pods(environment: EnvironmentSettings, where: str) -> None:
    """What a service in a cluster cannot have."""
    jwt = environment.jwt
    if environment.gitops and jwt:
        raise SettingsError(
            f'{where}.jwt\' does not go with target = "gitops"; who may ask is a secret of the cluster.'
        )
    if not environment.gitops and not environment.token_file and not jwt:
        raise SettingsError(
            f"{where}': a service in a cluster listens for others; give 'token_file', or [jwt] with a file of keys."
        )
    if jwt and "://" in jwt.keys:
        raise SettingsError(
            f"{where}.jwt.keys': pods ask nobody; give a file with the issuer's keys (JWKS) instead."
        )
    for key, instead in (
        ("tls", "TLS ends at the cluster's gateway"),
        ("quota", "it is counted on one machine, let the gateway count"),
        ("grpc_port", "images have no gRPC yet"),
        ("tracing", "images have no OpenTelemetry yet"),
    ):
        if getattr(environment, key):
            raise SettingsError(f'{where}.{key}\' does not go with target = "kubernetes": {instead}.')


def _check_triggers(settings: Settings, path: Path) -> None:
    for name, trigger in settings.triggers.items():
        if name not in settings.models:
            raise SettingsError(f"{path}: 'triggers.{name}': there is no [models.{name}].")
        for key in ("environment", "deploy_to"):
            asked = getattr(trigger, key)
            if asked is not None and asked not in settings.environments:
                raise SettingsError(f"{path}: 'triggers.{name}.{key}': there is no [environments.{asked}].")
        if not settings.environments:
            raise SettingsError(
                f"{path}: 'triggers.{name}': there is no environment that a build could go to; "
                "give one, such as [environments.test]."
            )


def _check_uses(settings: Settings, path: Path) -> None:
    """No model twice, and no model that is needed for itself, by whatever way."""
    names = {n: [ref.partition("@")[0] for ref in m.uses] for n, m in settings.models.items()}
    for name, used in names.items():
        if twice := sorted({one for one in used if used.count(one) > 1}):
            raise SettingsError(
                f"{path}: 'models.{name}.uses' names '{twice[0]}' twice; name each model once."
            )
    for name in names:
        if round_ := _way_back(name, names):
            raise SettingsError(
                f"{path}: 'models.{name}.uses' leads back to itself ({' uses '.join(round_)}); a model is trained after "
                "those that it uses."
            )


def _way_back(start: str, names: Mapping[str, list[str]]) -> list[str]:
    """The models on a way from ``start`` to itself; none where there is no such way."""
    ways, seen = [[start]], set[str]()
    while ways:
        way = ways.pop()
        for name in names.get(way[-1], ()):
            if name == start:
                return [*way, start]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []
