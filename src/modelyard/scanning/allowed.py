"""Which weaknesses people answer for, by settings and by a baseline."""

from __future__ import annotations

import datetime as dt
import fnmatch
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from modelyard.records.weakness import LEVELS, Allowed, Weakness
from modelyard.settings.scan import AllowSettings


class Sorted(NamedTuple):
    found: tuple[Weakness, ...]
    """Worst first, then by place."""
    allowed: tuple[Allowed, ...]
    notes: tuple[str, ...]


def sorted_out(
    weaknesses: Iterable[Weakness],
    allow: Sequence[AllowSettings],
    baseline: Mapping[str, str],
    today: dt.date,
) -> Sorted:
    """``baseline`` gives a reason by fingerprint. An allowance past its day, and one that fits nothing, is told."""
    open_: list[Weakness] = []
    allowed: list[Allowed] = []
    used: set[int] = set()
    for weakness in {_identified(w).fingerprint: _identified(w) for w in weaknesses}.values():
        fits = [at for at, rule in enumerate(allow) if _fits(rule, weakness)]
        used |= set(fits)
        reasons = [allow[at].reason for at in fits if (allow[at].until or today) >= today]
        if weakness.fingerprint in baseline:
            reasons.append(baseline[weakness.fingerprint])
        if reasons:
            allowed.append(Allowed(weakness=weakness, reason=reasons[0]))
        else:
            open_.append(weakness)
    notes = [_told(rule, at in used, today) for at, rule in enumerate(allow)]
    return Sorted(
        tuple(sorted(open_, key=lambda w: (-LEVELS.index(w.level), w.path, w.line, w.rule))),
        tuple(allowed),
        tuple(filter(None, notes)),
    )


def _identified(weakness: Weakness) -> Weakness:
    known = "\0".join((weakness.rule, weakness.path, weakness.fingerprint or weakness.message))
    return replace(weakness, fingerprint=hashlib.sha256(known.encode(errors="replace")).hexdigest()[:32])


def _fits(rule: AllowSettings, weakness: Weakness) -> bool:
    return fnmatch.fnmatchcase(weakness.rule, rule.rule) and fnmatch.fnmatchcase(weakness.path, rule.path)


def _told(rule: AllowSettings, used: bool, today: dt.date) -> str:
    about = f"scan.allow of {rule.rule} in {rule.path}"
    if rule.until and rule.until < today:
        return f"{about} ended on {rule.until}: mend it, or give it another day."
    return "" if used else f"{about} fits nothing: take it out."
