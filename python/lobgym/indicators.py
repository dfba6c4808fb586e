"""Technical and microstructure indicators: functions of arrays, and classes that take a tick at a time.

Both give the same bits. Where TA-Lib has an indicator, values and warm-up are its own (unstable period 0). Arrays of any numbers go in,
arrays of float64 of the same length come out, NaN during the warm-up; the GIL is released meanwhile. What is not legal raises ``ValueError``
(``TypeError`` for what is no number at all) with the argument, its value and what is legal; a number that is NaN or infinite is
refused as in ``close[17] is NaN``, and a refused ``update`` changes nothing. Formulas, sources and warm-ups: docs/indicators.md.

>>> import lobgym.indicators
>>> lobgym.indicators.rsi([10.0, 11.0, 10.5, 12.0], period=2).tolist()
[nan, nan, 66.66666666666666, 88.88888888888889]
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from lobgym._core import _Indicator, _indicator

__all__ = [
    "Atr",
    "Bands",
    "BandsArrays",
    "Bollinger",
    "Ema",
    "LogReturn",
    "Macd",
    "MacdArrays",
    "MacdLines",
    "MicropriceDeviation",
    "OrderFlowImbalance",
    "Rsi",
    "Sma",
    "Volatility",
    "Vwap",
    "atr",
    "bollinger",
    "ema",
    "log_return",
    "macd",
    "microprice_deviation",
    "order_flow_imbalance",
    "rsi",
    "sma",
    "volatility",
    "vwap",
]

_Array: TypeAlias = npt.NDArray[np.float64]
_Divisor: TypeAlias = Literal["sample", "population"]
#: ``"relative"``, ``"price"`` or the size of a tick.
_Unit: TypeAlias = Literal["relative", "price"] | float


class MacdArrays(NamedTuple):
    """What :func:`macd` gives, in money."""

    line: _Array
    signal: _Array
    histogram: _Array


class MacdLines(NamedTuple):
    """What :class:`Macd` gives, in money."""

    line: float
    signal: float
    histogram: float


class BandsArrays(NamedTuple):
    """What :func:`bollinger` gives, in money."""

    upper: _Array
    middle: _Array
    lower: _Array


class Bands(NamedTuple):
    """What :class:`Bollinger` gives, in money."""

    upper: float
    middle: float
    lower: float


def _unit(unit: _Unit) -> dict[str, Any]:
    return {"unit": unit if isinstance(unit, str) else {"ticks": unit}}


def _bands(period: int, deviations_up: float, deviations_down: float) -> dict[str, Any]:
    return {"period": period, "deviations_up": deviations_up, "deviations_down": deviations_down}


def sma(close: npt.ArrayLike, period: int = 20) -> _Array:
    """Simple moving average of ``period`` values; from index ``period - 1``."""
    return _indicator("sma", {"period": period}, (close,))[0]


def ema(close: npt.ArrayLike, period: int = 20) -> _Array:
    """Exponential moving average, weight ``2 / (period + 1)``, begun with the mean of ``period`` values; from index ``period - 1``."""
    return _indicator("ema", {"period": period}, (close,))[0]


def rsi(close: npt.ArrayLike, period: int = 14) -> _Array:
    """Wilder's relative strength index, 0 to 100; from index ``period``."""
    return _indicator("rsi", {"period": period}, (close,))[0]


def macd(close: npt.ArrayLike, fast: int = 12, slow: int = 26, signal: int = 9) -> MacdArrays:
    """Moving average convergence and divergence: line, signal, histogram; from index ``slow + signal - 2``."""
    return MacdArrays(*_indicator("macd", {"fast": fast, "slow": slow, "signal": signal}, (close,)))


def bollinger(
    close: npt.ArrayLike, period: int = 20, deviations_up: float = 2.0, deviations_down: float = 2.0
) -> BandsArrays:
    """Bollinger bands with the population's deviation: upper, middle, lower; from index ``period - 1``."""
    return BandsArrays(*_indicator("bollinger", _bands(period, deviations_up, deviations_down), (close,)))


def atr(high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, period: int = 14) -> _Array:
    """Wilder's average true range, in money; from index ``period``."""
    return _indicator("atr", {"period": period}, (high, low, close))[0]


def vwap(
    price: npt.ArrayLike,
    volume: npt.ArrayLike,
    *,
    window: int | None = None,
    session: npt.ArrayLike | None = None,
) -> _Array:
    """Volume-weighted average price since the session began, or over ``window`` ticks, which sessions do not end.

    A session begins where the number in ``session`` changes; without it there is one. While nothing is traded, the last value stays;
    NaN before the first volume.
    """
    return _indicator("vwap", {"window": window}, (price, volume, session))[0]


def volatility(close: npt.ArrayLike, period: int = 20, divisor: _Divisor = "sample") -> _Array:
    """Standard deviation of ``period`` log returns, per tick, a sample's by default (divisor ``period - 1``); from index ``period``."""
    return _indicator("volatility", {"period": period, "divisor": divisor}, (close,))[0]


