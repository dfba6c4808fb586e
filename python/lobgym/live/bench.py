"""How long queries by time take in a large store: ``python -m lobgym.live.bench --ticks 50000000 --store FILE_OR_URL``."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

from lobgym.live.store import Store, open_store

__all__ = ["main", "measure"]

#: Ticks a second: what the spot sample has.
_RATE = 120
_START_NS = 1_723_161_255 * 10**9
_CHUNK = 5_000_000
#: Columns for long ranges.
_CHOSEN = {
    "trades": ("time_ns", "price", "quantity", "side"),
    "quotes": ("time_ns", "bid", "bid_size", "ask", "ask_size"),
}
_VENUE, _SYMBOL = "binance", "BENCHUSDT"


def fill(store: Store, ticks: int) -> None:
    """Adds a run of so many ticks: two quotes to a trade, in order of time."""
    run = store.begin_run(_VENUE, _SYMBOL, "generated", 5 * 10**9)
    step = 10**9 // _RATE
    for number, begin in enumerate(range(0, ticks, _CHUNK), start=1):
        count = min(_CHUNK, ticks - begin)
        first, last = _START_NS + begin * step, _START_NS + (begin + count - 1) * step
        with store.transaction():
            store.execute(
                "INSERT INTO batches VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                (run, number, begin + 1, begin + count, count, first, last, time.time_ns()),
            )
            store.execute(
                "INSERT INTO ticks SELECT "
                f"{run}, {begin} + i, CASE WHEN mod(i, 3) = 0 THEN 'trade' ELSE 'best' END, {_START_NS} + ({begin} + i - 1) * {step} + 40000000, "
                f"{_START_NS} + ({begin} + i - 1) * {step}, ({_START_NS} + ({begin} + i - 1) * {step}) / 1000000, {begin} + i, {begin} + i, NULL, "
                "CASE WHEN mod(i, 3) = 0 THEN 60000 + mod(i, 1009) END, CASE WHEN mod(i, 3) = 0 THEN mod(i, 97) * 0.001 END, "
                "CASE WHEN mod(i, 3) = 0 THEN 'buy' END, CASE WHEN mod(i, 3) > 0 THEN 60000 + mod(i, 1009) END, CASE WHEN mod(i, 3) > 0 THEN mod(i, 89) * 0.01 END, "
                "CASE WHEN mod(i, 3) > 0 THEN 60000.01 + mod(i, 1009) END, CASE WHEN mod(i, 3) > 0 THEN mod(i, 83) * 0.01 END, NULL "
                f"FROM generate_series(CAST(1 AS BIGINT), CAST({count} AS BIGINT)) AS generated(i)"
            )
    store.end_run(run, "generated")
    # A server does so by itself, some time after so many rows have come.
    store.execute("ANALYZE ticks")


def measure(store: Store, repeats: int = 25) -> dict[str, tuple[float, float, float, int]]:
    """Median and worst milliseconds, median milliseconds of this process's CPU, and rows, of queries spread over the whole span."""
    run = next(each for each in store.runs() if each["symbol"] == _SYMBOL)
    first, span = run["first_ns"], run["last_ns"] - run["first_ns"]
    found = {}
    forms = [(seconds, form) for seconds in (5, 60, 300) for form in ("arrays", "objects")]
    for seconds, form in [*forms, *((3600, form) for form in _CHOSEN)]:
        taken, worked, rows = [], [], 0
        for repeat in range(repeats):
            begin = first + span * (repeat * 7 % repeats) // repeats
            bounds = begin, begin + seconds * 10**9
            clock, work = time.perf_counter(), time.process_time()
            if form in _CHOSEN:
                rows = len(store.tick_columns(_VENUE, _SYMBOL, *bounds, names=_CHOSEN[form])["time_ns"])
            elif form == "arrays":
                rows = len(store.tick_columns(_VENUE, _SYMBOL, *bounds)["sequence"])
            else:
                rows = sum(1 for _ in store.ticks(_VENUE, _SYMBOL, *bounds))
            taken.append(1e3 * (time.perf_counter() - clock))
            worked.append(1e3 * (time.process_time() - work))
        found[f"{seconds} s as {form}"] = statistics.median(taken), max(taken), statistics.median(worked), rows
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Fills a store unless that has been done, and prints how long queries take."""
    parser = argparse.ArgumentParser("lobgym.live.bench", description="Queries by time in a large store.")
    parser.add_argument("--ticks", type=int, default=50_000_000, help="in a new store (default: %(default)s)")
    parser.add_argument("--store", required=True, help="a file, or postgresql://...")
    chosen = parser.parse_args(arguments)
    with open_store(chosen.store) as store:
        if not any(each["symbol"] == _SYMBOL for each in store.runs()):
            clock = time.perf_counter()
            fill(store, chosen.ticks)
            print(f"{chosen.ticks} ticks in {time.perf_counter() - clock:.0f} s")
        for name, (median, worst, cpu, rows) in measure(store).items():
            print(f"{name:<17} {rows:>7} rows  median {median:7.1f} ms  worst {worst:7.1f} ms  CPU {cpu:6.1f} ms")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
