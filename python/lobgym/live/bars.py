"""Bars of one interval from trades and best quotes, as they come."""

from __future__ import annotations

from lobgym.live.store.schema import Bar, Tick

__all__ = ["BarBuilder"]

#: After a pause of more intervals than this, none of them gets a bar.
MOST_EMPTY = 10_000


class BarBuilder:
    """Turns ticks into bars, by the exchange's clock (``time_ns``), aligned to multiples of the interval since 1970.

    A bar has the trades' open, high, low, close (none without a trade) and volume; the mean spread and the mean imbalance
    ``(bid size - ask size) / (bid size + ask size)``, weighted by the time for which each quote was the best; and the smallest difference
    between the local and the exchange's stamps, which is the clocks' skew plus the shortest way. Time in which no quote is known does not
    count. ``bid`` to ``ask_size`` are the best quote at the bar's end, where one is known. The first bar and the last are of what was seen of them: ``complete`` is false.
    So are those that a lost connection or a missing trade falls into, as far as they are not over when that is known.
    """

    def __init__(self, interval_ns: int) -> None:
        if interval_ns <= 0:
            raise ValueError(f"interval_ns is {interval_ns}; legal: > 0")
        self.interval_ns = interval_ns
        self._bar: Bar | None = None
        #: The best quote: spread and imbalance.
        self._quote: tuple[float, float] | None = None
        #: The tick that it came in.
        self._best: Tick | None = None
        self._quote_id = -1
        #: Until when the quote is counted, and when the latest tick was.
        self._since = self._latest_ns = 0
        #: Whether nothing is known of what happens: behind :meth:`lost`.
        self._blind = False
        self._weight = self._spread = self._imbalance = 0.0

    def _fresh(self, start_ns: int, complete: bool) -> Bar:
        self._weight = self._spread = self._imbalance = 0.0
        self._since = max(self._since, start_ns)
        return Bar(start_ns, self.interval_ns, None, None, None, None, 0.0, 0, 0, None, None, None, complete)

    def _hold_until(self, time_ns: int) -> None:
        """Counts the quote for the time up to now."""
        if self._quote is not None and not self._blind and time_ns > self._since:
            weight = float(time_ns - self._since)
            self._weight += weight
            self._spread += weight * self._quote[0]
            self._imbalance += weight * self._quote[1]
        self._since = max(self._since, time_ns)

    def _finish(self, bar: Bar) -> Bar:
        if self._weight > 0:
            bar.spread, bar.imbalance = self._spread / self._weight, self._imbalance / self._weight
        elif self._quote is not None and not self._blind:
            # All came at one instant.
            bar.spread, bar.imbalance = self._quote
        if (best := self._best) is not None and not self._blind:
            bar.bid, bar.bid_size, bar.ask, bar.ask_size = best.bid, best.bid_size, best.ask, best.ask_size
        return bar

    def lost(self) -> None:
        """The connection is gone: no quote is known from the latest tick on, until the next one, and what is traded is not seen."""
        self._hold_until(self._latest_ns)
        self._quote = self._best = None
        self._blind = True
        if self._bar is not None:
            self._bar.complete = False

    def add(self, tick: Tick, *, resumes: bool = True, gap: bool = False) -> list[Bar]:
        """Takes a tick, not earlier than the one before. Returns the bars that end before it.

        ``resumes``: it says where the exchange's clock is by now, so that what was :meth:`lost` ends with it. ``gap``: something between
        it and the tick before is missing.
        """
        done = self._add(tick, not (self._blind or gap))
        if self._blind and resumes:
            self._blind, self._since = False, tick.time_ns
        return done

    def _add(self, tick: Tick, complete: bool) -> list[Bar]:
        start, self._latest_ns = tick.time_ns - tick.time_ns % self.interval_ns, tick.time_ns
        done: list[Bar] = []
        bar = self._bar
        if bar is None:
            bar = self._fresh(start, complete=False)
        elif not complete:
            bar.complete = False
        if start > bar.start_ns:
            if (start - bar.start_ns) // self.interval_ns > MOST_EMPTY:
                self._hold_until(bar.start_ns + self.interval_ns)
                done.append(self._finish(bar))
                self._quote = self._best = None
                bar = self._fresh(start, complete=False)
            while bar.start_ns < start:
                end = bar.start_ns + self.interval_ns
                self._hold_until(end)
                done.append(self._finish(bar))
                bar = self._fresh(end, complete)
        self._bar = bar
        if tick.exchange_ms is not None and tick.kind != "snapshot":
            skew = tick.received_ns - tick.exchange_ms * 1_000_000
            if bar.skew_ns is None or skew < bar.skew_ns:
                bar.skew_ns = skew
        if tick.kind == "trade" and tick.price is not None and tick.quantity is not None:
            price = tick.price
            if bar.open is None or bar.high is None or bar.low is None:
                bar.open = bar.high = bar.low = price
            bar.high, bar.low, bar.close = max(bar.high, price), min(bar.low, price), price
            bar.volume += tick.quantity
            bar.trades += 1
        elif tick.kind == "best" and (tick.last_id or 0) >= self._quote_id:
            self._take_quote(tick)
            bar.quotes += 1
        return done

    def _take_quote(self, tick: Tick) -> None:
        self._hold_until(tick.time_ns)
        self._quote_id = tick.last_id or 0
        self._best = tick
        bid, ask, bids, asks = tick.bid or 0.0, tick.ask or 0.0, tick.bid_size or 0.0, tick.ask_size or 0.0
        self._quote = (ask - bid, (bids - asks) / (bids + asks) if bids + asks > 0 else 0.0)

    def finish(self) -> list[Bar]:
        """The bar that has begun, as far as it has come."""
        bar, self._bar = self._bar, None
        if bar is None:
            return []
        bar.complete = False
        return [self._finish(bar)]
