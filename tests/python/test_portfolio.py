"""Multi-asset trading and portfolio rebalancing with arrays from Python."""

from __future__ import annotations

import datetime
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from numpy.typing import NDArray

import lobgym

Array = NDArray[np.float64]

MULTI = "lobgym/MultiAssetTrading-v0"
PORTFOLIO = "lobgym/PortfolioRebalancing-v0"


def market(rows: int = 60, assets: int = 4, features: int = 3, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    prices = 100.0 * np.exp(np.cumsum(0.02 * rng.standard_normal((rows, assets)), axis=0))
    return prices, rng.standard_normal((rows, features))


def trade(prices: Array, features: Array, actions: list[Array], cash: float, cost: float) -> list[tuple[Array, float]]:
    """The description of the environment, literally."""
    n = prices.shape[1]
    shares = np.zeros(n)
    seen = []
    for t, action in enumerate(actions):
        before = cash + shares @ prices[t]
        value = before / n * np.clip(action, -1.0, 1.0)
        target = np.divide(value, prices[t], out=np.zeros(n), where=prices[t] > 0)
        notional = (target - shares) * prices[t]
        cash -= notional.sum() + cost * np.abs(notional).sum()
        shares = target
        after = cash + shares @ prices[t + 1]
        observation = np.concatenate([features[t + 1], shares * prices[t + 1] / after, [cash / after]])
        seen.append((observation, (after - before) / (before + 1e-8)))
    return seen


def test_multi_asset_trading_does_what_its_page_says() -> None:
    prices, features = market()
    prices[10, 1] = 0.0
    env = gymnasium.make(MULTI, prices=prices, features=features, initial_cash=100_000.0, transaction_cost=0.0005)
    observation, info = env.reset(seed=1)
    assert observation.dtype == np.float32 and observation.shape == (3 + 4 + 1,)
    assert np.allclose(observation, [*features[0], 0, 0, 0, 0, 1])
    assert info["equity"] == info["cash"] == 100_000.0
    rng = np.random.default_rng(3)
    actions = [rng.uniform(-1, 1, 4).astype(np.float32).astype(np.float64) for _ in range(59)]
    for t, (expected, reward) in enumerate(trade(prices, features, actions, 100_000.0, 0.0005)):
        found = env.step(actions[t])
        assert np.allclose(found[0], expected, rtol=1e-6, atol=1e-6)
        assert found[1] == pytest.approx(reward, rel=1e-9, abs=1e-12)
        assert (found[2], found[3]) == (t == 58, False)


def test_batches_of_given_prices_are_single_environments() -> None:
    prices, features = market(rows=20)
    batch = gymnasium.make_vec(MULTI, 5, prices=prices, features=features, autoreset_mode="SameStep")
    assert isinstance(batch.unwrapped, lobgym.VectorEnv)
    env = lobgym.Env("multi_asset_trading", prices=prices, features=features)
    observations, _ = batch.reset(seed=3)
    observation, _ = env.reset(seed=5)
    batch.action_space.seed(2)
    for _ in range(60):
        assert np.array_equal(observations[2], observation)
        actions = batch.action_space.sample()
        observations, rewards, terminated, truncated, _ = batch.step(actions)
        observation, reward, done, cut, _ = env.step(actions[2])
        assert (rewards[2], terminated[2], truncated[2]) == (reward, done, cut)
        if done or cut:
            observation, _ = env.reset()


@pytest.mark.parametrize(
    ("id", "settings"),
    [
        (MULTI, {"prices": market()[0], "features": market()[1]}),
        (MULTI, {"prices": market()[0]}),
        (PORTFOLIO, {"prices": market()[0]}),
        (PORTFOLIO, {}),
        (PORTFOLIO, {"weights": "long_short", "cash": True, "leverage": 2.0, "prices": {"garch": {}}}),
    ],
)
def test_gymnasiums_checker_is_content(id: str, settings: dict[str, Any]) -> None:
    env = gymnasium.make(id, **settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(env.unwrapped)
    assert [str(warning.message) for warning in caught if "infinity" not in str(warning.message)] == []


@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8"])
def test_arrays_of_other_numbers_and_layouts_are_the_same_prices(dtype: str) -> None:
    prices = np.arange(1, 41).reshape(10, 4).astype(dtype)
    runs = []
    for given in (prices, np.asfortranarray(prices), prices.tolist(), prices.astype(np.float64)):
        env = lobgym.Env("multi_asset_trading", prices=given)
        runs.append([env.reset(seed=1), *(env.step(np.full(4, 0.5)) for _ in range(9))])
    assert all(data_equivalence(runs[0], run, exact=True) for run in runs[1:])


def test_prices_are_copied() -> None:
    prices, _ = market()
    env = lobgym.Env("multi_asset_trading", prices=prices)
    env.reset(seed=1)
    first = [env.step(np.full(4, 0.5))[1] for _ in range(10)]
    prices[:] = 1.0
    env.reset(seed=1)
    assert first == [env.step(np.full(4, 0.5))[1] for _ in range(10)]
    assert np.shape(env.config["prices"]["given"]["table"]) == (60, 4)


NAN = np.full((5, 2), np.nan)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"prices": np.ones(5)}, r"prices is an array of shape \(5,\); legal: .*\(T, N\)"),
        ({"prices": np.ones((5, 2, 1))}, r"shape \(5, 2, 1\)"),
        ({"prices": np.array([["a", "b"]] * 5)}, r"prices is an array of <U1"),
        ({"prices": np.ones((5, 2), complex)}, "complex128"),
        ({"prices": np.ones((5, 2), bool)}, "array of bool"),
        ({"prices": [[1.0], [1.0, 2.0]]}, "prices is"),
        ({"prices": object()}, "prices is an array of object"),
        ({"prices": NAN}, r"prices\[0\]\[0\] is NaN; legal: a finite number"),
        ({"prices": np.ones((1, 2))}, "1 x 2; legal: 2 rows or more"),
        ({"prices": np.ones((5, 0))}, "5 x 0"),
        ({"prices": np.ones((5, 2)), "features": NAN}, r"features\[0\]\[0\] is NaN"),
        ({"prices": np.ones((5, 2)), "features": np.ones((4, 1))}, "features is a table of 4 x 1; legal: 5 rows"),
        ({"prices": np.ones((5, 2)), "features": np.ones(5)}, r"features is an array of shape \(5,\)"),
        ({"prices": np.ones((5, 2)), "assets": 3}, "assets is 3; legal: 2"),
        ({"features": np.ones((5, 2))}, "features"),
        ({"prices": np.ones((5, 2)), "transaction_cost": -0.1}, "transaction_cost is -0.1"),
        ({"prices": np.ones((5, 2)), "initial_cash": 0.0}, "initial_cash is 0"),
        ({"prices": {"gbm": {}}}, "geometric_brownian"),
    ],
)
def test_what_is_no_table_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        lobgym.Env("multi_asset_trading", **settings)
    with pytest.raises(ValueError, match=words):
        lobgym.VectorEnv("multi_asset_trading", 2, **settings)


