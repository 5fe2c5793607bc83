"""One contract for every task on every robot that can do it."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aim import cli
from sim import robots, tasks
from sim.envs.env import Env
from sim.episodes.record import record_episodes
from sim.expert.policy import ExpertPolicy
from sim.scene.compile import compile_model
from sim.scene.instructions import find_slots
from sim.scene.randomize import VARIATIONS
from sim.scene.sample import SceneSample, sample_scene
from sim.task.rewards import RewardTerm
from sim.task.spec import SpecError, Task, TaskObject, from_json, to_json
from sim.task.validate import validate_task
from sim.types import Episode, UserError

NAMES = tasks.list_tasks()
# the robots on which every task is held to this contract; `test_robots.py` holds every robot to its own
ARMS = {name: len(robots.load_robot(name).arms) for name in ("aloha", "panda")}
# read and not checked: a task that is not sound fails its own test, not the collection of all
PAIRS = [pair for pair in product(NAMES, ARMS) if tasks.load_unvalidated_task(pair[0]).arms_needed <= ARMS[pair[1]]]
POTENTIAL_ROBOT = "aloha"  # which can do every task: the potential is computed on it alone, since that takes longest
WHOLE = ("click_bell", "place_empty_cup", "stack_blocks_two")  # whole episodes are compared
STEPS = 60  # control steps that are compared of every task
MAX_DIP = 0.1  # by how much the potential may fall below what it was before: shaking leads away and back again


@pytest.mark.parametrize("name", NAMES)
def test_is_sound_and_comes_back_from_json(name: str) -> None:
    task = tasks.load_task(name)
    assert task.name == name and task.suite
    assert from_json(to_json(task)) == task
    validate_task(from_json(to_json(task)))


@pytest.mark.parametrize("name", NAMES)
def test_every_instruction_can_be_said(name: str) -> None:
    task = tasks.load_task(name)
    assert len(set(task.instructions)) >= 4 and len(set(task.unseen)) >= 2
    assert not set(task.instructions) & set(task.unseen)
    robot = robots.load_robot("aloha")
    absent = {thing.name for thing in task.objects} - set(sample_scene(task, robot, 0).poses)
    for kind, field in (("clean", "instructions"), ("random-eval", "unseen")):
        for template in getattr(task, field):
            if not absent & {slot.partition(".")[0] for slot in find_slots(template)}:
                said = sample_scene(dataclasses.replace(task, **{field: (template,)}), robot, 0, kind).instruction
                assert said and not set("{}") & set(said)


@dataclasses.dataclass(frozen=True)
class Rollout:
    """What the expert did with seeds 0 and 1 in one vector: the one roll-out that several tests look at."""

    solved_at_rest: bool  # success of any world after a control step in which the robot stood still
    success: NDArray[np.bool_]  # (n)
    potential: NDArray[np.float64]  # (t, n) sum of the changes of potential, on POTENTIAL_ROBOT
    progress: NDArray[np.float64]  # (t, n) share of the plan's stages
    states: NDArray[np.float64]  # (STEPS + 1, s) physics states of seed 1 from that step on


def begin(name: str, robot: str, seeds: list[int]) -> tuple[Env, bool]:
    """Return worlds after a control step in which the robot stood still, and whether any is solved."""
    reward = (RewardTerm("potential"),) if robot == POTENTIAL_ROBOT else "sparse"
    env = Env(tasks.load_task(name), robots.load_robot(robot), len(seeds), reward=reward)
    env.reset(seeds)
    return env, bool(env.step(np.tile(np.array(env.robot.home_action), (env.n, 1, 1))).success.any())


def save_states(env: Env) -> list[NDArray[np.float64]]:
    """Return the physics state of every world."""
    return [snapshot.physics for snapshot in env.world.save().values()]


@cache
def roll_out_expert(name: str, robot: str) -> Rollout:
    """Return the expert's roll-out of a task on a robot."""
    env, solved_at_rest = begin(name, robot, [0, 1])
    expert, states = ExpertPolicy(env), [save_states(env)[1]]
    gains, progress = [np.zeros(2)], [np.zeros(2)]
    while not (env.done | expert.finished).all():
        result = env.step(expert.act().actions)
        gains.append(result.reward.sum(axis=1))
        progress.append(result.info["progress"].copy())
        if len(states) <= STEPS:
            states.append(save_states(env)[1])
    env.close()
    return Rollout(solved_at_rest, env.success, np.cumsum(gains, axis=0), np.stack(progress), np.stack(states))


