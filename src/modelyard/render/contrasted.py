"""Two models side by side in words and formatted figures, the same for terminal, Markdown and HTML."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modelyard.records.contrast import Changed, Contrast, Contrasts, Rewritten, Trained
from modelyard.records.difference import Difference
from modelyard.records.metric import Metric
from modelyard.render.compared import ComparisonView, compared, paired_row
from modelyard.render.figures import MINUS
from modelyard.render.view import Cell, GateRow, cells_of, gate_rows
from modelyard.render.wording import headlines, number, words

_SHIFTS = 5


@dataclass(frozen=True)
class Pair:
    """A named value of both."""

    name: str
    before: str
    after: str
    changed: bool


@dataclass(frozen=True)
class Figures:
    """A metric of both, which were not tested on the same rows or not both."""

    label: str
    before: str
    between_before: str
    after: str
    between_after: str


@dataclass(frozen=True)
class FileRow:
    path: str
    what: str
    """``new``, ``gone`` or ``changed``, with its lines."""
    diff: str
    more: str
    """What is left out of ``diff``."""


@dataclass(frozen=True)
class ContrastView:
    contrast: Contrast
    title: str
    before: str
    after: str
    verdict: str
    passed: bool | None
    """Whether the gates of what is new are met; None where there is none, or no test."""
    summary: str
    facts: tuple[Pair, ...]
    comparison: ComparisonView | None
    figures: tuple[Figures, ...]
    unpaired: str
    gates: tuple[GateRow, ...]
    parameters: tuple[Pair, ...]
    logged: tuple[Pair, ...]
    libraries: tuple[Pair, ...]
    code: tuple[FileRow, ...]
    code_note: str
    data: tuple[str, ...]
    matrices: tuple[tuple[str, tuple[str, ...], tuple[tuple[Cell, ...], ...]], ...]
    """Of each that was tested and has classes: its name, the classes and the cells."""


def views(record: Contrasts) -> tuple[ContrastView, ...]:
    """Each model as all renderings print it."""
    return tuple(map(_view, record.models))


def settings(record: Contrasts) -> tuple[Pair, ...]:
    """What ``modelyard.toml`` says otherwise."""
    return tuple(Pair(one.name, _set(one.before), _set(one.after), changed=True) for one in record.settings)


def settings_note(record: Contrasts) -> str:
    """Why that cannot be told; empty where it is."""
    return f"The settings cannot be compared: {record.settings_unknown}." if record.settings_unknown else ""


def _view(one: Contrast) -> ContrastView:
    old, new = one.before, one.after
    gates = new.gates if new else ()
    passed = all(gate.passed for gate in gates) if gates else None
    return ContrastView(
        contrast=one,
        title=one.model,
        before=old.ref if old else "none",
        after=new.ref if new else "none",
        verdict={
            True: "Gates met",
            False: "Gates not met",
            None: "Ungated" if new and new.tested else "Not tested",
        }[passed],
        passed=passed,
        summary=_summary(one),
        facts=_facts(old, new),
        comparison=compared(one.paired, ours=new.ref, theirs=old.ref) if one.paired and old and new else None,
        figures=() if one.paired else _figures(old, new),
        unpaired=_unpaired(one),
        gates=gate_rows(gates),
        parameters=_pairs(one.parameters),
        logged=_pairs(one.logged),
        libraries=_pairs(one.libraries),
        code=tuple(map(_file, one.code)),
        code_note=f"The code cannot be told: {one.code_unknown}." if one.code_unknown else "",
        data=_data(one),
        matrices=tuple(
            (side.ref, tuple(map(str, side.classes)), cells_of(side.confusion))
            for side in (old, new)
            if side and 2 <= len(side.classes) <= 6 and side.confusion
        ),
    )


def _summary(one: Contrast) -> str:
    old, new = one.before, one.after
    if old is None or new is None:
        there = old or new
        return f"Only one side has it: {there.ref if there else 'none'}."
    if one.same:
        return "Both are the same package, to the bit."
    told = []
    if one.paired:
        rows = {metric.name: paired_row(metric) for metric in one.paired.metrics}
        heads = [rows[name] for name in headlines(new.task or "", new.quantiles) if name in rows]
        told += [f"{row.label} {row.champion} → {row.value} ({row.finding})" for row in heads[:2]]
    changes = [
        (sum(p.before != p.after for p in one.parameters), "parameter", "parameters"),
        (len(one.code), "file of code", "files of code"),
        (len(one.libraries), "library", "libraries"),
    ]
    counted = [f"{count} {one_ if count == 1 else many}" for count, one_, many in changes if count]
    if old.dataset != new.dataset:
        counted.append("the data")
    told.append(
        f"{_listed(counted)} changed" if counted else "parameters, code, data and libraries are the same"
    )
    return "; ".join(told) + "."


def _facts(old: Trained | None, new: Trained | None) -> tuple[Pair, ...]:
    rows = [
        _fact("Run", old, new, lambda one: one.run),
        _fact("Trained on", old, new, lambda one: one.dataset),
        _fact(
            "Tested on",
            old,
            new,
            lambda one: f"{one.tested}, {one.rows:,} rows" if one.tested else "not tested",
        ),
        _fact("Commit", old, new, _commit),
        _fact("Seed", old, new, lambda one: str(one.seed)),
        _fact("Trained at", old, new, lambda one: one.trained.strftime("%Y-%m-%d %H:%M UTC")),
        _fact("Seconds", old, new, lambda one: f"{one.seconds:.1f}"),
        _fact("Package", old, new, lambda one: one.package[:12]),
    ]
    if any(one and one.note for one in (old, new)):
        rows.append(_fact("Found", old, new, lambda one: one.note or "at the commit itself"))
    return tuple(rows)


def _fact(name: str, old: Trained | None, new: Trained | None, told: Callable[[Trained], str]) -> Pair:
    before, after = (told(one) if one else "\u2013" for one in (old, new))
    return Pair(name, before, after, before != after)


def _commit(one: Trained) -> str:
    return "none" if one.commit is None else one.commit[:12] + (", not all committed" if one.dirty else "")


def _unpaired(one: Contrast) -> str:
    if one.same or one.before is None or one.after is None or one.paired:
        return ""
    return f"Not compared on the same rows: {one.unpaired}."


def _figures(old: Trained | None, new: Trained | None) -> tuple[Figures, ...]:
    before, after = ({m.name: m for m in one.metrics} if one else {} for one in (old, new))
    return tuple(
        Figures(
            words(name)[0],
            *(*_figure(before.get(name)), *_figure(after.get(name))),
        )
        for name in before | after
    )


def _figure(metric: Metric | None) -> tuple[str, str]:
    if metric is None:
        return "\u2013", ""
    return number(metric.value), f"{number(metric.low)} to {number(metric.high)}"


def _pairs(values: Sequence[Changed]) -> tuple[Pair, ...]:
    return tuple(
        Pair(one.name, _value(one.before), _value(one.after), one.before != one.after) for one in values
    )


def _value(value: object) -> str:
    if value is None:
        return "\u2013"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _set(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return _value(value) if value is None or isinstance(value, int | float | str) else json.dumps(value)


def _file(one: Rewritten) -> FileRow:
    lines = f"+{one.added} {MINUS}{one.removed}" if one.diff else "no text" if one.change == "changed" else ""
    what = f"{one.change}, {lines}" if lines else one.change
    return FileRow(one.path, what, one.diff, f"{one.cut:,} more lines" if one.cut else "")


def _data(one: Contrast) -> tuple[str, ...]:
    if one.data_unknown:
        return (f"The data cannot be compared: {one.data_unknown}.",)
    return _told(one.data) if one.data else ()


def _told(found: Difference) -> tuple[str, ...]:
    rows = found.rows
    if found.same:
        return (f"{found.before} and {found.after} hold the same {rows.after:,} rows.",)
    changed = f", {rows.changed:,} changed" if rows.by == "key" else ""
    lines = [
        f"{found.before} has {rows.before:,} rows, {found.after} {rows.after:,}: {rows.added:,} added, "
        f"{rows.removed:,} removed{changed}, by {rows.by}."
    ]
    if rows.moved:
        lines.append(f"{rows.moved:,} rows moved between train and test.")
    lines += [f"{change.sentence.rstrip('.')}." for change in found.schema]
    shifted = [shift for shift in found.shifts if shift.shifted]
    lines += [f"{shift.sentence.rstrip('.')}." for shift in shifted[:_SHIFTS]]
    if len(shifted) > _SHIFTS:
        lines.append(f"{len(shifted) - _SHIFTS} further columns shifted.")
    return tuple(lines)


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts[:-1]) + (f" and {parts[-1]}" if len(parts) > 1 else "".join(parts[-1:]))
