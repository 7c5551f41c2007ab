"""What a package takes to answer: measured in a process of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec

from modelyard.errors import AuthorError
from modelyard.predictor.own import command, environ
from modelyard.records.footprint import Footprint
from modelyard.records.service import Own
from modelyard.records.trust import Trust


def footprint(folder: Path, digest: str, *, trust: Trust, own: Own | None = None) -> Footprint:
    """Of the package in ``folder``, on this machine as busy as it is now; ``trust`` lets code of it run. ``own`` says
    where its libraries are, where not here.

    ``AuthorError`` when it does not answer.
    """
    done = subprocess.run(
        [*command(own, "modelyard.predictor.footprint"), str(folder), digest],
        env=environ(own),
        capture_output=True,
        input=msgspec.json.encode(trust),
        check=False,
    )
    try:
        if done.returncode == 0:
            # what the author's code printed stands before
            return msgspec.json.decode(done.stdout.splitlines()[-1], type=Footprint)
    except (msgspec.MsgspecError, IndexError):
        pass
    said = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
    raise AuthorError(f"The package did not answer its golden rows in a process of its own: {said[-1]}")
