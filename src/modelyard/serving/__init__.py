"""The processes that answer predictions (floor 4)."""
