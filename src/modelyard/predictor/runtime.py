"""ONNX Runtime, told to report to nobody.

Its wheels send events about the models that they run to their maker, and keep an identity of the machine below
``~/.cache``, unless this variable is set before they are loaded.
"""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

__all__ = ["onnxruntime"]
