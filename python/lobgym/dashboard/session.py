"""A market played in steps for the page: its book as it was at each of them, and the orders that came between."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import lobgym

__all__ = ["MARKETS", "Moment", "Session", "binned"]

#: Those that come with the package.
MARKETS = ("noise", "flow", "strategic", "hawkes", "queue_reactive", "flow_u_shape")
#: Kinds of events that are counted, in the order they are drawn.
FLOW = ("limit buys", "limit sells", "market buys", "market sells", "cancelled")


@dataclass(frozen=True)
class Moment:
    """The book at a time, and what came since the moment before."""

    time: float
    best_bid: int | None
    best_ask: int | None
    #: Records of ``lobgym.LEVEL_DTYPE``, best first.
    bids: np.ndarray[Any, Any]
    asks: np.ndarray[Any, Any]
    #: Number of events of each kind of ``FLOW``.
    flow: tuple[int, ...]
    #: Traded lots, positive where a buyer was the aggressor.
    bought: int
    sold: int

    @property
    def mid(self) -> float | None:
        """Half way between the best prices, ticks."""
        if self.best_bid is None or self.best_ask is None:
            return None
        return (self.best_bid + self.best_ask) / 2


class Session:
    """A session of a simulated or a replayed market."""

    def __init__(self, market: str, seed: int, *, levels: int = 100, kept: int = 240) -> None:
        """``market``: a name of ``MARKETS`` or a YAML file. ``levels``: of each side; ``kept``: moments.

        Raises what ``lobgym.Simulator`` does: ``ValueError``, ``OSError``, ``lobgym.SessionError``.
        """
        if market not in MARKETS and not Path(market).is_file():
            raise FileNotFoundError(f"{market}: there is no such file")
        self.market, self.seed, self.levels = market, seed, levels
        self._simulator = lobgym.Simulator(market, seed=seed, keep_log=True)
        self.moments: deque[Moment] = deque(maxlen=kept)
        self._simulator.events()  # the opening book is no flow
        self._keep()

    @property
    def now(self) -> float:
        """Time of the session, s."""
        return float(self._simulator.now)

    @property
    def last(self) -> Moment:
        """The book as it is."""
        return self.moments[-1]

    def step(self, seconds: float, times: int = 1) -> None:
        """Plays so many seconds, so many times, keeping a moment of each."""
        for _ in range(times):
            self._simulator.run_until(self.now + seconds)
            self._keep()

    def _keep(self) -> None:
        simulator = self._simulator
        events = simulator.events()
        bids, asks = simulator.depth(self.levels)
        accepted = events[events["kind"] == lobgym.EventKind.ACCEPTED]
        limit = (accepted["flags"] & lobgym.EventFlag.HAS_PRICE) != 0
        buys = accepted["side"] == 0
        trades = events[events["kind"] == lobgym.EventKind.TRADE]
        withdrawn = (events["kind"] == lobgym.EventKind.CANCELLED) & (events["reason"] == lobgym.Reason.REQUESTED)
        flow = (limit & buys, limit & ~buys, ~limit & buys, ~limit & ~buys, withdrawn)
        self.moments.append(
            Moment(
                self.now,
                simulator.best_bid,
                simulator.best_ask,
                bids,
                asks,
                tuple(int(kind.sum()) for kind in flow),
                int(trades["quantity"][trades["side"] == 0].sum()),
                int(trades["quantity"][trades["side"] == 1].sum()),
            )
        )

    def cost_now(self, side: str, most: int, points: int = 40) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Sizes (lots), and what a market order of each would cost now beyond the mid, ticks a lot; as far as the levels kept go."""
        levels = self.last.asks if side == "buy" else self.last.bids
        mid = self.last.mid
        if mid is None or not len(levels):
            return np.empty(0), np.empty(0)
        prices, lots = levels["price"].astype(float), levels["quantity"].astype(float)
        reach = min(float(most), lots.sum())
        sizes = np.unique(np.concatenate([np.linspace(1, max(reach, 1), points), np.minimum(np.cumsum(lots), reach)]))
        before = np.concatenate([[0.0], np.cumsum(lots)[:-1]])
        taken = np.clip(sizes[:, None] - before[None, :], 0.0, lots[None, :])
        paid = (taken * np.abs(prices - mid)[None, :]).sum(axis=1) / taken.sum(axis=1)
        return sizes, paid


def binned(
    moments: list[Moment], ticks: int, most: int = 80
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], float]:
    """Depth as a picture: prices (n,) in ticks, lots (n, moments), bids above zero and asks below it, and the width of a row in ticks.

    What lies within ``ticks`` of the mids is shown, in at most ``most`` rows; NaN: nothing rests there.
    """
    mids = [moment.mid for moment in moments if moment.mid is not None]
    if not mids:
        return np.empty(0), np.empty((0, len(moments))), 1.0
    low, high = np.floor(min(mids) - ticks), np.ceil(max(mids) + ticks)
    width = max(1.0, float(np.ceil((high - low + 1) / most)))
    rows = int((high - low) // width) + 1
    depth = np.zeros((rows, len(moments)))
    for column, moment in enumerate(moments):
        for levels, sign in ((moment.bids, 1.0), (moment.asks, -1.0)):
            place = ((levels["price"].astype(float) - low) // width).astype(int)
            inside = (place >= 0) & (place < rows)
            np.add.at(depth[:, column], place[inside], sign * levels["quantity"][inside].astype(float))
    depth[depth == 0] = np.nan
    return low + width * np.arange(rows) + (width - 1) / 2, depth, width
