"""Write what torch.distributions says of the policy heads, for agents/tests/rl_distributions.rs.

Run with torch 2.11 and write the output to agents/tests/data/distributions.json:

    python tests/python/reference_distributions.py > agents/tests/data/distributions.json

Everything is computed in float64. The logistic-normal is no torch distribution: its density is the normal one
over the determinant of the map's Jacobian, which autograd provides.
"""

import json
import math

import torch
from torch import distributions as d

torch.set_default_dtype(torch.float64)


def numbers(tensor):
    return tensor.reshape(-1).tolist()


def case(kind, outputs, log_deviation, raw, log_density, entropy, **more):
    return {
        "kind": kind,
        "outputs": numbers(outputs),
        "log_deviation": numbers(log_deviation),
        "raw": numbers(raw),
        "rows": outputs.shape[0],
        "log_density": numbers(log_density),
        "entropy": None if entropy is None else numbers(entropy),
        **more,
    }


def simplex(v):
    return torch.softmax(torch.cat([v, torch.zeros(1)]), 0)


def main():
    torch.manual_seed(7)
    none = torch.zeros(0)
    cases = []

    mean, log_deviation = torch.randn(6, 3), torch.tensor([-1.0, 0.2, 0.5])
    raw = torch.randn(6, 3) * 2
    normal = d.Independent(d.Normal(mean, log_deviation.exp()), 1)
    cases.append(case("gaussian", mean, log_deviation, raw, normal.log_prob(raw), normal.entropy()))

    raw = torch.randn(6, 3) * 1.5
    squashed = d.TransformedDistribution(normal, [d.TanhTransform(cache_size=1)])
    # From the raw draw: atanh(tanh(u)) would lose digits.
    density = normal.log_prob(raw) - d.TanhTransform().log_abs_det_jacobian(raw, raw.tanh()).sum(-1)
    check = squashed.log_prob(raw.tanh())
    assert torch.allclose(density, check, atol=1e-6), (density, check)
    cases.append(case("tanh_gaussian", mean, log_deviation, raw, density, None))

    raw = torch.randn(6, 3)
    jacobians = [torch.autograd.functional.jacobian(lambda x: simplex(x)[:-1], v) for v in raw]
    density = normal.log_prob(raw) - torch.stack([torch.linalg.slogdet(j)[1] for j in jacobians])
    cases.append(case("logistic_normal", mean, log_deviation, raw, density, None))

    outputs = torch.randn(6, 4) * 2
    dirichlet = d.Dirichlet(torch.nn.functional.softplus(outputs))
    raw = dirichlet.sample().clamp_min(1e-12)
    cases.append(
        case("dirichlet", outputs, none, raw, dirichlet.log_prob(raw / raw.sum(-1, True)), dirichlet.entropy())
    )

    logits = torch.randn(6, 5) * 2
    categorical = d.Categorical(logits=logits)
    raw = categorical.sample()
    cases.append(case("categorical", logits, none, raw.double(), categorical.log_prob(raw), categorical.entropy()))

    logits = torch.randn(6, 7) * 2
    lists = [d.Categorical(logits=part) for part in logits.split([2, 4, 1], -1)]
    raw = torch.stack([one.sample() for one in lists], -1)
    density = sum(one.log_prob(raw[:, i]) for i, one in enumerate(lists))
    entropy = sum(one.entropy() for one in lists)
    cases.append(case("multi_categorical", logits, none, raw.double(), density, entropy, choices=[2, 4, 1]))

    # Far out, where a careless formula cancels or overflows.
    mean, raw = torch.tensor([[20.0, -20.0, 0.0]]), torch.tensor([[21.0, -18.5, 30.0]])
    normal = d.Independent(d.Normal(mean, log_deviation.exp()), 1)
    correction = (2 * (math.log(2) - raw - torch.nn.functional.softplus(-2 * raw))).sum(-1)
    cases.append(case("tanh_gaussian", mean, log_deviation, raw, normal.log_prob(raw) - correction, None))

    mean, raw, log_deviation = torch.randn(6, 4), torch.randn(6, 4), torch.tensor([-1.0, 0.2, 0.5, -0.3])
    variances = (2 * log_deviation).exp()
    ratios = d.MultivariateNormal(mean[:, :-1] - mean[:, -1:], variances[:-1].diag() + variances[-1])
    v = raw[:, :-1] - raw[:, -1:]
    jacobians = [torch.autograd.functional.jacobian(lambda x: simplex(x)[:-1], row) for row in v]
    density = ratios.log_prob(v) - torch.stack([torch.linalg.slogdet(j)[1] for j in jacobians])
    cases.append(case("softmax_gaussian", mean, log_deviation, raw, density, None))

    print(json.dumps({"torch": torch.__version__, "cases": cases}, indent=1))


if __name__ == "__main__":
    main()
