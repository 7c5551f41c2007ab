"""A package as something to ask."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelyard.actions.about import About
from modelyard.errors import DataRefused, Misuse
from modelyard.records.package import Label, Manifest, Task
from modelyard.records.schema import Schema
from modelyard.render.cells import sheet
from modelyard.render.wording import headlines, number, words
from modelyard.tables import held

if TYPE_CHECKING:
    import polars as pl

    from modelyard.predictor import Answers, Predictor

ROWS = "the rows"


class Model:
    """A verified package, opened by the same code as in a service: what ``my.load`` gives."""

    def __init__(self, predictor: Predictor, about: About) -> None:
        self._predictor = predictor
        self.about = about
        """Its version, run, report, and where it is live."""

    @property
    def ref(self) -> str:
        return self.about.ref

    @property
    def manifest(self) -> Manifest:
        return self._predictor.manifest

    @property
    def schema(self) -> Schema:
        return self.manifest.schema

    @property
    def task(self) -> Task:
        return self.manifest.task

    @property
    def classes(self) -> tuple[Label, ...]:
        return self.manifest.classes

    @property
    def metrics(self) -> dict[str, float]:
        """What the report measured on the test split; empty where there is no report."""
        report = self.about.report
        return {} if report is None else {metric.name: metric.value for metric in report.metrics}

    def predict(self, rows: Any) -> Any:
        """Answers in the kind that the rows come in: a pandas frame (its index is kept), a Polars frame, or a list
        of dicts.

        ``prediction`` is a label or a number; ``probability_CLASS`` stand beside it where the model gives
        probabilities, ``quantile_LEVEL`` where it gives quantiles. Columns that are no features are left aside. Raises ``DataRefused`` or ``RequestRefused``,
        as a service would, for rows that do not fit the schema.
        """
        pandas = sys.modules.get("pandas")
        if pandas is not None and isinstance(rows, pandas.DataFrame):
            answers = self._columns(self._framed(self._of_pandas(rows)))
            return pandas.DataFrame(answers, index=rows.index)
        import polars as pl

        if isinstance(rows, pl.DataFrame):
            return pl.DataFrame(self._columns(self._framed(rows)))
        if isinstance(rows, Sequence) and all(isinstance(row, Mapping) for row in rows):
            return pl.DataFrame(self._columns(self._listed(rows))).to_dicts()
        raise Misuse(
            f"predict takes a pandas or Polars frame or a list of dicts, got a {type(rows).__name__}."
        )

    def _framed(self, frame: pl.DataFrame) -> Answers:
        from modelyard.actions.predict import answered

        features = [column.name for column in self.schema.features if column.name in frame.columns]
        return answered(self._predictor, frame.select(features), what=ROWS.capitalize())

    def _listed(self, rows: Sequence[Mapping[str, object]]) -> Answers:
        from modelyard.tables import decode
        from modelyard.tables.rules import of_features

        schema = of_features(self.schema)
        features = {column.name for column in schema.features}
        asked = [{name: value for name, value in row.items() if name in features} for row in rows]
        return self._predictor.predict(decode.compile(schema).records(asked, max_rows=sys.maxsize).batch)

    def _of_pandas(self, rows: Any) -> pl.DataFrame:
        """The features, column by column, so that one that has no type is named."""
        import polars as pl

        found = {}
        for column in self.schema.features:
            at = [place for place, name in enumerate(rows.columns) if name == column.name]
            if len(at) > 1:
                raise DataRefused(f"The rows have the column '{column.name}' twice; name each once.")
            if at:
                series = rows.iloc[:, at[0]]
                try:
                    found[column.name] = pl.from_pandas(series.reset_index(drop=True))
                except Exception as error:  # Arrow's own kinds of error, and what a value's conversion raises
                    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
                    raise DataRefused(f"The column '{column.name}' has no one type: {line}.") from None
        return pl.DataFrame(found)

    def _columns(self, answers: Answers) -> dict[str, Any]:
        columns: dict[str, Any] = {"prediction": answers.prediction.tolist()}
        if self.task == "multilabel":
            columns = dict(held.columns(columns["prediction"], self.classes))
        if answers.probability is not None:
            for at, label in enumerate(self.classes):
                columns[f"probability_{label}"] = answers.probability[:, at]
        if answers.quantiles is not None:
            for at, level in enumerate(self.manifest.quantiles):
                columns[f"quantile_{level:g}"] = answers.quantiles[:, at]
        return columns

    def __repr__(self) -> str:
        return "\n".join(
            [self._title(), *(f"  {name:<12} {value}" for name, value in self._facts() if value)]
        )

    def _repr_html_(self) -> str:
        return sheet(self._title(), "", self._facts())

    def _title(self) -> str:
        live = ", ".join(self.about.live)
        return f"{self.ref}{f', live in {live}' if live else ''}"

    def _facts(self) -> list[tuple[str, str]]:
        manifest, version, run = self.manifest, self.about.version, self.about.run
        form = "compiled (ONNX)" if manifest.form == "onnx" else "native"
        answers = f"{manifest.task}: {', '.join(map(str, manifest.classes))}".removesuffix(": ")
        return [
            ("answers", answers),
            ("form", f"{form}, Python {manifest.python}"),
            ("features", _few([column.name for column in self.schema.features])),
            ("target", ", ".join(self.schema.targets)),
            ("package", self.about.package.digest),
            ("trained", f"{run.started:%Y-%m-%d %H:%M} UTC on {run.dataset}, run {run.id}" if run else ""),
            ("parameters", ", ".join(f"{k}={v}" for k, v in run.params.items()) if run else ""),
            (
                "registered",
                f"{version.registered:%Y-%m-%d %H:%M} UTC by {version.by}" if version else "not yet",
            ),
            ("tested", self._tested()),
            ("deprecated", self._deprecated()),
        ]

    def _deprecated(self) -> str:
        told = self.about.deprecated
        if told is None:
            return ""
        instead = f"; use {self.manifest.model}@{told.successor}" if told.successor else ""
        return f"by {told.by}: {told.reason}{instead}"

    def _tested(self) -> str:
        report = self.about.report
        if report is None:
            return "not yet"
        names = headlines(report.task, report.quantiles)
        first = [m for name in names for m in report.metrics if m.name == name]
        told = [
            f"{words(m.name)[0]} {number(m.value)} [{number(m.low)}, {number(m.high)}]"
            for m in first or report.metrics[:4]
        ]
        verdict = "" if report.passed else "; gates failed"
        return f"{', '.join(told)} on {report.dataset}{verdict}"


def _few(names: Sequence[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{len(names)}: {', '.join(names[:most])}{more}"
