"""Opens and verifies a package and predicts (floor 3)."""