@pytest.mark.parametrize(("name", "robot"), PAIRS)
def test_solved_by_its_plan_and_not_before(name: str, robot: str) -> None:
    rollout = roll_out_expert(name, robot)
    assert not rollout.solved_at_rest
    assert rollout.success.all(), f"seeds {np.flatnonzero(~rollout.success)} are not solved"


@pytest.mark.parametrize("name", NAMES)
def test_the_potential_climbs_along_the_solution(name: str) -> None:
    rollout = roll_out_expert(name, POTENTIAL_ROBOT)
    potential = rollout.potential
    assert np.isfinite(potential).all() and potential.min() > -MAX_DIP and potential.max() <= 1.0
    assert (np.maximum.accumulate(potential) - potential).max() < MAX_DIP
    assert (1.0 + potential[-1] > 1.5).all(), "with the success that reward 'dense' adds"
    assert (np.diff(rollout.progress, axis=0) >= 0).all() and (rollout.progress[-1] == 1.0).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_whole_recording_ends_well_and_carries_maps(name: str) -> None:
    (episode,) = record_episodes(tasks.load_task(name), robots.load_robot("aloha"), [2], ("head",), (32, 32))
    assert episode.success and episode.events
    assert episode.maps["head"].any()


@pytest.mark.parametrize(("name", "robot"), PAIRS)
def test_a_seed_begins_alike_whatever_the_batch(name: str, robot: str) -> None:
    together = roll_out_expert(name, robot).states
    env, _ = begin(name, robot, [1])
    expert, alone = ExpertPolicy(env), save_states(env)
    for _ in together[1:]:
        env.step(expert.act().actions)
        alone += save_states(env)
    env.close()
    np.testing.assert_array_equal(together, np.stack(alone))


@pytest.mark.parametrize(("name", "robot"), [pair for pair in PAIRS if pair[0] in WHOLE])
def test_a_seed_is_an_episode_whatever_the_batch(name: str, robot: str) -> None:
    run = partial(record_episodes, tasks.load_task(name), robots.load_robot(robot), cameras=("head",), size=(32, 32))
    together, alone = {e.seed: e for e in run([3, 4])}[4], next(iter(run([4])))
    for field in dataclasses.fields(Episode):
        one, other = vars(together)[field.name], vars(alone)[field.name]
        if field.name == "events":
            one, other = ([dataclasses.astuple(event) for event in events] for events in (one, other))
            assert one
        np.testing.assert_equal(one, other)


@pytest.mark.parametrize("variation", [variation for variation in VARIATIONS if variation != "clean"])
@pytest.mark.parametrize("name", NAMES)
def test_objects_stand_alike_in_every_variation(name: str, variation: str) -> None:
    task, robot = tasks.load_task(name), robots.load_robot("aloha")
    clean, other = sample_scene(task, robot, 0), sample_scene(task, robot, 0, variation)
    model = compile_model(task, robot, other)
    assert list(other.poses) == list(clean.poses)
    for thing in task.objects:
        if thing.name in clean.poses:
            lowered = (0.0, 0.0, clean.table.top - height_of(other, task, thing, clean), 0.0, 0.0, 0.0, 0.0)
            np.testing.assert_allclose(other.poses[thing.name], clean.poses[thing.name] - lowered, atol=1e-12)
            assert other.specs[thing.name] == clean.specs[thing.name]
            np.testing.assert_allclose(model.body(thing.name).pos, other.poses[thing.name][:3])
    assert (other.role_arms, other.role_sides, other.colours) == (clean.role_arms, clean.role_sides, clean.colours)


