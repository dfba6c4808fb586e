"""The command line: options, then Streamlit's server in this process."""

from __future__ import annotations

import argparse
import importlib.util
import socket
import sys
import threading
import time
import webbrowser
from pathlib import Path

from lobgym.dashboard.options import Options, is_loopback

__all__ = ["main"]

#: What the extra brings.
_NEEDED = ("streamlit", "plotly", "pandas")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lobgym dashboard",
        description="Trainings, comparisons, markets, portfolios and paper traders in a browser (docs/dashboard.md).",
    )
    defaults = Options()
    places = (
        ("runs", "DIR", "runs of `lobgym train`", defaults.runs),
        ("results", "DIR", "JSON files of compare, evaluate and backtest; a directory or a file", defaults.results),
        ("ledger", "FILE", "ledger of `lobgym paper`", defaults.ledgers),
        ("trades", "DIR", "a trader's directory, or one with several", defaults.trades),
    )
    for name, kind, text, default in places:
        parser.add_argument(
            f"--{name}", metavar=kind, action="append", help=f"{text}; may be repeated (default: {', '.join(default)})"
        )
    parser.add_argument("--port", type=int, default=8501, help="default: %(default)s")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="default: %(default)s; at any other address the page shows, but starts and stops nothing",
    )
    parser.add_argument("--no-browser", action="store_true", help="open no browser")
    return parser


def _open_when_up(host: str, port: int) -> None:
    """Opens the browser as soon as the server answers."""
    address = host if is_loopback(host) else "127.0.0.1"
    for _ in range(100):
        try:
            with socket.create_connection((address, port), timeout=1):
                break
        except OSError:
            time.sleep(0.1)
    webbrowser.open(f"http://{address}:{port}")


def main(arguments: list[str] | None = None) -> int:
    """Runs the server until Ctrl-C; the exit code."""
    given = _parser().parse_args(arguments)
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"the dashboard needs {', '.join(missing)}: pip install 'lobgym[dashboard]'", file=sys.stderr)
        return 2
    defaults = Options()
    Options(
        runs=given.runs or defaults.runs,
        results=given.results or defaults.results,
        ledgers=given.ledger or defaults.ledgers,
        trades=given.trades or defaults.trades,
        controls=is_loopback(given.host),
    ).to_environment()
    if not is_loopback(given.host):
        print(
            f"{given.host} can be reached by others, and the page asks for no password: it starts and stops nothing. "
            "To use the controls from afar, keep 127.0.0.1 and open a tunnel: ssh -L 8501:127.0.0.1:8501 HOST",
            file=sys.stderr,
        )
    if not given.no_browser:
        threading.Thread(target=_open_when_up, args=(given.host, given.port), daemon=True).start()

    # What the first page needs, loaded before its first visitor comes, and in one thread: Plotly looks whether pandas is loaded, and
    # must not find half of it. Not at the top, where `--help` and the message about what is missing would wait for it.
    from streamlit.web import cli

    import lobgym.dashboard.sections.training  # noqa: F401

    app = Path(__file__).with_name("app.py")
    settings = {
        "server.headless": "true",
        "server.address": given.host,
        "server.port": str(given.port),
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "viewer",
        "theme.light.primaryColor": "#0072b2",
        "theme.dark.primaryColor": "#3f95d4",
    }
    cli.main_run([str(app), *(f"--{name}={value}" for name, value in settings.items())], standalone_mode=False)
    return 0
