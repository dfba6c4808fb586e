"""What the dashboard starts and asks: programs with progress, the kill switch, played markets, the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pandas")

import dashboard_files as files

import lobgym
from lobgym.dashboard import command, programs, work
from lobgym.dashboard.processes import MAX_RUNNING, Jobs
from lobgym.dashboard.reading import results
from lobgym.dashboard.session import MARKETS, Session, binned

_COUNTS = "import time\nfor i in range(1, 4): print('progress', i, 3, flush=True)\nprint('well')\n"


def _wait(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


@pytest.fixture
def jobs():
    made = Jobs()
    yield made
    made.close()


def _start(jobs, tmp_path, code, **more):
    number = len(jobs.of("test"))
    return jobs.start("test", "a test", [sys.executable, "-c", code], tmp_path / f"{number}.json", **more)


def test_a_program_reports_its_progress_and_its_words(jobs, tmp_path):
    job = _start(jobs, tmp_path, _COUNTS + "time.sleep(60)")
    _wait(lambda: job.words() == "well")
    assert job.progress == 1.0 and job.state == "running"
    job.stop()
    _wait(lambda: not job.running)
    assert job.state == "stopped" and job.seconds < 60
    jobs.dismiss(job)
    assert jobs.of("test") == []


def test_a_program_that_fails_says_why(jobs, tmp_path):
    job = _start(jobs, tmp_path, "import sys; sys.exit('the reason')")
    _wait(lambda: not job.running)
    assert (job.state, job.words()) == ("failed", "the reason")


def test_programs_are_limited_in_number(jobs, tmp_path):
    running = [_start(jobs, tmp_path, "import time; time.sleep(60)") for _ in range(MAX_RUNNING)]
    with pytest.raises(RuntimeError, match="wait for one"):
        _start(jobs, tmp_path, "")
    running[0].stop(wait=10)
    assert _start(jobs, tmp_path, "").process.wait(20) == 0


def test_the_end_of_the_dashboard_ends_what_does_not_outlive_it(jobs, tmp_path):
    short = _start(jobs, tmp_path, "import time; time.sleep(60)")
    long = _start(jobs, tmp_path, "import time; time.sleep(60)", outlives=True)
    jobs.close()
    try:
        assert not short.running and long.running
    finally:
        long.stop(wait=10)


def test_a_stubborn_program_is_ended_with_its_children(jobs, tmp_path):
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    job = _start(jobs, tmp_path, code)
    _wait(lambda: job.words().isdigit())
    child = int(job.words())
    job.stop(wait=0.5)
    assert job.process.returncode == -signal.SIGKILL

    def gone():
        state = Path(f"/proc/{child}/stat")
        return not state.exists() or state.read_text().split()[2] == "Z"

    _wait(gone)


def test_a_comparison_played_here_is_the_commands_and_keeps_its_sessions(tmp_path, capsys):
    out = tmp_path / "out" / "comparison-1.json"
    words = [
        "--market",
        "noise",
        "--market",
        "flow",
        "--lots",
        "20",
        "--strategy",
        "sl",
        "--strategy",
        "twap",
        "--episodes",
        "40",
        "--seed",
        "3",
    ]
    assert work.main(["compare", "--out", str(out), *words]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "progress 80 80"
    found = results.load_result(out)
    expected = lobgym.compare(["noise", "flow"], lots=[20], strategies=["sl", "twap"], episodes=40, seed=3)
    assert found.table["reward_mean"].tolist() == expected.table["reward_mean"].tolist()
    assert len(found.sessions) == 160
    means = found.sessions.groupby(["market", "strategy"])["reward"].mean()
    for row in found.table.to_dict("records"):
        assert means[row["market"], row["name"]] == pytest.approx(row["reward_mean"])
    assert sorted(p.name for p in out.parent.iterdir()) == [out.name, out.name + results.SESSIONS_SUFFIX]


def test_an_evaluation_played_here_keeps_its_sessions(tmp_path, capsys):
    out = tmp_path / "evaluation-1.json"
    words = ["--env", "market_making", "--market", "flow", "--strategy", "join", "--strategy", "as", "--episodes", "10"]
    assert work.main(["evaluate", "--out", str(out), *words]) == 0
    found = results.load_result(out)
    assert found.env == "market_making" and len(found.sessions) == 20


def test_a_comparison_that_cannot_be_says_why(tmp_path, capsys):
    words = ["--market", "x", "--lots", "20", "--strategy", "twap", "--episodes", "5"]
    assert work.main(["compare", "--out", str(tmp_path / "a"), *words]) == 2
    assert 'market is "x"' in capsys.readouterr().err


def test_a_cancelled_comparison_leaves_no_result(tmp_path):
    out = tmp_path / "comparison-1.json"
    command_line = [sys.executable, "-m", "lobgym.dashboard.work", "compare", "--out", str(out), "--market", "noise"]
    command_line += ["--lots", "20", "--strategy", "twap", "--episodes", "10000000"]
    process = subprocess.Popen(command_line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with process:
        assert process.stdout.readline().startswith("progress ")
        process.terminate()
        process.stdout.read()
        assert process.wait(20) == 130
    assert list(tmp_path.iterdir()) == []


def _fake_program(directory, script):
    path = directory / "lobgym"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_the_program_named_is_asked_and_its_words_are_passed_on(tmp_path, monkeypatch):
    monkeypatch.setenv("LOBGYM_BINARY", str(_fake_program(tmp_path, 'echo "{\\"state\\": \\"$3\\"}"')))
    assert programs.ask("trade", "status", "running") == {"state": "running"}
    _fake_program(tmp_path, 'echo "lobgym: no such thing" >&2; exit 1')
    with pytest.raises(programs.ProgramError, match="no such thing"):
        programs.ask("trade", "status", "x")
    _fake_program(tmp_path, "exec sleep 60")
    with pytest.raises(programs.ProgramError, match="timed out"):
        programs.ask("trade", "status", "x", timeout=0.2)
    _fake_program(tmp_path, "echo nonsense")
    with pytest.raises(programs.ProgramError, match="no JSON"):
        programs.ask("trade", "status", "x")


@pytest.mark.parametrize("script", ['touch "$3/kill"', "exit 2", "exec sleep 60", None])
def test_the_kill_switch_of_a_trader_works_whatever_the_program_does(tmp_path, monkeypatch, script):
    if script is None:
        monkeypatch.setattr(programs, "find", lambda: None)
    else:
        monkeypatch.setenv("LOBGYM_BINARY", str(_fake_program(tmp_path, script)))
        if "sleep" in script:
            real = subprocess.run
            monkeypatch.setattr(programs.subprocess, "run", lambda *a, **k: real(*a, **{**k, "timeout": 0.2}))
    place = files.write_trade(tmp_path / "one", 3)
    programs.throw_kill_switch("trade", place)
    assert (place / "kill").exists()


def test_the_kill_switch_of_a_broker_is_the_file_that_it_looks_for(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "find", lambda: None)
    path = files.write_ledger(tmp_path / "paper.db")
    programs.throw_kill_switch("paper", path)
    assert Path(f"{path}.kill").exists()


@pytest.mark.skipif(files.program() is None, reason="the program lobgym is not built")
def test_the_program_kills_a_broker_by_the_same_file(tmp_path, monkeypatch):
    monkeypatch.setenv("LOBGYM_BINARY", files.program())
    path = files.write_ledger(tmp_path / "paper.db")
    assert programs.throw_kill_switch("paper", path).startswith("lobgym paper kill")
    assert Path(f"{path}.kill").exists()
    assert programs.ask("paper", "status", "--db", str(path), "--json", "-")["killed"] is True


@pytest.mark.parametrize("market", MARKETS)
def test_a_market_is_played_in_steps(market):
    session = Session(market, 1, kept=20)
    session.step(0.5, 30)
    assert session.now == 15.0 and len(session.moments) == 20
    assert session.moments[0].time == 5.5 and sum(map(sum, (m.flow for m in session.moments))) > 0
    again = Session(market, 1, kept=20)
    again.step(0.5, 30)
    assert [m.flow for m in again.moments] == [m.flow for m in session.moments]


def test_the_flow_of_orders_adds_up_to_the_events():
    session, log = Session("flow", 5, kept=1000), lobgym.Simulator("flow", seed=5, keep_log=True)
    log.events()
    session.step(1.0, 60)
    log.run_until(60.0)
    events = log.events()
    total = np.sum([moment.flow for moment in session.moments], axis=0)
    assert total[:4].sum() == (events["kind"] == lobgym.EventKind.ACCEPTED).sum()
    traded = events[events["kind"] == lobgym.EventKind.TRADE]["quantity"].sum()
    assert sum(m.bought + m.sold for m in session.moments) == traded > 0


def test_depth_in_rows_keeps_all_lots_in_reach():
    session = Session("noise", 2)
    session.step(1.0, 10)
    moments = list(session.moments)
    for most in (80, 7):
        prices, lots, width = binned(moments, 10_000, most)
        assert len(prices) == len(lots) <= most + 1 and lots.shape[1] == len(moments)
        assert np.nansum(np.where(lots > 0, lots, 0)[:, -1]) <= moments[-1].bids["quantity"].sum()
        if width == 1:
            assert np.nansum(lots[:, -1]) == float(moments[-1].bids["quantity"].sum()) - float(
                moments[-1].asks["quantity"].sum()
            )


def test_the_cost_of_a_market_order_is_that_of_sending_it():
    session = Session("noise", 2)
    session.step(1.0, 5)
    mid = session.last.mid
    sizes, paid = session.cost_now("buy", 40)
    other = lobgym.Simulator("noise", seed=2)
    other.run_until(5.0)
    assert other.mid == mid
    place = int(np.argmin(np.abs(sizes - 20)))
    lots = int(sizes[place]) if float(sizes[place]).is_integer() else None
    whole = [i for i, size in enumerate(sizes) if float(size).is_integer() and size > 1]
    place = whole[len(whole) // 2]
    lots = int(sizes[place])
    other.submit_market("buy", lots)
    other.run_until(5.0 + 1e-9)
    fills = other.fills()
    assert fills["quantity"].sum() == lots
    average = (fills["price"] * fills["quantity"]).sum() / lots
    assert paid[place] == pytest.approx(average - mid)


def test_a_market_that_is_not_there_is_named():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.yaml"):
        Session("nowhere.yaml", 0)


def test_the_command_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    assert command.main(["--no-browser"]) == 2
    assert "lobgym[dashboard]" in capsys.readouterr().err


def test_the_command_has_help():
    done = subprocess.run(
        [sys.executable, "-m", "lobgym.dashboard", "--help"], capture_output=True, text=True, env={**os.environ}
    )
    assert done.returncode == 0
    for option in ("--runs", "--results", "--ledger", "--trades", "--port", "--host", "--no-browser"):
        assert option in done.stdout
