"""Portfolio: backtests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import streamlit as st

from lobgym.dashboard import programs
from lobgym.dashboard.colours import Palette, label
from lobgym.dashboard.figures import money
from lobgym.dashboard.figures import strategies as figures
from lobgym.dashboard.processes import Job
from lobgym.dashboard.reading.results import Backtest, find_results
from lobgym.dashboard.sections import common

__all__ = ["show"]

_PERCENT = ("total_return", "growth", "volatility", "max_drawdown", "fees", "impact")
_HEADINGS = {
    "total_return": "total return",
    "growth": "growth a year",
    "volatility": "volatility",
    "sharpe": "Sharpe",
    "sortino": "Sortino",
    "max_drawdown": "worst drawdown",
    "turnover": "turnover a year",
    "fees": "fees a year",
    "impact": "impact a year",
}


def _files() -> dict[str, Path]:
    for root in (Path.cwd(), Path(__file__).resolve().parents[4]):
        found = sorted((root / "config" / "backtest").glob("*.yaml"))
        if found:
            return {path.stem: path for path in found}
    return {}


def _start() -> None:
    with st.expander("Run a backtest", icon=":material/play_circle:"):
        if common.locked():
            return
        program = programs.find()
        if program is None:
            common.nothing(
                "Backtests need the program lobgym. Build it, or name it in LOBGYM_BINARY:", "cargo build --release"
            )
            return
        known = _files()
        which, cost, seed, button = common.columns(4, 2, 1, 1)
        name = which.selectbox("Settings", [*known, "another file"], key="backtest-file")
        basis_points = cost.number_input("Proportional cost (basis points)", 0.0, 500.0, 10.0, 1.0, key="backtest-cost")
        number = int(seed.number_input("Seed", 0, 2**31, 0, key="backtest-seed"))
        path = known.get(name)
        if path is None:
            path = Path(st.text_input("Its YAML file (docs/backtest.md)", placeholder="config/backtest/mine.yaml"))
        strategies = st.text_input(
            "Strategies, as in the file; empty: those of the file",
            placeholder="equal_weight, buy_and_hold, risk_parity:window=60|120, policy:runs/portfolio",
            key="backtest-strategies",
        )
        if button.button("Run", type="primary", width="stretch"):
            if not path.is_file():
                st.error(f"{path}: there is no such file")
                return
            out = common.free_place(common.options().results[0], "backtest", ".json")
            command = [program, "backtest", str(path), "--json", str(out)]
            command += ["--set", f"env.transaction_cost={basis_points / 1e4:g}", "--set", f"backtest.seed={number}"]
            if strategies.strip():
                command += ["--set", f"backtest.strategies=[{strategies.strip()}]"]

            def unknown(_: Job) -> float | None:
                return None

            out.parent.mkdir(parents=True, exist_ok=True)
            if common.start("backtest", f"backtest of {path.name}", command, out, measure=unknown):
                st.session_state["backtest-jump"] = str(out)
            st.rerun()


def _axis(result: Backtest, length: int) -> tuple[Any, str]:
    if result.dates is not None and len(result.dates) >= length:
        return pandas.to_datetime(pandas.Series(result.dates[:length]), errors="coerce").to_numpy(), ""
    return np.arange(length), "periods of the test"


def _table(rows: pandas.DataFrame, palette: Palette, key: str) -> None:
    frame = rows[["name", *(column for column in _HEADINGS if column in rows)]].copy()
    frame["name"] = [palette.label(name) for name in frame["name"]]
    for column in _PERCENT:
        if column in frame:
            frame[column] = 100.0 * frame[column].astype(float)
    config: dict[str, Any] = {"name": st.column_config.TextColumn("strategy", pinned=True)}
    for column, heading in _HEADINGS.items():
        form = "%.2f%%" if column in _PERCENT else "%.2f"
        config[column] = st.column_config.NumberColumn(heading, format=form)
    st.dataframe(frame, hide_index=True, column_config=config, key=key, height=38 + 35 * len(frame))


def _figures(result: Backtest, shown: list[str], key: str) -> None:
    theme = common.theme()
    palette = Palette(result.nav, theme)
    series = {name: result.nav[name] for name in shown}
    x, axis = _axis(result, max(len(values) for values in series.values()))
    st.markdown("**Net asset value after costs**")
    common.chart(money.equity(x, series, palette, axis), f"{key}-equity")
    st.markdown("**Drawdown**")
    common.chart(money.drawdowns(x, series, palette, axis), f"{key}-drawdown")
    left, right = st.columns(2)
    rows = result.table.set_index("name")
    with left:
        st.markdown("**Turnover a year** (sum of the changes of weights)")
        turnover = {name: float(rows.loc[name, "turnover"]) for name in shown}
        common.chart(money.bars(turnover, "times the net asset value", ".3~g", palette), f"{key}-turnover")
    with right:
        st.markdown("**Costs so far** (fees and impact, shares of the net asset value)")
        costs = {name: result.costs[name] for name in shown}
        common.chart(money.growth(x, costs, palette, axis, "sum of the costs"), f"{key}-costs")
    near = result.paired[result.paired["name"].isin(shown)]
    if len(near):
        st.markdown(
            f"**Growth a year less that of {label(near['against'].iloc[0])}**, 95% intervals (hollow: 0 is in it)"
        )
        figure = figures.differences(near, "difference in growth a year", palette, theme)
        figure.update_xaxes(tickformat="~%")
        common.chart(figure, f"{key}-paired")


def show() -> None:
    """The page."""
    _start()
    common.show_jobs("backtest", stop_word="Cancel")
    options = common.options()
    results, damaged = find_results(options.results, Backtest)
    common.problems(damaged)
    if not results:
        common.nothing(
            f"No backtest in {', '.join(f'`{place}`' for place in options.results)} yet. Run one above, or in a terminal:",
            f"lobgym backtest config/backtest/default.yaml --json {options.results[0]}/backtest.json",
        )
        return
    by_path = {str(result.path): result for result in results}
    if st.session_state.get("backtest-jump") in by_path:
        st.session_state["backtest-result"] = st.session_state.pop("backtest-jump")
    common.forget_gone("backtest-result", by_path)
    path = st.selectbox(
        "Backtest",
        list(by_path),
        format_func=lambda p: f"{Path(p).name} ({common.when(by_path[p].changed)})",
        key="backtest-result",
    )
    result = by_path.get(path or "", results[0])
    names = list(result.nav)
    key = f"backtest-{result.path}"
    shown = st.multiselect("Strategies", names, default=names, format_func=label, key=f"{key}-shown")
    ruined = [label(name) for name in result.table[result.table["ruined"]]["name"]]
    if ruined:
        st.warning(f"Ruined: {', '.join(ruined)}")
    if not shown:
        st.info("Choose at least one strategy.")
        return
    _table(result.table[result.table["name"].isin(shown)], Palette(names), f"{key}-table")
    _figures(result, shown, key)
    chosen = result.choices[result.choices["name"].isin(shown) & result.choices["growth"].notna()]
    if len(chosen):
        with st.expander("Parameters that were chosen, and the growth they were chosen by"):
            frame = chosen.assign(growth=100.0 * chosen["growth"].astype(float))
            form = {"growth": st.column_config.NumberColumn("growth a year", format="%.2f%%")}
            st.dataframe(frame, hide_index=True, key=f"{key}-choices", column_config=form)
