"""Laws of grasps: what families offer is true of their geometry, and what the expert makes of it fits the gripper."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sim import robots, tasks
from sim.catalogue import find_specs, load_builtin_catalogue
from sim.embodiment.model import ArmModel, Embodiment, Geom
from sim.envs.env import Env
from sim.expert.collision import build_finger_points, build_gripper_points, build_palm_points
from sim.expert.grasps import (
    MIN_FINGER_GAP_M,
    MIN_TABLE_CLEARANCE_M,
    PALM_CLEARANCE_M,
    FittedGrasps,
    build_grasp_candidates,
    fit_grasps,
)
from sim.expert.policy import ExpertPolicy
from sim.geometry import (
    IDENTITY_POSE,
    Array,
    compose,
    conjugate,
    make_pose,
    quat_from_axes,
    quat_from_axis_angle,
    rotate,
    transform_points,
)
from sim.objects import Grasp, ObjectModel, build_object
from sim.task.spec import ArmRole, ObjectSpec, Predicate, Skill, Spawn, Task, TaskObject

ROBOTS = [robots.load_robot(name) for name in ("aloha", "panda")]
ARMS = {robot.name: robot.arms[0] for robot in ROBOTS}
CATEGORIES = load_builtin_catalogue()
GRASPED = [
    pytest.param(spec, id=f"{category}{k}")
    for category, specs in CATEGORIES.items()
    for k, spec in enumerate(specs)
    if build_object(spec).grasps
]


def get_geoms(model: ObjectModel, part_name: str) -> list[Geom]:
    """Colliding geoms of the base or of a part."""
    geoms = next((part.geoms for part in model.parts if part.name == part_name), model.geoms)
    return [geom for geom in geoms if geom.collide]


def find_inside(geom: Geom, points: Array) -> np.ndarray:
    """Which points (n 3) of its body's frame lie in a geom."""
    if geom.ends:
        a, b = np.array(geom.ends)
        along = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0.0, 1.0)
        return np.linalg.norm(points - a - along[:, None] * (b - a), axis=1) <= geom.size[0]
    local = rotate(conjugate(np.array(geom.quat)), points - np.array(geom.pos))
    if geom.type == "box":
        return (abs(local) <= np.array(geom.size)).all(axis=1)
    if geom.type == "cylinder":
        return (np.hypot(local[:, 0], local[:, 1]) <= geom.size[0]) & (abs(local[:, 2]) <= geom.size[1])
    radii = np.array(geom.size if geom.type == "ellipsoid" else geom.size * 3)
    return ((local / radii) ** 2).sum(axis=1) <= 1.0


def measure_extents(model: ObjectModel, part: str, grasps: tuple[Grasp, ...]) -> tuple[Array, Array]:
    """Ends (g,) (g,) along the closing axis of what lies about the origin of each grasp; NaN: nothing."""
    way = np.linspace(-0.2, 0.2, 801)
    lines = np.stack([transform_points(g.pose, np.stack([0 * way, way, 0 * way], axis=1)) for g in grasps])
    hit = np.any([find_inside(geom, lines.reshape(-1, 3)) for geom in get_geoms(model, part)], axis=0)
    hit = np.pad(hit.reshape(len(grasps), -1), ((0, 0), (1, 1)))
    ends = np.full((len(grasps), 2), np.nan)
    for row, inside in zip(ends, hit, strict=True):
        starts, stops = (
            np.flatnonzero(np.diff(inside.astype(int)) == 1),
            np.flatnonzero(np.diff(inside.astype(int)) == -1),
        )
        # what is held is what lies about the middle: a pot's far wall is none of it
        pieces = [
            (way[i], way[j - 1]) for i, j in zip(starts, stops, strict=True) if way[i] < 0.006 and way[j - 1] > -0.006
        ]
        if pieces:
            row[:] = min(pieces)[0], max(pieces)[1]
    return ends[:, 0], ends[:, 1]


