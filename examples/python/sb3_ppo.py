"""Trains Stable-Baselines3's PPO on a native batch and prints what the policy earns beside random quotes.

pip install 'lobgym[examples]'
python examples/python/sb3_ppo.py --total-timesteps 500000
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor

from lobgym.sb3 import VecEnv


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="model_market_making", help="market_making, execution or model_market_making")
    parser.add_argument("--total-timesteps", type=int, default=500_000)
    parser.add_argument("--num-envs", type=int, default=128)
    parser.add_argument("--num-steps", type=int, default=64, help="steps of each environment between two updates")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def mean_return(env: str, num_envs: int, seed: int, model: PPO | None) -> tuple[float, float]:
    """The mean and its standard error of `num_envs` episodes; without a model the actions are random."""
    batch = VecEnv(env, num_envs)
    batch.seed(seed)
    batch.action_space.seed(seed)
    observations = batch.reset()
    returns, running = np.zeros(num_envs), np.ones(num_envs, dtype=bool)
    while running.any():
        if model is None:
            actions = np.stack([batch.action_space.sample() for _ in range(num_envs)])
        else:
            actions, _ = model.predict(observations, deterministic=True)
        observations, rewards, dones, _ = batch.step(actions)
        returns += rewards * running
        running &= ~dones
    batch.close()
    return float(returns.mean()), float(returns.std() / np.sqrt(num_envs))


def main() -> None:
    arguments = parse()
    batch = VecMonitor(VecEnv(arguments.env, arguments.num_envs))
    rollout = arguments.num_envs * arguments.num_steps
    model = PPO(
        "MlpPolicy",
        batch,
        n_steps=arguments.num_steps,
        batch_size=max(2, rollout // 4),
        n_epochs=4,
        gamma=1.0,
        seed=arguments.seed,
        device="cpu",
    )
    begin = time.perf_counter()
    model.learn(arguments.total_timesteps)
    seconds = time.perf_counter() - begin
    print(f"{model.num_timesteps:,} steps in {seconds:.1f} s: {model.num_timesteps / seconds:,.0f} a second")
    # Other seeds than the training's.
    for name, policy in (("random", None), ("PPO", model)):
        mean, error = mean_return(arguments.env, 256, 1_000_000, policy)
        print(f"{name:>8}: mean return of 256 episodes {mean:.3f} +- {error:.3f}")


if __name__ == "__main__":
    main()
