"""What a table is: schema, check, profile, digest, split, batches, storage mapping (floor 2)."""
