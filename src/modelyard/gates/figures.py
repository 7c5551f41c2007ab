"""Figures as a gate's sentence says them."""

from __future__ import annotations

ROUNDING = 1e-12
"""0.98 - 0.975 is a little more than 0.005."""
LEAST = {"min": "least", "max": "most"}


def show(value: float) -> str:
    """Four digits."""
    return f"{value:.4g}"


def p_value(value: float) -> str:
    """As ``p = 0.031``."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def apart(value: float, other: float) -> tuple[str, str]:
    """Both with as many digits as it takes to tell them apart: never '0.95, below 0.95'."""
    for digits in range(4, 17):
        shown, bound = f"{value:.{digits}g}", f"{other:.{digits}g}"
        if shown != bound or value == other:
            break
    return shown, bound
