"""Probabilities that a price will be higher, from XGBoost trained walk-forward on features of bars: docs/direction.md."""

from lobgym.direction.bars import DirectionError, read_bars, write_bars
from lobgym.direction.scores import Comparison
from lobgym.direction.walk import Fold, WalkForward, walk_forward

__all__ = ["Comparison", "DirectionError", "Fold", "WalkForward", "read_bars", "walk_forward", "write_bars"]
