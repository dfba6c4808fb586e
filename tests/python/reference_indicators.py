"""Write what TA-Lib says of the indicators that it has, for gym/tests/indicators.rs and tests/python/test_indicators.py.

Run with TA-Lib (from PyPI, 0.8.2 at the time of writing) and write the output to gym/tests/data/talib.json:

    python tests/python/reference_indicators.py > gym/tests/data/talib.json

Prices have a cent's precision, so that decimal text has all their digits; outputs are written with all of theirs.
"""

import json
import math

import numpy as np
import talib


def numbers(values):
    return [None if math.isnan(value) else float(value) for value in values]


def case(indicator, settings, inputs, outputs):
    return {
        "indicator": indicator,
        "settings": settings,
        "inputs": inputs,
        "outputs": [numbers(output) for output in outputs],
    }


def main():
    rng = np.random.default_rng(8)
    rows = 120
    close = np.round(100 * np.exp(np.cumsum(0.01 * rng.standard_normal(rows))), 2)
    # A stretch without any change.
    close[60:66] = close[60]
    high = np.round(close + 0.6 * rng.random(rows), 2)
    low = np.round(close - 0.6 * rng.random(rows), 2)
    # Gaps that the range of a bar does not span.
    high[80:], low[80:], close[80:] = high[80:] + 7, low[80:] + 7, close[80:] + 7
    high, low, close = np.round(high, 2), np.round(low, 2), np.round(close, 2)
    flat = np.full(40, 100.1)
    series = {"high": high, "low": low, "close": close, "flat": flat}

    cases = []
    for period in (1, 2, 14, 50):
        cases.append(case("sma", {"period": period}, ["close"], [talib.SMA(close, period)]))
        cases.append(case("ema", {"period": period}, ["close"], [talib.EMA(close, period)]))
    for period in (2, 5, 14, 50):
        cases.append(case("rsi", {"period": period}, ["close"], [talib.RSI(close, period)]))
    cases.append(case("rsi", {"period": 14}, ["flat"], [talib.RSI(flat, 14)]))
    for fast, slow, signal in ((12, 26, 9), (2, 3, 1), (5, 35, 5)):
        settings = {"fast": fast, "slow": slow, "signal": signal}
        cases.append(case("macd", settings, ["close"], talib.MACD(close, fast, slow, signal)))
    for period, up, down in ((20, 2.0, 2.0), (5, 1.0, 2.5), (2, 3.0, 0.0)):
        settings = {"period": period, "deviations_up": up, "deviations_down": down}
        cases.append(case("bollinger", settings, ["close"], talib.BBANDS(close, period, up, down)))
    cases.append(case("bollinger", {"period": 20}, ["flat"], talib.BBANDS(flat, 20, 2, 2)))
    for period in (1, 2, 14, 50):
        cases.append(case("atr", {"period": period}, ["high", "low", "close"], [talib.ATR(high, low, close, period)]))
    versions = {"package": talib.__version__, "library": talib.__ta_version__.decode().partition(" ")[0]}
    print(json.dumps({"talib": versions, "series": {key: numbers(one) for key, one in series.items()}, "cases": cases}))


if __name__ == "__main__":
    main()
