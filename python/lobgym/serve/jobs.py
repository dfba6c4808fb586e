"""Jobs as processes: begun when there is room, watched, ended when asked, and found again after a restart of the server."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from lobgym.serve import child, processes
from lobgym.serve.errors import ServeError
from lobgym.serve.ledger import ACTIVE, Job, Kind, Ledger, State
from lobgym.serve.logs import last_line
from lobgym.serve.places import Places
from lobgym.serve.settings import Settings

__all__ = ["Jobs", "Work"]

#: Seconds after which one that found no room may ask again.
_RETRY = 10


class Work(Protocol):
    """A kind of job: what its process is, and what its ending means."""

    kind: Kind
    #: That asks the process to end.
    stop_signal: signal.Signals

    def most(self, settings: Settings) -> int:
        """How many may run at the same time."""

    def waits_for(self, job: Job) -> str | None:
        """Why the job cannot begin yet, if so."""

    def command(self, job: Job) -> list[str]:
        """The process of the next attempt; what an earlier one left behind is made ready for it."""

    def is_complete(self, job: Job) -> bool:
        """Whether its results are there, however its process ended."""


class Jobs:
    """The jobs of a state directory. Any thread may use it; a thread of its own watches the processes."""

    def __init__(self, settings: Settings, places: Places, ledger: Ledger, works: Mapping[Kind, Work]) -> None:
        self.settings, self.places, self.ledger, self.works = settings, places, ledger, works
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._wake = threading.Event()
        # A job that is asked to end while its process is being started is told by one of the two, and once.
        self._telling = threading.Lock()
        self._closing = False
        self._draining = False
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Takes up what an earlier server left: what runs is watched on, what has gone meanwhile is resumed, or has failed."""
        for job in self.ledger.jobs(states=ACTIVE, oldest_first=True):
            if not self._seen(job) and job.state == "running":
                self._gone_while_away(job)
            elif job.state == "stopping":
                # It may never have been told.
                self._signal(self.get(job.id), self.works[job.kind].stop_signal)
        self._thread.start()

    def close(self) -> None:
        """Ends the watching. Jobs go on, unless ``jobs_on_exit`` is ``stop``."""
        if self.settings.jobs_on_exit == "stop" and self._thread.ident is not None:
            self._draining = True
            for job in self.ledger.jobs(states=("running",)):
                with contextlib.suppress(ServeError):
                    self.stop(job.id, "the server ended")
            patience = time.monotonic() + self.settings.stop_seconds + 5
            while self.ledger.jobs(states=ACTIVE, limit=1) and time.monotonic() < patience:
                time.sleep(0.05)
        self._closing = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def submit(self, kind: Kind, request: dict[str, Any]) -> Job:
        """Accepts a job. It is in the ledger when this returns.

        Raises:
            ServeError: 429, if too many wait.

        """
        most = self.works[kind].most(self.settings) + self.settings.max_queue
        job = self.ledger.accept(kind, request, most)
        if job is None:
            legal = f"{most} of the kind {kind} at most run or wait"
            raise ServeError("too many jobs", legal=legal, status=429, retry_after=_RETRY)
        self._wake.set()
        return job

    def get(self, id: str, kind: Kind | None = None) -> Job:
        """The job.

        Raises:
            ServeError: 404, if there is none.

        """
        job = self.ledger.job(id)
        if job is None or kind not in (None, job.kind):
            raise ServeError("there is no such job", id, f"the id of a {kind or 'job'}", status=404)
        return job

    def stop(self, id: str, reason: str = "stopped on request", kind: Kind | None = None) -> Job:
        """Asks a job to end; it does at once if it has not begun.

        Raises:
            ServeError: 404 if there is none, 409 if it is at its end.

        """
        job = self.get(id, kind)
        if self.ledger.change(id, ("queued",), "stopped", reason):
            return self.get(id)
        with self._telling:
            if self.ledger.change(id, ("running",), "stopping", reason, stop_asked=time.time()):
                job = self.get(id)
                self._signal(job, self.works[job.kind].stop_signal)
                self._wake.set()
        job = self.get(id)
        if not job.is_open:
            raise ServeError("the job is at its end already", job.state, "a job that is not", status=409)
        return job

    def _run(self) -> None:
        while not self._closing:
            try:
                self._look()
            except Exception:
                # The ledger cannot be read: that may pass.
                traceback.print_exc()
                time.sleep(1)
            self._wake.wait(self.settings.poll_seconds)
            self._wake.clear()

    def _look(self) -> None:
        for job in self.ledger.jobs(states=ACTIVE):
            try:
                self._watch(job)
            except Exception:
                # Nothing that is wrong with one job may end the watching of the others.
                traceback.print_exc()
                time.sleep(1)
        for work in self.works.values():
            if self._draining:
                break
            room = work.most(self.settings) - self.ledger.count(work.kind, ACTIVE)
            if room > 0:
                for job in self.ledger.jobs(work.kind, ("queued",), oldest_first=True):
                    try:
                        if room > 0 and self._begin(work, job):
                            room -= 1
                    except (OSError, ServeError) as error:
                        # Those behind it may well begin.
                        self.ledger.change(job.id, ("queued",), "failed", f"it could not be started: {error}")

    def _place(self, job: Job) -> Path:
        return self.places.inside("logs", job.id)

    def _begin(self, work: Work, job: Job) -> bool:
        reason = work.waits_for(job)
        if reason is not None:
            if reason != job.reason:
                self.ledger.change(job.id, ("queued",), "queued", reason)
            return False
        attempt = job.attempt + 1
        # Before there is a process, so that none is ever unknown. If the server is killed in between, the next one finds its number in a file.
        began = {"attempt": attempt, "started": job.started or time.time(), "pid": None, "identity": None}
        again = job.reason if job.attempt else None
        if not self.ledger.change(job.id, ("queued",), "running", again, **began):
            return False
        try:
            command = work.command(job)
            with self.places.log(job.id).open("ab") as log:
                process = subprocess.Popen(
                    [sys.executable, "-I", child.__file__, str(self._place(job)), str(attempt), *command],
                    cwd=self.places.root,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={name: value for name, value in os.environ.items() if name != "LOBGYM_TOKEN"},
                    start_new_session=True,
                )
        except (OSError, ServeError) as error:
            self.ledger.change(job.id, ACTIVE, "failed", f"it could not be started: {error}")
            return False
        self._children[job.id] = process
        with self._telling:
            self.ledger.note(job.id, pid=process.pid, identity=processes.identity(process.pid))
            told = self.get(job.id)
            if told.state == "stopping":
                self._signal(told, work.stop_signal)
        return True

    def _watch(self, job: Job) -> None:
        process = self._children.get(job.id)
        if process is not None and process.poll() is not None:
            del self._children[job.id]
        if not self._seen(job):
            # Its last act is to leave word: that may have come between two looks.
            if not self._ended(job):
                job = self.get(job.id)
                if job.state == "stopping":
                    self.ledger.change(job.id, ACTIVE, "stopped", job.reason)
                else:
                    self.ledger.change(job.id, ACTIVE, "failed", self._why(job, "its process was killed"))
        elif job.state == "stopping" and time.time() > (job.stop_asked or 0) + self.settings.stop_seconds:
            self._signal(job, signal.SIGKILL)

    def _seen(self, job: Job) -> bool:
        """Whether the job's process runs, or has ended and said how, which is then recorded."""
        if self._ended(job):
            return True
        if job.pid is not None and processes.is_alive(job.pid, job.identity):
            return True
        # Started by a server that was killed before it could write down the number; or held by an earlier process.
        with contextlib.suppress(OSError, ValueError):
            said = json.loads(self._place(job).with_suffix(".pid").read_text())
            found = processes.identity(said["pid"])
            if found is not None and said["pid"] != job.pid and self._holds(job):
                self.ledger.note(job.id, pid=said["pid"], identity=found, attempt=said["attempt"])
                return True
        return False

    def _holds(self, job: Job) -> bool:
        """Whether some process has the job's lock: numbers in files may be anybody's by now."""
        import fcntl

        with contextlib.suppress(OSError), self._place(job).with_suffix(".lock").open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    def _ended(self, job: Job) -> bool:
        try:
            said = json.loads(self._place(job).with_suffix(f".{job.attempt}.exit").read_text())
        except (OSError, ValueError):
            return False
        code = int(said["code"])
        # As it is by now: it may have been asked to end since it was looked at.
        state, reason = self._meaning(self.get(job.id), code)
        self.ledger.change(job.id, ACTIVE, state, reason, exit_code=code, ended=said["ended"])
        return True

    def _meaning(self, job: Job, code: int) -> tuple[State, str | None]:
        if job.state == "stopping":
            return ("finished", None) if self.works[job.kind].is_complete(job) else ("stopped", job.reason)
        if code == 0:
            return "finished", None
        if code < 0:
            return "failed", self._why(job, f"killed by {signal.Signals(-code).name}")
        return "failed", self._why(job, f"exit code {code}")

    def _why(self, job: Job, what: str) -> str:
        line = last_line(self.places.log(job.id))
        return f"{what}: {self.places.private(line)}" if line else what

    def _gone_while_away(self, job: Job) -> None:
        if self.works[job.kind].is_complete(job):
            self.ledger.change(job.id, ACTIVE, "finished", "its process went after its results were written")
        elif not self.settings.resume:
            self.ledger.change(job.id, ACTIVE, "failed", "its process went while the server was away (resume is off)")
        elif job.attempt >= self.settings.resume_attempts:
            reason = f"its process went while the server was away; {job.attempt} were started for it, the most that there may be"
            self.ledger.change(job.id, ACTIVE, "failed", reason)
        else:
            self.ledger.change(job.id, ACTIVE, "queued", "resumed: its process went while the server was away")

    def _signal(self, job: Job, number: signal.Signals) -> None:
        processes.signal_group(job.pid, job.identity, number)
