"""Opens and verifies a package and answers with it, compiled or native (floor 3)."""

from __future__ import annotations

from modelyard.predictor.answers import Answers, decide, label_array, middle, of_labels
from modelyard.predictor.fitted import Fitted
from modelyard.predictor.native import answer
from modelyard.predictor.open import Predictor, open_own, open_package
from modelyard.predictor.verify import digest, verify
from modelyard.predictor.vouch import signature_path, signatures, vouch, vouched
from modelyard.records.package import Manifest

__all__ = [
    "Answers",
    "Fitted",
    "Manifest",
    "Predictor",
    "answer",
    "decide",
    "digest",
    "label_array",
    "middle",
    "of_labels",
    "open_own",
    "open_package",
    "signature_path",
    "signatures",
    "verify",
    "vouch",
    "vouched",
]
