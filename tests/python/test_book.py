"""The order book: both of its interfaces, against each other and against a naive book."""

from __future__ import annotations

import copy
import pickle
import random
from collections import defaultdict
from typing import Any

import numpy as np
import pytest

import lobgym
from lobgym import EventKind, MessageFlag, MessageKind, OrderFlag, Reason, SelfTradePrevention, Side, TimeInForce, _core

SIDES = ("buy", "sell")


def random_messages(seed: int, count: int) -> Any:
    """A program of all kinds of messages, sensible ones and ones that are refused."""
    rng = random.Random(seed)
    messages = lobgym.messages(count)
    next_id = 1
    clock = 0
    for row in messages:
        kind = rng.choices(range(10), [40, 8, 14, 4, 4, 12, 4, 1, 2, 1])[0]
        row["kind"] = kind
        if kind in (0, 1, 3, 4):
            row["id"] = next_id if rng.random() < 0.97 else rng.randrange(1, next_id + 1)
            next_id += 1
            row["side"] = rng.randrange(2)
            row["owner"] = rng.randrange(4)
            row["quantity"] = rng.randrange(0 if rng.random() < 0.02 else 1, 30)
            if kind in (0, 4):
                row["price"] = 100 + rng.randrange(-8, 9)
                if rng.random() < 0.15:
                    row["display"] = rng.randrange(1, 6)
                if rng.random() < 0.1:
                    row["flags"] = MessageFlag.POST_ONLY
            if kind in (3, 4):
                row["stop"] = 100 + rng.randrange(-8, 9)
            tif = rng.choices(range(4), [20, 2, 2, 3])[0]
            row["time_in_force"] = tif
            if tif == TimeInForce.GTD:
                row["expiry"] = clock + rng.randrange(0, 40)
        elif kind in (2, 5):
            row["id"] = rng.randrange(max(1, next_id - 40), next_id + 1)
            if kind == 5:
                for flag, field in ((2, "quantity"), (4, "price"), (8, "stop")):
                    if rng.random() < (0.1 if flag == 8 else 0.6):
                        row["flags"] |= flag
                        row[field] = rng.randrange(1, 25) if field == "quantity" else 100 + rng.randrange(-8, 9)
        elif kind == 6:
            row["owner"], row["side"] = rng.randrange(4), rng.randrange(2)
            row["price"], row["quantity"] = 100 + rng.randrange(-8, 9), rng.randrange(0, 20)
        elif kind == 7:
            row["owner"], row["side"] = rng.randrange(4), rng.randrange(3)
        elif kind == 8:
            clock += rng.randrange(-1, 8)
            clock = max(clock, 0)
            row["expiry"] = clock
        else:
            row["owner"], row["self_trade_prevention"] = rng.randrange(4), rng.randrange(5)
    return messages


def call(book: lobgym.OrderBook, m: Any) -> Any:
    """The same message through the interface of single calls, by name."""
    kind, ident, side = MessageKind(m["kind"]), int(m["id"]), Side(m["side"]).name.lower()
    terms: dict[str, Any] = {"owner": int(m["owner"]), "time_in_force": TimeInForce(m["time_in_force"]).name.lower()}
    if m["time_in_force"] == TimeInForce.GTD:
        terms["expiry"] = int(m["expiry"])
    shown: dict[str, Any] = {
        "post_only": bool(m["flags"] & MessageFlag.POST_ONLY),
        "display": int(m["display"]) or None,
    }
    price, stop, quantity = int(m["price"]), int(m["stop"]), int(m["quantity"])
    if kind == MessageKind.LIMIT:
        return book.submit_limit(ident, side, price, quantity, **terms, **shown)
    if kind == MessageKind.MARKET:
        expiry = terms.pop("expiry", None)
        return None if expiry is not None else book.submit_market(ident, side, quantity, **terms)
    if kind == MessageKind.STOP:
        return book.submit_stop(ident, side, stop, quantity, **terms)
    if kind == MessageKind.STOP_LIMIT:
        return book.submit_stop_limit(ident, side, stop, price, quantity, **terms, **shown)
    if kind == MessageKind.CANCEL:
        return book.cancel(ident)
    if kind == MessageKind.AMEND:
        flags = m["flags"]
        return book.amend(
            ident,
            quantity=quantity if flags & MessageFlag.AMEND_QUANTITY else None,
            price=price if flags & MessageFlag.AMEND_PRICE else None,
            stop=stop if flags & MessageFlag.AMEND_STOP else None,
        )
    if kind == MessageKind.CANCEL_QUANTITY:
        return book.cancel_quantity(int(m["owner"]), side, price, quantity)
    if kind == MessageKind.MASS_CANCEL:
        return book.mass_cancel(int(m["owner"]), None if m["side"] == Side.BOTH else side)
    if kind == MessageKind.EXPIRE:
        return book.expire(int(m["expiry"]))
    return book.set_self_trade_prevention(int(m["owner"]), SelfTradePrevention(m["self_trade_prevention"]).name.lower())


