"""A thread for what may hang: nothing waits for it, neither the event loop's end nor that of the process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

__all__ = ["Worker"]

_Result = TypeVar("_Result")
_Task = tuple["Future[Any]", Callable[[], Any]]


class Worker:
    """Does one thing after the other. The threads of :mod:`concurrent.futures` are joined at the end of the process, whatever they do."""

    def __init__(self, name: str) -> None:
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, action = task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = action()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            del task, future, action

    def submit(self, action: Callable[[], _Result]) -> asyncio.Future[_Result]:
        """Has it done. Whoever is not interested any more cancels the future: what has begun goes on for itself."""
        future: Future[_Result] = Future()
        self._tasks.put((future, action))
        return asyncio.wrap_future(future)

    def close(self) -> None:
        """Ends the thread behind what it has been given; does not wait for that."""
        self._tasks.put(None)

    def join(self) -> None:
        """Waits for the end of a closed one."""
        self._thread.join()
