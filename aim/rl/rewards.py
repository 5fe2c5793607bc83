"""Rewards of Stage II as data: a reward is a tuple of terms, each a name, a weight, and how it is computed of a trial.

A term gives one number a decision. Terms that are differences of a potential telescope: their sum over an episode is
the potential at its end less that at its begin, so that waiting earns nothing. `aim rewards` measures for each term
whether it goes with success (`aim.rl.reward_table`), and `check_reward` refuses one that pays for failing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aim.rl.advantages import compute_success_rewards
from aim.rl.reward_table import RewardTable
from aim.rl.trial import Trial
from sim.registry import resolve_name
from sim.types import UserError

Rewards = NDArray[np.float64]  # (t,) of a trial's decisions, or (b t)
Compute = Callable[[Trial, Rewards | None], Rewards]  # from a trial and its success probabilities (t,) by the critic

MAP_INPUTS = ("map_sum", "map_ends", "map_peak", "map_events")  # of `Trial.reward_inputs`, with value maps alone


@dataclass(frozen=True)
class TrialRewardTerm:
    """A term of the reward of a trial: its weight, and its value at each decision."""

    name: str
    compute: Compute
    reads: str = ""  # the array of `Trial.reward_inputs` that it is computed from; "": none
    judged: bool = False  # it is computed from success probabilities by the critic
    weight: float = 1.0

    @property
    def needs_maps(self) -> bool:
        """Whether it is computed from predicted value maps."""
        return self.reads in MAP_INPUTS


def _reward_success(trial: Trial, values: Rewards | None) -> Rewards:
    """Return 1 at the last decision of a success, else 0."""
    return compute_success_rewards(trial).astype(float)


def _reward_progress(trial: Trial, values: Rewards | None) -> Rewards:
    """Return the rise of the success probability (t,) by each decision; it ends at 1 or 0, which is the outcome."""
    assert values is not None
    return np.diff(values, append=float(trial.success))


def _read_scores(trial: Trial, values: Rewards | None) -> Rewards:
    """Return the rise of the mean score of the success predicates."""
    scores = trial.reward_inputs["scores"].astype(float)
    return scores[:, 1] - scores[:, 0]


def _reward_map_potential(trial: Trial, values: Rewards | None) -> Rewards:
    """Return the difference of the normalised response between the ends of chunks, each by its own chunk's map."""
    ends = trial.reward_inputs["map_ends"].astype(float)
    return np.diff(ends[:, 1], prepend=ends[0, 0])


def _read_input(name: str, sign: float = 1.0) -> Compute:
    """Return the function that reads what was recorded under a name."""
    return lambda trial, values: sign * trial.reward_inputs[name].astype(float)


TERMS: Mapping[str, TrialRewardTerm] = {
    term.name: term
    for term in (
        TrialRewardTerm("success", _reward_success),
        TrialRewardTerm("time", _read_input("time", -1.0), "time"),
        TrialRewardTerm("predicates", _read_scores, "scores"),
        TrialRewardTerm("progress", _reward_progress, judged=True),
        TrialRewardTerm("map_response", _read_input("map_sum"), "map_sum"),
        TrialRewardTerm("map_potential", _reward_map_potential, "map_ends"),
        TrialRewardTerm("map_peak", _read_input("map_peak"), "map_peak"),
        TrialRewardTerm("map_at_gripper_events", _read_input("map_events"), "map_events"),
    )
}


def find_term(name: str, weight: float = 1.0) -> TrialRewardTerm:
    """Return the term of a name with a weight; `UserError` with the valid names if there is none."""
    return replace(TERMS[resolve_name("reward term", name, tuple(TERMS))], weight=weight)


