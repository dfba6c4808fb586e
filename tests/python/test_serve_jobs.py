"""Jobs: how many run and wait, how they end, and that none is lost when the server is."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from serve_session import Server, ended, fake_command, httpx, long, reached, serving, settings, start, until, write_bars

from lobgym.serve import child, processes
from lobgym.serve.errors import ServeError
from lobgym.serve.ledger import Job
from lobgym.serve.service import Service
from lobgym.serve.settings import Settings


def has_steps(least: int) -> Any:
    return lambda job: (job["latest"] or {}).get("steps", 0) >= least


def row(place: Path, id: str) -> dict[str, Any]:
    """Of the ledger, read beside the server."""
    with sqlite3.connect(place / "state" / "jobs.sqlite") as connection:
        connection.row_factory = sqlite3.Row
        return dict(connection.execute("SELECT * FROM jobs WHERE id = ?", (id,)).fetchone())


def test_jobs_wait_for_their_turn_and_too_many_are_refused(tmp_path: Path) -> None:
    with serving(tmp_path, max_trainings=1, max_queue=2) as client:
        ids = [start(client, "slow") for _ in range(3)]
        refused = client.post("/api/training/run", json={"preset": "quick"})
        assert refused.status_code == 429 and int(refused.headers["Retry-After"]) >= 1
        assert refused.json()["error"] == "too many jobs" and "3 of the kind training" in refused.json()["legal"]
        reached(client, ids[0], lambda job: job["state"] == "running")
        assert [client.get(f"/api/jobs/{id}").json()["state"] for id in ids[1:]] == ["queued", "queued"]
        # One that has not begun ends at once, and never had a process.
        stopped = client.post(f"/api/training/{ids[1]}/stop").json()
        assert (stopped["state"], stopped["attempts"], stopped["started"]) == ("stopped", 0, None)
        client.post(f"/api/training/{ids[0]}/stop")
        reached(client, ids[2], lambda job: job["state"] == "running")
        assert client.get(f"/api/jobs/{ids[0]}").json()["state"] == "stopped"
        # Other kinds have their own room.
        write_bars(tmp_path)
        trade = client.post(
            "/api/trading/run_single_buy_ppo_trader", json={"policy": "random", "bars": "prices"}
        ).json()
        ended(client, trade["id"], "finished")


def test_one_that_does_not_end_when_asked_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path, stop_seconds=0.3) as client:
        id = start(client, "stubborn")
        reached(client, id, has_steps(100))
        pid = row(tmp_path, id)["pid"]
        client.post(f"/api/training/{id}/stop")
        assert ended(client, id, "stopped")["exit_code"] is None
        until(lambda: processes.identity(pid) is None)


def test_a_job_whose_process_is_killed_has_failed(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        id = start(client, "slow")
        reached(client, id, has_steps(100))
        os.killpg(row(tmp_path, id)["pid"], signal.SIGKILL)
        assert "its process was killed" in ended(client, id, "failed")["reason"]


def test_a_command_ends_with_its_wrapper(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        id = start(client, "slow")
        reached(client, id, has_steps(100))
        os.kill(row(tmp_path, id)["pid"], signal.SIGKILL)
        ended(client, id, "failed")
        metrics = tmp_path / "state" / "runs" / id / "metrics.csv"
        time.sleep(0.2)
        size = metrics.stat().st_size
        time.sleep(0.2)
        assert metrics.stat().st_size == size


def test_a_killed_server_finds_its_jobs_running(tmp_path: Path) -> None:
    with Server(tmp_path, max_trainings=1) as server:
        running, waiting = start(server.client, "slow"), start(server.client, "quick")
        reached(server.client, running, has_steps(200))
        before = row(tmp_path, running)
        server.end(signal.SIGKILL)
        server.begin()
        job = reached(server.client, running, has_steps(400))
        after = row(tmp_path, running)
        assert (job["state"], job["attempts"]) == ("running", 1)
        assert (before["pid"], before["identity"]) == (after["pid"], after["identity"])
        assert server.client.get(f"/api/jobs/{waiting}").json()["state"] == "queued"
        # It is asked, and ends, as if the server had never been away.
        server.client.post(f"/api/training/{running}/stop")
        assert ended(server.client, running, "stopped")["exit_code"] == 130
        assert ended(server.client, waiting, "finished")["attempts"] == 1


def test_what_ended_while_the_server_was_away_is_known(tmp_path: Path) -> None:
    with Server(tmp_path, max_trainings=3) as server:
        good, bad = start(server.client, "quick", steps=5_000), start(server.client, "crash")
        reached(server.client, good, has_steps(100))
        server.end(signal.SIGKILL)
        exits = [tmp_path / "state" / "logs" / f"{id}.1.exit" for id in (good, bad)]
        until(lambda: all(path.exists() for path in exits))
        server.begin()
        assert ended(server.client, good, "finished")["exit_code"] == 0
        job = ended(server.client, bad, "failed")
        assert job["exit_code"] == -signal.SIGSEGV and job["ended"] < time.time()


def test_trainings_and_sessions_that_died_while_the_server_was_away_are_resumed(tmp_path: Path) -> None:
    write_bars(tmp_path, count=20)
    with Server(tmp_path) as server:
        training = start(server.client, "quick", steps=20_000)
        body = {"policy": "random", "bars": "prices", "speed": 20}
        trading = server.client.post("/api/trading/run_single_buy_ppo_trader", json=body).json()["id"]
        reached(server.client, training, has_steps(600))
        reached(server.client, trading, lambda job: (job["latest"] or {}).get("step", 0) >= 3)
        server.end(signal.SIGKILL)
        for id in (training, trading):
            os.killpg(row(tmp_path, id)["pid"], signal.SIGKILL)
        server.begin()
        for id in (training, trading):
            job = ended(server.client, id, "finished")
            assert job["attempts"] == 2
            with sqlite3.connect(tmp_path / "state" / "jobs.sqlite") as connection:
                reasons = connection.execute("SELECT state, reason FROM events WHERE job = ?", (id,)).fetchall()
            assert ("queued", "resumed: its process went while the server was away") in reasons
        # Each step once.
        lines = (tmp_path / "state" / "trades" / trading / "session.jsonl").read_text().splitlines()
        assert [json.loads(line).get("step") for line in lines] == [None, *range(1, 21), None]
        rows = (tmp_path / "state" / "runs" / training / "metrics.csv").read_text().splitlines()
        assert [int(each.split(",")[0]) for each in rows[1:]] == list(range(1, 201))


@long
def test_without_resuming_they_have_failed(tmp_path: Path) -> None:
    with Server(tmp_path, resume="false") as server:
        id = start(server.client, "slow")
        reached(server.client, id, has_steps(100))
        server.end(signal.SIGKILL)
        os.killpg(row(tmp_path, id)["pid"], signal.SIGKILL)
        server.begin()
        assert "while the server was away (resume is off)" in ended(server.client, id, "failed")["reason"]


@long
def test_a_process_that_the_ledger_does_not_know_is_found(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        id = start(server.client, "slow")
        reached(server.client, id, has_steps(100))
        server.end(signal.SIGKILL)
        pid = row(tmp_path, id)["pid"]
        # As if the server had been killed between starting it and writing down its number.
        with sqlite3.connect(tmp_path / "state" / "jobs.sqlite") as connection:
            connection.execute("UPDATE jobs SET pid = NULL, identity = NULL")
        connection.close()
        server.begin()
        job = reached(server.client, id, has_steps(300))
        assert (job["state"], job["attempts"], row(tmp_path, id)["pid"]) == ("running", 1, pid)


@long
def test_another_process_with_the_same_number_is_not_taken_for_the_job(tmp_path: Path) -> None:
    with Server(tmp_path, resume="false") as server:
        id = start(server.client, "slow")
        reached(server.client, id, has_steps(100))
        server.end(signal.SIGKILL)
        os.killpg(row(tmp_path, id)["pid"], signal.SIGKILL)
        other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
        try:
            with sqlite3.connect(tmp_path / "state" / "jobs.sqlite") as connection:
                connection.execute("UPDATE jobs SET pid = ?", (other.pid,))
            connection.close()
            (tmp_path / "state" / "logs" / f"{id}.pid").write_text(json.dumps({"pid": other.pid, "attempt": 1}))
            server.begin()
            ended(server.client, id, "failed")
            assert other.poll() is None
        finally:
            other.kill()
            other.wait()


def test_a_job_never_runs_twice(tmp_path: Path) -> None:
    place = str(tmp_path / "job")
    first = subprocess.Popen([sys.executable, "-I", child.__file__, place, "1", "sleep", "30"], start_new_session=True)
    until(lambda: (tmp_path / "job.pid").exists())
    second = subprocess.run([sys.executable, "-I", child.__file__, place, "2", "sleep", "30"], timeout=10)
    assert second.returncode == child.ALREADY_RUNNING
    os.killpg(first.pid, signal.SIGTERM)
    assert first.wait(10) != 0
    assert not (tmp_path / "job.2.exit").exists()


def test_an_early_signal_reaches_the_command(tmp_path: Path) -> None:
    script = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print('up', flush=True); time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-I", child.__file__, str(tmp_path / "job"), "1", sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stdout.readline() == b"up\n"
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(10) == 7
    process.stdout.close()
    assert json.loads((tmp_path / "job.1.exit").read_text())["code"] == 7


@long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ending_the_server_leaves_jobs_running_unless_told_otherwise(tmp_path: Path, number: int) -> None:
    with Server(tmp_path) as server:
        id = start(server.client, "slow")
        reached(server.client, id, has_steps(100))
        assert "Traceback" not in server.end(signal.SIGTERM)
        assert server.process.returncode == 0
        known = row(tmp_path, id)
        assert known["state"] == "running" and processes.is_alive(known["pid"], known["identity"])
        server.options = ("--jobs-on-exit", "stop")
        server.begin()
        reached(server.client, id, has_steps(300))
        waiting = start(server.client, "quick")
        assert "Traceback" not in server.end(number)
        assert server.process.returncode == 0
        known = row(tmp_path, id)
        assert (known["state"], known["reason"], known["exit_code"]) == ("stopped", "the server ended", 130)
        assert row(tmp_path, waiting)["state"] == "queued"
        server.begin()
        ended(server.client, waiting, "finished")


def test_one_that_vanishes_again_and_again_is_given_up(tmp_path: Path) -> None:
    service = Service.open(Settings(**settings(tmp_path, resume_attempts=3)))
    for attempt in (2, 3):
        job = service.jobs.submit("training", {"preset": "quick", "settings": {}})
        gone = {"attempt": attempt, "pid": 2**22 + attempt, "identity": "another boot:1"}
        assert service.ledger.change(job.id, ("queued",), "running", None, **gone)
    service.jobs._draining = True
    service.start()
    jobs = service.ledger.jobs(oldest_first=True)
    service.close()
    assert [job.state for job in jobs] == ["queued", "failed"]
    assert (
        jobs[1].reason
        == "its process went while the server was away; 3 were started for it, the most that there may be"
    )


def test_a_state_directory_has_one_server(tmp_path: Path) -> None:
    options = Settings(**settings(tmp_path))
    service = Service.open(options)
    try:
        with pytest.raises(ServeError, match="state") as refused:
            Service.open(options)
        assert "no other server has" in str(refused.value)
    finally:
        service.places.release()
        service.ledger.close()


@long
def test_an_accepted_job_is_on_the_disk_before_it_is_answered(tmp_path: Path) -> None:
    with Server(tmp_path, max_trainings=1, max_queue=1000) as server:
        ids = []
        # Killed in the middle of accepting: whatever was answered is there.
        with httpx.Client(base_url=server.url) as client:
            for _ in range(30):
                ids.append(start(client, "quick", steps=100))
            server.process.kill()
        server.end(signal.SIGKILL)
        server.begin()
        known = {job["id"] for job in server.client.get("/api/jobs?limit=1000").json()["jobs"]}
        assert set(ids) <= known
        for id in ids[:3]:
            ended(server.client, id, "finished")


def test_one_that_cannot_begin_keeps_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def waits_for(_self: object, job: Job) -> None:
        if job.request["preset"] == "broken":
            raise ServeError("bars", "linked", "a name whose file is in the state directory")

    monkeypatch.setattr("lobgym.serve.works.Training.waits_for", waits_for)
    with serving(tmp_path) as client:
        wrong, right = start(client, "broken"), start(client, "quick")
        assert ended(client, right, "finished")
        assert "it could not be started: bars is linked; legal: a name" in ended(client, wrong, "failed")["reason"]


def test_the_command_of_a_job_does_not_see_the_token(tmp_path: Path) -> None:
    command = fake_command(tmp_path)
    command.write_text(f"#!{sys.executable}\nimport os\nprint(os.environ.get('LOBGYM_TOKEN', 'none'))\n")
    token = "0123456789abcdef-token"
    with Server(tmp_path, token=token) as server:
        server.client.headers["Authorization"] = f"Bearer {token}"
        id = start(server.client)
        ended(server.client, id, "finished")
        assert server.client.get(f"/api/jobs/{id}/log").json()["lines"] == ["none"]
