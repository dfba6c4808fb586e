"""Rows of indicators for a policy or a model to see, and their normalisation: docs/indicators.md."""

from lobgym._core import FeatureSet, Normalisation

__all__ = ["FeatureSet", "Normalisation"]
