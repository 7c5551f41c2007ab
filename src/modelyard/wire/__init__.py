"""The protocols' codecs, for the server and for the clients that test it (floor 3)."""
