"""Many clients at once: each is answered, no job is lost, and memory does not grow."""

from __future__ import annotations

from pathlib import Path

import pytest
from serve_session import long

from lobgym.serve.bench import Load, run


def whole(load: Load) -> None:
    assert not load.failures, load.table()
    assert not load.silent, load.table()
    assert set(load.answers) <= {200, 202, 404, 422, 429}, load.table()
    assert load.accepted and not load.lost, load.table()
    assert set(load.states) == {"finished"}, load.table()


def test_a_few_clients_for_a_moment_are_all_answered() -> None:
    load = run(20, 1.5, max_trainings=4)
    whole(load)
    assert load.answers[200] > 10


def test_clients_beyond_the_rate_are_told_when_to_come_again() -> None:
    load = run(20, 2.0, rate_per_second=20, rate_burst=20)
    whole(load)
    assert load.answers[429] > load.answers[200]


@long
@pytest.mark.parametrize("rate", [None, 1e6], ids=["the usual rate", "no limit to the rate"])
def test_two_hundred_clients_for_a_minute(rate: float | None, tmp_path: Path) -> None:
    settings = {} if rate is None else {"rate_per_second": rate, "rate_burst": int(rate)}
    load = run(200, 60.0, **settings)
    print(load.table())
    whole(load)
    assert sum(load.answers.values()) > 2_000
    # Caches fill, and allocators keep what they may need; a leak of 1 kB a request would be more.
    assert abs(load.growth) < 6, load.table()