def fit(arm: ArmModel, model: ObjectModel, name: str) -> FittedGrasps:
    """Grasps of an object that stands on a table at height 0, its parts as they are drawn."""
    part_name, grasps = model.grasps[name]
    position = next((part.pos for part in model.parts if part.name == part_name), (0.0, 0.0, 0.0))
    return fit_grasps(arm, grasps, make_pose(position), 0.0)


@pytest.mark.parametrize("spec", GRASPED)
def test_between_the_fingers_there_is_what_a_grasp_says(spec: ObjectSpec) -> None:
    model = build_object(spec)
    for part, grasps in model.grasps.values():
        low, high = measure_extents(model, part, grasps)
        width, opening = np.array([(grasp.width_m, grasp.opening_m) for grasp in grasps]).T
        assert not np.isnan(low).any(), "nothing between the fingers"
        assert (abs(low + high) < 0.008).all(), "the fingers would not close about the origin"
        assert (high - low < width + 0.0015).all()
        assert (high - low > 0.6 * width - 0.001).all()  # round things are grasped a little above their widest
        assert (opening > width + 2 * MIN_FINGER_GAP_M).all()
        assert all(grasp.cost >= 0 and grasp.depth_m >= 0 for grasp in grasps)


@pytest.mark.parametrize("robot", ARMS)
@pytest.mark.parametrize("spec", GRASPED)
def test_what_fits_keeps_the_hand_off_the_table_and_the_contacts_on_the_pads(spec: ObjectSpec, robot: str) -> None:
    model, arm = build_object(spec), ARMS[robot]
    fitted = {name: fit(arm, model, name) for name in model.grasps}
    for name, (part, grasps) in model.grasps.items():
        poses, openings = fitted[name].tool_poses, fitted[name].openings_m
        if not len(poses):
            continue
        for opening in np.unique(openings):
            hands = transform_points(poses[openings == opening, None], build_gripper_points(arm, float(opening)))
            assert hands[..., 2].min() > MIN_TABLE_CLEARANCE_M
        thinnest = min(grasp.width_m for grasp in grasps)
        assert thinnest + 2 * MIN_FINGER_GAP_M <= openings.min() and openings.max() <= arm.gripper.max_width_m + 1e-9
        base = next((make_pose(p.pos) for p in model.parts if p.name == part), IDENTITY_POSE)
        origins = compose(base, np.stack([grasp.pose for grasp in grasps]))[:, :3]
        contacts = rotate(conjugate(poses[:, None, 3:]), origins - poses[:, None, :3])
        # the hand never moves along its closing axis, nor so far that its pads no longer cover the origin
        is_own = (abs(contacts[..., 1]) < 1e-6) & (abs(contacts[..., 0]) <= arm.gripper.pad_half_size[0] + 1e-9)
        assert is_own.any(axis=1).all()
    assert any(len(grasps.tool_poses) for grasps in fitted.values()), "no grasp fits"


HANDLED = [case for case in GRASPED if any("handle" in name for name in build_object(case.values[0]).grasps)]


@pytest.mark.parametrize("robot", ARMS)
@pytest.mark.parametrize("spec", HANDLED)
def test_fingers_that_come_to_a_handle_have_room_beside_it(spec: ObjectSpec, robot: str) -> None:
    """Open as a grasp says, no finger is in the handle, nor in the face or wall that the handle stands before."""
    model, gripper = build_object(spec), ARMS[robot].gripper
    for name, (part, grasps) in model.grasps.items():
        for grasp in grasps if "handle" in name else ():
            fingers = transform_points(
                grasp.pose, build_finger_points(gripper, min(grasp.opening_m, gripper.max_width_m))
            )
            assert not any(find_inside(geom, fingers).any() for geom in get_geoms(model, part)), name


def list_picks() -> list:
    """The picks and turns of all tasks: task, object, grasp names, robot."""
    found = {
        (
            task.name,
            str(skill.args.get("obj", str(skill.args.get("joint", "")).partition(".")[0])),
            skill.args["grasp"],
            robot,
        )
        for name in tasks.list_tasks()
        for task in [tasks.load_task(name)]
        for outer in task.plan
        for skill in (outer, *outer.alongside)
        if "grasp" in skill.args
        for robot in ROBOTS
        if len(robot.arms) >= task.arms_needed
    }
    return [pytest.param(*pick, id=f"{pick[0]}-{pick[1]}-{pick[3].name}") for pick in sorted(found, key=repr)]


