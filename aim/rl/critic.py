"""The critic: probability that the policy will succeed from a state, by facts of the simulator that it never sees.

An ensemble of small networks, each fitted to the outcome of the trials through its own random four fifths of them. A
trial is judged by the members that were not fitted to it, so calibration and ranking are those on unseen trials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from aim.rl.trial import Trial
from aim.util.seeds import make_generator

MEMBERS, WIDTH = 5, 128
BAG_SHARE = 0.8  # of the trials that a member is fitted to
STEPS, BATCH_SIZE, LR, WEIGHT_DECAY = 600, 256, 1e-3, 0.05
PESSIMISM = 0.5  # standard deviations of the members that a value lies under their mean
MIN_STD = 1e-4  # of a fact: one that never changes says nothing
QUARTERS = 4


class Critic(nn.Module):
    """Ensemble of networks from facts (b p) to logits of success (b e)."""

    def __init__(self, size: int) -> None:
        """Make the members for `size` facts, with weights from torch's global generator."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))
        self.members = nn.ModuleList(
            nn.Sequential(nn.Linear(size, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, 1))
            for _ in range(MEMBERS)
        )

    def forward(self, facts: Tensor) -> Tensor:
        """Return the logits of all members."""
        z = ((facts - self.get_buffer("mean")) / self.get_buffer("std")).clamp(-5.0, 5.0)
        return torch.cat([member(z) for member in self.members], -1)

    @torch.no_grad()
    def judge_states(self, facts: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a cautious probability of success (...) of states (... p): the mean less half the members' spread."""
        found = self(torch.from_numpy(facts)).sigmoid()
        return (found.mean(-1) - PESSIMISM * found.std(-1)).clamp(0.0, 1.0).numpy()


@dataclass(frozen=True)
class CriticQuality:
    """How well a critic foretells the outcome of trials that its members were not fitted to."""

    brier: float  # mean squared error of the probability
    brier_constant: float  # of the share of successes as the answer to everything
    auc: tuple[
        float | None, ...
    ]  # at the beginning of each quarter of the time a trial may take; None: one outcome only


def fit_critic(trials: Sequence[Trial], seed: int) -> tuple[Critic, CriticQuality]:
    """Return a critic fitted to the outcome of trials, and its quality on those left out of each member's bag."""
    facts = torch.from_numpy(np.concatenate([trial.facts for trial in trials]))
    owner = torch.from_numpy(np.repeat(np.arange(len(trials)), [len(trial.facts) for trial in trials]))
    label = torch.tensor([float(trial.success) for trial in trials])[owner]
    bags = torch.stack([_draw_bag(trial.seed, seed) for trial in trials])  # (trials, members)
    torch.manual_seed(seed)
    critic = Critic(facts.shape[1])
    critic.get_buffer("mean").copy_(facts.mean(0))
    critic.get_buffer("std").copy_(facts.std(0).clamp(min=MIN_STD))
    optimizer = torch.optim.AdamW(critic.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    for step in range(STEPS):
        generator = make_generator(seed, "critic", step)
        rows = torch.randint(len(facts), (min(BATCH_SIZE, len(facts)),), generator=generator)
        logits, counts = critic(facts[rows]), bags[owner[rows]].float()
        wrong = F.binary_cross_entropy_with_logits(logits, label[rows, None].expand_as(logits), reduction="none")
        loss = (wrong * counts).sum() / counts.sum().clamp(min=1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return critic.eval(), _measure_quality(critic, facts, owner, label, bags)


def _draw_bag(trial_seed: int, seed: int) -> Tensor:
    """Return which members (e,) are fitted to a trial: at least one is not."""
    order = torch.rand(MEMBERS, generator=make_generator(seed, "critic bag", trial_seed))
    inside = order < BAG_SHARE
    return inside if not inside.all() else order < order.max()


@torch.no_grad()
def _measure_quality(critic: Critic, facts: Tensor, owner: Tensor, label: Tensor, bags: Tensor) -> CriticQuality:
    outside = ~bags[owner]
    probability = (critic(facts).sigmoid() * outside).sum(1) / outside.sum(1)
    left = facts[:, -1]  # share of the time that is left
    aucs = []
    for quarter in range(QUARTERS):
        due = left <= 1.0 - quarter / QUARTERS
        first = torch.cat([due[:1], due[1:] & (~due[:-1] | (owner[1:] != owner[:-1]))])  # a trial's first such decision
        aucs.append(compute_auc(probability[first].numpy(), label[first].numpy() > 0.5))
    return CriticQuality(
        float((probability - label).square().mean()), float((label.mean() - label).square().mean()), tuple(aucs)
    )


def compute_auc(score: NDArray[np.float32], positive: NDArray[np.bool_]) -> float | None:
    """Return the probability that a positive scores above a negative one, ties counted half; None without both."""
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return None
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]  # mean rank of ties, from 1
    return float((rank[positive].sum() - n_positive * (n_positive + 1) / 2.0) / (n_positive * n_negative))
