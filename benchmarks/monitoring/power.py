"""False alarms and power of monitoring's rule, beside two rules in common use and two tools' defaults.

    python benchmarks/monitoring/power.py [--repetitions 300] [--write docs/monitoring-power.md]

Columns are independent and normal; a shift is added to one of them. Seeded.
"""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path
from types import ModuleType

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelyard.monitoring import Evidence, evidently, examine, nannyml
from modelyard.monitoring.compare import coarsen
from modelyard.monitoring.pvalues import ks, psi
from modelyard.records.profile import ColumnProfile, Profile
from modelyard.records.schema import Column, Schema
from modelyard.settings import MonitorSettings
from modelyard.tables.batch import Batch
from modelyard.tables.profile import anchor, count

COLUMNS = 30
SHIFTS = (0.0, 0.1, 0.2, 0.5)
REFERENCES = (5000, 455)
WINDOWS = (100, 200, 500, 2000)
RULES = (
    "Modelyard, the column alone",
    "Modelyard, among 30 columns",
    "PSI ≥ 0.1, the column alone",
    "KS p < 0.05, the column alone",
    "KS p < 0.05, any of 30 columns",
    "Evidently's default, the column alone",
    "Evidently's default, any of 30 columns",
    "NannyML's default, the column alone",
    "NannyML's default, any of 30 columns",
)
NOTHING = Profile(rows=0, columns=())
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SETTINGS = MonitorSettings()
SCHEMA = Schema(columns=tuple(Column(name=f"c{i}", kind="float") for i in range(COLUMNS)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=300, help="windows for each figure")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="also write the page here")
    options = parser.parse_args()
    page = _page(options.repetitions, options.seed)
    print(page)
    if options.write:
        options.write.write_text(page, encoding="utf-8")


def rates(n: int, m: int, repetitions: int, seed: int) -> NDArray[np.float64]:
    """Share of windows with an alert, [rule, shift]."""
    random = np.random.default_rng([seed, n, m])
    alerts = np.zeros((len(RULES), len(SHIFTS)))
    for _ in range(repetitions):
        learnt = random.normal(size=(n, COLUMNS))
        reference = anchor(_batch(learnt), SCHEMA)
        rows = random.normal(size=(m, COLUMNS))
        still = count(_batch(rows), reference)
        others = [_ks(r, w) < 0.05 for r, w in zip(reference.columns[1:], still.columns[1:], strict=True)]
        peers = [
            [_drifted(rule, learnt[:, i], rows[:, i]) for i in range(1, COLUMNS)]
            for rule in (evidently, nannyml)
        ]
        first = Profile(rows=n, columns=reference.columns[:1])
        for at, shift in enumerate(SHIFTS):
            moved = count(_batch(rows[:, :1] + shift), first)
            window = msgspec.structs.replace(still, columns=(*moved.columns, *still.columns[1:]))
            by_ks = _ks(first.columns[0], moved.columns[0]) < 0.05
            alone = [_drifted(rule, learnt[:, 0], rows[:, 0] + shift) for rule in (evidently, nannyml)]
            of_any = [
                any([own, *rest]) if shift == 0 else np.nan for own, rest in zip(alone, peers, strict=True)
            ]
            alerts[:, at] += (
                _alerts(first, moved, shift),
                _alerts(reference, window, shift),
                psi(*coarsen(*_counts(first.columns[0], moved.columns[0]))) >= 0.1,
                by_ks,
                any([by_ks, *others]) if shift == 0 else np.nan,
                alone[0],
                of_any[0],
                alone[1],
                of_any[1],
            )
    return alerts / repetitions


def _drifted(rule: ModuleType, reference: NDArray[np.float64], window: NDArray[np.float64]) -> bool:
    """By the tool's rule as ``method`` has it, held against the tool's own values in ``tests/monitoring``."""
    said = rule.column(reference, window)
    return said is not None and bool(said.drifted)


def _alerts(reference: Profile, window: Profile, shift: float) -> bool:
    """Any alert where nothing moved; else one on the column that did."""
    report = examine(
        Evidence(
            reference=reference,
            window=window,
            settings=SETTINGS,
            environment="prod",
            model="bench",
            version=1,
            start=START,
            end=START,
        )
    )
    return any(finding.column == "c0" or shift == 0 for finding in report.alerts)


def _batch(rows: NDArray[np.float64]) -> Batch:
    return Batch(np.ascontiguousarray(rows), np.empty((len(rows), 0), dtype=object))


def _counts(reference: ColumnProfile, window: ColumnProfile) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.array(reference.counts), np.array(window.counts)


def _ks(reference: ColumnProfile, window: ColumnProfile) -> float:
    return ks(*_counts(reference, window))[1]


def _page(repetitions: int, seed: int) -> str:
    lines = [
        "# What monitoring finds, and how often it is wrong",
        "",
        "Measured, not promised: made by `python benchmarks/monitoring/power.py "
        f"--repetitions {repetitions} --write docs/monitoring-power.md` (seed {seed}). Each figure is the share of "
        f"{repetitions} windows with an alert, with the default settings (`alpha = {SETTINGS.alpha}`, "
        f"`correction = {SETTINGS.correction}`, `min_effect = {SETTINGS.min_effect}`); its standard error is at most "
        f"{100 * 0.5 / repetitions**0.5:.1f} points. Columns are normal and independent; one is shifted by so many "
        "standard deviations. Where nothing is shifted, an alert on any column is a false alarm; else only one on "
        "the shifted column counts.",
        "",
        "A column is compared on ten cells of equal reference counts (PSI / (1/n + 1/m) as chi-square) and by "
        "Kolmogorov-Smirnov; twice the smaller p-value decides, corrected over all columns and kinds of finding. "
        'Evidently\'s and NannyML\'s rules are those of `method = "evidently"` and `"nannyml"`, which give the tools\' own numbers. '
        "Nine tenths of `alpha` go to drift, the rest to data quality and operation.",
        "",
    ]
    for n in REFERENCES:
        lines += [
            f"## Reference of {n:,} rows",
            "",
            "| rule | window | false alarms | 0.1 sd | 0.2 sd | 0.5 sd |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        measured = {m: rates(n, m, repetitions, seed) for m in WINDOWS}
        for at, rule in enumerate(RULES):
            for m in WINDOWS:
                figures = " | ".join("" if np.isnan(r) else f"{100 * r:.0f} %" for r in measured[m][at])
                lines.append(f"| {rule} | {m:,} | {figures} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
