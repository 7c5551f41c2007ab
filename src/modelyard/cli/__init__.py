"""The command line: decode, one action or pipeline, encode (floor 9)."""


def main() -> None:
    raise SystemExit(2)
