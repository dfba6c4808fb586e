"""The subcommands' arguments, and what their endings mean to a shell: 0 success, 1 failure, 2 wrong usage."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import math
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import MISSING, fields
from datetime import datetime, timezone
from pathlib import Path

from lobgym.live.errors import LiveError
from lobgym.live.settings import VENUES, Settings, parse_interval

__all__ = ["main"]

#: What a progress line leaves of its predecessor on a terminal.
_CLEAR = "\r\x1b[K"


def _say(text: str) -> None:
    print(f"{_CLEAR if sys.stderr.isatty() else ''}lobgym: {text}", file=sys.stderr, flush=True)


class _Progress:
    """A line that is kept up to date on a terminal, and one every ten seconds elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._next = time.monotonic() + 10

    def __call__(self, text: str) -> None:
        if self._terminal:
            print(f"{_CLEAR}{text}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() >= self._next:
            self._next += 10
            print(text, file=sys.stderr, flush=True)


def _collect(arguments: argparse.Namespace) -> int:
    from lobgym.live.bars_file import BarsFile
    from lobgym.live.session import collect
    from lobgym.live.store import open_store

    given = {
        each.name: getattr(arguments, each.name)
        for each in fields(Settings)
        if getattr(arguments, each.name, None) is not None
    }
    settings = Settings(interval_ns=parse_interval(arguments.interval), **given)

    async def run() -> str:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        with contextlib.ExitStack() as opened:
            # First, so that a file which is something else is refused before anything happens.
            path = arguments.bars_file
            bars_file = opened.enter_context(BarsFile(path, settings.interval_ns)) if path else None
            store = opened.enter_context(open_store(arguments.store))
            _say(f"collecting {settings.symbol} from {settings.stream_url} into {store.name}; Ctrl-C ends it")
            done = await collect(settings, store, bars_file=bars_file, stop=stop, say=_say, progress=_Progress())
        return done.line()

    line = asyncio.run(run())
    if sys.stderr.isatty():
        print(_CLEAR, end="", file=sys.stderr)
    print(line)
    return 0


def _replay_feed(arguments: argparse.Namespace) -> int:
    from lobgym.live.feed import Faults, Feed
    from lobgym.live.recording import read_recording

    faults = Faults(**{each.name: getattr(arguments, each.name) for each in fields(Faults)})
    lines = read_recording(Path(arguments.file))
    # A file that cannot be read is told before anyone connects.
    first = next(lines, None)
    if first is None:
        raise LiveError(f"{arguments.file} is empty")

    feed = Feed(itertools.chain([first], lines), speed=arguments.speed, faults=faults, first=arguments.first)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        serving = asyncio.ensure_future(feed.serve(arguments.host, arguments.port, _ready))
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, serving.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await serving

    def _ready(port: int) -> None:
        host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
        print(f"ws://{host}:{port}", flush=True)

    asyncio.run(run())
    print(f"{feed.played} messages played", file=sys.stderr)
    return 0


def _time(nanoseconds: int | None) -> str:
    if nanoseconds is None:
        return "-"
    return datetime.fromtimestamp(nanoseconds / 1e9, timezone.utc).isoformat(timespec="milliseconds")


def _info(arguments: argparse.Namespace) -> int:
    from lobgym.live.store import open_store

    with open_store(arguments.store, read_only=True) as store:
        print(f"{'run':>5}  {'venue':<13} {'symbol':<14} {'ticks':>12} {'batches':>8}  first tick .. last tick, ending")
        for run in store.runs():
            span = f"{_time(run['first_ns'])} .. {_time(run['last_ns'])}"
            print(
                f"{run['run']:>5}  {run['venue']:<13} {run['symbol']:<14} {run['ticks']:>12} {run['batches']:>8}  {span}, "
                f"{run['ending'] or 'none: running, or killed'}"
            )
    return 0


def _upgrade(arguments: argparse.Namespace) -> int:
    from lobgym.live.store import open_store
    from lobgym.live.store.schema import SCHEMA_VERSION

    # Opening it for writing is what does it; what is not there is not made here.
    if "://" not in arguments.store and not Path(arguments.store).exists():
        raise LiveError(f"there is no store {arguments.store}")
    with open_store(arguments.store) as store:
        print(f"{store.name} has a schema of version {SCHEMA_VERSION}")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from lobgym.live.store import open_store

    with open_store(arguments.store, read_only=True) as store:
        count = store.export_parquet(
            arguments.table,
            Path(arguments.parquet),
            venue=arguments.venue,
            symbol=arguments.symbol,
            start_ns=arguments.start,
            end_ns=arguments.end,
        )
    print(f"{count} rows of {arguments.table} in {arguments.parquet}")
    return 0


def _instant(text: str) -> int:
    """Nanoseconds since 1970, of themselves or of a time as ISO 8601 has it; UTC unless it says otherwise."""
    if text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text.removesuffix("Z") + ("+00:00" if text.endswith("Z") else ""))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}; legal: ns since 1970, or as 2024-08-08T23:54:15") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return ((since.days * 86_400 + since.seconds) * 10**6 + since.microseconds) * 1000


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0 < speed < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}; legal: a number > 0, or max")
    return speed


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r}; legal: 0 (any that is free) to 65535")
    return int(text)


