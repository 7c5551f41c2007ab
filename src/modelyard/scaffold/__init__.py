"""A new project that builds and passes its tests at once (floor 4)."""
