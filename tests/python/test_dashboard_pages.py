"""Each of the dashboard's pages, run as Streamlit runs it but without a browser: with real data, with damaged files and with nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("plotly")
pytest.importorskip("streamlit")

import dashboard_files as files
from streamlit.testing.v1 import AppTest

from lobgym.dashboard.figures import money, strategies, training
from lobgym.dashboard.options import VARIABLE, Options

SECTIONS = ("training", "performance", "comparison", "market", "portfolio", "live")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An empty directory, and the options of a dashboard in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "")
    Options(["runs"], ["out"], ["paper.db"], ["trades"]).to_environment()
    return tmp_path


@pytest.fixture
def full(site):
    """The same with something for each page."""
    files.write_run(site / "runs" / "first")
    files.write_run(site / "runs" / "second", seed=2, complete=False)
    files.place_results(site / "out")
    files.write_trade(site / "trades" / "lowrider-1")
    files.write_ledger(site / "paper.db")
    return site


def page(section, **state):
    """The page, run once."""
    made = AppTest.from_string(f"from lobgym.dashboard.sections import {section}\n{section}.show()", default_timeout=60)
    for key, value in state.items():
        made.session_state[key] = value
    made.run()
    assert not made.exception, made.exception
    return made


def texts(made):
    kinds = (made.info, made.warning, made.error, made.code, made.markdown, made.caption, made.success)
    return "\n".join(element.value for kind in kinds for element in kind)


def overview():
    """The first page, run once, by way of the menu: it leads to the others."""
    from lobgym.dashboard import app

    made = AppTest.from_file(app.__file__, default_timeout=60).run()
    assert not made.exception, made.exception
    return made


def test_the_first_page_of_an_empty_directory_says_what_to_do(site):
    made = overview()
    assert len(made.info) == 5 and all(info.value.endswith("yet.") for info in made.info)
    assert [code.value.split()[1] for code in made.code] == ["train", "evaluate", "compare", "backtest", "paper"]


def test_the_first_page_sums_up_what_there_is(full):
    made = overview()
    said = texts(made)
    assert "2 runs, 1 running" in said and "`second` running" in said and "`first` complete" in said
    assert "1 evaluation" in said and "1 comparison;" in said and "1 backtest;" in said
    assert "1 trader, 1 paper broker" in said and "equity" in said
    assert len(made.get("page_link")) == 6 and not made.get("plotly_chart")
    assert not made.info and not made.warning and not made.error


def test_the_first_page_leads_with_the_best_mean(full):
    table = json.loads((full / "out" / "comparison.json").read_text())
    cell = table["cells"][0]
    best = max(cell["strategies"], key=lambda row: row["reward_mean"])
    assert f"`{best['name']}` leads with {best['reward_mean']:+.3f}" in texts(overview())


def test_the_first_page_names_what_is_damaged(full):
    (full / "out" / "torn.json").write_text((full / "out" / "comparison.json").read_text()[:300])
    (full / "paper.db").write_bytes(b"no database")
    (full / "trades" / "lowrider-1" / "session.jsonl").write_text("nonsense\n")
    said = texts(overview())
    assert "torn.json" in said and "paper.db" in said and "session.jsonl" in said


@pytest.mark.parametrize("section", [name for name in SECTIONS if name != "market"])
def test_an_empty_page_says_what_to_do(site, section):
    made = page(section)
    assert "lobgym " in "\n".join(code.value for code in made.code)
    assert "yet" in "\n".join(info.value for info in made.info)
    assert not made.error


@pytest.mark.parametrize("section", SECTIONS)
def test_a_page_shows_what_there_is(full, section):
    made = page(section)
    assert len(made.get("plotly_chart")) >= {"training": 1, "performance": 2}.get(section, 3)
    assert not made.error and not made.warning


@pytest.mark.parametrize("section", SECTIONS)
def test_a_page_that_others_can_reach_starts_nothing(full, section):
    Options(["runs"], ["out"], ["paper.db"], ["trades"], controls=False).to_environment()
    made = page(section)
    starting = {"Train", "Evaluate", "Compare", "Run", "Start", "Stop", "Throw the kill switch", "Estimate"}
    assert not starting & {button.label for button in made.button}
    assert "Controls are off" in texts(made)


@pytest.mark.parametrize("section", ["performance", "comparison", "portfolio"])
def test_a_damaged_result_is_named_beside_the_others(full, section):
    (full / "out" / "torn.json").write_text((full / "out" / "comparison.json").read_text()[:300])
    made = page(section)
    assert "torn.json" in texts(made) and "no JSON" in texts(made)
    assert len(made.get("plotly_chart")) >= 2


def test_a_damaged_ledger_and_a_damaged_journal_are_named(site):
    (site / "paper.db").write_bytes(b"no database")
    (site / "trades" / "one").mkdir(parents=True)
    (site / "trades" / "one" / "session.jsonl").write_text("nonsense\n")
    made = page("live")
    assert "session.jsonl" in texts(made)
    made.selectbox(key="live-place").select_index(1).run()
    assert not made.exception and "paper.db" in texts(made)


def test_damaged_metrics_are_named_and_other_runs_shown(full):
    files.write_run(full / "runs" / "third")
    (full / "runs" / "third" / "metrics.csv").write_bytes(b"\xff\xfe\n\n")
    made = page("training")
    assert "third" in texts(made) and len(made.get("plotly_chart")) == 1


def test_runs_and_curves_are_chosen(full):
    made = page("training")
    assert made.multiselect(key="training-runs").value == ["second"]  # the one that runs
    made.multiselect(key="training-runs").set_value(["first", "second"]).run()
    made.multiselect(key="training-curves").set_value(["entropy"]).run()
    made.slider(key="training-smoothing").set_value(10.0).run()
    assert not made.exception and len(made.get("plotly_chart")) == 1
    made.multiselect(key="training-runs").set_value([]).run()
    assert not made.exception and not made.get("plotly_chart")


def test_every_result_can_be_looked_at_closely(full):
    made = page("performance")
    for path in made.selectbox(key="performance-result").options:
        made.selectbox(key="performance-result").select(path).run()
        assert not made.exception and len(made.get("plotly_chart")) >= 2


def test_a_comparison_played_from_the_page_shows_its_distributions(full):
    from lobgym.dashboard import work

    words = ["--market", "noise", "--lots", "20", "--strategy", "sl", "--strategy", "twap", "--episodes", "30"]
    assert work.main(["compare", "--out", "out/comparison-1.json", *words]) == 0
    made = page("performance")
    assert "their distribution" in texts(made).lower() and len(made.get("plotly_chart")) == 6
    assert "comparison-1.json" in made.selectbox(key="performance-result").options[0]


def test_strategies_are_left_out_at_will(full):
    made = page("comparison")
    [key] = [box.key for box in made.multiselect if str(box.key).startswith("shown-")]
    made.multiselect(key=key).set_value(["sl"]).run()
    assert not made.exception
    made.multiselect(key=key).set_value([]).run()
    assert not made.exception and "at least one" in texts(made)


def test_the_market_steps_and_starts_anew(site):
    made = page("market")
    time = next(metric for metric in made.metric if metric.label == "Time")
    assert time.value == "30.0 s"
    made.button(key="market-one").click().run()
    made.button(key="market-twenty").click().run()
    assert next(metric for metric in made.metric if metric.label == "Time").value == "40.5 s"
    made.button(key="market-again").click().run()
    assert next(metric for metric in made.metric if metric.label == "Time").value == "30.0 s"
    made.button(key="market-play").click().run()
    assert not made.exception and made.button(key="market-one").disabled


def test_a_market_of_a_file_that_is_damaged_is_named(site):
    made = page("market")
    made.selectbox(key="market-name").select("a YAML file").run()
    assert "replay" in texts(made)
    made.text_input(key="market-file").input("nowhere.yaml").run()
    assert "nowhere.yaml" in texts(made)
    (site / "bad.yaml").write_text("flow: [1")
    made.text_input(key="market-file").input("bad.yaml").run()
    assert not made.exception and made.error


def test_a_recorded_market_is_replayed(site):
    recording = Path(__file__).parents[2].parent / "shared" / "data" / "bitstamp_l3_btcusd_2015-05-01.csv.xz"
    if not recording.exists():
        pytest.skip("there is no ../shared/data")
    settings = f"flow:\n  replay:\n    file: {recording}\n    episode_seconds: 120\n"
    (site / "replay.yaml").write_text(settings + "fees: none\nlatency: {order: none, report: none}\n")
    made = page("market")
    made.selectbox(key="market-name").select("a YAML file").run()
    made.text_input(key="market-file").input("replay.yaml").run()
    assert not made.exception and not made.error
    bid = next(metric for metric in made.metric if metric.label == "Best bid").value
    assert int(bid.replace(",", "")) > 10_000
    assert len(made.get("plotly_chart")) == 5


def test_the_kill_switch_asks_before_it_is_thrown(full, monkeypatch):
    from lobgym.dashboard import programs

    monkeypatch.setattr(programs, "find", lambda: None)
    made = page("live")
    place = "trades/lowrider-1"
    assert made.button(key=f"kill-{place}").disabled
    assert not (full / place / "kill").exists()
    made.checkbox(key=f"sure-{place}").check().run()
    made.button(key=f"kill-{place}").click().run()
    assert not made.exception and (full / place / "kill").exists()


def test_a_file_of_bars_that_is_not_there_starts_no_trader(full, monkeypatch):
    from lobgym.dashboard import programs

    monkeypatch.setattr(programs, "find", lambda: shutil.which("true"))
    made = page("live")
    made.text_input(key="trade-bars").input("nowhere.csv").run()
    made.button(key="trade-start").click().run()
    assert not made.exception and "nowhere.csv" in texts(made)


def test_each_section_is_in_the_menu():
    from lobgym.dashboard import app

    source = Path(app.__file__).read_text()
    for section in ("overview", *SECTIONS):
        assert f"from lobgym.dashboard.sections import {section} as section" in source


def test_figures_bear_gaps_and_single_rows():
    import numpy as np
    import pandas

    from lobgym.dashboard.colours import Palette

    palette = Palette(["a"])
    frame = pandas.DataFrame({"steps": [1.0, 2.0], "entropy": [np.nan, 1.0], "loss": [np.nan, np.nan]})
    assert len(training.curves({"a": frame}, ["entropy", "loss"], palette, "steps", 0.1).data) == 1
    row = pandas.DataFrame([{"name": "a", "difference": 1.0, "low": np.nan, "high": np.nan}])
    assert len(strategies.differences(row, "", palette, "light").data) == 1
    assert len(strategies.densities({"a": np.ones(5)}, "", palette).data) == 1
    assert money.falls(np.array([100.0, 120.0, 90.0])).tolist() == [0.0, 0.0, -0.25]


@pytest.mark.skipif(files.program() is None, reason="the program lobgym is not built")
def test_the_impact_model_is_asked_what_schedules_cost(site, monkeypatch):
    monkeypatch.setenv("LOBGYM_BINARY", files.program())
    made = page("market")
    made.button(key="impact-go").click().run()
    assert not made.exception and not made.error
    assert len(made.get("plotly_chart")) == 6


@pytest.mark.parametrize("words", ["echo nonsense", "echo '{}'", "echo no such model >&2; exit 1"])
def test_a_program_that_cannot_estimate_is_quoted(site, monkeypatch, words):
    fake = site / "lobgym"
    fake.write_text(f"#!/bin/sh\n{words}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("LOBGYM_BINARY", str(fake))
    made = page("market")
    made.number_input(key="impact-lots").set_value(130).run()
    made.button(key="impact-go").click().run()
    assert not made.exception and made.error[0].value.startswith("No estimate: ")


@pytest.mark.parametrize(
    ("section", "name"), [("performance", "evaluation"), ("comparison", "comparison"), ("portfolio", "backtest")]
)
def test_a_result_that_is_gone_is_forgotten(full, section, name):
    shutil.copy(full / "out" / f"{name}.json", full / "out" / "chosen.json")
    made = page(section)
    [box] = [box for box in made.selectbox if str(box.key).endswith("-result")]
    box.select(next(option for option in box.options if "chosen" in option)).run()
    assert "chosen" in made.selectbox(key=box.key).value
    (full / "out" / "chosen.json").unlink()
    made.run()
    assert not made.exception and "chosen" not in made.selectbox(key=box.key).value


def test_a_run_that_is_gone_is_forgotten_and_others_stay_chosen(full):
    made = page("training")
    made.multiselect(key="training-runs").set_value(["first", "second"]).run()
    shutil.rmtree(full / "runs" / "second")
    made.run()
    assert not made.exception and made.multiselect(key="training-runs").value == ["first"]


def test_further_columns_of_the_metrics_can_be_drawn(full):
    run = full / "runs" / "first"
    lines = (run / "metrics.csv").read_text().splitlines()
    more = [lines[0] + ",buy_probability", *(f"{line},0.25" for line in lines[1:])]
    (run / "metrics.csv").write_text("\n".join(more) + "\n")
    made = page("training")
    made.multiselect(key="training-runs").set_value(["first"]).run()
    made.multiselect(key="training-curves").set_value(["buy_probability"]).run()
    assert not made.exception and len(made.get("plotly_chart")) == 1
    made.multiselect(key="training-runs").set_value(["second"]).run()
    assert not made.exception and made.multiselect(key="training-curves").value == []