def compute_rewards(
    terms: Sequence[TrialRewardTerm], trials: Sequence[Trial], values: Sequence[Rewards] | None = None
) -> dict[str, Rewards]:
    """Return the rewards (b t) of each term, without its weight, 0 after a trial's last decision.

    `values` are success probabilities (t,) by the critic, a trial each, as `aim.rl.critic.judge_states` has them: terms
    that are judged need them. `UserError` for a term whose inputs were not recorded.
    """
    length = max((len(trial.facts) for trial in trials), default=0)
    found = {term.name: np.zeros((len(trials), length)) for term in terms}
    for term in terms:
        if term.judged and values is None:
            raise UserError(f"the reward term {term.name!r} needs the success probabilities of a critic")
        for row, trial in enumerate(trials):
            if term.reads and term.reads not in trial.reward_inputs:
                raise UserError(
                    f"the reward term {term.name!r} needs {term.reads!r}, which these trials did not record"
                )
            found[term.name][row, : len(trial.facts)] = term.compute(trial, values[row] if values else None)
    return found


def combine(terms: Sequence[TrialRewardTerm], returns: Mapping[str, Rewards]) -> Rewards:
    """Return the weighted sum (b t) of the rewards (b t) of one term or more; `UserError` where one is missing."""
    if not terms:
        raise UserError("a reward needs at least one term")
    for term in terms:
        if term.name not in returns:
            raise UserError(f"no rewards of the term {term.name!r}; there are those of {', '.join(returns) or 'none'}")
    return np.sum([term.weight * returns[term.name] for term in terms], axis=0)


def check_reward(terms: Sequence[TrialRewardTerm], table: RewardTable, allow_hackable: bool = False) -> None:
    """Raise `UserError` for a term that pays for failing: its correlation with success is significantly negative.

    The 95 % interval of the correlation, with the sign of the term's weight, lies under 0. A term of weight 0 passes,
    as does one whose correlation could not be measured. A term that the table lacks is a `UserError`, too.
    `allow_hackable` lets everything pass.
    """
    measured = {row.term: row for row in table.terms}
    for term in () if allow_hackable else terms:
        if term.name not in measured:
            raise UserError(f"the reward term {term.name!r} is not measured; aim rewards --terms {term.name} does it")
        row = measured[term.name]
        if row.correlation is None or row.low is None or row.high is None or not term.weight:
            continue
        sign = np.sign(term.weight)
        correlation, low, high = (sign * row.correlation, *sorted((sign * row.low, sign * row.high)))
        if high < 0.0:
            said = f"{correlation:+.2f} (95 % interval {low:+.2f} to {high:+.2f})"
            raise UserError(
                f"the reward term {term.name!r} pays for failing: its correlation with success over "
                f"{table.episodes} episodes is {said}"
            )


@dataclass(frozen=True)
class LagrangeWeight:
    """Weight of a shaped term that is held back while success is lower than it was at the beginning.

    Shaped return is maximised under the constraint that the success rate S stays at its starting value S0 or above
    (constrained reward weighting, arXiv 2310.04373). The multiplier follows the constraint's violation by gradient
    ascent, m <- max(0, m + rate (S0 - S)), and the term counts with weight / (1 + m): as in the Lagrangian, divided by
    the weight 1 + m that success then has. An update returns the next value, so that a run can store it.
    """

    weight: float  # of the term while the constraint holds; it is never exceeded
    start: float  # success rate before anything is learned
    rate: float = 10.0  # rise of the multiplier for each unit of success rate that is missing
    multiplier: float = 0.0

    def __post_init__(self) -> None:
        """Refuse, with `UserError`, numbers outside their range."""
        if not (0.0 <= self.start <= 1.0 and self.rate > 0.0 and self.multiplier >= 0.0):
            raise UserError("start is a share from 0 to 1, rate is above 0, multiplier is 0 or more")

    @property
    def value(self) -> float:
        """Weight that the term has now."""
        return self.weight / (1.0 + self.multiplier)

    def update(self, success_rate: float) -> LagrangeWeight:
        """Return the weight after an iteration with so high a success rate: lower if under the start, else higher."""
        return replace(self, multiplier=max(0.0, self.multiplier + self.rate * (self.start - success_rate)))

    def apply(self, term: TrialRewardTerm) -> TrialRewardTerm:
        """Return a term with the present weight."""
        return replace(term, weight=self.value)
