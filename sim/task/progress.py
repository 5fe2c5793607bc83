"""Plan progress: the stages of a task's plan that a state has reached, whoever acts, and a potential that leads on.

Each skill that leaves a lasting mark on the scene is a stage with a measure of its own: `grade`, a score in [0, 1] for
how near it is, and `done`. Skills that do not (`move`, `shake`, `home`) are no stages. After the last stage come the
success predicates themselves. The measures read the state alone, never the expert.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.geometry import transform_points
from sim.task.condition import Evaluation
from sim.task.predicates import Floats, Mask, PredicateView
from sim.task.spec import Skill, Task
from sim.task.values import list_values

HALF_GRADE_M = 0.1  # the distance that earns half of what being there does
PLACED_M = 0.03  # an object's frame this near to its place counts as placed
CARRIED_M = 0.06
PRESSED_M = 0.03
RAISED_SHARE = 0.5  # of a pick's lift
TURNED_SHARE = 0.9  # of the way from where a joint stood
GRIPPER_OPEN = 0.5


@dataclass(frozen=True)
class Measure:
    """How far one skill has come: `grade` (n,) in [0, 1] and `done` (n,)."""

    grade: Floats
    done: Mask


StageMeasure = Callable[[PredicateView, Mapping[str, Any]], Measure]


class PlanProgress:
    """The stages of a task's plan. `applies` (n k) says which of the k stages are for each world's scene."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.stages = tuple(skills for item in task.plan if (skills := _staged_skills(item)))
        self._optional = {thing.name for thing in task.objects if thing.spawn.optional}

    def find_applicable(self, view: PredicateView) -> NDArray[np.bool_]:
        """Return which stages (n k) are for each world's scene: objects present, conditions on arms met."""
        columns = [np.any([self._applies(view, s) for s in skills], axis=0) for skills in self.stages]
        return np.stack(columns, axis=1) if columns else np.zeros((len(view.table_origin()), 0), bool)

    def begin(
        self, view: PredicateView, applies: NDArray[np.bool_], evaluation: Evaluation
    ) -> tuple[NDArray[np.int64], Floats]:
        """Return stages behind (n,) and potential (n,) where nobody has acted yet."""
        stage = np.zeros(len(applies), int)
        return stage, self._potential(applies, stage, self._grade_stages(view, applies, stage, evaluation)[0])

    def advance(
        self, view: PredicateView, applies: NDArray[np.bool_], stage: NDArray[np.int64], evaluation: Evaluation
    ) -> tuple[NDArray[np.int64], Floats]:
        """Return stages behind (n,), one more than before where the present one is done, and the potential (n,).

        The potential in [0, 1] is the stages behind plus the grade of the present one, over all of them and the end.
        """
        grade, done = self._grade_stages(view, applies, stage, evaluation)
        if done.any():
            stage = stage + done
            grade = np.where(done, self._grade_stages(view, applies, stage, evaluation)[0], grade)
        return stage, self._potential(applies, stage, grade)

    def _potential(self, applies: NDArray[np.bool_], stage: NDArray[np.int64], grade: Floats) -> Floats:
        return (stage + grade) / (applies.sum(axis=1) + 1)

    def _grade_stages(
        self, view: PredicateView, applies: NDArray[np.bool_], stage: NDArray[np.int64], evaluation: Evaluation
    ) -> tuple[Floats, Mask]:
        """Return how near each world is to the end of its present stage (n,), and whether it is there (n,).

        After the last stage the mean score of the success predicates is the grade, and no stage is ever done.
        """
        grade, done = evaluation.scores.mean(axis=1), np.zeros(len(stage), bool)
        for here, measure in self._present_measures(view, applies, stage):
            grade[here], done[here] = measure.grade[here], measure.done[here]
        return grade, done

    def _present_measures(
        self, view: PredicateView, applies: NDArray[np.bool_], stage: NDArray[np.int64]
    ) -> Iterator[tuple[Mask, Measure]]:
        """Yield each stage that some worlds are in: where (n,) they are, and its measure."""
        # the index of the stage that has `stage` applicable ones before it; past the last: no stage
        order = np.cumsum(applies, axis=1)
        inside = stage < applies.sum(axis=1)
        current = np.where(inside, (order > stage[:, None]).argmax(axis=1) if applies.shape[1] else 0, -1)
        for k in np.unique(current[inside]).tolist():
            yield current == k, self._measure(view, k)

    def _measure(self, view: PredicateView, k: int) -> Measure:
        skills = self.stages[k]
        measures = [STAGE_MEASURES[skill.name](view, skill.args) for skill in skills]
        if len(skills) == 1:
            return measures[0]
        applies = np.stack([self._applies(view, skill) for skill in skills])
        grades = np.where(applies, [measure.grade for measure in measures], 0.0)
        done = np.stack([measure.done for measure in measures]) | ~applies
        return Measure(grades.sum(axis=0) / np.maximum(applies.sum(axis=0), 1), np.all(done, axis=0))

    def _applies(self, view: PredicateView, skill: Skill) -> Mask:
        applies = np.ones(len(view.table_origin()), bool)
        for name in self._optional:
            if any(_speaks_of(value, name) for value in skill.args.values()):
                applies &= view.present(name)
        if skill.when:
            first, second = re.split("!?=", skill.when)
            same = view.arm_of_role(first) == view.arm_of_role(second)
            applies &= ~same if "!=" in skill.when else same
        return applies


