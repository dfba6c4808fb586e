"""Each address of the server, with what it accepts and what it refuses."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serve_session import ENDS, Client, ended, reached, serving, start, until, write_bars

from lobgym.serve.works import Collecting

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Path]]:
    """For what changes nothing that others look at."""
    place = tmp_path_factory.mktemp("serve")
    write_bars(place)
    with serving(place, max_trainings=4) as client:
        yield client, place


@pytest.fixture
def client(shared: tuple[Client, Path]) -> Client:
    return shared[0]


def refused(answer: Any, status: int, error: str, value: str | None = None, legal: str = "") -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"error", "value", "legal"}
    assert error in body["error"], body
    assert value is None or body["value"] == value, body
    assert legal in (body["legal"] or ""), body


def test_a_training_runs_and_shows_its_curve(client: Client, shared: tuple[Client, Path]) -> None:
    id = start(client, steps=1000, seed=7, settings={"train.learning_rate": 0.01, "env.market": "flow"})
    job = ended(client, id, "finished")
    assert (job["progress"], job["exit_code"], job["attempts"], job["reason"]) == (1.0, 0, 1, None)
    assert job["created"] <= job["started"] <= job["ended"]
    body = client.get(f"/api/training/{id}?points=4").json()
    assert (body["steps"], body["total_steps"]) == (1000, 1000)
    assert [row["update"] for row in body["curve"]] == [1, 4, 7, 10]
    assert body["latest"]["return_mean"] == 1.0
    # No number, in the file as in JSON.
    assert body["latest"]["entropy"] is None and body["curve"][0]["return_mean"] is None
    assert len(client.get(f"/api/training/{id}").json()["curve"]) == 10
    assert client.get(f"/api/training/{id}?points=0").json()["curve"] == []
    asked = json.loads((shared[1] / "state" / "runs" / id / "asked.json").read_text())
    assert asked == {"train.steps": 1000, "train.seed": 7, "train.learning_rate": 0.01, "env.market": "flow"}
    run = next(run for run in client.get("/api/runs").json() if run["id"] == id)
    assert run == {
        **{"id": id, "complete": True, "steps": 1000, "mean_return": 1.0},
        **{"algorithm": "ppo", "environment": "trader"},
    }
    policy = next(each for each in client.get("/api/policies").json() if each["id"] == id)
    assert policy == {"id": id, "kind": "trained", "environment": "trader", "features": "default"}


def test_ppo_for_futures_is_told_its_bars_features_and_leverage(shared: tuple[Client, Path]) -> None:
    client, place = shared
    request = {"bars": "prices", "feature_set": "microstructure", "steps": 300, "window": 8, "leverage": 3.0}
    answer = client.post("/api/training/run_ppo_tcn_futures", json=request)
    assert answer.status_code == 202
    id = answer.json()["id"]
    ended(client, id, "finished")
    asked = json.loads((place / "state" / "runs" / id / "asked.json").read_text())
    assert asked == {
        "env.bars": {"file": str(place / "state" / "bars" / "prices.csv")},
        "env.features": "microstructure",
        "train.network.window": 8,
        "env.account.futures.leverage": 3.0,
        "env.transaction_cost": 0.0005,
        "train.steps": 300,
    }
    assert answer.json()["request"]["preset"] == "trader_ppo_tcn_futures"


def test_a_training_that_fails_says_why(client: Client) -> None:
    job = ended(client, start(client, "broken"), "failed")
    assert job["exit_code"] == 2
    assert job["reason"] == "exit code 2: lobgym: train.stps is 3, an unknown setting; legal: steps"
    log = client.get(f"/api/jobs/{job['id']}/log").json()["lines"]
    assert log == ["lobgym: train.stps is 3, an unknown setting; legal: steps"]
    assert ended(client, start(client, "crash"), "failed")["reason"].startswith("killed by SIGSEGV")


def test_a_stopped_training_has_written_its_checkpoint(shared: tuple[Client, Path]) -> None:
    client, place = shared
    id = start(client, "slow")
    reached(client, id, lambda job: (job["latest"] or {}).get("update", 0) >= 2)
    answer = client.post(f"/api/training/{id}/stop")
    assert answer.status_code == 202 and answer.json()["state"] in ("stopping", "stopped")
    job = ended(client, id, "stopped")
    assert (job["exit_code"], job["reason"]) == (130, "stopped on request")
    assert (place / "state" / "runs" / id / "checkpoint.safetensors").exists()
    refused(client.post(f"/api/training/{id}/stop"), 409, "at its end already", "stopped")
    assert 0 < job["progress"] < 1


def test_a_session_trades_on_bars_by_name(shared: tuple[Client, Path]) -> None:
    client = shared[0]
    answer = client.post("/api/trading/run_single_buy_ppo_trader", json={"policy": "lowrider", "bars": "prices"})
    assert answer.status_code == 202
    assert answer.json()["request"]["follow"] is False
    id = answer.json()["id"]
    job = ended(client, id, "finished")
    assert job["latest"]["step"] == 10 and job["latest"]["close"] == 109.0
    status = client.get(f"/api/trading/{id}").json()["status"]
    assert (status["state"], status["steps"]) == ("ended", 10)
    position = next(each for each in client.get("/api/positions").json() if each["trading"] == id)
    assert position["position"] == 0.0 and position["price"] == 109.0 and position["equity"] == 1005.0
    fills = client.get(f"/api/fills?trading={id}&limit=3").json()
    assert [fill["step"] for fill in fills] == [10, 9, 8]
    assert [fill["traded"] for fill in fills] == [-1.0, 1.0, -1.0]
    assert len(client.get("/api/fills").json()) >= 10
    # A rule pays, unless it is told otherwise.
    journal = shared[1] / "state" / "trades" / id / "session.jsonl"
    assert json.loads(journal.read_text().splitlines()[0])["settings"]["set"] == ["env.transaction_cost=0.0005"]


def test_a_trained_policy_trades_with_its_features_only(client: Client) -> None:
    id = start(client)
    ended(client, id, "finished")
    address, body = "/api/trading/run_single_buy_ppo_trader", {"policy": id, "bars": "prices", "steps": 4}
    answer = client.post(f"{address}?feature_set=default", json=body)
    job = ended(client, answer.json()["id"], "finished")
    assert job["latest"]["step"] == 4
    refused(client.post(f"{address}?feature_set=microstructure", json=body), 422, "feature_set", "microstructure")
    refused(client.post(f"{address}?feature_set=mine", json=body), 422, "query.feature_set", "mine", "'default'")


def test_a_training_without_a_policy_does_not_trade(client: Client) -> None:
    id = start(client, "slow")
    reached(client, id, lambda job: job["latest"])
    body = {"policy": id, "bars": "prices"}
    refused(client.post("/api/trading/run_single_buy_ppo_trader", json=body), 409, "policy", id, "finished")
    client.post(f"/api/training/{id}/stop")
    ended(client, id)


def test_the_kill_switch_sells_everything(shared: tuple[Client, Path]) -> None:
    client, place = shared
    write_bars(place, "growing", 3)
    body = {"policy": "random", "bars": "growing", "follow": True}
    id = client.post("/api/trading/run_single_buy_ppo_trader", json=body).json()["id"]
    reached(client, id, lambda job: (job["latest"] or {}).get("step") == 3 and job["latest"]["position"] == 1.0)
    assert client.post(f"/api/trading/{id}/kill").status_code == 202
    write_bars(place, "growing", 1, first=3)
    job = ended(client, id, "finished")
    assert (job["latest"]["action"], job["latest"]["position"]) == ("kill", 0.0)
    refused(client.post(f"/api/trading/{id}/kill"), 409, "at its end already")


def test_a_stopped_session_keeps_what_it_holds(shared: tuple[Client, Path]) -> None:
    client, place = shared
    write_bars(place, "held", 3)
    body = {"policy": "random", "bars": "held", "follow": True}
    id = client.post("/api/trading/run_single_buy_ppo_trader", json=body).json()["id"]
    reached(client, id, lambda job: (job["latest"] or {}).get("step") == 3)
    assert client.post(f"/api/trading/{id}/stop").status_code == 202
    job = ended(client, id, "stopped")
    assert (job["exit_code"], job["latest"]["position"]) == (0, 1.0)


def test_bars_are_given_by_range_and_number(client: Client) -> None:
    body = client.get("/api/data?name=prices&limit=3").json()
    assert [bar["close"] for bar in body["bars"]] == [107, 108, 109]
    assert body["bars"][0] == {
        **{"start_ns": 35_000_000_000, "open": 1, "high": 2, "low": 0.5, "close": 107},
        **{"volume": 3.5, "trades": 7, "complete": True},
    }
    for start_time, end_time in (("10000000000", "25000000000"), ("1970-01-01T00:00:10", "1970-01-01T00:00:25Z")):
        body = client.get("/api/data", params={"name": "prices", "from": start_time, "to": end_time}).json()
        assert [bar["close"] for bar in body["bars"]] == [102, 103, 104]
    assert {"name": "prices", "store_bytes": None, "collections": []}.items() <= body["stores"][-1].items()
    refused(client.get("/api/data?name=nothing"), 404, "no such store", "nothing")
    refused(client.get("/api/data?from=yesterday"), 422, "query.from", "yesterday", "2024-08-08")
    refused(client.get("/api/data?limit=0"), 422, "query.limit", "0", "greater than or equal to 1")


def test_a_half_written_bar_is_none(shared: tuple[Client, Path]) -> None:
    client, place = shared
    with write_bars(place, "torn", 2).open("a") as stream:
        stream.write("10000000000,1,2,0.5,1")
    assert [bar["close"] for bar in client.get("/api/data?name=torn").json()["bars"]] == [100, 101]


def test_lists_can_be_narrowed(client: Client) -> None:
    first, second = start(client), start(client, "broken")
    ended(client, first)
    ended(client, second)
    failed = client.get("/api/jobs?state=failed&kind=training").json()["jobs"]
    assert second in [job["id"] for job in failed] and first not in [job["id"] for job in failed]
    ids = [job["id"] for job in client.get("/api/jobs?limit=2").json()["jobs"]]
    assert ids[0] == second
    number = int(second.rpartition("-")[2])
    assert second not in [job["id"] for job in client.get(f"/api/jobs?before={number}").json()["jobs"]]
    assert {job["state"] for job in client.get("/api/jobs").json()["jobs"]} <= {*ENDS, "running", "queued"}


@pytest.mark.parametrize(
    ("body", "error", "value", "legal"),
    [
        ({"preset": "nothing"}, "body.preset", "nothing", "one of broken, crash, quick"),
        ({"preset": "../quick"}, "body.preset", "../quick", "1 to 64 of a-z"),
        ({"preset": "quick", "steps": 0}, "body.steps", "0", "greater than or equal to 1"),
        ({"preset": "quick", "steps": "many"}, "body.steps", "many", "integer"),
        ({"preset": "quick", "steps": "3"}, "body.steps", "3", "integer"),
        ({"preset": "quick", "seed": True}, "body.seed", "true", "integer"),
        ({"preset": "quick", "stps": 3}, "body.stps is unknown", "3", ""),
        ({}, "body.preset is missing", None, ""),
        ({"preset": "quick", "bars": "nothing"}, "body.bars", "nothing", "prices"),
        ({"preset": "quick", "settings": {"other.key": 1}}, "body.settings", None, "env.KEY or train.KEY"),
        ({"preset": "quick", "settings": {"env.market": "../x"}}, "body.settings.env.market", "../x", ""),
        ({"preset": "quick", "settings": {"env.bars": "x"}}, "body.settings", None, "no files"),
        ([], "body", "[]", ""),
    ],
)
def test_wrong_trainings_are_named(client: Client, body: Any, error: str, value: str | None, legal: str) -> None:
    refused(client.post("/api/training/run", json=body), 422, error, value, legal)


@pytest.mark.parametrize(
    ("body", "error", "legal"),
    [
        ({"url": "http://127.0.0.1:9"}, "body.url", "ws://"),
        ({"url": "ws://169.254.169.254/latest/meta-data"}, "body.url", "stream.binance.com, this machine"),
        ({"url": "ws://stream.binance.com@10.0.0.1"}, "body.url", "ws://"),
        ({"url": "ws://127.0.0.1.evil.com"}, "body.url", "this machine"),
        ({"url": "ws://127.0.0.1:99999"}, "body.url", "0-65535"),
        ({"url": "ws://127.0.0.1\\@evil.com"}, "body.url", "ws://"),
        ({"interval": "99h"}, "body.interval", "24h at most"),
        ({"interval": "5 s"}, "body.interval", "5s"),
        ({"venue": "nyse"}, "body.venue", "'binance' or 'binance-usdm'"),
        ({"symbol": "--help"}, "body.symbol", "BTCUSDT"),
        ({"store": "a/b"}, "body.store", "1 to 64 of a-z"),
        ({"seconds": -1}, "body.seconds", "greater than 0"),
    ],
)
def test_wrong_collections_are_named(client: Client, body: Any, error: str, legal: str) -> None:
    refused(client.post("/api/data/start_data_collection", json=body), 422, error, None, legal)


def test_other_refusals_have_the_same_form(client: Client) -> None:
    refused(client.get("/api/nothing"), 404, "no such address", "GET /api/nothing")
    refused(client.delete("/api/jobs"), 405, "no such method", "DELETE /api/jobs")
    refused(client.get("/api/training/training-999"), 404, "no such job", "training-999")
    refused(client.post("/api/trading/trading-999/kill"), 404, "no such job", "trading-999")
    json_type = {"Content-Type": "application/json"}
    refused(client.post("/api/training/run", content=b"{", headers=json_type), 400, "no JSON")
    refused(client.post("/api/training/run", content=b"[" * 30_000, headers=json_type), 400, "")
    refused(client.post("/api/training/run", content=b'{"preset": "quick"}'), 422, "body", None, "Content-Type")
    odd = b'{"preset": "quick", "settings": {"train.x": NaN}}'
    refused(client.post("/api/training/run", content=odd, headers=json_type), 422, "body.settings", None, "finite")
    refused(client.post("/api/training/run", content=b'{"preset": "\\ud800"}', headers=json_type), 422, "body.preset")
    refused(client.post("/api/data/stop", json={}), 422, "body", "{}", "either")
    trade = {"policy": "nobody", "bars": "prices"}
    refused(client.post("/api/trading/run_single_buy_ppo_trader", json=trade), 422, "policy", "nobody", "lowrider")
    trade = {"policy": "random", "bars": "nothing"}
    refused(client.post("/api/trading/run_single_buy_ppo_trader", json=trade), 422, "bars", "nothing", "prices")


def test_the_page_and_the_description_show_every_address_with_an_example(client: Client) -> None:
    described = client.get("/openapi.json").json()
    page = client.get("/docs").text
    for path, methods in described["paths"].items():
        assert path in page
        for what in methods.values():
            assert what["summary"] in page.replace("&#x27;", "'")
            body = what.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if body is not None:
                assert described["components"]["schemas"][body["$ref"].rpartition("/")[2]]["examples"]
            assert what["responses"]["422"]["content"]["application/json"]["schema"]["$ref"].endswith("/Error")
    assert "https://" not in page and "<script" not in page
    assert client.get("/", follow_redirects=False).headers["location"] == "/docs"


def test_feature_sets_are_those_that_come_with_lobgym(client: Client) -> None:
    described = client.get("/openapi.json").json()
    sets = described["components"]["schemas"]["PpoTcnFuturesRequest"]["properties"]["feature_set"]["enum"]
    assert sets == sorted(path.stem for path in (ROOT / "config" / "features").glob("*.yaml"))


def test_without_the_command_the_way_to_it_is_shown(tmp_path: Path) -> None:
    with serving(tmp_path, lobgym_binary=tmp_path / "nowhere") as client:
        answer = client.post("/api/training/run", json={"preset": "quick"})
        refused(answer, 503, "there is no command lobgym", str(tmp_path / "nowhere"), "lobgym_binary")
        assert "retry-after" in answer.headers
        assert client.get("/api/jobs").json() == {"jobs": []}


@pytest.fixture
def quiet_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Collections that run and collect nothing."""
    quiet = [sys.executable, "-c", "import time; time.sleep(100)"]
    monkeypatch.setattr("lobgym.serve.works.Collecting.command", lambda _self, _job: quiet)


