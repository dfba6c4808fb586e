"""Ranges of bars, out of files that grow."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import serve_session  # noqa: F401  skips where the server's packages are not installed

from lobgym.serve import logs, views


def write(path: Path, starts: list[int], end: str = "") -> None:
    lines = [f"{start},{index / 2}\n" for index, start in enumerate(starts)]
    path.write_text("start_ns,close\n" + "".join(lines) + end)


@pytest.mark.parametrize("end", ["", "9", "99999,1"])
def test_a_range_is_what_it_is_of_all_bars(end: str, tmp_path: Path) -> None:
    chance, path = random.Random(3), tmp_path / "bars.csv"
    for count in (0, 1, 2, 3, 50, 3_000):
        starts = sorted(chance.sample(range(10, 20_000), count))
        write(path, starts, end)
        for _ in range(60):
            low, high = (chance.choice([None, chance.randrange(20_100), *starts[:1], *starts[-1:]]) for _ in range(2))
            limit = chance.choice([1, 7, 10_000])
            true = [each for each in starts if (low is None or each >= low) and (high is None or each < high)]
            found = [row["start_ns"] for row in views.bar_rows(path, limit, low, high)]
            assert found == true[-limit:], (count, low, high, limit)


def test_lines_that_are_no_bars_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("close,start_ns\n1,10\nx\n2,20,3\n\n3,x\n4,30\n5,40\n")
    assert [row["start_ns"] for row in views.bar_rows(path, 10, None, 40)][-2:] == ["x", 30]
    assert next(row["start_ns"] for row in views.bar_rows(path, 10, None, 30)) == 10
    assert views.bar_rows(path, 10, None, 10) == []
    path.write_text("time,close\n1,2\n")
    assert views.bar_rows(path, 10, None, 1) == [{"time": 1, "close": 2}]
    assert views.bar_rows(tmp_path / "nothing.csv", 10, None, 1) == []


def test_a_range_long_ago_is_found_without_reading_what_came_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cells = tmp_path / "bars.csv", 0
    write(path, list(range(0, 1_000_000, 5)))
    cell = views._cell

    def counted(text: str) -> Any:
        nonlocal cells
        cells += 1
        return cell(text)

    monkeypatch.setattr(views, "_cell", counted)
    assert [row["start_ns"] for row in views.bar_rows(path, 3, None, 5_000)] == [4_985, 4_990, 4_995]
    # Of 400,000.
    assert cells < 200


def test_the_lines_of_a_file_have_no_end_but_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(f"{number}\n" for number in range(50_000)))
    assert list(logs.lines_backwards(path)) == [str(number) for number in reversed(range(50_000))]
    assert len(list(logs.lines_backwards(path, 1 << 10))) < 200
