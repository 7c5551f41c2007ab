"""The facts of a yard as frozen records without I/O (floor 0).

One module a noun. Times are timezone-aware UTC; ids of content are ``sha256`` hex digests.
"""
