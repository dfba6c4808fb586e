"""Feature sets from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lobgym import indicators
from lobgym.features import FeatureSet, Normalisation

RNG = np.random.default_rng(6)
CLOSE = 100 * np.exp(np.cumsum(0.002 * RNG.standard_normal(300)))
BARS: dict[str, Any] = {
    "open": CLOSE,
    "high": CLOSE + RNG.random(300),
    "low": CLOSE - RNG.random(300),
    "close": CLOSE,
    "volume": RNG.integers(1, 9, 300),
}
QUOTES: dict[str, Any] = {
    "bid_price": np.floor(CLOSE),
    "bid_size": RNG.integers(1, 9, 300),
    "ask_price": np.floor(CLOSE) + 1,
    "ask_size": RNG.integers(1, 9, 300),
}


@pytest.mark.parametrize(("name", "columns"), [("default", BARS), ("microstructure", QUOTES)])
def test_whole_columns_and_ticks_give_the_same_rows(name: str, columns: dict[str, Any]) -> None:
    features = FeatureSet(name)
    rows = features.rows(**columns)
    assert rows.shape == (300, len(features.names))
    for _ in range(2):
        ticks = zip(*columns.values(), strict=True)
        streamed = np.array([features.update(**dict(zip(columns, tick, strict=True))) for tick in ticks])
        assert streamed.tobytes() == rows.tobytes()
        features.reset()
    assert np.isnan(rows[features.warm_up - 1]).any() and not np.isnan(rows[features.warm_up :]).any()
    assert set(features.needed) - {"session"} <= set(columns)
    assert FeatureSet(features.config).rows(**columns).tobytes() == rows.tobytes()


def test_columns_are_the_indicators(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("features: [{name: ema, indicator: {ema: {period: 9}}, express: gap}]\n")
    expected = indicators.ema(CLOSE, 9) / CLOSE - 1
    np.testing.assert_array_equal(FeatureSet(file).rows(close=CLOSE)[:, 0], expected)


@pytest.mark.parametrize("method", ["mean_std", "median_iqr"])
def test_normalisation_knows_its_span_alone(method: str) -> None:
    features = FeatureSet()
    rows = features.rows(**BARS)
    fit = Normalisation.fit(features, rows, (0, 200), method=method, times_ns=range(300))
    later = rows.copy()
    later[200:] = 1e9
    again = Normalisation.fit(features, later, (0, 200), method=method, times_ns=range(300))
    assert fit.to_json() == again.to_json() == Normalisation.from_json(fit.to_json()).to_json()
    assert (fit.span, fit.names) == ((0, 200), features.names)
    known = rows[features.warm_up : 200]
    if method == "mean_std":
        centre, scale = known.mean(axis=0), known.std(axis=0)
    else:
        centre = np.median(known, axis=0)
        scale = np.subtract(*np.percentile(known, [75, 25], axis=0))
    np.testing.assert_allclose(fit.centre, centre, rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(fit.scale, scale, rtol=1e-10)
    np.testing.assert_array_equal(fit.apply(rows), (rows - fit.centre) / fit.scale)


def test_what_is_not_legal_is_named() -> None:
    features = FeatureSet()
    with pytest.raises(ValueError, match='config is "defalt"; legal: one of default, microstructure'):
        FeatureSet("defalt")
    with pytest.raises(ValueError, match=r"features\[0\].indicator.ema.period is 0; legal"):
        FeatureSet({"features": [{"name": "a", "indicator": {"ema": {"period": 0}}}]})
    with pytest.raises(TypeError, match="price is an unknown argument; legal: open, high"):
        features.update(price=1.0)
    with pytest.raises(ValueError, match="close is NaN; legal"):
        features.update(high=1.0)
    with pytest.raises(TypeError, match="high is missing; needed: high, low, close, volume, session"):
        features.rows(close=CLOSE)
    with pytest.raises(ValueError, match="volume is 299 long; legal: 300 long, as open is"):
        features.rows(**BARS | {"volume": CLOSE[1:]})
    bad = CLOSE.copy()
    bad[7] = np.nan
    with pytest.raises(ValueError, match=r"close\[7\] is NaN; legal"):
        features.rows(**BARS | {"close": bad})
    rows = features.rows(**BARS)
    with pytest.raises(ValueError, match="span is 5 to 301; legal: rows 0 to 300, at least 2"):
        Normalisation.fit(features, rows, (5, 301))
    with pytest.raises(ValueError, match='method is "mean"; legal: one of mean_std, median_iqr'):
        Normalisation.fit(features, rows, (5, 300), method="mean")
    with pytest.raises(ValueError, match="rows has 2 columns; legal: "):
        Normalisation.fit(features, rows[:, :2], (5, 300))
    with pytest.raises(ValueError, match="normalisation is "):
        Normalisation.from_json("{}")
