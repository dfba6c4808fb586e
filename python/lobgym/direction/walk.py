"""Training on the past, predicting what comes next, and again with more of the past."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lobgym.direction.bars import DirectionError, inputs, number
from lobgym.direction.scores import Comparison, area_under_curve, compare, losses
from lobgym.features import FeatureSet

__all__ = ["PARAMS", "Fold", "WalkForward", "walk_forward"]

_Array = npt.NDArray[np.float64]

#: Small trees and slow steps: there is little to find in prices, and much to find that is not there.
PARAMS: dict[str, Any] = {
    "max_depth": 3,
    "eta": 0.05,
    "min_child_weight": 20,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "tree_method": "hist",
}

#: What is not for the caller to choose: the probabilities' meaning, and that the same seed gives the same bits.
_FIXED = (
    *("objective", "base_score", "seed", "random_state", "nthread", "n_jobs", "device", "num_class"),
    *("verbosity", "validate_parameters"),
)

#: What XGBoost says of names that it does not know, or that its booster makes nothing of.
_UNUSED = re.compile(r"Parameters: \{([^}]*)\} (?:are|might) not", re.DOTALL)


@dataclass(frozen=True)
class Fold:
    """A model and the block of rows that it was asked about. Rows are numbered as the bars are, from 0."""

    #: Rows trained on, and asked about: the first, and the one behind the last.
    train: tuple[int, int]
    test: tuple[int, int]
    #: The share of ups in training (with half of one more of each kind): the constant probability that the model must beat.
    base_rate: float
    #: Rows asked about whose direction is known; what follows is over these, NaN if there are none.
    rows: int
    log_loss: float
    base_log_loss: float
    #: The share whose probability is on the right side of one half, for the model and for the constant.
    accuracy: float
    base_accuracy: float
    #: Area under the receiver operating characteristic: 0.5 is chance.
    auc: float
    #: Each feature's share of what all splits have gained (XGBoost's ``total_gain``).
    importances: dict[str, float]


@dataclass(frozen=True)
class WalkForward:
    """What :func:`walk_forward` gives. Arrays have an element for each bar."""

    #: That the close will be higher; NaN before the first fold.
    probabilities: _Array
    #: 1 if it was, 0 if not, NaN if that is not known yet.
    labels: _Array
    #: The constant probability known at the time.
    base_rates: _Array
    folds: tuple[Fold, ...]
    #: Mean of the folds' importances, the largest first.
    importances: dict[str, float]
    #: Over the rows of all folds.
    total: Comparison
    #: What it was made with, defaults included.
    settings: dict[str, Any]

    def summary(self) -> str:
        """How good it is, in a sentence."""
        total, folds = self.total, f"{len(self.folds)} fold{'s' if len(self.folds) > 1 else ''}"
        words = {
            "better": "better than the base rate",
            "worse": "worse than the base rate: do not use it",
            "no better": "no better than the base rate: there is nothing in it that could be told from chance",
        }
        return (
            f"log loss {total.log_loss:.5f}, of the base rate {total.base_log_loss:.5f} ({total.rows} bars, {folds}); "
            f"gain {total.gain:+.5f} +/- {1.96 * total.gain_error:.5f}: {words[total.verdict]}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Settings, folds, importances and the comparison, as JSON has it (without the arrays)."""

        def plain(value: Any) -> Any:
            if isinstance(value, float):
                return value if np.isfinite(value) else None
            if isinstance(value, Mapping):
                return {key: plain(each) for key, each in value.items()}
            return [plain(each) for each in value] if isinstance(value, (list, tuple)) else value

        total = {**vars(self.total), "verdict": self.total.verdict}
        folds = [vars(fold) for fold in self.folds]
        found: dict[str, Any] = plain(
            {"settings": self.settings, "total": total, "importances": self.importances, "folds": folds}
        )
        return found


def _xgboost() -> Any:
    try:
        return importlib.import_module("xgboost")
    except ImportError as error:
        raise ImportError(
            "lobgym.direction needs XGBoost 2 or later: pip install 'lobgym[xgboost]' (or xgboost-cpu, which is small)"
        ) from error


