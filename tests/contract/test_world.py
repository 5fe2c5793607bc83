"""One contract for every engine: protocol, independence of worlds, and the law of snapshots."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from toy_world import ToyWorld

from sim import robots, tasks, world
from sim.embodiment.model import Embodiment
from sim.envs.settle import SceneFailure, settle_scenes
from sim.scene.sample import sample_scene
from sim.task.spec import Task
from sim.world.protocol import STATE_FIELDS, World, WorldState
from sim.world.scene_table import SceneTable
from sim.world.state import StateView

ENGINES: dict[str, Callable[[Task, Embodiment, int, int], World]] = {
    "toy": ToyWorld,
    **{name: (lambda *a, name=name: world.make_world(name, *a)) for name in world.list_engines()},
}
TASKS = ("place_empty_cup", "open_laptop", "dump_bin_bigbin")
LAW_STEPS = 50


def start(engine: str, task: str, n: int, robot: str = "panda", seeds: list[int] | None = None) -> World:
    made = ENGINES[engine](tasks.load_task(task), robots.load_robot(robot), n, 1)
    wanted = seeds if seeds is not None else list(range(n))
    settled = settle_scenes(made, dict(enumerate(wanted)), "clean")
    assert not [s for s in settled.values() if isinstance(s, SceneFailure)]
    return made


def random_targets(made: World, steps: int, seed: int = 0) -> np.ndarray:
    """Return joint targets (steps n d) that wander about home."""
    rng = np.random.default_rng(seed)
    home = np.array(made.robot.home_action)
    return home + np.cumsum(rng.normal(0.0, 0.02, (steps, made.n, len(home))), axis=0)


def all_fields(state: WorldState) -> dict[str, np.ndarray]:
    return {name: getattr(state, name) for name in STATE_FIELDS}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("engine", ENGINES)
def test_state_has_the_shapes_that_the_names_promise(engine: str, task: str) -> None:
    made = start(engine, task, 3)
    state, names = made.state(), made.names
    d, a, b, j = len(made.robot.action_limits), len(names.arms), len(names.bodies), len(names.joints)
    shapes = {"proprio": (d,), "proprio_velocity": (d,), "command": (d,), "ee_pose": (a, 7), "body_pose": (b, 7),
              "body_velocity": (b, 3), "joint": (j,)}  # fmt: skip
    assert {name: value.shape for name, value in all_fields(state).items()} == {
        name: (3, *shape) for name, shape in shapes.items()
    }
    np.testing.assert_allclose(state.command, np.tile(made.robot.home_action, (3, 1)))
    np.testing.assert_allclose(state.proprio, state.command, atol=0.05)
    np.testing.assert_array_equal(np.isnan(state.body_velocity).any(axis=-1), np.isnan(state.body_pose).any(axis=-1))


@pytest.mark.parametrize("engine", ENGINES)
def test_commands_are_clipped_to_the_limits(engine: str) -> None:
    made = start(engine, "click_bell", 2)
    low, high = np.array(made.robot.action_limits).T
    made.step(np.stack([low - 1.0, high + 1.0]), np.ones(2, bool))
    np.testing.assert_array_equal(made.state().command, [low, high])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_world_does_not_depend_on_the_others(engine: str) -> None:
    together, alone = (
        start(engine, "place_empty_cup", 3, seeds=[5, 6, 7]),
        start(engine, "place_empty_cup", 1, seeds=[6]),
    )
    targets = random_targets(together, 20)
    for row in targets:
        together.step(row, np.ones(3, bool))
        alone.step(row[1:2], np.ones(1, bool))
    for name, value in all_fields(together.state()).items():
        np.testing.assert_array_equal(value[1], all_fields(alone.state())[name][0], err_msg=name)
    contacts, own = together.contacts(), alone.contacts()
    assert engine == "toy" or own["force"].any()
    for field in ("a", "b", "pos", "force"):
        np.testing.assert_array_equal(contacts[contacts["world"] == 1][field], own[field], err_msg=field)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_world_that_is_not_active_stands_still(engine: str) -> None:
    made = start(engine, "place_empty_cup", 2)
    before = all_fields(made.state())
    for row in random_targets(made, 5):
        made.step(row, np.array([True, False]))
    after = all_fields(made.state())
    assert not np.array_equal(before["proprio"][0], after["proprio"][0])
    for name, value in before.items():
        np.testing.assert_array_equal(value[1], after[name][1], err_msg=name)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_world_without_a_scene_is_not_a_number(engine: str) -> None:
    made = ENGINES[engine](tasks.load_task("click_bell"), robots.load_robot("panda"), 2, 1)
    settle_scenes(made, {0: 3}, "clean")
    state = made.state()
    bell = made.names.bodies.index("bell")
    assert np.isfinite(state.body_pose[0, bell]).all() and np.isnan(state.body_pose[1, bell]).all()
    table = SceneTable(made.task, made.robot, 2)
    assert np.isnan(StateView(table, state, made.contacts).pose("bell.top")).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_read_or_saved_stays_as_it_was(engine: str) -> None:
    made = start(engine, "place_empty_cup", 1)
    (first, *others) = random_targets(made, 6)
    made.step(first, np.ones(1, bool))
    kept = [*made.save()[0].__dict__.values(), *all_fields(made.state()).values(), made.contacts()]
    copies = [values.copy() for values in kept]
    for row in others:
        made.step(row, np.ones(1, bool))
    for values, copied in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(values, copied)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_snapshot_may_go_on_in_another_world_of_the_same_scene(engine: str) -> None:
    made = start(engine, "place_empty_cup", 2, seeds=[5, 5])
    targets = random_targets(made, 10)[:, :1].repeat(2, axis=1)
    for row in targets[:5]:
        made.step(row, np.array([True, False]))
    made.restore({1: made.save([0])[0]})
    for row in targets[4:]:
        contacts = made.contacts()
        assert set(made.contacts([1])["world"]) <= {1}
        for field in ("a", "b", "pos", "force"):
            first, second = (contacts[contacts["world"] == i][field] for i in range(2))
            np.testing.assert_array_equal(first, second, err_msg=field)
        for name, value in all_fields(made.state()).items():
            np.testing.assert_array_equal(value[0], value[1], err_msg=name)
        made.step(row, np.ones(2, bool))


@pytest.mark.parametrize("engine", ENGINES)
def test_cameras_stand_where_the_robot_is_now_whether_or_not_they_are_drawn(engine: str) -> None:
    made, wrist = start(engine, "place_empty_cup", 1), (robots.load_robot("panda").camera_names[-1],)
    before = made.camera_poses(wrist)[wrist[0]]
    for row in random_targets(made, 10):
        made.step(row, np.ones(1, bool))
    moved = made.camera_poses(wrist)[wrist[0]]
    assert engine == "toy" or np.abs(moved - before).max() > 1e-3
    made.render(wrist, (8, 8))
    np.testing.assert_array_equal(made.camera_poses(wrist)[wrist[0]], moved)


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_touches_in_a_scene_that_has_just_been_loaded(engine: str) -> None:
    made = start(engine, "place_empty_cup", 2)
    assert engine == "toy" or set(made.contacts()["world"]) == {0, 1}
    made.load({0: sample_scene(made.task, made.robot, 7)})
    assert 0 not in made.contacts()["world"] and not len(made.contacts([0]))


@pytest.mark.parametrize("task", tasks.list_tasks())
@pytest.mark.parametrize("engine", ENGINES)
def test_restore_then_step_is_equal_to_the_bit(engine: str, task: str) -> None:
    """Save, random steps, restore, the same steps: every array and every contact is the same."""
    made = start(engine, task, 1, robot="aloha", seeds=[1])
    targets = random_targets(made, 10 + LAW_STEPS)
    for row in targets[:10]:
        made.step(row, np.ones(1, bool))
    saved, at_save = made.save(), (all_fields(made.state()), made.contacts())

    def play() -> list[tuple[dict[str, np.ndarray], np.ndarray]]:
        course = []
        for row in targets[10:]:
            made.step(row, np.ones(1, bool))
            course.append((all_fields(made.state()), made.contacts().copy()))
        return course

    first = play()
    made.restore(saved)
    assert_same([at_save], [(all_fields(made.state()), made.contacts())])
    assert_same(first, play())


def assert_same(one: list, other: list) -> None:
    for (state, contacts), (again, contacts_again) in zip(one, other, strict=True):
        for name in state:
            np.testing.assert_array_equal(state[name], again[name], err_msg=name)
        np.testing.assert_array_equal(contacts, contacts_again)
