"""The yard's own backends: database, audit chain, artifact store (floor 1)."""
