"""Overview: what there is, how it stands, and where it is shown. Nothing here is drawn with Plotly: the first page comes without waiting for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import streamlit as st

from lobgym.dashboard.colours import label
from lobgym.dashboard.reading import trainings
from lobgym.dashboard.reading.files import Unreadable
from lobgym.dashboard.reading.ledgers import find_ledgers, load_ledger
from lobgym.dashboard.reading.results import Backtest, Comparison, Evaluation, find_results
from lobgym.dashboard.reading.trades import find_trades, load_trade, written
from lobgym.dashboard.sections import common

__all__ = ["show"]

_EVERY = 5.0
#: Lines of a card.
_MOST = 4


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _code(text: object) -> str:
    """A name that Markdown leaves as it is."""
    return f"`{str(text).replace('`', chr(39))}`"


def _lines(lines: list[str]) -> None:
    more = [f"and {len(lines) - _MOST} more"] if len(lines) > _MOST else []
    st.markdown("\n".join(f"- {line}" for line in [*lines[:_MOST], *more]))


def _best(table: pandas.DataFrame) -> str:
    """The leader by mean reward, with its 95% interval."""
    known = table[table["reward_mean"].notna()] if "reward_mean" in table else table.iloc[:0]
    if not len(known):
        return ""
    row = known.loc[known["reward_mean"].idxmax()]
    error = row.get("reward_se")
    width = f" ± {1.96 * float(error):.3f}" if error is not None and np.isfinite(error) else ""
    return f"{_code(label(str(row['name'])))} leads with {float(row['reward_mean']):+.3f}{width}"


def _training(places: list[str]) -> None:
    runs = trainings.find_trainings(places)
    common.problems([text for run in runs for text in run.problems])
    if not runs:
        common.nothing("No runs yet.", f"lobgym train config/train/market_making_ppo.yaml --out {places[0]}/first")
        return
    running = sum(run.state == "running" for run in runs)
    st.markdown(f"{_count(len(runs), 'run')}, {running} running")
    names = trainings.names(runs)
    lines = []
    for run in runs:
        share = f" {run.progress:.0%}" if run.progress is not None and run.state != "complete" else ""
        made = trainings.latest_return(run.directory)
        mean = f", return {made:.4g}" if made is not None else ""
        lines.append(f"{_code(names[run.directory])} {run.state}{share}{mean}, {common.ago(run.changed)}")
    _lines(lines)


def _performance(places: list[str]) -> None:
    found, damaged = find_results(places, Evaluation)
    common.problems(damaged)
    if not found:
        common.nothing(
            "No evaluation yet.",
            f"lobgym evaluate --episodes 2000 --json {common.options().results[0]}/evaluation.json",
        )
        return
    st.markdown(_count(len(found), "evaluation"))
    _lines([f"{_code(result.path.name)} {result.env}: {_best(result.table) or 'no rewards'}" for result in found])


def _strategies(places: list[str]) -> None:
    found, _ = find_results(places, Comparison)
    if not found:
        common.nothing(
            "No comparison yet.", f"lobgym compare --market all --json {common.options().results[0]}/comparison.json"
        )
        return
    latest = found[0]
    st.markdown(f"{_count(len(found), 'comparison')}; the latest, {_code(latest.path.name)}:")
    cells = latest.table.groupby(["market", "lots"], sort=False)
    _lines([f"{_code(Path(str(market)).stem)}, {lots} lots: {_best(rows)}" for (market, lots), rows in cells])


def _portfolio(places: list[str]) -> None:
    found, _ = find_results(places, Backtest)
    if not found:
        common.nothing(
            "No backtest yet.",
            f"lobgym backtest config/backtest/default.yaml --json {common.options().results[0]}/backtest.json",
        )
        return
    latest = found[0]
    st.markdown(f"{_count(len(found), 'backtest')}; the latest, {_code(latest.path.name)}:")
    rows = latest.table.sort_values("growth", ascending=False) if "growth" in latest.table else latest.table
    lines = []
    for row in rows.to_dict("records"):
        growth, fall = row.get("growth"), row.get("max_drawdown")
        state = "ruined" if row["ruined"] else f"{growth:+.2%} a year" if growth is not None else "no growth known"
        lines.append(f"{_code(label(row['name']))} {state}" + (f", drawdown {fall:.1%}" if fall is not None else ""))
    _lines(lines)


def _account(name: Path, state: Any, equity: Any, first: Any) -> str:
    if not isinstance(equity, int | float) or not isinstance(first, int | float) or not first:
        return f"{_code(name)} {state}"
    return f"{_code(name)} {state}, equity {equity:,.2f} ({equity / first - 1:+.2%})"


def _live(_: list[str]) -> None:
    options = common.options()
    ledgers, trades = find_ledgers(options.ledgers), find_trades(options.trades)
    if not ledgers and not trades:
        common.nothing("No trader and no paper broker yet.", f"lobgym paper --db {options.ledgers[0]}")
        return
    st.markdown(f"{_count(len(trades), 'trader')}, {_count(len(ledgers), 'paper broker')}")
    lines, damaged = [], []
    for path in trades:
        try:
            status = load_trade(path, ask=False).status
            ended = status["state"] if status["state"] in ("killed", "liquidated") else ""
            state = ended or f"wrote {common.ago(written(path))}"
            lines.append(_account(path, state, status.get("equity"), status.get("initial_equity")))
        except Unreadable as error:
            damaged.append(error)
    for path in ledgers:
        try:
            ledger = load_ledger(path)
            state = "killed" if ledger.killed else ledger.state
            lines.append(_account(path, state, ledger.equity, ledger.capital))
        except Unreadable as error:
            damaged.append(error)
    common.problems(damaged)
    if lines:
        _lines(lines)


def _market(_: list[str]) -> None:
    st.markdown("Those that come with the package, those of `config/market`, and recorded ones:")
    _lines(["a ladder and its depth over time", "spread, order flow, impact of an order", "played, paused, stepped"])


def show(pages: Mapping[str, Any]) -> None:
    """The page; ``pages``: those of the menu by their titles."""
    options = common.options()
    common.show_jobs("training", "evaluation", "comparison", "backtest", "paper", "trade")
    cards = {
        "Training": (_training, options.runs),
        "Performance": (_performance, [*options.results, *options.runs]),
        "Strategies": (_strategies, [*options.results, *options.runs]),
        "Market": (_market, []),
        "Portfolio": (_portfolio, [*options.results, *options.runs]),
        "Live": (_live, []),
    }

    @st.fragment(run_every=_EVERY)
    def body() -> None:
        titles = list(cards)
        for first in range(0, len(titles), 3):
            for column, title in zip(st.columns(3), titles[first : first + 3], strict=True):
                with column, st.container(border=True, height="stretch"):
                    st.page_link(pages[title], label=f"**{title}**", icon=":material/arrow_forward:")
                    card, places = cards[title]
                    card(places)

    body()
