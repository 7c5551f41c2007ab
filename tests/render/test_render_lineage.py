"""The drawing of a lineage: every thing once, left to right, whatever it is called and however many there are."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from modelyard.records.dataset import SourceFile
from modelyard.records.lineage import Lineage, ModelLineage, TrainedRun, TrainedVersion, Window
from modelyard.render.lineage import MOST, graph, svg
from modelyard.testing import samples

HOSTILE = "<script>a</script>&\"'\x07\u202e" + "x" * 300


def model(number: int = 1, **fields: Any) -> ModelLineage:
    sources = (SourceFile(path=HOSTILE, size=7, sha256="ab" * 32),)
    made = ModelLineage(
        version=samples.version(number, by=HOSTILE),
        run=samples.run(f"r{number}"),
        data=samples.dataset(sources=sources),
        attested={"report.json": "a" * 64, "card.md": "b" * 64, "k.sig": "c" * 64},
        releases=(
            replace(samples.release(), status="replaced"),
            replace(samples.release(), id=2, status="live"),
        ),
        windows=(
            Window(
                environment="test",
                since="2026-01-01T00:00:00",
                until="2026-01-01T01:00:00",
                rows=9,
                alerts=2,
                judged=True,
            ),
        ),
    )
    return replace(made, **fields)


def drawn(found: Lineage | ModelLineage) -> ElementTree.Element:
    text = svg(found)
    assert "<script" not in text
    assert "\x07" not in text
    return ElementTree.fromstring(text)


def boxes(root: ElementTree.Element) -> list[tuple[float, float, float, float]]:
    found = root.iter("{http://www.w3.org/2000/svg}rect")
    return [tuple(float(box.attrib[k]) for k in ("x", "y", "width", "height")) for box in found]  # type: ignore[misc]


def test_edges_lead_from_left_to_right() -> None:
    made = graph(model())
    assert [node.kind for node in made.nodes.values()] == [
        "data",
        "source",
        "run",
        "version",
        "service",
        "window",
    ]
    assert ("patients@1", "run r1") in made.edges
    assert ("run r1", "screening@1") in made.edges
    root = drawn(model())
    for path in root.iter("{http://www.w3.org/2000/svg}path"):
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", path.attrib["d"])]
        assert numbers[0] < numbers[-2]
    words = "".join(root.itertext())
    for told in ("report.json, card.md", "1 signature", "live, 2026-01-02", "2 alerts", "code "):
        assert told in words


def test_boxes_lie_apart_and_within() -> None:
    used = model(2, data=None, uses=(model(3, data=None),))
    root = drawn(model(uses=(used,), used_by=(model(4, data=None),)))
    _, _, wide, high = (float(n) for n in root.attrib["viewBox"].split())
    found = boxes(root)
    for at, (x, y, w, h) in enumerate(found):
        assert 0 <= x <= x + w <= wide
        assert 0 <= y <= y + h <= high
        for u, v, m, n in found[:at]:
            assert x >= u + m or u >= x + w or y >= v + n or v >= y + h


@pytest.mark.parametrize("many", [0, 1, MOST, MOST + 1, 5000])
def test_many_files_are_counted(many: int) -> None:
    sources = tuple(SourceFile(path=f"data/{n}.csv", size=n, sha256="") for n in range(many))
    version = TrainedVersion(version=samples.version(), releases=(samples.release(),))
    found = Lineage(
        dataset=samples.dataset(sources=sources), runs=(TrainedRun(run=samples.run(), versions=(version,)),)
    )
    root = drawn(found)
    assert len(boxes(root)) == min(many, MOST) + (many > MOST) + 4
    assert (f"and {many - MOST:,} more" in "".join(root.itertext())) == (many > MOST)


def test_a_version_of_which_nothing_is_known_is_drawn() -> None:
    assert len(boxes(drawn(ModelLineage(version=samples.version())))) == 1
