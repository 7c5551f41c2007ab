"""Where things came from and what became of them, as a tree for a terminal and a drawing (SVG)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from markupsafe import escape

from modelyard.records.dataset import DatasetVersion, SourceFile
from modelyard.records.lineage import Lineage, ModelLineage, TrainedVersion
from modelyard.records.registry import Release
from modelyard.records.run import Run

T = TypeVar("T")
MOST = 24
"""Files, runs, releases or windows that are drawn of one thing; the rest is counted."""
_WIDE, _LINE, _GAP, _APART = 236, 17, 16, 84
_LONGEST = 33


@dataclass
class Node:
    kind: str
    title: str
    lines: tuple[str, ...] = ()


@dataclass
class Graph:
    """What leads to what; an edge goes from a thing to what was made of it."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, kind: str, title: str, *lines: str, after: str = "", before: str = "") -> str:
        self.nodes.setdefault(name, Node(kind, title, lines))
        for edge in ((after, name), (name, before)):
            if all(edge) and edge not in self.edges:
                self.edges.append(edge)
        return name


def graph(found: Lineage | ModelLineage) -> Graph:
    """The same facts as nodes and edges."""
    made = Graph()
    if isinstance(found, Lineage):
        data = _data(made, found.dataset)
        for trained in _some(made, found.runs, "run", after=data):
            run = _run(made, trained.run, data)
            for version in trained.versions:
                _version(made, version, run)
    else:
        _model(made, found)
    return made


def _model(made: Graph, found: ModelLineage) -> str:
    data = _data(made, found.data) if found.data else ""
    run = _run(made, found.run, data) if found.run else ""
    ref = found.version.ref
    beside = [name for name in found.attested if not name.endswith(".sig")]
    signed = len(found.attested) - len(beside)
    lines = [f"package {found.version.package[:12]}", f"by {found.version.by}"]
    lines += [", ".join(beside[at : at + 2]) for at in range(0, len(beside), 2)]
    lines += [f"{signed} signature{'s' if signed != 1 else ''}"] if found.attested else []
    made.add(ref, "version", ref, *lines, after=run)
    _releases(made, ref, found.releases)
    for window in _some(made, found.windows[::-1], "window", after=ref):
        what = f"{window.rows:,} predictions"
        told = f"{window.alerts} alerts" if window.judged else "too few to judge"
        at = f"{ref} {window.environment}"
        made.add(
            f"{at} {window.until}",
            "window",
            f"until {window.until[:16].replace('T', ' ')}",
            what,
            told,
            after=at if at in made.nodes else ref,
        )
    for used in found.uses:
        before = _model(made, used)
        made.edges.append((before, run or ref))
    for user in found.used_by:
        made.edges.append((ref, _model(made, user)))
    return ref


def _data(made: Graph, version: DatasetVersion) -> str:
    name = made.add(version.ref, "data", version.ref, f"{version.rows:,} rows", version.digest[:12])
    for source in _some(made, version.sources, "source", before=name):
        made.add(f"source {source.path}", "source", source.path, *_told(source), before=name)
    return name


def _told(source: SourceFile) -> tuple[str, ...]:
    return (f"{source.size:,} bytes", *([f"sha256 {source.sha256[:12]}"] if source.sha256 else []))


def _run(made: Graph, run: Run, data: str) -> str:
    commit = (
        f"commit {run.code.commit[:12]}{' +' if run.code.dirty else ''}" if run.code.commit else "no commit"
    )
    code = f"code {run.code.digest[:12]}, {commit}"
    title = f"run {run.id}"
    return made.add(title, "run", title, f"{run.model}, {run.started:%Y-%m-%d %H:%M}", code, after=data)


def _version(made: Graph, trained: TrainedVersion, run: str) -> None:
    version = trained.version
    made.add(version.ref, "version", version.ref, f"package {version.package[:12]}", after=run)
    _releases(made, version.ref, trained.releases)
    for user in trained.used_by:
        made.edges.append((version.ref, _model(made, user)))


def _releases(made: Graph, ref: str, releases: Sequence[Release]) -> None:
    """One node an environment, as it is now."""
    latest = {release.environment: release for release in releases}
    for environment, release in latest.items():
        when = release.finished or release.started
        status = release.status.replace("_", " ")
        made.add(
            f"{ref} {environment}", "service", environment, f"{status}, {when:%Y-%m-%d %H:%M}", after=ref
        )


