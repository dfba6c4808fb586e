"""Learning curves."""

from __future__ import annotations

import pandas
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lobgym.dashboard.colours import Palette
from lobgym.dashboard.figures.base import DASHES, finish, thin

__all__ = ["CURVES", "curves"]

#: Column of the metrics, and title of its panel. Losses of value-based learners are in `loss`.
CURVES = {
    "return_mean": "Mean return of the last 100 episodes",
    "steps_per_second": "Steps a second",
    "policy_loss": "Loss of the policy",
    "value_loss": "Loss of the value (half the squared error)",
    "loss": "Loss",
    "entropy": "Entropy (nats)",
    "kl": "Kullback-Leibler divergence (nats)",
    "explained_variance": "Explained variance",
    "value_mean": "Mean value",
    "epsilon": "Exploration: epsilon",
    "clip_share": "Clipped share",
    "gradient_norm": "Norm of the gradient",
    "deviation": "Deviation of the policy",
    "learning_rate": "Learning rate",
    "episode_steps": "Steps of an episode",
}
_POINTS = 800


def smoothed(values: pandas.Series, share: float) -> pandas.Series:
    """An exponential moving average whose span is a share of all rows; gaps stay gaps."""
    span = max(1.0, share * len(values))
    return values.ewm(span=span, ignore_na=True).mean().where(values.notna()) if span > 1 else values


def curves(
    runs: dict[str, pandas.DataFrame], wanted: list[str], palette: Palette, x: str, smoothing: float
) -> go.Figure:
    """A panel a metric, a line a run. ``x``: ``"steps"`` or ``"seconds"``; ``smoothing``: span, a share of the rows."""
    shown = [name for name in wanted if any(name in frame and frame[name].notna().any() for frame in runs.values())]
    rows = max(1, (len(shown) + 1) // 2)
    height = 250 * rows + 70
    made = make_subplots(
        rows=rows,
        cols=2 if len(shown) > 1 else 1,
        subplot_titles=[CURVES.get(name, name) for name in shown],
        vertical_spacing=0.3 / rows,
        horizontal_spacing=0.09,
    )
    used: dict[int, int] = {}
    for run, frame in runs.items():
        slot = palette.slot(run)
        dash = DASHES[used.get(slot, 0) % len(DASHES)]
        used[slot] = used.get(slot, 0) + 1
        first = True
        for index, name in enumerate(shown):
            if name not in frame or x not in frame:
                continue
            values = smoothed(frame[name], smoothing)
            kept = thin(values.to_numpy(), _POINTS)
            made.add_trace(
                go.Scatter(
                    x=frame[x].to_numpy()[kept],
                    y=values.to_numpy()[kept],
                    name=run,
                    legendgroup=run,
                    showlegend=first,
                    mode="lines",
                    line={"color": palette[run], "width": 1.8, "dash": dash},
                    hovertemplate="%{y:.4~g}",
                ),
                row=index // 2 + 1,
                col=index % 2 + 1,
            )
            first = False
    finish(made, height, hovermode="x")
    # In pixels above the first row's titles, whatever the number of rows.
    made.update_layout(margin={"t": 64, "l": 52, "b": 44}, legend_y=1.0 + 30 / (height - 80))
    # Fixed margins: Plotly would else draw all panels again for each axis that asks for room, on the page that must come first.
    made.update_xaxes(automargin=False)
    made.update_yaxes(automargin=False)
    made.update_annotations(font_size=13)
    made.update_xaxes(title_text="seconds" if x == "seconds" else None, tickformat="~s")
    made.update_yaxes(tickformat="~g", nticks=5)
    for name in ("steps_per_second",):
        if name in shown:
            place = shown.index(name)
            made.update_yaxes(tickformat="~s", rangemode="tozero", row=place // 2 + 1, col=place % 2 + 1)
    if x == "steps":
        made.update_xaxes(title_text="environment steps", row=rows)
    return made
