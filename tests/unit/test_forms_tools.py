"""Tools, signs, stands and what opens: they stand still, their grasps fit, their points face the right way."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from scenes import SceneUnderTest

from sim import catalogue, robots
from sim.catalogue import furniture
from sim.catalogue import hand_tools as tools
from sim.geometry import Array, compose, invert, rotate
from sim.objects import ObjectModel, build_object
from sim.task.spec import ObjectSpec, Predicate, Skill, Spawn, Task, TaskObject

KINDS = tools.SPECS_BY_CATEGORY | furniture.SPECS_BY_CATEGORY
ALL = [pytest.param(shape, id=f"{name}{k}") for name, shapes in KINDS.items() for k, shape in enumerate(shapes)]
SEVERAL = ("hammer", "scanner", "qr_sign", "display_stand", "phone_stand", "scale", "laptop", "switch")


def alone(shape: ObjectSpec, fixed: bool = False) -> SceneUnderTest:
    """Return a scene of nothing but this thing, in the middle of the table."""
    task = Task(
        name="alone",
        instructions=("look",),
        objects=(TaskObject("x", (shape,), Spawn(x=(0.0, 0.0), y=(0.1, 0.1)), fixed=fixed),),
        arms=(),
        success=(Predicate("gripper_closed", {"arm": "all"}),),
        plan=(Skill("home", {"arm": "a"}),),
        horizon=1,
    )
    return SceneUnderTest(task, robots.load_robot("aloha"), 0)


def surface(scene: SceneUnderTest, start: Array, along: Array) -> float:
    """Return how far (metres) a ray goes until it meets a solid surface; infinite where it meets none."""
    solid = scene.model.geom_contype > 0
    hit = np.array([-1], np.int32)
    far, at = 0.0, start.copy()
    while True:
        step = mujoco.mj_ray(scene.model, scene.data, at, along, None, 1, -1, hit)
        if hit[0] < 0:
            return float("inf")
        far += step
        if solid[hit[0]]:
            return far
        at, far = at + (step + 1e-5) * along, far + 1e-5


def tilt(a: Array, b: Array) -> float:
    """Return the angle (radians) between two orientations."""
    return 2 * float(np.arccos(min(1.0, abs(float(a[3:] @ b[3:])))))


@pytest.mark.parametrize("name", SEVERAL)
def test_several_look_different(name: str) -> None:
    shapes = catalogue.find_specs(name)
    assert len(shapes) >= 5
    assert len({shape.colour for shape in shapes}) == len(shapes)


@pytest.mark.parametrize("shape", ALL)
def test_is_named(shape: ObjectSpec) -> None:
    assert shape in catalogue.find_specs(shape.category)
    assert 3 <= len(shape.nouns) <= 5 and shape.unseen and not set(shape.nouns) & set(shape.unseen)
    assert "bottom" in build_object(shape).frames


@pytest.mark.parametrize("shape", ALL)
def test_stands_still(shape: ObjectSpec) -> None:
    scene = alone(shape)
    before = scene.body_pose("x")
    joints = scene.joint_values()
    for _ in range(25):
        scene.step()
    after = scene.body_pose("x")
    assert np.linalg.norm(after[:3] - before[:3]) < 1e-3
    assert tilt(before, after) < np.radians(0.5)
    assert abs(after[2] - 0.74) < 5e-4  # neither sunk nor raised
    assert tilt(after, np.array([0, 0, 0, 1, 0, 0, 0])) < np.radians(1)
    assert np.allclose(joints, scene.joint_values(), atol=0.02)  # a lid sinks slowly against its friction


@pytest.mark.parametrize("shape", ALL)
def test_parts_move_freely(shape: ObjectSpec) -> None:
    scene = alone(shape, fixed=True)
    for part in build_object(shape).parts:
        joint = scene.data.joint(f"x.{part.joint}")
        for share in np.linspace(0.0, 1.0, 9):
            joint.qpos[0] = part.joint_range[0] + share * (part.joint_range[1] - part.joint_range[0])
            mujoco.mj_forward(scene.model, scene.data)
            deepest = min((contact.dist for contact in scene.data.contact), default=0.0)
            assert deepest > -5e-4, f"{part.name} meets something at {share:.2f} of its range"


def form(name: str) -> ObjectModel:
    """Return the first variant of a kind."""
    return build_object(KINDS[name][0])


def test_points_face_where_they_should() -> None:
    assert np.allclose(facing("hammer", "face"), (0, 0, 1))
    assert np.allclose(facing("scanner", "beam"), (0, -1, 0))
    assert np.allclose(facing("alarm_clock", "button"), (0, 0, 1))
    ledge = form("phone_stand").frames["ledge"][1]
    assert np.allclose(rotate(ledge[3:], (1, 0, 0)), (1, 0, 0), atol=1e-9)
    slope = rotate(ledge[3:], (0, 0, 1))
    assert np.radians(62) < np.arctan2(slope[2], slope[1]) < np.radians(72)
    peg = facing("rack", "peg")
    assert np.allclose(peg[:2] / np.hypot(*peg[:2]), (-0.81, -0.59), atol=0.01)
    assert np.radians(20) < np.arcsin(peg[2]) < np.radians(30)


def facing(name: str, point: str) -> Array:
    """Return the z axis (3,) of a point."""
    return rotate(form(name).frames[point][1][3:], (0.0, 0.0, 1.0))


def test_a_phone_leans_on_its_stand() -> None:
    phone, stand = build_object(catalogue.find_specs("phone")[0]), form("phone_stand")
    edge, ledge = phone.frames["bottom_edge"][1], stand.frames["ledge"][1]
    turn = compose(ledge, invert(edge))
    screen = rotate(turn[3:], (0.0, 0.0, 1.0))
    assert screen[1] < -0.85 and screen[2] > 0.25  # towards the robot and a little up


@pytest.mark.parametrize("shape", KINDS["switch"])
def test_the_pressed_half_goes_in(shape: ObjectSpec) -> None:
    scene = alone(shape, fixed=True)
    press, joint = scene.frame_pose("x.press"), scene.data.joint("x.rocker")
    joint.qpos[0] = 0.1
    scene.refresh()
    moved = scene.frame_pose("x.press")[:3] - press[:3]
    assert moved @ rotate(press[3:], (0.0, 0.0, 1.0)) < -1e-3


@pytest.mark.parametrize("shape", KINDS["cabinet"])
def test_the_open_drawer_is_open_above(shape: ObjectSpec) -> None:
    scene = alone(shape, fixed=True)
    scene.data.joint("x.drawer").qpos[0] = 0.16
    scene.refresh()
    floor = scene.frame_pose("x.inside")[:3]
    up = np.array([0.0, 0.0, 1.0])
    for x, y in ((0.0, 0.0), (0.05, 0.05), (0.05, -0.05), (-0.05, 0.05), (-0.05, -0.05), (0.08, 0.0), (-0.08, 0.0)):
        assert surface(scene, floor + np.array((x, y, 0.35)), -up) == pytest.approx(0.35, abs=2e-3)
