"""A server for tests: in this process, or one of its own that can be killed; with a command that only looks like lobgym."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

for needed in ("fastapi", "httpx", "pydantic_settings", "uvicorn"):
    pytest.importorskip(needed, reason=f"needs {needed}: pip install 'lobgym[serve]' httpx")

import httpx  # noqa: E402
import uvicorn  # noqa: E402

from lobgym.serve.app import create_app  # noqa: E402
from lobgym.serve.connections import configuration  # noqa: E402
from lobgym.serve.service import Service  # noqa: E402
from lobgym.serve.settings import Settings  # noqa: E402

Client = httpx.Client
#: Takes seconds: `make test-services` runs it.
long = pytest.mark.skipif("LOBGYM_TEST_SERVICES" not in os.environ, reason="takes long: make test-services")
PRESETS = ("quick", "slow", "broken", "crash", "stubborn", "trader_ppo_tcn_futures")
ENDS = ("finished", "failed", "stopped")


def fake_command(place: Path) -> Path:
    """The command, made to run with this Python."""
    file = place / "lobgym"
    if not file.exists():
        text = Path(__file__).with_name("fake_lobgym.py").read_text()
        file.write_text(f"#!{sys.executable} -I\n{text}")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        (place / "presets").mkdir()
        for name in PRESETS:
            (place / "presets" / f"{name}.yaml").write_text("env: {}\ntrain: {}\n")
    return file


def settings(place: Path, **changes: Any) -> dict[str, Any]:
    quick = {"poll_seconds": 0.02, "rate_per_second": 1e6, "rate_burst": 10**6, "stop_seconds": 5.0}
    where = {"lobgym_binary": fake_command(place), "presets": place / "presets", "state": place / "state"}
    return where | quick | changes


@contextlib.contextmanager
def serving(place: Path, **changes: Any) -> Iterator[httpx.Client]:
    """A client of a server in a thread of this process; its jobs end with it."""
    service = Service.open(Settings(**settings(place, **changes)))
    service.start()
    server = uvicorn.Server(configuration(create_app(service), service.settings, port=0))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        end_jobs(service)
        service.close()


def end_jobs(service: Service) -> None:
    """Nothing that a test started outlives it."""
    for job in service.ledger.jobs(states=("queued", "running")):
        with contextlib.suppress(Exception):
            service.jobs.stop(job.id)
    until(lambda: not service.ledger.jobs(states=("running", "stopping")), 15)


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What the condition gives when it is true at last."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def ended(client: httpx.Client, id: str, state: str | None = None) -> dict[str, Any]:
    """The job at its end."""
    job = until(lambda: (job := client.get(f"/api/jobs/{id}").json())["state"] in ENDS and job)
    assert state in (None, job["state"]), job
    return dict(job)


def reached(client: httpx.Client, id: str, condition: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """The job when it has come so far."""
    return dict(until(lambda: condition(job := client.get(f"/api/jobs/{id}").json()) and job))


def start(client: httpx.Client, preset: str = "quick", **request: Any) -> str:
    """A training's id."""
    answer = client.post("/api/training/run", json={"preset": preset, **request})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def write_bars(place: Path, name: str = "prices", count: int = 10, first: int = 0) -> Path:
    """A file of bars by that name, or more of it."""
    path = place / "state" / "bars" / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        if not first:
            stream.write("start_ns,open,high,low,close,volume,trades,complete\n")
        for index in range(first, first + count):
            stream.write(f"{index * 5_000_000_000},1,2,0.5,{100 + index},{index / 2},{index},true\n")
    return path


class Server:
    """A server in a process of its own."""

    def __init__(self, place: Path, *options: str, **changes: Any) -> None:
        given = settings(place, **({"poll_seconds": 0.05} | changes))
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LOBGYM_")},
            **{f"LOBGYM_{name.upper()}": str(value) for name, value in given.items()},
        }
        self.place, self.options = place, options
        self.begin()

    def begin(self) -> None:
        """Starts it, once more after an end."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lobgym.serve", "--port", "0", *self.options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=self.place,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://"), self.process.communicate()
        self.client = httpx.Client(base_url=self.url, timeout=20)

    def end(self, number: int = signal.SIGTERM) -> str:
        """Ends it, and gives what it said."""
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        _, said = self.process.communicate(timeout=30)
        return str(said)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                jobs = self.client.get("/api/jobs").json()["jobs"]
                for job in jobs:
                    if job["state"] in ("queued", "running", "stopping"):
                        self.client.post(f"/api/{job['kind']}/{job['id']}/stop")
                for job in jobs:
                    ended(self.client, job["id"])
        self.end()
