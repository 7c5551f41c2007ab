"""A project's weaknesses before they ship: secrets, code, dependencies, licences, pickles, containers (floor 4).

One file a check; each looks at what it is given and yields ``Weakness``. Nothing is fetched, run or loaded.
"""

from modelyard.scanning.allowed import sorted_out
from modelyard.scanning.code import code
from modelyard.scanning.containers import containers
from modelyard.scanning.dependencies import Dependency, dependencies, pinned
from modelyard.scanning.files import Files, committed, listed
from modelyard.scanning.licences import licences
from modelyard.scanning.pickles import pickles
from modelyard.scanning.sarif import sarif
from modelyard.scanning.secrets import secrets

__all__ = [
    "Dependency",
    "Files",
    "code",
    "committed",
    "containers",
    "dependencies",
    "licences",
    "listed",
    "pickles",
    "pinned",
    "sarif",
    "secrets",
    "sorted_out",
]
