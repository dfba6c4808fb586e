"""What `lobgym train` and `lobgym trade` leave and say, without learning anything: run by tests of the server as its command.

A training's length and manners are its preset's name: quick, slow, broken, crash, stubborn; others are as quick.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, TextIO

COLUMNS = ["update", "steps", "episodes", "return_mean", "entropy", "learning_rate"]
#: Told to end.
told: list[int] = []


def listen() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: told.append(number))


def train(arguments: argparse.Namespace) -> int:
    manner, out = arguments.config.stem, arguments.out
    settings = {
        key: json.loads(value) for key, value in (each.split("=", 1) for each in arguments.set) if key and value
    }
    if not arguments.config.is_file() or manner == "broken":
        print("lobgym: train.stps is 3, an unknown setting; legal: steps", file=sys.stderr)
        return 2
    if out.exists() and not arguments.resume:
        print(f"lobgym: {out} has a run already", file=sys.stderr)
        return 1
    out.mkdir(parents=True, exist_ok=True)
    steps = settings.get("train.steps", {"slow": 10**6, "stubborn": 10**6}.get(manner, 500))
    features = settings.get("env.features", "default")
    (out / "config.yaml").write_text(
        f"env:\n  name: trader\n  features: {features}\ntrain:\n  algorithm: ppo\n  steps: {steps}\n"
    )
    # For tests to look at.
    (out / "asked.json").write_text(json.dumps(settings))
    metrics = out / "metrics.csv"
    done = max(0, len(metrics.read_text().splitlines()) - 1) if metrics.exists() else 0
    with metrics.open("a") as stream:
        if not done:
            stream.write(",".join(COLUMNS) + "\n")
        for update in range(done + 1, -(-steps // 100) + 1):
            stream.write(f"{update},{100 * update},{update % 2},{'' if update < 3 else update / 10},NaN,0.001\n")
            stream.flush()
            if update % 5 == 0:
                (out / "checkpoint.safetensors").write_text(str(update))
            if manner == "crash" and update == 3:
                os.kill(os.getpid(), signal.SIGSEGV)
            time.sleep(0.001 if manner.startswith("trader") else 0.01)
            if told and manner != "stubborn":
                (out / "checkpoint.safetensors").write_text(str(update))
                print("suspended", file=sys.stderr)
                return 130
    (out / "policy.safetensors").write_text("policy")
    return 0


def bars_of(path: Path, done: int) -> list[dict[str, str]]:
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    return list(csv.DictReader(whole.splitlines()))[done:]


def last(out: Path) -> dict[str, Any]:
    rows = [json.loads(line) for line in (out / "session.jsonl").read_text().splitlines()]
    return next((row for row in reversed(rows) if "step" in row), {})


def end(stream: TextIO, out: Path, state: str) -> int:
    stream.write(json.dumps({"ending": state}) + "\n")
    (out / "state").write_text(state)
    return 0


def trade(arguments: argparse.Namespace) -> int:
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    policy = arguments.policy
    if policy.startswith("policy:") and not Path(policy[7:], "policy.safetensors").is_file():
        print(f"lobgym: {policy} has no policy", file=sys.stderr)
        return 2
    journal = out / "session.jsonl"
    before = last(out) if journal.exists() else {}
    done, position = before.get("step", 0), before.get("position", 0.0)
    cash = before.get("cash", 1000.0)
    (out / "state").write_text("running")
    with journal.open("a") as stream:
        if not before:
            stream.write(json.dumps({"settings": {"policy": policy, "set": arguments.set}}) + "\n")
        while True:
            for bar in bars_of(arguments.bars, done):
                close, time_ns = float(bar["close"]), int(bar["start_ns"])
                killed = (out / "kill").exists()
                traded = -position if killed else 1.0 if done % 2 == 0 else -1.0
                done, position, cash = done + 1, position + traded, cash - traded * close
                row = {
                    **{"step": done, "time_ns": time_ns, "close": close, "bid": close - 0.5, "ask": close + 0.5},
                    **{"action": "kill" if killed else "buy" if traded > 0 else "sell", "traded": traded},
                    **{"price": close, "fee": 0.1, "impact": 0.0, "funding": 0.0, "position": position, "cash": cash},
                    **{"equity": cash + position * close, "realised_profit": 0.0, "probabilities": None},
                }
                stream.write(json.dumps(row) + "\n")
                stream.flush()
                if killed or told or (arguments.steps and done >= arguments.steps):
                    return end(stream, out, "killed" if killed else "stopped" if told else "ended")
                if arguments.speed != "max":
                    time.sleep(1 / float(arguments.speed))
            if told or not arguments.follow:
                return end(stream, out, "stopped" if told else "ended")
            time.sleep(0.02)


def status(arguments: argparse.Namespace) -> int:
    row = last(arguments.out)
    state = (arguments.out / "state").read_text()
    print(json.dumps({"state": state, "steps": row.get("step", 0), "equity": row.get("equity"), "drawdown": 0.0}))
    return 0


def kill(arguments: argparse.Namespace) -> int:
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "kill").touch()
    return 0


def main() -> int:
    given = sys.argv[1:]
    listen()
    parser = argparse.ArgumentParser()
    if given[0] == "train":
        parser.add_argument("config", type=Path)
        parser.add_argument("--set", action="append", default=[])
        parser.add_argument("--out", type=Path, required=True)
        parser.add_argument("--resume", action="store_true")
        return train(parser.parse_args(given[1:]))
    if given[1] in ("status", "kill"):
        parser.add_argument("out", type=Path)
        parser.add_argument("--json", action="store_true")
        return {"status": status, "kill": kill}[given[1]](parser.parse_args(given[2:]))
    parser.add_argument("--policy", required=True)
    parser.add_argument("--bars", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--speed", default="max")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--follow", action="store_true")
    parser.add_argument("--from-start", action="store_true")
    return trade(parser.parse_args(given[1:]))


if __name__ == "__main__":
    sys.exit(main())
