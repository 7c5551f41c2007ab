"""One verb a file: load, call a stage, save, append the event (floor 6)."""
