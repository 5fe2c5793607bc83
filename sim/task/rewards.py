"""Rewards as data, for every task: terms derived from its success predicates and its plan, without code of its own.

* `sparse`: 1 at the control step that succeeds.
* `staged`: also an equal share of 1 whenever a stage of the plan is reached for the first time.
* `dense`: also the change of a potential in [0, 1] that grades the way through the stages (Ng et al., 1999).

Because shaping is the *change* of a potential, its sum over an episode is bounded by 1 and hovering near a goal earns
nothing: waiting is never better than finishing. A term may also name any success predicate, whose score in [0, 1]
(`sim.task.predicates.tolerance`) is then added at every step, or its change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.registry import resolve_name
from sim.task.condition import Evaluation, SuccessCondition
from sim.task.predicates import PREDICATES, Floats, Mask, PredicateView, tolerance
from sim.task.progress import PlanProgress
from sim.task.spec import Predicate, Task, Value

SPECIAL_TERMS = ("success", "stage", "potential")


@dataclass(frozen=True)
class RewardTerm:
    """A term of a reward: "success", "stage", "potential", or the name of a predicate with its keywords.

    `mode` says whether a predicate's score is added as it is at every step, or its change since the step before.
    """

    name: str
    weight: float = 1.0
    args: Mapping[str, Value] = field(default_factory=dict)
    mode: Literal["value", "change"] = "change"


RewardSet = tuple[RewardTerm, ...]

REWARD_SETS: dict[str, RewardSet] = {
    "sparse": (RewardTerm("success"),),
    "staged": (RewardTerm("success"), RewardTerm("stage")),
    "dense": (RewardTerm("success"), RewardTerm("potential")),
}


@dataclass(frozen=True)
class RewardState:
    """What a reward remembers of n worlds between two steps."""

    applies: NDArray[np.bool_]  # (n k) which stages of the plan are for each world's scene
    stage: NDArray[np.int64]  # (n,) stages behind
    potential: Floats  # (n,)
    scores: Floats  # (n t) of the terms that are predicates

    @property
    def progress(self) -> Floats:
        """How far (n,) the plan has come: stages behind over all and the end."""
        return self.stage / (self.applies.sum(axis=1) + 1)


class Reward:
    """Computes the reward of a control step in n worlds from a `StateView` and what it remembers of the step before."""

    def __init__(self, task: Task, terms: str | RewardSet = "sparse", track_progress: bool = False) -> None:
        self.terms = REWARD_SETS[resolve_name("reward", terms, tuple(REWARD_SETS))] if isinstance(terms, str) else terms
        for term in self.terms:
            resolve_name("reward term", term.name, (*SPECIAL_TERMS, *PREDICATES))
        self._scored = tuple(term for term in self.terms if term.name not in SPECIAL_TERMS)
        named = tuple(Predicate(term.name, dict(term.args)) for term in self._scored)
        self._condition = SuccessCondition(task, named) if named else None
        self._plan = PlanProgress(task)
        names = {term.name for term in self.terms}
        self._sparse_weight = sum(term.weight for term in self.terms if term.name == "success")
        self.remembers = track_progress or names != {"success"}
        self.tracks_progress = track_progress or bool(names & {"stage", "potential"})

    def begin(self, view: PredicateView, evaluation: Evaluation) -> RewardState:
        """Return what is remembered of worlds that have just been reset."""
        applies = self._plan.find_applicable(view)
        stage, potential = np.zeros(len(applies), int), np.zeros(len(applies))
        if self.tracks_progress:
            stage, potential = self._plan.begin(view, applies, evaluation)
        return RewardState(applies, stage, potential, self._scores(view))

    def step(
        self, view: PredicateView, evaluation: Evaluation, newly_succeeded: Mask, before: RewardState
    ) -> tuple[Floats, RewardState]:
        """Return the reward (n,) of the step that led here from `before`, and what is remembered now."""
        if not self.remembers:
            return self._sparse_weight * newly_succeeded.astype(float), before
        stage, potential = before.stage, before.potential
        if self.tracks_progress:
            stage, potential = self._plan.advance(view, before.applies, before.stage, evaluation)
            potential = np.where(newly_succeeded, 1.0, potential)
        after = RewardState(before.applies, stage, potential, self._scores(view))
        total = np.zeros(len(stage))
        for term in self.terms:
            total += term.weight * self._term(term, newly_succeeded, before, after)
        return total, after

    def _term(self, term: RewardTerm, newly_succeeded: Mask, before: RewardState, after: RewardState) -> Floats:
        match term.name:
            case "success":
                return newly_succeeded.astype(float)
            case "stage":
                return after.progress - before.progress
            case "potential":
                return after.potential - before.potential
            case _:
                k = self._scored.index(term)
                return after.scores[:, k] - (before.scores[:, k] if term.mode == "change" else 0.0)

    def _scores(self, view: PredicateView) -> Floats:
        if self._condition is None:
            return np.zeros((len(view.table_origin()), 0))
        return tolerance(self._condition.evaluate(view).slack)
