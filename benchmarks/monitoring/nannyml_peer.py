"""What NannyML 0.13.1 estimates; run by ``estimated.py`` in NannyML's own environment.

python nannyml_peer.py sets FOLDER      its labelled sets, as arrays, with its estimates
python nannyml_peer.py golden FILE      its estimates of made rows, for the tests
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
warnings.filterwarnings("ignore")
import nannyml as nml  # noqa: E402

CHUNKS = 10


def rows_of_two(rng: np.random.Generator, n: int, *, power: float, shift: float = 0.0) -> pd.DataFrame:
    """Scores whose true chance is their power."""
    score = np.clip(rng.beta(2 + shift, 2, n), 1e-6, 1 - 1e-6)
    truth = (rng.random(n) < score**power).astype(int)
    return pd.DataFrame({"chance": score, "said": (score > 0.5).astype(int), "truth": truth})


def rows_of_three(rng: np.random.Generator, n: int) -> pd.DataFrame:
    chances = rng.dirichlet([1.0, 1.5, 2.0], n)
    flat = chances**0.7 / (chances**0.7).sum(axis=1, keepdims=True)
    truth = (rng.random(n)[:, None] > flat.cumsum(axis=1)).sum(axis=1)
    frame = pd.DataFrame(chances, columns=["c0", "c1", "c2"])
    return frame.assign(said=chances.argmax(axis=1), truth=truth)


def figures(result: nml.base.Result, metrics: list[str]) -> list[dict[str, list[float]]]:
    table = result.filter(period="analysis").to_df()
    return [
        {m: [float(table[m]["value"].iloc[i]), float(table[m]["sampling_error"].iloc[i])] for m in metrics}
        for i in range(len(table))
    ]


def binary(reference: pd.DataFrame, analysis: pd.DataFrame, *, size: int, chance: str, said: str, truth: str):
    metrics = ["roc_auc", "accuracy", "precision", "recall", "specificity", "f1"]
    made = nml.CBPE(
        y_pred_proba=chance,
        y_pred=said,
        y_true=truth,
        metrics=metrics,
        chunk_size=size,
        problem_type="classification_binary",
    )
    made.fit(reference)
    return figures(made.estimate(analysis), metrics)


def multiclass(
    reference: pd.DataFrame, analysis: pd.DataFrame, *, size: int, chances: dict, said: str, truth: str
):
    metrics = ["roc_auc", "accuracy", "f1"]
    made = nml.CBPE(
        y_pred_proba=chances,
        y_pred=said,
        y_true=truth,
        metrics=metrics,
        chunk_size=size,
        problem_type="classification_multiclass",
    )
    made.fit(reference)
    return figures(made.estimate(analysis), metrics)


def golden(path: Path) -> None:
    found = {"nannyml": nml.__version__}
    for name, power in (("calibrated", 1.0), ("overconfident", 2.0)):
        rng = np.random.default_rng(0)
        reference = rows_of_two(rng, 2000, power=power)
        analysis = rows_of_two(rng, 1500, power=power, shift=1.0)
        found[name] = binary(reference, analysis, size=500, chance="chance", said="said", truth="truth")
    rng = np.random.default_rng(1)
    reference, analysis = rows_of_three(rng, 2000), rows_of_three(rng, 1500)
    chances = {k: f"c{k}" for k in range(3)}
    found["three"] = multiclass(reference, analysis, size=500, chances=chances, said="said", truth="truth")
    path.write_text(json.dumps(found, indent=1) + "\n")


def sets(folder: Path) -> None:
    two = {
        "synthetic binary": (
            nml.load_synthetic_binary_classification_dataset,
            "identifier",
            "work_home_actual",
        ),
        "car loan": (nml.load_synthetic_car_loan_dataset, "id", "repaid"),
        "employment (MA)": (nml.load_us_census_ma_employment_data, "id", "employed"),
    }
    told = {}
    for name, (load, key, truth) in two.items():
        reference, analysis, target = load()
        analysis = joined(analysis, target, key)
        said, chance = (
            ("prediction", "predicted_probability") if "employed" in reference else ("y_pred", "y_pred_proba")
        )
        reference, analysis = ready(reference, said, chance), ready(analysis, said, chance)
        size = len(analysis) // CHUNKS
        analysis = analysis.iloc[: size * CHUNKS]
        told[name] = {
            "task": "binary",
            "size": size,
            "estimates": binary(reference, analysis, size=size, chance=chance, said=said, truth=truth),
        }
        keep(folder, name, reference, analysis, said, truth, [chance])
    reference, analysis, target = nml.load_synthetic_multiclass_classification_dataset()
    analysis = joined(analysis, target, "identifier")
    size = len(analysis) // CHUNKS
    analysis = analysis.iloc[: size * CHUNKS]
    classes = sorted(reference["y_true"].unique())
    chances = {c: f"y_pred_proba_{c}" for c in classes}
    told["multiclass"] = {
        "task": "multiclass",
        "size": size,
        "estimates": multiclass(
            reference, analysis, size=size, chances=chances, said="y_pred", truth="y_true"
        ),
    }
    code = {c: k for k, c in enumerate(classes)}
    for frame in (reference, analysis):
        frame["y_pred"], frame["y_true"] = frame["y_pred"].map(code), frame["y_true"].map(code)
    keep(folder, "multiclass", reference, analysis, "y_pred", "y_true", list(chances.values()))
    reference, analysis, target = nml.load_synthetic_car_price_dataset()
    analysis = joined(analysis, target, "id" if "id" in analysis else None)
    size = len(analysis) // CHUNKS
    analysis = analysis.iloc[: size * CHUNKS]
    aside = {"y_pred", "y_true", "timestamp", "id"}
    features = [c for c in reference.columns if c not in aside]
    texts = {c: object for c in features if reference[c].dtype.kind not in "fiub"}
    reference, analysis = reference.astype(texts), analysis.astype(texts)
    made = nml.DLE(
        feature_column_names=features,
        y_pred="y_pred",
        y_true="y_true",
        metrics=["mae", "rmse"],
        chunk_size=size,
    )
    made.fit(reference)
    told["car price"] = {
        "task": "regression",
        "size": size,
        "estimates": figures(made.estimate(analysis), ["mae", "rmse"]),
    }
    keep(folder, "car price", reference, analysis, "y_pred", "y_true", [], features)
    (folder / "told.json").write_text(json.dumps(told))


def joined(analysis: pd.DataFrame, target: pd.DataFrame, key: str | None) -> pd.DataFrame:
    if key and key in analysis and key in target:
        return analysis.merge(target, on=key)
    return analysis.reset_index(drop=True).join(target.reset_index(drop=True), rsuffix="_again")


def ready(frame: pd.DataFrame, said: str, chance: str) -> pd.DataFrame:
    frame = frame.copy()
    if said not in frame:
        frame[said] = (frame[chance] > 0.5).astype(int)
    return frame


def keep(folder, name, reference, analysis, said, truth, chances, features=()):
    arrays = {}
    codes = {
        c: {v: i for i, v in enumerate(sorted(reference[c].dropna().unique()))}
        for c in features
        if reference[c].dtype.kind not in "fiub"
    }
    for part, frame in (("reference", reference), ("analysis", analysis)):
        arrays[f"{part}_said"] = frame[said].to_numpy(float)
        arrays[f"{part}_truth"] = frame[truth].to_numpy(float)
        if chances:
            arrays[f"{part}_chance"] = frame[chances].to_numpy(float)
        if len(features):
            table = [frame[c].map(codes[c]) if c in codes else frame[c] for c in features]
            arrays[f"{part}_features"] = np.column_stack([c.to_numpy(float) for c in table])
    np.savez(folder / f"{name}.npz", **arrays)


if __name__ == "__main__":
    {"sets": sets, "golden": golden}[sys.argv[1]](Path(sys.argv[2]))
