"""Many clients at once: ``python -m lobgym.serve.bench --clients 200 --seconds 60``.

Starts a server of its own, whose command only pretends to train, and lets clients ask for everything at random, jobs among it, over
connections that stay open. What counts is that every request is answered (429 with Retry-After is an answer), that every job that was
accepted comes to its end, and that the server's memory does not grow.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Load", "main", "run"]

_PRETENDER = """#!{python} -I
import pathlib, sys, time
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
out.mkdir(parents=True)
(out / "config.yaml").write_text("env:\\n  name: trader\\ntrain:\\n  algorithm: ppo\\n  steps: 500\\n")
with (out / "metrics.csv").open("w") as stream:
    print("update,steps,return_mean", file=stream)
    for update in range(1, 6):
        print(f"{{update}},{{update * 100}},{{update / 10}}", file=stream, flush=True)
        time.sleep(0.05)
(out / "policy.safetensors").write_text("")
"""

#: What is asked, and how often of 100 times.
_ASKED = (
    (15, "GET", "/api/health", None),
    (15, "GET", "/api/jobs?limit=20", None),
    (15, "GET", "/api/data?name=prices&limit=50", None),
    (10, "GET", "/api/runs?limit=5", None),
    (5, "GET", "/api/policies", None),
    (5, "GET", "/api/positions", None),
    (15, "POST", "/api/training/run", {"preset": "pretended", "steps": 500}),
    (10, "GET", "/api/training/{id}", None),
    (5, "POST", "/api/training/run", {"preset": "../pretended"}),
    (5, "GET", "/api/nothing", None),
)


@dataclass
class Load:
    """What came of it."""

    seconds: float = 0.0
    #: By status.
    answers: Counter[int] = field(default_factory=Counter)
    #: Requests that were not answered, by why.
    failures: Counter[str] = field(default_factory=Counter)
    #: 429 without Retry-After.
    silent: int = 0
    accepted: set[str] = field(default_factory=set)
    #: Accepted, and not known to the server at the end, or never at its end.
    lost: set[str] = field(default_factory=set)
    states: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    #: Of the server's memory, each second, MiB.
    memory: list[float] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """How much more memory there is in the last sixth of the time than in the second sixth, when all has been used once; MiB."""
        part = max(1, len(self.memory) // 6)
        return statistics.median(self.memory[-part:]) - statistics.median(self.memory[part : 2 * part] or self.memory)

    def table(self) -> str:
        """The figures."""
        ordered = sorted(self.latencies)
        at = [1000 * ordered[int(len(ordered) * share)] for share in (0.5, 0.99)] if ordered else [0.0, 0.0]
        count = sum(self.answers.values())
        answers = ", ".join(f"{status}: {number}" for status, number in sorted(self.answers.items()))
        states = ", ".join(f"{state}: {number}" for state, number in sorted(self.states.items()))
        every = " ".join(f"{each:.0f}" for each in self.memory[:: max(1, len(self.memory) // 10)])
        return (
            f"requests           {count + self.failures.total()} in {self.seconds:.0f} s ({count / self.seconds:.0f}/s)\n"
            f"answers            {answers}\n"
            f"without an answer  {self.failures.total()} {dict(self.failures) or ''}\n"
            f"429 without Retry-After  {self.silent}\n"
            f"time of an answer  median {at[0]:.0f} ms, 99% {at[1]:.0f} ms\n"
            f"jobs accepted      {len(self.accepted)}, lost {len(self.lost)} ({states})\n"
            f"memory             {every} MiB, each tenth of the time; growth {self.growth:+.1f}"
        )


def _memory(pid: int) -> float:
    """Resident, MiB."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0]) / 1024
    except OSError:
        done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True)
        return int(done.stdout) / 1024


