"""Which actions, in which order (floor 7)."""
