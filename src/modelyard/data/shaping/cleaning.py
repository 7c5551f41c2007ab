"""``parse``, ``cast`` and ``rename``: one source's columns as the settings want them, piece by piece."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from modelyard.data.place import Place
from modelyard.data.texts import NULLS
from modelyard.errors import DataRefused, SettingsError
from modelyard.records.schema import Column, Kind, Schema
from modelyard.settings import TransformSettings
from modelyard.tables.kinds import DTYPES, kind_of, read_dates, read_datetimes
from modelyard.tables.rules import show

_NUMBERS = {"1.234,5": (".", ","), "1,234.5": (",", ".")}
"""What parts thousands and decimals."""
_TIMES = re.compile(r"%[-_0^#]?[HIklMSTRXrcspPfsz:]")
_EXACT = 2**53
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")


@dataclass(frozen=True)
class Lost:
    """Values of one column that could not be read as the settings want them; the first one's row from 0."""

    row: int
    value: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    """What is asked of one source's columns, all named as they are there."""

    parse: Mapping[str, str] = field(default_factory=dict)
    cast: Mapping[str, Kind] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)

    def check(self, names: Sequence[str], source: str, where: str) -> None:
        """``where`` the columns are named. Raises ``SettingsError`` for a column that is not there and a new name
        that is."""
        for setting, asked in (("parse", self.parse), ("cast", self.cast), ("rename", self.rename)):
            for name in asked:
                if name not in names:
                    raise SettingsError(
                        f"'{setting}': {source} has no column '{name}'; {nearest(name, names)} (They are those of {where}.)"
                    )
        after = [self.rename.get(name, name) for name in names]
        for at, name in enumerate(after):
            if name in after[:at]:
                raise SettingsError(f"'rename' gives {source} two columns '{name}'; choose another name.")

    def hints(self) -> Schema | None:
        """Columns whose texts must be read as they are written."""
        texts = [*self.parse, *(name for name, kind in self.cast.items() if kind == "string")]
        columns = tuple(Column(name=name, kind="string", nullable=True) for name in dict.fromkeys(texts))
        return Schema(columns=columns) if columns else None

    def clean(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Lost]]:
        """The frame, and by column what did not survive."""
        lost: dict[str, Lost] = {}

        def put(asked: str, name: str, before: pl.Series, after: pl.Series) -> pl.DataFrame:
            gone = (after.is_null() & before.is_not_null()).arg_true()
            if gone.len():
                row = int(gone[0])
                lost[f"{asked}.{name}"] = Lost(row, show(frame[name][row]), gone.len())
            return frame.with_columns(after.alias(name))

        for name, form in self.parse.items():
            texts = _blanked(frame[name])
            frame = put("parse", name, texts, _parsed(texts, form))
        for name, kind in self.cast.items():
            frame = put("cast", name, frame[name], _cast(frame[name], kind))
        return frame.rename(dict(self.rename)), lost

    def refuse(self, rows: Sequence[int], lost: Sequence[Mapping[str, Lost]], place: Place) -> None:
        """Raises ``DataRefused`` for the first column of which values were lost, over all pieces."""
        for asked in (*(f"parse.{n}" for n in self.parse), *(f"cast.{n}" for n in self.cast)):
            found = [(sum(rows[:at]), piece[asked]) for at, piece in enumerate(lost) if asked in piece]
            if not found:
                continue
            (before, first), count = found[0], sum(one.count for _, one in found)
            setting, _, name = asked.partition(".")
            wanted = f"as '{self.parse[name]}'" if setting == "parse" else f"to {self.cast[name]}"
            does = f"cannot be read {wanted}" if setting == "parse" else f"is lost in a cast {wanted}"
            more = f" ({count} values in all)" if count > 1 else ""
            raise DataRefused(
                f"{place.of(before + first.row + 1)}: '{name}' is {first.value}, which {does}{more}; "
                f"change '{setting}' or mend the source."
            )


