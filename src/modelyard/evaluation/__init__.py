"""From a package and the test split to a report (floor 4)."""
