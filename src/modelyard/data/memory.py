"""Memory that is used again, block after block, rather than given back and cleared anew."""

from __future__ import annotations

import os
import sys

_VARIABLE = "_RJEM_MALLOC_CONF"
"""Of the allocator in Polars' wheels, which reads it once, when the library is loaded."""


def load_polars() -> None:
    """Import Polars so that what it frees stays at hand for ten seconds, where nobody said or imported otherwise.

    A large ingest spends a third less time in the kernel, and takes some tens of megabytes more.
    """
    if "polars" in sys.modules or _VARIABLE in os.environ:
        return
    os.environ[_VARIABLE] = "dirty_decay_ms:10000"
    try:
        import polars  # noqa: F401
    finally:
        os.environ.pop(_VARIABLE, None)
