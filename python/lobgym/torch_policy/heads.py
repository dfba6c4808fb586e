"""What a network's outputs mean: the heads of policy files, as actions and as ``torch.distributions``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import (
    AffineTransform,
    Categorical,
    Dirichlet,
    Distribution,
    Independent,
    MultivariateNormal,
    Normal,
    TransformedDistribution,
    constraints,
)
from torch.distributions.transforms import TanhTransform, Transform
from torch.nn import functional

__all__ = ["Head", "MultiCategorical", "SimplexTransform"]

KINDS = (
    "gaussian",
    "tanh_gaussian",
    "logistic_normal",
    "softmax_gaussian",
    "dirichlet",
    "categorical",
    "multi_categorical",
    "greedy",
)
#: Kinds with a standard deviation for each output.
WITH_DEVIATIONS = ("gaussian", "tanh_gaussian", "logistic_normal", "softmax_gaussian")


class SimplexTransform(Transform):
    """``v -> (exp v, 1) / (1 + sum exp v)``: K - 1 numbers to K parts of a whole, the last of which is the reference.

    The determinant is that with respect to the first K - 1 parts, the product of all K.
    """

    domain = constraints.real_vector
    codomain = constraints.simplex
    bijective = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SimplexTransform)

    __hash__ = Transform.__hash__

    def _call(self, x: Tensor) -> Tensor:
        return functional.softmax(functional.pad(x, (0, 1)), dim=-1)

    def _inverse(self, y: Tensor) -> Tensor:
        logarithms = y.log()
        return logarithms[..., :-1] - logarithms[..., -1:]

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Of the numbers alone: parts that underflow do no harm."""
        return functional.log_softmax(functional.pad(x, (0, 1)), dim=-1).sum(-1)

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """One more."""
        return (*shape[:-1], shape[-1] + 1)

    def inverse_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """One less."""
        return (*shape[:-1], shape[-1] - 1)


