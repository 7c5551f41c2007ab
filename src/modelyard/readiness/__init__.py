"""Whether a model is ready for production: the 28 tests of the ML Test Score (floor 4).

Breck, Cai, Nielsen, Salib and Sculley: The ML Test Score, IEEE Big Data 2017. A test that is made on a repeated
basis by the system counts 1, one that a person made and wrote down 0.5, another nothing; the score is the least
of the four sections' sums.
"""

from modelyard.readiness.known import Known
from modelyard.readiness.score import readiness

__all__ = ["Known", "readiness"]
