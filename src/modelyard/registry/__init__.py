"""Versions, admission, reviews and releases: the rules of what may go where (floor 4)."""
