"""Requests that schemathesis makes of the server's own description: none breaks it, and all answers are as described."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("schemathesis", reason="needs schemathesis: make test-services")

from serve_session import Client, ended, serving, start, write_bars

THOROUGH = "LOBGYM_TEST_SERVICES" in os.environ


def things_to_ask_for(client: Client) -> None:
    """The jobs and bars that the description has as examples."""
    ended(client, start(client, "quick"), "finished")
    trade = client.post("/api/trading/run_single_buy_ppo_trader", json={"policy": "training-1", "bars": "btc-1m"})
    ended(client, trade.json()["id"], "finished")
    collection = client.post("/api/data/start_data_collection", json={"url": "ws://127.0.0.1:9"})
    ended(client, collection.json()["id"])


def test_no_request_breaks_the_server(tmp_path: Path) -> None:
    write_bars(tmp_path, "btc-1m")
    # Beyond so many jobs it is 429, which is an answer.
    with serving(tmp_path, max_queue=2, max_body_bytes=5_000) as client:
        things_to_ask_for(client)
        examples = ["--max-examples=15"] if THOROUGH else ["--max-examples=1", "--phases=examples,fuzzing"]
        done = subprocess.run(
            [
                *(Path(sys.executable).with_name("schemathesis"), "run", f"{client.base_url.join('/openapi.json')}"),
                # Names of things that there are not are legal by their form, and refused.
                *("--checks=all", "--exclude-checks=positive_data_acceptance", "--continue-on-failure"),
                # Streams last as long as their jobs.
                *("--exclude-path-regex=events$", "--request-timeout=20", "--seed=1", *examples),
            ],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=500,
        )
        assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-2_000:]
        assert "Tested: 20" in done.stdout
        assert client.get("/api/health").status_code == 200
