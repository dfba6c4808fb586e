"""What the dashboard reads, without a browser: colours, growing files, runs, results, ledgers and traders."""

from __future__ import annotations

import json
import math
import re
import sqlite3
from pathlib import Path

import pytest

pytest.importorskip("pandas")

import dashboard_files as files

from lobgym.dashboard import options
from lobgym.dashboard.colours import KNOWN, Palette, colours, label
from lobgym.dashboard.reading import ledgers, results, trades, trainings
from lobgym.dashboard.reading.files import Unreadable, cached, found
from lobgym.dashboard.reading.growing import GrowingLines

ROOT = Path(__file__).parents[2]


def test_the_colours_are_those_of_the_reports():
    source = (ROOT / "agents/src/report/palette.rs").read_text()
    assert re.findall(r'"([^"]+)"', re.search(r"KNOWN.*?= \[(.*?)\]", source)[1]) == list(KNOWN)
    page = (ROOT / "agents/src/report/page.css").read_text()
    slots = re.findall(r"--s\d+: (#[0-9a-f]{6})", page)
    assert slots == colours("light") + colours("dark")


def test_a_known_strategy_keeps_its_colour_in_any_company():
    alone, among = Palette(["pov"]), Palette([*KNOWN, "ppo", "zebra"])
    assert alone["pov"] == among["pov"]
    assert Palette(["ppo"]).slot("ppo") == among.slot("ppo")


def test_strategies_differ_while_there_are_colours():
    names = [*"abcde", *KNOWN]
    palette = Palette(names)
    assert len({palette[name] for name in names}) == 12
    assert [palette.slot(name) for name in names] == [Palette(names[::-1]).slot(name) for name in names]


def test_a_run_and_its_policy_have_one_name_and_one_colour_wherever_they_lie():
    name = "policy:/somewhere/runs/ppo_noise:decision=mode"
    assert label(name) == "ppo_noise:decision=mode"
    assert label("policy:runs/ppo/policy.safetensors") == "ppo"
    assert Palette([name])[name] == Palette(["ppo_noise"])["ppo_noise"]


def test_long_names_are_shortened_only_where_they_stay_clear():
    long = "cost_aware:window=60|120|250:horizon=20|60"
    other = "cost_aware:window=60|120|250:horizon=5|10"
    assert Palette([long, "equal_weight"]).label(long) == "cost_aware:…"
    assert Palette([long, other]).label(long) == long


