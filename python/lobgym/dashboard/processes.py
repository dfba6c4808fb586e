"""Programs started from the pages: comparisons, trainings, brokers. They run on when a page is left or loaded anew."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Job", "Jobs"]

#: How many may run at once: each uses all cores.
MAX_RUNNING = 4
#: What of a job's output is shown.
_TAIL_BYTES = 16_384


@dataclass
class Job:
    """A program, its output, and how far it is."""

    kind: str
    title: str
    command: list[str]
    log: Path
    #: What it writes: a result, a run's directory, a ledger.
    output: Path
    process: subprocess.Popen[bytes]
    #: How it is asked to end.
    stop_signal: signal.Signals
    #: Whether it goes on when the dashboard ends.
    outlives: bool
    #: How far it is, 0 to 1; None if that is not known.
    measure: Callable[[Job], float | None]
    started: float = field(default_factory=time.time)
    ended: float | None = None
    stopped: bool = False

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        if self.process.poll() is None:
            return True
        if self.ended is None:
            self.ended = time.time()
        return False

    @property
    def seconds(self) -> float:
        """How long it runs, or ran."""
        return (time.time() if self.running else self.ended or time.time()) - self.started

    @property
    def progress(self) -> float | None:
        """How far it is, 0 to 1."""
        if not self.running and self.process.returncode == 0:
            return 1.0
        return self.measure(self)

    @property
    def state(self) -> str:
        """``"running"``, ``"finished"``, ``"stopped"`` or ``"failed"``."""
        if self.running:
            return "running"
        if self.process.returncode == 0:
            return "finished"
        return "stopped" if self.stopped else "failed"

    def words(self, lines: int = 12) -> str:
        """The last lines that it has printed, without those of progress."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
                text = file.read().decode("utf-8", errors="replace")
        except OSError:
            return ""
        kept = [line for line in re.split(r"[\r\n]+", text) if line.strip() and not line.startswith("progress ")]
        return "\n".join(kept[-lines:])

    def counted(self) -> float | None:
        """The share in its last line ``progress DONE TOTAL``."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
                found = re.findall(rb"progress (\d+) (\d+)\n", file.read())
        except OSError:
            return None
        if not found:
            return 0.0
        done, total = map(int, found[-1])
        return min(done / total, 1.0) if total else None

    def stop(self, wait: float = 0.0) -> None:
        """Asks it to end, and after ``wait`` seconds, if above 0, ends it."""
        if not self.running:
            return
        self.stopped = True
        self._send(self.stop_signal)
        if wait > 0:
            try:
                self.process.wait(wait)
            except subprocess.TimeoutExpired:
                self._send(signal.SIGKILL)
                self.process.wait()

    def _send(self, number: signal.Signals) -> None:
        # It leads its own group: what it has started ends with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


class Jobs:
    """All programs that this dashboard has started."""

    def __init__(self) -> None:
        """None yet. What does not outlive the dashboard is ended with it."""
        self._jobs: list[Job] = []
        self._lock = threading.Lock()
        atexit.register(self.close)

    def start(
        self,
        kind: str,
        title: str,
        command: list[str],
        output: Path,
        *,
        stop_signal: signal.Signals = signal.SIGTERM,
        outlives: bool = False,
        measure: Callable[[Job], float | None] = Job.counted,
        log: Path | None = None,
    ) -> Job:
        """Starts a program, whose output goes to ``log`` (beside its result by default).

        Raises ``RuntimeError`` if too many run, ``OSError`` if it cannot be started.
        """
        with self._lock:
            running = sum(job.running and not job.outlives for job in self._jobs)
            if running >= MAX_RUNNING and not outlives:
                raise RuntimeError(f"{running} programs are running already: wait for one, or stop it")
            log = log or output.with_name(output.name + ".log")
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("wb") as file:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
                )
            job = Job(kind, title, command, log, output, process, stop_signal, outlives, measure)
            self._jobs.append(job)
            return job

    def of(self, *kinds: str) -> list[Job]:
        """Those of some kinds, the latest first."""
        with self._lock:
            return [job for job in reversed(self._jobs) if job.kind in kinds]

    def dismiss(self, job: Job) -> None:
        """Forgets one that has ended."""
        with self._lock:
            if not job.running and job in self._jobs:
                self._jobs.remove(job)

    def close(self) -> None:
        """Ends what does not outlive the dashboard."""
        with self._lock:
            ending = [job for job in self._jobs if job.running and not job.outlives]
        for job in ending:
            job.stop()
        for job in ending:
            job.stop(wait=10.0)
