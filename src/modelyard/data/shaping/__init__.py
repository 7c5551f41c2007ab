"""What a transform makes of a dataset's sources: one table, out of core (floor 4)."""
