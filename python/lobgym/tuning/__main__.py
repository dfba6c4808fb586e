"""``python -m lobgym.tuning CONFIG``, which ``lobgym tune`` runs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from lobgym.tuning import tune
from lobgym.tuning.trial import METRICS


def _assignment(text: str) -> tuple[str, Any]:
    """``KEY=VALUE``: a number, true, false, null or a list, and else text."""
    key, equals, value = text.partition("=")
    if not equals or "." not in key:
        raise argparse.ArgumentTypeError(f"{text!r} is no setting; legal: KEY=VALUE, as train.steps=200000")
    for read in (json.loads, int, float):
        try:
            return key, read(value)
        except ValueError:
            continue
    return key, value


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code: 0, 1 for failure, 2 for what is not legal or not installed, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="lobgym tune",
        description="Search hyperparameters of a training with Optuna. The same command goes on with a search that was interrupted.",
        epilog="Exit codes: 0 success, 1 failure, 2 wrong usage or something that is not installed, 130 after Ctrl-C.",
    )
    add = parser.add_argument
    add(
        "config",
        help="a search as in config/tune/, or a training as in config/train/ with the default space of its algorithm",
    )
    add(
        "--trials",
        type=int,
        default=20,
        metavar="N",
        help="trials in all, those of an interrupted search included [default: 20]",
    )
    add("--jobs", type=int, default=1, metavar="N", help="trials at a time, each in its own process [default: 1]")
    add("--out", metavar="DIR", help="the search's directory [default: runs/tune-NAME]")
    add(
        "--set", action="append", type=_assignment, default=[], metavar="KEY=VALUE", help="fix a setting for all trials"
    )
    add("--seed", type=int, default=0, metavar="N", help="of what is drawn [default: 0]")
    add(
        "--seeds",
        type=int,
        default=1,
        metavar="N",
        help="trainings of each trial, train.seed, train.seed + 1, ... [default: 1]",
    )
    add(
        "--metric",
        choices=METRICS,
        default="return",
        help="the last 100 training episodes' return, or held-out episodes [default: return]",
    )
    add(
        "--episodes",
        type=int,
        default=256,
        metavar="N",
        help="held-out episodes, for --metric evaluation [default: 256]",
    )
    add("--timeout", type=float, metavar="SECONDS", help="begin no trial after so long")
    add("--threads", type=int, metavar="N", help="of each trial [default: the cores, shared out]")
    add("--no-prune", action="store_true", help="train every trial to its end")
    options = parser.parse_args(arguments)
    try:
        found = tune(
            options.config,
            trials=options.trials,
            jobs=options.jobs,
            out=options.out,
            seed=options.seed,
            seeds=options.seeds,
            metric=options.metric,
            episodes=options.episodes,
            timeout=options.timeout,
            threads=options.threads,
            prune=not options.no_prune,
            settings=dict(options.set),
        )
    except (ValueError, ImportError) as error:
        print(f"lobgym: {error}", file=sys.stderr)
        return 2
    except (OSError, RuntimeError) as error:
        print(f"lobgym: {error}", file=sys.stderr)
        return 1
    print(found)
    return 130 if found.interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
