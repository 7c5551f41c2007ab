"""From sources to a dataset version (floor 4)."""