@pytest.mark.parametrize("seed", range(12))
def test_single_calls_and_batches_give_the_same_events_and_state(seed: int) -> None:
    program = random_messages(seed, 1500)
    # A market order cannot be good till a date, and its call does not offer it.
    program = program[~((program["kind"] == 1) & (program["time_in_force"] == 3))]
    batched, called = lobgym.OrderBook(), lobgym.OrderBook()
    events = batched.process(program)
    singly = [call(called, message) for message in program]
    for index, some in enumerate(singly):
        some["message"] = index
    np.testing.assert_array_equal(events, np.concatenate(singly))
    assert batched.digest() == called.digest()
    assert batched.snapshot() == called.snapshot()
    assert set(events["kind"].tolist()) == set(range(8)), "the program should cause every kind of event"


@pytest.mark.parametrize("cut", [1, 7, 500])
def test_a_batch_can_be_cut_anywhere(cut: int) -> None:
    program = random_messages(99, 1000)
    whole, pieces = lobgym.OrderBook(), lobgym.OrderBook()
    events = whole.process(program)
    some = [pieces.process(program[start : start + cut]) for start in range(0, len(program), cut)]
    for number, piece in enumerate(some):
        piece["message"] += number * cut
    np.testing.assert_array_equal(events, np.concatenate(some))
    assert whole.digest() == pieces.digest()


class NaiveBook:
    """Limit orders, market orders and cancels, with lists."""

    def __init__(self) -> None:
        self.queues: list[dict[int, list[list[int]]]] = [defaultdict(list), defaultdict(list)]
        self.trades: list[tuple[int, int, int, int]] = []

    def submit(self, ident: int, side: int, price: int | None, quantity: int) -> None:
        other = self.queues[1 - side]
        sign = 1 if side == 0 else -1
        while quantity and other:
            best = min(other, key=lambda level: sign * level)
            if price is not None and sign * best > sign * price:
                break
            maker = other[best][0]
            lots = min(quantity, maker[1])
            self.trades.append((maker[0], ident, best, lots))
            quantity -= lots
            maker[1] -= lots
            if not maker[1]:
                other[best].pop(0)
                if not other[best]:
                    del other[best]
        if quantity and price is not None:
            self.queues[side][price].append([ident, quantity])

    def cancel(self, ident: int) -> None:
        for queues in self.queues:
            for price, queue in list(queues.items()):
                queue[:] = [order for order in queue if order[0] != ident]
                if not queue:
                    del queues[price]


@pytest.mark.parametrize("dtype", [lobgym.MESSAGE_DTYPE, lobgym.BASIC_MESSAGE_DTYPE])
@pytest.mark.parametrize("seed", range(4))
def test_a_naive_book_makes_the_same_trades(seed: int, dtype: Any) -> None:
    rng = random.Random(seed)
    naive, messages = NaiveBook(), np.zeros(3000, dtype)
    for index, row in enumerate(messages):
        kind = rng.choices((0, 1, 2), (60, 10, 30))[0]
        side, price, lots = rng.randrange(2), rng.randrange(90, 111), rng.randrange(1, 40)
        if kind == 2:
            row["kind"], row["id"] = 2, rng.randrange(max(0, index - 60), index + 1)
            naive.cancel(int(row["id"]))
        else:
            row["kind"], row["id"], row["side"], row["quantity"] = kind, index, side, lots
            row["price"] = price if kind == 0 else 0
            naive.submit(index, side, price if kind == 0 else None, lots)
    book = lobgym.OrderBook()
    events = book.process(messages)
    trades = events[events["kind"] == EventKind.TRADE]
    assert [tuple(t) for t in trades[["maker_id", "id", "price", "quantity"]].tolist()] == naive.trades
    for queues, levels in zip(naive.queues, book.depth(1000), strict=True):
        assert dict(zip(levels["price"].tolist(), levels["quantity"].tolist(), strict=True)) == {
            price: sum(lots for _, lots in queue) for price, queue in queues.items()
        }
    for code, name in enumerate(SIDES):
        resting = [
            order[0] for price in book.depth(1000)[code]["price"].tolist() for order in naive.queues[code][price]
        ]
        assert book.orders(name)["id"].tolist() == resting


