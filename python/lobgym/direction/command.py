"""``lobgym direction``: its arguments, and what its endings mean to a shell: 0 success, 1 failure, 2 wrong usage."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lobgym.atomic import write_atomically
from lobgym.direction.bars import COLUMN, DirectionError, read_bars, write_bars
from lobgym.direction.report import page
from lobgym.direction.walk import PARAMS, WalkForward, walk_forward

__all__ = ["main"]


class _Progress:
    """Says how far it is when that takes longer than two seconds: a line that is kept up to date on a terminal, one a second elsewhere."""

    def __init__(self) -> None:
        self._next = time.monotonic() + 2
        self._open = False

    def __call__(self, done: int, folds: int) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 1
        terminal = sys.stderr.isatty()
        self._open = terminal
        print(f"{chr(13) if terminal else ''}fold {done} of {folds}", end="" if terminal else "\n", file=sys.stderr)
        sys.stderr.flush()

    def end(self) -> None:
        """Leaves the line."""
        if self._open:
            print(file=sys.stderr)


def _param(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r}; legal: NAME=VALUE, as max_depth=4")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "lobgym direction",
        description="Adds to bars the probability that the price will be higher, by XGBoost models trained on the past alone.",
    )
    parser.add_argument("--bars", required=True, type=Path, metavar="FILE", help="bars, .csv or .parquet")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="FILE", help=f"the same with a column {COLUMN}, .csv or .parquet"
    )
    parser.add_argument(
        "--features", default="default", metavar="NAME", help="a feature set, or its file (default: %(default)s)"
    )
    for name, default, text in (
        ("horizon", 1, "bars ahead"),
        ("train", 2_000, "bars in the first training, or in each with --rolling"),
        ("test", 500, "bars that a model is asked about before the next one is trained"),
        ("rounds", 100, "trees"),
        ("seed", 0, "of the rows and columns that trees are grown on"),
        ("threads", 1, "of XGBoost"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=f"{text} (default: %(default)s)")
    parser.add_argument("--gap", type=int, metavar="N", help="bars left out before a block (default: the horizon)")
    parser.add_argument(
        "--threshold",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="by which the price must be higher (default: %(default)s)",
    )
    parser.add_argument("--rolling", action="store_true", help="train on the latest bars, not on all from the first on")
    parser.add_argument(
        "--param",
        type=_param,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"a parameter of XGBoost (default: {', '.join(f'{name}={value}' for name, value in PARAMS.items())})",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="folds and importances")
    parser.add_argument("--html", type=Path, metavar="FILE", help="a page with importances and calibration")
    return parser


def _table(walk: WalkForward) -> str:
    lines = [
        f"{'fold':>4} {'trained on':>19} {'asked about':>19} {'log loss':>9} {'base':>9} {'accuracy':>9} {'AUC':>6}"
    ]
    for place, fold in enumerate(walk.folds, start=1):
        spans = [f"{low} to {high - 1}" for low, high in (fold.train, fold.test)]
        lines.append(
            f"{place:>4} {spans[0]:>19} {spans[1]:>19} {fold.log_loss:>9.5f} {fold.base_log_loss:>9.5f} {fold.accuracy:>9.3f} {fold.auc:>6.3f}"
        )
    lines += ["", "importances (share of what all splits have gained, mean of the folds)"]
    lines += [f"  {name:<24} {100 * share:5.1f}%" for name, share in walk.importances.items()]
    return "\n".join(lines)


def _run(chosen: argparse.Namespace) -> None:
    # What cannot be written is told before the work.
    for path in (chosen.out, chosen.json, chosen.html):
        if path is not None and not path.resolve().parent.is_dir():
            raise DirectionError(f"cannot write {path}: there is no directory {path.parent}")
    if chosen.out.suffix.lower() not in (".csv", ".parquet"):
        raise DirectionError(f"{chosen.out} has the ending {chosen.out.suffix!r}; legal: .csv, .parquet")
    bars = read_bars(chosen.bars)
    progress = _Progress()
    walk = walk_forward(
        bars,
        features=chosen.features,
        horizon=chosen.horizon,
        threshold=chosen.threshold,
        train=chosen.train,
        test=chosen.test,
        gap=chosen.gap,
        expanding=not chosen.rolling,
        rounds=chosen.rounds,
        params=dict(chosen.param),
        seed=chosen.seed,
        threads=chosen.threads,
        progress=progress,
    )
    progress.end()
    write_bars(chosen.bars, chosen.out, walk.probabilities)
    if chosen.json is not None:
        write_atomically(chosen.json, json.dumps({"bars": str(chosen.bars), **walk.to_dict()}, indent=1) + "\n")
    if chosen.html is not None:
        write_atomically(chosen.html, page(walk, f"Direction of {chosen.bars.name}"))
    print(_table(walk))
    print(f"\n{walk.summary()}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command. Returns its exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        _run(chosen)
    except (ValueError, ImportError, OSError) as error:
        print(f"lobgym: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
