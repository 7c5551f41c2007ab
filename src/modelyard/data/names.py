"""What a table's columns are called and hold, before any row is worked on."""

from __future__ import annotations

import difflib

from modelyard.data.extraction import Kinds
from modelyard.errors import DataRefused, SettingsError
from modelyard.records.schema import Schema
from modelyard.tables.infer import is_blank
from modelyard.tables.split import FOLD, SPLIT


def check_names(names: list[str], target: str | None, key: tuple[str, ...]) -> None:
    for ours in (SPLIT, FOLD):
        if ours in names:
            raise DataRefused(f"Column '{ours}' is a name of our own; rename it in the source.")
    lower: dict[str, str] = {}
    for name in names:
        if not name.strip():
            raise DataRefused("A column has an empty name; name it in the source.")
        if (other := lower.setdefault(name.lower(), name)) != name:
            raise DataRefused(
                f"Columns '{other}' and '{name}' differ in case only, which a Delta table cannot hold; rename one."
            )
    for role, name in (*(("target", t) for t in [target] if t), *(("key", k) for k in key)):
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean '{near[0]}'?" if near else "the columns are"
            raise SettingsError(f"There is no column '{name}' for the {role}; {hint} {_listed(names, near)}")
    if target in key:
        raise SettingsError(f"Column '{target}' is both target and key; take another key.")
    if not set(names) - {target, *key}:
        raise DataRefused("There is no column beside target and key; add features.")


def _listed(names: list[str], near: list[str]) -> str:
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    listed = ", ".join(names[:20]) + more
    return f"(The columns are {listed}.)" if near else listed + "."


def check_columns(names: list[str], previous: Schema) -> None:
    known = [c.name for c in previous.columns]
    gone = [n for n in known if n not in names]
    new = [n for n in names if n not in known]
    advice = "mend the source, or begin a dataset of another name in modelyard.toml."
    if gone and new:
        raise DataRefused(f"Column '{gone[0]}' vanished and '{new[0]}' appeared; {advice}")
    if gone:
        raise DataRefused(f"Column '{gone[0]}' of the version before is not there any more; {advice}")
    if new:
        raise DataRefused(f"Column '{new[0]}' was not in the version before; {advice}")


def check_kinds(kinds: Kinds, previous: Schema) -> None:
    for name, now in kinds.items():
        then = previous.column(name)
        if now is None or now == then.kind or is_blank(then) or {now, then.kind} == {"integer", "float"}:
            continue
        raise DataRefused(
            f"Column '{name}' is {now} now and was {then.kind} in the version before; "
            "mend the source, or begin a dataset of another name in modelyard.toml."
        )