@pytest.mark.parametrize("seed", range(3))
def test_copies_of_all_kinds_go_on_alike(seed: int) -> None:
    program = random_messages(seed, 2000)
    book = lobgym.OrderBook(max_owners=100)
    book.process(program[:1200])
    copies = [
        lobgym.OrderBook.from_snapshot(book.snapshot()),
        book.copy(),
        copy.copy(book),
        copy.deepcopy(book),
        pickle.loads(pickle.dumps(book)),
    ]
    events = book.process(program[1200:])
    for other in copies:
        np.testing.assert_array_equal(other.process(program[1200:]), events)
        assert other.snapshot() == book.snapshot()


def test_damaged_snapshots_are_refused() -> None:
    book = lobgym.OrderBook()
    book.process(random_messages(5, 200))
    snapshot = bytearray(book.snapshot())
    snapshot[-1] ^= 1
    for damaged in (bytes(snapshot), b"", b"nonsense" * 10):
        with pytest.raises(ValueError, match="snapshot"):
            lobgym.OrderBook.from_snapshot(damaged)


@pytest.mark.parametrize(
    ("field", "value", "changes", "legal"),
    [
        ("kind", 10, {}, "0 limit"),
        ("side", 2, {}, "0 buy, 1 sell"),
        ("side", 3, {"kind": 7}, "2 both"),
        ("time_in_force", 4, {}, "3 gtd"),
        ("flags", 2, {}, "1 post_only"),
        ("flags", 1, {"kind": 5}, "2 amend_quantity"),
        ("flags", 1, {"kind": 2}, "0 for this kind"),
        ("expiry", 5, {}, "3 gtd"),
        ("stop", 5, {}, "0 for this kind"),
        ("price", 100, {"kind": 5, "quantity": 0}, "4 amend_price"),
        ("self_trade_prevention", 5, {"kind": 9}, "4 decrement"),
        ("self_trade_prevention", 1, {}, "0 for this kind"),
        ("display", 3, {"kind": 2}, "0 for this kind"),
    ],
)
def test_malformed_messages_are_named_and_nothing_is_applied(
    field: str, value: int, changes: dict[str, int], legal: str
) -> None:
    messages = lobgym.messages(5, id=[1, 2, 3, 4, 5], quantity=3, price=100)
    if changes.get("kind") == 5:
        messages["price"] = 0
    for name, new in {**changes, field: value}.items():
        messages[3][name] = new
    book = lobgym.OrderBook()
    with pytest.raises(ValueError) as error:
        book.process(messages)
    assert f'messages[3]["{field}"] is {value}; legal: ' in str(error.value)
    assert legal in str(error.value)
    assert len(book) == 0


def test_basic_messages_know_three_kinds() -> None:
    for field, value in (("kind", 3), ("reserved", 1)):
        messages = np.zeros(1, lobgym.BASIC_MESSAGE_DTYPE)
        messages["quantity"] = 1
        messages[field] = value
        with pytest.raises(ValueError, match=f'"{field}"'):
            lobgym.OrderBook().process(messages)


def test_arrays_of_another_kind_are_refused() -> None:
    book = lobgym.OrderBook()
    with pytest.raises(ValueError, match="MESSAGE_DTYPE"):
        book.process(np.zeros(3))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="2 dimensions"):
        book.process(lobgym.messages(4).reshape(2, 2))
    with pytest.raises(TypeError, match="structured array"):
        book.process([1, 2])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="pric is an unknown field"):
        lobgym.messages(1, pric=3)


def test_strided_and_unaligned_arrays_are_taken() -> None:
    program = random_messages(3, 400)
    expected = lobgym.OrderBook().process(program)
    strided = np.zeros(800, lobgym.MESSAGE_DTYPE)
    strided[::2] = program
    raw = bytearray(3 + program.nbytes)
    raw[3:] = program.tobytes()
    unaligned = np.frombuffer(raw, lobgym.MESSAGE_DTYPE, offset=3)
    for array in (strided[::2], program[::-1][::-1], unaligned):
        np.testing.assert_array_equal(lobgym.OrderBook().process(array), expected)
    unaligned.flags.writeable = False
    np.testing.assert_array_equal(lobgym.OrderBook().process(unaligned), expected)