def test_a_growing_file_is_read_line_by_line_and_its_torn_end_later(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("one\ntwo\nth")
    lines = GrowingLines(path)
    assert lines.update() == (False, ["one", "two"])
    assert lines.update() == (False, [])
    with path.open("a") as file:
        file.write("ree\n")
    assert lines.update() == (False, ["three"])


@pytest.mark.parametrize("text", ["1\n", "one\nTWO\nthree\nfour\n"])
def test_a_file_that_was_written_anew_is_read_anew(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_text("one\ntwo\nthree\n")
    lines = GrowingLines(path)
    lines.update()
    path.write_text(text)
    assert lines.update() == (True, text.splitlines())


def test_a_file_is_read_once_for_each_version(tmp_path):
    path, reads = tmp_path / "a.txt", []

    def read(path):
        reads.append(path.read_text())
        if reads[-1] == "bad":
            raise Unreadable(path, "bad")
        return reads[-1]

    path.write_text("1")
    assert [cached(path, read), cached(path, read)] == ["1", "1"]
    path.write_text("bad")
    for _ in range(2):
        with pytest.raises(Unreadable):
            cached(path, read)
    assert reads == ["1", "bad"]


def test_files_are_found_once_and_not_in_hidden_places(tmp_path):
    for name in ("a.json", "b/c.json", ".hidden/d.json", "b/e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    places = [str(tmp_path), str(tmp_path / "b"), str(tmp_path / "a.json"), str(tmp_path / "nowhere")]
    assert [p.name for p in found(places, lambda name: name.endswith(".json"))] == ["a.json", "c.json"]


def test_runs_are_described_and_told_apart(tmp_path):
    files.write_run(tmp_path / "x" / "seed-0", updates=20)
    files.write_run(tmp_path / "y" / "seed-0", updates=10, complete=False)
    runs = trainings.find_trainings([str(tmp_path)])
    assert set(trainings.names(runs).values()) == {"x/seed-0", "y/seed-0"}
    by_state = {run.state: run for run in runs}
    assert set(by_state) == {"complete", "running"}
    run = by_state["running"]
    assert (run.algorithm, run.env, run.market, run.seed) == ("ppo", "market_making", "flow", 0)
    assert run.steps == 160_000 and run.target == 5_000_000 and run.progress == pytest.approx(0.032)
    files.old(tmp_path / "y" / "seed-0" / "metrics.csv")
    assert {run.state for run in trainings.find_trainings([str(tmp_path)])} == {"complete", "stopped"}


def test_metrics_grow_and_a_torn_line_waits(tmp_path):
    run = files.write_run(tmp_path / "run", updates=5)
    path = run / "metrics.csv"
    assert len(trainings.metrics(run)) == 5
    line = path.read_text().splitlines()[-1]
    with path.open("a") as file:
        file.write(line.replace("5,", "6,", 1)[: len(line) // 2])
    assert len(trainings.metrics(run)) == 5
    with path.open("a") as file:
        file.write(line[len(line) // 2 :] + "\n")
    frame = trainings.metrics(run)
    assert len(frame) == 6 and frame["update"].tolist() == [1, 2, 3, 4, 5, 6]
    assert math.isnan(frame["return_mean"].iloc[0])


def test_metrics_of_a_resumed_run_are_read_anew(tmp_path):
    run = files.write_run(tmp_path / "run", updates=9)
    assert len(trainings.metrics(run)) == 9
    lines = (run / "metrics.csv").read_text().splitlines()
    (run / "metrics.csv").write_text("\n".join(lines[:5]) + "\n")
    assert len(trainings.metrics(run)) == 4


@pytest.mark.parametrize("damage", ["config.yaml", "run.json", "metrics.csv"])
def test_a_damaged_run_names_the_file(tmp_path, damage):
    run = files.write_run(tmp_path / "run")
    (run / damage).write_bytes(b"\xff\xfe{\n" * 3)
    [found] = trainings.find_trainings([str(tmp_path)])
    assert any(damage in problem for problem in found.problems)


def test_each_kind_of_result_is_known_by_what_is_in_it(tmp_path):
    place = files.place_results(tmp_path / "out")
    for kind, name in (
        (results.Comparison, "comparison"),
        (results.Evaluation, "evaluation"),
        (results.Backtest, "backtest"),
    ):
        [result], problems = results.find_results([str(place)], kind)
        assert result.path.stem == name and not problems


def test_a_comparison_has_its_cells_and_differences(tmp_path):
    comparison = results.load_result(files.place_results(tmp_path) / "comparison.json")
    assert set(comparison.table["market"]) == {"noise", "flow", "strategic"}
    assert len(comparison.table) == 15 and len(comparison.paired) == 12
    assert (comparison.paired["low"] < comparison.paired["difference"]).all()
    assert comparison.sessions is None


def test_a_backtest_has_one_value_more_than_periods(tmp_path):
    backtest = results.load_result(files.place_results(tmp_path) / "backtest.json")
    assert list(backtest.nav) == list(backtest.table["name"])
    for name, values in backtest.nav.items():
        assert len(values) == len(backtest.turnover[name]) + 1 == len(backtest.costs[name]) + 1 == 121
        assert values[-1] / values[0] - 1 == pytest.approx(
            float(backtest.table.set_index("name").loc[name, "total_return"])
        )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ('{"cells": [', "no JSON"),
        ('{"cells": []}', "without strategies"),
        ('{"cells": [{"market": "noise"}]}', "'lots' is missing"),
        ('{"policies": [{}]}', "'name' is missing"),
        ('{"strategies": 3, "parts": {}}', "not as `lobgym` writes it"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_damaged_result_names_the_file_and_the_reason(tmp_path, text, reason):
    path = tmp_path / "damaged.json"
    path.write_text(text)
    found, problems = results.find_results([str(tmp_path)], results.Comparison)
    assert not found and len(problems) == 1
    assert str(problems[0]).startswith(str(path)) and reason in problems[0].reason


def test_json_of_others_is_no_damage_unless_it_was_named(tmp_path):
    path = tmp_path / "package.json"
    path.write_text('{"name": "something"}')
    assert results.find_results([str(tmp_path)], results.Comparison)[1] == []
    assert len(results.find_results([str(path)], results.Comparison)[1]) == 1


def test_a_ledger_is_read_in_money_and_never_written(tmp_path):
    path = files.write_ledger(tmp_path / "paper.db")
    before = path.read_bytes()
    ledger = ledgers.load_ledger(path)
    assert (ledger.capital, ledger.step, ledger.policy) == (1_000_000.0, 60, "equal_weight:band=0.02")
    # Capital and fills give the same cash and values as the ledger's last close.
    value = ledger.cash + ledger.positions["value"].sum()
    assert value == pytest.approx(ledger.equity, abs=0.005)
    assert ledger.positions["weight"].sum() == pytest.approx(1 - ledger.cash / ledger.equity)
    assert len(ledger.nav) == 61 and set(ledger.orders["status"]) == {"filled"}
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["paper.db"]


def test_a_ledger_shows_refusals_and_its_kill_switch(tmp_path):
    path = files.write_ledger(tmp_path / "paper.db")
    with sqlite3.connect(path) as base:
        base.execute("INSERT INTO rejections VALUES (1, 7, 0, 10, 'max_position', '0.6', '0.5')")
    base.close()
    Path(f"{path}.kill").touch()
    ledger = ledgers.load_ledger(path)
    assert ledger.rules == {"max_position": 1} and ledger.killed
    assert ledger.state in {"stopped", "unknown"}


def test_the_holder_of_a_ledgers_lock_is_seen_and_not_disturbed(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    if not Path("/proc/locks").exists():
        pytest.skip("this system does not say who holds locks")
    path = files.write_ledger(tmp_path / "paper.db")
    with Path(f"{path}.lock").open("w") as lock:
        assert ledgers.load_ledger(path).state == "stopped"
        fcntl.flock(lock, fcntl.LOCK_EX)
        if str(lock.fileno()) and ledgers.load_ledger(path).state == "stopped":
            pytest.skip("this system hides the locks of this process")
        assert ledgers.load_ledger(path).state == "running"


@pytest.mark.parametrize("content", [b"", b"no database at all", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_ledger_names_the_file(tmp_path, content):
    path = tmp_path / "paper.db"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=r"paper\.db: "):
        ledgers.load_ledger(path)


def test_a_traders_journal_grows_and_bears_torn_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(trades.programs, "find", lambda: None)
    place = files.write_trade(tmp_path / "trades" / "one", 50)
    assert trades.find_trades([str(tmp_path / "trades")]) == [place] == trades.find_trades([str(place)])
    trade = trades.load_trade(place)
    assert len(trade.bars) == 50 and trade.status["policy"] == "lowrider" and trade.status["state"] == "unknown"
    assert "no program lobgym" in trade.note
    # Killed in the middle of a line, and gone on.
    with (place / "session.jsonl").open("a") as file:
        file.write('{"step": 50, "equi')
    assert len(trades.load_trade(place).bars) == 50
    with (place / "session.jsonl").open("a") as file:
        file.write("\n" + "\n".join(files.trade_lines(3, start=50)[1:]) + "\n")
    trade = trades.load_trade(place)
    assert trade.bars["step"].tolist()[-3:] == [50, 51, 52]
    (place / "kill").touch()
    assert trades.load_trade(place).status["state"] == "killed"


def test_a_traders_figures_follow_from_its_journal(tmp_path, monkeypatch):
    monkeypatch.setattr(trades.programs, "find", lambda: None)
    trade = trades.load_trade(files.write_trade(tmp_path / "one", 300))
    rows = [json.loads(line) for line in (tmp_path / "one" / "session.jsonl").read_text().splitlines()[1:]]
    equity = [row["equity"] for row in rows]
    worst = max(1 - value / max([10_000.0, *equity[: place + 1]]) for place, value in enumerate(equity))
    assert trade.status["max_drawdown"] == pytest.approx(worst)
    assert trade.status["profit"] == pytest.approx(equity[-1] - 10_000.0)
    assert trade.status["fills"] == sum(row["traded"] != 0 for row in rows) == len(trade.fills)
    assert trade.fills["step"].is_monotonic_decreasing


@pytest.mark.parametrize("content", ["no journal\n", '{"a": 1}\n[]\n'])
def test_a_damaged_journal_names_the_file(tmp_path, content):
    (tmp_path / "session.jsonl").write_text(content)
    for _ in range(2):
        with pytest.raises(Unreadable, match=r"session\.jsonl: "):
            trades.load_trade(tmp_path)


def test_options_travel_through_the_environment(monkeypatch):
    monkeypatch.delenv(options.VARIABLE, raising=False)
    assert options.Options.of_environment() == options.Options()
    monkeypatch.setenv(options.VARIABLE, "{}")
    given = options.Options(runs=["a"], results=["b", "c"], controls=False)
    given.to_environment()
    assert options.Options.of_environment() == given


@pytest.mark.parametrize(("host", "own"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False)])
def test_only_this_machines_addresses_are_loopback(host, own):
    assert options.is_loopback(host) is own


def test_ledgers_that_the_page_has_numbered_are_found(tmp_path):
    for name in ("paper.db", "paper-1.db", "other.db"):
        files.write_ledger(tmp_path / name)
    assert [p.name for p in ledgers.find_ledgers([str(tmp_path / "paper.db")])] == ["paper.db", "paper-1.db"]
    assert len(ledgers.find_ledgers([str(tmp_path), str(tmp_path / "paper.db")])) == 3


def test_what_the_program_says_of_a_trader_counts(tmp_path, monkeypatch):
    asked = []

    def ask(*words, timeout):
        asked.append(words)
        return {"state": "running", "equity": 12.5, "cycles": 3}

    monkeypatch.setattr(trades.programs, "ask", ask)
    place = files.write_trade(tmp_path / "one", 20)
    status = trades.load_trade(place).status
    assert (status["state"], status["equity"], status["cycles"]) == ("running", 12.5, 3)
    assert status["fills"] >= 1  # what it leaves out follows from the journal
    trades.load_trade(place)
    assert asked == [("trade", "status", str(place), "--json")]  # once for each version of the journal
    trades.load_trade(place, moment=1)
    assert len(asked) == 2
