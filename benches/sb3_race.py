"""PPO as a market maker, end to end: lobgym's against Stable-Baselines3's, in one run.

    python benches/sb3_race.py --repeats 5 --json out/sb3_race.json

Both train on the same native environment (market_making; Stable-Baselines3 through `lobgym.sb3`), with the same network (64-64 tanh, policy
and value apart), rollouts, batches, epochs and settings, on the CPU with the same number of threads. Nothing is normalised but advantages,
as Stable-Baselines3 normalises nothing by itself. They take turns, the first of each round changing; steps/s are those of all rollouts and
all learning together, without what comes before the first step.

`defaults` is Stable-Baselines3's choice: rollouts of 2,048 steps, batches of 64, 10 epochs, in 16 environments. `large` is what native
environments are for: 1,024 of them, rollouts of 64 steps, batches of 8,192, 4 epochs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import stable_baselines3
import torch

import lobgym
from lobgym.atomic import write_atomically
from lobgym.sb3 import VecEnv


@dataclass(frozen=True)
class Case:
    """What both train."""

    environments: int
    rollout_steps: int
    batch: int
    epochs: int
    #: Rollouts of one measurement.
    rollouts: int

    @property
    def steps(self) -> int:
        """Of one rollout."""
        return self.environments * self.rollout_steps


CASES = {
    "defaults": Case(environments=16, rollout_steps=2_048, batch=64, epochs=10, rollouts=1),
    "large": Case(environments=1_024, rollout_steps=64, batch=8_192, epochs=4, rollouts=4),
}


def settings(case: Case, env: dict[str, Any], seed: int) -> dict[str, Any]:
    """A training of lobgym's with Stable-Baselines3's settings."""
    return {
        "env": {"name": "market_making", **env},
        "train": {
            "algorithm": "ppo",
            "seed": seed,
            "steps": case.steps * case.rollouts,
            "environments": case.environments,
            "rollout_steps": case.rollout_steps,
            "minibatches": case.steps // case.batch,
            "epochs": case.epochs,
            "network": {"hidden": [64, 64], "activation": "tanh"},
            "head": "gaussian",
            "learning_rate": 3e-4,
            "learning_rate_schedule": "constant",
            "discount": 0.99,
            "trace": 0.95,
            "clip": 0.2,
            "entropy_coefficient": 0.0,
            "value_coefficient": 0.5,
            "gradient_norm": 0.5,
            "initial_deviation": 1.0,
            "normalise_observations": False,
            "normalise_rewards": False,
            "normalise_advantages": True,
            "checkpoint_updates": 0,
        },
    }


def ours(binary: Path | None, case: Case, env: dict[str, Any], threads: int, seed: int) -> float:
    """Steps a second of `lobgym train`, or of `lobgym.train` where there is no binary."""
    with tempfile.TemporaryDirectory() as folder:
        out, config = Path(folder) / "run", settings(case, env, seed)
        if binary is None:
            lobgym.train(config, out=out, threads=threads, progress=False)
        else:
            file = Path(folder) / "race.yaml"
            file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
            command = [binary, "train", file, "--out", out, "--threads", str(threads)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{binary} train: {done.stderr.strip()}")
        table = lobgym.load_run(out).table
        assert table["steps"][-1] == case.steps * case.rollouts and table["minibatches"][-1] == case.epochs * (
            case.steps // case.batch
        )
        return float(table["steps"][-1] / table["seconds"][-1])


def theirs(case: Case, env: dict[str, Any], threads: int, torch_threads: int, seed: int) -> float:
    """Steps a second of Stable-Baselines3's PPO, whose settings are its defaults but for the sizes."""
    torch.set_num_threads(torch_threads)
    batch = VecEnv("market_making", case.environments, threads=threads, **env)
    model = stable_baselines3.PPO(
        "MlpPolicy",
        batch,
        n_steps=case.rollout_steps,
        batch_size=case.batch,
        n_epochs=case.epochs,
        seed=seed,
        device="cpu",
    )
    begun = time.perf_counter()
    model.learn(case.steps * case.rollouts)
    seconds = time.perf_counter() - begun
    batch.close()
    return case.steps * case.rollouts / seconds


def race(racers: dict[str, Callable[[int], float]], repeats: int) -> dict[str, list[float]]:
    """Steps a second of each, once for each round."""
    rates: dict[str, list[float]] = {name: [] for name in racers}
    for turn in range(repeats):
        names = list(racers) if turn % 2 == 0 else list(reversed(racers))
        for name in names:
            rates[name].append(racers[name](turn))
            print(f"  round {turn + 1}: {name} {rates[name][-1]:,.0f} steps/s", file=sys.stderr, flush=True)
    return rates


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=[*CASES, "all"], default="all")
    parser.add_argument("--repeats", type=int, default=3, help="rounds [default: 3]")
    parser.add_argument("--rollouts", type=int, help="of one measurement [default: 1 and 4]")
    parser.add_argument("--threads", type=int, default=2, help="of each [default: 2]")
    parser.add_argument(
        "--torch-threads",
        type=int,
        help="of PyTorch under Stable-Baselines3, which small networks and busy machines may slow down [default: as --threads]",
    )
    parser.add_argument("--market", default="flow", help="[default: flow]")
    parser.add_argument(
        "--binary",
        type=Path,
        help="the command to race [default: target/release/lobgym, or lobgym.train if there is none]; build it with --features torch",
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the results there, too")
    options = parser.parse_args(arguments)
    standard = Path(__file__).parents[1] / "target" / "release" / "lobgym"
    binary: Path | None = options.binary or (standard if standard.exists() else None)
    env = {"market": options.market}
    torch_threads: int = options.torch_threads or options.threads
    versions = {
        "torch": torch.__version__,
        "stable_baselines3": stable_baselines3.__version__,
        "lobgym": lobgym.__version__,
        "python": platform.python_version(),
        "ours": "lobgym.train" if binary is None else "lobgym train",
        "libtorch": "2.11.0",
        "threads": options.threads,
        "torch_threads": torch_threads,
        "cores": os.cpu_count(),
    }
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    print(f"{'case':<10} {'lobgym':>10} {'sb3':>10} {'ratio':>6}  lowest to highest ratio of a round", flush=True)
    results = []
    for name in CASES if options.case == "all" else [options.case]:
        case = CASES[name]
        if options.rollouts:
            case = Case(**{**asdict(case), "rollouts": options.rollouts})
        rates = race(
            {
                "lobgym": lambda seed, case=case: ours(binary, case, env, options.threads, seed),  # type: ignore[misc]
                "sb3": lambda seed, case=case: theirs(case, env, options.threads, torch_threads, seed),  # type: ignore[misc]
            },
            options.repeats,
        )
        medians = {racer: statistics.median(own) for racer, own in rates.items()}
        ratios = [a / b for a, b in zip(rates["lobgym"], rates["sb3"], strict=True)]
        # What slows the machine slows both sides of a round.
        ratio = statistics.median(ratios)
        print(
            f"{name:<10} {medians['lobgym']:>10,.0f} {medians['sb3']:>10,.0f} {ratio:>6.2f}  {min(ratios):.2f} to {max(ratios):.2f}",
            flush=True,
        )
        results.append({"case": name, **asdict(case), "steps_per_second": rates, "median": medians, "ratio": ratio})
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(options.json, json.dumps({"versions": versions, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
