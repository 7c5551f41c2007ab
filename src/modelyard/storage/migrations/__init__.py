"""Alembic's migrations of the yard's tables."""
