"""Which prediction an outcome is of, and what is known of each prediction by now.

An outcome by ``request_id`` is of that request's row, whenever it came. A client's id, or what the features say, may
be of several predictions: the outcome is of the newest that was made before it came to be true (before it was told,
where it has no time), clocks being allowed ``SKEW``. One by a client's id that is of none so is of the first made
after it. Of several outcomes for one prediction the last that arrived counts; the others stay in the table.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import msgspec
import polars as pl

from modelyard.errors import DataRefused
from modelyard.monitoring.outcomes import told
from modelyard.monitoring.reading import features, predictions, window
from modelyard.monitoring.sheet import AT
from modelyard.records.outcome import CLIENT, REQUEST
from modelyard.records.package import Label, Task
from modelyard.records.schema import Schema
from modelyard.tables.kinds import DTYPES, convert

SKEW = dt.timedelta(minutes=5)
"""How far the clocks of services and of those who tell outcomes may be apart."""
PLACE = ["request_id", "row"]
ORDER = ["arrived", "writer", "number"]
RESOLVED: dict[str, pl.DataType] = {"request_id": pl.String(), "row": pl.Int64(), "predicted": AT}


def resolved(
    found: pl.DataFrame, tables: Path, folder: Path, *, environment: str, model: str
) -> pl.DataFrame:
    """The outcomes with the prediction that each is of: ``request_id``, ``row`` and ``predicted``, null where none is.

    ``found`` is as of ``outcomes.told``. Raises ``StoreDown`` when log or tables cannot be read.
    """
    parts = [pl.DataFrame(schema=dict(found.schema) | RESOLVED)]
    for (by,), some in found.rename({"row": "of"}).group_by("by", maintain_order=True):
        names = [] if by in (REQUEST, CLIENT) else msgspec.json.decode(str(by), type=list[str])
        there = predictions(
            tables, folder, environment=environment, model=model, names=names, ids=_wanted(str(by), some)
        )
        parts.append(_one_way(str(by), some, there).select(parts[0].columns))
    return pl.concat(parts).sort(ORDER)


def _wanted(by: str, some: pl.DataFrame) -> tuple[str, pl.Series] | None:
    return (by, some["id"].unique()) if by in (REQUEST, CLIENT) else None


def _one_way(by: str, some: pl.DataFrame, there: pl.DataFrame) -> pl.DataFrame:
    there = there.select(pl.col("at").alias("predicted"), "request_id", "row", "key")
    if by == REQUEST:
        joined = some.join(
            there.drop("key"), left_on=["id", "of"], right_on=PLACE, how="left", coalesce=False
        )
        return joined.with_columns(pl.col("row").fill_null(pl.col("of")), pl.col("id").alias("request_id"))
    if by == CLIENT:
        there = there.with_columns(pl.col("row").alias("of"))
        keys = ["id", "of"]
    else:
        keys = ["id"]  # of features each row has its own, so an outcome's ``row`` says nothing
    there = there.rename({"key": "id"}).sort("predicted")
    some = some.with_columns(moment=pl.coalesce("at", "arrived") + SKEW).sort("moment")
    before = some.join_asof(
        there, left_on="moment", right_on="predicted", by=keys, strategy="backward", check_sortedness=False
    )
    if by != CLIENT:
        return before
    missing = before["predicted"].is_null()
    after = some.filter(missing).join_asof(
        there, left_on="moment", right_on="predicted", by=keys, strategy="forward", check_sortedness=False
    )
    return pl.concat([before.filter(~missing), after])


def known(truths: pl.DataFrame) -> pl.DataFrame:
    """One row for each prediction that an outcome is of: ``truth`` (JSON), ``arrived`` (when the first came), ``tellings``
    and ``values``, how many outcomes there were and how many different ones.

    ``truths`` is as of ``resolved``.
    """
    of_some = truths.filter(pl.col("predicted").is_not_null())
    return of_some.group_by(PLACE).agg(
        pl.col("outcome").last().alias("truth"),
        pl.col("arrived").first(),
        pl.len().alias("tellings"),
        pl.col("outcome").n_unique().alias("values"),
    )


def typed(truth: pl.Series, task: Task, classes: Sequence[Label]) -> pl.Series:
    """Outcomes (JSON) as the model has them: float64 of a regression, else places among ``classes``; null where a
    version did not know the class."""
    if task == "regression":
        return truth.cast(pl.Float64, strict=False)
    places = {msgspec.json.encode(label).decode(): place for place, label in enumerate(classes)}
    return truth.replace_strict(places, default=None, return_dtype=pl.Int64)


def with_truth(
    rows: pl.DataFrame, tables: Path, folder: Path, *, environment: str, model: str
) -> pl.DataFrame:
    """A window's rows with ``truth``, ``arrived``, ``tellings`` and ``values`` of ``known``, null where nothing is known."""
    found = told(tables, folder, environment=environment, model=model)
    truths = resolved(found, tables, folder, environment=environment, model=model)
    return rows.join(known(truths), on=PLACE, how="left", maintain_order="left")


