"""Training agents. PyTorch and the extension that uses it are imported when a training begins, and not before."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, TextIO, TypedDict

from lobgym import _core
from lobgym.runs import Run

__all__ = ["Callback", "Report", "train"]

#: The version whose libtorch the extension is made for.
_TORCH = "2.11.0"

#: Seconds between two lines, in a terminal and elsewhere.
_TERMINAL_INTERVAL, _PLAIN_INTERVAL = 0.1, 5.0


class Report(TypedDict):
    """Where a training is after an update."""

    #: Updates made, and to be made in all.
    update: int
    updates: int
    #: Environment steps made, and to be made in all.
    steps: int
    total_steps: int
    #: Of this update.
    steps_per_second: float
    #: Mean total reward of the last 100 episodes, in the environment's unit; ``None`` before the first has ended.
    mean_return: float | None
    #: The numbers of this update: ``policy_loss``, ``entropy`` and the like.
    metrics: dict[str, float]


#: Called after each update; ``False`` ends training.
Callback = Callable[[Report], bool | None]


def train(
    config: Mapping[str, Any] | str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    device: Any = "cpu",
    threads: int | None = None,
    callback: Callback | None = None,
    progress: bool | None = None,
    **overrides: Any,
) -> Run:
    """Trains an agent: ``lobgym.train("market_making_ppo", steps=200_000, env={"market": "noise"})``.

    ``config``: the path of a YAML file with the sections ``env`` and ``train``, the name of one that comes with the package
    (``execution_dirichlet``, ``execution_logistic_normal``, ``execution_ppo``, ``market_making_dqn``, ``market_making_ppo``, ``model_market_making_ppo``,
    ``portfolio_band_ppo``, ``portfolio_ppo``, ``trader_ppo_mlp``, ``trader_ppo_tcn_futures``, ``trader_reinforce``), or a
    mapping with these sections. ``overrides`` change it: keys of the section ``train``, mappings ``env`` and ``train``, or paths as in
    ``**{"env.market": "flow"}``. A setting that there is not, or that is not legal, raises ``ValueError`` with its key, its value and what
    would be legal.

    ``out``: the run's directory, by default ``runs/NAME-N`` with the first number that is free; ``FileExistsError`` if it has a run already.
    ``resume``: go on from its checkpoint, to the same numbers as if training had not been interrupted; needs the same settings. ``device``:
    ``"cpu"``, ``"cuda"`` or ``"cuda:N"``. ``threads``: by default one a core; the result does not depend on it. ``callback``: called after
    each update with a :class:`~lobgym.training.Report`, on this thread; if it returns ``False``, or raises, training ends. ``progress``: print
    how far it is to standard error; by default only if that is a terminal.

    Ctrl-C ends training too. However it ends early, a checkpoint is written first. Needs PyTorch and the extension ``lobgym._torch``;
    ``ImportError`` says how to come by them.
    """
    torch, native = _learners()
    shown = _Progress(sys.stderr) if progress or (progress is None and sys.stderr.isatty()) else None

    def observe(report: Report) -> bool:
        if shown is not None:
            shown.update(report)
        answer = None if callback is None else callback(report)
        return True if answer is None else bool(answer)

    # Training sets libtorch to one thread, as it spreads its work itself; the caller's own use of PyTorch goes on as before.
    torch_threads = torch.get_num_threads()
    try:
        outcome = native.train(
            config,
            overrides,
            out=out,
            resume=bool(resume),
            device=str(device),
            threads=threads,
            begun=None if shown is None else shown.begin,
            observer=None if callback is None and shown is None else observe,
        )
    finally:
        torch.set_num_threads(torch_threads)
        if shown is not None:
            shown.end()
    run = Run(outcome["directory"])
    if run.complete:
        run.to_html(run.directory / "report.html")
    return run


def _learners() -> tuple[Any, ModuleType]:
    """PyTorch, and the extension that trains."""
    missing = f'lobgym.train needs PyTorch {_TORCH}: pip install "lobgym[agents]"'
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        raise ImportError(f"{missing} ({error})") from error
    version = getattr(torch, "__version__", None)
    if version is None:
        # A directory of that name, such as the repository's own python/torch.
        raise ImportError(f"{missing} (what is called torch here is {torch!r})")
    if str(version).partition("+")[0] != _TORCH:
        raise ImportError(
            f'lobgym.train needs PyTorch {_TORCH}, here it is {version}: pip install "lobgym[agents]", in an environment of its own if '
            "something else here needs that version"
        )
    try:
        # After PyTorch: it uses the libraries that PyTorch has loaded.
        native = importlib.import_module("lobgym._torch")
    except ImportError as error:
        raise ImportError(
            f"lobgym.train needs the extension lobgym._torch ({error}). Build it in the repository, with Rust and a C++ compiler: make torch, "
            "or LIBTORCH_USE_PYTORCH=1 pip install --no-build-isolation ./python/torch"
        ) from error
    if native.__version__ != _core.__version__:
        raise ImportError(
            f"lobgym._torch is of version {native.__version__}, lobgym of {_core.__version__}; build both from the same repository"
        )
    return torch, native


class _Progress:
    """A line that is written over in a terminal, a line now and then elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._first: tuple[float, int] | None = None
        self._last = 0.0
        self._open = False

    def begin(self, directory: os.PathLike[str]) -> None:
        print(f"training in {directory}", file=self._stream, flush=True)

    def update(self, report: Report) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = (now, report["steps"])
        interval = _TERMINAL_INTERVAL if self._terminal else _PLAIN_INTERVAL
        if now - self._last < interval and report["update"] < report["updates"]:
            return
        self._last = now
        line = self._line(report, now)
        if self._terminal:
            # Cut to the window: a line that wraps could not be written over.
            self._stream.write(f"\r\x1b[2K{line[: shutil.get_terminal_size().columns - 1]}")
            self._open = True
        else:
            self._stream.write(f"{line}\n")
        self._stream.flush()

    def _line(self, report: Report, now: float) -> str:
        begun, first = self._first or (now, report["steps"])
        steps, total = report["steps"], report["total_steps"]
        parts = [f"{100 * steps // total}% {steps:,}/{total:,} steps", f"{report['steps_per_second']:,.0f} steps/s"]
        if report["mean_return"] is not None:
            parts.append(f"return {report['mean_return']:.4g}")
        for name in ("policy_loss", "value_loss", "loss"):
            if name in report["metrics"]:
                parts.append(f"{name.replace('_', ' ')} {report['metrics'][name]:.4g}")
        if steps > first and now > begun:
            minutes, seconds = divmod(round((total - steps) * (now - begun) / (steps - first)), 60)
            parts.append(f"{minutes}:{seconds:02} left")
        return ", ".join(parts)

    def end(self) -> None:
        if self._open:
            self._stream.write("\n")
            self._stream.flush()
