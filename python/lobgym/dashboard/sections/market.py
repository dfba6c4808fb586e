"""Market: a simulated or replayed book, played before one's eyes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import streamlit as st

import lobgym
from lobgym.dashboard import programs
from lobgym.dashboard.figures import market as figures
from lobgym.dashboard.sections import common
from lobgym.dashboard.session import MARKETS, Session

__all__ = ["show"]

_FILE = "a YAML file"
#: Where the session of this page is kept, and what it was made for.
_KEY, _MADE = "market-session", "market-made"


def _make(market: str, seed: int) -> Session | None:
    """The session, made anew when another one is asked for; None, and the reason on the page, if it cannot be made."""
    if st.session_state.get(_MADE) == (market, seed) and _KEY in st.session_state:
        return st.session_state[_KEY]
    st.session_state.pop(_KEY, None)
    try:
        session = Session(market, seed)
        session.step(0.5, 60)
    except (ValueError, OSError, lobgym.SessionError) as error:
        st.error(f"`{market}`: {error}")
        return None
    st.session_state[_KEY], st.session_state[_MADE] = session, (market, seed)
    return session


def _described() -> dict[str, Path]:
    """Markets in files: of the working directory, else of the repository that this is run from."""
    for root in (Path.cwd(), Path(__file__).resolve().parents[4]):
        found = sorted((root / "config" / "market").glob("*.yaml"))
        if found:
            return {path.stem: path for path in found if path.stem not in MARKETS}
    return {}


def _choose() -> tuple[str, int]:
    which, seed, file = common.columns(2, 1, 4)
    described = _described()
    name = which.selectbox("Market", [*MARKETS, *described, _FILE], index=1, key="market-name")
    number = int(seed.number_input("Seed", 0, 2**31, 1, key="market-seed"))
    path = file.text_input(
        "YAML file of a market; with `flow: replay` a recorded one (docs/replay.md)",
        placeholder="btcusdt.yaml",
        disabled=name != _FILE,
        key="market-file",
    )
    if name == _FILE:
        return path.strip(), number
    return (str(described[name]) if name in described else name), number


def _controls() -> tuple[bool, float]:
    speed, play, one, ten, again, _ = common.columns(2, 1.1, 1.1, 1.1, 1.1, 1)
    step = float(
        speed.select_slider("Step (s of the market)", [0.1, 0.25, 0.5, 1.0, 2.0, 5.0], value=0.5, key="market-step")
    )
    playing = bool(st.session_state.get("market-playing"))
    if play.button("Pause" if playing else "Play", type="primary", width="stretch", key="market-play"):
        st.session_state["market-playing"] = not playing
        st.rerun()
    session: Session | None = st.session_state.get(_KEY)
    if one.button("Step", width="stretch", key="market-one", disabled=playing) and session is not None:
        session.step(step)
    if ten.button("20 steps", width="stretch", key="market-twenty", disabled=playing) and session is not None:
        session.step(step, 20)
    if again.button("Start anew", width="stretch", key="market-again"):
        st.session_state.pop(_KEY, None)
        st.rerun()
    return playing, step


def _book(session: Session, theme: str) -> None:
    moment = session.last
    cells = st.columns(6)
    mid, spread = moment.mid, None
    if moment.best_ask is not None and moment.best_bid is not None:
        spread = moment.best_ask - moment.best_bid
    numbers: list[tuple[str, Any]] = [
        ("Time", f"{moment.time:,.1f} s"),
        ("Best bid", "-" if moment.best_bid is None else f"{moment.best_bid:,}"),
        ("Best ask", "-" if moment.best_ask is None else f"{moment.best_ask:,}"),
        ("Mid (ticks)", "-" if mid is None else f"{mid:,.1f}"),
        ("Spread (ticks)", "-" if spread is None else f"{spread:,}"),
        ("Lots traded in the step", f"{moment.bought + moment.sold:,}"),
    ]
    for cell, (name, value) in zip(cells, numbers, strict=True):
        cell.metric(name, value)
    moments = list(session.moments)
    left, right = st.columns([1, 2])
    levels = int(st.session_state.get("market-levels", 12))
    with left:
        st.markdown("**Ladder**")
        common.chart(figures.ladder(moment, levels, theme), "market-ladder")
    with right:
        st.markdown("**Depth over time**: bids and asks, stronger where more lots rest")
        common.chart(figures.depth(moments, int(st.session_state.get("market-reach") or 15), theme), "market-depth")
    left, right = st.columns(2)
    with left:
        st.markdown("**Spread**")
        common.chart(figures.spread(moments, theme), "market-spread")
    with right:
        st.markdown("**What a market order costs now**")
        curves = {side: session.cost_now(side, 10**12) for side in ("buy", "sell")}
        common.chart(figures.cost(curves, theme), "market-cost")
    st.markdown("**Flow of orders**")
    common.chart(figures.flow(moments, theme), "market-flow")


@st.cache_data(show_spinner="Asking `lobgym estimate`")
def _estimates(most: int, seconds: int) -> dict[str, tuple[list[float], list[float]]]:
    """Expected costs of schedules by size, as ``lobgym estimate`` gives them for the market `flow`."""
    sizes = [most * part / 8 for part in range(1, 9)]

    def asked(lots: float) -> Any:
        return programs.ask("estimate", "--lots", str(lots), "--seconds", str(seconds), "--json", "-")["estimates"]

    curves: dict[str, tuple[list[float], list[float]]] = {}
    with ThreadPoolExecutor(2) as pool:
        for lots, estimates in zip(sizes, pool.map(asked, sizes), strict=True):
            for estimate in estimates:
                places, points = curves.setdefault(estimate["name"], ([], []))
                places.append(lots)
                points.append(1e4 * estimate["cost"])
    return curves


def _impact(theme: str) -> None:
    with st.expander("Impact model: what schedules are expected to cost", icon=":material/show_chart:"):
        if common.locked():
            return
        lots, seconds, button = common.columns(1, 1, 2)
        most = int(lots.number_input("Up to lots", 10, 100_000, 120, step=10, key="impact-lots"))
        time = int(seconds.number_input("Within seconds", 1, 86_400, 150, step=10, key="impact-seconds"))
        if button.button("Estimate", key="impact-go"):
            st.session_state["impact-asked"] = (most, time)
        if "impact-asked" not in st.session_state:
            st.caption("The model fitted to the market `flow` (docs/impact.md), as `lobgym estimate` applies it.")
            return
        try:
            curves = _estimates(*st.session_state["impact-asked"])
            common.chart(figures.impact(curves, theme), "market-impact")
        except (programs.ProgramError, KeyError, TypeError) as error:
            st.error(f"No estimate: {error}")


def show() -> None:
    """The page."""
    market, seed = _choose()
    if not market:
        common.nothing(
            "Name a YAML file that describes a market. One that replays the recording `ticks.gz` says:",
            "flow:\n  replay:\n    file: ticks.gz\n    episode_seconds: 600\nfees: none\nlatency: {order: none, report: none}",
        )
        return
    session = _make(market, seed)
    if session is None:
        return
    theme = common.theme()
    playing, step = _controls()
    # Kept apart from the fragment, which is drawn anew at each step.
    levels, reach, _ = common.columns(1, 1, 2)
    levels.slider("Levels of the ladder", 5, 30, 12, key="market-levels")
    widest = max(20, _widest(session))
    reach.number_input("Depth within ticks of the mid", 5, 10**6, min(widest, 10**6), key=f"market-reach-{market}")
    st.session_state["market-reach"] = st.session_state[f"market-reach-{market}"]

    @st.fragment(run_every=0.6 if playing else None)
    def book() -> None:
        if playing:
            try:
                session.step(step)
            except (ValueError, OSError, lobgym.SessionError) as error:
                st.session_state["market-playing"] = False
                st.error(str(error))
        _book(session, theme)

    book()
    _impact(theme)


def _widest(session: Session) -> int:
    """How far from the mid most of the ladder reaches."""
    moment = session.last
    if moment.mid is None or not len(moment.bids) or not len(moment.asks):
        return 20
    far = max(len(moment.bids), len(moment.asks))
    place = min(14, far - 1)
    bid = moment.bids["price"][min(place, len(moment.bids) - 1)]
    ask = moment.asks["price"][min(place, len(moment.asks) - 1)]
    return int(max(moment.mid - bid, ask - moment.mid)) + 1
