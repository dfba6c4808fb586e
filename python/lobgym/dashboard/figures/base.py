"""What all figures have in common: margins, legend, and small conversions."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

__all__ = ["CONFIG", "DASHES", "faint", "figure", "finish", "thin", "tint"]

#: Passed to Plotly with each figure: no toolbar, which would lie over the legend; a double click shows all again.
CONFIG = {"displayModeBar": False, "responsive": True}
#: When there are more lines than colours.
DASHES = ("solid", "dash", "dot", "dashdot")


def faint(theme: str) -> str:
    """Of lines at zero and other marks that are no data."""
    return "#7b8490" if theme == "dark" else "#8a929d"


def tint(colour: str, opacity: float) -> str:
    """A colour of six hexadecimal digits, translucent."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def figure(height: int, x: str = "", y: str = "", **layout: Any) -> go.Figure:
    """An empty figure with titled axes."""
    made = go.Figure()
    made.update_xaxes(title_text=x or None)
    made.update_yaxes(title_text=y or None)
    return finish(made, height, **layout)


def finish(made: go.Figure, height: int, **layout: Any) -> go.Figure:
    """The common layout: the legend above the plot, from the left."""
    # A legend is put above the plot, and needs room there; where there is none, the room is the plot's.
    top = 36 if layout.get("showlegend", True) else 8
    made.update_layout(
        height=height - 36 + top,
        margin={"l": 8, "r": 16, "t": top, "b": 8},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "xanchor": "left", "x": 0.0, "title_text": ""},
        hoverlabel={"namelength": -1},
        **layout,
    )
    made.update_xaxes(automargin=True, title_standoff=10)
    made.update_yaxes(automargin=True, title_standoff=12)
    return made


def thin(values: np.ndarray[Any, Any], most: int) -> np.ndarray[Any, Any]:
    """Places of at most so many values, evenly spread, with the first and the last."""
    if len(values) <= most:
        return np.arange(len(values))
    return np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))
