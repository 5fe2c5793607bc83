# ruff: noqa: F722
"""Exploration: chunks sampled from a stochastic policy whose log-probability is differentiable in the action expert.

Both policies condition on the initial noise z of a chunk, which counts as part of the observation: what is random is
added after it. Random numbers come from generators keyed (policy seed, stream, world, control step), so the exploration
of a trial depends on its seed alone. Constants of the log-probability are dropped where they cancel in a ratio.

n worlds or b rows, k control steps of a chunk, E of them executed, d action channels, j joint channels, m bumps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from aim.model import flow, sampler
from aim.model.batch import KvCache
from aim.model.flow import RowNoise
from aim.policy.foresight import Foresight
from aim.policy.learned import LearnedPolicy
from aim.policy.precision import autocast
from aim.policy.smooth_noise import add_smooth_noise, build_bumps, find_joints, read_half_ranges
from aim.util.seeds import make_generator
from sim.types import UserError

Record = Mapping[str, NDArray]  # what a log-probability is computed from, by name, one row a decision
Chunks = Float[Tensor, "n k d"]
SDE_NOISE_SCALE = 0.5  # a of `aim.model.sampler` (pi_RL, arXiv 2510.25889)
MAX_SDE_STEP = 3  # the SDE step is one of the first so many denoising steps: later noise is jitter


class Explorer(Protocol):
    """What trials carry out instead of a policy's own chunks."""

    def explore(self, policy: LearnedPolicy, foresight: Foresight) -> tuple[Chunks, Record]:
        """Normalised chunks (n k d) for n worlds, and the record of how they came about, arrays (n ...)."""
        ...


class StochasticPolicy(Explorer, Protocol):
    """A stochastic policy around the action expert of a `LearnedPolicy`, whose log-probability is differentiable."""

    def log_prob(self, policy: LearnedPolicy, cache: KvCache, record: Mapping[str, Tensor]) -> Float[Tensor, " b"]:
        """Log-probability of recorded chunks under the weights of `policy.model`, up to a constant; differentiable."""
        ...

    def measure_noise(self, policy: LearnedPolicy, record: Record) -> float | None:
        """Root mean square of the noise in the joint targets that are executed, in radians; None if not known."""
        ...


@dataclass(frozen=True)
class SmoothNoise:
    """Smooth Gaussian noise around the deterministic chunk: a = mu + B c scale, with c ~ N(0, I).

    mu is the ODE chunk from the policy's own noise z, B are raised-cosine bumps (`build_bumps`), and scale turns
    `std_rad`, the standard deviation of a joint target at the centre of a bump, into normalised units. Only joint
    channels, measured relative to the present state, are explored. Under other weights
    c' = c - pinv(B) (mu' - mu)[:E] / scale, and the log-probability is -1/2 ||c'||^2.
    """

    std_rad: float = 0.03

    @torch.no_grad()
    def explore(self, policy: LearnedPolicy, foresight: Foresight) -> tuple[Chunks, Record]:
        """Normalised chunks (n k d); the record holds z, c (n m j) and the executed part of mu (n E j)."""
        joints, horizon = _find_joints(policy), policy.execution_horizon
        mean = policy.sample_chunks(foresight)[:, 0]
        draws = RowNoise(_make_generators(policy, "smooth noise", foresight))
        chunks, coefficients = add_smooth_noise(mean, draws, self.std_rad, horizon, policy.transform)
        executed = mean[:, : policy.execution_horizon, joints]
        return chunks, _to_arrays({"noise": foresight.noise, "coefficients": coefficients, "mean": executed})

    def log_prob(self, policy: LearnedPolicy, cache: KvCache, record: Mapping[str, Tensor]) -> Float[Tensor, " b"]:
        """Log-probability (b,) of the coefficients that lead to the recorded chunks, without its constant."""
        joints, scale, noise = _find_joints(policy), self._scale_noise(policy), record["noise"]
        schedule = flow.build_schedule(policy.action_steps, policy.run.model.action_shift)
        mean = sampler.sample(_ask_velocity(policy, cache), noise, schedule).actions
        horizon = policy.execution_horizon
        inverse = torch.linalg.pinv(build_bumps(noise.shape[1], horizon)[:horizon]).to(noise.device)
        shift = inverse @ (mean[:, :horizon, joints].float() - record["mean"]) / scale
        return -0.5 * (record["coefficients"] - shift).square().sum((1, 2))

    def measure_noise(self, policy: LearnedPolicy, record: Record) -> float | None:
        """Root mean square of B c over executed steps and joints, in radians."""
        bumps = build_bumps(policy.run.model.chunk, policy.execution_horizon)[: policy.execution_horizon].numpy()
        return float(self.std_rad * np.sqrt(np.square(bumps @ record["coefficients"]).mean()))

    def _scale_noise(self, policy: LearnedPolicy) -> Float[Tensor, " j"]:
        return self.std_rad / read_half_ranges(policy.transform, policy.device)


