"""Loading a pickle, plain or joblib's: only of a package that a trusted key signed, and only with known names.

What a pickle names is looked up here alone, before anything is called with it, so that there is no scan that a
crafted file could read otherwise than the loader does.
"""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import warnings
import zlib
from typing import Any

from modelyard.errors import ExtraMissing, Tampered, Unconvertible
from modelyard.predictor.safe import require_bounds

PICKLES = ("model/model.joblib", "model/model.pkl")
LARGEST = 4 << 30
"""Bytes that a compressed one may hold."""

_NAMED = frozenset(
    {
        "_codecs.encode",
        "collections.OrderedDict",
        "collections.defaultdict",
        "copyreg._reconstructor",
        "datetime.date",
        "datetime.datetime",
        "datetime.time",
        "datetime.timedelta",
        "datetime.timezone",
        "decimal.Decimal",
        "fractions.Fraction",
        "joblib.numpy_pickle.NumpyArrayWrapper",
        "lightgbm.basic.Booster",
        "numpy.core.multiarray._reconstruct",
        "numpy.core.multiarray.scalar",
        "numpy.core.numeric._frombuffer",
        "numpy._core.multiarray._reconstruct",
        "numpy._core.multiarray.scalar",
        "numpy._core.numeric._frombuffer",
        "numpy.dtype",
        "numpy.ma.MaskedArray",
        "numpy.ma.core.MaskedArray",
        "numpy.ma.core._mareconstruct",
        "numpy.ndarray",
        "numpy.random.__RandomState_ctor",
        "numpy.random._mt19937.MT19937",
        "numpy.random._pcg64.PCG64",
        "numpy.random._pickle.__bit_generator_ctor",
        "numpy.random._pickle.__generator_ctor",
        "numpy.random._pickle.__randomstate_ctor",
        "numpy.random.bit_generator.SeedSequence",
        "numpy.random.bit_generator.__pyx_unpickle_SeedSequence",
        "xgboost.core.Booster",
    }
)
_BUILTINS = frozenset(
    [
        "bool",
        "bytearray",
        "bytes",
        "complex",
        "dict",
        "float",
        "frozenset",
        "int",
        "list",
        "object",
        "range",
        "set",
        "slice",
        "str",
        "tuple",
    ]
)
_CLASSES = ("lightgbm.sklearn", "scipy.interpolate", "scipy.sparse", "sklearn", "xgboost.sklearn")
"""Where every class may be named; those of scikit-learn's tests and its copies of others may not."""
_NEVER = (
    "sklearn.externals",
    "sklearn.utils._testing",
    "sklearn.utils._joblib",
    "sklearn.datasets",
    "sklearn.conftest",
)
_FUNCTIONS = ("sklearn.feature_selection", "sklearn.metrics")
_MADE = ("newObj", "__pyx_unpickle_")
"""How scikit-learn's compiled types are made again."""


def loads(content: bytes, where: str, own: frozenset[str] = frozenset()) -> Any:
    """The model in a pickle, whose package is signed.

    ``own`` are modules of the package's own code, which must be importable. Raises ``Unconvertible`` naming file and
    global for a name that is not known to be harmless, ``Tampered`` for a file that is damaged.
    """
    from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler

    class Wrapper(NumpyArrayWrapper):  # type: ignore[misc]
        """Arrays of objects are pickles within the pickle."""

        def read_array(self, unpickler: Any, *arguments: Any) -> Any:
            if self.dtype.hasobject:
                return Restricted("", unpickler.file_handle, True).load()
            return super().read_array(unpickler, *arguments)

        def read_mmap(self, _: Any) -> Any:
            raise Tampered(f"{where} asks to map a file.")

    class Restricted(NumpyUnpickler):  # type: ignore[misc]
        def find_class(self, module: str, name: str) -> Any:
            if f"{module}.{name}" == "joblib.numpy_pickle.NumpyArrayWrapper":
                return Wrapper
            return _found(module, name, where, own)

        def persistent_load(self, pid: Any) -> Any:
            raise Unconvertible(f"{where} refers to {str(pid)[:100]!r} outside of it.")

    plain = _plain(content, where)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = Restricted("", io.BytesIO(plain), True).load()
            require_bounds(model, where)
            return model
    except (Unconvertible, Tampered, ExtraMissing):
        raise
    except Exception as error:
        raise Tampered(f"{where} cannot be loaded: {type(error).__name__}: {str(error)[:200]}") from None


def _found(module: str, name: str, where: str, own: frozenset[str]) -> Any:
    full = f"{module}.{name}"
    refused = Unconvertible(
        f"{where} names {full[:200]}, which is not known to be harmless; it was not loaded."
    )
    root = module.partition(".")[0]
    if module in ("builtins", "__builtin__") and name in _BUILTINS:
        return getattr(importlib.import_module("builtins"), name)
    if "." in name and full not in _NAMED:
        raise refused
    if (
        root not in own
        and full not in _NAMED
        and root not in ("lightgbm", "numpy", "scipy", "sklearn", "xgboost")
    ):
        raise refused
    if root in ("numpy", "scipy") and full not in _NAMED and not _plausible(module):
        raise refused
    if _within(module, _NEVER):
        raise refused
    try:
        value = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            f"{where} needs {full[:200]}, and the library '{error.name}' is not installed."
        ) from None
    except AttributeError:
        raise Tampered(
            f"{where} names {full[:200]}, which is not there in the versions installed here."
        ) from None
    if root in own or full in _NAMED or _harmless(value, module, name):
        return value
    raise refused


def _plausible(module: str) -> bool:
    """Modules of NumPy and SciPy that are imported only for what they hold."""
    return _within(module, ("numpy", "scipy.interpolate", "scipy.sparse", "scipy.special")) and not _within(
        module, ("numpy.distutils", "numpy.f2py", "numpy.testing", "numpy.lib")
    )


def _harmless(value: Any, module: str, name: str) -> bool:
    import numpy as np

    home = getattr(value, "__module__", None) or ""
    if isinstance(value, np.ufunc):
        return True
    if isinstance(value, type):
        return issubclass(value, np.generic | np.dtype) or (
            _within(module, _CLASSES) and _within(home, _CLASSES) and not _within(home, _NEVER)
        )
    if name.startswith(_MADE):
        return _within(module, ("sklearn",))
    return _within(module, _FUNCTIONS) and _within(home, _FUNCTIONS)


def _within(module: str, places: tuple[str, ...]) -> bool:
    return any(module == place or module.startswith(f"{place}.") for place in places)


def _plain(content: bytes, where: str) -> bytes:
    """The pickle without joblib's compression, which is told by its first bytes."""
    try:
        if content.startswith(b"\x1f\x8b"):
            made = gzip.GzipFile(fileobj=io.BytesIO(content)).read(LARGEST + 1)
        elif content.startswith(b"BZ"):
            made = bz2.BZ2File(io.BytesIO(content)).read(LARGEST + 1)
        elif content.startswith((b"\xfd7zXZ", b"\x5d\x00")):
            with lzma.LZMAFile(io.BytesIO(content)) as file:
                made = file.read(LARGEST + 1)
        elif content.startswith(b"\x78"):
            made = zlib.decompressobj().decompress(content, LARGEST + 1)
        else:
            return content
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise Tampered(f"{where} is damaged: {error}.") from None
    if len(made) > LARGEST:
        raise Tampered(f"{where} holds more than {LARGEST:,} bytes when it is decompressed.")
    return made