def cleanings(transform: TransformSettings, sources: Sequence[str]) -> dict[str, Cleaning]:
    """By source. Raises ``SettingsError`` for a name without its source's, where there are several."""
    parts: dict[str, dict[str, dict[str, str]]] = {name: {} for name in sources}
    for setting in ("parse", "cast", "rename"):
        for asked, value in getattr(transform, setting).items():
            source, column = sources[0], asked
            if sources != ["source"]:
                source, dot, column = asked.partition(".")
                if not dot or source not in sources:
                    raise SettingsError(
                        f"'{setting}': '{asked}' names no column of a source; write SOURCE.COLUMN "
                        f"of one of the sources {', '.join(sources)}."
                    )
            parts[source].setdefault(setting, {})[column] = value
            if setting == "parse" and value not in _NUMBERS and "%" not in value:
                known = ", ".join(f"'{one}'" for one in _NUMBERS)
                raise SettingsError(
                    f"'parse': '{value}' of '{asked}' is no format; write one of dates such as '%d/%m/%Y', "
                    f"or of numbers: {known}."
                )
    return {name: Cleaning(**asked) for name, asked in parts.items()}  # type: ignore[arg-type]


def nearest(name: str, names: Sequence[str]) -> str:
    """The end of a sentence about a name that is not there."""
    near = difflib.get_close_matches(name, names, n=1)
    known = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return f"did you mean '{near[0]}'? (There are {known}.)" if near else f"there are {known}."


def _blanked(series: pl.Series) -> pl.Series:
    """Texts, as written; blanks, ``NA`` and their like are null."""
    if series.dtype in (pl.Date, pl.Datetime, pl.Boolean):
        return series
    texts = series.cast(pl.String).str.strip_chars()
    return texts.set(texts.is_in(NULLS).fill_null(False), None)


def _parsed(texts: pl.Series, wanted: str) -> pl.Series:
    if wanted in _NUMBERS:
        return _number(texts, *_NUMBERS[wanted])
    timed = bool(_TIMES.search(wanted))
    if texts.dtype != pl.String:
        return texts if texts.dtype in (pl.Date, pl.Datetime) else texts.clear(texts.len())
    kind = pl.Datetime("us", "UTC" if "%z" in wanted or "%:z" in wanted else None) if timed else pl.Date()
    try:
        found = texts.str.strptime(kind, wanted, strict=False)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(f"'parse': '{wanted}' is no format of dates: {reason}.") from None
    return found.dt.replace_time_zone("UTC") if timed and found.dtype.time_zone is None else found  # type: ignore[attr-defined]


def _number(texts: pl.Series, thousands: str, decimal: str) -> pl.Series:
    if texts.dtype.is_numeric() or texts.dtype != pl.String:
        return texts if texts.dtype.is_numeric() else texts.clear(texts.len())
    grouped = rf"^[+-]?(?:[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+|[0-9]+)?(?:{re.escape(decimal)}[0-9]+)?$"
    fits = texts.str.contains(grouped).fill_null(False)
    plain = texts.str.replace_all(thousands, "", literal=True).str.replace_all(decimal, ".", literal=True)
    return plain.set(~fits, None).cast(pl.Float64, strict=False)


def _cast(series: pl.Series, kind: Kind) -> pl.Series:
    """Null where a value would be another than it was."""
    wanted = DTYPES[kind]
    if series.dtype == wanted or series.null_count() == series.len():
        return series.cast(wanted)
    was = kind_of(series.dtype)
    if was == "string":
        return _of_texts(series, kind)
    if kind == "string":
        return series.cast(pl.String)
    if was == "float" and kind == "integer":
        whole = (series == series.floor()) & (series.abs() <= _EXACT)
        return series.set(~whole.fill_null(False), None).cast(wanted, strict=False)
    if was == "integer" and kind == "float":
        return series.set((series.abs() > _EXACT).fill_null(False), None).cast(wanted)
    if kind == "boolean" and was in ("integer", "float"):
        return series.set(~series.is_in([0, 1]).fill_null(False), None).cast(wanted)
    if was == "boolean" and kind in ("integer", "float"):
        return series.cast(wanted)
    if was == "date" and kind == "datetime":
        return series.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if was == "datetime" and kind == "date":
        day = series.dt.date()
        midnight = day.cast(pl.Datetime("us")).dt.replace_time_zone("UTC") == series
        return day.set(~midnight.fill_null(False), None)
    return pl.Series(series.name, [None], dtype=wanted).new_from_index(0, series.len())


def _of_texts(series: pl.Series, kind: Kind) -> pl.Series:
    texts = series.str.strip_chars()
    if kind == "boolean":
        lower = texts.str.to_lowercase()
        return (lower.is_in(_TRUE)).set(~lower.is_in(_TRUE + _FALSE).fill_null(False), None)
    if kind == "date":
        return read_dates(texts)
    if kind == "datetime":
        return read_datetimes(texts)
    return texts.cast(DTYPES[kind], strict=False)