def test_a_portfolio_takes_prices_or_a_source() -> None:
    prices, _ = market(rows=100)
    env = gymnasium.make(PORTFOLIO, prices=prices)
    observation, info = env.reset(seed=1)
    assert observation.shape == (4, 3) and info["nav"] == 1_000_000.0
    # The first decision comes after the longest window: 20 periods.
    assert np.allclose(observation[:, 0], np.log(prices[20] / prices[0]), atol=1e-6)
    growth = np.diff(np.log(prices[:21]), axis=0)
    assert np.allclose(observation[:, 1], growth.var(axis=0, ddof=1), rtol=1e-5)
    assert np.allclose(observation[:, 2], 0.25)
    _, reward, _, _, info = env.step(np.array([1.0, 0.0, 0.0, 0.0]))
    assert reward == pytest.approx(np.log((1 - 0.001 * 1.5) * prices[21, 0] / prices[20, 0]), abs=1e-12)
    assert info["turnover"] == pytest.approx(1.5) and info["fees"] == pytest.approx(1500.0)
    with pytest.raises(ValueError, match=r"prices\[3\]\[1\] is 0; legal: a price > 0"):
        prices[3, 1] = 0.0
        lobgym.Env("portfolio_rebalancing", prices=prices)


def test_a_portfolios_batch_has_its_shape() -> None:
    batch = gymnasium.make_vec(PORTFOLIO, 8, assets=6, prices={"merton": {"jump_rate": 10}})
    observations, _ = batch.reset(seed=1)
    assert observations.shape == (8, 6, 3) and batch.single_action_space.shape == (6,)
    observations, rewards, terminated, truncated, infos = batch.step(batch.action_space.sample())
    assert observations in batch.observation_space and rewards.shape == (8,)
    assert not terminated.any() and not truncated.any() and (infos["nav"] > 0).all()


