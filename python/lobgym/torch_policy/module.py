"""A policy file as a ``torch.nn.Module``."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn import functional

from lobgym.atomic import write_atomically
from lobgym.torch_policy.heads import Head, positive_logarithm

__all__ = ["FORMAT", "PolicyModule", "load"]

#: The format of policy files that this version reads and writes.
FORMAT = 1

#: The key of the header in the file's metadata.
HEADER = "lobgym_policy"

#: A column that hardly varies is not blown up: this is added to its variance.
EPSILON = 1e-8

_ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "elu": functional.elu, "silu": functional.silu}

#: torch numbers a recurrent unit's layers, files have one.
_GRU = {f"gru.{name}": f"gru.{name}_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}


class PolicyModule(nn.Module):
    """The network, normalisation and head of a policy file, with parameters that can be trained.

    ``header`` is the file's JSON header; :func:`load` reads a file. Parameters have torch's names and layouts: ``layers`` are ``Linear``,
    ``gru`` is a ``GRU``, ``tcn`` are ``Conv1d``, and ``log_deviation`` ``f32[n]`` are the logarithms of a normal head's standard
    deviations. The normalisation is fixed: its moments are those of the training.

    Calling it gives the head's outputs, :meth:`distribution` the distribution over actions, :meth:`predict` actions as arrays.
    """

    normaliser_mean: Tensor
    normaliser_scale: Tensor

    def __init__(self, header: Mapping[str, Any]) -> None:
        super().__init__()
        #: The file's header: ``network``, ``head``, ``observation``, ``action``, ``env``, ``training`` and so on.
        self.header: dict[str, Any] = json.loads(json.dumps(header))
        network = self.header["network"]
        self.observation: int = network["observation"]
        self.window: int = network["window"]
        self.body: str = network["body"]
        if network["activation"] not in _ACTIVATIONS:
            raise ValueError(f"activation is {network['activation']!r}; legal: one of {', '.join(_ACTIVATIONS)}")
        self._activate = _ACTIVATIONS[network["activation"]]
        self.head = Head(self.header["head"])
        if network["outputs"] != self.head.outputs:
            raise ValueError(f"the network has {network['outputs']} outputs; legal: {self.head.outputs}, the head's")
        size, features = network["body_size"], self.observation * self.window
        if self.body == "gru":
            self.gru = nn.GRU(self.observation, size, batch_first=True)
            features = size
        elif self.body == "tcn":
            channels = [self.observation] + [size] * (network["body_layers"] - 1)
            self.tcn = nn.ModuleList(
                nn.Conv1d(inputs, size, network["kernel"], dilation=1 << layer) for layer, inputs in enumerate(channels)
            )
            features = size
        elif self.body != "mlp":
            raise ValueError(f"body is {self.body!r}; legal: one of mlp, gru, tcn")
        widths = [features, *network["hidden"], network["outputs"]]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(widths))
        self.log_deviation = nn.Parameter(torch.zeros(self.head.deviations)) if self.head.deviations else None
        self.limit: float | None = self.header["normalisation_limit"]
        # In f64 as files have them, and out of the reach of `.float()`.
        columns = self.observation if self.limit is not None else 0
        self._moments = {
            "count": np.zeros(1),
            "mean": np.zeros(columns),
            "squares": np.zeros(columns),
        }
        self.register_buffer("normaliser_mean", torch.zeros(columns))
        self.register_buffer("normaliser_scale", torch.ones(columns))

    @property
    def deviation(self) -> Tensor | None:
        """Standard deviations of a normal head, ``f32[n]``; ``None`` for other heads."""
        return None if self.log_deviation is None else self.log_deviation.exp()

    def _device(self) -> torch.device:
        return next(self.parameters()).device

    def normalise(self, observation: Tensor) -> Tensor:
        """Observations ``f32[..., observation]`` as the network sees them."""
        if self.limit is None:
            return observation
        return ((observation - self.normaliser_mean) * self.normaliser_scale).clamp(-self.limit, self.limit)

    def initial_state(self, rows: int) -> Tensor:
        """What was seen before an episode's first observation: zeros, ``f32[rows, window, observation]``."""
        return torch.zeros(rows, self.window, self.observation, device=self._device())

    def remember(self, state: Tensor, observation: Tensor) -> Tensor:
        """The state ``f32[rows, window, observation]``, normalised and the oldest first, after an observation ``f32[rows, observation]``."""
        return torch.cat([state[:, 1:], self.normalise(observation).unsqueeze(1)], dim=1)

    def outputs_of(self, state: Tensor) -> Tensor:
        """The head's outputs ``f32[rows, outputs]`` for what was seen, ``f32[rows, window, observation]`` and normalised."""
        x: Tensor
        if self.body == "gru":
            x = self.gru(state)[0][:, -1]
        elif self.body == "tcn":
            x = state.transpose(1, 2)
            for depth, layer in enumerate(self.tcn):
                # Positions before the window are zeros, and none sees a later one.
                before = (self.header["network"]["kernel"] - 1) << depth
                after = self._activate(layer(functional.pad(x, (before, 0))))
                x = after + x if x.shape[1] == after.shape[1] else after
            x = x[:, :, -1]
        else:
            x = state.flatten(1)
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index + 1 < len(self.layers):
                x = self._activate(x)
        return x

    def forward(self, observation: Tensor, seen: Tensor | None = None) -> Tensor:
        """The head's outputs, ``f32[rows, outputs]``.

        ``observation`` is as environments give it: ``f32[rows, observation]``, or ``f32[rows, window, observation]``, the oldest first, for
        a policy that sees more than one. ``seen`` ``i64[rows]`` says how many of a window's are of this episode (all, if it is left out);
        those before count as zeros, as they did in training.
        """
        window = observation.unsqueeze(1) if self.window == 1 and observation.dim() == 2 else observation
        if window.dim() != 3 or window.shape[1:] != (self.window, self.observation):
            shape = [self.observation] if self.window == 1 else [self.window, self.observation]
            raise ValueError(f"observation has the shape {list(observation.shape)}; legal: {['rows', *shape]}")
        state = self.normalise(window)
        if seen is not None:
            age = torch.arange(self.window, 0, -1, device=state.device)
            state = torch.where((age <= seen.unsqueeze(-1)).unsqueeze(-1), state, torch.zeros_like(state))
        return self.outputs_of(state)

    def distribution(self, observation: Tensor, seen: Tensor | None = None) -> Distribution:
        """Over actions in the environment's units, for what :meth:`forward` takes; see :meth:`Head.distribution`."""
        return self.head.distribution(self(observation, seen), self.deviation)

    @torch.no_grad()
    def predict(
        self,
        observation: ArrayLike,
        state: tuple[NDArray[np.float32], ...] | None = None,
        episode_start: ArrayLike | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], tuple[NDArray[np.float32], ...] | None]:
        """Actions for one observation ``[observation]`` or several ``[rows, observation]``, as ``lobgym.Policy.predict``, cut to the bounds.

        Returns (action, state). A policy that sees more than one observation returns a state to be given back with the next one, an array
        ``f32[rows, window, observation]``; ``episode_start`` ``bool[rows]`` marks the rows whose episode begins with this observation, and
        without a state all do. Other policies return the state that they were given. ``deterministic=False`` draws from torch's global
        generator.
        """
        rows = torch.as_tensor(np.asarray(observation, dtype=np.float32), device=self._device())
        single = rows.dim() == 1
        if single:
            rows = rows.unsqueeze(0)
        if rows.dim() != 2 or rows.shape[1] != self.observation:
            shape = list(np.shape(observation))
            raise ValueError(
                f"observation has the shape {shape}; legal: [{self.observation}] or [rows, {self.observation}]"
            )
        seen = self.initial_state(len(rows))
        if state is not None and self.window > 1:
            legal = tuple(seen.shape)
            if len(state) != 1 or np.shape(state[0]) != legal:
                shapes = [np.shape(array) for array in state]
                raise ValueError(
                    f"state has arrays of the shapes {shapes}; legal: one of {legal}, as predict() returned it"
                )
            seen = torch.as_tensor(np.asarray(state[0], dtype=np.float32), device=rows.device)
        if episode_start is not None:
            begins = np.broadcast_to(np.asarray(episode_start, dtype=bool), len(rows)).copy()
            seen = seen.masked_fill(torch.as_tensor(begins, device=rows.device)[:, None, None], 0.0)
        seen = self.remember(seen, rows)
        outputs = self.outputs_of(seen)
        if deterministic or self.head.kind == "greedy":
            actions = self.head.mode(outputs)
        else:
            actions = self.head.distribution(outputs, self.deviation).sample()
        action = self.head.cut(actions).cpu().numpy()
        return (action[0] if single else action), ((seen.cpu().numpy(),) if self.window > 1 else state)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a policy file that ``lobgym`` reads again, with the same header; whole or not at all.

        Raises ``ValueError`` for a parameter that is not finite, and ``OSError``.
        """
        tensors: dict[str, Tensor] = {}
        for name, parameter in self._file_tensors():
            if not bool(parameter.isfinite().all()):
                raise ValueError(f"{name} has a number that is not finite; legal: finite numbers")
            tensors[name] = parameter
        if self.limit is not None:
            for name, values in self._moments.items():
                tensors[f"normaliser.{name}"] = torch.from_numpy(values.copy())
        header = json.dumps(self.header, ensure_ascii=False, separators=(",", ":"))
        write_atomically(path, safetensors.torch.save(tensors, metadata={HEADER: header}))

    def _file_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Parameters by their names in files, in f32 and in memory of their own."""
        files = {own: file for file, own in _GRU.items()}
        for name, parameter in self.named_parameters():
            value = parameter.detach().to("cpu", torch.float32, copy=True).contiguous()
            if name == "log_deviation":
                yield "deviation", value.exp()
            else:
                yield files.get(name, name), value


