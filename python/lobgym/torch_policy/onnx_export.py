"""Policies for other runtimes: ONNX files."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import warnings

import torch
from torch import Tensor, nn

from lobgym.atomic import write_atomically
from lobgym.torch_policy.module import HEADER, PolicyModule, load

__all__ = ["export_onnx"]

#: What torch's exporter needs besides torch.
_NEEDED = ("onnx", "onnxscript")


class _Actor(nn.Module):
    """Observations in, actions out."""

    def __init__(self, policy: PolicyModule) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, observation: Tensor) -> Tensor:
        return self.policy.head.cut(self.policy.head.mode(self.policy(observation)))


class _RememberingActor(nn.Module):
    """The same with what was seen before, in and out."""

    def __init__(self, policy: PolicyModule) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, observation: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        state = self.policy.remember(state, observation)
        return self.policy.head.cut(self.policy.head.mode(self.policy.outputs_of(state))), state


def export_onnx(policy: PolicyModule | str | os.PathLike[str], out: str | os.PathLike[str]) -> None:
    """Writes an ONNX file that gives a policy's most likely action, normalisation, scaling and cutting to bounds included; whole or not at all.

    ``policy`` is a module, a policy file or a run's directory. The input is ``observation`` ``f32[batch, observation]``, the output
    ``action``: ``f32[batch, n]``, or ``i64[batch]`` for a choice and ``i64[batch, lists]`` for several. A policy that sees more than one
    observation also has an input ``state`` and an output ``next_state``, both ``f32[batch, window, observation]``: zeros at an episode's
    start, then what the last call gave. The policy's header is in the model's metadata under ``lobgym_policy``.

    Raises ``ImportError`` where the exporter's packages are missing, ``OSError``, and what :func:`load` raises.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"exporting to ONNX needs {' and '.join(missing)}, not installed here: pip install 'lobgym[onnx]'",
            name=missing[0],
        )
    module = policy if isinstance(policy, PolicyModule) else load(policy)
    was_training = module.training
    module.eval()
    # Two rows: a batch of one would be taken for a constant.
    inputs = [torch.zeros(2, module.observation)]
    batch = torch.export.Dim("batch")
    actor: nn.Module = _Actor(module)
    names, outputs = ["observation"], ["action"]
    if module.window > 1:
        actor = _RememberingActor(module)
        inputs.append(module.initial_state(2))
        names, outputs = [*names, "state"], [*outputs, "next_state"]
    # It tells of optional packages and of its own deprecations; neither is the caller's business.
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                actor.eval(),
                tuple(inputs),
                dynamo=True,
                input_names=names,
                output_names=outputs,
                dynamic_shapes=tuple({0: batch} for _ in inputs),
                verbose=False,
            )
    finally:
        log.setLevel(level)
        module.train(was_training)
    assert program is not None
    model = program.model_proto
    model.producer_name = "lobgym"
    entry = model.metadata_props.add()
    entry.key, entry.value = HEADER, json.dumps(module.header, ensure_ascii=False, separators=(",", ":"))
    write_atomically(out, model.SerializeToString())
