"""What is written is read back, by every store alike: a file, and a PostgreSQL server where LOBGYM_TEST_POSTGRES names one."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from live_session import QUICK, duckdb, play, rows_of, sample, stored

from lobgym.live.errors import CollectError
from lobgym.live.store import Bar, Batch, Incident, Store, StoreError, Tick, open_store

SERVER = os.environ.get("LOBGYM_TEST_POSTGRES")
needs_server = pytest.mark.skipif(SERVER is None, reason="needs a PostgreSQL server: make test-services")


def postgres_schema() -> str:
    """The URL of an empty schema in the server."""
    import psycopg

    assert SERVER is not None
    name = f"lobgym_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
    return f"{SERVER}{'&' if '?' in SERVER else '?'}options=-csearch_path%3D{name}"


@pytest.fixture(params=["duckdb", pytest.param("postgresql", marks=needs_server)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "ticks.duckdb") if request.param == "duckdb" else postgres_schema()


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    with open_store(place) as opened:
        yield opened


def tick(number: int, time_ns: int, kind: str = "trade") -> Tick:
    odd = number % 2 == 1
    values: dict[str, Any] = dict(price=0.1 + number, quantity=1e-8 * number, side="buy" if odd else "sell")
    if kind == "depth":
        values = dict(price=None, quantity=None, side=None)
    return Tick(
        *(number, kind, time_ns + 7, time_ns, time_ns // 10**6 if odd else None, number, 2**62 + number, None),
        **values,
        **dict.fromkeys(("bid", "bid_size", "ask", "ask_size")),
        payload='{"b":[["1.0","2"]],"a":[], "text":"\\t\\\\ \u00fc"}' if kind == "depth" else None,
    )


def batch(run: int, number: int, ticks: list[Tick]) -> Batch:
    quote = (99.5, 3.0, 100.5, 4.0) if number > 1 else (None,) * 4
    bar = Bar(number * 10**9, 10**9, None, None, None, None, 0.0, 0, 3, 0.25, -0.5, None, number > 1, *quote)
    return Batch(run, number, ticks, [bar], [Incident(number, 5, ticks[-1].sequence if ticks else 0, "gap", "why")])


def test_rows_come_back_as_they_were(store: Store, place: str) -> None:
    run = store.begin_run("binance", "BTCUSDT", "ws://x", 10**9)
    written = [tick(n, n * 10**9, "depth" if n % 3 == 0 else "trade") for n in range(1, 41)]
    assert store.write(batch(run, 1, written[:25])) and store.write(batch(run, 2, written[25:]))
    store.close()
    with open_store(place, read_only=True) as again:
        assert list(again.ticks("binance", "BTCUSDT")) == [(run, each) for each in written]
        assert list(again.bars("binance", "BTCUSDT")) == [(run, batch(run, n, written).bars[0]) for n in (1, 2)]
        assert [each.sequence for each in again.incidents(run)] == [25, 40]
        (info,) = again.runs()
        assert (info["ticks"], info["batches"], info["first_ns"], info["last_ns"]) == (40, 2, 10**9, 40 * 10**9)
        assert info["ending"] is None


def test_ranges_are_half_open_and_of_one_symbol(store: Store) -> None:
    for symbol in ("BTCUSDT", "ETHUSDT"):
        run = store.begin_run("binance", symbol, "ws://x", 10**9)
        store.write(batch(run, 1, [tick(n, n * 100, "depth" if n % 3 == 0 else "trade") for n in range(1, 11)]))
    found = list(store.ticks("binance", "ETHUSDT", 300, 700))
    assert [(run, each.sequence) for run, each in found] == [(2, n) for n in (3, 4, 5, 6)]
    assert [each.sequence for _, each in store.ticks("binance", "BTCUSDT", kinds=["depth"])] == [3, 6, 9]
    assert list(store.ticks("binance", "SOLUSDT")) == list(store.ticks("binance-usdm", "BTCUSDT")) == []


def test_columns_are_the_rows(store: Store) -> None:
    run = store.begin_run("binance", "BTCUSDT", "ws://x", 10**9)
    written = [tick(n, n * 100, "depth" if n % 3 == 0 else "trade") for n in range(1, 11)]
    store.write(batch(run, 1, written))
    found = store.tick_columns("binance", "BTCUSDT", 300, 700)
    assert "payload" not in found and found["run"].tolist() == [run] * 4
    for name in ("sequence", "kind", "time_ns", "exchange_ms", "last_id", "price", "side", "previous_id"):
        assert found[name].tolist() == [getattr(each, name) for each in written[2:6]], name
    assert [len(column) for column in store.tick_columns("binance", "ETHUSDT", names=["price"]).values()] == [0]
    with pytest.raises(StoreError, match="column is 'prise'; legal: run, sequence, kind"):
        store.tick_columns("binance", "BTCUSDT", names=["prise"])


def test_a_batch_that_is_there_is_not_written_again(store: Store) -> None:
    run = store.begin_run("binance", "BTCUSDT", "ws://x", 10**9)
    first = batch(run, 1, [tick(n, n) for n in range(1, 6)])
    assert store.write(first) and not store.write(first)
    assert len(list(store.ticks("binance", "BTCUSDT"))) == 5


def test_a_batch_that_fails_leaves_nothing(store: Store) -> None:
    run = store.begin_run("binance", "BTCUSDT", "ws://x", 10**9)
    wrong = batch(run, 1, [tick(n, n) for n in range(1, 6)])
    wrong.bars *= 2  # a key twice: refused, after the ticks
    with pytest.raises(StoreError, match="cannot write to"):
        store.write(wrong)
    store.connect()
    assert list(store.ticks("binance", "BTCUSDT")) == [] and store.runs()[0]["batches"] == 0
    wrong.bars.pop()
    assert store.write(wrong)
    assert len(list(store.ticks("binance", "BTCUSDT"))) == 5


def test_parquet_has_the_rows(store: Store, tmp_path: Path) -> None:
    run = store.begin_run("binance", "BTCUSDT", "ws://x", 10**9)
    written = [tick(n, n * 100, "depth" if n % 3 == 0 else "trade") for n in range(1, 11)]
    store.write(batch(run, 1, written))
    target = tmp_path / "ticks.parquet"
    assert store.export_parquet("ticks", target, symbol="BTCUSDT", start_ns=200, end_ns=900) == 7
    found = duckdb.sql(f"SELECT * EXCLUDE run FROM '{target}' ORDER BY sequence").fetchall()
    assert [Tick(*row) for row in found] == written[1:8]
    assert store.export_parquet("bars", target) == 1
    with pytest.raises(StoreError, match="table is 'secrets'; legal: runs, batches, ticks, bars, incidents"):
        store.export_parquet("secrets", target)
    with pytest.raises(StoreError, match="nowhere"):
        store.export_parquet("ticks", tmp_path / "nowhere" / "x.parquet")
    assert sorted(path.name for path in tmp_path.glob("*parquet*")) == ["ticks.parquet"]


def test_another_version_is_refused(store: Store, place: str) -> None:
    with store.transaction():
        store.execute("UPDATE store_format SET version = 99")
    store.close()
    for read_only in (False, True):
        with pytest.raises(StoreError, match=r"schema of version 99; legal: 3$"):
            open_store(place, read_only=read_only)


#: The tables of version 1, as they were.
VERSION_1 = """
CREATE TABLE store_format (version INTEGER NOT NULL, PRIMARY KEY (version));
CREATE TABLE runs (run BIGINT NOT NULL, venue VARCHAR NOT NULL, symbol VARCHAR NOT NULL, url VARCHAR, interval_ns BIGINT,
 started_ns BIGINT NOT NULL, ended_ns BIGINT, ending VARCHAR, PRIMARY KEY (run));