def height_of(layout: SceneSample, task: Task, thing: TaskObject, clean: SceneSample) -> float:
    """Return the height of what a thing stands on: the layout's table, or the floor, which is the same in all."""
    while thing.spawn.within:
        thing = task.find_object(thing.spawn.within)
    return clean.table.top if thing.spawn.floor else layout.table.top


TASK_FILE = """
from sim.task.spec import ArmRole, TaskObject, ObjectSpec, Skill, Spawn, Task, Predicate

TASK = Task(
    name="press_stamp_pad",
    suite="of_this_test",
    instructions=("press {pad}",),
    objects=(
        TaskObject("pad", (ObjectSpec("bell", dict(radius=0.04, height=.05)),), Spawn((0.1, 0.2), (-0.1, 0)), (), True),
    ),
    arms=(ArmRole("a", "side:pad"),),
    success=(Predicate("pressed", {"arm": "a", "point": "pad.top", "xy": 0.025, "z": 0.03}, latch=True),),
    plan=(Skill("press", {"arm": "a", "point": "pad.top"}),),
    horizon=300,
)
"""


ADDED = "press_stamp_pad"


@contextmanager
def added(folder: Path, text: str = TASK_FILE) -> Iterator[Path]:
    """Put one more file beside the tasks while the context lasts."""
    file = folder / f"{ADDED}.py"
    file.write_text(text)
    tasks.__path__.append(str(folder))
    importlib.invalidate_caches()
    try:
        yield file
    finally:
        tasks.__path__.remove(str(folder))
        sys.modules.pop(f"sim.tasks.{ADDED}", None)
        vars(tasks).pop(ADDED, None)


def test_adding_a_task_is_adding_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with added(tmp_path):
        assert ADDED in tasks.list_tasks() and ADDED in tasks.list_suite_tasks("all")
        assert tasks.list_suite_tasks("of_this_test") == (ADDED,)
        assert cli.main(["task", ADDED, "--json"]) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["task"]["name"] == ADDED
        env = Env(tasks.load_task(ADDED), robots.load_robot("panda"))
        env.reset([0])
        expert = ExpertPolicy(env)
        while not (env.done | expert.finished).all():
            env.step(expert.act().actions)
        assert env.success.all()
        env.close()
    assert ADDED not in tasks.list_tasks() and "of_this_test" not in tasks.list_suites()
    with pytest.raises(UserError, match=f"unknown task '{ADDED}'"):
        tasks.load_task(ADDED)


def test_the_list_of_tasks_is_of_the_files_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with added(tmp_path):
        assert cli.main(["tasks", "--json"]) == 0
        listed = json.loads(capsys.readouterr().out.splitlines()[-1])["tasks"]
        assert {*NAMES, ADDED} <= {task["name"] for task in listed}


@pytest.mark.parametrize(("text", "says"), [
    (TASK_FILE.replace('"pad.top"}),', '"pad.button"}),'),
     ":13: unknown point 'pad.button'; did you mean 'pad.bottom'? valid: pad.bottom, pad.centre, pad.top"),
    (TASK_FILE.replace(ADDED, "press_pad"),
     f": the task calls itself 'press_pad'; valid: '{ADDED}', as its file is called"),
    ("WORK = 1\n", ": the file has no TASK = Task(...)"),
])  # fmt: skip
def test_a_mistake_in_a_file_is_named(text: str, says: str, tmp_path: Path) -> None:
    with added(tmp_path, text) as file, pytest.raises(SpecError) as caught:
        tasks.load_task(ADDED)
    assert str(caught.value) == f"{file}{says}"


def test_a_robot_with_too_few_arms_is_refused() -> None:
    with pytest.raises(UserError, match="needs 2 arms; robot 'panda' has 1"):
        Env(tasks.load_task("handover_block"), robots.load_robot("panda"))


@pytest.mark.parametrize(("load", "message"), [
    (tasks.load_task, "unknown task 'click_bel'; did you mean 'click_bell'"),
    (robots.load_robot, "unknown robot 'click_bel'; valid: aloha, panda"),
])  # fmt: skip
def test_unknown_names_are_answered_with_the_valid_ones(load: Callable[[str], object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load("click_bel")
