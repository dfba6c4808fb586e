"""The commands as processes: killed, stopped, with a full disk, and used wrongly."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from live_session import Faults, Line, duckdb, rows_of, sample, stored, with_feed

from lobgym.live.store import open_store

RUN = [sys.executable, "-m", "lobgym.live"]


def command(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN, *arguments], capture_output=True, text=True, timeout=60, **options)


def collecting(url: str, store: Path, *more: str) -> list[str]:
    return [*RUN, "collect", "--url", url, "--store", str(store), "--batch-rows", "100", *more]


def while_collecting(lines: list[Line], store: Path, speed: float, number: int, least: int) -> tuple[int, str]:
    """Sends a signal to a collector when the feed has played so many messages; then, after a kill, collects the rest with another."""

    async def act(url: str, feed: Any) -> tuple[int, str]:
        arguments = collecting(url, store, "--batch-seconds", "0.2")
        first = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        while feed.played < least:
            assert first.returncode is None
            await asyncio.sleep(0.005)
        first.send_signal(number)
        output, _ = await first.communicate()
        if number == signal.SIGKILL:
            second = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            output, _ = await asyncio.wait_for(second.communicate(), 60)
            assert second.returncode == 0, output
        return first.returncode or 0, output.decode()

    done: tuple[int, str] = asyncio.run(with_feed(lines, Faults(), speed, act))
    return done


def whole_batches(store: Path) -> None:
    """Each batch says which ticks it has; they are there, and no others."""
    with duckdb.connect(str(store), read_only=True) as connection:
        wrong = connection.execute(
            "SELECT b.run, b.batch, b.ticks, count(t.sequence) FROM batches b LEFT JOIN ticks t ON t.run = b.run "
            "AND t.sequence BETWEEN b.first_sequence AND b.last_sequence GROUP BY ALL HAVING b.ticks <> count(t.sequence)"
        ).fetchall()
        assert wrong == []
        (counts,) = connection.execute(
            "SELECT (SELECT sum(ticks) FROM batches), (SELECT count(*) FROM ticks)"
        ).fetchall()
        assert counts[0] == counts[1]
        assert connection.execute("SELECT count(*) FROM (SELECT DISTINCT run, sequence FROM ticks)").fetchall() == [
            counts[1:]
        ]


def test_a_killed_collector_leaves_whole_batches_and_another_goes_on(tmp_path: Path) -> None:
    lines, store = sample(first=2_000), tmp_path / "ticks.duckdb"
    code, _ = while_collecting(lines, store, 8.0, signal.SIGKILL, 900)
    assert code == -signal.SIGKILL
    whole_batches(store)
    with open_store(str(store), read_only=True) as opened:
        runs = opened.runs()
        assert [run["ending"] for run in runs] == [None, "end of recording"]
        found, true = stored(opened), rows_of(lines)
    # The first run has the beginning, the second one the end; between them is what was on its way.
    before = next(n for n, (a, b) in enumerate(zip(found, true, strict=False)) if a != b)
    assert 100 <= before <= 900 + 1
    assert found[before:] == true[len(true) - (len(found) - before) :]


#: Collects, and keeps in a file that outlives it how far it is: ticks handed to the writer, those known to be in the store, those in the
#: batch that is gathered, and batches before that one.
COUNTING = """
import mmap, struct, sys
from lobgym.live import writer
from lobgym.live.command import main

file = open(sys.argv.pop(1), "r+b")
counters = mmap.mmap(file.fileno(), 32)
take, handed = writer.Writer.tick, 0

def tick(self, each):
    global handed
    take(self, each)
    handed += 1
    struct.pack_into("<4q", counters, 0, handed, self.ticks, len(self._batch.ticks), self._batch.number - 1)

