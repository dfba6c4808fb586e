"""Files that the dashboard's tests look at: results and a ledger that the program made (data/dashboard), runs, and traders by a fake."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
from conftest import find_command

DATA = Path(__file__).parent / "data" / "dashboard"
_BAR_NS = 5_000_000_000


def write_run(directory: Path, *, seed: int = 0, updates: int = 40, complete: bool = True) -> Path:
    """A run as `lobgym train` leaves it: the metrics of one that there was, cut to so many updates."""
    directory.mkdir(parents=True)
    for name in ("config.yaml", "run.json"):
        shutil.copy(DATA / "run" / name, directory / name)
    lines = (DATA / "run" / "metrics.csv").read_text().splitlines()
    rng = np.random.default_rng(seed)
    names = lines[0].split(",")
    returns = names.index("return_mean")
    rows = [lines[0]]
    for line in lines[1 : updates + 1]:
        cells = line.split(",")
        if seed and cells[returns]:
            cells[returns] = str(float(cells[returns]) + rng.normal(0.0, 2.0))
        rows.append(",".join(cells))
    (directory / "metrics.csv").write_text("\n".join(rows) + "\n")
    if complete:
        (directory / "policy.safetensors").write_bytes(b"\0" * 16)
    return directory


def trade_lines(bars: int, *, seed: int = 0, start: int = 0) -> list[str]:
    """The journal of a trader that buys lower and sells a cycle at a profit: the fields of docs/trade.md."""
    rng = np.random.default_rng(seed)
    moves = rng.normal(0.0, 0.0008, bars)
    closes = 61_000.0 * np.exp(np.cumsum(moves) + 0.004 * np.sin(np.arange(bars) / 37.0))
    cash, position, cost, realised = 10_000.0, 0.0, 0.0, 0.0
    lines = [json.dumps({"settings": {"policy": "lowrider", "env": {"capital": cash}, "bars": "bars.csv"}})]
    for step, close in enumerate(closes):
        traded = fee = 0.0
        action = "hold"
        if position == 0.0 or close < 0.997 * cost / position:
            traded, action = 0.01 if position == 0.0 else 1.6 * position, "buy"
            if traded * close > cash:
                traded, action = 0.0, "hold"
        elif close > 1.002 * cost / position:
            traded, action = -position, "sell"
        if traded:
            fee = abs(traded) * close * 0.0005
            if traded < 0:
                realised += -traded * close - cost - fee
                cost = 0.0
            else:
                realised -= fee
                cost += traded * close
            cash -= traded * close + fee
            position = max(0.0, position + traded)
        row = {
            "step": start + step,
            "time_ns": 1_723_075_200_000_000_000 + (start + step) * _BAR_NS,
            "close": round(float(close), 2),
            "bid": round(float(close) - 0.05, 2),
            "ask": round(float(close) + 0.05, 2),
            "action": action,
            "traded": traded,
            "price": round(float(close), 2) if traded else None,
            "fee": fee,
            "impact": 0.0,
            "funding": 0.0,
            "position": position,
            "cash": cash,
            "equity": cash + position * float(close),
            "realised_profit": realised,
            "probabilities": None,
        }
        lines.append(json.dumps(row))
    return lines


def write_trade(directory: Path, bars: int = 400, *, seed: int = 0) -> Path:
    """A trader's directory."""
    directory.mkdir(parents=True)
    (directory / "session.jsonl").write_text("\n".join(trade_lines(bars, seed=seed)) + "\n")
    return directory


def write_bars(path: Path, first: int, count: int) -> None:
    """Bars as `lobgym collect --bars-file` writes them, from a number on; the header comes with the first."""
    with path.open("a", encoding="utf-8") as file:
        if first == 0:
            file.write("start_ns,open,high,low,close,volume,bid,bid_size,ask,ask_size,complete\n")
        for number in range(first, first + count):
            close = 61_000 + 200 * math.sin(number / 9)
            quote = f"{close - 0.05:.2f},1,{close + 0.05:.2f},1"
            file.write(f"{1_723_075_200_000_000_000 + number * _BAR_NS},{close},{close},{close},{close},1,{quote},1\n")


def place_results(directory: Path) -> Path:
    """A comparison, an evaluation and a backtest that the program wrote."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("comparison.json", "evaluation.json", "backtest.json"):
        shutil.copy(DATA / name, directory / name)
    return directory


def write_ledger(path: Path) -> Path:
    """A paper broker's ledger: what the program wrote, as SQL, in a database of its own."""
    import sqlite3
    from contextlib import closing

    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as base:
        base.executescript((DATA / "ledger.sql").read_text())
    return path


def program() -> str | None:
    """The program `lobgym`, if it is named, built or installed."""
    return find_command() or shutil.which("lobgym")


def knows(command: str) -> bool:
    """Whether the program has a subcommand."""
    found = program()
    if found is None:
        return False
    done = subprocess.run([found, command, "--help"], capture_output=True, text=True)
    return done.returncode == 0 and math.isfinite(len(done.stdout))


def old(path: Path, seconds: float = 3600.0) -> None:
    """Lets a file look as if nothing had been written for so long."""
    then = time.time() - seconds
    os.utime(path, (then, then))
