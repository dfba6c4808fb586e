"""The exceptions of this package that are not Python's or Gymnasium's own.

Settings that are not legal raise ``ValueError``; a step where there can be none raises ``gymnasium.error.ResetNeeded``.
"""

from __future__ import annotations

import gymnasium.error

__all__ = ["BusyError", "ClosedError", "InternalError", "InvalidAction", "SessionError"]


class InvalidAction(gymnasium.error.InvalidAction, ValueError):
    """An action that is no element of the action space; the message names the index, the value and what is legal."""


class ClosedError(gymnasium.error.ClosedEnvironmentError):
    """A call on an environment after its ``close()``."""


class BusyError(RuntimeError):
    """A call on an environment while another thread is in one: an environment serves one caller at a time."""


class SessionError(RuntimeError):
    """A session of the market in which the task cannot be set. Another ``reset()`` goes on with the next one."""


class InternalError(RuntimeError):
    """A defect of this package. The object it came from is closed; others are not affected."""