def log_return(close: npt.ArrayLike, period: int = 1) -> _Array:
    """Logarithm of the price over that ``period`` ticks before; from index ``period``."""
    return _indicator("log_return", {"period": period}, (close,))[0]


def order_flow_imbalance(
    bid_price: npt.ArrayLike,
    bid_size: npt.ArrayLike,
    ask_price: npt.ArrayLike,
    ask_size: npt.ArrayLike,
    window: int = 10,
) -> _Array:
    """Order-flow imbalance of Cont, Kukanov and Stoikov over ``window`` changes of quotes, in units of size; from index ``window``."""
    return _indicator("order_flow_imbalance", {"window": window}, (bid_price, bid_size, ask_price, ask_size))[0]


def microprice_deviation(
    bid_price: npt.ArrayLike,
    bid_size: npt.ArrayLike,
    ask_price: npt.ArrayLike,
    ask_size: npt.ArrayLike,
    unit: _Unit = "relative",
) -> _Array:
    """The size-weighted mid-price less the mid-price, as a share of the mid, in money (``"price"``), or in ticks of the size given."""
    return _indicator("microprice_deviation", _unit(unit), (bid_price, bid_size, ask_price, ask_size))[0]


class _Streaming:
    """An indicator that takes a tick at a time."""

    def __init__(self, name: str, **settings: Any) -> None:
        self._native = _Indicator(name, settings)

    def reset(self) -> None:
        """As new."""
        self._native.reset()

    @property
    def warm_up(self) -> int:
        """Ticks at the beginning that give NaN."""
        return self._native.warm_up


class _OfClose(_Streaming):
    def update(self, close: float) -> float:
        """Takes a tick in; NaN during the warm-up."""
        value: float = self._native.update(close)
        return value


class _OfQuotes(_Streaming):
    def update(self, bid_price: float, bid_size: float, ask_price: float, ask_size: float) -> float:
        """Takes best prices and sizes in; NaN during the warm-up."""
        value: float = self._native.update(bid_price, bid_size, ask_price, ask_size)
        return value


class Sma(_OfClose):
    """:func:`sma`, a tick at a time."""

    def __init__(self, period: int = 20) -> None:
        super().__init__("sma", period=period)


class Ema(_OfClose):
    """:func:`ema`, a tick at a time."""

    def __init__(self, period: int = 20) -> None:
        super().__init__("ema", period=period)


class Rsi(_OfClose):
    """:func:`rsi`, a tick at a time."""

    def __init__(self, period: int = 14) -> None:
        super().__init__("rsi", period=period)


class Volatility(_OfClose):
    """:func:`volatility`, a tick at a time."""

    def __init__(self, period: int = 20, divisor: _Divisor = "sample") -> None:
        super().__init__("volatility", period=period, divisor=divisor)


class LogReturn(_OfClose):
    """:func:`log_return`, a tick at a time."""

    def __init__(self, period: int = 1) -> None:
        super().__init__("log_return", period=period)


class Macd(_Streaming):
    """:func:`macd`, a tick at a time."""

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        super().__init__("macd", fast=fast, slow=slow, signal=signal)

    def update(self, close: float) -> MacdLines:
        """Takes a tick in; NaN during the warm-up."""
        return MacdLines(*self._native.update(close))


class Bollinger(_Streaming):
    """:func:`bollinger`, a tick at a time."""

    def __init__(self, period: int = 20, deviations_up: float = 2.0, deviations_down: float = 2.0) -> None:
        super().__init__("bollinger", **_bands(period, deviations_up, deviations_down))

    def update(self, close: float) -> Bands:
        """Takes a tick in; NaN during the warm-up."""
        return Bands(*self._native.update(close))


class Atr(_Streaming):
    """:func:`atr`, a tick at a time."""

    def __init__(self, period: int = 14) -> None:
        super().__init__("atr", period=period)

    def update(self, high: float, low: float, close: float) -> float:
        """Takes a bar in; NaN during the warm-up."""
        value: float = self._native.update(high, low, close)
        return value


class Vwap(_Streaming):
    """:func:`vwap`, a tick at a time."""

    def __init__(self, window: int | None = None) -> None:
        super().__init__("vwap", window=window)

    def update(self, price: float, volume: float, session: float = 0.0) -> float:
        """Takes a trade or a bar in; NaN during the warm-up and before the first volume."""
        value: float = self._native.update(price, volume, session)
        return value


class OrderFlowImbalance(_OfQuotes):
    """:func:`order_flow_imbalance`, a tick at a time."""

    def __init__(self, window: int = 10) -> None:
        super().__init__("order_flow_imbalance", window=window)


class MicropriceDeviation(_OfQuotes):
    """:func:`microprice_deviation`, a tick at a time."""

    def __init__(self, unit: _Unit = "relative") -> None:
        super().__init__("microprice_deviation", **_unit(unit))
