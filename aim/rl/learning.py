"""Learning of Stage II: a verifier or the action expert, from the decisions of trials at which candidates were tried.

The frozen rest of the model makes the cache of keys and values of a batch once; what learns is the small expert, or
the verifier's copy of it. Decisions at which the choice matters are drawn more often.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aim.model import flow
from aim.model.batch import KvCache
from aim.model.verifier import Verifier, fork_action_expert
from aim.model.world_action_model import WorldActionModel
from aim.policy.foresight import split_by_future
from aim.policy.learned import LearnedPolicy
from aim.policy.precision import autocast
from aim.rl import objectives
from aim.rl.features import rebuild_cache_of_decisions
from aim.rl.objectives import Velocity
from aim.rl.settings import RlConfig
from aim.rl.trial import Trial
from aim.util.seeds import make_generator
from sim.types import UserError

BASE_WEIGHT, DECISIVE_GAIN, MAX_WEIGHT = 0.2, 0.05, 3.0  # of a decision: base + min(gain / decisive gain, max)
GRAD_CLIP = 1.0
MIN_SPREAD = 1e-6  # of values or scores within a decision that can be correlated
JUDGE_BATCH = 32  # decisions at once where a verifier is judged

Watch = Callable[[int, float], None]  # told each step and its loss
Values = Sequence[NDArray[np.float32]]  # (t c) of each trial, as `aim.rl.critic.judge_trial` has them


@dataclass(frozen=True)
class Decisions:
    """b decisions at which c chunks were tried, equally many for each of f futures."""

    cache: KvCache  # (b f) rows
    futures: int
    chunks: Tensor  # (b c k d)
    values: Tensor  # (b c)


@dataclass(frozen=True)
class VerifierQuality:
    """How a verifier chooses, by values of a critic that has not seen the trials."""

    correlation: float | None  # of scores and values within a decision, over those at which both differ
    gain: float  # mean rise of the value by its choice over the policy's own chunk


def train_expert(
    policy: LearnedPolicy, model: WorldActionModel, trials: Sequence[Trial], trial_values: Values, config: RlConfig,
    iteration: int, watch: Watch,
) -> None:  # fmt: skip
    """Tune the action expert of `model` in place; the rest of it is that of `policy`."""
    valid, before = policy.valid, fork_action_expert(model) if config.method == "nft" else model

    def ask(of: WorldActionModel, cache: KvCache) -> Velocity:
        return lambda z, level: of.predict_action_velocity(cache, z, level) * valid

    def compute_loss(batch: Decisions, generator: torch.Generator) -> Tensor:
        values, rows = batch.values, torch.arange(len(batch.values), device=valid.device)
        level = flow.shift_timestep(torch.rand(len(rows), generator=generator), policy.run.model.action_shift)
        if config.method == "distill":
            share = objectives.compute_preferences(values, config.temperature)
        else:
            share = torch.ones_like(values)
        number = torch.multinomial(share.cpu(), 1, generator=generator)[:, 0].to(valid.device)
        chunks, level = batch.chunks[rows, number], level.to(valid.device)
        noise = torch.randn(chunks.shape, generator=generator).to(valid.device) * valid
        future = number // (values.shape[1] // batch.futures)
        cache = batch.cache.select_rows(rows * batch.futures + future)
        new = ask(model, cache)
        if config.method == "distill":
            return objectives.compute_distillation_loss(new, chunks, noise, level, valid)
        old = torch.no_grad()(ask(before, cache))
        advantage = (values - values.mean(1, keepdim=True))[rows, number]
        return objectives.compute_nft_loss(new, old, chunks, noise, level, advantage, valid)

    _optimize(
        policy, model.list_action_expert_parameters(), trials, trial_values, config, iteration, compute_loss, watch
    )


def train_verifier(
    policy: LearnedPolicy, verifier: Verifier, trials: Sequence[Trial], trial_values: Values, config: RlConfig,
    iteration: int, watch: Watch,
) -> None:  # fmt: skip
    """Fit a verifier in place to the values of tried chunks."""

    def compute_loss(batch: Decisions, generator: torch.Generator) -> Tensor:
        scores = _score_candidates(verifier, batch)
        return objectives.compute_ranking_loss(scores, batch.values, config.temperature)

    _optimize(policy, verifier.list_own_parameters(), trials, trial_values, config, iteration, compute_loss, watch)


@torch.no_grad()
def measure_verifier(
    policy: LearnedPolicy, verifier: Verifier, trials: Sequence[Trial], trial_values: Values
) -> VerifierQuality:
    """Return how a verifier chooses in some trials."""
    rows, scores = _list_decisions(trials), []
    for start in range(0, len(rows), JUDGE_BATCH):
        batch = _load_decisions(policy, trials, trial_values, rows[start : start + JUDGE_BATCH])
        scores.append(_score_candidates(verifier, batch).cpu().numpy())
    score, value = np.concatenate(scores), np.concatenate(trial_values)
    apart = (value.std(1) > MIN_SPREAD) & (score.std(1) > MIN_SPREAD)
    centred = [z[apart] - z[apart].mean(1, keepdims=True) for z in (score, value)]
    norms = [np.sqrt(np.square(z).sum(1)) for z in centred]
    correlation = float(((centred[0] * centred[1]).sum(1) / (norms[0] * norms[1])).mean()) if apart.any() else None
    return VerifierQuality(correlation, compute_gain(value, score.argmax(1)))


def _score_candidates(verifier: Verifier, batch: Decisions) -> Tensor:
    """Return a verifier's scores (b c)."""
    return verifier(batch.cache, split_by_future(batch.chunks, batch.futures)).reshape(batch.values.shape)


