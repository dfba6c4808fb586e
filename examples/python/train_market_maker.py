# %% [markdown]
# # A market maker in a minute
#
# Trains PPO as a market maker in the tactical market (1 s steps x 1,000, at most 5 lots a side, at most 10 held), then lets it and the
# rules that practitioners use quote in the same 200 sessions, none of which it has seen.
#
# Run it as a script (`python examples/python/train_market_maker.py`), or cell by cell in an editor that knows `# %%`. It needs
# `lobgym[agents]` and the extension `lobgym._torch`: docs/python_training.md.

# %%
from __future__ import annotations

import argparse
import sys

import lobgym
from lobgym.training import Report


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Trains a market maker and prints what it earns beside the usual rules."
    )
    parser.add_argument("--total-timesteps", type=int, default=5_000_000, help="about a minute on two cores")
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--episodes", type=int, default=200, help="sessions of the evaluation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="the run's directory [default: runs/market_making_ppo-N]")
    # A notebook has arguments of its own.
    return parser.parse_args(None if "ipykernel" not in sys.modules else [])


arguments = parse()

# %% [markdown]
# ## Training
#
# The settings are those of `config/train/market_making_ppo.yaml`, and every one can be overridden by its name. The callback is told of each
# update; it could also end training by returning `False`.

# %%
returns: list[tuple[int, float]] = []


def keep(report: Report) -> None:
    if report["mean_return"] is not None:
        returns.append((report["steps"], report["mean_return"]))


run = lobgym.train(
    "market_making_ppo",
    out=arguments.out,
    callback=keep,
    progress=True,
    steps=arguments.total_timesteps,
    environments=arguments.num_envs,
    seed=arguments.seed,
)
print(run)
for steps, mean in returns[:: max(1, len(returns) // 10)]:
    print(f"{steps:>10,} steps: mean return {mean:8.2f}")

# %% [markdown]
# ## The policy
#
# It acts without PyTorch, in the shape that Stable-Baselines3's users know.

# %%
env = lobgym.Env("market_making", config=run.config["env"])
run.policy.fits(env)
observation, info = env.reset(seed=1)
action, _ = run.policy.predict(observation)
for (name, unit, _, _), value in zip(env.action_components, action, strict=True):
    print(f"{name:>12}: {value:6.3f} {unit}")

# %% [markdown]
# ## Beside the rules
#
# All quote in the same sessions; the differences are paired.

# %%
evaluation = run.evaluate(
    "join", "mid:distance=1:lots=2:skew=4", "as", "glft", "random", episodes=arguments.episodes, seed=arguments.seed
)
print(evaluation)

# %% [markdown]
# ## Pages
#
# Both are files that need nothing else. Training has written the first already; the second has the learning curves too, an episode of the best
# policy, and every figure.

# %%
print(f"learning curves: {run.directory / 'report.html'}")
page = run.directory / "beside_the_rules.html"
evaluation.to_html(page)
print(f"beside the rules: {page}")