def test_refusals_are_events() -> None:
    book = lobgym.OrderBook(min_price=1, max_price=200, max_owners=3)
    book.submit_limit(1, "buy", 100, 5, owner=1)

    def reason(events: Any) -> tuple[Reason, int]:
        assert events["kind"].tolist() == [EventKind.REJECTED]
        return Reason(events["reason"][0]), int(events["id"][0])

    assert reason(book.submit_limit(1, "buy", 99, 5)) == (Reason.DUPLICATE_ID, 1)
    assert reason(book.submit_limit(2, "buy", 99, 0)) == (Reason.ZERO_QUANTITY, 2)
    assert reason(book.submit_limit(2, "buy", 201, 1)) == (Reason.PRICE_OUT_OF_LIMITS, 2)
    assert reason(book.submit_limit(2, "buy", 99, 1, owner=3)) == (Reason.OWNER_OUT_OF_RANGE, 2)
    assert reason(book.submit_limit(2, "sell", 100, 1, post_only=True)) == (Reason.WOULD_CROSS, 2)
    assert reason(book.submit_limit(2, "sell", 100, 9, time_in_force="fok")) == (Reason.CANNOT_FILL, 2)
    assert reason(book.submit_limit(2, "sell", 100, 9, display=0)) == (Reason.ZERO_DISPLAY, 2)
    assert reason(book.submit_limit(2, "sell", 101, 9, expiry=0)) == (Reason.ALREADY_EXPIRED, 2)
    assert reason(book.cancel(7)) == (Reason.UNKNOWN_ORDER, 7)
    assert reason(book.amend(7, price=3)) == (Reason.UNKNOWN_ORDER, 7)
    assert reason(book.amend(1)) == (Reason.NOTHING_TO_AMEND, 1)
    assert reason(book.amend(1, stop=5)) == (Reason.NOT_AMENDABLE, 1)
    assert len(book) == 1


@pytest.mark.parametrize(
    ("call", "error", "parts"),
    [
        (lambda book: book.submit_limit(1, "bid", 1, 1), ValueError, ["side", "'bid'|\"bid\"", "buy"]),
        (lambda book: book.submit_limit(1, 2, 1, 1), ValueError, ["side", "2", "sell"]),
        (lambda book: book.submit_limit(1, None, 1, 1), TypeError, ["side", "None", "sell"]),
        (lambda book: book.submit_limit(-1, "buy", 1, 1), ValueError, ["id", "-1", "2\\^64"]),
        (lambda book: book.submit_limit("a", "buy", 1, 1), TypeError, ["id", "'a'", "integer"]),
        (lambda book: book.submit_limit(1, "buy", 1.5, 1), TypeError, ["price", "1.5", "ticks"]),
        (lambda book: book.submit_limit(1, "buy", 2**63, 1), ValueError, ["price", str(2**63), "64 bits"]),
        (lambda book: book.submit_limit(1, "buy", 1, -1), ValueError, ["quantity", "-1", "lots"]),
        (lambda book: book.submit_limit(1, "buy", 1, 1, owner=-1), ValueError, ["owner", "-1"]),
        (
            lambda book: book.submit_limit(1, "buy", 1, 1, time_in_force="day"),
            ValueError,
            ["time_in_force", "day", "gtd"],
        ),
        (lambda book: book.submit_limit(1, "buy", 1, 1, time_in_force="gtd"), ValueError, ["expiry", "None"]),
        (lambda book: book.submit_limit(1, "buy", 1, 1, time_in_force="ioc", expiry=3), ValueError, ["expiry", "3"]),
        (lambda book: book.set_self_trade_prevention(0, "no"), ValueError, ["mode", "no", "cancel_oldest"]),
        (lambda book: book.depth(0), ValueError, ["levels", "0", "from 1"]),
        (lambda book: lobgym.OrderBook(max_owners=0), ValueError, ["max_owners", "0", "16777216"]),
        (lambda book: lobgym.OrderBook(window_levels=100), ValueError, ["window_levels", "100", "power of two"]),
        (lambda book: lobgym.OrderBook(min_price=5, max_price=4), ValueError, ["price limits", "5", "min <= max"]),
        (lambda book: lobgym.OrderBook(order_capacity=2**60), ValueError, ["order_capacity", str(2**60)]),
    ],
)
def test_bad_arguments_are_named(call: Any, error: type[Exception], parts: list[str]) -> None:
    import re

    book = lobgym.OrderBook()
    with pytest.raises(error) as raised:
        call(book)
    for part in parts:
        assert re.search(part, str(raised.value)), str(raised.value)
    assert len(book) == 0


