"""Training: learning curves of runs as they grow, and short trainings from the page."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pandas
import streamlit as st

from lobgym.dashboard import programs
from lobgym.dashboard.colours import Palette
from lobgym.dashboard.figures import training as figures
from lobgym.dashboard.processes import Job
from lobgym.dashboard.reading import trainings
from lobgym.dashboard.reading.files import Unreadable
from lobgym.dashboard.sections import common

__all__ = ["show"]

#: More lines than this cannot be told apart.
_MOST = 12
_USUAL = ["return_mean", "steps_per_second", "policy_loss", "value_loss", "loss", "entropy", "kl"]


def configurations() -> dict[str, Path]:
    """The trainings that come with the library: of the working directory, else of the repository that this is run from."""
    for root in (Path.cwd(), Path(__file__).resolve().parents[4]):
        found = sorted((root / "config" / "train").glob("*.yaml"))
        if found:
            return {path.stem: path for path in found}
    return {}


def _measure(out: Path, steps: int) -> float | None:
    try:
        frame = trainings.metrics(out)
    except Unreadable:
        return 0.0
    return min(float(frame["steps"].iloc[-1]) / steps, 1.0) if len(frame) else 0.0


def _start() -> None:
    with st.expander("Start a training", icon=":material/play_circle:"):
        if common.locked():
            return
        program = programs.find()
        if program is None:
            common.nothing(
                "Trainings need the program lobgym with the learners. Build it, or name it in LOBGYM_BINARY:",
                "make torch",
            )
            return
        known = configurations()
        names = [*known, "another file"]
        which, steps, seed, button = common.columns(4, 2, 1, 1)
        usual = names.index("market_making_ppo") if "market_making_ppo" in names else 0
        name = which.selectbox("What to train", names, index=usual)
        wanted = int(steps.number_input("Environment steps", 1_000, 1_000_000_000, 320_000, step=100_000))
        number = int(seed.number_input("Seed", 0, 2**31, 0))
        config = known.get(name)
        if config is None:
            config = Path(st.text_input("Its YAML file (docs/training.md)", placeholder="config/train/mine.yaml"))
        if button.button("Train", type="primary", width="stretch"):
            if not config.is_file():
                st.error(f"{config}: there is no such file")
                return
            out = common.free_place(common.options().runs[0], config.stem)
            command = [program, "train", str(config), "--out", str(out)]
            command += ["--set", f"train.steps={wanted}", "--set", f"train.seed={number}"]
            common.start(
                "training",
                f"{out.name}, {wanted:,} steps",
                command,
                out,
                stop_signal=signal.SIGINT,
                measure=lambda job: _measure(out, wanted),
                log=out.with_name(out.name + ".log"),
            )
            st.rerun()


def _done(job: Job) -> None:
    st.caption(f"`{job.output}` has the policy and a report.")


def _table(runs: list[trainings.Training], names: dict[Path, str]) -> None:
    rows = [
        {
            "run": names[run.directory],
            "state": run.state,
            "progress": None if run.progress is None else 100 * run.progress,
            "steps": run.steps,
            "mean return": trainings.latest_return(run.directory),
            "algorithm": run.algorithm,
            "environment": run.env,
            "market": Path(run.market).stem if "/" in run.market else run.market,
            "seed": run.seed,
            "changed": common.ago(run.changed),
        }
        for run in runs
    ]
    st.dataframe(
        pandas.DataFrame(rows),
        hide_index=True,
        key="training-table",
        height=min(38 + 35 * len(rows), 350),
        column_config={
            "run": st.column_config.TextColumn(width="medium"),
            "progress": st.column_config.ProgressColumn(format="%.0f%%", min_value=0, max_value=100, width="small"),
            "steps": st.column_config.NumberColumn(format="localized"),
            "mean return": st.column_config.NumberColumn(format="%.4g"),
            "seed": st.column_config.NumberColumn(format="%d", width="small"),
        },
    )


def _body(places: list[str]) -> None:
    runs = trainings.find_trainings(places)
    if not runs:
        where = ", ".join(f"`{place}`" for place in places)
        common.nothing(
            f"No runs in {where} yet. Start a training above, or in a terminal; its curves appear here as it goes:",
            f"lobgym train config/train/market_making_ppo.yaml --out {places[0]}/market_making",
        )
        return
    common.problems([text for run in runs for text in run.problems])
    names = trainings.names(runs)
    by_name = {names[run.directory]: run for run in runs}
    running = [name for name, run in by_name.items() if run.state == "running"]
    # Chosen once: what a visitor has chosen stays, whichever run was written to last.
    if "training-runs" not in st.session_state:
        st.session_state["training-runs"] = (running or list(by_name))[:3]
    common.forget_gone("training-runs", by_name)
    chosen = st.multiselect("Runs", sorted(by_name), max_selections=_MOST, key="training-runs")
    frames: dict[str, pandas.DataFrame] = {}
    for name in chosen:
        try:
            frame = trainings.metrics(by_name[name].directory)
        except Unreadable:
            continue  # named above
        if len(frame):
            frames[name] = frame
    # What is logged besides, in some environments, goes by its column's name.
    plain = {*figures.CURVES, "update", "steps", "episodes", "seconds", "minibatches", "replay"}
    others = dict.fromkeys(column for frame in frames.values() for column in frame if column not in plain)
    common.forget_gone("training-curves", [*figures.CURVES, *others])
    axis, smooth, panels = common.columns(1, 2, 4)
    x = axis.segmented_control("Over", ["steps", "seconds"], default="steps", key="training-x") or "steps"
    smoothing = smooth.slider("Smoothing (share of the run, %)", 0.0, 20.0, 1.0, 0.5, key="training-smoothing") / 100
    wanted = panels.multiselect(
        "Curves",
        [*figures.CURVES, *others],
        default=_USUAL,
        format_func=lambda name: figures.CURVES.get(name, name),
        key="training-curves",
    )
    if frames and wanted:
        palette = Palette(by_name, common.theme())
        common.chart(figures.curves(frames, wanted, palette, x, smoothing), "training-curves-figure")
    elif chosen and wanted:
        st.info("The chosen runs have made no update yet.")
    _table(runs, names)
    if any(run.state == "running" for run in runs):
        st.caption(f"Updated at {time.strftime('%H:%M:%S')}, every 2 s while a run grows.")


def show() -> None:
    """The page."""
    places = common.options().runs
    # What stands above the curves is sent after them: the browser needs longest to load what draws figures.
    above = st.container()
    growing = any(run.state == "running" for run in trainings.find_trainings(places))
    st.fragment(_body, run_every=2.0 if growing else 10.0)(places)
    with above:
        _start()
        common.show_jobs("training", done=_done)
