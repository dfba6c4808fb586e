"""Sessions of a simulated market, and their statistics."""

from __future__ import annotations

import copy
import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lobgym
from lobgym import EventKind, Reason

FEES = {"maker_taker": {"maker": {"per_lot": -0.25}, "taker": {"per_lot": 0.5}}}
SLOW = {"order": {"constant": {"seconds": 0.5}}, "report": {"constant": {"seconds": 0.25}}}


def test_the_same_seed_gives_the_same_session() -> None:
    digests = set()
    for pauses in ([60.0], [0.1 * step for step in range(1, 601)] + [60.0]):
        session = lobgym.Simulator("noise", seed=5, keep_digest=True)
        for pause in pauses:
            session.run_until(max(pause, session.now))
        assert session.now == 60.0
        digests.add((session.events_digest, session.digest()))
    session.reset(6)
    assert (session.seed, session.now) == (6, 0.0)
    session.run_until(60.0)
    assert session.events_digest not in {events for events, _ in digests}
    session.reset(5)
    session.run_until(60.0)
    digests.add((session.events_digest, session.digest()))
    assert len(digests) == 1


def test_a_fork_has_the_same_future() -> None:
    session = lobgym.Simulator("flow", seed=1, keep_digest=True, latency=SLOW, fees=FEES)
    assert session.best_bid is not None
    session.run_until(5)
    session.submit_limit("buy", session.best_bid, 4)
    session.submit_market("sell", 7)
    session.run_until(5.3)
    forks = [session.fork(), copy.copy(session), copy.deepcopy(session)]
    for one in (session, *forks):
        one.submit_market("buy", 3)
        one.run_until(40)
    reports = session.reports()
    assert len(reports) >= 5
    for fork in forks:
        assert (fork.events_digest, fork.digest()) == (session.events_digest, session.digest())
        np.testing.assert_array_equal(fork.fills(), session.fills())
        np.testing.assert_array_equal(fork.reports(), reports)
    forks[0].submit_market("buy", 3)
    forks[0].run_until(41)
    session.run_until(41)
    assert forks[0].events_digest != session.events_digest


def test_orders_reports_and_fills_of_the_agent() -> None:
    session = lobgym.Simulator(seed=2, fees=FEES)
    assert session.best_bid is not None and session.best_ask is not None
    bid, ask = session.best_bid, session.best_ask
    resting = session.submit_limit("buy", bid, 9)
    assert session.queue_position(resting) is not None
    assert session.orders().tolist() == [(bid, 9, resting, 0, 2)]
    session.amend(resting, quantity=6)
    session.cancel(resting)
    taker = session.submit_market("buy", 1)
    assert (resting, taker) == (0, 1)
    reports = session.reports()
    assert reports["ticket"].tolist() == [0, 0, 0, 1, 1]
    kinds = [EventKind(kind) for kind in reports["kind"]]
    expected = [EventKind.ACCEPTED, EventKind.AMENDED, EventKind.CANCELLED, EventKind.ACCEPTED, EventKind.TRADE]
    assert kinds == expected
    assert reports["quantity"].tolist() == [0, 6, 6, 0, 1]
    assert len(session.reports()) == 0
    (fill,) = session.fills()
    assert (fill["price"], fill["quantity"], fill["ticket"], fill["side"], bool(fill["maker"])) == (ask, 1, 1, 0, False)
    assert (fill["fee"], fill["best_bid"], fill["best_ask"]) == (0.5, bid, ask)
    assert (session.position, session.cash, session.fees) == (1, -ask, 0.5)
    assert session.mid is not None
    assert session.profit() == pytest.approx(-ask + session.mid - 0.5)
    refused = session.submit_limit("buy", session.best_ask, 1, post_only=True)
    report = session.reports()[-1]
    assert (report["ticket"], report["kind"], report["reason"]) == (refused, EventKind.REJECTED, Reason.WOULD_CROSS)


def test_orders_travel_with_the_latency() -> None:
    session = lobgym.Simulator(seed=2, latency=SLOW)
    session.submit_market("buy", 1)
    session.run_until(0.49)
    assert len(session.fills()) == 0
    session.run_until(0.51)
    assert session.fills()["time"].tolist() == [0.5]
    assert len(session.reports()) == 0
    session.run_until(0.76)
    assert session.reports()["time"].tolist() == [0.5, 0.5]


def test_events_are_kept_and_handed_out_once() -> None:
    session = lobgym.Simulator(seed=4, keep_log=True)
    session.run_until(20)
    events = session.events()
    assert events.dtype == lobgym.SESSION_EVENT_DTYPE
    assert (np.diff(events["time"]) >= 0).all()
    assert len(session.events()) == 0
    # Every trade has a side, and trades add up.
    trades = events[events["kind"] == EventKind.TRADE]
    assert set(trades["side"].tolist()) <= {0, 1}
    assert trades["quantity"].sum() == session.traded
    with pytest.raises(ValueError, match="keep_log is False"):
        lobgym.Simulator().events()


