"""Rules that evaluation and promotion share (floor 3)."""
