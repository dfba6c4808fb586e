"""PPO in one file, in the manner of CleanRL (Huang et al. 2022), on a native batch.

    pip install 'lobgym[examples]'
    python examples/python/cleanrl_ppo.py --total-timesteps 500000

Logged: SPS, steps of one environment a second since the start; return, the mean over the episodes that ended in this iteration; KL, the
mean of (r - 1) - log r over the last epoch, r the ratio of new to old probability; clipped, the share of ratios outside 1 +- clip.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical, Distribution, Independent, Normal

import lobgym


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="model_market_making", help="market_making, execution or model_market_making")
    parser.add_argument("--total-timesteps", type=int, default=500_000)
    parser.add_argument("--num-envs", type=int, default=128)
    parser.add_argument("--num-steps", type=int, default=64, help="steps of each environment between two updates")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--minibatches", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--gamma", type=float, default=1.0)
    parser.add_argument("--gae-lambda", type=float, default=0.95)
    parser.add_argument("--clip", type=float, default=0.2)
    parser.add_argument("--entropy", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def layer(inputs: int, outputs: int, gain: float = np.sqrt(2)) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(linear.weight, gain)
    nn.init.zeros_(linear.bias)
    return linear


class Agent(nn.Module):
    """Actor and critic, for a box or for one choice of several."""

    def __init__(self, batch: lobgym.VectorEnv) -> None:
        super().__init__()
        inputs = int(np.prod(batch.single_observation_space.shape))
        self.continuous = not batch.action_choices
        if len(batch.action_choices) > 1:
            raise SystemExit("this file knows a box or one choice; pick another action= of the environment")
        outputs = len(batch.action_components) if self.continuous else len(batch.action_choices[0][1])
        self.critic = nn.Sequential(layer(inputs, 64), nn.Tanh(), layer(64, 64), nn.Tanh(), layer(64, 1, 1.0))
        self.actor = nn.Sequential(layer(inputs, 64), nn.Tanh(), layer(64, 64), nn.Tanh(), layer(64, outputs, 0.01))
        self.log_deviation = nn.Parameter(torch.full((outputs,), -0.5))

    def value(self, observations: torch.Tensor) -> torch.Tensor:
        return self.critic(observations).squeeze(-1)

    def policy(self, observations: torch.Tensor) -> Distribution:
        outputs = self.actor(observations)
        if self.continuous:
            return Independent(Normal(outputs, self.log_deviation.exp().expand_as(outputs)), 1)
        return Categorical(logits=outputs)


def main() -> None:
    arguments = parse()
    torch.manual_seed(arguments.seed)
    generator = np.random.default_rng(arguments.seed)
    # Same-step resets: every step is a transition, and the last observation of an episode is in the infos.
    batch = lobgym.VectorEnv(arguments.env, arguments.num_envs, autoreset_mode="SameStep", infos="none")
    agent = Agent(batch)
    optimiser = torch.optim.Adam(agent.parameters(), lr=arguments.learning_rate, eps=1e-5)

    steps, envs = arguments.num_steps, arguments.num_envs
    size = steps * envs
    observations = torch.zeros((steps, envs, int(np.prod(batch.single_observation_space.shape))))
    actions = torch.zeros((steps, *batch.action_space.shape))
    log_probabilities, rewards, values, next_values, dones = (torch.zeros((steps, envs)) for _ in range(5))

    observation = torch.from_numpy(batch.reset(seed=arguments.seed)[0]).flatten(1)
    returns, finished = np.zeros(envs), []
    iterations = max(1, arguments.total_timesteps // size)
    begin = time.perf_counter()
    for iteration in range(1, iterations + 1):
        for step in range(steps):
            with torch.no_grad():
                distribution = agent.policy(observation)
                action = distribution.sample()
                values[step] = agent.value(observation)
                log_probabilities[step] = distribution.log_prob(action)
            observations[step], actions[step] = observation, action
            array, reward, terminations, truncations, infos = batch.step(action.numpy())
            ended = terminations | truncations
            observation = torch.from_numpy(array).flatten(1)
            # What comes after: nothing after a termination, what would have come after a truncation.
            after = observation.clone()
            for index in np.flatnonzero(truncations):
                after[index] = torch.from_numpy(infos["final_obs"][index]).flatten()
            with torch.no_grad():
                next_values[step] = agent.value(after) * torch.from_numpy(~terminations)
            rewards[step], dones[step] = torch.from_numpy(reward), torch.from_numpy(ended)
            returns += reward
            finished += returns[ended].tolist()
            returns[ended] = 0.0

        # Generalised advantage estimation (Schulman et al. 2016).
        advantages = torch.zeros_like(rewards)
        running = torch.zeros(envs)
        for step in reversed(range(steps)):
            delta = rewards[step] + arguments.gamma * next_values[step] - values[step]
            running = delta + arguments.gamma * arguments.gae_lambda * (1 - dones[step]) * running
            advantages[step] = running
        targets = (advantages + values).flatten()

        flat = (
            observations.flatten(0, 1),
            actions.flatten(0, 1),
            log_probabilities.flatten(),
            advantages.flatten(),
            targets,
        )
        for _ in range(arguments.epochs):
            order = torch.from_numpy(generator.permutation(size))
            for rows in order.chunk(arguments.minibatches):
                seen, taken, old, advantage, target = (part[rows] for part in flat)
                distribution = agent.policy(seen)
                log_ratio = distribution.log_prob(taken) - old
                ratio = log_ratio.exp()
                advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
                clipped = ratio.clamp(1 - arguments.clip, 1 + arguments.clip)
                policy_loss = -torch.min(advantage * ratio, advantage * clipped).mean()
                value_loss = 0.5 * (agent.value(seen) - target).square().mean()
                loss = policy_loss + 0.5 * value_loss - arguments.entropy * distribution.entropy().mean()
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
                optimiser.step()
        divergence = ((ratio - 1) - log_ratio).mean().item()
        share = ((ratio - 1).abs() > arguments.clip).float().mean().item()
        speed = iteration * size / (time.perf_counter() - begin)
        mean = np.mean(finished) if finished else float("nan")
        print(
            f"iteration {iteration}/{iterations}  SPS {speed:,.0f}  return {mean:.3f} ({len(finished)} episodes)  "
            f"KL {divergence:.4f}  clipped {share:.2f}",
            flush=True,
        )
        finished.clear()
    batch.close()


if __name__ == "__main__":
    main()
