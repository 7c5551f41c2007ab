"""A Vega-Lite chart as SVG, drawn without a browser or network."""

from __future__ import annotations

from modelyard.errors import AuthorError


def drawn(spec: bytes, name: str) -> bytes:
    """The chart of this specification; ``AuthorError`` naming it when it is none."""
    import vl_convert

    try:
        svg: str = vl_convert.vegalite_to_svg(spec.decode(), allowed_base_urls=[])
    except ValueError as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise AuthorError(f"The chart '{name}' is no Vega-Lite that can be drawn: {reason[:300]}") from None
    return svg.encode()
