"""Settings and opened ports, handed down: the only composition root (floor 5)."""
