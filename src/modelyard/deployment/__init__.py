"""From an admitted version to a live one: application tests and targets (floor 4)."""