def test_the_book_is_seen_as_everybody_sees_it() -> None:
    session = lobgym.Simulator(seed=4)
    session.run_until(30)
    bids, asks = session.depth(3)
    assert (bids["price"][0], asks["price"][0]) == (session.best_bid, session.best_ask)
    assert session.quantity_at("buy", bids["price"][1]) == bids["quantity"][1]
    orders = session.book_orders("buy")
    at_best = orders[orders["price"] == session.best_bid]
    assert at_best["visible"].sum() == bids["quantity"][0]
    assert session.spread == asks["price"][0] - bids["price"][0]
    assert session.microprice is not None and bids["price"][0] < session.microprice < asks["price"][0]


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"market": "nois"}, ["market", "nois", "noise, flow"]),
        ({"opening_bok": "live"}, ["opening_bok", "live", "did you mean opening_book"]),
        ({"opening_book": "warm"}, ["opening_book", "warm", "frozen"]),
        ({"fees": {"maker_taker": {"maker": {"per_lot": 1}}}}, ["fees", "taker"]),
        ({"latency": {"order": {"constant": {"seconds": -1.0}}, "report": "none"}}, ["latency", "-1"]),
        ({"latency": float("nan")}, ["latency", "nan", "finite"]),
        ({"profile": object()}, ["profile", "object"]),
        ({"seed": -1}, ["seed", "-1"]),
        ({"flow_file": "no_such.npz"}, ["no_such.npz"]),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises((ValueError, OSError)) as error:
        lobgym.Simulator(**settings)
    for part in parts:
        assert part in str(error.value)


def test_bad_commands_are_named() -> None:
    session = lobgym.Simulator()
    session.run_until(1)
    calls: list[tuple[Any, list[str]]] = [
        (lambda: session.run_until(0.5), ["time", "0.5", "now"]),
        (lambda: session.run_until(float("nan")), ["time", "NaN"]),
        (lambda: session.run_until(float("inf")), ["time", "inf"]),
        (lambda: session.cancel(0), ["ticket", "0", "below 0"]),
        (lambda: session.submit_limit("buy", 1, 1, time_in_force="gtd"), ["expiry"]),
        (lambda: session.submit_market("both", 1), ["side", "both"]),
    ]
    for call, parts in calls:
        with pytest.raises(ValueError) as error:
            call()
        for part in parts:
            assert part in str(error.value)


def interrupted(work: Any) -> float:
    """Seconds from Ctrl-C to the exception."""
    sent: list[float] = []

    def press() -> None:
        time.sleep(0.5)
        sent.append(time.monotonic())
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        work()
    thread.join()
    return time.monotonic() - sent[0]


def test_ctrl_c_ends_a_session_and_a_simulation() -> None:
    session = lobgym.Simulator()
    assert interrupted(lambda: session.run_until(1e9)) < 1.0
    assert 0 < session.now < 1e9
    assert interrupted(lambda: lobgym.simulate(sessions=100_000, record=False, threads=1)) < 1.0


def test_simulation_says_what_the_command_says(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    simulation = lobgym.simulate(
        "noise", seconds=65, sessions=3, interval=5, levels=4, threads=2, progress=lambda *done: told.append(done)
    )
    assert told[-1] == (3, 3)
    statistics = simulation.statistics
    assert json.loads(simulation.to_json()) == statistics
    assert (statistics["market"], statistics["sessions"], statistics["seconds"]) == ("noise", 3, 65.0)
    assert len(statistics["depth_profile"]) == 4
    snapshots = simulation.snapshots
    assert snapshots["time"].tolist() == [5.0 * index for index in range(14)]
    assert snapshots["bid_lots"].shape == (14, 4)
    # The first session is the one that a simulator plays with its seed.
    events = simulation.events
    assert events["kind"][:2].tolist() == [0, 0]
    simulation.write_events(tmp_path / "events.npz")
    with np.load(tmp_path / "events.npz") as written:
        np.testing.assert_array_equal(written["time"], events["time"])
        np.testing.assert_array_equal(written["kind"], events["kind"])
        np.testing.assert_array_equal(written["handle"].view(np.uint64)[events["kind"] != 1], events["handle"])
    simulation.write_snapshots(tmp_path / "snapshots.csv")
    assert (tmp_path / "snapshots.csv").read_text().count("\n") == 15
    simulation.to_svg(tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").read_text().startswith("<svg")
    with pytest.raises(ValueError, match=r"npz or \.csv"):
        simulation.write_events(tmp_path / "events.txt")
    with pytest.raises(OSError, match="nowhere"):
        simulation.to_svg(tmp_path / "nowhere" / "figure.svg")


def test_simulations_do_not_depend_on_threads() -> None:
    one, two = (lobgym.simulate(seconds=20, sessions=4, threads=n, record=False).to_json() for n in (1, 2))
    assert one == two


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"seconds": 0.5}, ["seconds", "0.5", "1 to 1000000"]),
        ({"interval": 0.0}, ["interval", "0"]),
        ({"sessions": 0}, ["sessions", "0", "from 1"]),
        ({"levels": 2000}, ["levels", "2000", "1024"]),
        ({"progress": 3}, ["progress", "3", "callable"]),
        ({"fee": 1}, ["fee", "1", "did you mean fees"]),
    ],
)
def test_bad_arguments_of_a_simulation_are_named(settings: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(ValueError) as error:
        lobgym.simulate(**settings)
    for part in parts:
        assert part in str(error.value)


def test_an_exception_of_the_progress_callback_comes_through() -> None:
    def fail(done: int, total: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        lobgym.simulate(sessions=100, seconds=100, record=False, progress=fail)
    assert lobgym.simulate(seconds=5, sessions=1, record=False).statistics["sessions"] == 1
    with pytest.raises(ValueError, match="record is False"):
        _ = lobgym.simulate(seconds=5, sessions=1, record=False).events
