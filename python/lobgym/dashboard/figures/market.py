"""The book: ladder, depth over time, spread, flow of orders, and what orders cost."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import plotly.graph_objects as go

from lobgym.dashboard.colours import ASK, BID, colours
from lobgym.dashboard.figures.base import figure
from lobgym.dashboard.session import FLOW, Moment, binned

__all__ = ["cost", "depth", "flow", "impact", "ladder", "spread"]


def ladder(moment: Moment, levels: int, theme: str) -> go.Figure:
    """Visible lots at the best prices of each side."""
    made = figure(420, "lots", "", barmode="overlay")
    sides = (("asks", moment.asks[:levels], ASK[theme]), ("bids", moment.bids[:levels], BID[theme]))
    prices: list[int] = []
    for name, side, colour in sides:
        made.add_trace(
            go.Bar(
                x=side["quantity"],
                y=[f"{price:,}" for price in side["price"].tolist()],
                orientation="h",
                name=name,
                marker_color=colour,
                customdata=side["orders"],
                hovertemplate="%{x:,} lots in %{customdata} orders at %{y}",
            )
        )
        prices += side["price"].tolist()
    order = [f"{price:,}" for price in sorted(set(prices))]
    made.update_yaxes(type="category", categoryorder="array", categoryarray=order, nticks=len(order), dtick=1)
    made.update_xaxes(tickformat="~s", rangemode="tozero")
    return made


def depth(moments: list[Moment], ticks: int, theme: str) -> go.Figure:
    """Lots at each price over time: bids in one colour and asks in the other, stronger for more; best prices as lines."""
    made = figure(420, "time (s)", "price (ticks)")
    prices, lots, width = binned(moments, ticks)
    times = [moment.time for moment in moments]
    if len(prices):
        strength = np.sign(lots) * np.sqrt(np.abs(lots))
        top = float(np.nanpercentile(np.abs(strength), 99)) if np.isfinite(strength).any() else 1.0
        paper = "#15181c" if theme == "dark" else "#f7f8fa"
        made.add_trace(
            go.Heatmap(
                x=times,
                y=prices,
                z=strength,
                customdata=np.abs(lots),
                colorscale=[[0, ASK[theme]], [0.5, paper], [1, BID[theme]]],
                zmin=-top,
                zmax=top,
                showscale=False,
                hovertemplate="%{x:.1f} s, %{y:,}: %{customdata:,} lots<extra></extra>",
            )
        )
    line = "#e4e7eb" if theme == "dark" else "#1d2127"
    for name, values in (
        ("best ask", [moment.best_ask for moment in moments]),
        ("best bid", [moment.best_bid for moment in moments]),
    ):
        made.add_trace(
            go.Scatter(
                x=times,
                y=values,
                mode="lines",
                name=name,
                line={"color": line, "width": 1.4, "shape": "hv", "dash": "solid" if name == "best bid" else "dot"},
                hovertemplate="%{y:,}",
            )
        )
    made.update_yaxes(tickformat=",d")
    if width > 1:
        made.update_yaxes(title_text=f"price (ticks, rows of {width:,.0f})")
    return made


def spread(moments: list[Moment], theme: str) -> go.Figure:
    """Best ask less best bid."""
    made = figure(260, "time (s)", "spread (ticks)", showlegend=False)
    values = [m.best_ask - m.best_bid if m.best_ask is not None and m.best_bid is not None else None for m in moments]
    made.add_trace(
        go.Scatter(
            x=[moment.time for moment in moments],
            y=values,
            mode="lines",
            line={"color": colours(theme)[0], "width": 1.8, "shape": "hv"},
            hovertemplate="%{y:,} ticks at %{x:.1f} s<extra></extra>",
        )
    )
    widest = max((value for value in values if value is not None), default=1)
    made.update_yaxes(rangemode="tozero", tickformat=",d", dtick=max(1, -(-widest // 5)))
    return made


def flow(moments: list[Moment], theme: str) -> go.Figure:
    """Orders of each kind a second."""
    made = figure(300, "time (s)", "events a second", barmode="stack", bargap=0.05)
    slots = colours(theme)
    shades = (BID[theme], ASK[theme], slots[0], slots[2], "#8a929d")
    spans = [max(after.time - before.time, 1e-9) for before, after in itertools.pairwise(moments)]
    for index, (name, colour) in enumerate(zip(FLOW, shades, strict=True)):
        made.add_trace(
            go.Bar(
                x=[moment.time for moment in moments[1:]],
                y=[moment.flow[index] / span for moment, span in zip(moments[1:], spans, strict=True)],
                name=name,
                marker_color=colour,
                hovertemplate="%{y:.3~g}/s",
            )
        )
    made.update_traces(marker_line_width=0)
    return made


def cost(curves: dict[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]], theme: str) -> go.Figure:
    """What market orders cost in the book as it is."""
    made = figure(300, "lots", "cost beyond the mid (ticks a lot)")
    for name, (sizes, paid) in curves.items():
        colour = ASK[theme] if name == "buy" else BID[theme]
        made.add_trace(
            go.Scatter(
                x=sizes,
                y=paid,
                mode="lines",
                name=f"market order to {name}",
                line={"color": colour, "width": 2},
                hovertemplate="%{x:,.0f} lots: %{y:.3~g} ticks",
            )
        )
    made.update_xaxes(tickformat="~s", rangemode="tozero")
    made.update_yaxes(rangemode="tozero")
    return made


def impact(curves: dict[str, tuple[list[float], list[float]]], theme: str) -> go.Figure:
    """What schedules are expected to cost: ``{name: (lots, basis points of the price)}``."""
    made = figure(300, "lots", "expected cost (basis points)")
    for (name, (lots, points)), colour in zip(curves.items(), colours(theme), strict=False):
        made.add_trace(
            go.Scatter(
                x=lots,
                y=points,
                mode="lines",
                name=name,
                line={"color": colour, "width": 2},
                hovertemplate="%{x:,.0f} lots: %{y:.2f} bp",
            )
        )
    made.update_xaxes(rangemode="tozero", tickformat="~s")
    made.update_yaxes(rangemode="tozero")
    return made