@dataclass(frozen=True)
class FlowSde:
    """One SDE step among the first denoising steps, the rest ODE (Flow-SDE of pi_RL, arXiv 2510.25889).

    Which step it is follows from (policy seed, world, control step). The transition density is that of
    `aim.model.sampler`, over executed control steps and channels that move.
    """

    noise_scale: float = SDE_NOISE_SCALE

    @torch.no_grad()
    def explore(self, policy: LearnedPolicy, foresight: Foresight) -> tuple[Chunks, Record]:
        """Normalised chunks (n k d); the record holds the index of the SDE step and the actions around it."""
        generators = _make_generators(policy, "flow sde", foresight)
        choices = min(MAX_SDE_STEP, max(policy.action_steps - 1, 1))
        step = torch.tensor([int(torch.randint(choices, (), generator=each)) for each in generators])
        noise, counted = foresight.noise, _mark_counted(policy)
        chunks, before, after = (torch.zeros_like(noise) for _ in range(3))
        for number, rows in _group_rows(step):
            scales = [self.noise_scale * (each == number) for each in range(policy.action_steps)]
            draws = RowNoise(tuple(generators[row] for row in rows.tolist()))
            rows = rows.to(noise.device)
            with autocast(policy.precision, policy.device):
                chain = policy.model.denoise_actions(
                    foresight.future.cache.select_rows(rows), noise[rows], policy.action_steps, policy.valid, scales,
                    draws, counted,
                )  # fmt: skip
            chunks[rows], before[rows] = chain.actions.float(), chain.chain[number].float()
            after[rows] = chain.chain[number + 1].float()
        return chunks, _to_arrays({"step": step, "before": before, "after": after})

    def log_prob(self, policy: LearnedPolicy, cache: KvCache, record: Mapping[str, Tensor]) -> Float[Tensor, " b"]:
        """Log-density (b,) of the recorded SDE steps."""
        schedule = flow.build_schedule(policy.action_steps, policy.run.model.action_shift)
        levels, counted = tuple(pairwise(schedule)), _mark_counted(policy)
        found = record["before"].new_zeros(len(record["step"]))
        for number, rows in _group_rows(record["step"]):
            around = torch.stack([record[name][rows] for name in ("before", "after")])
            chain = sampler.ActionChain(around, levels[number], (self.noise_scale,), counted, found[rows, None])
            velocity = _ask_velocity(policy, cache.select_rows(rows))
            found = found.index_add(0, rows, sampler.log_prob(velocity, chain)[:, 0].float())
        return found

    def measure_noise(self, policy: LearnedPolicy, record: Record) -> float | None:
        """None: the noise reaches the chunk through the remaining denoising steps."""
        return None


def check_explorable(policy: LearnedPolicy) -> None:
    """Raise `UserError` unless the policy moves joints by targets relative to their measured positions."""
    if not len(_find_joints(policy)):
        raise UserError("smooth noise explores joint positions, and this policy moves none; --exploration sde works")


def _find_joints(policy: LearnedPolicy) -> Int[Tensor, " j"]:
    return find_joints(policy.transform, policy.device)


def _mark_counted(policy: LearnedPolicy) -> Bool[Tensor, "k d"]:
    """Executed control steps of channels that move."""
    executed = torch.arange(policy.run.model.chunk, device=policy.device) < policy.execution_horizon
    return executed[:, None] & policy.valid


def _ask_velocity(policy: LearnedPolicy, cache: KvCache) -> sampler.Velocity:
    """Velocity of the action expert against a cache, 0 in channels that do not move; differentiable."""

    def velocity(z: Tensor, level: float) -> Tensor:
        return policy.model.predict_action_velocity(cache, z, z.new_full((1,), level)) * policy.valid

    return velocity


def _group_rows(step: Int[Tensor, " b"]) -> list[tuple[int, Int[Tensor, " r"]]]:
    """Each denoising step that occurs, and the rows of which it is the SDE step."""
    return [(number, torch.nonzero(step == number)[:, 0]) for number in sorted(set(step.tolist()))]


def _make_generators(policy: LearnedPolicy, stream: str, foresight: Foresight) -> tuple[torch.Generator, ...]:
    assert foresight.futures == 1, "exploration samples one chunk of one future"
    keys = zip(foresight.worlds, foresight.history.step, strict=True)
    return tuple(make_generator(policy.seed, stream, world, int(step)) for world, step in keys)


def _to_arrays(tensors: Mapping[str, Tensor]) -> dict[str, NDArray]:
    return {name: value.cpu().numpy() for name, value in tensors.items()}