def _trained(xgboost: Any, params: dict[str, Any], rows: Any, rounds: int) -> Any:
    """A model; XGBoost only warns of parameters that it does not know, which would then change nothing and say nothing."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = xgboost.train({**params, "validate_parameters": True, "verbosity": 1}, rows, num_boost_round=rounds)
    for warning in said:
        if found := _UNUSED.search(str(warning.message)):
            names = ", ".join(name.strip().strip('"') for name in found.group(1).split(","))
            booster = params.get("booster", "gbtree")
            raise DirectionError(f"params has {names}; legal: parameters that XGBoost's booster {booster} uses")
    return model


def _blocks(begin: int, rows: int, train: int, test: int, gap: int, expanding: bool) -> list[tuple[int, int, int, int]]:
    """The first row trained on, the one behind the last, the first asked about, and the one behind the last."""
    first = begin + train + gap
    return [
        (begin if expanding else start - gap - train, start - gap, start, min(start + test, rows))
        for start in range(first, rows, test)
    ]


def walk_forward(
    bars: Mapping[str, Any],
    *,
    features: Any = "default",
    horizon: int = 1,
    threshold: float = 0.0,
    train: int = 2_000,
    test: int = 500,
    gap: int | None = None,
    expanding: bool = True,
    rounds: int = 100,
    params: Mapping[str, Any] | None = None,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[int, int], object] | None = None,
) -> WalkForward:
    """Probabilities that the close ``horizon`` bars later is above this one's, by models that knew the past alone.

    Rows ``[start, start + test)`` are asked of a model trained on rows before ``start - gap``: the direction of each was known when bar
    ``start - 1`` closed, and no row of the training reaches into the block. Then the next block. Nothing in a row's probability depends
    on later bars. The last ``horizon`` bars have probabilities too, though nobody knows their direction yet.

    Args:
        bars: Columns by name, as :func:`read_bars` gives them: ``close`` and what the features need (``open``, ``high``, ``low``,
            ``volume``, ``bid``, ``bid_size``, ``ask``, ``ask_size``); NaN where nothing is known.
        features: What :class:`lobgym.features.FeatureSet` takes: a name, a file, a dictionary.
        horizon: Bars ahead.
        threshold: By which share the close must be higher. No change, and a smaller one, is not up.
        train: Rows of the first training; of each, unless it expands.
        test: Rows in a block.
        gap: Rows left out between training and block; ``horizon`` unless given, and no less.
        expanding: Whether all rows from the first on are trained on, or the latest ``train``.
        rounds: Trees.
        params: XGBoost's, over :data:`PARAMS`.
        seed: Of the rows and columns that trees are grown on.
        threads: Results are the same bits for the same number of them.
        progress: Called with folds done and folds in all.

    Raises:
        DirectionError: If a setting or the bars are not legal, or there are too few of them.
        ImportError: If XGBoost is not installed.

    """
    gap = horizon if gap is None else gap
    for name, value, least in (("horizon", horizon, 1), ("train", train, 2), ("test", test, 1), ("rounds", rounds, 1)):
        number(name, value, least)
    number("gap", gap, horizon)
    number("seed", seed, 0)
    number("threads", threads, 1)
    number("threshold", threshold, 0.0, whole=False)
    for name in params or {}:
        if name in _FIXED:
            raise DirectionError(f"params has {name!r}, which is fixed; legal: any other of XGBoost's parameters")
    xgboost = _xgboost()

    made = FeatureSet(features)
    ticks, first = inputs(bars, made.needed)
    rows = len(ticks["close"])
    begin = first + made.warm_up
    if rows <= begin + train + gap:
        raise DirectionError(
            f"the bars are {rows}; legal: more than {begin + train + gap} ({first} before prices are known, {made.warm_up} in which features "
            f"warm up, train {train}, gap {gap})"
        )
    table = np.full((rows, len(made.names)), np.nan)
    table[first:] = made.rows(**{name: ticks[name][first:] for name in made.needed if name in ticks})

    close = ticks["close"]
    labels = np.full(rows, np.nan)
    labels[first : rows - horizon] = close[first + horizon :] > close[first : rows - horizon] * (1 + threshold)

    probabilities, base_rates = np.full(rows, np.nan), np.full(rows, np.nan)
    blocks = _blocks(begin, rows, train, test, gap, expanding)
    folds: list[Fold] = []
    chosen = {**PARAMS, **(params or {})}
    for done, (low, high, start, end) in enumerate(blocks, start=1):
        known = labels[low:high]
        # Half of one more of each kind (Krichevsky & Trofimov 1981): no constant is 0 or 1.
        base = float((known.sum() + 0.5) / (len(known) + 1))
        fixed = {"objective": "binary:logistic", "base_score": base, "seed": seed, "nthread": threads}
        try:
            rows_known = xgboost.DMatrix(table[low:high], known, feature_names=made.names, nthread=threads)
            model = _trained(xgboost, {**chosen, **fixed}, rows_known, rounds)
            block = xgboost.DMatrix(table[start:end], feature_names=made.names, nthread=threads)
            probabilities[start:end] = model.predict(block)
            gains: dict[str, float] = model.get_score(importance_type="total_gain")
        except DirectionError:
            raise
        except (xgboost.core.XGBoostError, ValueError) as error:
            reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            raise DirectionError(f"XGBoost refuses params {chosen}: {reason}") from error
        base_rates[start:end] = base
        whole = sum(gains.values())
        importances = {name: gains.get(name, 0.0) / whole if whole else 0.0 for name in made.names}
        folds.append(_fold((low, high), (start, end), base, labels, probabilities, importances))
        if progress is not None:
            progress(done, len(blocks))

    asked = ~np.isnan(probabilities) & ~np.isnan(labels)
    means = {name: float(np.mean([fold.importances[name] for fold in folds])) for name in made.names}
    return WalkForward(
        probabilities,
        labels,
        base_rates,
        tuple(folds),
        dict(sorted(means.items(), key=lambda item: -item[1])),
        compare(labels[asked], probabilities[asked], base_rates[asked], horizon),
        {
            "features": features if isinstance(features, (str, dict)) else str(features),
            **{"horizon": horizon, "threshold": threshold, "train": train, "test": test, "gap": gap},
            **{"expanding": expanding, "rounds": rounds, "params": chosen, "seed": seed},
        },
    )


def _fold(
    train: tuple[int, int],
    test: tuple[int, int],
    base: float,
    labels: _Array,
    probabilities: _Array,
    importances: dict[str, float],
) -> Fold:
    known, guessed = labels[slice(*test)], probabilities[slice(*test)]
    is_known = ~np.isnan(known)
    known, guessed = known[is_known], guessed[is_known]
    if not len(known):
        nothing = float("nan")
        return Fold(train, test, base, 0, nothing, nothing, nothing, nothing, nothing, importances)
    constant = np.full(len(known), base)
    return Fold(
        train,
        test,
        base,
        len(known),
        float(losses(known, guessed).mean()),
        float(losses(known, constant).mean()),
        float(((guessed > 0.5) == (known == 1)).mean()),
        float(((constant > 0.5) == (known == 1)).mean()),
        area_under_curve(known, guessed),
        importances,
    )
