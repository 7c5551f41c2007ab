"""Code that the project's authors wrote, as we run it: apart, heard, and blamed by line (floor 1)."""