def _add_collect(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    defaults = {each.name: each.default for each in fields(Settings) if each.default is not MISSING}
    parser = commands.add_parser("collect", help="collect an exchange's messages and bars into a store")
    parser.set_defaults(run=_collect)
    parser.add_argument("--venue", choices=list(VENUES), default="binance", help="default: %(default)s")
    parser.add_argument("--symbol", default="BTCUSDT", help="default: %(default)s")
    parser.add_argument(
        "--interval", default="5s", metavar="TIME", help="of the bars, as 500ms, 5s, 1m (default: %(default)s)"
    )
    parser.add_argument("--url", help="of the websocket, ws:// or wss:// (default: the venue's)")
    parser.add_argument("--snapshot-url", help="of the depth's snapshots (default: the venue's, or at --url)")
    parser.add_argument("--store", default="ticks.duckdb", help="a file, or postgresql://... (default: %(default)s)")
    parser.add_argument(
        "--bars-file", type=Path, metavar="FILE", help="a CSV file to which each bar is appended when it is over"
    )
    parser.add_argument("--for", dest="seconds", type=float, metavar="SECONDS", help="how long (default: until Ctrl-C)")
    for name, kind, text in (
        ("batch-rows", int, "most rows that are not in the store yet; half of them are written at a time"),
        ("batch-seconds", float, "how long a batch is gathered for"),
        ("buffer-rows", int, "rows that wait while the store is away"),
        ("store-patience-seconds", float, "how long a store may be away"),
        ("stall-seconds", float, "without a message for so long, connect again"),
        ("frame-bytes", int, "a larger frame ends the connection"),
        ("backoff-seconds", float, "first pause before connecting again"),
        ("longest-backoff-seconds", float, "longest pause before connecting again"),
        ("attempts", int, "to connect, before the first message"),
    ):
        default = defaults[name.replace("-", "_")]
        parser.add_argument(f"--{name}", type=kind, metavar="N", help=f"{text} (default: {default})")


def _add_replay_feed(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("replay-feed", help="serve a recording as the exchange would")
    parser.set_defaults(run=_replay_feed)
    parser.add_argument("file", help="lines of a stamp in ns, a space, and the message; plain or gzip")
    parser.add_argument("--port", type=_port, required=True, help="0: any that is free; the URL is printed")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument(
        "--speed", type=_speed, default=1.0, metavar="F", help="times as fast as recorded, or max (default: 1)"
    )
    parser.add_argument("--first", type=int, metavar="N", help="only the first N messages")
    faults = parser.add_argument_group("faults, each after every N messages (default: never)")
    faults.add_argument("--drop-every", type=int, default=0, metavar="N", help="connections are closed")
    faults.add_argument(
        "--drop-loses",
        type=int,
        default=0,
        metavar="N",
        help="messages that are lost each time that connections are closed",
    )
    faults.add_argument("--gap-every", type=int, default=0, metavar="N", help="a message is left out")
    faults.add_argument("--duplicate-every", type=int, default=0, metavar="N", help="a message comes twice")
    faults.add_argument("--reorder-every", type=int, default=0, metavar="N", help="a message comes after the next one")
    faults.add_argument(
        "--malformed-every", type=int, default=0, metavar="N", help="half a message comes before the whole one"
    )
    faults.add_argument("--oversize-every", type=int, default=0, metavar="N", help="a huge frame comes")
    faults.add_argument(
        "--stall-after", type=int, default=0, metavar="N", help="once, nothing more comes on open connections"
    )
    faults.add_argument(
        "--oversize-bytes", type=int, default=16 << 20, metavar="N", help="of the huge frame (default: %(default)s)"
    )


def _add_store(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    store = commands.add_parser("store", help="look into a store, or export it").add_subparsers(
        required=True, metavar="ACTION"
    )
    info = store.add_parser("info", help="its runs")
    info.set_defaults(run=_info)
    upgrade = store.add_parser("upgrade", help="bring the tables of an older version to this one")
    upgrade.set_defaults(run=_upgrade)
    export = store.add_parser("export", help="rows as Parquet")
    export.set_defaults(run=_export)
    for parser in (info, upgrade, export):
        parser.add_argument(
            "store", nargs="?", default="ticks.duckdb", help="a file, or postgresql://... (default: %(default)s)"
        )
    export.add_argument("--parquet", required=True, metavar="FILE")
    export.add_argument("--table", default="ticks", help="ticks, bars, incidents, batches, runs (default: %(default)s)")
    export.add_argument("--venue", choices=list(VENUES))
    export.add_argument("--symbol")
    export.add_argument(
        "--from", dest="start", type=_instant, metavar="TIME", help="ns since 1970, or as 2024-08-08T23:54:15 (UTC)"
    )
    export.add_argument("--to", dest="end", type=_instant, metavar="TIME", help="likewise, not included")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a subcommand. Returns its exit code."""
    parser = argparse.ArgumentParser(
        "lobgym", description="Collect market data from running exchanges, or from recordings."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_collect(commands)
    _add_replay_feed(commands)
    _add_store(commands)
    chosen = parser.parse_args(arguments)
    try:
        code: int = chosen.run(chosen)
        return code
    except LiveError as error:
        _say(str(error))
        return 1
    except ImportError as error:
        _say(f"this needs {error.name}: pip install 'lobgym[live]'")
        return 1
    except KeyboardInterrupt:
        return 130
