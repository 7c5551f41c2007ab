"""Templates and charts: one record to HTML, Markdown and JSON (floor 1)."""
