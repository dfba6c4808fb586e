"""Bars whose best trader is known: a price that reverts to its mean, and what the best long-or-flat policy earns on it.

The logarithm of the price is an autoregression of first order: x' = phi x + e. The best policy knows it, pays `cost` for each trade, and is found by
dynamic programming over a grid of x (Bellman 1957); it is what a trader that must learn all that from bars is compared with.

    python examples/python/mean_reverting_bars.py bars.csv
"""

import sys
from pathlib import Path

import numpy as np

PHI, DEVIATION, COST, STEPS = 0.9, 0.01, 0.001, 256


def write(path: Path, bars: int = 40_000, seed: int = 5) -> None:
    """Writes minute bars to a CSV file: `time` (s since 1970), `close` and a constant `volume`."""
    shocks = np.random.default_rng(seed).normal(size=bars) * DEVIATION * np.sqrt(1 - PHI**2)
    x, lines = 0.0, ["time,close,volume"]
    for index, shock in enumerate(shocks):
        x = PHI * x + shock
        lines.append(f"{1_700_000_000 + 60 * index},{100 * np.exp(x):.6f},1")
    path.write_text("\n".join(lines) + "\n")


def best_growth() -> float:
    """Mean log growth of the best policy over an episode that begins with nothing held."""
    grid = np.linspace(-6 * DEVIATION, 6 * DEVIATION, 601)
    noise = DEVIATION * np.sqrt(1 - PHI**2)
    moves = np.exp(-0.5 * ((grid[None, :] - PHI * grid[:, None]) / noise) ** 2)
    moves /= moves.sum(axis=1, keepdims=True)
    flat, held = np.zeros_like(grid), np.zeros_like(grid)
    for _ in range(STEPS):
        stay_flat, stay_held = moves @ flat, (PHI - 1) * grid + moves @ held
        flat, held = np.maximum(stay_flat, stay_held - COST), np.maximum(stay_held, stay_flat - COST)
    weights = np.exp(-0.5 * (grid / DEVIATION) ** 2)
    return float((weights * flat).sum() / weights.sum())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} BARS.csv")
    write(Path(sys.argv[1]))
    print(f"{sys.argv[1]}: the best long-or-flat policy grows by {100 * best_growth():.2f}% in {STEPS} bars")
