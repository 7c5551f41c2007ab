"""The prediction log: format, writer, reader, collection (floor 3)."""