@pytest.mark.parametrize(("task", "obj", "names", "robot"), list_picks())
def test_every_variant_that_a_task_picks_can_be_held(
    task: str, obj: str, names: str | tuple[str, ...], robot: Embodiment
) -> None:
    for spec in tasks.load_task(task).find_object(obj).variants:
        model = build_object(spec)
        grasps = (names,) if isinstance(names, str) else names
        assert sum(len(fit(robot.arms[0], model, name).tool_poses) for name in grasps) >= 4, spec


def make_bar(width: float) -> ObjectModel:
    """A bar along x that is too long to be held across."""
    return build_object(ObjectSpec("block", {"size": (0.30, width, 0.04)}))


def change_gripper(arm: ArmModel, **changes: object) -> ArmModel:
    """The same arm with another gripper."""
    return dataclasses.replace(arm, gripper=dataclasses.replace(arm.gripper, **changes))


@pytest.mark.parametrize("robot", ARMS)
def test_a_bar_is_held_where_it_is_narrower_than_the_gripper_opens(robot: str) -> None:
    arm = ARMS[robot]
    most = arm.gripper.max_width_m - 2 * MIN_FINGER_GAP_M
    assert len(fit(arm, make_bar(most - 1e-6), "top").tool_poses)
    assert not len(fit(arm, make_bar(most + 1e-6), "top").tool_poses)
    fitted = fit(arm, make_bar(0.04), "top")
    assert np.allclose(abs(rotate(fitted.tool_poses[:, 3:], (0.0, 1.0, 0.0))[:, 1]), 1.0)


def test_fingers_come_down_to_the_table_whatever_their_length() -> None:
    card = build_object(ObjectSpec("block", {"size": (0.09, 0.06, 0.012)}))
    for arm in ARMS.values():
        for tip_offset in (0.009, 0.012, 0.03):
            longer = change_gripper(arm, tip_offset=tip_offset)
            fitted = fit(longer, card, "top")
            hands = build_gripper_points(longer, longer.gripper.max_width_m)
            lowest = transform_points(fitted.tool_poses[:, None], hands)[..., 2].min(axis=1)
            assert len(lowest) and np.allclose(lowest, 0.002)


def test_the_palm_stays_behind_what_is_held() -> None:
    arm = ARMS["panda"]
    palm_distance = -build_palm_points(arm)[:, 2].max()
    for radius in (0.030, 0.036):
        fitted = fit(arm, build_object(ObjectSpec("can", {"radius": radius, "height": 0.12})), "side")
        to_axis = np.hypot(fitted.tool_poses[:, 0], fitted.tool_poses[:, 1])
        assert len(to_axis) and to_axis.max() == pytest.approx(max(0.0, radius + PALM_CLEARANCE_M - palm_distance))
    # a hand whose fingers are too short for that leaves it
    stubby = dataclasses.replace(arm, tool_pos=(0.0, 0.0, arm.tool_pos[2] - 0.02))
    assert not len(fit(stubby, build_object(ObjectSpec("can", {"radius": 0.036, "height": 0.12})), "side").tool_poses)


def test_fingers_stay_above_what_the_object_has_under_the_grasp() -> None:
    for robot, arm in ARMS.items():
        for category, name in (("bell", "top"), ("pill_bottle", "top"), ("qr_sign", "top"), ("tray", "rim")):
            for spec in find_specs(category):
                model = build_object(spec)
                floors = {grasp.floor_m for grasp in model.grasps[name][1]}
                fitted = fit(change_gripper(arm, tip_offset=0.02), model, name)
                fingers = np.stack([build_finger_points(arm.gripper, o) for o in fitted.openings_m.tolist()])
                fingers[..., 2] += 0.02 - arm.gripper.tip_offset
                lowest = transform_points(fitted.tool_poses[:, None], fingers)[..., 2].min()
                assert len(floors) == 1 and lowest > min(floors) - 1e-9, (robot, category)


