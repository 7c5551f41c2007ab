"""What starts a build again: each trigger looks, the policy decides, a pipeline does it (floor 8).

``consider`` looks at every trigger of a model once and puts the decision on record; ``pursue`` carries out a yes and
takes a retraining further that is under way.
"""

from __future__ import annotations

from modelyard.triggers.consider import consider
from modelyard.triggers.pursue import Pursued, pursue

__all__ = ["Pursued", "consider", "pursue"]
