"""Trading one asset: against arithmetic by hand, as a batch, from files of all kinds, in a recorded book, and what is refused."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

import lobgym

Array = NDArray[np.float64]

TRADER = "lobgym/Trader-v0"
PAGE = Path(__file__).parents[2] / "docs" / "environments" / "trader.md"
NAMES = ["start_ns", "open", "high", "low", "close", "volume", "bid", "bid_size", "ask", "ask_size"]

#: One feature, the last return, and whole episodes from the first bar on.
PLAIN: dict[str, Any] = {
    "features": "plain.yaml",
    "normalisation": None,
    "window": 1,
    "steps": None,
    "random_start": False,
}


def wandering(rows: int = 200, seed: int = 0) -> dict[str, Array]:
    """Bars of 10 s whose opens are not the closes before."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(0.01 * rng.standard_normal(rows)))
    opens = np.r_[100.0, close[:-1]] * (1 + 0.003 * rng.standard_normal(rows))
    high = np.maximum(opens, close) * (1 + 0.002 * rng.random(rows))
    low = np.minimum(opens, close) * (1 - 0.002 * rng.random(rows))
    half = 0.02 + 0.05 * rng.random(rows)
    stamps = 1.7e9 + 10 * np.arange(rows)
    sizes = 1 + 9 * rng.random((2, rows))
    columns = [stamps, opens, high, low, close, 100 * rng.random(rows), close - half, sizes[0], close + half, sizes[1]]
    return dict(zip(NAMES, columns, strict=True))


