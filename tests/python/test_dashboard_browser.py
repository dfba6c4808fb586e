"""The dashboard end to end, in a headless Chromium (Debian's package): every section with real data, its controls, and nothing in the console."""

from __future__ import annotations

import json
import re
import time

import pytest

pytest.importorskip("streamlit")
pytest.importorskip("plotly")
pytest.importorskip("playwright")

import dashboard_browser as driver
import dashboard_files as files

if driver.chromium() is None:
    pytest.skip("there is no Chromium: apt-get install chromium", allow_module_level=True)

from playwright.sync_api import expect

_PROGRAM = pytest.mark.skipif(files.program() is None, reason="the program lobgym is not built")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A directory with something for each section."""
    place = tmp_path_factory.mktemp("site")
    files.write_run(place / "runs" / "first")
    files.write_run(place / "runs" / "second", seed=2)
    files.place_results(place / "out")
    files.write_trade(place / "trades" / "lowrider-1")
    files.write_trade(place / "trades" / "lowrider-2", seed=4)
    files.write_ledger(place / "paper.db")
    return place


@pytest.fixture(scope="module")
def browser():
    with driver.browser() as started:
        yield started


@pytest.fixture(scope="module")
def address(site):
    with driver.dashboard(site) as url:
        yield url


@pytest.fixture
def page(browser, address):
    """The page of trainings, open; afterwards there must have been nothing in the console."""
    context = browser.new_context(viewport=driver.SIZE)
    made = context.new_page()
    wrong = []
    made.on("console", lambda message: message.type == "error" and wrong.append(message.text))
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.goto(address)
    driver.wait_until_idle(made)
    driver.open_section(made, "Training")
    driver.wait_for_figure(made)
    yield made
    assert made.get_by_test_id("stException").count() == 0
    context.close()
    assert wrong == []


def _data(page, expression):
    """Something of the first figure."""
    return page.evaluate(f"document.querySelector('.js-plotly-plot').{expression}")


def _number(page, label, value):
    box = page.get_by_role("spinbutton", name=label, exact=True)
    box.fill(str(value))
    box.press("Tab")
    driver.wait_until_idle(page)


def _until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.1)


def _time(page):
    metric = page.get_by_test_id("stMetric").filter(has_text="Time").get_by_test_id("stMetricValue")
    return float(metric.inner_text().removesuffix(" s").replace(",", ""))


def test_the_first_page_comes_quickly(browser, site, tmp_path, capsys):
    # Another server, so that nothing is loaded yet.
    files.write_run(tmp_path / "runs" / "first")
    began = time.perf_counter()
    with driver.dashboard(tmp_path) as url:
        up = time.perf_counter()
        times = []
        for _ in range(2):
            page = browser.new_context(viewport=driver.SIZE).new_page()
            for _ in range(2):
                start = time.perf_counter()
                page.goto(url)
                page.get_by_text("No trader and no paper broker yet").wait_for()
                times.append(time.perf_counter() - start)
            page.context.close()
    words = "server up {:.2f} s; first page {:.2f} s, again {:.2f} s; a new browser {:.2f} s, again {:.2f} s"
    with capsys.disabled():
        print("\n" + words.format(up - began, *times))
    # What is promised is less (docs/dashboard.md); a machine that does other things besides is slower.
    assert times[0] < 30


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_section_opens_with_real_data(page, browser, address, scheme):
    page.emulate_media(color_scheme=scheme)
    for section in driver.SECTIONS:
        driver.open_section(page, section)
        driver.wait_for_figure(page)
        main = page.get_by_test_id("stMain")
        assert main.evaluate("box => box.scrollWidth <= box.clientWidth"), f"{section} is wider than a laptop"
        assert page.get_by_test_id("stException").count() == 0, section
        assert page.locator(".js-plotly-plot").count() >= (1 if section == "Training" else 2)
        red, green, blue = page.evaluate(
            "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor.match(/\\d+/g).map(Number)"
        )[:3]
        assert (red + green + blue > 600) == (scheme == "light")


def test_the_first_page_sums_up_and_leads_on(page, address):
    page.goto(address)
    expect(page.get_by_text("lowrider-1").first).to_be_visible()
    driver.wait_until_idle(page)
    main = page.get_by_test_id("stMain")
    assert main.evaluate("box => box.scrollWidth <= box.clientWidth")
    for section in driver.SECTIONS:
        page.goto(address)
        driver.wait_until_idle(page)
        main.get_by_role("link", name=section).click()
        page.wait_for_url(f"{address}/{section.lower()}")
        driver.wait_for_figure(page)


def test_an_empty_dashboard_says_what_to_do(browser, tmp_path):
    with driver.dashboard(tmp_path) as url:
        page = browser.new_context(viewport=driver.SIZE).new_page()
        page.goto(url)
        expect(page.get_by_text("yet")).to_have_count(5)
        for section in driver.SECTIONS:
            page.get_by_role("link", name=section, exact=True).first.wait_for()
            driver.open_section(page, section)
            if section != "Market":
                expect(page.get_by_text("yet").first).to_be_visible()
                expect(page.get_by_test_id("stCode").first).to_contain_text("lobgym")
        assert page.get_by_test_id("stException").count() == 0
        page.context.close()


def test_a_growing_run_is_followed(page, site, address):
    run = files.write_run(site / "runs" / "growing", updates=5, complete=False)
    # Another visit: what is chosen is chosen once in each.
    page.goto(address)
    driver.wait_until_idle(page)
    driver.open_section(page, "Training")
    driver.wait_for_figure(page)
    assert _data(page, "_fullData[0].name") == "growing" and _data(page, "_fullData[0].x.length") == 5
    lines = (files.DATA / "run" / "metrics.csv").read_text().splitlines()
    with (run / "metrics.csv").open("a") as file:
        file.write("\n".join(lines[6:20]) + "\n" + lines[20][:30])  # the last one is torn
    page.wait_for_function("document.querySelector('.js-plotly-plot')._fullData[0].x.length == 19", timeout=15_000)
    (run / "policy.safetensors").touch()


def test_a_comparison_is_played_from_the_page(page, site):
    driver.open_section(page, "Strategies")
    page.get_by_text("Compare strategies").click()
    _number(page, "Sessions", 50)
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_text("finished")).to_be_visible(timeout=60_000)
    driver.wait_until_idle(page)
    assert (site / "out" / "comparison-1.json").exists()
    expect(page.get_by_role("combobox", name="Comparison")).to_have_value(re.compile(r"comparison-1\.json"))
    # Five strategies in three markets, each in its colour.
    page.wait_for_function("document.querySelector('.js-plotly-plot').data.length == 5")
    assert _data(page, "data[0].marker.color") == "#0072b2"
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_text("finished")).to_have_count(0)


def test_a_comparison_is_cancelled(page, site):
    driver.open_section(page, "Strategies")
    page.get_by_text("Compare strategies").click()
    _number(page, "Sessions", 1_000_000)
    page.get_by_role("button", name="Compare", exact=True).click()
    bar = page.get_by_test_id("stProgress")
    expect(bar).to_contain_text("running", timeout=20_000)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("stopped, ")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Dismiss").click()
    assert not (site / "out" / "comparison-2.json").exists()


def test_policies_are_evaluated_from_the_page(page, site):
    driver.open_section(page, "Performance")
    page.get_by_text("Evaluate policies").click()
    _number(page, "Sessions", 20)
    page.get_by_role("button", name="Evaluate", exact=True).click()
    expect(page.get_by_text("finished")).to_be_visible(timeout=60_000)
    assert (site / "out" / "evaluation-flow-1.json").exists()
    expect(page.get_by_text("Their distribution")).to_be_visible(timeout=15_000)
    page.get_by_role("button", name="Dismiss").click()


def test_the_market_is_stepped_and_played(page):
    driver.open_section(page, "Market")
    driver.wait_for_figure(page)
    assert _time(page) == 30.0
    page.get_by_role("button", name="Step", exact=True).click()
    page.wait_for_function("document.body.innerText.includes('30.5 s')")
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("document.body.innerText.match(/3[2-9]\\.\\d s/)", timeout=30_000)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    driver.wait_until_idle(page)
    stood = _time(page)
    page.wait_for_timeout(1500)
    assert _time(page) == stood > 31.0


def test_the_kill_switch_of_a_trader_is_thrown(page, site):
    driver.open_section(page, "Live")
    driver.wait_for_figure(page)
    place = page.get_by_role("combobox", name="Trader or broker").input_value()
    name = "lowrider-1" if "lowrider-1" in place else "lowrider-2"
    page.get_by_role("button", name="Kill switch").click()
    throw = page.get_by_role("button", name="Throw the kill switch")
    expect(throw).to_be_disabled()
    page.get_by_text("I am sure").click()
    expect(throw).to_be_enabled(timeout=15_000)
    throw.click()
    expect(page.get_by_role("button", name="Kill switch is on")).to_be_disabled(timeout=15_000)
    assert (site / "trades" / name / "kill").exists()


def test_a_damaged_result_is_named_and_no_traceback(page, site):
    (site / "out" / "torn.json").write_text('{"cells": [{')
    try:
        for section in ("Performance", "Strategies", "Portfolio"):
            driver.open_section(page, section)
            expect(page.get_by_text("torn.json: no JSON")).to_be_visible(timeout=15_000)
    finally:
        (site / "out" / "torn.json").unlink()


@_PROGRAM
def test_a_backtest_is_run_from_the_page(page, site):
    driver.open_section(page, "Portfolio")
    page.get_by_text("Run a backtest").click()
    page.get_by_role("textbox", name="Strategies, as in the file").fill("equal_weight, buy_and_hold")
    page.get_by_role("textbox", name="Strategies, as in the file").press("Tab")
    driver.wait_until_idle(page)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text("finished")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("combobox", name="Backtest")).to_have_value(re.compile(r"backtest-1\.json"))
    page.get_by_role("button", name="Dismiss").click()


@_PROGRAM
def test_a_broker_is_started_seen_and_stopped(page, site):
    driver.open_section(page, "Live")
    page.get_by_text("Start a paper broker or a trader").click()
    page.get_by_role("button", name="Start", exact=True).first.click()
    expect(page.get_by_text("broker paper-1.db")).to_be_visible(timeout=20_000)
    expect(page.get_by_role("combobox", name="Trader or broker")).to_have_value(re.compile("paper-1"), timeout=20_000)
    expect(page.get_by_text("running", exact=True).first).to_be_visible(timeout=20_000)
    driver.wait_for_figure(page)
    page.get_by_role("button", name="Stop", exact=True).last.click()
    expect(page.get_by_text("broker paper-1.db").and_(page.get_by_text("finished"))).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Dismiss").click()


@pytest.mark.skipif(not files.knows("trade"), reason="the program lobgym has no command trade")
def test_a_trader_is_started_followed_and_killed(page, site):
    files.write_bars(site / "bars.csv", 0, 200)
    driver.open_section(page, "Live")
    page.get_by_text("Start a paper broker or a trader").click()
    page.get_by_role("tab", name="Trader (bars)").click()
    page.get_by_role("textbox", name="File of bars").fill("bars.csv")
    page.get_by_role("textbox", name="File of bars").press("Enter")
    driver.wait_until_idle(page)
    page.get_by_role("button", name="Start", exact=True).last.click()
    expect(page.get_by_text("trader lowrider-3")).to_be_visible(timeout=20_000)
    journal = site / "trades" / "lowrider-3" / "session.jsonl"
    _until(journal.exists)
    expect(page.get_by_role("combobox", name="Trader or broker")).to_have_value(
        re.compile("lowrider-3"), timeout=20_000
    )
    expect(page.get_by_text("running", exact=True).first).to_be_visible(timeout=20_000)
    files.write_bars(site / "bars.csv", 200, 60)
    driver.wait_for_figure(page)
    page.get_by_role("button", name="Kill switch").click()
    page.get_by_text("I am sure").click()
    page.get_by_role("button", name="Throw the kill switch").click()
    expect(page.get_by_text("killed", exact=True).first).to_be_visible(timeout=30_000)
    files.write_bars(site / "bars.csv", 260, 3)
    _until(lambda: json.loads(journal.read_text().splitlines()[-1]) == {"ending": "killed"})
    page.get_by_role("button", name="Dismiss").first.click()


@pytest.mark.skipif(not files.knows("train"), reason="the program lobgym is not built with the learners")
def test_a_training_is_started_from_the_page(page, site):
    page.get_by_text("Start a training").click()
    _number(page, "Environment steps", 64_000)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text("finished")).to_be_visible(timeout=120_000)
    assert (site / "runs" / "market_making_ppo-1" / "policy.safetensors").exists()
    page.get_by_role("button", name="Dismiss").click()