CREATE TABLE batches (run BIGINT NOT NULL, batch BIGINT NOT NULL, first_sequence BIGINT, last_sequence BIGINT, ticks BIGINT NOT NULL,
 first_ns BIGINT, last_ns BIGINT, written_ns BIGINT NOT NULL, PRIMARY KEY (run, batch));
CREATE TABLE ticks (run BIGINT NOT NULL, sequence BIGINT NOT NULL, kind VARCHAR NOT NULL, received_ns BIGINT NOT NULL, time_ns BIGINT NOT NULL,
 exchange_ms BIGINT, first_id BIGINT, last_id BIGINT, previous_id BIGINT, price DOUBLE PRECISION, quantity DOUBLE PRECISION, side VARCHAR,
 bid DOUBLE PRECISION, bid_size DOUBLE PRECISION, ask DOUBLE PRECISION, ask_size DOUBLE PRECISION, payload VARCHAR);
CREATE TABLE bars (run BIGINT NOT NULL, start_ns BIGINT NOT NULL, interval_ns BIGINT NOT NULL, open DOUBLE PRECISION, high DOUBLE PRECISION,
 low DOUBLE PRECISION, close DOUBLE PRECISION, volume DOUBLE PRECISION, trades BIGINT, quotes BIGINT, spread DOUBLE PRECISION,
 imbalance DOUBLE PRECISION, skew_ns BIGINT, complete BOOLEAN NOT NULL, PRIMARY KEY (run, interval_ns, start_ns));