def write(bars: dict[str, Array], path: Path = Path("bars.csv")) -> Path:
    table = np.transpose(list(bars.values()))
    np.savetxt(path, table, fmt="%.17g", delimiter=",", header=",".join(bars), comments="")
    return path


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with bars and the feature set of `PLAIN`."""
    monkeypatch.chdir(tmp_path)
    write(wandering())
    Path("plain.yaml").write_text("features: [{name: r, indicator: {log_return: {period: 1}}}]")


def test_spot_does_what_its_page_says() -> None:
    bars = wandering()
    fees = {"maker_taker": {"maker": {"basis_points": 0.0}, "taker": {"basis_points": 3.0}}}
    settings = {
        **PLAIN,
        "bars": {"file": "bars.csv", "part": "all"},
        "lot": 0.4,
        "capital": 1_000.0,
        "blocking_cycles": False,
    }
    env = gymnasium.make(TRADER, **settings, transaction_cost=0.001, fees=fees, reward="profit")
    observation, info = env.reset(seed=3)
    half = (bars["ask"] - bars["bid"]) / 2
    rate, cash, units, spent, realised = 0.0013, 1_000.0, 0.0, 0.0, 0.0
    rng = np.random.default_rng(1)
    over, at = False, int(info["bar"])
    assert at == 1
    while not over:
        close = bars["close"][at]
        assert observation[0] == pytest.approx(np.log(close / bars["close"][at - 1]), abs=1e-7)
        equity = cash + units * close
        held = [units * close / equity, (units * close - spent) / equity]
        assert np.allclose(observation[[1, 2]], held, atol=1e-6)
        assert np.allclose(observation[5:], [equity / 1_000 - 1, 1.0], atol=1e-6)
        action = int(rng.choice(3, p=[0.3, 0.5, 0.2]))
        if cash < 1e-3:  # what rounding leaves buys nothing worth a look
            action = 2 * (action // 2)
        traded, price = 0.0, 0.0
        if action == 1:
            value = min(0.4 * equity, equity - units * close)
            # Half a spread away, and not below both of the quotes around the bar.
            price = max(bars["open"][at + 1] + half[at], min(bars["ask"][at : at + 2]))
            # At most what there is money for.
            traded = min(value / price, cash / (price * (1 + rate)))
            if value <= 0:
                traded, price = 0.0, 0.0
            spent += traded * price * (1 + rate)
            cash -= traded * price * (1 + rate)
        elif action == 2 and units > 0:
            price = min(bars["open"][at + 1] - half[at], max(bars["bid"][at : at + 2]))
            traded = -units
            realised += units * price * (1 - rate) - spent
            cash += units * price * (1 - rate)
            spent = 0.0
        units += traded
        observation, reward, terminated, truncated, info = env.step(action)
        over = terminated or truncated
        at += 1
        assert info["bar"] == at and info["time"] == pytest.approx(bars["start_ns"][at])
        found = [info[name] for name in ("traded_units", "fill_price", "position", "cash", "realised_profit")]
        assert found == pytest.approx([traded, price, units, cash, realised], abs=1e-7)
        worth = cash + units * bars["close"][at]
        assert reward == pytest.approx((worth - equity) / 10, abs=1e-7)
        assert info["profit"] == pytest.approx(info["realised_profit"] + info["unrealised_profit"], abs=1e-8)
    assert at == 199 and truncated and not terminated
    assert info["cycles"] > 5 and info["fills"] > 2 * info["cycles"]


def test_futures_are_funded_and_liquidated_by_the_formula() -> None:
    rows = 40
    price = np.r_[np.full(20, 100.0), np.linspace(100, 140, rows - 20)]
    bars = {"time": 1_700_000_000.0 + 30 * np.arange(rows), "close": price, "funding_rate": np.full(rows, 0.002)}
    write(bars)
    terms = {"leverage": 4.0, "maintenance_margin": 0.02, "funding_interval_seconds": 60.0, "liquidation_fee": 0.01}
    settings = {**PLAIN, "bars": {"file": "bars.csv", "part": "all"}, "capital": 1_000.0, "account": {"futures": terms}}
    env = lobgym.Env("trader", **settings)
    env.reset(seed=0)
    *_, info = env.step(2)
    assert (info["position"], info["equity"]) == (-40.0, 1_000.0)
    cash, at = info["cash"], 2
    terminated = False
    while not terminated:
        # 1,700,000,000 s is 20 s after a multiple of 60: fundings come at every second bar, and shorts receive them.
        fundings = bars["time"][at + 1] // 60 - bars["time"][at] // 60
        cash += 40 * price[at] * 0.002 * fundings
        observation, _, terminated, truncated, info = env.step(0)
        at += 1
        assert not truncated
        if not terminated:
            assert info["cash"] == pytest.approx(cash)
            liquidation = cash / (0.02 * 40 + 40)
            assert observation[-1] == pytest.approx(abs(liquidation / price[at] - 1), abs=1e-6)
            assert liquidation > price[at]
    liquidation = max(cash / (0.02 * 40 + 40), price[at - 1])
    assert price[at] >= liquidation and info["liquidated"] == 1 and info["position"] == 0
    assert info["fill_price"] == pytest.approx(liquidation)
    assert info["equity"] == pytest.approx(cash - 40 * liquidation * 1.01)
    assert -info["funding"] == pytest.approx(cash - 1_000 - 40 * 100)


def test_batches_are_single_environments() -> None:
    settings: dict[str, Any] = {"bars": {"file": "bars.csv"}, "window": 4, "steps": 30, "transaction_cost": 0.001}
    batch = gymnasium.make_vec(TRADER, 5, **settings, autoreset_mode="SameStep")
    assert isinstance(batch.unwrapped, lobgym.VectorEnv)
    env = lobgym.Env("trader", **settings)
    observations, _ = batch.reset(seed=3)
    observation, _ = env.reset(seed=5)
    batch.action_space.seed(2)
    starts = set()
    for _ in range(100):
        assert np.array_equal(observations[2], observation)
        actions = batch.action_space.sample()
        observations, rewards, terminated, truncated, _ = batch.step(actions)
        observation, reward, done, cut, info = env.step(actions[2])
        assert (rewards[2], terminated[2], truncated[2]) == (reward, done, cut)
        if done or cut:
            observation, info = env.reset()
            starts.add(info["bar"])
    assert len(starts) > 1  # drawn at random


@pytest.mark.parametrize(
    "settings",
    [
        {"bars": "bars.csv", "window": 2, "steps": 20},
        {"bars": "bars.csv", "window": 2, "steps": 20, "action": "lots", "account": {"futures": {"leverage": 3}}},
        {"market": "flow", "interval_seconds": 0.5, "steps": 10, "window": 2, "lot": 0.01},
    ],
)
def test_gymnasiums_checker_is_content(settings: dict[str, Any]) -> None:
    env = gymnasium.make(TRADER, **settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(env.unwrapped)
    assert [str(warning.message) for warning in caught if "infinity" not in str(warning.message)] == []


def play(**settings: Any) -> Array:
    """What an episode of the same actions shows."""
    env = lobgym.Env("trader", **settings)
    seen = [env.reset(seed=1)[0]]
    for step in range(20):
        seen.append(env.step(step % 3)[0])
    return np.asarray(seen)


def test_a_path_is_a_file_of_bars_with_all_else_at_its_defaults() -> None:
    given = play(bars={"file": "bars.csv"}, steps=20)
    Path("env.yaml").write_text("env: {name: trader, bars: bars.csv, steps: 20}")
    for settings in (
        {"bars": "bars.csv", "steps": 20},
        {"bars": Path("bars.csv"), "steps": 20},
        {"config": "env.yaml"},
    ):
        np.testing.assert_array_equal(play(**settings), given)
    bars = lobgym.Env("trader", bars="bars.csv", steps=20).config["bars"]
    assert bars == {"file": "bars.csv", "time": None, "extra": [], "train_share": 0.7, "part": "train"}


def test_parquet_files_are_bars() -> None:
    polars = pytest.importorskip("polars")
    bars = wandering()
    stamps = (bars["start_ns"] * 1e9).astype(np.int64)
    polars.DataFrame({**bars, "start_ns": stamps}).write_parquet("bars.parquet")
    np.testing.assert_array_equal(play(bars="bars.parquet", steps=20), play(bars="bars.csv", steps=20))


def test_training_and_test_bars_do_not_meet_and_are_scaled_alike() -> None:
    def bars(part: str, **more: Any) -> tuple[Array, Array]:
        settings = {"bars": {"file": "bars.csv", "part": part, "train_share": 0.6}, "window": 1, "random_start": False}
        env = lobgym.Env("trader", **settings, steps=None, **more)
        observation, info = env.reset(seed=0)
        rows, numbers, over = [observation], [info["bar"]], False
        while not over:
            observation, _, terminated, over, info = env.step(0)
            assert not terminated
            rows.append(observation)
            numbers.append(info["bar"])
        return np.asarray(numbers), np.asarray(rows)

    (train, seen), (test, unseen), (everything, whole) = bars("train"), bars("test"), bars("all")
    assert train[-1] == 119 and test[0] == 120 and test[-1] == everything[-1] == 199
    # All but the account is the same, whatever part is played, as the scale is that of the training bars.
    np.testing.assert_array_equal(np.r_[seen, unseen][:, :-6], whole[:, :-6])
    # Features have mean 0 and deviation 1 over the training bars, and there alone.
    fitted, later = seen[:, :-6].astype(np.float64), unseen[:, :-6]
    assert np.abs(fitted.mean(axis=0)).max() < 1e-5 and np.allclose(fitted.std(axis=0), 1.0, rtol=0.02)
    assert np.abs(later.mean(axis=0)).max() > 0.1
    np.testing.assert_array_equal(bars("test", normalisation=None)[0], test)


def test_extra_columns_are_seen_as_they_are() -> None:
    bars = wandering()
    bars["up_probability"] = np.linspace(0.0, 1.0, 200)
    write(bars)
    env = lobgym.Env(
        "trader", bars={"file": "bars.csv", "extra": ["up_probability"]}, window=2, random_start=False, steps=20
    )
    observation, info = env.reset(seed=0)
    names = [name for name, *_ in env.observation_components]
    now, before = names.index("up_probability, 0 bars ago"), names.index("up_probability, 1 bars ago")
    at = int(info["bar"])
    assert np.allclose(observation[[before, now]], bars["up_probability"][[at - 1, at]], atol=1e-6)


def test_a_recorded_market_is_traded_in_its_book() -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    Path("futures.yaml").write_text(blocks[0])
    env = lobgym.Env("trader", config="futures.yaml", steps=20)
    assert env.config["account"]["futures"]["leverage"] == 3.0
    env.reset(seed=1)
    # The page's market, with a recording made here: somebody quotes both sides each second, around a mid that goes up and down.
    header, lines = "id,timestamp,exchange.timestamp,price,volume,action,direction", []
    for second in range(800):
        at = 1_000_000 + 1_000 * second
        for order, price, side in [(2 * second, 100.0, "bid"), (2 * second + 1, 100.05, "ask")]:
            moved = round(price + 0.01 * abs(20 - second // 10 % 40), 2)
            lines.append((at, f"{order},{at},{at},{moved},500000000,created,{side}"))
            lines.append((at + 1500, f"{order},{at + 1500},{at + 1500},{moved},0,deleted,{side}"))
    lines.sort()
    Path("orders.csv").write_text("\n".join([header, *(line for _, line in lines)]) + "\n")
    market = blocks[1].replace("btcusdt.gz", "orders.csv, tick: '0.01', lot_multiple: 100000000")
    assert market.count("orders.csv") == 1
    Path("btcusdt.yaml").write_text(market)
    Path("env.yaml").write_text(blocks[2])
    env = lobgym.Env("trader", config="env.yaml", capital=10.0, lot=0.5)
    env.reset(seed=1)
    env.action_space.seed(0)
    for _ in range(300):
        observation, _, terminated, truncated, info = env.step(env.action_space.sample())
        assert np.isfinite(observation).all()
        lots = info["position"] / 0.001
        assert lots == pytest.approx(round(lots)) and info["cash"] >= -1e-9
        assert info["profit"] == pytest.approx(info["realised_profit"] + info["unrealised_profit"], abs=1e-9)
    assert truncated and not terminated and info["fills"] > 5 and info["fees"] > 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bars": 7}, r"bars is 7; legal: the path of a file, a map as in \{file: bars.csv, part: test\}, or null"),
        ({"bars": ""}, 'bars.file is ""; legal: the path of a file'),
        ({"bars": {"fil": "bars.csv"}}, "bars.fil"),
        ({"bars": {"file": "bars.csv", "part": "tests"}}, 'bars.part is "tests"; legal: one of all, train, test'),
        ({"bars": {"file": "bars.csv", "train_share": 0}}, "bars.train_share is 0; legal: a number above 0, at most 1"),
        ({"bars": {"file": "bars.csv", "extra": ["up"]}}, "up"),
        ({"bars": "bars.csv", "steps": 100_000}, "steps is 100000; legal: at most"),
        ({"bars": "bars.csv", "window": 500}, "200 usable bars"),
        ({"bars": "bars.csv", "action": "weights"}, 'action is "weights"; legal: trades or lots'),
        ({"bars": "bars.csv", "lot": 0}, "lot is 0; legal: a number above 0, at most 1"),
        ({"bars": "bars.csv", "capital": -1}, "capital is -1"),
        ({"bars": "bars.csv", "features": "defalt"}, "did you mean default"),
        (
            {"bars": "bars.csv", "account": {"futures": {"leverage": 500}}},
            "account.futures.leverage is 500; legal: less than 200",
        ),
        ({"bars": "bars.csv", "account": "margin"}, "account is"),
        ({"bars": "bars.csv", "fees": {"maker_taker": {"maker": {"basis_points": 0}}}}, "fees.maker_taker"),
        ({"blocking_cycle": True}, "did you mean blocking_cycles"),
    ],
)
def test_what_is_not_legal_is_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        lobgym.Env("trader", **settings)
    with pytest.raises(ValueError, match=words):
        lobgym.VectorEnv("trader", 2, **settings)


def test_a_file_that_is_missing_or_wrong_is_named_with_its_line() -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        lobgym.Env("trader", bars="none.csv")
    Path("wrong.csv").write_text("time,close\n1,100\n2,x\n")
    with pytest.raises(ValueError, match=r"wrong\.csv: line 3, .*close"):
        lobgym.Env("trader", bars="wrong.csv")
    Path("wrong.csv").write_text("time,open\n1,100\n")
    with pytest.raises(ValueError, match=r"wrong\.csv: .*close"):
        lobgym.Env("trader", bars="wrong.csv")
