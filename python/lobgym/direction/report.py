"""A page about a walk: how good it was in each fold, which features it used, and whether its probabilities mean what they say."""

from __future__ import annotations

import html
import math

import numpy as np
import numpy.typing as npt

from lobgym.direction.walk import WalkForward

__all__ = ["calibration", "page"]

_Array = npt.NDArray[np.float64]

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #6b7480; --line: #d5dae0; --model: #1f6fb2; --paper: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --soft: #9aa4b0; --line: #3a424c; --model: #6cb4ee; --paper: #14181d; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; display: block; overflow-x: auto; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid var(--line); }
svg { max-width: 100%; height: auto; } svg text { fill: var(--ink); font: 13px system-ui, sans-serif; } svg .soft { fill: var(--soft); }
"""


def calibration(walk: WalkForward, groups: int = 10) -> list[tuple[float, float, int]]:
    """Mean probability, share of ups and rows, of groups of equally many rows in order of their probability."""
    asked = ~np.isnan(walk.probabilities) & ~np.isnan(walk.labels)
    order = np.argsort(walk.probabilities[asked], kind="stable")
    probabilities, labels = walk.probabilities[asked][order], walk.labels[asked][order]
    parts = [part for part in np.array_split(np.arange(len(order)), groups) if len(part)]
    return [(float(probabilities[part].mean()), float(labels[part].mean()), len(part)) for part in parts]


def _importances(walk: WalkForward) -> str:
    step, left, width = 24, 170, 620
    most = max(walk.importances.values(), default=0.0) or 1.0
    bars = []
    for place, (name, share) in enumerate(walk.importances.items()):
        length, top = (width - left - 60) * share / most, place * step
        bars.append(
            f'<text x="{left - 8}" y="{top + 16}" text-anchor="end">{html.escape(name)}</text>'
            f'<rect x="{left}" y="{top + 4}" width="{length:.1f}" height="{step - 8}" fill="var(--model)"/>'
            f'<text class="soft" x="{left + length + 6:.1f}" y="{top + 16}">{100 * share:.1f}%</text>'
        )
    height = step * len(bars)
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="Importances">{"".join(bars)}</svg>'
    )


def _calibration(walk: WalkForward) -> str:
    groups = calibration(walk)
    if not groups:
        return "<p>No direction of a bar that was asked about is known yet.</p>"
    # Twice the error of a share, so that chance can be seen.
    spread = [2 * math.sqrt(max(share * (1 - share), 0.25 / rows) / rows) for _, share, rows in groups]
    ends = [guess for guess, _, _ in groups]
    ends += [share + sign * error for (_, share, _), error in zip(groups, spread, strict=True) for sign in (-1, 1)]
    low, high = max(0.0, min(ends) - 0.02), min(1.0, max(ends) + 0.02)
    size, left, top = 360, 60, 10

    def x(value: float) -> float:
        return left + size * (value - low) / (high - low)

    def y(value: float) -> float:
        return top + size * (high - min(max(value, low), high)) / (high - low)

    parts = [
        f'<rect x="{left}" y="{top}" width="{size}" height="{size}" fill="none" stroke="var(--line)"/>',
        f'<line x1="{x(low):.1f}" y1="{y(low):.1f}" x2="{x(high):.1f}" y2="{y(high):.1f}" stroke="var(--soft)" stroke-dasharray="4 4"/>',
    ]
    for tick in np.linspace(low, high, 5):
        parts.append(
            f'<text class="soft" x="{x(tick):.1f}" y="{top + size + 18}" text-anchor="middle">{tick:.2f}</text>'
        )
        parts.append(f'<text class="soft" x="{left - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.2f}</text>')
    for (guess, share, rows), error in zip(groups, spread, strict=True):
        parts.append(
            f'<line x1="{x(guess):.1f}" x2="{x(guess):.1f}" y1="{y(share - error):.1f}" y2="{y(share + error):.1f}" stroke="var(--model)"/>'
            f'<circle cx="{x(guess):.1f}" cy="{y(share):.1f}" r="4" fill="var(--model)"><title>{guess:.3f} said, {share:.3f} went up, '
            f"{rows} bars</title></circle>"
        )
    parts.append(f'<text x="{left + size / 2}" y="{top + size + 38}" text-anchor="middle">probability said</text>')
    parts.append(f'<text x="{left + 6}" y="{top + 16}">share that went up</text>')
    return (
        f'<svg viewBox="0 0 {left + size + 20} {top + size + 48}" width="{left + size + 20}" role="img" aria-label="Calibration">'
        f"{''.join(parts)}</svg>"
    )


def page(walk: WalkForward, title: str) -> str:
    """An HTML page that needs no other file."""
    heads = ("fold", "trained on", "asked about", "known", "log loss", "base rate's", "accuracy", "base rate's", "AUC")
    lines = []
    for place, fold in enumerate(walk.folds, start=1):
        cells = [str(place), *(f"{low:,} to {high - 1:,}" for low, high in (fold.train, fold.test)), f"{fold.rows:,}"]
        figures = [(value, 5) for value in (fold.log_loss, fold.base_log_loss)]
        figures += [(value, 3) for value in (fold.accuracy, fold.base_accuracy, fold.auc)]
        cells += ["-" if math.isnan(value) else f"{value:.{digits}f}" for value, digits in figures]
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    settings = ", ".join(
        f"{key} {value if not isinstance(value, dict) else dict(value)}" for key, value in walk.settings.items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style><h1>{html.escape(title)}</h1>"
        f"<p>{html.escape(walk.summary()[0].upper() + walk.summary()[1:])}.</p>"
        f"<h2>Importances</h2><p>Each feature's share of what all splits have gained, mean of the folds.</p>{_importances(walk)}"
        f"<h2>Calibration</h2><p>Tenths of the bars by their probability, with two standard errors; on the dashed line, probabilities mean what "
        f"they say.</p>{_calibration(walk)}"
        f"<h2>Folds</h2><table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>{''.join(lines)}</table>"
        f"<h2>Settings</h2><p>{html.escape(settings)}</p></html>\n"
    )