writer.Writer.tick = tick
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_a_kill_costs_at_most_one_batch(tmp_path: Path, seed: int) -> None:
    lines, store, counters = sample(first=3_500), tmp_path / "ticks.duckdb", tmp_path / "counters"
    chance, rows, kills = random.Random(seed), 100, 5
    script = tmp_path / "counting.py"
    script.write_text(COUNTING)

    async def act(url: str, feed: Any) -> list[tuple[int, ...]]:
        found = []
        for number in range(kills + 1):
            counters.write_bytes(bytes(32))
            arguments = collecting(url, store, "--batch-rows", str(rows), "--batch-seconds", "0.15")[3:]
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, str(script), str(counters), *arguments),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            if number < kills:
                least = chance.randrange(50, 350)
                while struct.unpack("<4q", counters.read_bytes())[0] < least:
                    assert child.returncode is None, await child.communicate()
                    await asyncio.sleep(0.001)
                await asyncio.sleep(chance.uniform(0, 0.05))
                child.kill()
            output, _ = await asyncio.wait_for(child.communicate(), 60)
            assert child.returncode == (-signal.SIGKILL if number < kills else 0), output
            found.append(struct.unpack("<4q", counters.read_bytes()))
        return found

    killed: list[tuple[int, ...]] = asyncio.run(with_feed(lines, Faults(), 8.0, act))
    whole_batches(store)
    with open_store(str(store), read_only=True) as opened:
        runs = opened.runs()
        assert [run["ending"] for run in runs] == [None] * kills + ["end of recording"]
        for run, (handed, known, gathered, ended) in zip(runs[:-1], killed, strict=False):
            assert handed >= 50, "killed at work"
            # What was known to be there is, and nothing is there that did not come.
            assert known <= run["ticks"] <= handed
            # All of the batches before the one that was gathered, or all but the one in flight.
            missing, lost = ended - run["batches"], handed - run["ticks"]
            assert lost <= rows and missing <= 1
            if missing == 1:
                assert gathered <= lost <= gathered + rows // 2
            else:
                # Time may have ended the gathered one behind the last tick.
                assert lost == (gathered if missing == 0 else 0)
        assert runs[-1]["ticks"] == killed[-1][0]
        true, found = rows_of(lines), stored(opened)
    # Each run has a stretch of the recording, behind that of the run before; none has a message of another.
    position = 0
    for row in found:
        position = true.index(row, position) + 1


def test_a_stopped_collector_writes_everything(tmp_path: Path) -> None:
    lines, store = sample(first=2_000), tmp_path / "ticks.duckdb"
    for number in (signal.SIGTERM, signal.SIGINT):
        code, output = while_collecting(lines, store, 8.0, number, 300)
        assert code == 0, output
    whole_batches(store)
    with open_store(str(store), read_only=True) as opened:
        assert [run["ending"] for run in opened.runs()] == ["stopped", "stopped"]
        ticks = [
            tick
            for run, tick in opened.ticks("binance", "BTCUSDT")
            if run == 1 and tick.kind not in ("snapshot", "gap")
        ]
        bars = [bar for run, bar in opened.bars("binance", "BTCUSDT") if run == 1]
    assert len(ticks) >= 50
    assert sum(bar.trades for bar in bars) == sum(tick.kind == "trade" for tick in ticks)
    assert not bars[-1].complete


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on file sizes")
def test_a_full_disk_stops_the_collection_with_nothing_half_written(tmp_path: Path) -> None:
    lines, store = sample(first=3_000), tmp_path / "ticks.duckdb"
    # Files may grow to so much: as on a disk that fills up.
    limit = 100_000
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); "
    code += "import sys; from lobgym.live.command import main; sys.exit(main(sys.argv[1:]))"

    async def act(url: str, feed: Any) -> tuple[int | None, str]:
        arguments = [*collecting(url, store, "--store-patience-seconds", "0.5", "--buffer-rows", "2000")[3:]]
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        output, _ = await asyncio.wait_for(child.communicate(), 60)
        return child.returncode, output.decode()

    returned, output = asyncio.run(with_feed(lines, Faults(), None, act))
    assert returned == 1, output
    assert "the store has failed for" in output and "none in part" in output, output
    assert "Traceback" not in output
    whole_batches(store)
    with open_store(str(store), read_only=True) as opened:
        kept = stored(opened)
    assert 0 < len(kept) < 3_000 and kept == rows_of(lines)[: len(kept)]


def test_a_store_that_hangs_does_not_keep_the_process(tmp_path: Path) -> None:
    code = """
import sys, time
from lobgym.live.command import main
from lobgym.live.store.duck import DuckStore
write = DuckStore.write
DuckStore.write = lambda self, batch: time.sleep(1000) if batch.number > 2 else write(self, batch)
sys.exit(main(sys.argv[1:]))
"""

    async def act(url: str, feed: Any) -> tuple[int | None, str]:
        arguments = collecting(url, tmp_path / "ticks.duckdb", "--store-patience-seconds", "1")[3:]
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            output, _ = await asyncio.wait_for(child.communicate(), 60)
        finally:
            if child.returncode is None:
                child.kill()
        return child.returncode, output.decode()

    returned, output = asyncio.run(with_feed(sample(), Faults(), None, act))
    assert returned == 1 and "has not answered for" in output, output
    assert "Traceback" not in output


