"""How good probabilities are, beside a constant."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Comparison", "area_under_curve", "compare", "losses"]

_Array = npt.NDArray[np.float64]

#: Probabilities are no closer to 0 and 1 than this where their logarithm is taken.
_CLOSEST = 1e-15


def losses(labels: _Array, probabilities: _Array) -> _Array:
    """The log loss of each: ``-ln p`` if it went up, ``-ln (1 - p)`` if not."""
    p = np.clip(probabilities, _CLOSEST, 1 - _CLOSEST)
    return -(labels * np.log(p) + (1 - labels) * np.log1p(-p))


def area_under_curve(labels: _Array, probabilities: _Array) -> float:
    """The share of pairs of an up and a not-up in which the up has the higher probability, ties half; NaN without such pairs.

    The Mann-Whitney statistic over its largest value (Hanley & McNeil 1982, Radiology 143(1)).
    """
    ups = int(labels.sum())
    downs = len(labels) - ups
    if not ups or not downs:
        return math.nan
    _, places, counts = np.unique(probabilities, return_inverse=True, return_counts=True)
    # The mean rank of equal probabilities, from 1.
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return float((ranks[labels == 1].sum() - ups * (ups + 1) / 2) / (ups * downs))


@dataclass(frozen=True)
class Comparison:
    """Probabilities beside the base rate, over the same rows."""

    #: Rows whose direction is known.
    rows: int
    #: Mean log loss, and that of the base rate known at the time.
    log_loss: float
    base_log_loss: float
    #: The base rate's loss less the model's, with the standard error of that mean. Positive: the model is better.
    gain: float
    gain_error: float

    @property
    def verdict(self) -> str:
        """``"better"``, ``"worse"`` or ``"no better"`` than the base rate: by more than 1.96 standard errors, or not."""
        if self.gain_error > 0 and abs(self.gain) > 1.96 * self.gain_error:
            return "better" if self.gain > 0 else "worse"
        return "no better"


def compare(labels: _Array, probabilities: _Array, base: _Array, horizon: int) -> Comparison:
    """Compares log losses as Diebold & Mariano (1995, Journal of Business & Economic Statistics 13(3)) do.

    Directions over ``horizon`` bars overlap, and losses come in spells: the variance of their mean difference is Newey & West's (1987,
    Econometrica 55(3)), with ``horizon - 1`` lags or their rule ``4 (n / 100)^(2/9)``, whichever is more.
    """
    rows = len(labels)
    if not rows:
        return Comparison(0, math.nan, math.nan, math.nan, math.nan)
    model, constant = losses(labels, probabilities), losses(labels, base)
    gains = constant - model
    gain = float(gains.mean())
    centred = gains - gain
    lags = min(max(horizon - 1, int(4 * (rows / 100) ** (2 / 9))), rows - 1)
    variance = float(centred @ centred) / rows
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(centred[lag:] @ centred[:-lag]) / rows
    return Comparison(rows, float(model.mean()), float(constant.mean()), gain, math.sqrt(max(variance, 0.0) / rows))
