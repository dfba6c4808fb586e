"""Policy files made by hand, from the format's description in docs/training.md, and what they should do, in NumPy."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import lobgym


def _records(components: list[tuple[str, str, float, float]]) -> list[dict[str, Any]]:
    def bound(x: float) -> float | None:
        return x if math.isfinite(x) else None

    return [{"name": n, "unit": u, "low": bound(low), "high": bound(high)} for n, u, low, high in components]


@dataclass
class Handmade:
    """A policy with a tanh layer of 8 and random weights: Gaussian for boxes, categorical for choices."""

    path: Path
    window: int
    weights: list[tuple[NDArray[np.float32], NDArray[np.float32]]]
    bounds: tuple[NDArray[np.float32], NDArray[np.float32]] | None

    def outputs(self, windows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Of windows f32[n, window, d]."""
        x = windows.reshape(len(windows), -1).astype(np.float64)
        (first, first_bias), (last, last_bias) = self.weights
        return np.tanh(x @ first.T + first_bias) @ last.T + last_bias

    def actions(self, windows: NDArray[np.float32]) -> NDArray[Any]:
        """The likeliest ones."""
        outputs = self.outputs(windows)
        if self.bounds is None:
            return outputs.argmax(axis=1)
        low, high = self.bounds
        return np.clip(low + (outputs + 1) / 2 * (high - low), low, high)


def write_policy(path: Path, env: lobgym.Env, window: int = 1, seed: int = 0, **header: Any) -> Handmade:
    """Writes a policy for `env`; `header` overrides."""
    rng = np.random.default_rng(seed)
    kind, _, components, choices = env._native.action_description
    columns = len(env.observation_components)
    outputs = len(components) if kind == "box" else len(choices[0][1])
    weights = [
        (rng.normal(0, 0.5, shape).astype(np.float32), rng.normal(0, 0.5, shape[0]).astype(np.float32))
        for shape in [(8, columns * window), (outputs, 8)]
    ]
    tensors = {}
    for layer, (weight, bias) in enumerate(weights):
        tensors |= {f"layers.{layer}.weight": weight, f"layers.{layer}.bias": bias}
    bounds = None
    if kind == "box":
        tensors["deviation"] = np.full(outputs, 0.2, dtype=np.float32)
        records = _records(components)
        head = {"kind": "gaussian", "bounds": {end: [record[end] for record in records] for end in ("low", "high")}}
        action = {"kind": "box", "components": records}
        bounds = (
            np.array([low for _, _, low, _ in components], dtype=np.float32),
            np.array([high for _, _, _, high in components], dtype=np.float32),
        )
    else:
        head = {"kind": "categorical", "choices": outputs}
        action = {"kind": "discrete", "choices": choices[0][1]}
    described = {
        "format": 1,
        "code_version": "handmade",
        "network": {
            "observation": columns,
            "window": window,
            "body": "mlp",
            "body_size": 0,
            "body_layers": 0,
            "kernel": 0,
            "hidden": [8],
            "activation": "tanh",
            "outputs": outputs,
        },
        "head": head,
        "observation": _records(env.observation_components),
        "action": action,
        "normalisation_limit": None,
        "env": env.config,
        "training": {"algorithm": "ppo"},
    } | header
    entries: dict[str, Any] = {"__metadata__": {"lobgym_policy": json.dumps(described)}}
    data = b""
    for name, tensor in tensors.items():
        entries[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [len(data), len(data) + tensor.nbytes]}
        data += tensor.tobytes()
    text = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return Handmade(path, window, weights, bounds)
