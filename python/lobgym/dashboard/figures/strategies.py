"""Figures about strategies and policies beside one another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import plotly.graph_objects as go

from lobgym.dashboard.colours import Palette
from lobgym.dashboard.figures.base import faint, figure, tint

__all__ = ["densities", "differences", "distributions", "fills", "forest", "parts", "regimes", "risk"]

_ROW = 34


def _height(rows: int) -> int:
    return 96 + _ROW * max(rows, 2)


def _names(names: list[str], palette: Palette) -> dict[str, Any]:
    """A category axis with the first name on top."""
    labels = [palette.label(name) for name in names]
    return {"categoryorder": "array", "categoryarray": labels[::-1], "type": "category"}


def forest(table: pandas.DataFrame, mean: str, error: str, title: str, palette: Palette, theme: str) -> go.Figure:
    """Means with 95% intervals of ``mean`` +- 1.96 ``error``, a row a strategy."""
    made = figure(_height(len(table)), title, showlegend=False)
    for row in table.to_dict("records"):
        spread = 1.96 * row[error] if pandas.notna(row.get(error)) else 0.0
        made.add_trace(
            go.Scatter(
                x=[row[mean]],
                y=[palette.label(row["name"])],
                error_x={"type": "constant", "value": spread, "thickness": 2, "width": 5},
                mode="markers",
                marker={"color": palette[row["name"]], "size": 10},
                name=palette.label(row["name"]),
                hovertemplate=f"%{{x:.4~g}} +- {spread:.3g}",
            )
        )
    made.update_yaxes(**_names(list(table["name"]), palette))
    made.add_vline(x=0, line_color=faint(theme), line_width=1, line_dash="dot")
    return made


def differences(paired: pandas.DataFrame, title: str, palette: Palette, theme: str) -> go.Figure:
    """Paired differences with their 95% intervals; filled where the interval has no zero."""
    made = figure(_height(len(paired)), title, showlegend=False)
    for row in paired.to_dict("records"):
        clear = row["low"] > 0 or row["high"] < 0
        made.add_trace(
            go.Scatter(
                x=[row["difference"]],
                y=[palette.label(row["name"])],
                error_x={
                    "type": "data",
                    "array": [np.nan_to_num(row["high"] - row["difference"])],
                    "arrayminus": [np.nan_to_num(row["difference"] - row["low"])],
                    "thickness": 2,
                    "width": 5,
                },
                mode="markers",
                marker={
                    "color": palette[row["name"]],
                    "size": 10,
                    "symbol": "circle" if clear else "circle-open",
                    "line": {"width": 2, "color": palette[row["name"]]},
                },
                name=palette.label(row["name"]),
                hovertemplate=f"%{{x:+.4~g}} [{row['low']:+.4g}, {row['high']:+.4g}]",
            )
        )
    made.update_yaxes(**_names(list(paired["name"]), palette))
    made.add_vline(x=0, line_color=faint(theme), line_width=1)
    return made


def distributions(sessions: dict[str, np.ndarray[Any, Any]], title: str, palette: Palette) -> go.Figure:
    """Boxes of the quartiles, whiskers to the 5th and 95th percentile, the mean as a diamond."""
    made = figure(_height(len(sessions)) + 20, title, showlegend=False)
    for name, values in sessions.items():
        low, first, middle, third, high = np.percentile(values, [5, 25, 50, 75, 95])
        made.add_trace(
            go.Box(
                y=[palette.label(name)],
                q1=[first],
                median=[middle],
                q3=[third],
                lowerfence=[low],
                upperfence=[high],
                mean=[values.mean()],
                boxmean=False,
                orientation="h",
                name=palette.label(name),
                line={"color": palette[name], "width": 2},
                fillcolor=tint(palette[name], 0.25),
                hoverinfo="x+name",
            )
        )
        made.add_trace(
            go.Scatter(
                x=[values.mean()],
                y=[palette.label(name)],
                mode="markers",
                marker={"symbol": "diamond", "size": 8, "color": palette[name]},
                hovertemplate="mean %{x:.4~g}",
                name=palette.label(name),
            )
        )
    made.update_yaxes(**_names(list(sessions), palette))
    return made


def densities(sessions: dict[str, np.ndarray[Any, Any]], title: str, palette: Palette) -> go.Figure:
    """Histograms as lines over common bins, the outermost percent on each side left out."""
    made = figure(330, title, "share of the sessions")
    together = np.concatenate(list(sessions.values()))
    low, high = np.percentile(together, [0.5, 99.5])
    if not high > low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, 41)
    for name, values in sessions.items():
        counts, _ = np.histogram(values, edges)
        made.add_trace(
            go.Scatter(
                x=(edges[1:] + edges[:-1]) / 2,
                y=counts / len(values),
                name=palette.label(name),
                mode="lines",
                line={"color": palette[name], "width": 2, "shape": "hvh"},
                hovertemplate="%{y:.1%}",
            )
        )
    made.update_yaxes(tickformat=".0%", rangemode="tozero")
    return made


#: Parts that stack, and the same shades as in the reports.
_PARTS = {
    "light": {"spread_ticks": "#2f3947", "impact_ticks": "#8793a3", "timing_ticks": "#ccd3db", "fees_ticks": "#b39b6b"},
    "dark": {"spread_ticks": "#e3e8ee", "impact_ticks": "#8e9aaa", "timing_ticks": "#4a5461", "fees_ticks": "#b39b6b"},
}


def parts(table: pandas.DataFrame, palette: Palette, theme: str) -> go.Figure:
    """Shortfall and its parts, a row a strategy."""
    made = figure(_height(len(table)), "ticks a lot, positive = paid", barmode="relative")
    labels = [palette.label(name) for name in table["name"]]
    for part, colour in _PARTS[theme].items():
        if part in table and table[part].abs().max() > 0:
            made.add_trace(
                go.Bar(
                    x=table[part],
                    y=labels,
                    orientation="h",
                    name=part.removesuffix("_ticks"),
                    marker={"color": colour},
                    hovertemplate="%{x:.3~f}",
                )
            )
    made.add_trace(
        go.Scatter(
            x=table["shortfall_ticks"],
            y=labels,
            mode="markers",
            name="shortfall",
            marker={
                "symbol": "diamond",
                "size": 10,
                "color": [palette[name] for name in table["name"]],
                "line": {"width": 1, "color": "white"},
            },
            hovertemplate="%{x:.3~f}",
        )
    )
    made.update_yaxes(**_names(list(table["name"]), palette))
    return made


def fills(table: pandas.DataFrame, palette: Palette, theme: str) -> go.Figure:
    """Shares that filled passively, aggressively and not at all."""
    made = figure(_height(len(table)), "share of the parent order", barmode="stack")
    labels = [palette.label(name) for name in table["name"]]
    passive, aggressive = table["fill_rate_passive"], table["fill_rate_aggressive"]
    kinds = {
        "passive": (passive, "#4a7fb5" if theme == "light" else "#78a9d8"),
        "aggressive": (aggressive, "#b3654a" if theme == "light" else "#dc9478"),
        "not filled": ((1 - passive - aggressive).clip(lower=0), "#ccd3db" if theme == "light" else "#4a5461"),
    }
    for name, (values, colour) in kinds.items():
        if values.max() > 5e-4:
            made.add_trace(
                go.Bar(x=values, y=labels, orientation="h", name=name, marker_color=colour, hovertemplate="%{x:.1%}")
            )
    made.update_xaxes(tickformat=".0%", range=[0, 1])
    made.update_yaxes(**_names(list(table["name"]), palette))
    return made


def regimes(
    table: pandas.DataFrame, value: str, error: str | None, title: str, palette: Palette, theme: str
) -> go.Figure:
    """Groups of bars, a group a market (and size), a bar a strategy."""
    several = table["lots"].nunique() > 1
    groups = [f"{m}, {n} lots" if several else str(m) for m, n in zip(table["market"], table["lots"], strict=True)]
    ink = "#e4e7eb" if theme == "dark" else "#1d2127"
    made = figure(380, "", title, barmode="group")
    for name in dict.fromkeys(table["name"]):
        rows = (table["name"] == name).to_numpy()
        bars = table[rows]
        made.add_trace(
            go.Bar(
                x=[group for group, row in zip(groups, rows, strict=True) if row],
                y=bars[value],
                error_y={"type": "data", "array": 1.96 * bars[error], "thickness": 1.4, "width": 3, "color": ink}
                if error
                else None,
                name=palette.label(name),
                marker_color=palette[name],
                hovertemplate="%{y:.3~f}",
            )
        )
    made.update_xaxes(type="category", categoryorder="array", categoryarray=list(dict.fromkeys(groups)))
    return made


def risk(table: pandas.DataFrame, mean: str, deviation: str, unit: str, palette: Palette, theme: str) -> go.Figure:
    """Mean against deviation: up and to the left is better."""
    made = figure(380, f"standard deviation ({unit})", f"mean ({unit})")
    for row in table.to_dict("records"):
        made.add_trace(
            go.Scatter(
                x=[row[deviation]],
                y=[row[mean]],
                mode="markers",
                name=palette.label(row["name"]),
                marker={"size": 13, "color": palette[row["name"]], "line": {"width": 1, "color": "white"}},
                hovertemplate="mean %{y:.3~f}, deviation %{x:.3~f}",
            )
        )
    made.add_hline(y=0, line_color=faint(theme), line_width=1, line_dash="dot")
    made.update_xaxes(rangemode="tozero")
    return made
