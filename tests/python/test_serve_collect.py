"""From a recording to bars over HTTP: `lobgym replay-feed`, a collection, and its bars."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from live_session import sample
from serve_session import Client, ended, reached, serving


@pytest.fixture(scope="module")
def bars_files() -> None:
    """Skips where `collect` writes no files of bars."""
    done = subprocess.run([sys.executable, "-m", "lobgym.live", "collect", "--help"], capture_output=True, text=True)
    if "--bars-file" not in done.stdout:
        pytest.skip("lobgym collect has no --bars-file here")


def feed(place: Path, first: int, speed: str) -> subprocess.Popen[str]:
    recording = place / "feed"
    recording.write_text("".join(f"{line.stamp_ns} {line.text}\n" for line in sample(first=first)))
    command = [sys.executable, "-m", "lobgym.live", "replay-feed", str(recording), "--port", "0", "--speed", speed]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def collect(client: Client, feeding: subprocess.Popen[str]) -> str:
    assert feeding.stdout is not None
    body = {"url": feeding.stdout.readline().strip(), "interval": "1s", "store": "sample"}
    answer = client.post("/api/data/start_data_collection", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


@pytest.mark.usefixtures("bars_files")
def test_a_recording_becomes_bars(tmp_path: Path) -> None:
    with serving(tmp_path) as client, feed(tmp_path, 1_500, "max") as feeding:
        job = ended(client, collect(client, feeding), "finished")
        assert job["exit_code"] == 0
        body = client.get("/api/data?name=sample").json()
        assert len(body["bars"]) >= 2
        starts = [bar["start_ns"] for bar in body["bars"]]
        assert starts == sorted(set(starts)) and all(each % 10**9 == 0 for each in starts)
        assert all(bar["bid"] < bar["ask"] for bar in body["bars"] if bar["bid"] is not None)
        (store,) = body["stores"]
        assert store["name"] == "sample" and store["store_bytes"] > 0 and store["collections"] == [job["id"]]
        assert client.get("/api/data?venue=binance&symbol=BTCUSDT&limit=1").json()["bars"] == body["bars"][-1:]


@pytest.mark.usefixtures("bars_files")
def test_a_collection_is_stopped_and_its_bars_stay(tmp_path: Path) -> None:
    with serving(tmp_path) as client, feed(tmp_path, 20_000, "20") as feeding:
        id = collect(client, feeding)
        reached(client, id, lambda job: job["latest"])
        assert client.post("/api/data/stop", json={"id": id}).status_code == 202
        job = ended(client, id, "stopped")
        assert (job["exit_code"], job["reason"]) == (0, "stopped on request")
        assert client.get(f"/api/data/{id}").json()["bars"][-1] == job["latest"]
        feeding.terminate()