@pytest.mark.usefixtures("quiet_feed")
def test_a_session_waits_for_the_first_bar_of_its_collection(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        body = {"url": "ws://127.0.0.1:9", "store": "live"}
        collection = client.post("/api/data/start_data_collection", json=body).json()["id"]
        trade = {"policy": "random", "bars": collection, "steps": 2}
        answer = client.post("/api/trading/run_single_buy_ppo_trader", json=trade)
        assert answer.status_code == 202 and answer.json()["request"]["follow"] is True
        id = answer.json()["id"]
        reached(client, id, lambda job: job["reason"] == f"waits for the first bar of {collection}")
        write_bars(tmp_path, "live", 5)
        assert ended(client, id, "finished")["latest"]["step"] == 2
        client.post("/api/data/stop", json={"id": collection})
        assert ended(client, collection, "stopped")["exit_code"] == -signal.SIGTERM
        assert [bar["close"] for bar in client.get(f"/api/data/{collection}?bars=2").json()["bars"]] == [103, 104]
        assert client.get("/api/data?symbol=BTCUSDT").json()["name"] == "live"


def test_the_name_of_a_store_tells_its_source() -> None:
    from lobgym.serve.models import CollectionRequest

    own, *others = (CollectionRequest(url=url).name for url in (None, "ws://127.0.0.1:1", "ws://127.0.0.1:2"))
    assert own == "binance-btcusdt-5s"
    assert len({own, *others}) == 3 and all(each.startswith(f"{own}-") and len(each) == 25 for each in others)
    symbol = f"{'A' * 20}_{'B' * 12}"
    longest = CollectionRequest(venue="binance-usdm", symbol=symbol, interval="86400000ms", url="ws://x").name
    assert CollectionRequest(store=longest).name == longest


@pytest.mark.usefixtures("quiet_feed")
def test_a_store_has_one_writer_and_one_kind_of_bars(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        body = {"url": "ws://127.0.0.1:9", "store": "mine"}
        first = client.post("/api/data/start_data_collection", json=body).json()
        # Known at once, though nothing has come.
        assert client.get("/api/data?name=mine").json()["bars"] == []
        assert first["request"]["store"] == "mine"
        again = client.post("/api/data/start_data_collection", json=body)
        refused(again, 409, "body.store", "mine", first["id"])
        stopped = client.post("/api/data/stop", json={"all": True})
        assert stopped.status_code == 202
        ended(client, first["id"])
        write_bars(tmp_path, "mine", 3)
        for other in ({"interval": "1m"}, {"symbol": "ETHUSDT"}, {"url": "ws://127.0.0.1:10"}, {"url": None}):
            answer = client.post("/api/data/start_data_collection", json=body | other)
            refused(answer, 409, "body.store", None, "binance, BTCUSDT, 5s, ws://127.0.0.1:9")
        assert client.post("/api/data/stop", json={"all": True}).json() == {"jobs": []}
        refused(client.post("/api/data/stop", json={"id": first["id"]}), 409, "at its end")
        # Whose file is gone has no say.
        (tmp_path / "state" / "bars" / "mine.csv").unlink()
        assert client.post("/api/data/start_data_collection", json=body | {"interval": "1m"}).status_code == 202


#: Writes so many lines into a file of bars, as `lobgym collect` does, and waits.
WRITING = """
import sys, time
path, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(path, "a") as stream:
    if first == 0 and not stream.tell():
        stream.write("start_ns,close\\n")
    for number in range(first, last):
        stream.write(f"{number},1\\n")
time.sleep(100)
"""


def test_each_collection_has_its_own_bars_and_none_has_a_name_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = {"collection-1": (0, 0), "collection-2": (0, 5), "collection-3": (5, 12), "collection-4": (0, 0)}
    own = Collecting.command

    def command(self: Collecting, job: Any) -> list[str]:
        path = own(self, job)[own(self, job).index("--bars-file") + 1]
        return [sys.executable, "-c", WRITING, path, *map(str, spans[job.id])]

    monkeypatch.setattr("lobgym.serve.works.Collecting.command", command)
    with serving(tmp_path) as client:

        def collect(**changes: Any) -> str:
            body = {"url": "ws://127.0.0.1:9", "store": "mine"} | changes
            answer = client.post("/api/data/start_data_collection", json=body)
            assert answer.status_code == 202, answer.text
            return str(answer.json()["id"])

        def written(id: str) -> Any:
            return client.get(f"/api/data/{id}").json()["bars_written"]

        # A slip in the symbol, from which nothing comes, keeps nobody from the name.
        for id, changes in (("collection-1", {"symbol": "BTCUSD"}), ("collection-2", {}), ("collection-3", {})):
            assert collect(**changes) == id
            reached(client, id, lambda job: job["state"] == "running")
            first, last = spans[id]
            until(lambda id=id, first=first, last=last: written(id) == last - first)
            client.post("/api/data/stop", json={"id": id})
            ended(client, id)
        assert [written(id) for id in list(spans)[:3]] == [0, 5, 7]
        # A line that was cut off is no bar.
        with (tmp_path / "state" / "bars" / "mine.csv").open("a") as stream:
            stream.write("12,")
        assert collect() == "collection-4"
        until(lambda: written("collection-4") == 0)
        assert [written(id) for id in spans] == [0, 5, 7, 0]
        assert client.get("/api/jobs/collection-3").status_code == 200