def test_a_recording_is_collected_from_the_command_line(tmp_path: Path) -> None:
    lines = sample(first=200)
    recording, store = tmp_path / "feed", tmp_path / "ticks.duckdb"
    recording.write_text("".join(f"{line.stamp_ns} {line.text}\n" for line in lines))
    feed = subprocess.Popen(
        [*RUN, "replay-feed", str(recording), "--port", "0", "--speed", "max"], stdout=subprocess.PIPE, text=True
    )
    assert feed.stdout is not None
    url = feed.stdout.readline().strip()
    done = command("collect", "--url", url, "--store", str(store), "--interval", "1s")
    assert done.returncode == 0, done.stderr
    assert feed.wait(20) == 0
    feed.stdout.close()
    # Whether the snapshot, which is asked for meanwhile, comes before so short a recording is over is a matter of chance.
    snapshot = "1 snapshot, " in done.stdout
    assert "155 best, 6 depth, 39 trade;" in done.stdout.replace("1 snapshot, ", "")
    assert f"{200 + snapshot} stored" in done.stdout
    info = command("store", "info", str(store))
    assert info.returncode == 0 and "BTCUSDT" in info.stdout and "end of recording" in info.stdout
    parquet = tmp_path / "bars.parquet"
    exported = command("store", "export", str(store), "--parquet", str(parquet), "--table", "bars")
    assert exported.returncode == 0, exported.stderr
    bars = duckdb.sql(f"SELECT sum(trades) FROM '{parquet}'").fetchall()[0][0]
    assert bars == sum(line.data.get("e") == "trade" for line in lines)


def test_a_store_of_an_older_version_is_upgraded(tmp_path: Path) -> None:
    store = str(tmp_path / "old.duckdb")
    with duckdb.connect(store) as file:
        for statement in (
            "CREATE TABLE store_format (version INTEGER NOT NULL, PRIMARY KEY (version))",
            "INSERT INTO store_format VALUES (1)",
            "CREATE TABLE bars (run BIGINT, start_ns BIGINT)",
        ):
            file.execute(statement)
    refused = command("store", "info", store)
    assert refused.returncode == 1 and "`lobgym store upgrade` brings it to that" in refused.stderr
    for _ in range(2):
        done = command("store", "upgrade", store)
        assert (done.returncode, done.stdout) == (0, f"{store} has a schema of version 3\n"), done.stderr
    assert command("store", "info", store).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["collect", "--interval", "5x"], 1, "interval is '5x'; legal: a number and ms, s, m or h"),
        (
            ["collect", "--url", "ws://[bad"],
            1,
            "url is 'ws://[bad'; legal: ws://..., wss://..., with a host, and a port",
        ),
        (["collect", "--url", "ws://127.0.0.1:99999"], 1, "url is 'ws://127.0.0.1:99999'; legal: ws://"),
        (["collect", "--url", "ws://127.0.0.1:abc/x"], 1, "url is 'ws://127.0.0.1:abc/x'; legal: ws://"),
        (["collect", "--snapshot-url", "http://h:0"], 1, "snapshot_url is 'http://h:0'; legal: http://"),
        (["collect", "--venue", "nyse"], 2, "invalid choice: 'nyse'"),
        (["collect", "--store", "mysql://x"], 1, "store is 'mysql://x'; legal: a path, or postgresql://..."),
        (["replay-feed", "nothing.gz", "--port", "0"], 1, "cannot read nothing.gz"),
        (["replay-feed", "nothing.gz", "--port", "99999"], 2, "'99999'; legal: 0 (any that is free) to 65535"),
        (["store", "info", "nothing.duckdb"], 1, "there is no store nothing.duckdb"),
        (["store", "upgrade", "nothing.duckdb"], 1, "there is no store nothing.duckdb"),
    ],
)
def test_wrong_use_is_named(
    arguments: list[str], code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from lobgym.live.command import main

    monkeypatch.chdir(tmp_path)
    try:
        returned = main(arguments)
    except SystemExit as ending:
        returned = int(str(ending.code))
    assert returned == code
    assert message in capsys.readouterr().err


def test_without_a_network_the_way_to_a_recording_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from lobgym.live import settings
    from lobgym.live.command import main

    nowhere = settings.Venue("ws://127.0.0.1:9", "http://127.0.0.1:9")
    monkeypatch.setitem(settings.VENUES, "binance", nowhere)
    began = time.monotonic()
    store = str(tmp_path / "ticks.duckdb")
    assert main(["collect", "--store", store, "--attempts", "2", "--backoff-seconds", "0.01"]) == 1
    assert time.monotonic() - began < 20
    message = capsys.readouterr().err
    assert "cannot connect to ws://127.0.0.1:9" in message and "give --url" in message and "replay-feed FILE" in message


def test_the_package_says_what_it_needs() -> None:
    code = "import sys; sys.modules['duckdb'] = None; from lobgym.live.command import main; sys.exit(main(['store', 'info']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 1
    assert "a store needs duckdb: pip install 'lobgym[live]'" in done.stderr
