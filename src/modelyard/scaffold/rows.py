"""Real tables that templates bring, as CSV files."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Mapping

Row = dict[str, str | float]
KEY, TARGET = "patient_id", "diagnosis"
PROGRESSION = "progression"
_PASSENGERS = """
112 118 132 129 121 135 148 148 136 119 104 118 115 126 141 135 125 149 170 170 158 133 114 140
145 150 178 163 172 178 199 199 184 162 146 166 171 180 193 181 183 218 230 242 209 191 172 194
196 196 236 235 229 243 264 272 237 211 180 201 204 188 235 227 234 264 302 293 259 229 203 229
242 233 267 269 270 315 364 347 312 274 237 278 284 277 317 313 318 374 413 405 355 306 271 306
315 301 356 348 355 422 465 467 404 347 305 336 340 318 362 348 363 435 491 505 404 359 310 337
360 342 406 396 420 472 548 559 463 407 362 405 417 391 419 461 472 535 622 606 508 461 390 432
"""


def tumours() -> list[Row]:
    """569 rows: ``patient_id``, thirty numbers and ``diagnosis`` (``benign`` or ``malignant``)."""
    from sklearn.datasets import load_breast_cancer

    bundle = load_breast_cancer()
    names = [str(name).replace(" ", "_") for name in bundle.feature_names]
    labels = [str(label) for label in bundle.target_names]
    return [
        {KEY: _id(number), **dict(zip(names, map(float, values), strict=True)), TARGET: labels[int(label)]}
        for number, (values, label) in enumerate(zip(bundle.data, bundle.target, strict=True), start=1)
    ]


def diabetes() -> list[Row]:
    """442 rows: ``patient_id``, ten measurements in their own units and ``progression`` after a year."""
    from sklearn.datasets import load_diabetes

    bundle = load_diabetes(scaled=False)
    names = [str(name) for name in bundle.feature_names]
    return [
        {KEY: _id(number), **dict(zip(names, map(float, values), strict=True)), PROGRESSION: float(target)}
        for number, (values, target) in enumerate(zip(bundle.data, bundle.target, strict=True), start=1)
    ]


def passengers() -> list[Row]:
    """144 rows: ``month`` from January 1949 and ``passengers`` in thousands."""
    return [
        {"month": dt.date(1949 + at // 12, at % 12 + 1, 1).isoformat(), "passengers": int(count)}
        for at, count in enumerate(_PASSENGERS.split())
    ]


TABLES: Mapping[str, tuple[str, Callable[[], list[Row]]]] = {
    "classification": ("patients", tumours),
    "regression": ("patients", diabetes),
    "timeseries": ("passengers", passengers),
}
"""By template: the table's name and its rows."""


def as_csv(rows: list[Row]) -> str:
    """With a header; the same text every time."""
    file = io.StringIO()
    writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _id(number: int) -> str:
    return f"P{number:04}"
