"""A headless Chromium and a dashboard for it: used by the tests and by `make screenshots`."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dashboard_files import program

#: The sections, by the names in the menu.
SECTIONS = ("Training", "Performance", "Strategies", "Market", "Portfolio", "Live")
#: A laptop's window.
SIZE = {"width": 1280, "height": 800}


def chromium() -> str | None:
    """Debian's Chromium, or whichever is there. None is ever downloaded."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


@contextmanager
def browser() -> Iterator[Any]:
    """The browser, started."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # As root there is no sandbox.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        started = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        try:
            yield started
        finally:
            started.close()


@contextmanager
def dashboard(site: Path, *arguments: str) -> Iterator[str]:
    """A dashboard in a directory: the address of its page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "lobgym.dashboard", "--no-browser", "--port", str(port), *arguments]
    # The program of this repository, though the working directory is another one.
    named = {"LOBGYM_BINARY": found} if (found := program()) else {}
    with (site / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=site, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **named})
    try:
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError((site / "server.log").read_text()) from None
                time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_figure(page: Any) -> None:
    """Until a figure is drawn, and the server has nothing more to say."""
    page.wait_for_selector(".js-plotly-plot .main-svg", timeout=30_000)
    wait_until_idle(page)


def wait_until_idle(page: Any) -> None:
    """Until the page's program has run to its end."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=60_000)


def open_section(page: Any, name: str) -> None:
    """By the menu, as a person does."""
    page.get_by_role("link", name=name, exact=True).first.click()
    page.wait_for_timeout(300)
    wait_until_idle(page)
