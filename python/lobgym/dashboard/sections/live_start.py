"""Starting a paper broker or a trader from the page."""

from __future__ import annotations

import signal
from pathlib import Path

import streamlit as st

from lobgym.dashboard import programs
from lobgym.dashboard.colours import label
from lobgym.dashboard.processes import Job
from lobgym.dashboard.reading import trainings
from lobgym.dashboard.reading.files import Unreadable
from lobgym.dashboard.reading.ledgers import load_ledger
from lobgym.dashboard.sections import common

__all__ = ["JUMP", "show"]

#: Where the page keeps what it has started last, until that can be shown.
JUMP = "live-jump"


def _unknown(_: Job) -> float | None:
    return None


def _trained(env: str) -> list[str]:
    runs = trainings.find_trainings(common.options().runs)
    return [f"policy:{run.directory}" for run in runs if run.state == "complete" and run.env == env]


def _free_ledger() -> Path:
    first = Path(common.options().ledgers[0])
    if first.is_dir():
        return common.free_place(str(first), "paper", ".db")
    return first if not first.exists() else common.free_place(str(first.parent), first.stem, ".db")


def _broker(program: str) -> None:
    policy, speed, steps, seed, button = common.columns(4, 1.3, 1.3, 1, 1)
    rules = ["equal_weight:band=0.02", "buy_and_hold", "risk_parity:window=60", "minimum_variance:window=60"]
    who = policy.selectbox(
        "Who decides (docs/paper.md)",
        [*rules, *_trained("portfolio_rebalancing")],
        format_func=label,
        accept_new_options=True,
        key="paper-policy",
    )
    rate = speed.selectbox("Steps a second", ["1", "5", "20", "max"], index=1, key="paper-speed")
    count = int(steps.number_input("Steps", 1, 1_000_000, 1_000, step=100, key="paper-steps"))
    number = int(seed.number_input("Seed", 0, 2**31, 0, key="paper-seed"))
    if button.button("Start", type="primary", width="stretch", key="paper-start", disabled=not who):
        ledger = _free_ledger()
        command = [program, "paper", "--db", str(ledger), "--policy", str(who), "--speed", str(rate)]
        command += ["--steps", str(count), "--seed", str(number)]

        def measure(_: Job) -> float | None:
            try:
                return min(load_ledger(ledger).step / count, 1.0)
            except Unreadable:
                return 0.0

        title = f"broker {ledger.name}, {label(str(who))}"
        common.start("paper", title, command, ledger, stop_signal=signal.SIGTERM, outlives=True, measure=measure)
        st.session_state[JUMP] = str(ledger)
        st.rerun()


def _trader(program: str) -> None:
    policy, bars, button = common.columns(3, 5, 1)
    who = policy.selectbox(
        "Who decides",
        ["lowrider", "buy_and_hold", "random", *_trained("trader")],
        format_func=label,
        accept_new_options=True,
        key="trade-policy",
    )
    file = bars.text_input("File of bars (`lobgym collect --bars-file`)", placeholder="bars.csv", key="trade-bars")
    follow, speed, _ = common.columns(3, 2, 4)
    live = follow.checkbox("Wait for new bars", value=True, key="trade-follow")
    rate = speed.selectbox("Bars a second", ["max", "1", "10", "100"], key="trade-speed")
    if button.button("Start", type="primary", width="stretch", key="trade-start", disabled=not who):
        path = Path(file.strip())
        if not file.strip() or not path.is_file():
            st.error(f"`{file}`: there is no such file of bars. `lobgym collect --bars-file bars.csv` makes one.")
            return
        out = common.free_place(common.options().trades[0], label(str(who)).split(":")[0])
        command = [program, "trade", "--policy", str(who), "--bars", str(path), "--out", str(out), "--speed", str(rate)]
        command += ["--follow"] if live else []
        common.start(
            "trade",
            f"trader {out.name}",
            command,
            out,
            stop_signal=signal.SIGTERM,
            outlives=True,
            measure=_unknown,
            log=out.with_name(out.name + ".log"),
        )
        st.session_state[JUMP] = str(out)
        st.rerun()


def show() -> None:
    """The form."""
    with st.expander("Start a paper broker or a trader", icon=":material/play_circle:"):
        if common.locked():
            return
        program = programs.find()
        if program is None:
            common.nothing(
                "Both need the program lobgym. Build it, or name it in LOBGYM_BINARY:", "cargo build --release"
            )
            return
        broker, trader = st.tabs(["Paper broker (simulated prices)", "Trader (bars)"])
        with broker:
            _broker(program)
        with trader:
            _trader(program)
