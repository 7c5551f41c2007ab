"""Conformance kits for every port, for our own backends and anybody else's (floor 3)."""
