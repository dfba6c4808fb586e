"""Pictures of the dashboard for the documentation (`make screenshots`): short trainings, comparisons and a broker's ledger, then a browser."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dashboard_browser as driver
import dashboard_files as files

ROOT = Path(__file__).parents[2]
#: The sections with a picture in docs/dashboard.md.
SHOWN = ("Training", "Strategies", "Market", "Live")
_LIMIT = 300 * 1024


def _run(*words: str | Path, site: Path) -> None:
    print("$", *words, flush=True)
    done = subprocess.run([str(word) for word in words], cwd=site, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"it failed: {done.stderr[-2000:]}")


def prepare(site: Path) -> None:
    """What the pictures show; what is there already is left as it is."""
    program = files.program()
    if program is None:
        raise SystemExit("there is no program lobgym with the learners: make torch")
    (site / "out").mkdir(parents=True, exist_ok=True)
    trainings = (
        ("market_making_risk_0.001", "market_making_ppo", 2_000_000, ("env.market=flow", "env.risk_aversion=0.001")),
        ("market_making_risk_0.01", "market_making_ppo", 2_000_000, ("env.market=flow", "env.risk_aversion=0.01")),
        ("execution_ppo", "execution_ppo", 1_500_000, ("env.market=flow", "env.lots=20")),
    )
    for name, config, steps, settings in trainings:
        run = site / "runs" / name
        if not (run / "policy.safetensors").exists():
            words = [word for setting in (f"train.steps={steps}", *settings) for word in ("--set", setting)]
            _run(program, "train", ROOT / "config" / "train" / f"{config}.yaml", "--out", run, *words, site=site)
    work = [sys.executable, "-m", "lobgym.dashboard.work"]
    if not (site / "out" / "comparison.json").exists():
        words = ["--market", "noise", "--market", "flow", "--market", "strategic", "--lots", "20", "--episodes", "2000"]
        for strategy in ("policy:runs/execution_ppo", "sl", "twap", "vwap", "ac", "market"):
            words += ["--strategy", strategy]
        _run(*work, "compare", "--out", "out/comparison.json", *words, site=site)
    if not (site / "out" / "backtest.json").exists():
        _run(program, "backtest", ROOT / "config/backtest/default.yaml", "--json", "out/backtest.json", site=site)
    if not (site / "paper.db").exists():
        words = [
            "paper",
            "--db",
            "paper.db",
            "--speed",
            "max",
            "--steps",
            "250",
            "--policy",
            "risk_parity:window=60",
            "--seed",
            "2",
        ]
        _run(program, *words, site=site)


def _market(page: Any) -> None:
    driver.wait_for_figure(page)
    for _ in range(2):
        page.get_by_role("button", name="20 steps").click()
        page.wait_for_timeout(1000)
        driver.wait_until_idle(page)


def take(site: Path, out: Path, scheme: str) -> None:
    """A picture of each of some sections, as high as it is, at a laptop's width."""
    special: dict[str, Callable[[Any], None]] = {"Market": _market}
    with driver.browser() as browser, driver.dashboard(site) as address:
        page = browser.new_context(viewport=driver.SIZE, color_scheme=scheme).new_page()
        page.goto(address)
        for section in SHOWN:
            page.get_by_role("link", name=section, exact=True).first.wait_for()
            driver.open_section(page, section)
            special.get(section, driver.wait_for_figure)(page)
            page.mouse.move(0, 400)
            content = page.evaluate("document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight")
            page.set_viewport_size({**driver.SIZE, "height": min(int(content) + 10, 1700)})
            page.wait_for_timeout(1500)
            driver.wait_until_idle(page)
            path = out / f"dashboard_{section.lower()}.png"
            page.screenshot(path=path)
            page.set_viewport_size(driver.SIZE)
            size = path.stat().st_size
            print(f"{path}: {size // 1024} KB", flush=True)
            if size > _LIMIT:
                raise SystemExit(f"{path} is larger than {_LIMIT // 1024} KB")


def main() -> None:
    """Makes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", type=Path, default=ROOT / "out" / "dashboard", help="where runs and results are made")
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    parser.add_argument("--scheme", choices=["light", "dark"], default="light")
    given = parser.parse_args()
    site = given.site.resolve()
    prepare(site)
    take(site, given.out, given.scheme)


if __name__ == "__main__":
    main()
