"""Performance: one result closely, with distributions, costs, fills and intervals; evaluations from the page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import streamlit as st

from lobgym.dashboard.colours import Palette, label
from lobgym.dashboard.figures import strategies as figures
from lobgym.dashboard.reading import trainings
from lobgym.dashboard.reading.results import Comparison, Evaluation, Result, find_results
from lobgym.dashboard.sections import common
from lobgym.dashboard.session import MARKETS

__all__ = ["show"]

#: Strategies that are drawn; a grid's table has all.
_MOST = 15
_RULES = ["join", "join:skew=4", "mid:distance=0.5", "mid:distance=1:lots=2:skew=4", "as", "glft", "random"]
#: Columns of the table, in this order: heading, how numbers are written, and what they are.
COLUMNS = {
    "name": ("strategy", None, ""),
    "reward_mean": ("reward", "%.3f", "mean"),
    "reward_std": ("deviation", "%.3f", "standard deviation of the reward"),
    "reward_se": ("s.e.", "%.4f", "standard error of the mean reward"),
    "risk_adjusted": ("risk-adj.", "%.2f", "mean reward / its standard deviation"),
    "cvar95": ("worst 5%", "%.2f", "mean of the worst 5% of the rewards"),
    "growth_mean": (
        "growth",
        "percent",
        "mean of ln(equity at the end / at the start), open positions at the last price",
    ),
    "growth_cvar95": ("growth, worst 5%", "percent", "mean of the worst 5% of growth"),
    "realised_mean": ("realised", "percent", "mean profit of closed positions after costs, share of the capital"),
    "unrealised_mean": (
        "open",
        "percent",
        "mean of what is open at the end, share of the capital: what realised profit hides",
    ),
    "max_drawdown_mean": ("drawdown", "percent", "mean over the sessions of the greatest loss since a maximum"),
    "under_water": ("under water", "percent", "share of the steps below the highest equity so far"),
    "turnover_mean": ("turnover", "%.2f", "mean sum of the absolute changes of weights in a session"),
    "cycles_mean": ("cycles", "%.1f", "mean number of positions opened in a session"),
    "won": ("won", "percent", "share of the closed positions with a profit"),
    "stuck": ("stuck", "percent", "share of the sessions that end with a position at a loss and hardly any cash"),
    "liquidated": ("liquidated", "percent", "share of the sessions"),
    "shortfall_ticks": ("shortfall", "%.3f", "mean implementation shortfall, ticks a lot, positive = paid"),
    "shortfall_bps": ("in bp", "%.2f", "mean implementation shortfall, basis points of the mid at arrival"),
    "pnl_mean": ("profit", "%.2f", "mean, of an episode after liquidation and fees"),
    "pnl_std": ("P&L dev.", "%.2f", "standard deviation of the profit"),
    "sharpe": ("Sharpe", "%.2f", "mean profit / its standard deviation, of whole episodes"),
    "pnl_cvar95": ("P&L worst 5%", "%.2f", "mean of the worst 5% of the profits"),
    "max_drawdown": ("drawdown", "%.2f", "mean over the episodes of the greatest loss since a maximum"),
    "fill_rate_passive": ("passive", "percent", "share of the parent order that filled passively"),
    "fill_rate_aggressive": ("aggr.", "percent", "share of the parent order that filled aggressively"),
    "spread_capture": ("net5", "%.3f", "share of the half-spread that is left 5 s after a fill"),
    "fills": ("fills", "%.1f", "trades of quotes an episode"),
    "fill_ratio": ("fill ratio", "percent", "lots filled / lots asked for"),
    "inventory_abs_mean": ("|inventory|", "%.2f", "mean"),
    "completion_seconds": ("done, s", "%.1f", "mean time of the last fill"),
    "participation": ("particip.", "percent", "mean share of all traded lots"),
    "episodes": ("sessions", "localized", "sessions behind the figures"),
}


def table(rows: pandas.DataFrame, key: str, first: tuple[str, ...] = ()) -> None:
    """All figures of strategies, sorted by a click on a heading."""
    shown = [*first, *(name for name in COLUMNS if name in rows and rows[name].notna().any())]
    frame = rows[shown].copy()
    frame["name"] = [label(name) for name in frame["name"]]
    longest = max(len(name) for name in frame["name"])
    width = min(max(80, 8 * longest + 24), 260)
    config: dict[str, Any] = {"name": st.column_config.TextColumn("strategy", pinned=True, width=width)}
    for name in shown:
        heading, form, text = COLUMNS.get(name, (name, None, ""))
        if form is not None:
            config[name] = st.column_config.NumberColumn(heading, format=form, help=text)
    height = min(38 + 35 * len(frame), 420)
    st.dataframe(frame, hide_index=True, column_config=config, key=key, height=height)


def _start() -> None:
    with st.expander("Evaluate policies", icon=":material/play_circle:"):
        if common.locked():
            return
        runs = trainings.find_trainings(common.options().runs)
        trained = {f"policy:{r.directory}": r for r in runs if r.state == "complete" and r.env == "market_making"}
        env, market, episodes, seed = common.columns(3, 2, 2, 1)
        env.text_input("Environment", "market_making", disabled=True)
        name = market.selectbox("Market", MARKETS, index=1, key="evaluate-market")
        count = int(episodes.number_input("Sessions", 10, 1_000_000, 500, step=100, key="evaluate-episodes"))
        number = int(seed.number_input("Seed", 0, 2**31, 0, key="evaluate-seed"))
        policies, button = common.columns(7, 1)
        chosen = policies.multiselect(
            "Policies: rules and runs of trainings (docs/market_making.md)",
            [*trained, *_RULES],
            default=["join:skew=4", "mid:distance=0.5", "glft", "random"],
            format_func=label,
            accept_new_options=True,
            key="evaluate-policies",
        )
        if button.button("Evaluate", type="primary", width="stretch", disabled=not chosen):
            out = common.free_place(common.options().results[0], f"evaluation-{name}", ".json")
            command = [sys.executable, "-m", "lobgym.dashboard.work", "evaluate", "--out", str(out)]
            command += ["--market", name, "--episodes", str(count), "--seed", str(number)]
            command += [word for policy in chosen for word in ("--strategy", policy)]
            common.start("evaluation", f"{len(chosen)} policies in {name}, {count:,} sessions", command, out)
            st.rerun()


def _sessions(frame: pandas.DataFrame | None, column: str, names: list[str]) -> dict[str, np.ndarray[Any, Any]]:
    if frame is None or column not in frame:
        return {}
    groups = {str(name): group.to_numpy() for name, group in frame.groupby("strategy")[column]}
    # An evaluation's rows may say more of a rule than it was asked for by: `as` is `as:gamma=0.1` there.
    found = {name: groups.get(name, groups.get(name.split(":")[0])) for name in names}
    return {name: values for name, values in found.items() if values is not None and len(values)}


def _drawn(
    rows: pandas.DataFrame, paired: pandas.DataFrame, sessions: pandas.DataFrame | None, unit: str, key: str
) -> None:
    theme = common.theme()
    palette = Palette(rows["name"], theme)
    drawn = rows.sort_values("reward_mean", ascending=False).head(_MOST)
    if len(drawn) < len(rows):
        st.caption(f"The {_MOST} best of {len(rows)} are drawn; the table has all.")
    left, right = st.columns(2)
    with left:
        st.markdown(f"**Mean reward and its 95% interval** ({unit})")
        common.chart(
            figures.forest(drawn, "reward_mean", "reward_se", unit, palette, theme),
            f"{key}-forest",
        )
    with right:
        near = paired[paired["name"].isin(drawn["name"])]
        if len(near):
            st.markdown(
                f"**Difference to {label(near['against'].iloc[0])} over the same sessions**, 95% (hollow: 0 is in it)"
            )
            common.chart(figures.differences(near, unit, palette, theme), f"{key}-differences")
        else:
            st.markdown("**Mean against deviation**")
            common.chart(
                figures.risk(drawn, "reward_mean", "reward_std", unit, palette, theme),
                f"{key}-risk",
            )
    values = _sessions(sessions, "reward", list(drawn["name"]))
    if values:
        left, right = st.columns(2)
        with left:
            st.markdown("**Rewards of the sessions**: quartiles, 5% and 95%, mean")
            common.chart(figures.distributions(values, unit, palette), f"{key}-boxes")
        with right:
            st.markdown("**Their distribution**")
            common.chart(figures.densities(values, unit, palette), f"{key}-densities")
    else:
        st.caption(
            "The file has means alone. Sessions one by one, and so distributions, come with what is played from this page "
            "(above, or in Strategies)."
        )
    if "shortfall_ticks" in drawn:
        left, right = st.columns(2)
        with left:
            st.markdown("**Implementation shortfall and its parts**")
            common.chart(figures.parts(drawn, palette, theme), f"{key}-parts")
        with right:
            st.markdown("**How the order filled**")
            common.chart(figures.fills(drawn, palette, theme), f"{key}-fills")


def _comparison(result: Comparison, key: str) -> None:
    cells = result.table[["market", "lots"]].drop_duplicates().to_records(index=False).tolist()
    market, lots = (
        st.selectbox("Market and size", cells, format_func=lambda c: f"{c[0]}, {c[1]} lots", key=f"{key}-cell")
        or cells[0]
    )

    def cell(frame: pandas.DataFrame) -> pandas.DataFrame:
        return frame[(frame["market"] == market) & (frame["lots"] == lots)]

    rows = cell(result.table)
    sessions = None if result.sessions is None else cell(result.sessions)
    _drawn(rows, cell(result.paired), sessions, "ticks a lot", key)
    table(rows, f"{key}-table")


def _evaluation(result: Evaluation, key: str) -> None:
    unit = "ticks a lot" if result.env == "execution" else "reward of an episode"
    _drawn(result.table, result.paired, result.sessions, unit, key)
    table(result.table, f"{key}-table")


def _title(result: Result) -> str:
    kind = "comparison" if isinstance(result, Comparison) else f"evaluation, {getattr(result, 'env', '?')}"
    place = Path(result.path)
    name = f"{place.parent.name}/{place.name}" if place.name == "evaluation.json" else place.name
    return f"{name} ({kind}, {common.when(result.changed)})"


def show() -> None:
    """The page."""
    _start()
    common.show_jobs("evaluation", stop_word="Cancel")
    options = common.options()
    comparisons, damaged = find_results([*options.results, *options.runs], Comparison)
    evaluations, _ = find_results([*options.results, *options.runs], Evaluation)
    common.problems(damaged)
    results: list[Result] = sorted([*comparisons, *evaluations], key=lambda result: -result.changed)
    if not results:
        common.nothing(
            f"No results in {', '.join(f'`{place}`' for place in options.results)} yet. Evaluate policies above, or in a terminal:",
            f"lobgym evaluate --set env.market=flow --json {options.results[0]}/evaluation.json\n"
            f"lobgym compare --market all --episodes 2000 --json {options.results[0]}/comparison.json",
        )
        return
    by_path = {str(result.path): result for result in results}
    common.forget_gone("performance-result", by_path)
    path = st.selectbox("Result", list(by_path), format_func=lambda p: _title(by_path[p]), key="performance-result")
    result = by_path.get(path or "", results[0])
    if result.command:
        short = result.command if len(result.command) < 200 else result.command[:200] + "\u2026"
        st.caption(f"`{short}`")
    if result.settings.get("interrupted"):
        st.warning("It was interrupted: these are the sessions that were finished.")
    if isinstance(result, Comparison):
        _comparison(result, f"performance-{result.path}")
    elif isinstance(result, Evaluation):
        _evaluation(result, f"performance-{result.path}")