def load(path: str | os.PathLike[str]) -> PolicyModule:
    """Reads a policy: a file, or the directory of a run, whose ``policy.safetensors`` is read.

    Raises ``OSError`` if it cannot be read, and ``ValueError`` with the file and the reason if it is no policy, a damaged one or of another
    format.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "policy.safetensors"
    content = file.read_bytes()
    try:
        return _from_bytes(content)
    except (ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        problem = f"its header lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{file}: {problem}") from error


def _from_bytes(content: bytes) -> PolicyModule:
    try:
        tensors = safetensors.torch.load(content)
    except safetensors.SafetensorError as error:
        raise ValueError(f"no safetensors file: {error}") from error
    # The library's reader of bytes leaves the metadata out: eight bytes of length, then JSON.
    metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__", {})
    if HEADER not in metadata:
        raise ValueError(f"no policy: its metadata lack {HEADER}")
    header = json.loads(metadata[HEADER])
    if header.get("format") != FORMAT:
        raise ValueError(
            f"format is {header.get('format')}; legal: {FORMAT}. Use the version of lobgym that wrote it, or train it again"
        )
    module = PolicyModule(header)

    def take(name: str, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
        if name not in tensors:
            raise ValueError(f"the tensor {name} is missing")
        tensor = tensors[name]
        if tensor.dtype != dtype or tuple(tensor.shape) != shape:
            raise ValueError(f"{name} is {tensor.dtype}{list(tensor.shape)}; legal: {dtype}{list(shape)}")
        if not bool(tensor.isfinite().all()):
            raise ValueError(f"{name} has a number that is not finite")
        return tensor

    files = {own: file for file, own in _GRU.items()}
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            shape = tuple(parameter.shape)
            if name == "log_deviation":
                deviation = take("deviation", torch.float32, shape)
                parameter.copy_(torch.tensor(positive_logarithm(deviation.tolist())))
            else:
                parameter.copy_(take(files.get(name, name), torch.float32, shape))
        if module.limit is not None:
            for name, values in module._moments.items():
                values[:] = take(f"normaliser.{name}", torch.float64, values.shape).numpy()
            count, squares = module._moments["count"][0], module._moments["squares"]
            variance = squares / count if count >= 2.0 else np.ones_like(squares)
            module.normaliser_mean.copy_(torch.from_numpy(module._moments["mean"]))
            module.normaliser_scale.copy_(torch.from_numpy(1.0 / np.sqrt(variance + EPSILON)))
    return module
