"""The file of bars that grows while they are collected: whole lines, each bar once, whatever ends the collector."""

from __future__ import annotations

import asyncio
import csv
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from live_session import QUICK, Faults, Feed, collect, sample, with_feed

from lobgym.live.bars_file import COLUMNS, BarsFile
from lobgym.live.errors import CollectError, LiveError
from lobgym.live.store import Bar, open_store

HEADER = ",".join(COLUMNS)
INTERVAL = 10**8


def bar(number: int, interval_ns: int = INTERVAL) -> Bar:
    start = number * interval_ns
    return Bar(
        start, interval_ns, 1.5, 2.0, 1.0, 0.1 + 0.2, 1e-8, 3, 4, 0.5, -1 / 3, 7, number > 1, 1.0, 2.0, 1.5, 0.25
    )


def rows(path: Path) -> list[dict[str, str]]:
    """The bars of a file, in which every line is whole."""
    text = path.read_text()
    assert text.endswith("\n")
    found = list(csv.DictReader(text.splitlines()))
    assert all(None not in row and None not in row.values() for row in found)
    return found


def starts(path: Path) -> list[int]:
    return [int(row["start_ns"]) for row in rows(path)]


def as_text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)


def test_bars_are_appended_each_once(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    with BarsFile(path, INTERVAL) as file:
        file.append([bar(1), replace(bar(2), open=None, bid=None)])
        assert len(path.read_text().splitlines()) == 3, "written while it is open"
    with BarsFile(path, INTERVAL) as file:
        file.append([bar(1), bar(2), bar(3), bar(3), bar(7)])
        assert (file.written, file.skipped) == (2, 3)
    assert path.read_text().splitlines()[0] == HEADER
    assert starts(path) == [INTERVAL * n for n in (1, 2, 3, 7)]
    first, second = rows(path)[:2]
    assert first == {name: as_text(getattr(bar(1), name)) for name in COLUMNS}
    assert (first["complete"], second["complete"], second["open"], second["bid"]) == ("false", "true", "", "")
    assert float(first["close"]) == 0.1 + 0.2 and float(first["imbalance"]) == -1 / 3


@pytest.mark.parametrize("cut", range(0, 200, 7))
def test_a_torn_end_is_cut_off(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "bars.csv"
    with BarsFile(path, INTERVAL) as file:
        file.append([bar(1), bar(2)])
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    with BarsFile(path, INTERVAL) as file:
        file.append([bar(n) for n in (1, 2, 3)])
    assert starts(path) == [INTERVAL * n for n in (1, 2, 3)]
    assert path.read_bytes().startswith(whole)


def test_a_long_file_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    with BarsFile(path, INTERVAL) as file:
        file.append(bar(n) for n in range(2_000))
    assert path.stat().st_size > 2 << 16
    with path.open("a") as file:
        file.write("2000000000")
    with BarsFile(path, INTERVAL) as file:
        file.append(bar(n) for n in range(1_990, 2_003))
        assert file.written == 3
    assert starts(path) == [INTERVAL * n for n in range(2_003)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("time,close\n1,2\n", r"begins with 'time,close.*'; legal: 'start_ns,open,.*,complete'; give another file"),
        ("x", r"begins with 'x'; legal: "),
        (HEADER + ",more\n", r"begins with 'start_ns.*; legal: "),
        (HEADER + "\n1,2,3\n", r"has the line '1,2,3'; legal: 15 values"),
        (HEADER + "\n" + "".join(f"{n * 10**9}{',1' * 14}\n" for n in range(6)), r"has bars of 1 s, .* is 0.1 s"),
        (HEADER + f"\n17{',1' * 14}\n", r"has bars that begin at 17 ns, and the interval is 0.1 s"),
    ],
)
def test_another_file_is_refused_and_left_alone(tmp_path: Path, content: str, message: str) -> None:
    path, store = tmp_path / "bars.csv", tmp_path / "ticks.duckdb"
    path.write_text(content)
    with pytest.raises(LiveError, match=message):
        BarsFile(path, INTERVAL)
    assert path.read_text() == content
    run = [sys.executable, "-m", "lobgym.live", "collect", "--url", "ws://127.0.0.1:9", "--interval", "100ms"]
    if content == "x":
        done = subprocess.run(
            [*run, "--store", str(store), "--bars-file", str(path)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 1 and "bars.csv begins with 'x'" in done.stderr
        assert not store.exists(), "nothing was collected"


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks of files")
def test_a_file_has_one_writer(tmp_path: Path) -> None:
    with BarsFile(tmp_path / "bars.csv", INTERVAL), pytest.raises(LiveError, match=r"another process writes to .*bars"):
        BarsFile(tmp_path / "bars.csv", INTERVAL)
    BarsFile(tmp_path / "bars.csv", INTERVAL).close()
    with pytest.raises(LiveError, match=r"cannot open .*nowhere"):
        BarsFile(tmp_path / "nowhere" / "bars.csv", INTERVAL)


def test_a_file_that_cannot_grow_ends_the_collection_with_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = sample(first=1_500)
    path, written = tmp_path / "bars.csv", 0
    real = BarsFile._write

    def full(self: BarsFile, file: int, line: bytes) -> None:
        nonlocal written
        written += 1
        if written == 5:
            real(self, file, line[:20])
            self._size -= 20
            raise OSError(28, "No space left on device")
        real(self, file, line)

    async def act(url: str, feed: Feed) -> None:
        with open_store(str(tmp_path / "ticks.duckdb")) as store, BarsFile(path, INTERVAL) as file:
            monkeypatch.setattr(BarsFile, "_write", full)
            settings = replace(QUICK, url=url, interval_ns=INTERVAL)
            with pytest.raises(CollectError, match=r"cannot write to .*: No space left on device; it has 4 bars"):
                await asyncio.wait_for(collect(settings, store, bars_file=file), 60)
            ticks, (run,) = list(store.ticks("binance", "BTCUSDT")), store.runs()
            assert run["ticks"] == len(ticks) > 100 and "No space left" in run["ending"]

    asyncio.run(with_feed(lines, Faults(), None, act))
    assert len(starts(path)) == 4


def in_store(place: Path) -> dict[int, list[Bar]]:
    with open_store(str(place), read_only=True) as store:
        found: dict[int, list[Bar]] = {}
        for run, each in store.bars("binance", "BTCUSDT"):
            found.setdefault(run, []).append(each)
    return found


def test_a_recording_s_bars_are_the_store_s(tmp_path: Path) -> None:
    lines, path, store = sample(first=1_500), tmp_path / "bars.csv", tmp_path / "ticks.duckdb"

    async def act(url: str, feed: Feed) -> None:
        with open_store(str(store)) as opened, BarsFile(path, INTERVAL) as file:
            await asyncio.wait_for(collect(replace(QUICK, url=url, interval_ns=INTERVAL), opened, bars_file=file), 60)

    asyncio.run(with_feed(lines, Faults(), None, act))
    (bars,) = in_store(store).values()
    # All but the last, whose interval is not over.
    assert rows(path) == [{name: as_text(getattr(each, name)) for name in COLUMNS} for each in bars[:-1]]
    assert len(bars) > 20 and any(each.bid is not None for each in bars)


def test_a_killed_collector_leaves_whole_lines_and_another_appends(tmp_path: Path) -> None:
    lines, path, store = sample(first=2_500), tmp_path / "bars.csv", tmp_path / "ticks.duckdb"
    chance = random.Random(8)
    kills = [chance.randrange(least, least + 500) for least in (300, 1_000, 1_700)]

    async def act(url: str, feed: Feed) -> list[int]:
        counts = []
        arguments = [sys.executable, "-m", "lobgym.live", "collect", "--url", url, "--store", str(store)]
        arguments += ["--interval", "100ms", "--bars-file", str(path), "--batch-seconds", "0.1"]
        for number, kill in enumerate([*kills, None]):
            child = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if kill is None:
                output, _ = await asyncio.wait_for(child.communicate(), 60)
                assert child.returncode == 0 and b"bars in" in output, output
            else:
                while feed.played < kill:
                    assert child.returncode is None
                    await asyncio.sleep(0.002)
                child.send_signal(signal.SIGKILL)
                await child.communicate()
                assert child.returncode == -signal.SIGKILL
            counts.append(len(starts(path)))
            if number == 1:
                # As after a crash of the machine.
                with path.open("a") as file:
                    file.write("1723161")
        return counts

    counts: list[int] = asyncio.run(with_feed(lines, Faults(), 8.0, act))
    assert counts == sorted(set(counts)) and counts[0] > 0, "each run adds bars"
    found = rows(path)
    numbers = starts(path)
    assert numbers == sorted(set(numbers)), "no bar twice"
    # Whatever the store has of a bar, a line of the file has too, unless it is the last of its run.
    known = {tuple(row.values()) for row in found}
    for bars in in_store(store).values():
        for each in bars[:-1]:
            texts = tuple(as_text(getattr(each, name)) for name in COLUMNS)
            assert texts in known or not each.complete, each
