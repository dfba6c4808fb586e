"""Hyperparameter search over trainings: ``lobgym.tune(...)``, ``python -m lobgym.tuning CONFIG``, ``lobgym tune CONFIG``.

``docs/tuning.md`` has the files, the default spaces and what can be resumed. Optuna is imported when a search begins.
"""

from lobgym.tuning.search import Tuning, tune
from lobgym.tuning.space import Dimension, default_space, parse_space

__all__ = ["Dimension", "Tuning", "default_space", "parse_space", "tune"]