def compute_gain(values: NDArray[np.float32], chosen: NDArray[np.int64]) -> float:
    """Return the mean rise of the values (b c) by the candidates `chosen` (b,) over the policy's own."""
    return float((values[np.arange(len(values)), chosen] - values[:, 0]).mean())


def _optimize(
    policy: LearnedPolicy, parameters: dict[str, nn.Parameter], trials: Sequence[Trial], trial_values: Values,
    config: RlConfig, iteration: int, compute_loss: Callable[[Decisions, torch.Generator], Tensor], watch: Watch,
) -> None:  # fmt: skip
    """Take the steps of an iteration with AdamW, whose rate falls to 0 by a cosine; `UserError` where it diverges."""
    rows = _list_decisions(trials)
    weight = torch.from_numpy(weigh_decisions(np.concatenate(trial_values)))
    for value in parameters.values():
        value.requires_grad_(True)
    optimizer = torch.optim.AdamW(parameters.values(), lr=config.lr, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
    for step in range(config.steps):
        generator = make_generator(config.seed, "rl", iteration, step)
        drawn = torch.multinomial(weight, config.batch_size, replacement=True, generator=generator)
        batch = _load_decisions(policy, trials, trial_values, [rows[row] for row in drawn.tolist()])
        with autocast(policy.precision, policy.device):
            loss = compute_loss(batch, generator)
        if not math.isfinite(loss.item()):
            raise UserError(
                f"the loss of step {step + 1} of iteration {iteration} is not finite; a lower --lr may help"
            )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters.values(), GRAD_CLIP)
        optimizer.step()
        schedule.step()
        watch(step + 1, loss.item())


def weigh_decisions(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weights (b,) by which decisions are drawn, given values (b c): more where the choice matters."""
    return BASE_WEIGHT + np.minimum((values.max(1) - values[:, 0]) / DECISIVE_GAIN, MAX_WEIGHT)


def _list_decisions(trials: Sequence[Trial]) -> list[tuple[int, int]]:
    """Return (trial, decision) of every decision."""
    return [(number, decision) for number, trial in enumerate(trials) for decision in range(len(trial.facts))]


def _load_decisions(
    policy: LearnedPolicy, trials: Sequence[Trial], trial_values: Values, rows: Sequence[tuple[int, int]]
) -> Decisions:
    cache = rebuild_cache_of_decisions(policy, trials, rows)
    chunks = torch.from_numpy(np.stack([trials[trial].chunks[decision] for trial, decision in rows]))
    values = torch.from_numpy(np.stack([trial_values[trial][decision] for trial, decision in rows]))
    condition = trials[rows[0][0]].features.get("condition")
    futures = 1 if condition is None else condition.shape[1]
    return Decisions(cache, futures, chunks.to(policy.device), values.to(policy.device))
