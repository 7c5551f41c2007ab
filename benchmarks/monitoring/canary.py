"""How often the canary's verdict is wrong, and how soon it is right, beside a z-test looked at again and again.

    python benchmarks/monitoring/canary.py [--runs 2000] [--write docs/canary-power.md]

Requests are drawn for the canary at random; each answer errs with its arm's rate. Both rules look after every hundred
requests, up to 10,000 in all, and stop at their first alarm. Seeded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics.sequential import evidence

REQUESTS, EVERY, ALPHA = 10_000, 100, 0.05
SHARES = (0.1, 0.5)
LIVE = (0.01, 0.05, 0.2)
WORSE = (1.0, 1.5, 2.0, 4.0)
Z = 1.6448536269514722
"""One-sided, at 5 %."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000, help="canaries for each figure")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="also write the page here")
    options = parser.parse_args()
    page = _page(options.runs, options.seed)
    print(page)
    if options.write:
        options.write.write_text(page, encoding="utf-8")


def alarms(
    share: float, live: float, rival: float, runs: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """By rule, the share of canaries with an alarm, and the canary's own requests at the median alarm."""
    random = np.random.default_rng([seed, int(1000 * share), int(1000 * live), int(1000 * rival)])
    first = np.full((2, runs), np.nan)
    for run in range(runs):
        ours = random.random(REQUESTS) < share
        wrong = random.random(REQUESTS) < np.where(ours, rival, live)
        asked, errors, of_them = (np.cumsum(part)[EVERY - 1 :: EVERY] for part in (ours, wrong, wrong & ours))
        total = np.arange(EVERY, REQUESTS + 1, EVERY)
        for rule, hit in enumerate((_ours(share, errors, of_them), _z(total, asked, errors, of_them))):
            if hit.any():
                first[rule, run] = asked[int(hit.argmax())]
    found = np.isfinite(first)
    middle = [
        float(np.median(row[there])) if there.any() else np.nan
        for row, there in zip(first, found, strict=True)
    ]
    return found.mean(axis=1), np.array(middle)


def _ours(share: float, errors: NDArray[np.int64], of_them: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.array(
        [evidence(share, int(n), int(k)) >= 1 / ALPHA for n, k in zip(errors, of_them, strict=True)]
    )


def _z(
    total: NDArray[np.int64], asked: NDArray[np.int64], errors: NDArray[np.int64], of_them: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Two proportions, pooled."""
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = errors / total
        spread = np.sqrt(pooled * (1 - pooled) * (1 / asked + 1 / (total - asked)))
        return np.nan_to_num((of_them / asked - (errors - of_them) / (total - asked)) / spread) > Z


def _page(runs: int, seed: int) -> str:
    lines = [
        "# How often a canary's verdict is wrong, and how soon it is right",
        "",
        f"Written by `benchmarks/monitoring/canary.py`: {runs:,} canaries a line, each looked at after every {EVERY} requests up to "
        f"{REQUESTS:,} in all, and called worse at the first alarm (nominal {100 * ALPHA:g} %). The z-test is that of two proportions, "
        "one-sided, looked at as often. How the e-value is computed is told in [the loop](loop.md).",
        "",
        "| canary's share | live errs | canary errs | called worse: e-value | z-test | canary's requests at the median alarm: e-value | z-test |",
        "|---|---|---|---|---|---|---|",
    ]
    for share in SHARES:
        for live in LIVE:
            for times in WORSE:
                found, when = alarms(share, live, min(live * times, 1.0), runs, seed)
                told = [f"{100 * rate:.1f} %" for rate in found]
                at = ["" if times == 1 or not np.isfinite(one) else f"{one:.0f}" for one in when]
                lines.append(
                    f"| {100 * share:g} % | {100 * live:g} % | {100 * live * times:g} % | {' | '.join(told)} | {' | '.join(at)} |"
                )
    lines += [
        "",
        "Where the canary errs as often as what is live, every alarm is a false one. What a canary of few requests cannot find, it lets "
        "pass: `min_rows` should be no less than the median of the loss that matters.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
