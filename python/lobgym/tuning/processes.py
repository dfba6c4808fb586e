"""Where trials run: in this process, or in several."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lobgym.tuning.study import Search, quiet, say
from lobgym.tuning.trial import Interrupted

if TYPE_CHECKING:
    import optuna

__all__ = ["in_processes", "in_this_process", "only_one"]


def in_this_process(search: Search, study: optuna.Study) -> bool:
    """Returns whether it was interrupted."""
    deadline = None if search.timeout is None else time.monotonic() + search.timeout
    try:
        search.work(study, contextlib.nullcontext(), lambda: False, deadline)
    except (KeyboardInterrupt, Interrupted):
        return True
    return False


def in_processes(search: Search, jobs: int) -> bool:
    """Returns whether it was interrupted."""
    # Started afresh, as threads and libtorch do not survive a fork.
    context = multiprocessing.get_context("spawn")
    stop, exclusive, problems = context.Event(), context.Lock(), context.SimpleQueue()
    arguments = (search, exclusive, stop, problems)
    workers = [context.Process(target=_worker, args=arguments, daemon=True) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    interrupted = False
    try:
        for worker in workers:
            worker.join()
    except KeyboardInterrupt:
        interrupted = True
        stop.set()
        say("stopping after the updates that are running; Ctrl-C again ends at once")
        try:
            for worker in workers:
                worker.join()
        except KeyboardInterrupt:
            for worker in workers:
                worker.terminate()
                worker.join()
    if not problems.empty():
        raise problems.get()
    died = [worker.exitcode for worker in workers if worker.exitcode]
    if died and not interrupted:
        raise RuntimeError(f"a process of the search ended with {died[0]}; the same search goes on where it is")
    return interrupted


def _worker(search: Search, exclusive: Any, stop: Any, problems: Any) -> None:
    """A process that tries."""
    # A terminal sends Ctrl-C to all processes; the first one tells the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    deadline = None if search.timeout is None else time.monotonic() + search.timeout
    parent = multiprocessing.parent_process()

    def stopped() -> bool:
        return stop.is_set() or (parent is not None and not parent.is_alive())

    try:
        with quiet():
            search.work(search.open()[0], exclusive, stopped, deadline)
    except Interrupted:
        pass
    except Exception as error:
        stop.set()
        # As text where it cannot be sent.
        kind = type(error) if type(error) in (ValueError, ImportError, OSError) else RuntimeError
        problems.put(kind(str(error)))


@contextlib.contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Holds the directory: two searches in one would both call the other's trials interrupted."""
    with (directory / "tune.lock").open("w") as file:
        try:
            import fcntl
        except ImportError:
            # Windows: no lock, as nothing breaks while there is one search.
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(f"{directory}: another process searches here; use another directory") from None
        yield
