"""What a ``model.py`` imports; standard library only (floor 0)."""
