"""Policies as torch modules: against what the Rust inference makes of the same files (`agents/tests/policy_fixtures.rs`)."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# Not "torch": where that is not installed, the directory python/torch is found instead.
pytest.importorskip("torch.nn")
pytest.importorskip("safetensors")

import torch
from torch.distributions import Dirichlet, Independent, Normal

import lobgym
from lobgym.torch_policy import MultiCategorical, PolicyModule, SimplexTransform, export_onnx, load

DATA = Path(__file__).parent / "data" / "policies"
EXPECTED: dict[str, list[dict[str, Any]]] = json.loads((DATA / "expected.json").read_text(encoding="utf-8"))
NORMAL = ["gaussian", "tanh_gaussian", "logistic_normal", "softmax_gaussian"]
GREEDY = ["greedy", "greedy_duelling"]


def column(name: str, key: str) -> Any:
    dtype = torch.int64 if key in ("mode", "drawn") and load_fixture(name).head.discrete else torch.float32
    return torch.tensor([row[key] for row in EXPECTED[name]]).to(dtype)


def load_fixture(name: str) -> PolicyModule:
    return load(DATA / f"{name}.safetensors")


def windows(policy: PolicyModule, observations: Any) -> tuple[Any, Any]:
    """The windows that end at each observation of an episode, filled with rubbish before its start, and how many have been seen."""
    rubbish = torch.full((policy.window - 1, policy.observation), 77.0)
    rows = torch.cat([rubbish, observations]).unfold(0, policy.window, 1).transpose(1, 2)
    return rows, torch.arange(1, len(observations) + 1)


def squeezed(policy: PolicyModule, actions: Any) -> Any:
    """The Rust side has lists of one choice."""
    return actions.squeeze(-1) if len(policy.head.choices) == 1 else actions


@pytest.mark.parametrize("name", EXPECTED)
def test_outputs_and_modes_are_those_of_the_inference_in_rust(name: str) -> None:
    policy = load_fixture(name)
    outputs = policy(*windows(policy, column(name, "observation")))
    torch.testing.assert_close(outputs, column(name, "outputs"), rtol=0, atol=1e-5)
    torch.testing.assert_close(policy.head.mode(outputs), squeezed(policy, column(name, "mode")), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", EXPECTED)
def test_predictions_follow_an_episode(name: str) -> None:
    policy = load_fixture(name)
    modes = policy.head.cut(squeezed(policy, column(name, "mode"))).numpy()
    state, batch = None, None
    for row, mode in zip(EXPECTED[name], modes, strict=True):
        action, state = policy.predict(row["observation"], state)
        assert action.shape == np.shape(mode) and action.dtype == (np.int64 if policy.head.discrete else np.float32)
        np.testing.assert_allclose(action, mode, rtol=0, atol=1e-5)
        # The second row of the batch begins its episode again and again: it remembers nothing.
        actions, batch = policy.predict([row["observation"]] * 2, batch, episode_start=[False, True])
        np.testing.assert_allclose(actions[0], mode, rtol=0, atol=1e-5)
        np.testing.assert_allclose(actions[1], policy.predict(row["observation"])[0], rtol=0, atol=1e-5)
    assert (state is None) == (policy.window == 1)


@pytest.mark.parametrize("name", [name for name in EXPECTED if name not in GREEDY])
def test_log_densities_are_those_of_the_inference_in_rust(name: str) -> None:
    policy = load_fixture(name)
    distribution = policy.distribution(*windows(policy, column(name, "observation")))
    drawn = squeezed(policy, column(name, "drawn"))
    # Rust leaves the scaling to the bounds out: here one component goes from -2 to 6.
    scaling = math.log(4.0) if name in ("gaussian", "tanh_gaussian") else 0.0
    expected = column(name, "log_density") - scaling
    # Tanh rounds its tails off, and what is left of them decides the density.
    tolerance = 2e-3 if name == "tanh_gaussian" else 2e-5
    torch.testing.assert_close(distribution.log_prob(drawn), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", [name for name in EXPECTED if name not in GREEDY])
def test_draws_have_the_densities_that_they_are_given(name: str) -> None:
    """The mean over draws of the ratio of another policy's density to one's own is 1."""
    torch.manual_seed(3)
    policy = load_fixture(name)
    outputs = 0.3 * column(name, "outputs")[:1]
    own = policy.head.distribution(outputs, policy.deviation)
    other = policy.head.distribution(outputs + 0.1, policy.deviation)
    draws = own.sample((20_000,))
    ratios = (other.log_prob(draws) - own.log_prob(draws)).exp()
    assert abs(ratios.mean() - 1.0) < 5.0 * ratios.std() / math.sqrt(len(ratios)) + 1e-4
    if not policy.head.discrete:
        assert draws.shape == (20_000, 1, len(EXPECTED[name][0]["drawn"]))


def test_the_simplex_transform_is_a_change_of_variables() -> None:
    transform = SimplexTransform()
    v = torch.tensor([[0.3, -0.7, 1.1], [20.0, -30.0, 0.0]], dtype=torch.float64)
    parts = transform(v)
    torch.testing.assert_close(transform.inv(parts), v)
    for row, determinant in zip(v, transform.log_abs_det_jacobian(v, parts), strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda x: transform(x)[:-1], row)
        torch.testing.assert_close(determinant.exp(), torch.linalg.det(jacobian).abs())


def test_distributions_are_torchs_own_where_it_has_them() -> None:
    gaussian = load_fixture("gaussian").distribution(torch.zeros(2, 4))
    assert isinstance(gaussian, Independent) and isinstance(gaussian.base_dist, Normal)
    assert isinstance(load_fixture("dirichlet").distribution(torch.zeros(2, 2, 4)), Dirichlet)
    several = load_fixture("multi_categorical").distribution(torch.zeros(2, 4, 4))
    assert isinstance(several, MultiCategorical)
    every = torch.cartesian_prod(torch.arange(2), torch.arange(3)).unsqueeze(1).expand(-1, 2, -1)
    probabilities = several.log_prob(every).exp()
    torch.testing.assert_close(probabilities.sum(0), torch.ones(2))
    torch.testing.assert_close(several.entropy(), -(probabilities * probabilities.log()).sum(0))
    assert torch.equal(several.mode, every[probabilities.argmax(0), 0])


def test_a_greedy_head_has_values_and_no_distribution() -> None:
    policy = load_fixture("greedy_duelling")
    outputs = torch.tensor([[1.0, 2.0, 6.0, 10.0]])
    assert torch.equal(policy.head.action_values(outputs), torch.tensor([[8.0, 9.0, 13.0]]))
    with pytest.raises(ValueError, match="head is greedy; legal for a distribution"):
        policy.distribution(torch.zeros(1, 3, 4))
    with pytest.raises(ValueError, match="head is gaussian; legal for action values: greedy"):
        load_fixture("gaussian").head.action_values(outputs)
    assert policy.predict(np.zeros(4), deterministic=False)[0] == policy.predict(np.zeros(4))[0]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_saved_policy_is_the_same_again(name: str, tmp_path: Path) -> None:
    policy = load_fixture(name)
    policy.save(tmp_path / "policy.safetensors")
    again = load(tmp_path)
    assert again.header == policy.header
    for (name_before, before), (name_after, after) in zip(
        policy.state_dict().items(), again.state_dict().items(), strict=True
    ):
        assert name_before == name_after
        torch.testing.assert_close(after, before, rtol=2e-7, atol=0 if name_before != "log_deviation" else 2e-7)
    assert [file.name for file in tmp_path.iterdir()] == ["policy.safetensors"]


def test_the_file_that_the_test_in_rust_reads_is_what_is_saved(tmp_path: Path) -> None:
    load_fixture("tanh_gaussian").save(tmp_path / "policy.safetensors")
    saved, committed = load(tmp_path), load(DATA / "resaved.safetensors")
    assert saved.header == committed.header
    torch.testing.assert_close(saved.state_dict(), committed.state_dict(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_saved_policy_acts_the_same_without_torch(name: str, tmp_path: Path) -> None:
    policy = load_fixture(name)
    policy.save(tmp_path / "policy.safetensors")
    plain = lobgym.Policy.load(tmp_path)
    state, own = None, None
    for row in EXPECTED[name]:
        rows = np.float32([row["observation"]] * 3)
        action, state = plain.predict(rows, state, deterministic=True)
        expected, own = policy.predict(rows, own)
        assert action.shape == expected.shape and action.dtype == expected.dtype
        np.testing.assert_allclose(action, expected, rtol=0, atol=1e-5)
        if own is not None:
            np.testing.assert_allclose(state, own, rtol=0, atol=1e-5)


def test_a_fine_tuned_policy_acts_without_torch(tmp_path: Path) -> None:
    policy = load_fixture("gaussian")
    observations = torch.tensor([row["observation"] for row in EXPECTED["gaussian"]])
    optimiser = torch.optim.Adam(policy.parameters(), lr=1e-2)
    target = torch.tensor([1.0, -0.5, 0.2])
    losses = []
    for _ in range(40):
        loss = -policy.distribution(observations).log_prob(target).mean()
        optimiser.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None for parameter in policy.parameters())
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.5
    policy.save(tmp_path / "tuned.safetensors")
    plain = lobgym.Policy.load(tmp_path / "tuned.safetensors")
    own = plain.predict(observations.numpy(), deterministic=True)[0]
    np.testing.assert_allclose(own, policy.predict(observations)[0], atol=1e-5)


def test_what_is_no_policy_is_refused_with_the_reason(tmp_path: Path) -> None:
    from safetensors.torch import save

    path = tmp_path / "policy.safetensors"

    def refuse(content: bytes, expected: str) -> None:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"policy\.safetensors: .*" + expected):
            load(path)

    good = (DATA / "gaussian.safetensors").read_bytes()
    header = load_fixture("gaussian").header
    tensors = {
        name: torch.zeros(shape)
        for name, shape in {
            "layers.0.weight": (6, 4),
            "layers.0.bias": (6,),
            "layers.1.weight": (5, 6),
            "layers.1.bias": (5,),
            "layers.2.weight": (3, 5),
            "layers.2.bias": (3,),
            "deviation": (3,),
        }.items()
    }

    def file(changed: dict[str, Any] | None = None, **more: Any) -> bytes:
        content = {**header, **(changed or {})}
        content = {key: value for key, value in content.items() if value != "drop"}
        return save({**tensors, **more}, metadata={"lobgym_policy": json.dumps(content)})

    refuse(b"no policy at all", "no safetensors file")
    refuse(good[:-1], "no safetensors file")
    refuse(save({"x": torch.zeros(1)}), "its metadata lack lobgym_policy")
    refuse(file({"format": 99}), "format is 99; legal: 1.*train it again")
    refuse(file({"network": "drop"}), "its header lacks 'network'")
    refuse(file({"head": {"kind": "oracle"}}), "head.kind is 'oracle'; legal: one of gaussian")
    refuse(file({"network": {**header["network"], "outputs": 4}}), "the network has 4 outputs; legal: 3")
    refuse(file({"network": {**header["network"], "activation": "step"}}), "activation is 'step'; legal: one of tanh")
    refuse(file({"network": {**header["network"], "body": "lstm"}}), "body is 'lstm'; legal: one of mlp, gru, tcn")
    refuse(file(), "deviation has 0.0; legal: more than 0")
    deviation = torch.ones(3)
    refuse(file(deviation=deviation), "the tensor normaliser.count is missing")
    refuse(
        file(deviation=deviation, **{"layers.2.bias": torch.zeros(4)}),
        r"layers.2.bias is torch.float32\[4\]; legal: torch.float32\[3\]",
    )
    refuse(
        file(deviation=deviation, **{"layers.2.bias": torch.full((3,), math.nan)}),
        "layers.2.bias has a number that is not finite",
    )
    path.write_bytes(file({"normalisation_limit": None}, deviation=deviation))
    assert torch.equal(load(path)(torch.ones(2, 4)), torch.zeros(2, 3))
    with pytest.raises(FileNotFoundError, match="none"):
        load(tmp_path / "none")


def test_numbers_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    policy = load_fixture("gaussian")
    with torch.no_grad():
        policy.layers[0].weight[0, 0] = math.inf
    with pytest.raises(ValueError, match=r"layers\.0\.weight has a number that is not finite"):
        policy.save(tmp_path / "policy.safetensors")
    assert not list(tmp_path.iterdir())


def test_wrong_shapes_are_refused() -> None:
    policy = load_fixture("tanh_gaussian")
    with pytest.raises(ValueError, match=r"observation has the shape \[2, 4\]; legal: \['rows', 3, 4\]"):
        policy(torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"observation has the shape \[5\]; legal: \[4\] or \[rows, 4\]"):
        policy.predict(np.zeros(5))
    with pytest.raises(ValueError, match=r"state has arrays of the shapes \[\(1, 4\)\]; legal: one of \(2, 3, 4\)"):
        policy.predict(np.zeros((2, 4)), (np.zeros((1, 4), dtype=np.float32),))


@pytest.mark.parametrize("name", EXPECTED)
def test_an_onnx_file_acts_as_the_policy(name: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    policy = load_fixture(name)
    out = tmp_path / "policy.onnx"
    export_onnx(DATA / f"{name}.safetensors", out)
    assert [file.name for file in tmp_path.iterdir()] == ["policy.onnx"]
    session = runtime.InferenceSession(out)
    assert json.loads(session.get_modelmeta().custom_metadata_map["lobgym_policy"]) == policy.header
    modes = policy.head.cut(squeezed(policy, column(name, "mode"))).numpy()
    for rows in (1, 5):
        state = np.zeros((rows, policy.window, 4), dtype=np.float32)
        for row, mode in zip(EXPECTED[name], modes, strict=True):
            inputs = {"observation": np.tile(np.float32(row["observation"]), (rows, 1))}
            if policy.window > 1:
                action, state = session.run(["action", "next_state"], {**inputs, "state": state})
            else:
                (action,) = session.run(["action"], inputs)
            assert action.shape == (rows, *np.shape(mode)) and action.dtype == mode.dtype
            np.testing.assert_allclose(action, np.broadcast_to(mode, action.shape), rtol=0, atol=1e-5)


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    def command(*arguments: str, hide: str = "") -> subprocess.CompletedProcess[str]:
        code = f"import sys, importlib.util as u; f = u.find_spec; u.find_spec = lambda n: None if n == {hide!r} else f(n); "
        code += "from lobgym.torch_policy.__main__ import main; sys.exit(main(sys.argv[1:]))"
        return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)

    policy, out = str(DATA / "gaussian.safetensors"), str(tmp_path / "policy.onnx")
    result = command("export-onnx", policy, out, hide="onnxscript")
    assert result.returncode == 2 and "pip install 'lobgym[onnx]'" in result.stderr
    if "onnx, not" not in result.stderr and "onnx and" not in result.stderr:
        result = command("export-onnx", str(tmp_path / "none"), out)
        assert result.returncode == 1 and "none" in result.stderr
        result = command("export-onnx", str(DATA / "expected.json"), out)
        assert result.returncode == 2 and "no safetensors file" in result.stderr
    assert not list(tmp_path.iterdir())
