from __future__ import annotations

from xml.etree import ElementTree

from modelyard.render.cells import grid, sheet

HOSTILE = "</td><script>alert(1)</script>\x1b[31m"


def test_every_text_is_escaped_and_what_comes_out_is_well_formed() -> None:
    for page in (
        sheet(HOSTILE, HOSTILE, [(HOSTILE, HOSTILE)]),
        grid(HOSTILE, HOSTILE, [HOSTILE, "n"], [[HOSTILE, 3]], right=(1,)),
    ):
        root = ElementTree.fromstring(page)
        assert {element.tag for element in root.iter()} <= {
            "div",
            "b",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
        }
        assert "\x1b" not in page
        texts = [text for text in root.itertext() if "alert" in text]
        assert len(texts) == 4
        assert all(text.strip() == HOSTILE.replace("\x1b", "?") for text in texts)


def test_a_line_without_anything_to_say_is_left_out_and_a_zero_is_not() -> None:
    page = sheet("t", "", [("gone", None), ("empty", ""), ("zero", 0)])
    assert "gone" not in page
    assert "empty" not in page
    assert "zero" in page
