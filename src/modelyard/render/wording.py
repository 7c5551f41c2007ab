"""Metrics and figures as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

_HEADLINES: Mapping[str, tuple[str, ...]] = {
    "binary": ("roc_auc", "recall", "specificity", "brier"),
    "multiclass": ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc_ovr"),
    "multilabel": ("f1_macro", "subset_accuracy", "hamming_loss", "roc_auc_macro"),
    "regression": ("r2", "rmse", "mae", "mape"),
}
_QUANTILES = ("pinball", "coverage", "interval_width", "mae")
_LABELS: Mapping[str, tuple[str, str]] = {
    "subset_accuracy": ("Subset accuracy", "share of rows with every label right"),
    "hamming_loss": ("Hamming loss", "share of all labels that is wrong; 0 is perfect"),
    "f1_micro": ("F1, micro", "harmonic mean of precision and recall, all labels together"),
    "f1_macro": ("F1, macro", "mean over the labels of precision and recall's harmonic mean"),
    "precision_macro": (
        "Precision, macro",
        "mean over the labels; of the labels answered, the share that is right",
    ),
    "recall_macro": (
        "Recall, macro",
        "mean over the labels; of the labels that hold, the share that was found",
    ),
    "roc_auc_micro": ("ROC AUC, micro", "all labels ranked together; 0.5 is guessing"),
    "roc_auc_macro": ("ROC AUC, macro", "mean over the labels; 0.5 is guessing"),
    "average_precision_micro": ("Average precision, micro", "all labels ranked together"),
    "average_precision_macro": ("Average precision, macro", "mean over the labels"),
    "log_loss": ("Log loss", "surprise at each label's truth, in nats, mean over the labels; 0 is perfect"),
    "brier": ("Brier score", "mean squared distance of each label's probability and truth; 0 is perfect"),
}
OF_LABEL: Mapping[str, str] = {
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
}
UNIT_RANGE = {
    *(name for name in _LABELS if name != "log_loss"),
    "roc_auc",
    "roc_auc_ovr",
    "average_precision",
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "specificity",
    "f1",
    "f1_macro",
    "brier",
    "expected_calibration_error",
    "coverage",
    "coverage_error",
    "crossing",
}
_WORDS: Mapping[str, tuple[str, str]] = {
    "roc_auc": (
        "ROC AUC",
        "chance that a case of {positive} is ranked above one that is not; 0.5 is guessing",
    ),
    "roc_auc_ovr": ("ROC AUC, one against the rest", "mean over the classes; 0.5 is guessing"),
    "average_precision": ("Average precision", "area under the precision-recall curve"),
    "accuracy": ("Accuracy", "share of right answers"),
    "balanced_accuracy": ("Balanced accuracy", "share of right answers, each class counting the same"),
    "precision": ("Precision", "of the answers {positive}, the share that is right"),
    "recall": ("Recall (sensitivity)", "of the cases of {positive}, the share that was found"),
    "specificity": ("Specificity", "of all other cases, the share that was left alone"),
    "f1": ("F1", "harmonic mean of precision and recall"),
    "f1_macro": ("F1, macro", "mean over the classes of precision and recall's harmonic mean"),
    "mcc": ("Matthews correlation", "agreement of answer and truth, from \u22121 to 1; 0 is guessing"),
    "log_loss": ("Log loss", "surprise at the true answers, in nats; 0 is perfect"),
    "brier": ("Brier score", "mean squared distance of probability and outcome; 0 is perfect"),
    "expected_calibration_error": (
        "Calibration error",
        "mean distance of stated probability and observed share",
    ),
    "r2": ("R\u00b2", "share of the target's variance that is explained"),
    "rmse": ("RMSE", "root of the mean squared error, in the target's unit"),
    "mae": ("MAE", "mean absolute error, in the target's unit"),
    "median_absolute_error": (
        "Median absolute error",
        "half of the errors are smaller, in the target's unit",
    ),
    "demographic_parity": ("Demographic parity", "the same share of positive answers in each group"),
    "equal_opportunity": ("Equal opportunity", "the same share of positives found in each group"),
    "equalized_odds": ("Equalized odds", "the same shares of positives found and of false alarms"),
    "predictive_parity": ("Predictive parity", "positive answers are right as often in each group"),
    "mape": ("MAPE", "mean absolute error as a share of the true value"),
    "pinball": (
        "Pinball loss",
        "mean over the quantiles of the loss that each of them makes least, in the target's unit",
    ),
    "coverage": (
        "Coverage",
        "share of true values between the lowest and the highest quantile, ends included",
    ),
    "coverage_error": ("Coverage error", "distance of the coverage from what the levels promise"),
    "interval_width": ("Interval width", "mean distance of the highest and the lowest quantile"),
    "crossing": ("Crossing", "share of rows in which a higher level's number is below a lower level's"),
}


def headlines(task: str, quantiles: Sequence[float]) -> tuple[str, ...]:
    """The metrics that a reader looks at first."""
    return _QUANTILES if quantiles else _HEADLINES.get(task, ())


def number(value: float) -> str:
    """Four decimals below ten, fewer above, so that figures under one another compare."""
    if not math.isfinite(value):
        return "undefined"
    size = abs(value)
    if size >= 1e9 or 0 < size < 5e-4:
        return f"{value:.3e}".replace("-", "\u2212")
    digits = max(0, 5 - len(str(int(size))))
    text = f"{value:,.{digits}f}"
    return text.replace("-", "\u2212") if float(text.replace(",", "")) else f"{0:.{digits}f}"


def words(metric: str, task: str = "") -> tuple[str, str]:
    """A metric's name for people and what it says (``{positive}`` stands for the positive class)."""
    if metric in _LABELS and (task == "multilabel" or metric not in _WORDS):
        return _LABELS[metric]
    if metric not in _WORDS:
        for kind, name in OF_LABEL.items():
            if metric.startswith(f"{kind}_"):
                return f"{name} of {metric.removeprefix(f'{kind}_')}", ""
    kind, _, level = metric.partition("_p")
    if metric not in _WORDS and kind in ("pinball", "below") and level:
        percent = level.replace("_", ".") + "\u202f%"
        if kind == "pinball":
            return (
                f"Pinball loss at {percent}",
                "in the target's unit; the mean absolute error's half at 50\u202f%",
            )
        return f"At or below the {percent} quantile", "share of true values"
    return _WORDS.get(metric, (metric, ""))