def _staged_skills(item: Skill) -> tuple[Skill, ...]:
    """Return a skill and those alongside that are stages."""
    return tuple(skill for skill in item.list_concurrent() if skill.name in STAGE_MEASURES)


def _speaks_of(value: object, obj: str) -> bool:
    return any(isinstance(word, str) and word.partition(".")[0] == obj for word in list_values(value))


def _middle(view: PredicateView, body: str) -> Floats:
    """Return the middle (n 3) of a body's bounding box in the world."""
    low, high = view.bounds(body)
    return transform_points(view.pose(body), (low + high) / 2)


def _distance_to_tool(view: PredicateView, arm: str, target: Floats) -> Floats:
    """Return the distance (n,) from the tool of a role to positions `target` (n 3)."""
    return np.linalg.norm(view.tool_positions(arm)[:, 0] - target, axis=-1)


def _touches(view: PredicateView, arm: str, obj: str) -> Mask:
    found = np.zeros(len(view.table_origin()), bool)
    found[view.gripper_contacts(arm, obj)[0]] = True
    return found


def _grade_length(distance: Floats) -> Floats:
    """Return 1 / (1 + d / m), which unlike the score of a predicate has a slope that leads on from afar."""
    return 1.0 / (1.0 + np.maximum(distance, 0.0) / HALF_GRADE_M)


def measure_pick(view: PredicateView, args: Mapping[str, Any]) -> Measure:
    """Reach an object with the open gripper, touch it, raise it by half of the lift."""
    obj, arm, lift = str(args["obj"]), str(args["arm"]), float(args.get("lift", 0.08))
    reach = _grade_length(_distance_to_tool(view, arm, _middle(view, obj)))
    touches = _touches(view, arm, obj)
    rise = view.position(obj)[:, 2] - view.initial_pose(obj)[:, 2]
    raised = rise >= RAISED_SHARE * lift if lift > 0 else np.ones(len(rise), bool)
    risen = np.clip(rise / lift, 0.0, 1.0) if lift > 0 else np.ones(len(rise))
    return Measure(0.5 * reach + 0.2 * touches + 0.3 * touches * risen, touches & raised)


