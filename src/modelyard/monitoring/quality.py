"""What is wrong with a column's values, whatever their distribution: missing, out of range, new."""

from __future__ import annotations

import numpy as np

from modelyard.monitoring.compare import compare_pair, corrected_effect, unlisted
from modelyard.monitoring.draft import Draft, share
from modelyard.monitoring.drift import NAMED, is_text, present
from modelyard.monitoring.pvalues import outside_p, unseen_p
from modelyard.records.profile import ColumnProfile


def quality(reference: ColumnProfile, window: ColumnProfile) -> list[Draft]:
    """The tests of one feature that make sense for it."""
    tests = [missing(reference, window)]
    if not present(reference):
        return tests
    if not is_text(reference):
        tests.append(out_of_range(reference, window))
    elif not unlisted(reference):
        tests.append(new_categories(reference, window))
    return tests


def missing(reference: ColumnProfile, window: ColumnProfile) -> Draft:
    """The share of nulls and NaN, by Fisher's exact test."""
    before, after = (c.rows - present(c) for c in (reference, window))
    made = compare_pair(np.array([before, reference.rows - before]), np.array([after, window.rows - after]))
    way = "more" if after * reference.rows > before * window.rows else "less"
    return Draft(
        kind="missing",
        column=reference.name,
        statistic="missing_share",
        value=after / window.rows if window.rows else 0.0,
        p=made.p,
        effect=made.effect,
        reference_rows=reference.rows,
        window_rows=window.rows,
        change=f"{reference.name} is missing {way} often: {share(after, window.rows)} of rows, "
        f"{share(before, reference.rows)} in the reference",
        calm=f"{reference.name} is missing in {share(after, window.rows)} of rows, "
        f"{share(before, reference.rows)} in the reference",
        shown=bool(before or after),
    )


def out_of_range(reference: ColumnProfile, window: ColumnProfile) -> Draft:
    """Values below the reference's least or above its greatest, infinities included.

    A side is open when the reference itself holds that infinity.
    """
    n, m = present(reference), present(window)
    below = 0 if reference.negative_infinities else window.negative_infinities
    above = 0 if reference.positive_infinities else window.positive_infinities
    if reference.edges:
        below += 0 if reference.negative_infinities or reference.counts[0] else window.counts[0]
        above += 0 if reference.positive_infinities else window.counts[-1]
    outside = below + above
    sides = []
    if below:
        sides.append(f"{below} below {_number(reference.minimum)}")
    if above:
        sides.append(f"{above} above {_number(reference.maximum)}")
    said = f"{reference.name} left the reference's range in {outside} of {m} rows ({', '.join(sides)})"
    r, w = np.array([0, n]), np.array([outside, m - outside])
    return Draft(
        kind="out_of_range",
        column=reference.name,
        statistic="outside_share",
        value=outside / m if m else 0.0,
        p=outside_p(n, m, outside),
        effect=corrected_effect(r, w) if outside else 0.0,
        reference_rows=n,
        window_rows=m,
        change=said,
        calm=said,
        shown=outside > 0,
        pair=(reference, window),
    )


def new_categories(reference: ColumnProfile, window: ColumnProfile) -> Draft:
    """Labels that the reference never had, against as many as its rare labels make us expect."""
    n, m, found = present(reference), present(window), unlisted(window)
    usual, p = unseen_p(reference.categories, window.categories, window.unseen, window.other)
    names = sorted(window.unseen, key=lambda label: (-window.unseen[label], label))
    named = ", ".join(f"'{label}'" for label in names[:NAMED])
    expected = f"about {usual:.2g}" if usual >= 0.01 else "none"
    more = ", ..." if len(names) > NAMED or window.other else ""
    said = (
        f"{reference.name} has labels that the reference never had in {found} of {m} rows "
        f"({expected} expected): {named}{more}"
    )
    r, w = np.array([0, n]), np.array([found, m - found])
    return Draft(
        kind="new_categories",
        column=reference.name,
        statistic="unseen_share",
        value=found / m if m else 0.0,
        p=p,
        effect=corrected_effect(r, w) if found else 0.0,
        reference_rows=n,
        window_rows=m,
        change=said,
        calm=said,
        shown=found > 0,
        pair=(reference, window),
    )


def _number(value: float | None) -> str:
    return "its range" if value is None else f"{value:.6g}"