class _Client:
    """A connection that is opened again when the server closes it."""

    def __init__(self, host: str, port: int, load: Load, seed: int) -> None:
        self._host, self._port, self._load = host, port, load
        self._random = random.Random(seed)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self, end: float) -> None:
        weights = [weight for weight, *_ in _ASKED]
        while time.monotonic() < end:
            _, method, path, body = self._random.choices(_ASKED, weights)[0]
            if "{id}" in path:
                path = path.replace("{id}", f"training-{self._random.randint(1, len(self._load.accepted) + 2)}")
            began = time.monotonic()
            try:
                status, headers, content = await asyncio.wait_for(self.ask(method, path, body), 60)
            except (OSError, EOFError, ValueError, asyncio.TimeoutError) as error:
                self._load.failures[type(error).__name__] += 1
                self.close()
                continue
            self._load.latencies.append(time.monotonic() - began)
            self._load.answers[status] += 1
            if status == 429 and "retry-after" not in headers:
                self._load.silent += 1
            if status == 202:
                self._load.accepted.add(json.loads(content)["id"])
            # Nobody asks without a pause; those that are refused wait a little longer.
            await asyncio.sleep(self._random.uniform(0.0, 0.5 if status == 429 else 0.1))
        self.close()

    async def ask(self, method: str, path: str, body: object) -> tuple[int, dict[str, str], bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Length: {len(content)}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\n\r\n".encode() + content)
        await writer.drain()
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        answer = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            self.close()
        return int(first.split()[1]), headers, answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _watch(pid: int, load: Load, end: float) -> None:
    while time.monotonic() < end:
        load.memory.append(_memory(pid))
        await asyncio.sleep(1)


async def _settle(client: _Client, load: Load) -> None:
    """Waits for all jobs to end, and counts them."""
    patience = time.monotonic() + 120
    while True:
        jobs: dict[str, str] = {}
        before = ""
        while True:
            status, headers, content = await client.ask("GET", f"/api/jobs?limit=1000{before}", None)
            if status == 429:
                await asyncio.sleep(int(headers["retry-after"]))
                continue
            page = json.loads(content)["jobs"]
            jobs |= {job["id"]: job["state"] for job in page}
            if len(page) < 1000:
                break
            before = f"&before={page[-1]['id'].rpartition('-')[2]}"
        still = {id for id in load.accepted if jobs.get(id) not in ("finished", "failed", "stopped")}
        if not still or time.monotonic() > patience:
            load.states = Counter(jobs[id] for id in load.accepted if id in jobs)
            load.lost = still
            return
        await asyncio.sleep(0.5)


def run(clients: int, seconds: float, **settings: Any) -> Load:
    """Plays it. ``settings`` are those of the server."""
    load = Load()
    with tempfile.TemporaryDirectory(prefix="lobgym-bench-") as name:
        place = Path(name)
        command = place / "lobgym"
        command.write_text(_PRETENDER.format(python=sys.executable))
        command.chmod(0o700)
        (place / "presets").mkdir()
        (place / "presets" / "pretended.yaml").write_text("env: {}\ntrain: {}\n")
        bars = place / "state" / "bars"
        bars.mkdir(parents=True)
        rows = "".join(f"{index * 5_000_000_000},{100 + index % 7},{index}\n" for index in range(20_000))
        (bars / "prices.csv").write_text("start_ns,close,volume\n" + rows)
        given = {"lobgym_binary": command, "presets": place / "presets", "state": place / "state"} | settings
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LOBGYM_")}
        environment |= {f"LOBGYM_{name.upper()}": str(value) for name, value in given.items()}
        arguments = [sys.executable, "-m", "lobgym.serve", "--port", "0"]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment, cwd=place) as server:
            assert server.stdout is not None
            address = urlsplit(server.stdout.readline().strip())
            host, port = address.hostname or "", address.port or 0

            async def play() -> None:
                began = time.monotonic()
                end = began + seconds
                each = [_Client(host, port, load, seed).run(end) for seed in range(clients)]
                await asyncio.gather(_watch(server.pid, load, end), *each)
                load.seconds = time.monotonic() - began
                asking = _Client(host, port, load, clients)
                await _settle(asking, load)
                asking.close()
                load.memory.append(_memory(server.pid))

            try:
                asyncio.run(play())
            finally:
                server.terminate()
    return load


def main() -> int:
    """The command. Returns its exit code: 1 if a request was not answered, or a job lost."""
    parser = argparse.ArgumentParser("python -m lobgym.serve.bench", description="Many clients at once.")
    parser.add_argument("--clients", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=60.0, help="default: %(default)s")
    parser.add_argument("--rate", type=float, help="requests a second that the server allows (default: its own)")
    given = parser.parse_args()
    settings = {} if given.rate is None else {"rate_per_second": given.rate, "rate_burst": max(1, int(given.rate))}
    load = run(given.clients, given.seconds, **settings)
    print(load.table())
    return 1 if load.failures or load.silent or load.lost else 0


if __name__ == "__main__":
    sys.exit(main())
