"""The critic: how likely the policy is to succeed from a state, by facts of the simulator that it never sees itself.

An ensemble of small networks, fitted to the outcome of trials and, where chunks were tried, to their values: what a
state is worth is the mean of what the policy's own samples lead to (expected Sarsa, with a target network). Without
that a critic overrates the states that it led the policy to, for it is asked for the highest of several noisy values.
Each trial is kept from one of the members, which judges it, so that quality and values are those on unseen trials.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from aim.rl.branching import FAILURE, SUCCESS
from aim.rl.trial import Trial
from aim.util.seeds import make_generator

MEMBERS, WIDTH = 5, 128
STEPS, BATCH_SIZE, LR, WEIGHT_DECAY = 1000, 256, 1e-3, 0.05
TD_WEIGHT = 4.0  # of the loss by tried chunks, beside that by outcomes
TARGET_PERIOD = 20  # steps from one copy of the weights to the target network to the next
PESSIMISM = 0.5  # standard deviations of the members that a cautious value lies under their mean
MIN_STD = 1e-4  # of a fact: one that never changes says nothing
MAX_DEVIATIONS = 5.0  # by which a fact may lie off its mean
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
        z = (facts - self.get_buffer("mean")) / self.get_buffer("std")
        z = z.clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS)
        return torch.cat([member(z) for member in self.members], -1)

    @torch.no_grad()
    def judge_outcomes(
        self,
        facts: NDArray[np.float32],
        outcome: NDArray[np.int8],
        is_cautious: bool = False,
        member: int | None = None,
    ) -> NDArray[np.float32]:
        """Return the probability of success (...) from outcomes (...) and facts (... p); 1 or 0 where it is known.

        It is that of one `member`, or the mean of all; a cautious one lies half their standard deviation lower.
        """
        found = self(torch.from_numpy(facts)).sigmoid()
        value = found.mean(-1) if member is None else found[..., member]
        if is_cautious:
            value = (value - PESSIMISM * found.std(-1)).clamp(min=0.0)
        known = np.where(outcome == FAILURE, np.float32(0), value.numpy())
        return np.where(outcome == SUCCESS, np.float32(1), known)


@dataclass(frozen=True)
class CriticQuality:
    """How well a critic foretells the outcome of trials, each judged by the member that it was kept from."""

    brier: float  # mean squared error of the probability, over decisions
    brier_constant: float  # of the share of decisions that are of successful trials, as the answer to everything
    auc: float | None  # area under the ROC curve, over decisions; None: one outcome only
    auc_by_quarter: tuple[float | None, ...]  # over the first decision in each quarter of the time a trial may take
    slope: float | None = None  # of outcomes over differences between candidates: `compute_slope`

    def describe_shortfall(self, min_auc: float) -> str:
        """Clause on why nothing is to be learned from the critic, "" where something is; `min_auc` 0 asks nothing."""
        if (self.auc or 0.0) < min_auc:
            return f"the critic's AUC is {self.auc}, under {min_auc}"
        if min_auc and self.brier >= self.brier_constant:
            return f"the critic's Brier score is {self.brier:.3f}, a constant's is {self.brier_constant:.3f}"
        return ""


def choose_judge(trial_seed: int, seed: int) -> int:
    """Return the member that a trial is kept from."""
    return int(torch.randint(MEMBERS, (), generator=make_generator(seed, "critic judge", trial_seed)))


def fit_critic(
    trials: Sequence[Trial], seed: int, own_candidates: Sequence[int] | None = None
) -> tuple[Critic, CriticQuality]:
    """Return a critic fitted to trials, and its quality.

    `own_candidates` are the numbers of the tried chunks that the policy sampled as it samples its own; all if left out.
    """
    facts = torch.from_numpy(np.concatenate([trial.facts for trial in trials]))
    owner = torch.from_numpy(np.repeat(np.arange(len(trials)), [len(trial.facts) for trial in trials]))
    label = torch.tensor([float(trial.success) for trial in trials])[owner]
    judge = torch.tensor([choose_judge(trial.seed, seed) for trial in trials])[owner]
    branches = _Branches.gather(trials, own_candidates)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        critic = Critic(facts.shape[1])
    critic.get_buffer("mean").copy_(facts.mean(0))
    critic.get_buffer("std").copy_(facts.std(0, correction=0).clamp(min=MIN_STD))
    optimizer = torch.optim.AdamW(critic.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    target = copy.deepcopy(critic)
    for step in range(STEPS):
        if step % TARGET_PERIOD == 0:
            target.load_state_dict(critic.state_dict())
        generator = make_generator(seed, "critic", step)
        rows = torch.randint(len(facts), (min(BATCH_SIZE, len(facts)),), generator=generator)
        loss = _compute_loss(critic, facts[rows], label[rows, None], judge[rows])
        if branches:
            rows = torch.randint(len(branches.row), (min(BATCH_SIZE, len(branches.row)),), generator=generator)
            state = branches.row[rows]
            value = branches.compute_targets(target, rows)
            loss = loss + TD_WEIGHT * _compute_loss(critic, facts[state], value, judge[state])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    critic.eval()
    with torch.no_grad():
        probability = critic(facts).sigmoid().gather(1, judge[:, None])[:, 0]
    quality = _measure_quality(probability.numpy(), label.numpy() > 0.5, owner.numpy(), facts[:, -1].numpy())
    return critic, dataclasses.replace(quality, slope=compute_slope(critic, trials, seed))


@dataclass(frozen=True)
class _Branches:
    """What c chunks led to at each of b decisions."""

    row: Tensor  # (b,) of the decision among those of all trials
    facts: Tensor  # (b c p)
    outcome: Tensor  # (b c)

    @classmethod
    def gather(cls, trials: Sequence[Trial], own_candidates: Sequence[int] | None) -> _Branches | None:
        """Return those of all trials; None where nothing was tried."""
        starts = np.cumsum([0, *(len(trial.facts) for trial in trials)])
        tried = [(trial, start) for trial, start in zip(trials, starts[:-1], strict=True) if trial.is_tried]
        if not tried:
            return None
        number = slice(None) if own_candidates is None else list(own_candidates)
        return cls(
            torch.from_numpy(np.concatenate([start + np.arange(len(trial.facts)) for trial, start in tried])),
            torch.from_numpy(np.concatenate([trial.outcome_facts[:, number] for trial, _ in tried])),
            torch.from_numpy(np.concatenate([trial.outcome[:, number] for trial, _ in tried])),
        )

    @torch.no_grad()
    def compute_targets(self, critic: Critic, rows: Tensor) -> Tensor:
        """Return the value (r e) that each member gives to r decisions: the mean of what the chunks led to."""
        value, outcome = critic(self.facts[rows]).sigmoid(), self.outcome[rows, :, None]
        known = torch.where(outcome == SUCCESS, 1.0, torch.where(outcome == FAILURE, 0.0, value))
        return known.mean(1)


def _compute_loss(critic: Critic, facts: Tensor, target: Tensor, judge: Tensor) -> Tensor:
    """Return the cross-entropy of states (b p) and targets (b 1 or b e), of each member but for what it judges."""
    logits = critic(facts)
    counts = (judge[:, None] != torch.arange(MEMBERS)).float()
    wrong = F.binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none")
    return (wrong * counts).sum() / counts.sum().clamp(min=1.0)


def compute_slope(critic: Critic, trials: Sequence[Trial], seed: int) -> float | None:
    """Return by how much of a difference between candidates the outcome differs: 1 if all of it is real, 0 if none.

    It is the slope, through 0, of success minus the mean value of a decision's candidates over the value of the own
    chunk minus that mean, in trials that followed the policy, judged by the member that each was kept from. None where
    there is nothing to compare.
    """
    product = square = 0.0
    for trial in trials:
        if trial.is_tried and not trial.guided:
            values = judge_trial(critic, trial, seed).astype(np.float64)
            mean = values.mean(1)
            advantage = values[:, 0] - mean
            product += float((advantage * (trial.success - mean)).sum())
            square += float(np.square(advantage).sum())
    return product / square if square > 0.0 else None


def judge_trial(critic: Critic, trial: Trial, seed: int) -> NDArray[np.float32]:
    """Return the values (t c) of the chunks that were tried in a trial, by the member that it was kept from."""
    return critic.judge_outcomes(trial.outcome_facts, trial.outcome, member=choose_judge(trial.seed, seed))


@torch.no_grad()
def judge_states(critic: Critic, trial: Trial, seed: int) -> NDArray[np.float32]:
    """Return the values (t,) of the states at the decisions of a trial, by the member that it was kept from."""
    logits = critic(torch.from_numpy(trial.facts))[:, choose_judge(trial.seed, seed)]
    return logits.sigmoid().numpy()


def _measure_quality(
    probability: NDArray[np.float32], won: NDArray[np.bool_], owner: NDArray[np.int64], time_left: NDArray[np.float32]
) -> CriticQuality:
    """Return the quality of probabilities of success at decisions, which are in order of trials and of time."""
    by_quarter = []
    for quarter in range(QUARTERS):
        due = np.flatnonzero(time_left <= 1.0 - quarter / QUARTERS)
        first = due[np.unique(owner[due], return_index=True)[1]]
        by_quarter.append(compute_auc(probability[first], won[first]))
    return CriticQuality(
        float(np.square(probability - won).mean()), float(np.square(won.mean() - won).mean()),
        compute_auc(probability, won), tuple(by_quarter),
    )  # fmt: skip


def compute_auc(score: NDArray[np.float32], positive: NDArray[np.bool_]) -> float | None:
    """Return the probability that a positive scores above a negative one, ties counted half; None without both."""
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return None
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]  # mean rank of ties, from 1
    return float((rank[positive].sum() - n_positive * (n_positive + 1) / 2.0) / (n_positive * n_negative))
