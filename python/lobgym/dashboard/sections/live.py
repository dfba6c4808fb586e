"""Live: traders and paper brokers, what they hold and have done, and their controls."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import streamlit as st

from lobgym.dashboard import programs
from lobgym.dashboard.colours import Palette, label
from lobgym.dashboard.figures import money
from lobgym.dashboard.processes import Job
from lobgym.dashboard.reading.files import Unreadable
from lobgym.dashboard.reading.ledgers import Ledger, find_ledgers, load_ledger
from lobgym.dashboard.reading.trades import Trade, find_trades, latest, load_trade
from lobgym.dashboard.sections import common, live_start

__all__ = ["show"]

_EVERY = 2.0


def _kill(kind: str, place: Path) -> None:
    """The kill switch, which asks once."""
    with st.popover("Kill switch", icon=":material/dangerous:", width="stretch"):
        st.markdown(f"**Sell everything and end?**  \n`{place}`")
        sure = st.checkbox("I am sure", key=f"sure-{place}")
        if st.button("Throw the kill switch", type="primary", disabled=not sure, key=f"kill-{place}"):
            try:
                st.success(f"Thrown: `{programs.throw_kill_switch(kind, place)}`")
            except OSError as error:
                st.error(f"The kill switch could not be thrown: {error}")


def _own_job(kind: str, place: Path) -> Job | None:
    return next((job for job in common.jobs().of(kind) if job.running and job.output == place), None)


def _buttons(kind: str, place: Path, killed: bool) -> None:
    if common.locked():
        return
    job = _own_job(kind, place)
    stop, switch = st.columns(2)
    with stop:
        reason = (
            "Ends it after the step"
            if job
            else "It was not started here: stop it where it runs, or use the kill switch"
        )
        if (
            st.button("Stop", key=f"stop-{place}", disabled=job is None, width="stretch", help=reason)
            and job is not None
        ):
            job.stop()
            st.toast("It ends after the step.")
    with switch:
        if killed:
            st.button("Kill switch is on", disabled=True, key=f"killed-{place}", width="stretch")
        else:
            _kill(kind, place)


def _numbers(values: list[tuple[str, str]]) -> None:
    for first in range(0, len(values), 6):
        for cell, (name, value) in zip(st.columns(6), values[first : first + 6], strict=False):
            cell.metric(name, value)


def _money(value: Any) -> str:
    return f"{float(value):,.2f}" if isinstance(value, int | float) and np.isfinite(value) else "-"


def _share(value: Any) -> str:
    return f"{float(value):.2%}" if isinstance(value, int | float) and np.isfinite(value) else "-"


def _plain(value: Any) -> str:
    return f"{float(value):,.6g}" if isinstance(value, int | float) and np.isfinite(value) else "-"


def _heading(title: str, state: str, detail: str) -> None:
    colour = {"running": "green", "killed": "red", "liquidated": "red", "stopped": "orange"}.get(state, "gray")
    st.markdown(f"### {title} :{colour}-badge[{state}]")
    st.caption(detail)


def _ledger(ledger: Ledger) -> None:
    theme = common.theme()
    head, buttons = st.columns([3, 2], vertical_alignment="center")
    with head:
        state = "killed" if ledger.killed else ledger.state
        _heading(ledger.path.name, state, f"paper broker, `{ledger.policy}`, seed {ledger.seed}, `{ledger.path}`")
    with buttons:
        _buttons("paper", ledger.path, ledger.killed)
    values = ledger.nav["nav"].to_numpy(dtype=float)
    falls = money.falls(values) if len(values) else np.zeros(1)
    profit = ledger.equity - ledger.capital
    _numbers(
        [
            ("Net asset value", f"{ledger.equity:,.0f}"),
            ("Profit", f"{profit:+,.0f} ({profit / ledger.capital:+.2%})"),
            (f"Drawdown (worst {-falls.min():.2%})", f"{-falls[-1]:.2%}"),
            ("Cash", f"{ledger.cash:,.0f}"),
            ("Fees and slippage", f"{ledger.fees + ledger.slippage:,.0f}"),
            ("Steps", f"{ledger.step:,}"),
        ]
    )
    palette = Palette([ledger.policy], theme)
    steps = ledger.nav["step"].to_numpy()
    left, right = st.columns(2)
    with left:
        st.markdown("**Net asset value**")
        figure = money.equity(steps, {ledger.policy: values}, palette, "step")
        common.chart(figure, f"nav-{ledger.path}")
    with right:
        st.markdown("**Drawdown**")
        figure = money.drawdowns(steps, {ledger.policy: values}, palette, "step")
        figure.update_layout(height=280)
        common.chart(figure, f"falls-{ledger.path}")
    left, right = st.columns([2, 3])
    with left:
        st.markdown("**Positions**")
        common.chart(money.weights(ledger.positions, theme), f"positions-{ledger.path}")
    with right:
        orders, refusals = st.tabs(
            [f"Orders ({len(ledger.orders)} latest)", f"Refusals ({sum(ledger.rules.values()):,})"]
        )
        with orders:
            _frame(ledger.orders, f"orders-{ledger.path}")
        with refusals:
            if ledger.rules:
                st.caption(", ".join(f"{rule}: {count:,}" for rule, count in ledger.rules.items()))
                _frame(ledger.refusals, f"refusals-{ledger.path}")
            else:
                st.caption("No order was refused.")


def _frame(frame: pandas.DataFrame, key: str) -> None:
    forms = {
        "quantity": "localized",
        "price": "%.2f",
        "slippage": "%.2f",
        "fee": "%.2f",
        "traded": "%.6g",
        "equity": "%.2f",
        "position": "%.6g",
        "realised_profit": "%.2f",
    }
    config = {name: st.column_config.NumberColumn(format=form) for name, form in forms.items() if name in frame}
    st.dataframe(frame, hide_index=True, height=260, key=key, column_config=config)


def _trade(trade: Trade) -> None:
    theme = common.theme()
    status, bars = trade.status, trade.bars
    policy = str(status.get("policy", "?"))
    killed = bool(status.get("kill_switch"))
    head, buttons = st.columns([3, 2], vertical_alignment="center")
    with head:
        _heading(
            trade.directory.name, str(status.get("state", "unknown")), f"trader, `{label(policy)}`, `{trade.directory}`"
        )
    with buttons:
        _buttons("trade", trade.directory, killed)
    if not len(bars):
        st.info("It has seen no bar yet.")
        return
    profit, first = status.get("profit"), status.get("initial_equity")
    change = f" ({profit / first:+.2%})" if isinstance(profit, int | float) and first else ""
    cells = [
        ("Equity, marked to market", _money(status.get("equity"))),
        ("Profit", (f"{profit:+,.2f}" if isinstance(profit, int | float) else "-") + change),
        ("Of it realised", _money(status.get("realised_profit"))),
        (f"Drawdown (worst {_share(status.get('max_drawdown'))})", _share(status.get("drawdown"))),
        ("Position", _plain(status.get("position"))),
        ("Cash", _money(status.get("cash"))),
    ]
    more = [
        ("Average price", "average_price", _plain),
        ("Unrealised profit", "unrealised_profit", _money),
        ("Fees", "fees", _money),
        ("Fills", "fills", _plain),
        (f"Cycles ({won} won)" if (won := status.get("won")) is not None else "Cycles", "cycles", _plain),
        ("Bars under water", "steps_under_water", _plain),
    ]
    cells += [(name, form(status[key])) for name, key, form in more if key in status]
    _numbers(cells)
    times = pandas.to_datetime(bars["time_ns"], unit="ns", errors="coerce") if "time_ns" in bars else bars.index
    axis = "time (UTC)" if "time_ns" in bars else "bar"
    x = times.to_numpy()
    palette = Palette([policy], theme)
    equity = bars["equity"].to_numpy(dtype=float)
    st.markdown("**Price and trades**")
    common.chart(money.prices(bars, x, axis, theme), f"price-{trade.directory}")
    left, right = st.columns(2)
    with left:
        st.markdown("**Equity, marked to market**")
        figure = money.equity(x, {policy: equity}, palette, axis, "equity")
        common.chart(figure, f"equity-{trade.directory}")
    with right:
        st.markdown("**Drawdown**")
        figure = money.drawdowns(x, {policy: equity}, palette, axis)
        figure.update_layout(height=280)
        common.chart(figure, f"drawdown-{trade.directory}")
    st.markdown("**Fills**, the latest first")
    wanted = ["step", "action", "traded", "price", "fee", "impact", "position", "equity", "realised_profit"]
    fills = trade.fills
    _frame(fills[[name for name in wanted if name in fills]].head(500), f"fills-{trade.directory}")
    if trade.note:
        st.caption(f"From the journal alone: {trade.note}")


def _body() -> None:
    options = common.options()
    ledgers, trades = find_ledgers(options.ledgers), find_trades(options.trades)
    if not ledgers and not trades:
        common.nothing(
            "No ledger and no trader yet. Start one above, or in a terminal:",
            f"lobgym paper --db {options.ledgers[0]}\n"
            f"lobgym trade --policy lowrider --bars bars.csv --out {options.trades[0]}/lowrider",
        )
        return
    places = {f"{path} (trader)": path for path in trades} | {f"{path} (paper broker)": path for path in ledgers}
    names = {str(path): name for name, path in places.items()}
    if st.session_state.get(live_start.JUMP) in names:
        # What was started from the page is shown as soon as it is there.
        st.session_state["live-place"] = names[st.session_state.pop(live_start.JUMP)]
    elif st.session_state.get("live-place") not in places:
        st.session_state["live-place"] = names[str(latest(trades) if trades else ledgers[0])]
    chosen = st.selectbox("Trader or broker", list(places), key="live-place")
    path = places.get(chosen or "", next(iter(places.values())))
    try:
        if path in trades:
            # Once in a while the program is asked though nothing was written: the trader may have died.
            _trade(load_trade(path, moment=int(time.time() / 10)))
        else:
            _ledger(load_ledger(path))
    except Unreadable as error:
        common.problems([error])
    st.caption(f"Updated at {time.strftime('%H:%M:%S')}, every {_EVERY:g} s.")


def show() -> None:
    """The page."""
    live_start.show()
    common.show_jobs("paper", "trade")
    st.fragment(_body, run_every=_EVERY)()
