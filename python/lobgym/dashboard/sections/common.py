"""What all pages share: options, theme, figures, programs that run, and what to say when there is nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from lobgym.dashboard.figures.base import CONFIG
from lobgym.dashboard.options import Options
from lobgym.dashboard.processes import Job, Jobs

__all__ = [
    "ago",
    "chart",
    "columns",
    "duration",
    "forget_gone",
    "free_place",
    "jobs",
    "locked",
    "nothing",
    "options",
    "problems",
    "show_jobs",
    "start",
    "theme",
    "when",
]


def options() -> Options:
    """Those of the command line."""
    return Options.of_environment()


def theme() -> str:
    """``"light"`` or ``"dark"``, whichever the browser shows."""
    try:
        return "dark" if st.context.theme.type == "dark" else "light"
    except (AttributeError, KeyError):
        return "light"


@st.cache_resource
def jobs() -> Jobs:
    """The programs that this server has started, for all who look at it."""
    return Jobs()


def chart(figure: go.Figure, key: str) -> None:
    """Shows a figure over the whole width."""
    st.plotly_chart(figure, width="stretch", config=CONFIG, key=key)


def nothing(text: str, command: str = "") -> None:
    """Says that there is nothing to show yet, and the command that changes this."""
    st.info(text, icon=":material/info:")
    if command:
        st.code(command, language="sh")


def problems(found: list[Any], what: str = "") -> None:
    """Names the files that could not be read, and why."""
    if found:
        lines = "\n".join(f"- `{str(problem).replace('`', chr(39))}`" for problem in found[:10])
        more = f"\n- and {len(found) - 10} more" if len(found) > 10 else ""
        st.warning(f"{what or 'Could not be read:'}\n{lines}{more}", icon=":material/warning:")


def locked() -> bool:
    """Whether the page may start and stop nothing; says so."""
    if options().controls:
        return False
    st.caption("Controls are off: this page can be reached from other machines (docs/dashboard.md).")
    return True


def duration(seconds: float) -> str:
    """A time in words: ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def ago(moment: float) -> str:
    """How long ago a moment (seconds since 1970) was."""
    return f"{duration(time.time() - moment)} ago" if moment else "never"


def when(moment: float) -> str:
    """A moment (seconds since 1970) as a local time. Labels of choices must not change while they are shown, as ``ago`` does."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))


def forget_gone(key: str, choices: Collection[str]) -> None:
    """Lets a choice begin anew whose file is no longer there."""
    kept = st.session_state.get(key)
    if isinstance(kept, list):
        if any(value not in choices for value in kept):
            st.session_state[key] = [value for value in kept if value in choices]
    elif kept is not None and kept not in choices:
        del st.session_state[key]


def free_place(directory: str, name: str, ending: str = "") -> Path:
    """The first of ``NAME-1``, ``NAME-2``, ... that there is not; what is no letter, digit or dash of the name becomes a dash."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:40] or "run"
    number = 1
    while True:
        path = Path(directory) / f"{plain}-{number}{ending}"
        if not path.exists() and not path.with_name(path.name + ".log").exists():
            return path
        number += 1


def columns(*weights: float) -> Any:
    """Columns whose widgets stand on one line."""
    return st.columns(list(weights), vertical_alignment="bottom")


def start(*arguments: Any, **keywords: Any) -> Job | None:
    """Starts a program as ``Jobs.start`` does; says on the page why it could not."""
    try:
        job = jobs().start(*arguments, **keywords)
    except (OSError, RuntimeError) as error:
        st.error(f"Could not be started: {error}")
        return None
    return job


def _show_job(job: Job, stop_word: str, done: Callable[[Job], None] | None) -> None:
    state, progress = job.state, job.progress
    text = f"{job.title}: {state}, {duration(job.seconds)}"
    if state == "running":
        bar, button = columns(6, 1)
        # Where nobody knows how far it is, the bar says that it goes on.
        share = progress if progress is not None else 1 - 0.5 ** (job.seconds / 10)
        known = f", {progress:.0%}" if progress is not None else ""
        bar.progress(share, text=text + known)
        if button.button(stop_word, key=f"stop-{job.process.pid}", disabled=not options().controls):
            job.stop()
    else:
        line, button = columns(6, 1)
        if state == "finished":
            line.success(text, icon=":material/check:")
            if done is not None:
                done(job)
        elif state == "stopped":
            line.info(text)
        else:
            line.error(f"{text} (exit code {job.process.returncode})")
            st.code(job.words() or "it said nothing", language=None)
        if button.button("Dismiss", key=f"dismiss-{job.process.pid}"):
            jobs().dismiss(job)
            st.rerun()


def show_jobs(*kinds: str, stop_word: str = "Stop", done: Callable[[Job], None] | None = None) -> None:
    """The programs of some kinds, with their progress and a button to stop each; the page is loaded anew when one ends."""
    shown = jobs().of(*kinds)
    if not shown:
        return
    before = {job.process.pid for job in shown if job.running}

    @st.fragment(run_every=0.7 if before else None)
    def fragment() -> None:
        for job in shown:
            _show_job(job, stop_word, done)
        if any(not job.running for job in shown if job.process.pid in before):
            st.rerun()

    fragment()
