"""How fast batches are from Python: ``python -m lobgym.bench env --json FILE``, beside the same batch stepped in one native call."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lobgym.vector import VectorEnv

__all__ = ["main", "measure"]

ENVIRONMENTS = ("market_making", "execution", "model_market_making")


def _rates(act: Callable[[int], object], num_envs: int, seconds: float, runs: int) -> list[float]:
    """Environment steps a second, once for each run of about so many seconds."""
    calls = 1
    while True:
        begin = time.perf_counter()
        act(calls)
        took = time.perf_counter() - begin
        if took > seconds / 20:
            break
        calls *= 4
    calls = max(1, round(calls * seconds / took))
    rates = []
    for _ in range(runs):
        begin = time.perf_counter()
        act(calls)
        rates.append(calls * num_envs / (time.perf_counter() - begin))
    return rates


def measure(
    name: str,
    num_envs: int,
    threads: int,
    *,
    seconds: float = 0.5,
    runs: int = 5,
    settings: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """The rates of one batch in the middle of its action space: with ``step()`` from Python, and in one native call.

    Each is ``{"env", "threads", "num_envs", "front", "steps_per_second": {"median", "min", "max"}, "settings"}``. The two fronts take
    turns, so that a machine that others use as well is as slow for one as for the other.
    """
    settings = settings or {}
    batch = VectorEnv(name, num_envs, threads=threads, reuse_buffers=True, infos="none", **settings)
    batch.reset(seed=0)
    actions = np.zeros_like(batch.action_space.sample())

    def python(calls: int) -> None:
        for _ in range(calls):
            batch.step(actions)

    fronts: dict[str, Callable[[int], object]] = {
        "native": lambda calls: batch.rollout(actions, calls),
        "python": python,
    }
    rates: dict[str, list[float]] = {front: [] for front in fronts}
    for _ in range(runs):
        for front, act in fronts.items():
            rates[front] += _rates(act, num_envs, seconds, 1)
    config = batch.config
    batch.close()
    return [
        {
            "env": name,
            "threads": threads,
            "num_envs": num_envs,
            "front": front,
            "steps_per_second": {"median": statistics.median(own), "min": min(own), "max": max(own)},
            "settings": config,
        }
        for front, own in rates.items()
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m lobgym.bench", description=__doc__)
    parser.add_argument("what", choices=["env"])
    parser.add_argument("--env", action="append", choices=ENVIRONMENTS, help="may be repeated; default: all")
    parser.add_argument("--num-envs", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one run")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", metavar="FILE", help="write the results there, too")
    options = parser.parse_args(arguments)
    results = []
    print(f"{'env':<20} {'front':<7} {'threads':>7} {'num_envs':>8} {'steps/s':>13} {'min':>13} {'max':>13}")
    for name in options.env or ENVIRONMENTS:
        for row in measure(name, options.num_envs, options.threads, seconds=options.seconds, runs=options.runs):
            results.append(row)
            rate = row["steps_per_second"]
            print(
                f"{name:<20} {row['front']:<7} {row['threads']:>7} {row['num_envs']:>8} "
                f"{rate['median']:>13,.0f} {rate['min']:>13,.0f} {rate['max']:>13,.0f}",
                flush=True,
            )
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"results": results}, file, indent=2)


if __name__ == "__main__":
    main()
