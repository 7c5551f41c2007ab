"""From a dataset version and a folder of code to a fitted model (floor 4)."""
