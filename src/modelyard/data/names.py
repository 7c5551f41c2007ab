"""What a table's columns are called and hold, before any row is worked on."""

from __future__ import annotations

import difflib

from modelyard.data.extraction import Kinds
from modelyard.data.headings import unlike
from modelyard.errors import DataRefused, SettingsError
from modelyard.records.schema import Schema
from modelyard.tables.infer import is_blank
from modelyard.tables.split import FOLD, SPLIT


def check_names(
    names: list[str], target: str | tuple[str, ...] | None, key: tuple[str, ...], where: str
) -> None:
    """``where`` the columns are named. Raises ``SettingsError`` for roles that no column has, ``DataRefused`` for
    names that no table holds."""
    for ours in (SPLIT, FOLD):
        if ours in names:
            raise DataRefused(f"{where}: column '{ours}' is a name of our own; rename it in the source.")
    lower: dict[str, str] = {}
    for name in names:
        if not name.strip():
            raise DataRefused(f"{where}: a column has an empty name; name it in the source.")
        if (other := lower.setdefault(name.lower(), name)) != name:
            raise DataRefused(
                f"{where}: columns '{other}' and '{name}' differ in case only, which a Delta table cannot hold; "
                "rename one."
            )
    targets = target if isinstance(target, tuple) else (target,) if target else ()
    for role, name in (*(("target", t) for t in targets), *(("key", k) for k in key)):
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean '{near[0]}'?" if near else "the columns are"
            raise SettingsError(f"There is no column '{name}' for the {role}; {hint} {_listed(names, near)}")
    if both := [name for name in targets if name in key]:
        raise SettingsError(f"Column '{both[0]}' is both target and key; take another key.")
    if not set(names) - {*targets, *key}:
        raise DataRefused(
            f"{where}: no column beside {_roles(', '.join(targets), key)}, so nothing to learn from; add features."
        )


def _roles(target: str, key: tuple[str, ...]) -> str:
    keys = f"the key '{', '.join(key)}'" if key else ""
    return " and ".join(part for part in (f"the target '{target}'" if target else "", keys) if part)


def _listed(names: list[str], near: list[str]) -> str:
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    listed = ", ".join(names[:20]) + more
    return f"(The columns are {listed}.)" if near else listed + "."


def check_columns(names: list[str], previous: Schema, where: str) -> None:
    """``where`` the columns are named. Raises ``DataRefused`` when they are not those of the version before."""
    known = [c.name for c in previous.columns]
    roles = dict.fromkeys(previous.key, "key") | dict.fromkeys(previous.targets, "target")
    if (told := unlike(names, known, "the version before", roles)) is None:
        return
    features = {c.name for c in previous.features}
    if not features & {*names} and features:
        told += ", so that no feature is left"
    if {*known} < {*names}:
        told += "; leave it out by 'drop' in 'transform'"
    raise DataRefused(
        f"{where}: {told}; mend the source, or begin a dataset of another name in modelyard.toml."
    )


def check_kinds(kinds: Kinds, previous: Schema, where: str) -> None:
    """As ``check_columns``, of the columns' kinds; ``where`` is the first file."""
    for name, now in kinds.items():
        then = previous.column(name)
        if now is None or now == then.kind or is_blank(then) or {now, then.kind} == {"integer", "float"}:
            continue
        raise DataRefused(
            f"{where}: column '{name}' is {now} now and was {then.kind} in the version before; "
            "mend the source, or begin a dataset of another name in modelyard.toml."
        )
