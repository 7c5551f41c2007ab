"""From a fitted model to an immutable package (floor 4)."""
