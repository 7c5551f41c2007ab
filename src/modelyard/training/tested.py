"""A plugin for pytest: ``my.used`` answers in a model's own tests as it does in training."""

from __future__ import annotations

import os
from pathlib import Path

from modelyard.authoring import use
from modelyard.predictor.open import opener
from modelyard.training.author_tests import FOLDER

use(opener(Path(os.environ[FOLDER])))