def test_views_of_a_small_book() -> None:
    book = lobgym.OrderBook()
    assert (book.best_bid, book.best_ask, book.mid, book.spread, book.microprice, book.last_trade) == (None,) * 6
    book.submit_limit(1, "buy", 100, 30, owner=1)
    book.submit_limit(2, Side.BUY, 100, 50, owner=2, display=10, expiry=1000)
    book.submit_limit(3, "sell", 103, np.int64(10), owner=3, post_only=True)
    book.submit_stop(4, "buy", 105, 7, owner=1)
    book.submit_stop_limit(5, "sell", 95, 94, 8, owner=1, time_in_force="ioc")
    assert (book.best_bid, book.best_ask, book.mid, book.spread) == (100, 103, 101.5, 3)
    assert book.microprice == 100 + 3 * 40 / 50
    bids, asks = book.depth(5)
    assert bids.tolist() == [(100, 40, 2)]
    assert asks.tolist() == [(103, 10, 1)]
    assert book.queue_position(2) == (30, 1)
    assert book.queue_position(4) is None
    iceberg = book.order(2)
    assert iceberg is not None
    assert (iceberg["visible"], iceberg["hidden"], iceberg["display"], iceberg["expiry"]) == (10, 40, 10, 1000)
    assert iceberg["flags"] == OrderFlag.HAS_EXPIRY
    assert book.orders()["id"].tolist() == [1, 2, 3]
    assert book.orders("sell")["flags"].tolist() == [OrderFlag.POST_ONLY]
    stops = book.stops()
    assert stops["id"].tolist() == [4, 5]
    assert stops["flags"].tolist() == [0, OrderFlag.HAS_LIMIT]
    assert stops["time_in_force"].tolist() == [TimeInForce.GTC, TimeInForce.IOC]
    assert book.orders_of(1)["id"].tolist() == [1]
    assert book.sweep("sell", 100) == {"filled": 80, "average_price": 100.0, "worst_price": 100, "levels": 1}
    assert book.quantity_at("buy", 100) == 40
    assert book.open_quantity("buy") == 87
    assert (len(book), book.is_live(4), book.is_live(9)) == (5, True, False)
    assert book.self_trade_prevention(1) == "allow"
    assert book.expire(1000)["kind"].tolist() == [EventKind.EXPIRED]
    assert book.now == 1000
    events = book.submit_market(6, "buy", 12, owner=9)
    assert lobgym.format_events(events).splitlines() == [
        "accepted 6: buy 12, owner 9",
        "trade: buy 6 takes 10 of 3 at 103, 0 left there",
        "cancelled 6: 2 (no liquidity), 0 left",
    ]
    assert book.last_trade == 103
    assert repr(book) == "OrderBook(best_bid=100, best_ask=None, orders=3)"
    book.clear()
    assert (len(book), book.now, book.is_live(1)) == (0, 0, False)


def test_names_of_codes_are_those_of_the_engine() -> None:
    assert [kind.name.lower() for kind in MessageKind] == list(_core._MESSAGE_KINDS)
    assert [kind.name.lower() for kind in EventKind] == list(_core._EVENT_KINDS)
    assert [(reason.value, reason.name.lower()) for reason in Reason] == list(_core._REASONS)


def test_layouts_are_the_documented_ones() -> None:
    basic, full = lobgym.BASIC_MESSAGE_DTYPE, lobgym.MESSAGE_DTYPE
    assert (basic.itemsize, full.itemsize, lobgym.EVENT_DTYPE.itemsize) == (32, 64, 56)
    assert basic.fields is not None and full.fields is not None
    for name in ("kind", "side", "owner", "id", "price", "quantity"):
        assert basic.fields[name] == full.fields[name]


def test_events_do_not_leak_memory_of_the_book() -> None:
    book = lobgym.OrderBook()
    events = book.submit_limit(1, "buy", 5, 5)
    del book
    assert events["id"].tolist() == [1]