def test_a_rolled_hand_stays_centred_on_the_bar_as_it_is_raised() -> None:
    roll = 0.4
    pose = make_pose(
        (0, 0, 0.01), quat_from_axes((0.0, np.sin(roll), -np.cos(roll)), (0.0, np.cos(roll), np.sin(roll)))
    )
    fitted = fit_grasps(ARMS["aloha"], [Grasp(pose, 0.02, 0.03)], IDENTITY_POSE, 0.0)
    for tool_pose in fitted.tool_poses:
        contact = rotate(conjugate(tool_pose[3:]), pose[:3] - tool_pose[:3])
        assert abs(contact[1]) < 1e-9 and contact[2] > 0.005
    # from the side, with one finger under the bar, no way leads up
    level = make_pose((0, 0, 0.01), quat_from_axis_angle((0, 1, 0), np.array(np.pi / 2)))
    under = compose(level, make_pose((0, 0, 0), quat_from_axis_angle((0, 0, 1), np.array(np.pi / 2))))
    assert not len(fit_grasps(ARMS["aloha"], [Grasp(under, 0.02, 0.03)], IDENTITY_POSE, 0.0).tool_poses)


def test_the_fingers_come_no_wider_than_the_grasp_leaves_room() -> None:
    microwave = build_object(find_specs("microwave")[0])
    for arm in ARMS.values():
        openings = fit(arm, microwave, "handle").openings_m
        assert len(openings) and (openings == 0.055).all()
        narrow = change_gripper(arm, stroke=0.02)
        assert (fit(narrow, microwave, "handle").openings_m == 0.04).all()


@pytest.mark.parametrize("part", ["", "lid"])
def test_a_grasp_is_shifted_along_the_thing_whichever_way_that_lies(part: str) -> None:
    can = build_object(ObjectSpec("can", {"radius": 0.03, "height": 0.12}))
    model = SimpleNamespace(grasps={"side": (part, can.grasps["side"][1])})
    lying = make_pose((0.2, 0.1, 1.2), quat_from_axis_angle((0.6, 0.8, 0.0), np.array(2.0)))
    world = SimpleNamespace(
        robot=SimpleNamespace(name="panda"),
        scene=SimpleNamespace(table=SimpleNamespace(top=0.74), models={"can": model}),
        body_pose=lambda name: {"can.lid" if part else "can": lying}[name],
    )
    context: Any = SimpleNamespace(world=world)
    hand: Any = SimpleNamespace(arm_model=ARMS["panda"])
    plain, shifted = (build_grasp_candidates(context, "can", "side", at, hand).tool_poses for at in (0.0, -0.02))
    way = rotate(lying[3:], (0.0, 0.0, -0.02))
    np.testing.assert_allclose(shifted, plain + np.concatenate([way, np.zeros(4)]), atol=1e-9)


def test_an_object_wider_than_the_gripper_is_refused_by_its_name() -> None:
    bar = ObjectSpec("block", {"size": (0.06, 0.08, 0.05)}, "bar")
    task = Task(
        name="lift_bar", instructions=("lift {bar}",), horizon=100,
        objects=(TaskObject("bar", (bar,), Spawn((0.1, 0.1), (0.0, 0.0))),),
        arms=(ArmRole("a", "side:bar"),), success=(Predicate("raised", {"obj": "bar", "low": 0.05}),),
        plan=(Skill("pick", {"arm": "a", "obj": "bar", "grasp": "top"}),),
    )  # fmt: skip
    panda = robots.load_robot("panda")
    robot = dataclasses.replace(panda, name="slim", arms=(change_gripper(panda.arms[0], stroke=0.025),))
    env = Env(task, robot, cameras=())
    env.reset([0])
    expert = ExpertPolicy(env)
    while not (env.done | expert.finished).all():
        env.step(expert.act().actions)
    said = "no grasp of 'bar' fits the gripper of robot 'slim': 60 mm wide, it opens 50 mm"
    failure = expert.find_failure(0)
    assert failure is not None and said in str(failure)
