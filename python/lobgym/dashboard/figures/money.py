"""Equity, losses since a maximum, turnover and costs: of backtests, brokers and traders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import plotly.graph_objects as go

from lobgym.dashboard.colours import Palette
from lobgym.dashboard.figures.base import faint, figure, thin, tint

__all__ = ["bars", "drawdowns", "equity", "falls", "growth", "prices", "weights"]

_POINTS = 1200


def falls(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Losses since the maximum before, as shares below zero."""
    peaks = np.maximum.accumulate(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(peaks > 0, values / peaks - 1.0, 0.0)


def _lines(made: go.Figure, x: Any, series: dict[str, np.ndarray[Any, Any]], palette: Palette, hover: str) -> None:
    for name, values in series.items():
        kept = thin(values, _POINTS)
        made.add_trace(
            go.Scatter(
                x=np.asarray(x)[: len(values)][kept],
                y=values[kept],
                name=palette.label(name),
                mode="lines",
                line={"color": palette[name], "width": 1.8},
                hovertemplate=hover,
            )
        )


def equity(
    x: Any, series: dict[str, np.ndarray[Any, Any]], palette: Palette, axis: str, title: str = "net asset value"
) -> go.Figure:
    """Net asset values."""
    alone = len(series) == 1
    made = figure(316 if alone else 400, axis, title, hovermode="x unified", showlegend=not alone)
    _lines(made, x, series, palette, "%{y:,.2f}")
    made.update_yaxes(tickformat=",~r")
    return made


def drawdowns(x: Any, series: dict[str, np.ndarray[Any, Any]], palette: Palette, axis: str) -> go.Figure:
    """Losses since the maximum before; alone, filled. The colours are those of the figure of the values."""
    made = figure(260, axis, "below the maximum", hovermode="x unified", showlegend=False)
    _lines(made, x, {name: falls(values) for name, values in series.items()}, palette, "%{y:.2%}")
    if len(series) == 1:
        colour = palette[next(iter(series))]
        made.update_traces(fill="tozeroy", fillcolor=tint(colour, 0.2))
    made.update_yaxes(tickformat="~%", rangemode="tozero")
    return made


def bars(values: dict[str, float], title: str, form: str, palette: Palette) -> go.Figure:
    """A bar a strategy."""
    made = figure(96 + 34 * max(len(values), 2), title, showlegend=False)
    for name, value in values.items():
        made.add_trace(
            go.Bar(
                x=[value],
                y=[palette.label(name)],
                orientation="h",
                name=palette.label(name),
                marker_color=palette[name],
                hovertemplate=f"%{{x:{form}}}",
            )
        )
    made.update_xaxes(tickformat=form)
    made.update_yaxes(
        categoryorder="array", categoryarray=[palette.label(name) for name in values][::-1], type="category"
    )
    return made


def growth(x: Any, series: dict[str, np.ndarray[Any, Any]], palette: Palette, axis: str, title: str) -> go.Figure:
    """Running sums of shares."""
    made = figure(300, axis, title, hovermode="x unified", showlegend=False)
    _lines(made, x, {name: np.cumsum(values) for name, values in series.items()}, palette, "%{y:.3~%}")
    made.update_yaxes(tickformat="~%", rangemode="tozero")
    return made


def prices(bars: pandas.DataFrame, x: Any, axis: str, theme: str) -> go.Figure:
    """The close of each bar, with what the trader bought and sold."""
    made = figure(320, axis, "price")
    line = "#5b6470" if theme == "light" else "#a0a8b3"
    kept = thin(bars["close"].to_numpy(), _POINTS)
    x = np.asarray(x)
    made.add_trace(
        go.Scatter(
            x=x[kept], y=bars["close"].to_numpy()[kept], mode="lines", name="close", line={"color": line, "width": 1.5}
        )
    )
    if "traded" in bars:
        traded = bars["traded"].fillna(0.0).to_numpy(dtype=float)
        paid = bars["price"].fillna(bars["close"]) if "price" in bars else bars["close"]
        kinds = (("bought", traded > 0, "triangle-up", 0), ("sold", traded < 0, "triangle-down", 1))
        for name, rows, symbol, side in kinds:
            if rows.any():
                colour = (("#4a7fb5", "#b3654a") if theme == "light" else ("#78a9d8", "#dc9478"))[side]
                made.add_trace(
                    go.Scatter(
                        x=x[rows],
                        y=paid.to_numpy(dtype=float)[rows],
                        mode="markers",
                        name=name,
                        marker={"symbol": symbol, "size": 10, "color": colour},
                        customdata=np.abs(traded[rows]),
                        hovertemplate="%{customdata:.6~g} at %{y:,.6~g}",
                    )
                )
    made.update_yaxes(tickformat=",~r")
    return made


def weights(positions: pandas.DataFrame, theme: str) -> go.Figure:
    """Shares of the net asset value."""
    made = figure(280, "asset", "share of the net asset value", showlegend=False)
    colour = "#4a7fb5" if theme == "light" else "#78a9d8"
    made.add_trace(
        go.Bar(x=positions["asset"].astype(str), y=positions["weight"], marker_color=colour, hovertemplate="%{y:.2%}")
    )
    made.update_xaxes(type="category")
    made.update_yaxes(tickformat=".0%")
    made.add_hline(y=0, line_color=faint(theme), line_width=1)
    return made
