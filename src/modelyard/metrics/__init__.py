"""Scores of models with their intervals, computed with NumPy (floor 1)."""