CREATE TABLE incidents (run BIGINT NOT NULL, number BIGINT NOT NULL, received_ns BIGINT NOT NULL, sequence BIGINT NOT NULL,
 kind VARCHAR NOT NULL, detail VARCHAR, PRIMARY KEY (run, number));
INSERT INTO store_format VALUES (1);
INSERT INTO runs VALUES (1, 'binance', 'BTCUSDT', 'ws://x', 1000000000, 5, 9, 'stopped');
INSERT INTO bars VALUES (1, 2000000000, 1000000000, 1.5, 2.5, 0.5, 2.0, 7.25, 3, 4, 0.01, -0.5, 12, true);
"""


def make_version_1(place: str) -> None:
    if "://" in place:
        import psycopg

        with psycopg.connect(place, autocommit=True) as server:
            server.execute(VERSION_1.encode())
    else:
        with duckdb.connect(place) as file:
            file.execute(VERSION_1)


def test_a_store_of_version_1_is_brought_to_this_one(place: str, tmp_path: Path) -> None:
    make_version_1(place)
    with pytest.raises(StoreError, match=r"schema of version 1; legal: 3; `lobgym store upgrade` brings it to that"):
        open_store(place, read_only=True)
    bars = [Bar(2 * 10**9, 10**9, 1.5, 2.5, 0.5, 2.0, 7.25, 3, 4, 0.01, -0.5, 12, True)]
    for _ in range(2):
        with open_store(place) as opened:
            assert [bar for _, bar in opened.bars("binance", "BTCUSDT")] == bars
    with open_store(place) as opened:
        run = opened.begin_run("binance", "BTCUSDT", "ws://x", 10**9)
        new = batch(run, 3, [tick(n, n) for n in range(1, 6)])
        assert opened.write(new)
    with open_store(place, read_only=True) as opened:
        assert [bar for _, bar in opened.bars("binance", "BTCUSDT")] == bars + new.bars
        target = tmp_path / "bars.parquet"
        assert opened.export_parquet("bars", target) == 2
    found = duckdb.sql(f"SELECT bid, bid_size, ask, ask_size, complete FROM '{target}' ORDER BY start_ns").fetchall()
    assert found == [(None, None, None, None, True), (99.5, 3.0, 100.5, 4.0, True)]


def test_a_store_of_version_2_is_brought_to_this_one(place: str) -> None:
    from lobgym.live.store.base import MIGRATIONS

    statements = [each for each in (*VERSION_1.split(";"), *MIGRATIONS[1]) if each.strip()]
    statements.append("UPDATE store_format SET version = 2")
    if "://" in place:
        import psycopg

        with psycopg.connect(place, autocommit=True) as server:
            for each in statements:
                server.execute(each.encode())
    else:
        with duckdb.connect(place) as file:
            for each in statements:
                file.execute(each)
    with pytest.raises(StoreError, match=r"schema of version 2; legal: 3; `lobgym store upgrade`"):
        open_store(place, read_only=True)
    with open_store(place) as opened:
        run = opened.begin_run("binance", "BTCUSDT", "ws://x", 10**9)
        opened.end_run(run, "stopped", -5)
        assert [(each["ending"], each["skew_ns"]) for each in opened.runs()] == [("stopped", None), ("stopped", -5)]


def test_a_migration_that_fails_leaves_version_1(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from lobgym.live.store import base

    make_version_1(place)
    good = base.MIGRATIONS[1]
    monkeypatch.setitem(base.MIGRATIONS, 1, (*good[:2], "ALTER TABLE nowhere ADD COLUMN x BIGINT"))
    with pytest.raises(StoreError, match="cannot prepare"):
        open_store(place)
    monkeypatch.setitem(base.MIGRATIONS, 1, good)
    with pytest.raises(StoreError, match="schema of version 1"):
        open_store(place, read_only=True)
    with open_store(place) as opened:
        assert len(list(opened.bars("binance", "BTCUSDT"))) == 1


def test_a_recording_is_collected(store: Store) -> None:
    lines = sample(first=500)
    play(lines, store)
    assert stored(store) == rows_of(lines)


@needs_server
def test_a_server_that_drops_its_connections_gets_every_row_once() -> None:
    import psycopg

    lines = sample()
    with open_store(postgres_schema()) as store:
        write, dropped = store.write, []

        def dropping(each: Batch) -> bool:
            if each.number in (2, 5) and each.number not in dropped:
                dropped.append(each.number)
                ours = store.execute("SELECT pg_backend_pid()")[0][0]
                with psycopg.connect(str(SERVER), autocommit=True) as other:
                    other.execute("SELECT pg_terminate_backend(%s)", (ours,))
            return write(each)

        store.write = dropping  # type: ignore[method-assign]
        play(lines, store, settings=replace(QUICK, store_patience_seconds=20))
        assert dropped == [2, 5]
        assert stored(store) == rows_of(lines)


class Line:
    """A TCP way to the server, which can be cut without either end being told."""

    def __init__(self) -> None:
        from psycopg import conninfo

        parts = conninfo.conninfo_to_dict(str(SERVER))
        host, port = str(parts.get("host", "localhost")), int(parts.get("port") or 5432)
        self._family = socket.AF_UNIX if host.startswith("/") else socket.AF_INET
        self._address = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)
        self._open = threading.Event()
        self._open.set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._open.clear()

    def _accept(self) -> None:
        while True:
            here, _ = self._listening.accept()
            there = socket.socket(self._family)
            there.connect(self._address)
            for ends in ((here, there), (there, here)):
                threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while part := source.recv(1 << 16):
                self._open.wait()
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@needs_server
def test_a_server_that_is_cut_off_silently_ends_the_collection() -> None:
    from psycopg import conninfo

    lines, line, place = sample(), Line(), postgres_schema()
    parts = conninfo.conninfo_to_dict(place) | {"host": "127.0.0.1", "port": line.port}
    store = open_store(f"postgresql:///?{urlencode(parts)}")
    write = store.write

    def writing(each: Batch) -> bool:
        if each.number == 4:
            line.cut()
        return write(each)

    store.write = writing  # type: ignore[method-assign]
    with pytest.raises(CollectError, match="has not answered for"):
        play(lines, store, settings=replace(QUICK, batch_seconds=60.0, store_patience_seconds=2.0))
    store.close()
    with open_store(place, read_only=True) as again:
        kept = stored(again)
        assert kept == rows_of(lines)[: len(kept)] and 590 <= len(kept) <= 600


@needs_server
def test_a_lock_in_the_server_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg

    monkeypatch.setattr("lobgym.live.store.postgres._STATEMENT_MS", 100)
    lines, place = sample(), postgres_schema()
    with open_store(place) as store, psycopg.connect(place) as other:
        write, failed = store.write, list[str]()

        def writing(each: Batch) -> bool:
            try:
                if each.number == 3 and not failed:
                    other.execute("LOCK TABLE ticks IN EXCLUSIVE MODE")
                return write(each)
            except StoreError as error:
                failed.append(str(error))
                other.rollback()
                raise

        store.write = writing  # type: ignore[method-assign]
        play(lines, store)
        assert any("statement timeout" in each for each in failed)
        assert stored(store) == rows_of(lines)


@needs_server
def test_what_a_url_says_of_the_network_goes_before() -> None:
    import psycopg

    for more, expected in (("", "30000"), ("&tcp_user_timeout=7000", "7000")):
        with open_store(f"{postgres_schema()}{more}", read_only=False) as store:
            connection = store._connection  # type: ignore[attr-defined]
            assert isinstance(connection, psycopg.Connection)
            assert connection.info.get_parameters()["tcp_user_timeout"] == expected


@needs_server
def test_several_collectors_write_to_one_server() -> None:
    place = postgres_schema()
    with open_store(place) as one, open_store(place) as other:
        runs = [store.begin_run("binance", symbol, "", 1) for store in (one, other) for symbol in ("A1", "B1")]
        assert runs == [1, 2, 3, 4]


def test_a_file_that_another_process_writes_to_is_named(tmp_path: Path) -> None:
    import subprocess
    import sys

    path = tmp_path / "ticks.duckdb"
    with open_store(str(path)):
        code = f"from lobgym.live.command import main; raise SystemExit(main(['store', 'info', {str(path)!r}]))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and "another process has it open" in done.stderr
    assert "Traceback" not in done.stderr
