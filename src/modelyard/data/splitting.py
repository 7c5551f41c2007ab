"""What the settings ask of a split, and whether a version was dealt so (no Polars)."""

from __future__ import annotations

from pathlib import Path

from modelyard.data.fingerprint import fingerprint
from modelyard.errors import SettingsError
from modelyard.records.dataset import Split
from modelyard.settings import SplitSettings


def declared(settings: SplitSettings, root: Path) -> Split:
    """The split as declared; a time that is still to be chosen is None, and so are the shares found.

    Raises ``SourceMissing`` when the holdout file is not there.
    """
    files = fingerprint(settings.holdout, root) if settings.holdout else ()
    if files is None or len(files) > 1:
        raise SettingsError(f"The split's 'holdout' must name one file, not '{settings.holdout}'.")
    return Split(
        test=settings.test,
        seed=settings.seed,
        stratify=settings.stratify,
        group=(settings.group,) if isinstance(settings.group, str) else settings.group,
        time=settings.time,
        after=settings.after,
        column=settings.column,
        test_value=settings.test_value,
        holdout=files[0] if files else None,
        folds=settings.folds,
    )


def agrees(split: Split, asked: Split) -> bool:
    """Whether rows dealt by ``split`` are dealt as ``asked``; a time that was chosen agrees with none asked."""
    rules = ("test", "seed", "stratify", "group", "time", "column", "test_value", "holdout", "folds")
    same = all(getattr(split, name) == getattr(asked, name) for name in rules)
    return same and asked.after in (None, split.after)
