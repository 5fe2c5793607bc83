"""Table of reward terms: whether an episode's return by a term says that the episode succeeds.

A term whose return is higher in failures pays for failing: a learner that raises it lowers success. Such a term is
hackable, and the table shows it on episodes of the untrained policy, before anything is learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aim.evaluate.intervals import fisher_interval
from aim.rl.critic_quality import CriticQuality, compute_auc

NO_VARIATION = 1e-12  # standard deviation of returns that are all the same


@dataclass(frozen=True)
class TermFigures:
    """How the return of episodes by one reward term goes with success; None where there is nothing to compare."""

    term: str
    success_mean: float | None  # return of successes
    failure_mean: float | None  # of failures
    correlation: float | None  # Pearson's, of return and success (0 or 1)
    low: float | None  # Fisher's 95 % interval of it
    high: float | None
    auc: float | None  # probability that a success has the higher return, ties counted half
    correlation_per_decision: float | None  # of return over decisions and success: what is left without the length

    @property
    def is_hackable(self) -> bool:
        """Whether failures earn significantly more: the interval of the correlation lies under 0."""
        return self.high is not None and self.high < 0.0


@dataclass(frozen=True)
class RewardTable:
    """Figures of reward terms over episodes of one policy."""

    episodes: int
    successes: int
    terms: tuple[TermFigures, ...]
    critic: CriticQuality | None  # of the critic whose success probability is the potential of `progress`

    def describe(self) -> list[str]:
        """Lines of a table, with the hackable terms marked, and one on the critic."""
        width = max(len("term"), *(len(row.term) for row in self.terms))
        lines = [f"{'term':{width}}   success   failure  correlation (95 % interval)    AUC  a decision"]
        for row in self.terms:
            means = "".join(f"{_format(mean, '10.3f')}" for mean in (row.success_mean, row.failure_mean))
            interval = "" if row.low is None else f"({row.low:+.2f} to {row.high:+.2f})"
            tail = f"{_format(row.auc, '7.2f')}{_format(row.correlation_per_decision, '+12.2f')}"
            marked = "  hackable" if row.is_hackable else ""
            lines.append(f"{row.term:{width}}{means}{_format(row.correlation, '+9.2f')} {interval:19}{tail}{marked}")
        if self.critic:
            quarters = ", ".join(_format(auc, ".2f").strip() for auc in self.critic.auc_by_quarter)
            whole = _format(self.critic.auc, ".2f").strip()
            lines.append(f"critic: AUC {whole}, by quarter of the time limit {quarters}; Brier {self.critic.brier:.3f}")
        lines.append(f"{self.successes} of {self.episodes} episodes succeeded")
        return lines


def measure_terms(
    rewards: Mapping[str, NDArray[np.float64]], decisions: Sequence[int], success: Sequence[bool],
    critic: CriticQuality | None = None,
) -> RewardTable:  # fmt: skip
    """Return the table of reward terms from per-decision rewards (b t) by name, b episodes with so many decisions."""
    won = np.asarray(success, bool)
    figures = tuple(_measure_term(name, each, np.asarray(decisions), won) for name, each in rewards.items())
    return RewardTable(len(won), int(won.sum()), figures, critic)


def compute_correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float | None:
    """Return Pearson's correlation of two series (b,); None where one of them is constant."""
    if len(x) < 2 or min(x.std(), y.std()) < NO_VARIATION:
        return None
    return float(np.clip(np.mean((x - x.mean()) * (y - y.mean())) / (x.std() * y.std()), -1.0, 1.0))


def _measure_term(
    name: str, rewards: NDArray[np.float64], decisions: NDArray[np.int64], won: NDArray[np.bool_]
) -> TermFigures:
    """Return the figures of rewards (b t) of one term."""
    total = rewards.sum(1)
    correlation = compute_correlation(total, won.astype(float))
    low, high = (None, None) if correlation is None else fisher_interval(correlation, len(won))
    success, failure = (float(total[of].mean()) if of.any() else None for of in (won, ~won))
    return TermFigures(
        name, success, failure, correlation, low, high, compute_auc(total.astype(np.float32), won),
        compute_correlation(total / decisions, won.astype(float)),
    )  # fmt: skip


def _format(value: float | None, how: str) -> str:
    """Return a number as text, "-" of the same width where there is none."""
    width = how.lstrip("+").partition(".")[0]
    return f"{'-':>{width or 1}}" if value is None else f"{value:{how}}"
