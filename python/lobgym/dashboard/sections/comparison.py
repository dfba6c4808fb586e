"""Strategies: learned ones beside schedules, market by market, with risk; comparisons from the page."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas
import streamlit as st

from lobgym.dashboard.colours import KNOWN, Palette, label
from lobgym.dashboard.figures import strategies as figures
from lobgym.dashboard.reading import trainings
from lobgym.dashboard.reading.results import Comparison, find_results
from lobgym.dashboard.sections import common
from lobgym.dashboard.sections.performance import table
from lobgym.dashboard.session import MARKETS

__all__ = ["show"]

#: Figures by market: title of the bars, column, column of its standard error.
_FIGURES = {
    "reward": ("mean reward (ticks a lot)", "reward_mean", "reward_se"),
    "shortfall": ("mean shortfall (ticks a lot, positive = paid)", "shortfall_ticks", "shortfall_se"),
    "shortfall, bp": ("mean shortfall (basis points)", "shortfall_bps", None),
    "reward / deviation": ("mean / standard deviation of the reward", "risk_adjusted", None),
    "worst 5%": ("mean of the worst 5% of rewards (ticks a lot)", "cvar95", None),
    "passive fills": ("share that filled passively", "fill_rate_passive", None),
}


def _start(jump: str) -> None:
    with st.expander("Compare strategies", icon=":material/play_circle:"):
        if common.locked():
            return
        runs = trainings.find_trainings(common.options().runs)
        trained = [f"policy:{run.directory}" for run in runs if run.state == "complete" and run.env == "execution"]
        markets, lots, side, episodes, seed = common.columns(4, 2, 1.4, 1.6, 1)
        where = markets.multiselect("Markets", MARKETS, default=["noise", "flow", "strategic"], key="compare-markets")
        sizes = lots.multiselect(
            "Lots", [5, 10, 20, 40, 60, 100], default=[20], accept_new_options=True, key="compare-lots"
        )
        direction = side.selectbox("Side", ["sell", "buy"], key="compare-side")
        count = int(episodes.number_input("Sessions", 10, 1_000_000, 1_000, step=500, key="compare-episodes"))
        number = int(seed.number_input("Seed", 0, 2**31, 0, key="compare-seed"))
        strategies, button = common.columns(7, 1)
        chosen = strategies.multiselect(
            "Strategies (docs/execution.md), and policies trained in `execution`",
            [*KNOWN, *trained],
            default=["sl", "twap", "market", "vwap", "ac"],
            format_func=label,
            accept_new_options=True,
            key="compare-strategies",
        )
        whole = [str(size) for size in sizes if str(size).isdigit()]
        ready = bool(where and chosen and whole)
        if button.button("Compare", type="primary", width="stretch", disabled=not ready):
            out = common.free_place(common.options().results[0], "comparison", ".json")
            command = [sys.executable, "-m", "lobgym.dashboard.work", "compare", "--out", str(out)]
            command += ["--side", direction, "--episodes", str(count), "--seed", str(number)]
            for option, values in (("--market", where), ("--lots", whole), ("--strategy", chosen)):
                command += [word for value in values for word in (option, value)]
            title = f"{len(chosen)} strategies in {', '.join(where)}, {count:,} sessions each"
            if common.start("comparison", title, command, out):
                # It is shown as soon as it is there.
                st.session_state[jump] = str(out)
            st.rerun()


def _regimes(chosen: pandas.DataFrame, palette: Palette, theme: str, key: str) -> None:
    what = (
        st.segmented_control(
            "Figure", list(_FIGURES), default="reward", key=f"{key}-figure", label_visibility="collapsed"
        )
        or "reward"
    )
    title, value, error = _FIGURES[what]
    st.markdown("**By market**" + (", with 95% intervals" if error else ""))
    common.chart(figures.regimes(chosen, value, error, title, palette, theme), f"{key}-regimes")


def _cell(result: Comparison, chosen: pandas.DataFrame, palette: Palette, theme: str, key: str) -> None:
    cells = chosen[["market", "lots"]].drop_duplicates().to_records(index=False).tolist()
    tabs = st.tabs([f"{market}, {lots} lots" for market, lots in cells])
    for tab, (market, lots) in zip(tabs, cells, strict=True):
        with tab:
            rows = chosen[(chosen["market"] == market) & (chosen["lots"] == lots)]
            paired = result.paired
            near = paired[(paired["market"] == market) & (paired["lots"] == lots) & paired["name"].isin(rows["name"])]
            left, right = st.columns(2)
            with left:
                st.markdown("**Mean against risk**: up and to the left is better")
                figure = figures.risk(rows, "reward_mean", "reward_std", "ticks a lot", palette, theme)
                common.chart(figure, f"{key}-{market}-{lots}-risk")
            with right:
                if len(near):
                    st.markdown("**Difference to twap in the same sessions**, 95% (hollow: 0 is in it)")
                    figure = figures.differences(near, "ticks a lot, right is better", palette, theme)
                    common.chart(figure, f"{key}-{market}-{lots}-differences")
                else:
                    st.caption("Differences are given where `twap` takes part.")
            _best(rows)


def _best(rows: pandas.DataFrame) -> None:
    by_mean = rows.loc[rows["reward_mean"].idxmax()]
    by_risk = rows.loc[rows["cvar95"].idxmax()]
    learned = rows[rows["name"].str.startswith("policy:")]
    text = (
        f"Best mean: **{label(by_mean['name'])}** ({by_mean['reward_mean']:+.3f} +- {1.96 * by_mean['reward_se']:.3f}). "
        f"Best in the worst 5%: **{label(by_risk['name'])}** ({by_risk['cvar95']:+.2f})."
    )
    if len(learned):
        others = rows[~rows["name"].str.startswith("policy:")]
        best = learned.loc[learned["reward_mean"].idxmax()]
        if len(others):
            other = others.loc[others["reward_mean"].idxmax()]
            lead = best["reward_mean"] - other["reward_mean"]
            # As if their sessions were not the same, which makes it wider: the paired one is known against twap alone.
            width = 1.96 * float(np.hypot(best["reward_se"], other["reward_se"]))
            verb = "beats" if lead > width else "loses to" if lead < -width else "cannot be told from"
            text += (
                f" The best learned policy, **{label(best['name'])}**, {verb} the best of the others, "
                f"**{label(other['name'])}** ({lead:+.3f} +- {width:.3f})."
            )
    st.markdown(text)


def show() -> None:
    """The page."""
    jump = "compare-jump"
    _start(jump)
    common.show_jobs("comparison", stop_word="Cancel")
    options = common.options()
    results, damaged = find_results([*options.results, *options.runs], Comparison)
    common.problems(damaged)
    if not results:
        common.nothing(
            f"No comparison in {', '.join(f'`{place}`' for place in options.results)} yet. Compare strategies above, or in a terminal:",
            f"lobgym compare --market all --lots all --episodes 2000 --json {options.results[0]}/comparison.json",
        )
        return
    by_path = {str(result.path): result for result in results}
    if st.session_state.get(jump) in by_path:
        st.session_state["compare-result"] = st.session_state.pop(jump)
    common.forget_gone("compare-result", by_path)
    path = st.selectbox(
        "Comparison",
        list(by_path),
        format_func=lambda p: f"{Path(p).name} ({common.when(by_path[p].changed)})",
        key="compare-result",
    )
    result = by_path.get(path or "", results[0])
    names = list(dict.fromkeys(result.table["name"]))
    shown = st.multiselect("Strategies", names, default=names, format_func=label, key=f"shown-{result.path}")
    if not shown:
        st.info("Choose at least one strategy.")
        return
    if result.settings.get("interrupted"):
        st.warning("It was interrupted: these are the sessions that were finished.")
    theme = common.theme()
    chosen = result.table[result.table["name"].isin(shown)]
    palette = Palette(names, theme)
    key = f"compare-{result.path}"
    _regimes(chosen, palette, theme, key)
    _cell(result, chosen, palette, theme, key)
    table(chosen, f"{key}-table", ("market", "lots"))
    side = result.settings.get("side", "?")
    st.caption(
        f"{side} orders over {result.settings.get('horizon_seconds', '?')} s, seed {result.settings.get('seed', '?')}. "
        "Rewards are against the best price at arrival, higher is better."
    )
