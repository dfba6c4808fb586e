"""Comparisons and evaluations in a process of their own, through the package: ``python -m lobgym.dashboard.work``.

They print ``progress DONE TOTAL``, write what ``lobgym compare --json`` and ``lobgym evaluate --json`` write, and beside it the sessions one by
one, which the pages draw distributions from.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import lobgym
from lobgym.dashboard.reading.results import SESSIONS_SUFFIX

__all__ = ["main"]


def _reporter() -> Callable[[int, int], None]:
    """Prints progress, some times a second."""
    last = [0.0]

    def report(done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - last[0] > 0.1:
            last[0] = now
            print(f"progress {done} {total}", flush=True)

    return report


def _write(out: Path, text: str, sessions: dict[str, Any]) -> None:
    """Both files, the result last and at once: whoever sees it sees all of it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out.with_name(out.name + SESSIONS_SUFFIX), **sessions)
    part = out.with_name(f".{out.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(out)


def main(arguments: list[str] | None = None) -> int:
    """Plays what is asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m lobgym.dashboard.work")
    parser.add_argument("task", choices=["compare", "evaluate"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--market", action="append", default=[])
    parser.add_argument("--lots", action="append", type=int, default=[])
    parser.add_argument("--side", default="sell")
    parser.add_argument("--strategy", action="append", default=[])
    parser.add_argument("--env", default="market_making")
    parser.add_argument("--episodes", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    # The native code looks for Ctrl-C now and then, and ends as soon as it sees it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if given.task == "compare":
            comparison = lobgym.compare(
                given.market,
                lots=given.lots,
                strategies=given.strategy,
                side=given.side,
                episodes=given.episodes,
                seed=given.seed,
                progress=_reporter(),
            )
            _write(given.out, comparison.to_json(), {name: comparison.outcomes[name] for name in comparison.outcomes})
        else:
            settings: dict[str, Any] = {"market": given.market[0]} if given.market else {}
            evaluation = lobgym.evaluate(
                given.env, given.strategy, episodes=given.episodes, seed=given.seed, progress=_reporter(), **settings
            )
            rewards = evaluation.rewards
            _write(
                given.out,
                evaluation.to_json(),
                {
                    "strategy": np.repeat(list(rewards), [len(values) for values in rewards.values()]),
                    "reward": np.concatenate(list(rewards.values())),
                },
            )
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
