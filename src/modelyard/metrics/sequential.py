"""A test that may be looked at as often as one likes: the evidence that one arm of a random division errs more often."""

from __future__ import annotations

import math


def evidence(share: float, errors: int, of_them: int) -> float:
    """The e-value against "the arm errs no more often than the rest".

    Requests are given to the arm at random with probability ``share``. Of all ``errors`` in both arms, ``of_them``
    were the arm's: were it no worse, each would be its own with probability ``share`` at most, whatever the rate of
    errors and however that moves with time. The likelihood of a larger share, averaged over the part above ``share`` of
    Beta(2 share, 2 - 2 share), is held against it: a test martingale (Ville 1939; Robbins 1970, mixtures), so that
    the chance that it ever reaches 1/alpha is at most alpha, however often one looks.
    """
    from scipy.special import betaincc, betaln

    a, b = 2 * share, 2 * (1 - share)
    k, other = of_them, errors - of_them
    tail = float(betaincc(a + k, b + other, share))
    if tail <= 0.0:  # far below: no evidence at all
        return 0.0
    log = (
        float(betaln(a + k, b + other) - betaln(a, b))
        + math.log(tail)
        - math.log(float(betaincc(a, b, share)))
        - k * math.log(share)
        - other * math.log1p(-share)
    )
    return math.exp(min(log, 700.0))
