"""The command's arguments, and what its endings mean to a shell: 0 success, 1 failure, 2 wrong usage."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lobgym.serve.errors import ServeError

if TYPE_CHECKING:
    from lobgym.serve.settings import Settings

__all__ = ["main"]

#: Those that have an option of their own; all have a variable and a key in the file.
_OPTIONS = ("host", "port", "state", "lobgym_binary", "presets", "jobs_on_exit")


def _say(text: str) -> None:
    print(f"lobgym: {text}", file=sys.stderr, flush=True)


#: That read files and the ledger for requests.
_THREADS = 16


class _Once:
    """Lets one signal pass; the next one interrupts."""

    def __init__(self) -> None:
        self._passed = False

    def __call__(self, _number: int, _frame: object) -> None:
        if self._passed:
            raise KeyboardInterrupt
        self._passed = True


def _bound(settings: Settings) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[
            0
        ]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        value = f"{settings.host}:{settings.port}"
        raise ServeError("host:port", value, f"an address that is free ({error.strerror})") from error
    return bound


def _serve(settings: Settings) -> int:
    import anyio.to_thread
    import uvicorn

    from lobgym.serve.app import create_app
    from lobgym.serve.connections import configuration
    from lobgym.serve.events import Streams
    from lobgym.serve.service import Service

    # uvicorn ends at the first signal and sends it again when it has ended: then there is still the service to close.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _Once())
    # Also of what the jobs write: the state directory may be moved, or opened, by somebody.
    os.umask(0o077)
    address = _bound(settings)
    service = Service.open(settings)
    streams = Streams(service)

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: Any) -> None:
            # Streams of events would go on for ever.
            streams.close()
            super().handle_exit(sig, frame)

        async def startup(self, sockets: Any = None) -> None:
            # More of them only wait for each other, and keep memory.
            anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
            await super().startup(sockets)
            # Not before the address is this server's.
            service.start()
            host, port = address.getsockname()[:2]
            print(f"http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
            _say(f"serving; jobs are in {settings.state}; /docs lists what can be asked; Ctrl-C ends it")

    config = configuration(create_app(service, streams), settings)
    try:
        server = Server(config)
        server.run(sockets=[address])
    finally:
        service.close()
    return 0


def _settings(settings: Settings, origins: Any, as_json: bool) -> int:
    from lobgym.serve.settings import table

    rows = table(settings, origins)
    if as_json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        value = ", ".join(row["value"]) if isinstance(row["value"], list) else row["value"]
        shown = "-" if value in (None, "") else str(value)
        print(f"{row['setting']:<19} {shown:<24} {row['from']:<32} {row['meaning']}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves, or prints the settings. Returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    shows = given[:1] == ["settings"]
    text = "Print every setting, its value and where it came from." if shows else "Collect, train and trade over HTTP."
    parser = argparse.ArgumentParser("lobgym settings" if shows else "lobgym serve", description=text)
    if shows:
        parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument(
        "--settings", type=Path, metavar="FILE", help="TOML or YAML (default: lobgym.toml or lobgym.yaml here)"
    )
    parser.add_argument(
        "--host", help="address to listen on (default: 127.0.0.1); any but loopback demands LOBGYM_TOKEN"
    )
    parser.add_argument("--port", help="to listen on (default: 8000); 0: any that is free, which is printed")
    parser.add_argument("--state", metavar="DIR", help="for jobs and all that they write (default: lobgym-data)")
    parser.add_argument("--lobgym-binary", metavar="FILE", help="the command lobgym that trains and trades")
    parser.add_argument("--presets", metavar="DIR", help="of trainings (default: config/train)")
    parser.add_argument("--jobs-on-exit", metavar="leave|stop", help="what becomes of running jobs (default: leave)")
    chosen = parser.parse_args(given[1:] if shows else given)
    if sys.platform == "win32":
        _say("the server needs a Unix: Linux or macOS")
        return 1
    try:
        from lobgym.serve.settings import load

        values = {name: value for name in _OPTIONS if (value := getattr(chosen, name)) is not None}
        settings, origins = load(values, chosen.settings)
    except ImportError as error:
        _say(f"this needs {error.name}: pip install 'lobgym[serve]'")
        return 1
    except ServeError as error:
        _say(str(error))
        return 2
    try:
        return _settings(settings, origins, chosen.json) if shows else _serve(settings)
    except ServeError as error:
        _say(str(error))
        return 1
    except ImportError as error:
        _say(f"this needs {error.name}: pip install 'lobgym[serve]'")
        return 1
    except KeyboardInterrupt:
        return 130
