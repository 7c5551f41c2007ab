"""From a window of logged predictions to findings (floor 4)."""