def _some(made: Graph, things: Sequence[T], kind: str, *, after: str = "", before: str = "") -> Iterable[T]:
    if len(things) > MOST:
        more = f"and {len(things) - MOST:,} more"
        made.add(f"{kind}s of {after or before}", kind, more, after=after, before=before)
    return things[:MOST]


def svg(found: Lineage | ModelLineage) -> str:
    """The graph from left to right: what came first stands left."""
    made = graph(found)
    columns = _columns(made)
    places: dict[str, tuple[float, float, float]] = {}
    high = 0.0
    for at, column in enumerate(columns):
        y = float(_GAP)
        for name in column:
            tall = 26 + _LINE * len(made.nodes[name].lines)
            places[name] = (_GAP + at * (_WIDE + _APART), y, tall)
            y += tall + _GAP
        high = max(high, y)
    for column in columns:  # the shorter ones in the middle
        low = max(places[name][1] + places[name][2] for name in column) + _GAP
        for name in column:
            x, top, size = places[name]
            places[name] = (x, top + (high - low) / 2, size)
    wide = _GAP + len(columns) * (_WIDE + _APART) - _APART + _GAP
    drawn = [_edge(places[a], places[b]) for a, b in made.edges]
    drawn += [_box(made.nodes[name], *places[name]) for name in made.nodes]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="Lineage" viewBox="0 0 {wide:g} {high:g}" '
        f'width="{wide:g}" height="{high:g}"><style>{_STYLE}</style>{"".join(drawn)}</svg>\n'
    )


def _columns(made: Graph) -> list[list[str]]:
    """Each node one to the right of the last that leads to it; no thing is made of itself, so this ends."""
    rank = dict.fromkeys(made.nodes, 0)
    for _ in made.nodes:
        moved = [(b, rank[a] + 1) for a, b in made.edges if rank[b] <= rank[a]]
        if not moved:
            break
        for name, at in moved:
            rank[name] = max(rank[name], at)
    for a, b in reversed(made.edges):  # what leads to one thing alone stands beside it
        if not any(end == a for _, end in made.edges) and sum(start == a for start, _ in made.edges) == 1:
            rank[a] = rank[b] - 1
    columns: list[list[str]] = [[] for _ in range(max(rank.values()) + 1)]
    for name, at in rank.items():
        columns[at].append(name)
    return [column for column in columns if column]


def _box(node: Node, x: float, y: float, tall: float) -> str:
    lines = "".join(
        f'<text x="{x + 12:g}" y="{y + 20 + _LINE * (at + 1):g}">{_cut(line)}</text>'
        for at, line in enumerate(node.lines)
    )
    whole = _plain(" | ".join((node.title, *node.lines)))
    return (
        f'<g class="{node.kind}"><title>{whole}</title><rect x="{x:g}" y="{y:g}" width="{_WIDE}" height="{tall:g}" rx="7"/>'
        f'<text class="t" x="{x + 12:g}" y="{y + 19:g}">{_cut(node.title)}</text>{lines}</g>'
    )


def _cut(text: str) -> str:
    """The end of a path tells more than its beginning."""
    short = (
        text
        if len(text) <= _LONGEST
        else f"…{text[-_LONGEST + 1 :]}"
        if "/" in text
        else f"{text[: _LONGEST - 1]}…"
    )
    return _plain(short)


def _plain(text: str) -> str:
    return str(escape("".join(c if c.isprintable() else "?" for c in text)))


def _edge(start: tuple[float, float, float], end: tuple[float, float, float]) -> str:
    x1, y1 = start[0] + _WIDE, start[1] + start[2] / 2
    x2, y2 = end[0], end[1] + end[2] / 2
    bend = max((x2 - x1) / 2, 24)
    return f'<path d="M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"/>'


_STYLE = (
    "svg{background:#f7f6f3;font:12.5px system-ui,sans-serif}rect{fill:#fff;stroke:#c9c6be}text{fill:#565d69}"
    ".t{fill:#1d2127;font-weight:600}path{fill:none;stroke:#a9a69e;stroke-width:1.3}"
    ".source rect{stroke-dasharray:4 3}.data rect{stroke:#1f5e8a}.version rect{stroke:#1f5e8a;stroke-width:2}"
    ".service rect{stroke:#176344}.window rect{stroke:#8a6d1f}"
    "@media(prefers-color-scheme:dark){svg{background:#121519}rect{fill:#1a1e24;stroke:#454c55}text{fill:#a7aeb9}"
    ".t{fill:#e9e7e2}path{stroke:#5a616b}.data rect,.version rect{stroke:#82b9e0}.service rect{stroke:#74cba2}"
    ".window rect{stroke:#d8b960}}"
)