@pytest.mark.parametrize("name", ["PortfolioRebalancing", "MultiAssetTrading"])
def test_fees_and_impact_are_settings_like_others(name: str) -> None:
    """They are charged besides the share, one by one, and what is not legal is named."""

    def costs(**settings: Any) -> tuple[float, float]:
        env = gymnasium.make(f"lobgym/{name}-v0", transaction_cost=0.0, **settings)
        env.reset(seed=3)
        action = np.zeros(env.action_space.shape, np.float32)
        action[0] = 1.0
        *_, info = env.step(action)
        return info["fees"], info["impact"]

    fees = {"maker_taker": {"maker": {"basis_points": 0.0}, "taker": {"basis_points": 2.0}}}
    impact = {"square_root": {"y": 0.5, "memory_seconds": 3600.0}}
    assert costs() == (0.0, 0.0)
    assert costs(fees=fees)[0] > 0 and costs(fees=fees)[1] == 0.0
    thin, deep = costs(impact=impact, conditions={"volume": 1e7}), costs(impact=impact, conditions={"volume": 1e9})
    assert thin[0] == deep[0] == 0.0 and thin[1] > 5 * deep[1] > 0
    with pytest.raises(ValueError, match=r"impact.square_root.y is -1"):
        costs(impact={"square_root": {"y": -1.0}})


@pytest.mark.parametrize("compression", ["zstd", "snappy", "gzip", "lz4", "uncompressed"])
def test_parquet_files_are_prices(tmp_path: Path, compression: Any) -> None:
    polars = pytest.importorskip("polars")
    prices, _ = market()
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(days=row) for row in range(len(prices))]
    wide = polars.DataFrame({"day": days, **{name: prices[:, i] for i, name in enumerate("ABCD")}})
    long = wide.unpivot(index="day", variable_name="asset", value_name="close").sort("day", maintain_order=True)
    files = {"wide": wide, "long": long}
    given = follow(prices)
    for layout, frame in files.items():
        path = tmp_path / f"{layout}.parquet"
        frame.write_parquet(path, compression=compression)
        found = follow({"parquet": {"file": str(path), "layout": layout, "time": "day"}})
        np.testing.assert_array_equal(found, given)
    with pytest.raises(ValueError, match="parquet: "):
        follow({"csv": {"file": str(tmp_path / "wide.parquet")}})


def test_the_index_of_a_pandas_frame_is_the_time_of_a_parquet_file(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pandas writes Parquet with pyarrow")
    pandas = pytest.importorskip("pandas")
    prices, _ = market()
    frame = pandas.DataFrame(prices, index=pandas.date_range("2024-01-01", periods=len(prices)), columns=list("ABCD"))
    frame.to_parquet(tmp_path / "bars.parquet")
    np.testing.assert_array_equal(follow({"parquet": {"file": str(tmp_path / "bars.parquet")}}), follow(prices))


def follow(prices: Any) -> Array:
    """What an episode of equal weights shows and earns."""
    env = gymnasium.make(PORTFOLIO, prices=prices, return_windows=[2], risk_window=5)
    seen = [env.reset(seed=0)[0]]
    rewards = []
    done = False
    while not done:
        observation, reward, terminated, truncated, _ = env.step(np.full(4, 0.25, dtype=np.float32))
        seen.append(observation)
        rewards.append(float(reward))
        done = terminated or truncated
    return np.concatenate([np.asarray(seen, dtype=np.float64).ravel(), np.asarray(rewards)])
