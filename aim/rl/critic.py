"""The critic: how likely the policy is to succeed from a state, by facts of the simulator that it never sees itself.

An ensemble of small networks, fitted to the outcome of trials: each trial is kept from one of the members, which judges
it, so that quality and values are those on unseen trials. Beside the facts a member is told whether the trial was
guided by an earlier critic; states are judged as if what follows is not.
"""

from __future__ import annotations

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
STEPS, BATCH_SIZE, LR, WEIGHT_DECAY = 600, 256, 1e-3, 0.05
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
            nn.Sequential(
                nn.Linear(size + 1, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, 1)
            )
            for _ in range(MEMBERS)
        )

    def forward(self, facts: Tensor, guided: Tensor | None = None) -> Tensor:
        """Return the logits of all members; `guided` (b,) is false if left out."""
        z = (facts - self.get_buffer("mean")) / self.get_buffer("std")
        told = torch.zeros_like(z[..., :1]) if guided is None else guided.to(z.dtype)[..., None]
        z = torch.cat([z.clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS), told], -1)
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


def fit_critic(trials: Sequence[Trial], seed: int) -> tuple[Critic, CriticQuality]:
    """Return a critic fitted to the outcome of trials, and its quality."""
    facts = torch.from_numpy(np.concatenate([trial.facts for trial in trials]))
    owner = torch.from_numpy(np.repeat(np.arange(len(trials)), [len(trial.facts) for trial in trials]))
    label = torch.tensor([float(trial.success) for trial in trials])[owner]
    guided = torch.tensor([trial.guided for trial in trials])[owner]
    judge = torch.tensor([choose_judge(trial.seed, seed) for trial in trials])[owner]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        critic = Critic(facts.shape[1])
    critic.get_buffer("mean").copy_(facts.mean(0))
    critic.get_buffer("std").copy_(facts.std(0, correction=0).clamp(min=MIN_STD))
    optimizer = torch.optim.AdamW(critic.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    for step in range(STEPS):
        generator = make_generator(seed, "critic", step)
        rows = torch.randint(len(facts), (min(BATCH_SIZE, len(facts)),), generator=generator)
        logits = critic(facts[rows], guided[rows])
        counts = (judge[rows, None] != torch.arange(MEMBERS)).float()
        wrong = F.binary_cross_entropy_with_logits(logits, label[rows, None].expand_as(logits), reduction="none")
        loss = (wrong * counts).sum() / counts.sum().clamp(min=1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    critic.eval()
    with torch.no_grad():
        probability = critic(facts, guided).sigmoid().gather(1, judge[:, None])[:, 0]
    return critic, _measure_quality(probability.numpy(), label.numpy() > 0.5, owner.numpy(), facts[:, -1].numpy())


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
