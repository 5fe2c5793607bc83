"""Reads a robot before anyone moves it: types and ranges of its fields, names, and the checks of its geometry."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterable, Iterator
from math import hypot

import numpy as np

from sim.embodiment.checks import check_robot
from sim.embodiment.model import ArmModel, Camera, Embodiment, Geom, Link
from sim.task.spec import SpecError
from sim.task.values import check_value, describe_valid, resolve_hints
from sim.types import CONTROL_HZ

UNIT_TOLERANCE = 1e-3  # by which the length of a unit vector or quaternion may be off
MIN_CAMERA_AXES_SINE = 0.05  # of the angle between a camera's forward and up
SIZE_COUNTS = {"box": 3, "sphere": 1, "capsule": 2, "cylinder": 2, "ellipsoid": 3}


def validate_robot(robot: Embodiment) -> None:
    """Raise `SpecError` with one line, "robot 'NAME': what is wrong; valid: …", where a robot is not sound."""
    problem = _find_problem(robot)
    if problem:
        raise SpecError(f"robot {robot.name!r}: {problem}")


def validate_fields(robot: Embodiment) -> None:
    """Raise `SpecError` where a field of a robot is of a wrong type or out of range; its geometry is not looked at."""
    problem = next(_list_field_problems(robot), "")
    if problem:
        raise SpecError(f"robot {robot.name!r}: {problem}")


def _find_problem(robot: Embodiment) -> str:
    problem = next(_list_field_problems(robot), "")
    return problem or _find_geometry_problem(robot)  # what is no valid value can be neither hashed nor measured


@functools.lru_cache(maxsize=64)
def _find_geometry_problem(robot: Embodiment) -> str:
    return next((f"{check.name}: {check.finding}" for check in check_robot(robot) if not check.passed), "")


def _list_field_problems(robot: Embodiment) -> Iterator[str]:
    """What is wrong with the fields, one line each; what follows the first may follow from it."""
    yield from _check_types(robot, "robot")
    if robot.control_hz != CONTROL_HZ:
        yield f"control_hz is {robot.control_hz:g}; valid: {CONTROL_HZ}, the one rate that engines command joints at"
    yield from _check_names("arm", [arm.name for arm in robot.arms])
    yield from _check_names("camera", [camera.name for camera in robot.cameras])
    yield from _check_sides(robot)
    for arm in robot.arms:
        yield from _check_arm(arm)
    if not robot.cameras:
        yield "there is no camera; valid: at least one, the first of which sees the table"
    for camera in robot.cameras:
        yield from _check_camera(camera, [arm.name for arm in robot.arms])


def _check_types(value: object, where: str) -> Iterator[str]:
    """Fields of a dataclass, and of those in it, whose value is not of the declared type and range."""
    for field, hint in resolve_hints(type(value)).items():
        field_value = vars(value)[field]
        if not check_value(field_value, hint):
            yield f"{field} of {where} is {field_value!r}; valid: {describe_valid(field_value, hint)}"
        for i, nested in enumerate(field_value if isinstance(field_value, tuple) else (field_value,)):
            if dataclasses.is_dataclass(nested):
                yield from _check_types(nested, f"{type(nested).__name__.lower()} {vars(nested).get('name', i)}")


def _check_names(kind: str, names: list[str]) -> Iterator[str]:
    for name in names:
        if not name.isidentifier():
            yield f"{kind} {name!r}: not a name; valid: letters, digits and _"
    yield from (f"{kind} {name!r}: the name is used twice" for name, count in Counter(names).items() if count > 1)


def _check_sides(robot: Embodiment) -> Iterator[str]:
    sides = [arm.side for arm in robot.arms]
    if len(sides) not in (1, 2):
        yield f"there are {len(sides)} arms; valid: one or two"
    elif len(sides) == 1 and sides != [""]:
        yield f"the side of the only arm is {sides[0]!r}; valid: '', as it works on both"
    elif len(sides) == 2 and set(sides) != {"left", "right"}:
        yield f"the sides of two arms are {sides[0]!r} and {sides[1]!r}; valid: 'left' and 'right'"


def _check_arm(arm: ArmModel) -> Iterator[str]:
    if not arm.links:
        yield f"arm {arm.name!r} has no links"
    if len(arm.home) != len(arm.links):
        yield f"home of arm {arm.name!r} has {len(arm.home)} values; valid: {len(arm.links)}, one a link"
    for posture in arm.ik_starts:
        if len(posture) != len(arm.links):
            yield f"a posture of ik_starts of arm {arm.name!r} has {len(posture)} values; valid: {len(arm.links)}"
    for field, quaternion in (("base_quat", arm.base_quat), ("tool_quat", arm.tool_quat)):
        yield from _check_unit(f"{field} of arm {arm.name!r}", quaternion)
    yield from _check_geoms(f"the base of arm {arm.name!r}", arm.base_geoms)
    for i, link in enumerate(arm.links):
        yield from _check_link(f"link {i} of arm {arm.name!r}", link)
    if arm.links and not any(geom.collide for geom in arm.links[-1].geoms):
        yield f"the last link of arm {arm.name!r} has no colliding geom: nothing holds the fingers"


def _check_link(where: str, link: Link) -> Iterator[str]:
    yield from _check_unit(f"axis of {where}", link.axis)
    yield from _check_unit(f"quat of {where}", link.quat)
    if not link.range[0] < link.range[1]:
        yield f"range of {where} is {link.range}; valid: (low, high) radians, low below high"
    yield from _check_geoms(where, link.geoms)


def _check_geoms(where: str, geoms: Iterable[Geom]) -> Iterator[str]:
    for geom in geoms:
        count = 1 if geom.ends else SIZE_COUNTS[geom.type]
        if geom.ends and geom.type not in ("capsule", "cylinder"):
            yield f"a {geom.type} of {where} has ends; valid: of a capsule or a cylinder"
        elif len(geom.size) != count:
            yield f"size of a {geom.type} of {where} is {geom.size}; valid: {count} lengths above 0"
        elif geom.ends and geom.ends[0] == geom.ends[1]:
            yield f"both ends of a {geom.type} of {where} are {geom.ends[0]}; valid: two points"
        yield from _check_unit(f"quat of a {geom.type} of {where}", geom.quat)


def _check_camera(camera: Camera, arm_names: list[str]) -> Iterator[str]:
    if camera.arm and camera.arm not in arm_names:
        yield f"arm of camera {camera.name!r} is {camera.arm!r}; valid: '', {', '.join(map(repr, arm_names))}"
    lengths = hypot(*camera.forward) * hypot(*camera.up)
    if float(np.linalg.norm(np.cross(camera.forward, camera.up))) < MIN_CAMERA_AXES_SINE * lengths:
        yield f"forward and up of camera {camera.name!r} are parallel; valid: two directions across each other"


def _check_unit(what: str, vector: tuple[float, ...]) -> Iterator[str]:
    length = hypot(*vector)
    if abs(length - 1.0) > UNIT_TOLERANCE:
        yield f"{what} is {vector}, of length {length:.3g}; valid: length 1"
