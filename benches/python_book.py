"""Messages a second through lobgym.OrderBook on a message file: python benches/python_book.py stream.msg

Make the file with `lobgym bench latency --generate stream.msg`, and see `lobgym bench latency --messages stream.msg` for the native figures.
"""

import statistics
import sys
import time

import numpy as np

import lobgym

BATCHES = (1_000_000_000, 10_000, 1_000, 100, 10, 1)
RUNS = 5
SINGLE_CALLS = 200_000


def batched(messages: np.ndarray, size: int) -> float:
    """Nanoseconds a message in batches of this size; small batches see fewer messages."""
    messages = messages[: max(1_000, min(len(messages), size * 20_000))]
    book = lobgym.OrderBook(order_capacity=100_000)
    started = time.perf_counter()
    for start in range(0, len(messages), size):
        book.process(messages[start : start + size])
    return (time.perf_counter() - started) / len(messages) * 1e9


def single(messages: np.ndarray) -> float:
    """Nanoseconds a message through the interface of single calls."""
    rows = messages[:SINGLE_CALLS].tolist()
    book = lobgym.OrderBook()
    started = time.perf_counter()
    for row in rows:
        kind, side, owner, ident, price, quantity = row[0], row[1], *row[-4:]
        if kind == 0:
            book.submit_limit(ident, side, price, quantity, owner=owner)
        elif kind == 1:
            book.submit_market(ident, side, quantity, owner=owner)
        else:
            book.cancel(ident)
    return (time.perf_counter() - started) / len(rows) * 1e9


def main() -> None:
    """Prints the table."""
    basic = np.fromfile(sys.argv[1], lobgym.BASIC_MESSAGE_DTYPE, offset=64)
    full = np.zeros(len(basic), lobgym.MESSAGE_DTYPE)
    for name in ("kind", "side", "owner", "id", "price", "quantity"):
        full[name] = basic[name]
    print(f"{len(basic)} messages; nanoseconds a message, median of {RUNS} (best)")
    for layout, messages in (("32 bytes", basic), ("64 bytes", full)):
        for size in BATCHES:
            times = [batched(messages, size) for _ in range(RUNS)]
            name = "whole file" if size > len(messages) else f"batches of {size}"
            print(f"{layout}, {name:18} {statistics.median(times):9.1f} ({min(times):.1f})")
    times = [single(basic) for _ in range(RUNS)]
    print(f"single calls {'':18} {statistics.median(times):9.1f} ({min(times):.1f})")


if __name__ == "__main__":
    main()
