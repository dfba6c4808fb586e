"""The chain of update numbers judges as ``lob::data::market`` does."""

from __future__ import annotations

from lobgym.live.chain import Chain, Trades, Verdict


def test_spot_updates_follow_their_numbers() -> None:
    chain = Chain()
    assert chain.update((1, 5, None)) is Verdict.HOLD
    assert chain.snapshot(10)
    judged = [
        ((6, 10), Verdict.OLD),
        ((9, 12), Verdict.APPLY),
        ((13, 13), Verdict.APPLY),
        ((13, 13), Verdict.OLD),
        ((12, 15), Verdict.OVERLAPS),
        ((17, 18), Verdict.GAP),
        ((19, 20), Verdict.HOLD),
    ]
    for (first, last), verdict in judged:
        assert chain.update((first, last, None)) is verdict
    assert chain.reached is None
    assert chain.snapshot(17) and chain.reached == 20
    # A snapshot that what waits does not reach across is no use.
    chain.lose()
    assert chain.update((32, 33, None)) is Verdict.HOLD
    assert not chain.snapshot(30) and chain.reached is None
    assert chain.snapshot(31) and chain.reached == 33


def test_futures_updates_follow_the_number_of_the_one_before() -> None:
    chain = Chain()
    assert chain.snapshot(100)
    assert chain.update((80, 99, 70)) is Verdict.OLD
    assert chain.update((95, 110, 90)) is Verdict.APPLY
    assert chain.update((115, 120, 110)) is Verdict.APPLY
    assert chain.update((125, 130, 121)) is Verdict.GAP
    assert chain.snapshot(200)
    assert chain.update((205, 210, 200)) is Verdict.APPLY
    assert chain.snapshot(300)
    assert chain.update((305, 310, 301)) is Verdict.GAP


def test_updates_that_wait_are_taken_in_the_order_of_their_numbers() -> None:
    chain = Chain()
    for numbers in ((13, 14, None), (11, 12, None), (5, 10, None)):
        assert chain.update(numbers) is Verdict.HOLD
    assert chain.snapshot(8) and chain.reached == 14


def test_a_snapshot_older_than_the_book_changes_nothing() -> None:
    chain = Chain()
    chain.snapshot(10)
    chain.update((11, 20, None))
    assert chain.snapshot(15) and chain.reached == 20
    assert chain.update((21, 22, None)) is Verdict.APPLY


def test_trades_that_do_not_come_are_given_up_behind_four_others() -> None:
    trades = Trades()
    assert [trades.take(number) for number in (5, 6, 9, 12, 8, 11, 13)] == [
        False,
        False,
        True,
        True,
        False,
        False,
        False,
    ]
    assert trades.given_up() == [(7, 7)]
    assert trades.given_up() == [] and trades.lost == 1
    # Not counted twice when it comes after all, nor where it repeats.
    assert not trades.take(7) and not trades.take(10) and not trades.take(13)
    assert trades.given_up(at_once=True) == [] and trades.lost == 1
    trades.take(20)
    assert trades.given_up(at_once=True) == [(14, 19)] and trades.lost == 7


def test_holes_in_the_numbers_of_trades_do_not_pile_up() -> None:
    trades, found = Trades(), []
    for number in range(0, 1_000, 2):
        trades.take(number)
    found = trades.given_up()
    assert len(found) >= 499 - 64 and trades.lost == len(found)
    assert len(found) + len(trades.given_up(at_once=True)) == 499