def labelled(
    tables: Path,
    folder: Path,
    *,
    environment: str,
    model: str,
    schema: Schema,
    start: dt.datetime,
    end: dt.datetime,
    version: int | None = None,
    key: str | None = None,
) -> pl.DataFrame:
    """Predictions of that time whose outcome is known as rows to learn from: the features and the target of ``schema``
    in their storage types, in the order of time. Its key, which a request does not hold, is not among them; ``key``
    names a column of texts to tell them by: the request's id and the row.

    Raises ``DataRefused`` when the predictions lack a feature, ``StoreDown`` when log or tables cannot be read.
    """
    assert schema.target is not None
    target = schema.column(schema.target)
    place = {"environment": environment, "model": model}
    rows = window(tables, folder, start=start, end=end, version=version, **place)
    wanted = [*schema.features, target]
    named: dict[str, pl.DataType] = {key: pl.String()} if key else {}
    if rows.is_empty():
        return pl.DataFrame(schema={c.name: DTYPES[c.kind] for c in wanted} | named)
    rows = with_truth(rows, tables, folder, **place).filter(pl.col("truth").is_not_null())
    asked = features(rows)
    if absent := [c.name for c in schema.features if c.name not in asked.columns]:
        raise DataRefused(
            f"The predictions of {model} in {environment} hold no '{absent[0]}': ask for one version."
        )
    values = {text: msgspec.json.decode(text) for text in rows["truth"].unique()}
    truth = pl.Series(target.name, [values[text] for text in rows["truth"]], dtype=DTYPES[target.kind])
    found = asked.select(convert(asked[c.name], c) for c in schema.features).with_columns(truth)
    if key is None:
        return found
    return found.with_columns(rows.select(pl.format("{}:{}", *PLACE).alias(key)))


def reckon(truths: pl.DataFrame, writer: str) -> dict[str, int]:
    """Of all ``truths`` (as of ``resolved``), what those are that this writer told; and ``labelled``, how many
    predictions have an outcome by now."""
    place = [pl.coalesce("request_id", pl.concat_str("by", "id", separator=" ")), pl.col("row")]
    before = pl.col("outcome").shift(1).over(place)
    mine = truths.with_columns(before=before).filter(pl.col("writer") == writer)
    counts = mine.select(
        joined=pl.col("predicted").is_not_null().sum(),
        unknown=pl.col("predicted").is_null().sum(),
        repeated=(pl.col("before") == pl.col("outcome")).sum(),
        corrected=(pl.col("before") != pl.col("outcome")).sum(),
        early=(pl.col("at") + SKEW < pl.col("predicted")).sum(),
    ).row(0, named=True)
    known_ = truths.filter(pl.col("predicted").is_not_null())
    return counts | {"labelled": known_.select(pl.struct(PLACE).n_unique()).item()}
