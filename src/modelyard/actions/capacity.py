"""``capacity``: what a load takes, from a load test that was kept."""

from __future__ import annotations

from pathlib import Path

import msgspec

from modelyard.actions.written import written
from modelyard.errors import Misuse, StoreDown
from modelyard.loadtest import capacity as computed
from modelyard.records.capacity import Capacity, Wish
from modelyard.records.load import LoadTest


def capacity(path: Path, wish: Wish) -> Capacity:
    """Read what ``loadtest --json`` printed, and compute. Raises ``Misuse`` for anything else, ``StoreDown``."""
    try:
        test = msgspec.json.decode(path.read_bytes(), type=LoadTest)
    except msgspec.MsgspecError as error:
        raise Misuse(
            f"{path} holds no load test ({error}); write one by 'modelyard loadtest MODEL --slo p99=50ms --json > {path}'."
        ) from None
    except OSError as error:
        raise StoreDown(f"{path} cannot be read: {error.strerror}.") from None
    if not test.levels:
        raise Misuse(f"{path} holds a load test without a level; run it again.")
    return computed(test, wish)


def write(found: Capacity, *, page: Path | None, text: Path | None) -> list[Path]:
    """Put it down as a page and as Markdown, where they are asked for."""
    from modelyard.render import capacity as rendered

    asked = ((page, rendered.page), (text, rendered.text))
    return [written(path, make(found)) for path, make in asked if path is not None]
