"""How fast batches are from Python: ``python -m lobgym.bench env --json FILE``, beside the same batch stepped in one native call."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lobgym.vector import VectorEnv

__all__ = ["main", "measure"]

ENVIRONMENTS = ("market_making", "execution", "model_market_making")

# As `lobgym bench env` has them: what the project's bars are set at.
SETTINGS: dict[str, dict[str, Any]] = {"market_making": {"step_seconds": 0.1}}


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
    """The rates of one batch under one random action: in one native call, and with ``step()`` from Python.

    Each is ``{"env", "threads", "num_envs", "front", "steps_per_second": {"median", "min", "max"}, "settings"}``. Python comes twice: with
    fresh arrays and all infos, as by default, and with ``reuse_buffers=True, infos="none"``; ``settings`` say which. All take turns, so
    that a machine that others use as well is as slow for one as for the other.
    """
    chosen = {**SETTINGS.get(name, {}), **(settings or {})}
    plain = VectorEnv(name, num_envs, threads=threads, **chosen)
    fast = VectorEnv(name, num_envs, threads=threads, reuse_buffers=True, infos="none", **chosen)
    plain.action_space.seed(0)
    actions = plain.action_space.sample()
    for batch in (plain, fast):
        batch.reset(seed=0)

    def steps(batch: VectorEnv) -> Callable[[int], object]:
        def act(calls: int) -> None:
            for _ in range(calls):
                batch.step(actions)

        return act

    fronts: list[tuple[str, dict[str, Any], Callable[[int], object]]] = [
        ("native", {}, lambda calls: fast.rollout(actions, calls)),
        ("python", {"reuse_buffers": False, "infos": "all"}, steps(plain)),
        ("python", {"reuse_buffers": True, "infos": "none"}, steps(fast)),
    ]
    rates: list[list[float]] = [[] for _ in fronts]
    for _ in range(runs):
        for (_, _, act), own in zip(fronts, rates, strict=True):
            own += _rates(act, num_envs, seconds, 1)
    config = plain.config
    plain.close()
    fast.close()
    return [
        {
            "env": name,
            "threads": threads,
            "num_envs": num_envs,
            "front": front,
            "steps_per_second": {"median": statistics.median(own), "min": min(own), "max": max(own)},
            "settings": {**config, **how},
        }
        for (front, how, _), own in zip(fronts, rates, strict=True)
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
    print(
        f"{'env':<20} {'front':<21} {'threads':>7} {'num_envs':>8} {'steps/s':>13} {'min':>13} {'max':>13} {'of native':>9}"
    )
    for name in options.env or ENVIRONMENTS:
        rows = measure(name, options.num_envs, options.threads, seconds=options.seconds, runs=options.runs)
        results += rows
        for row in rows:
            rate, how = row["steps_per_second"], row["settings"].get("reuse_buffers")
            front = row["front"] + {None: "", False: ", fresh arrays", True: ", same arrays"}[how]
            print(
                f"{name:<20} {front:<21} {row['threads']:>7} {row['num_envs']:>8} {rate['median']:>13,.0f} "
                f"{rate['min']:>13,.0f} {rate['max']:>13,.0f} {rate['median'] / rows[0]['steps_per_second']['median']:>9.0%}",
                flush=True,
            )
    if options.json:
        # Whole or not at all, as everything that the project writes.
        file = Path(options.json)
        unfinished = file.with_name(f".{file.name}.tmp")
        unfinished.write_text(json.dumps({"results": results}, indent=2), encoding="utf-8")
        unfinished.replace(file)


if __name__ == "__main__":
    main()
