"""Over HTTP from a recording to bars, and with the real command on to a policy that trades on them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import find_command
from live_session import rows_of, sample, stored
from serve_session import Client, Service, Settings, ended, long, reached, serving, settings
from test_live_store import needs_server, postgres_schema

from lobgym.live.store import open_store
from lobgym.serve.models import CollectionRequest

ROOT = Path(__file__).parents[2]


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


def test_the_database_of_the_settings_takes_the_place_of_the_file(tmp_path: Path) -> None:
    url = "postgresql://collector@db.example/ticks"
    for changes, store in (({"collect_into": url}, url), ({}, str(tmp_path / "state" / "stores" / "sample.duckdb"))):
        service = Service.open(Settings(**settings(tmp_path, **changes)))
        try:
            request = CollectionRequest(store="sample").model_dump()
            command = service.jobs.works["collection"].command(service.jobs.submit("collection", request))
        finally:
            service.close()
        assert command[command.index("--store") + 1] == store


@needs_server
@pytest.mark.usefixtures("bars_files")
def test_a_recording_becomes_rows_in_a_database(tmp_path: Path) -> None:
    place = postgres_schema()
    with serving(tmp_path, collect_into=place) as client, feed(tmp_path, 1_500, "max") as feeding:
        job = ended(client, collect(client, feeding), "finished")
        (listed,) = client.get("/api/data").json()["stores"]
        assert listed["store_bytes"] is None and listed["bars_bytes"] > 0
        assert client.get(f"/api/data/{job['id']}").json()["bars_written"] >= 2
    with open_store(place, read_only=True) as store:
        assert stored(store) == rows_of(sample(first=1_500))


def real_command() -> dict[str, Path]:
    """The command with learners, and its presets; without them, the test is skipped."""
    named = os.environ.get("LOBGYM_LOBGYM_BINARY") or find_command()
    places = [] if named is None else [Path(named)]
    presets = Path(os.environ.get("LOBGYM_PRESETS", ROOT / "config" / "train"))
    for place in places:
        if place.exists():
            text = subprocess.run([place, "--help"], capture_output=True, text=True, check=True).stdout
            has = {line.split()[0] for line in text.splitlines() if line.strip()}
            trains = subprocess.run([place, "train", "--help"], capture_output=True).returncode == 0
            if "trade" in has and trains and (presets / "trader_ppo_tcn_futures.yaml").exists():
                return {"lobgym_binary": place, "presets": presets}
    pytest.skip("needs lobgym with `train` and `trade`, and the trader's presets: make torch")


@long
@pytest.mark.usefixtures("bars_files")
def test_what_is_collected_is_learned_from_and_traded_on(tmp_path: Path) -> None:
    with serving(tmp_path, **real_command()) as client, feed(tmp_path, 20_000, "max") as feeding:
        collection = collect(client, feeding)
        ended(client, collection, "finished")
        body = {"bars": "sample", "steps": 8_192, "window": 4}
        body["settings"] = {"train.evaluation_episodes": 2, "train.environments": 16, "env.steps": None}
        answer = client.post("/api/training/run_ppo_tcn_futures", json=body)
        assert answer.status_code == 202, answer.text
        training = ended(client, answer.json()["id"])
        assert training["state"] == "finished", training["reason"]
        address = "/api/trading/run_single_buy_ppo_trader?feature_set=default"
        steps = {}
        for policy in (training["id"], "lowrider", "buy_and_hold", "random"):
            answer = client.post(address, json={"policy": policy, "bars": collection})
            assert answer.status_code == 202, answer.text
            trade = ended(client, answer.json()["id"])
            assert trade["state"] == "finished", trade["reason"]
            status = client.get(f"/api/trading/{trade['id']}").json()["status"]
            assert status["state"] == "ended" and status["steps"] == trade["latest"]["step"]
            assert status["equity"] == trade["latest"]["equity"]
            fills = client.get(f"/api/fills?trading={trade['id']}&limit=1000").json()
            assert len(fills) == status["fills"]
            assert (policy == training["id"]) or status["fees"] > 0
            steps[policy] = status["steps"]
        assert steps["lowrider"] == steps["random"] > 20
