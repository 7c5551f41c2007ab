"""What a load takes, as text, Markdown and one page."""

from __future__ import annotations

from collections.abc import Iterator

from modelyard.records.capacity import Capacity
from modelyard.render import html, markdown

_MONTH = 730
"""Hours."""
_BUSY = 0.8
"""Cores that a worker uses at least when it is the limit itself."""


def summary(found: Capacity) -> str:
    """One sentence."""
    wish = found.wish
    asked = f"{wish.rate:,.0f} requests/s"
    if found.replicas is None:
        broken = ", ".join(f"{one.promise} ({one.shown})" for one in found.verdicts if not one.met)
        return f"No number of replicas keeps the promises at {asked}: even at the lowest load one broke {broken}."
    parts = [f"{found.replicas} replica{'' if found.replicas == 1 else 's'}"]
    if found.cores is not None:
        parts.append(f"{found.cores:g} cores")
    if found.memory is not None:
        parts.append(f"{found.memory:,.2g} GiB" if found.memory < 10 else f"{found.memory:,.0f} GiB")
    if found.log_a_day is not None:
        parts.append(f"{found.log_a_day:,.1f} GiB of log a day")
    if found.hourly is not None:
        parts.append(f"{found.hourly:,.2f} an hour")
    return f"{asked} within the promises: {', '.join(parts)}."


def table(found: Capacity) -> list[tuple[str, str, str]]:
    """What it is, of one replica, of all."""

    def told(value: float | None, form: str) -> str:
        if value is None:
            return "not measured" if found.met else "-"
        return form.format(value)

    rows = [
        (
            "Requests a second",
            told(found.sustained, "{:,.0f} sustained"),
            f"{found.wish.rate:,.0f} at the peak",
        ),
        ("Replicas", "1", told(found.replicas, "{:d}")),
        ("Cores", told(found.cores_each, "{:g}"), told(found.cores, "{:g}")),
        ("Memory", told(found.memory_each, "{:d} MiB"), told(found.memory, "{:,.2f} GiB")),
        (
            "Prediction log",
            told(found.log_bytes, "{:,.0f} bytes a request"),
            told(found.log_a_day, "{:,.2f} GiB a day"),
        ),
    ]
    if found.hourly is not None:
        rows.append(
            ("Money for running", "", f"{found.hourly:,.2f} an hour, {found.hourly * _MONTH:,.0f} a month")
        )
    if found.daily_log is not None:
        rows.append(("Money for the log", "", f"{found.daily_log:,.2f} a day"))
    return rows


def reckoning(found: Capacity) -> Iterator[str]:
    """How each figure came about, and what it leaves out; a sentence each."""
    wish = found.wish
    if wish.users is not None and wish.every is not None:
        yield f"{wish.users:,} users who ask every {wish.every:g} s are {wish.rate:,.0f} requests a second."
    if found.sustained is None or found.replicas is None or found.filled is None:
        return
    more = "at least " if found.at_least else ""
    yield (
        f"One replica, as the load test of {found.target} met it, sustains {more}{found.sustained:,.0f} requests a second "
        "of that form: the highest level of load that kept every promise."
        + (" It was the highest that was tried, so that fewer replicas may do." if found.at_least else "")
    )
    yield (
        f"None is planned for more than {wish.filled:.0%} of that, since queues grow without end near the whole, and "
        f"{_missing(wish.spare)}: {found.replicas} replicas are {found.filled:.0%} filled at the peak"
        + (f", {found.filled_without:.0%} with so many missing." if wish.spare else ".")
    )
    if found.peak and found.peak.p99 is not None:
        yield (
            f"Each is then asked {wish.rate / found.replicas:,.0f} times a second. The next level above, "
            f"{found.peak.rate:,.0f}, answered half within {_ms(found.peak.p50)} and 99 % within {_ms(found.peak.p99)}."
        )
    if found.cores_each is not None:
        yield "Cores are what its processes used at that level; memory is a quarter more than they held at most."
        if found.cores_each < _BUSY:
            yield (
                "That is less than a core: something else was the limit, such as the machine that asked or what else it "
                "did. One replica may sustain more, and needs a core for it."
            )
    if found.log_bytes is not None:
        yield (
            f"The log is of {wish.mean:,.0f} requests a second through the day, as services write it, before it is "
            "compacted into a table, which takes less."
        )
    if found.unpriced:
        yield f"Not counted, since the load test did not measure it: {', '.join(found.unpriced)}."
    yield (
        "Not in it: gateway, load balancer, network and yard, and whether replicas disturb each other. Test the whole "
        "once it stands, by its address."
    )


def settings(found: Capacity) -> str | None:
    """The part of ``modelyard.toml`` that gives a cluster this much; None where it was not measured."""
    if found.replicas is None or found.cores_each is None or found.memory_each is None:
        return None
    few = max(1, found.wish.spare + 1)
    return (
        f'[infra]\nreplicas = [{min(few, found.replicas)}, {found.replicas}]\ncpu = "{1000 * found.cores_each:.0f}m"\n'
        f'memory = "{found.memory_each}Mi"'
    )


def page(found: Capacity) -> str:
    """One page that opens anywhere."""
    return html.page("capacity.html", record=found, **_facts(found))


def text(found: Capacity) -> str:
    """GitHub-flavoured Markdown."""
    asked = settings(found)
    return markdown.page(
        "capacity.md", record=found, **_facts(found), block=markdown.fenced(asked, "toml") if asked else None
    )


def _facts(found: Capacity) -> dict[str, object]:
    return {
        "summary": summary(found),
        "table": table(found),
        "reckoning": list(reckoning(found)),
        "settings": settings(found),
    }


def _missing(spare: int) -> str:
    if spare == 0:
        return "none may be missing"
    return "one may be missing" if spare == 1 else f"{spare} may be missing"


def _ms(seconds: float | None) -> str:
    if seconds is None:
        return "no time that was waited for"
    return f"{1e3 * seconds:,.0f} ms" if seconds >= 0.1 else f"{1e3 * seconds:.3g} ms"
