"""A chart of a page as a picture of its own: with colours, for where no page gives them."""

from __future__ import annotations

import re

_COLOURS = {
    "--ink": "#1d2127",
    "--muted": "#565d69",
    "--line": "#e3e1db",
    "--accent": "#1f5e8a",
    "--surface": "#ffffff",
}
"""Those of ``page.css`` in the light; on a dark page the picture stays a light one."""


def picture(svg: str) -> bytes:
    """The SVG on a ground of its own."""
    for variable, colour in _COLOURS.items():
        svg = svg.replace(f"var({variable})", colour)
    svg = svg.replace("inherit", "Helvetica, Arial, sans-serif")
    ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
    return re.sub(r"(<svg [^>]*>)", rf"\1{ground}", svg, count=1).encode()


def raster(svg: str) -> bytes:
    """The same as PNG, at twice its size."""
    import vl_convert

    content: bytes = vl_convert.svg_to_png(picture(svg).decode(), scale=2)
    return content