def measure_place(view: PredicateView, args: Mapping[str, Any]) -> Measure:
    """Bring an object's frame to its place and, unless it is to be held, let go of it."""
    obj, arm = str(args["obj"]), str(args["arm"])
    gap = np.linalg.norm(view.position(f"{obj}.{args.get('point', 'bottom')}") - _place(view, args), axis=-1)
    touches = _touches(view, arm, obj)
    placed = gap < PLACED_M
    held = np.where(touches | placed, 1.0, _grade_length(_distance_to_tool(view, arm, _middle(view, obj))))
    free = np.ones(len(gap), bool) if args.get("hold") else ~touches
    return Measure(0.2 * held + 0.6 * _grade_length(gap) + 0.2 * (placed & free), placed & free)


def measure_carry(view: PredicateView, args: Mapping[str, Any]) -> Measure:
    """Bring an object's frame to a place in the air."""
    obj, arm = str(args["obj"]), str(args["arm"])
    gap = np.linalg.norm(view.position(f"{obj}.{args.get('point', 'bottom')}") - _place(view, args), axis=-1)
    touches = _touches(view, arm, obj)
    held = np.where(touches, 1.0, _grade_length(_distance_to_tool(view, arm, _middle(view, obj))))
    return Measure(0.3 * held + 0.7 * _grade_length(gap), touches & (gap < CARRIED_M))


def measure_press(view: PredicateView, args: Mapping[str, Any]) -> Measure:
    """Bring the closed fingertips to a frame and touch it."""
    arm, point = str(args["arm"]), str(args["point"])
    target = view.position(point)
    reach = _grade_length(_distance_to_tool(view, arm, target))
    world, _, position = view.gripper_contacts(arm, point.partition(".")[0])
    touched = np.zeros(len(target), bool)
    touched[world[np.linalg.norm(position - target[world], axis=-1) < PRESSED_M]] = True
    closed = np.clip(1.0 - view.gripper_openings(arm)[:, 0], 0.0, 1.0)
    return Measure(0.7 * reach + 0.2 * closed + 0.1 * touched, touched & (closed > GRIPPER_OPEN))


def measure_turn(view: PredicateView, args: Mapping[str, Any]) -> Measure:
    """Reach the moving part and bring its joint to a fraction of its range, from whichever side it stands on."""
    arm, joint, goal = str(args["arm"]), str(args["joint"]), float(args["to"])
    start, now = view.initial_joint_fraction(joint), view.joint_fraction(joint)
    back = np.abs(goal - start) < 1e-6  # to where it stood at reset, after another skill has turned it
    share = np.clip((now - start) / np.where(back, 1.0, goal - start), 0.0, 1.0)
    share = np.where(back, 1.0 - np.abs(now - goal), share)
    reach = _grade_length(_distance_to_tool(view, arm, _middle(view, view.part_of_joint(joint))))
    return Measure(0.3 * np.maximum(reach, share) + 0.7 * share, share >= TURNED_SHARE)


def measure_release(view: PredicateView, args: Mapping[str, Any]) -> Measure:
    """Open the gripper."""
    opening = np.clip(view.gripper_openings(str(args["arm"]))[:, 0], 0.0, 1.0)
    return Measure(opening, opening > GRIPPER_OPEN)


def _place(view: PredicateView, args: Mapping[str, Any]) -> Floats:
    """Return the place (n 3) of a `place` or `carry`: a frame, or a point above the table, shifted by `offset`."""
    mirror = str(args.get("mirror", ""))
    sign = view.side_sign(mirror) if mirror else np.ones(len(view.table_origin()))
    flip = np.stack([sign, np.ones_like(sign), np.ones_like(sign)], axis=1)
    offset = np.array(args.get("offset", (0.0, 0.0, 0.0))) * flip
    if args.get("on"):
        return view.position(str(args["on"])) + offset
    return view.table_origin() + np.array(args["to"]) * flip + offset


STAGE_MEASURES: dict[str, StageMeasure] = {
    "pick": measure_pick,
    "place": measure_place,
    "carry": measure_carry,
    "press": measure_press,
    "turn": measure_turn,
    "release": measure_release,
}