class MultiCategorical(Distribution):
    """One choice from each of several lists, independently. ``logits`` are those of all lists side by side."""

    arg_constraints = {"logits": constraints.real_vector}
    has_enumerate_support = False

    def __init__(self, logits: Tensor, choices: Sequence[int], validate_args: bool | None = None) -> None:
        self.logits = logits
        #: The lists' distributions.
        self.lists = [Categorical(logits=part) for part in logits.split(list(choices), dim=-1)]
        super().__init__(logits.shape[:-1], torch.Size([len(self.lists)]), validate_args=validate_args)

    @property
    def support(self) -> Any:
        """Choices, whose numbers differ from list to list."""
        return constraints.independent(constraints.nonnegative_integer, 1)

    @property
    def mode(self) -> Tensor:
        """The likeliest choice of each list."""
        return torch.stack([part.mode for part in self.lists], dim=-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """``i64[..., lists]``"""
        return torch.stack([part.sample(torch.Size(sample_shape)) for part in self.lists], dim=-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """The sum over the lists."""
        return torch.stack(
            [part.log_prob(choice) for part, choice in zip(self.lists, value.unbind(-1), strict=True)], dim=-1
        ).sum(-1)

    def entropy(self) -> Tensor:
        """The sum over the lists, in nats."""
        return torch.stack([part.entropy() for part in self.lists], dim=-1).sum(-1)


class Head(nn.Module):
    """A head of a policy file, from its record in the file's header.

    | kind | outputs | action |
    |---|---|---|
    | ``gaussian`` | means | scaled to the bounds: -1 is low, 1 is high; as they are where a side is unbounded |
    | ``tanh_gaussian`` | means before the hyperbolic tangent | likewise |
    | ``logistic_normal`` | K - 1 means | :class:`SimplexTransform` of them, K parts |
    | ``softmax_gaussian`` | K means | softmax of K normal numbers |
    | ``dirichlet`` | K numbers, whose softplus are the concentrations | K parts |
    | ``categorical`` | logits | a choice |
    | ``multi_categorical`` | logits of all lists side by side | a choice from each |
    | ``greedy`` | advantages and, if ``duelling``, the state's value last | the choice with the highest |
    """

    low: Tensor
    high: Tensor
    bounded: Tensor

    def __init__(self, record: Mapping[str, Any]) -> None:
        super().__init__()
        kind = record.get("kind")
        if kind not in KINDS:
            raise ValueError(f"head.kind is {kind!r}; legal: one of {', '.join(KINDS)}")
        self.kind: str = kind
        self.choices: list[int] = []
        self.duelling = False
        low: list[float | None] = []
        high: list[float | None] = []
        if kind in ("gaussian", "tanh_gaussian"):
            low, high = record["bounds"]["low"], record["bounds"]["high"]
            self.outputs = len(low)
        elif kind == "logistic_normal":
            self.outputs = int(record["parts"]) - 1
        elif kind in ("softmax_gaussian", "dirichlet"):
            self.outputs = int(record["parts"])
        elif kind == "multi_categorical":
            self.choices = [int(count) for count in record["choices"]]
            self.outputs = sum(self.choices)
        else:
            self.choices = [int(record["choices"])]
            self.duelling = bool(record.get("duelling", False))
            self.outputs = self.choices[0] + self.duelling
        # No parameters and not in the state: the header has them.
        bounded = [a is not None and b is not None for a, b in zip(low, high, strict=True)]
        for name, bounds, none in (("low", low, -math.inf), ("high", high, math.inf)):
            numbers = [none if bound is None else bound for bound in bounds]
            self.register_buffer(name, torch.tensor(numbers, dtype=torch.float32), persistent=False)
        self.register_buffer("bounded", torch.tensor(bounded, dtype=torch.bool), persistent=False)

    @property
    def discrete(self) -> bool:
        """True if actions are choices."""
        return bool(self.choices)

    @property
    def deviations(self) -> int:
        """Standard deviations that it needs besides the outputs."""
        return self.outputs if self.kind in WITH_DEVIATIONS else 0

    def action_values(self, outputs: Tensor) -> Tensor:
        """Of a ``greedy`` head, ``f32[..., choices]``: those of a duelling network are the state's value and the centred advantages."""
        if self.kind != "greedy":
            raise ValueError(f"head is {self.kind}; legal for action values: greedy")
        if not self.duelling:
            return outputs
        advantages = outputs[..., :-1]
        return outputs[..., -1:] + advantages - advantages.mean(-1, keepdim=True)

    def mode(self, outputs: Tensor) -> Tensor:
        """The action where none is drawn, as the Rust side takes it; :meth:`cut` cuts it to the bounds.

        The mean of normal numbers (for the squashed ones that is the action's median, for the logistic-normal and the softmax the
        point whose log-ratios are those of the means), the mode of a Dirichlet whose concentrations all exceed 1 and its mean
        otherwise, the likeliest choice.
        ``f32[..., n]``, or ``i64[...]`` for one choice and ``i64[..., lists]`` for several.
        """
        if self.kind == "gaussian":
            return self._scale(outputs)
        if self.kind == "tanh_gaussian":
            return self._scale(outputs.tanh())
        if self.kind == "logistic_normal":
            return functional.softmax(functional.pad(outputs, (0, 1)), dim=-1)
        if self.kind == "softmax_gaussian":
            return functional.softmax(outputs, dim=-1)
        if self.kind == "dirichlet":
            # In f64, as concentrations of about 1 are where the mode and the mean part.
            # Written out, as ONNX runtimes lack this softplus.
            exact = outputs.double()
            concentration = exact.clamp(min=0.0) + (1.0 + (-exact.abs()).exp()).log()
            inner = (concentration > 1.0).all(-1, keepdim=True)
            concentration = concentration - inner.to(concentration.dtype)
            return (concentration / concentration.sum(-1, keepdim=True)).to(outputs.dtype)
        if self.kind == "multi_categorical":
            return torch.stack([part.argmax(-1) for part in outputs.split(self.choices, dim=-1)], dim=-1)
        return outputs[..., : self.choices[0]].argmax(-1)

    def distribution(self, outputs: Tensor, deviation: Tensor | None) -> Distribution:
        """Over actions, in the environment's units: what ``log_prob`` takes is what ``step()`` takes.

        ``deviation`` is ``f32[deviations]``. The densities that training reports leave the scaling to bounds out: theirs are higher by the
        sum of ``log((high - low) / 2)``. Raises ``ValueError`` for ``greedy``, which has no distribution.
        """
        if self.kind == "greedy":
            raise ValueError("head is greedy; legal for a distribution: the others, as a greedy policy draws nothing")
        if self.kind == "dirichlet":
            return Dirichlet(functional.softplus(outputs))
        if self.kind == "categorical":
            return Categorical(logits=outputs)
        if self.kind == "multi_categorical":
            return MultiCategorical(outputs, self.choices)
        assert deviation is not None
        if self.kind == "softmax_gaussian":
            # The log-ratios to the last part: all that the action keeps of the numbers.
            variances = deviation.square()
            covariance = variances[:-1].diag() + variances[-1]
            ratios = MultivariateNormal(outputs[..., :-1] - outputs[..., -1:], covariance)
            return TransformedDistribution(ratios, [SimplexTransform(cache_size=1)])
        if self.kind == "gaussian":
            return Independent(Normal(self._scale(outputs), deviation * self._scaling()[1]), 1)
        normal = Independent(Normal(outputs, deviation.expand_as(outputs)), 1)
        # A cache, as what the tangent or the exponential rounds off cannot be got back.
        if self.kind == "logistic_normal":
            return TransformedDistribution(normal, [SimplexTransform(cache_size=1)])
        low, half = self._scaling()
        return TransformedDistribution(
            normal, [TanhTransform(cache_size=1), AffineTransform(low + half, half, event_dim=1, cache_size=1)]
        )

    def cut(self, action: Tensor) -> Tensor:
        """An action of this head, cut to the action space as environments cut it."""
        return torch.minimum(torch.maximum(action, self.low), self.high) if len(self.low) else action

    def _scaling(self) -> tuple[Tensor, Tensor]:
        """What -1 becomes and half the width of the bounds; -1 and 1, which leave everything as it is, where a side is unbounded."""
        low = torch.where(self.bounded, self.low, -torch.ones_like(self.low))
        high = torch.where(self.bounded, self.high, torch.ones_like(self.high))
        return low, 0.5 * (high - low)

    def _scale(self, x: Tensor) -> Tensor:
        low, half = self._scaling()
        return torch.where(self.bounded, low + (x + 1.0) * half, x)

    def extra_repr(self) -> str:
        """The kind, for ``repr``."""
        lists = f", choices={self.choices}" if self.choices else ""
        return f"{self.kind}, outputs={self.outputs}{lists}"


def positive_logarithm(deviation: Sequence[float]) -> list[float]:
    """Logarithms of deviations. Raises ``ValueError`` for one that is not positive."""
    for value in deviation:
        if not value > 0.0:
            raise ValueError(f"deviation has {value}; legal: more than 0")
    return [math.log(value) for value in deviation]
