# ruff: noqa: F722
"""Policy gradient: the action expert follows the clipped surrogate of PPO on explored trials.

The frozen rest of the model makes the cache of keys and values of a batch again from stored features, in half
precision; so the old log-probabilities are computed from that cache too, before the first step, and the ratio is 1
there. KL is estimated by the mean of r - 1 - log r over a batch, r being the ratio.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from aim.model.batch import KvCache
from aim.policy.learned import LearnedPolicy
from aim.policy.precision import autocast
from aim.rl.exploration import StochasticPolicy
from aim.rl.features import rebuild_cache_of_decisions
from aim.rl.settings import RlConfig
from aim.rl.trial import Trial
from aim.util.seeds import make_generator
from sim.types import UserError

CLIP_LOW, CLIP_HIGH = 0.2, 0.28  # of the ratio, below and above 1 (DAPO, arXiv 2503.14476)
MAX_GRAD_NORM = 1.0
WARMUP_STEPS = 8  # of an iteration, over which the learning rate rises: Adam's first steps are as large as its rate

Rows = Float[Tensor, " b"]


@dataclass(frozen=True)
class PolicyUpdate:
    """What the optimizer steps of an iteration came to: means over its batches, and the KL after the last step."""

    steps: int
    loss: float
    kl: float  # estimate over all decisions, of the old policy from the new one
    clip_share: float  # of decisions whose ratio is outside the bounds, over the steps
    stopped: bool  # before all epochs were done, as KL exceeded its target


def compute_surrogate_loss(log_ratio: Rows, advantage: Rows) -> Float[Tensor, ""]:
    """Clipped surrogate of PPO, negated: -mean(min(r A, clip(r, 0.8, 1.28) A)) (arXiv 1707.06347)."""
    ratio = log_ratio.exp()
    return -torch.minimum(ratio * advantage, ratio.clamp(1.0 - CLIP_LOW, 1.0 + CLIP_HIGH) * advantage).mean()


def estimate_kl(log_ratio: Rows) -> Float[Tensor, ""]:
    """Estimate of KL(old || new) from rows of the old policy: mean(r - 1 - log r), never below 0."""
    return (log_ratio.exp() - 1.0 - log_ratio).mean()


def train_policy_gradient(
    policy: LearnedPolicy, explorer: StochasticPolicy, trials: Sequence[Trial],
    advantages: Sequence[NDArray[np.float32]], config: RlConfig, iteration: int, watch: Callable[[int, float], None],
) -> PolicyUpdate:  # fmt: skip
    """Tune the action expert of `policy.model` in place, by epochs over all decisions in random order.

    `advantages` are (t,) for each trial. `watch` is told each step and its loss. Learning ends early when the KL of a
    batch exceeds `config.target_kl`; `UserError` where it diverges.
    """
    parameters = policy.model.list_action_expert_parameters()
    for value in parameters.values():
        value.requires_grad_(True)
    decisions = [(number, decision) for number, each in enumerate(advantages) for decision in range(len(each))]
    advantage = torch.from_numpy(np.concatenate(advantages)).to(policy.device)
    old = _compute_log_probs(policy, explorer, trials, decisions, config.batch_size)
    optimizer = torch.optim.AdamW(parameters.values(), lr=config.lr, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / WARMUP_STEPS, 1.0))
    losses, clipped, stopped = [], [], False
    for epoch in range(config.epochs):
        order = torch.randperm(len(decisions), generator=make_generator(config.seed, "rl", iteration, epoch))
        for rows in order.split(config.batch_size):
            log_prob = _compute_log_prob(policy, explorer, trials, [decisions[row] for row in rows.tolist()])
            rows = rows.to(policy.device)
            log_ratio = log_prob - old[rows]
            loss, kl = compute_surrogate_loss(log_ratio, advantage[rows]), float(estimate_kl(log_ratio.detach()))
            if not (math.isfinite(loss.item()) and math.isfinite(kl)):
                said = f"the loss of step {len(losses) + 1} of iteration {iteration} is not finite"
                raise UserError(f"{said}; a lower --lr may help")
            if stopped := kl > config.target_kl:
                break
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters.values(), MAX_GRAD_NORM)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            ratio = log_ratio.detach().exp()
            clipped.append(float(((ratio < 1.0 - CLIP_LOW) | (ratio > 1.0 + CLIP_HIGH)).float().mean()))
            watch(len(losses), losses[-1])
        if stopped:
            break
    new = _compute_log_probs(policy, explorer, trials, decisions, config.batch_size)
    kl = float(estimate_kl(new - old))
    return PolicyUpdate(len(losses), _average(losses), kl, _average(clipped), stopped)


@torch.no_grad()
def _compute_log_probs(
    policy: LearnedPolicy,
    explorer: StochasticPolicy,
    trials: Sequence[Trial],
    decisions: Sequence[tuple[int, int]],
    batch: int,
) -> Rows:
    """Log-probability of every decision under the present weights."""
    starts = range(0, len(decisions), batch)
    return torch.cat([_compute_log_prob(policy, explorer, trials, decisions[at : at + batch]) for at in starts])


def _compute_log_prob(
    policy: LearnedPolicy, explorer: StochasticPolicy, trials: Sequence[Trial], decisions: Sequence[tuple[int, int]]
) -> Rows:
    """Log-probability of some decisions under the present weights, differentiable in the action expert's."""
    cache: KvCache = rebuild_cache_of_decisions(policy, trials, decisions)
    record = {
        name: torch.from_numpy(np.stack([trials[trial].exploration[name][decision] for trial, decision in decisions]))
        for name in trials[decisions[0][0]].exploration
    }
    with autocast(policy.precision, policy.device):
        return explorer.log_prob(policy, cache, {name: rows.to(policy.device) for name, rows in record.items()})


def _average(numbers: Sequence[float]) -> float:
    return float(np.mean(numbers)) if numbers else 0.0
