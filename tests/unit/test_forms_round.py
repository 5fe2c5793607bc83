"""Laws of the round things and open vessels: what every kind keeps, and how each behaves under gravity."""

from math import pi

import mujoco
import numpy as np
import pytest

from sim.catalogue import drinks, find_specs, kitchen
from sim.catalogue import misc as oddments
from sim.geometry import (
    Array,
    conjugate,
    make_pose,
    multiply,
    quat_from_axis_angle,
    quat_to_matrix,
    quat_to_rotation_vector,
    transform_points,
)
from sim.objects import ObjectModel, build_object
from sim.objects.palette import PALETTE
from sim.scene.compile import GEOM_TYPES, OBJECT_FRICTION, STIFF_SOLREF
from sim.task.spec import ObjectSpec
from sim.types import PHYSICS_HZ

KINDS = {**drinks.SPECS_BY_CATEGORY, **kitchen.SPECS_BY_CATEGORY, **oddments.SPECS_BY_CATEGORY}
LYING = ("bottle", "big_bottle", "pill_bottle", "can", "sauce_can")


def world(things: list[tuple[ObjectSpec, Array]], seconds: float, mass: float = 0.05) -> tuple[Array, Array]:
    """Return the poses (n 7) of free things on a floor after 0.2 s and at the end."""
    spec = mujoco.MjSpec()
    spec.option.timestep = 1 / PHYSICS_HZ
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=(3, 3, 0.05),
        pos=(0, 0, -0.05),
        friction=OBJECT_FRICTION,
        solref=STIFF_SOLREF,
    )
    for i, (shape, place) in enumerate(things):
        body = spec.worldbody.add_body(name=str(i), pos=place[:3], quat=place[3:])
        body.add_freejoint()
        solid = [g for g in build_object(shape).geoms if g.collide]
        for geom in solid:
            part = body.add_geom(
                type=GEOM_TYPES[geom.type], friction=OBJECT_FRICTION, solref=STIFF_SOLREF, mass=mass / len(solid)
            )
            part.size = np.pad(geom.size, (0, 3 - len(geom.size)))
            if geom.ends:
                part.fromto = np.ravel(geom.ends)
            else:
                part.pos, part.quat = geom.pos, geom.quat
    model = spec.compile()
    data = mujoco.MjData(model)
    states = []
    for step in range(int(seconds * PHYSICS_HZ)):
        mujoco.mj_step(model, data)
        if step in (int(0.2 * PHYSICS_HZ), int(seconds * PHYSICS_HZ) - 1):
            states.append(data.qpos.reshape(-1, 7).copy())
    return states[0], states[1]


def corners(form: ObjectModel) -> Array:
    """Return the extreme points (n 3) of what collides."""
    found = []
    for geom in form.geoms:
        if not geom.collide:
            continue
        if geom.ends:
            found += [np.array(end) + np.array([0, 0, s * geom.size[0]]) for end in geom.ends for s in (-1, 1)]
            continue
        full = np.array(geom.size if len(geom.size) == 3 else (geom.size[0], geom.size[0], geom.size[-1]))
        frame = make_pose(geom.pos, geom.quat)
        if geom.type == "box":
            found += [
                transform_points(frame, full * signs)
                for signs in np.array(np.meshgrid(*[(-1, 1)] * 3)).T.reshape(-1, 3)
            ]
        else:  # level ones only: their lowest point is straight below
            found.append(np.array(geom.pos) - np.array([0, 0, full[2]]))
    return np.stack(found)


def turned(a: Array, b: Array) -> float:
    """Return degrees between the turns of two poses."""
    return float(np.degrees(np.linalg.norm(quat_to_rotation_vector(multiply(conjugate(a[3:]), b[3:])))))


@pytest.mark.parametrize("name", KINDS)
def test_says_what_it_is(name: str) -> None:
    shapes = KINDS[name]
    assert find_specs(name) == shapes
    assert len(shapes) >= (3 if name == "big_bottle" else 5)
    for shape in shapes:
        assert shape.category == name and shape.colour in PALETTE
        assert 3 <= len(shape.nouns) <= 5 and 1 <= len(shape.unseen) <= 2
        assert not set(shape.nouns) & set(shape.unseen)
        form = build_object(shape)
        assert form.frames["bottom"][0] == "" and np.allclose(form.frames["bottom"][1], make_pose((0, 0, 0)))
        assert len(form.geoms) <= 30


@pytest.mark.parametrize("name", KINDS)
def test_stands_on_the_ground_it_names(name: str) -> None:
    for shape in KINDS[name]:
        assert abs(corners(build_object(shape))[:, 2].min()) < 0.0005


@pytest.mark.parametrize("name", KINDS)
def test_comes_to_rest_where_it_was_put(name: str) -> None:
    starts = [(shape, make_pose((0.4 * i, 0, 0.001))) for i, shape in enumerate(KINDS[name])]
    early, late = world(starts, 0.5)
    for (_, start), a, b in zip(starts, early, late, strict=True):
        assert np.linalg.norm(a[:3] - b[:3]) < 0.0005 and turned(a, b) < 0.1
        assert -0.001 < b[2] < 0.0005 and np.hypot(*(b[:2] - start[:2])) < 0.001 and turned(start, b) < 0.5


@pytest.mark.parametrize("name", LYING)
def test_lies_without_rolling(name: str) -> None:
    flat = multiply(quat_from_axis_angle((1, 0, 0), pi / 2), quat_from_axis_angle((0, 0, 1), 0.1))
    starts = [(s, make_pose((0.4 * i, 0, 1.02 * s.params["radius"]), flat)) for i, s in enumerate(KINDS[name])]
    _, late = world(starts, 1.0)
    for (shape, start), b in zip(starts, late, strict=True):
        assert np.hypot(*(b[:2] - start[:2])) < 0.01
        assert abs(b[2] - 0.94 * shape.params["radius"]) < 0.001


def test_bowls_nest() -> None:
    for i, shape in enumerate(KINDS["bowl"]):
        step = build_object(shape).frames["inside"][1][2]
        assert 0.03 <= step <= 0.04
        pile = [
            (
                shape,
                make_pose(
                    (0.006 * (k % 2), 0, k * (step + 0.002) + 0.001), quat_from_axis_angle((0, 0, 1), 0.3 * k + i)
                ),
            )
            for k in range(3)
        ]
        early, late = world(pile, 0.6)
        assert np.abs(late[:, 2] - step * np.arange(3)).max() < 0.001
        assert max(turned(a, b) for a, b in zip(early, late, strict=True)) < 0.5


def test_bin_holds_balls() -> None:
    (ball, *_), (bin_, *_) = KINDS["ball"], KINDS["desk_bin"]
    spots = [make_pose((0.03 * np.cos(a), 0.03 * np.sin(a), 0.03)) for a in 2 * pi * np.arange(5) / 5]
    _, late = world([(bin_, make_pose((0, 0, 0.001))), *((ball, spot) for spot in spots)], 0.8)
    assert (np.hypot(late[1:, 0], late[1:, 1]) < bin_.params["base"]).all()
    assert (np.abs(late[1:, 2] - build_object(bin_).frames["inside"][1][2]) < 0.001).all()


@pytest.mark.parametrize("shape", KINDS["mug"], ids=lambda s: s.colour)
def test_a_peg_goes_through_the_handle(shape: ObjectSpec) -> None:
    points = build_object(shape).frames
    through = points["handle"][1]
    x, _, z = through[:3]
    assert 0.055 < x < 0.075 and 0.058 < z < 0.072
    assert np.allclose(quat_to_matrix(through[3:])[:, 2], (0, 1, 0))
    assert np.allclose(quat_to_matrix(points["handle_back"][1][3:])[:, 2], (0, -1, 0))
    for dx, dz in ((0.0, 0.0), (0.015, 0.0), (-0.015, 0.0), (0.0, 0.025), (0.0, -0.025)):
        for geom in build_object(shape).geoms:
            if geom.ends:
                a, b = np.array(geom.ends)
                t = np.clip(np.dot((x + dx, 0, z + dz) - a, b - a) / np.dot(b - a, b - a), 0, 1)
                assert np.linalg.norm((x + dx, 0, z + dz) - (a + t * (b - a))) > geom.size[0]


def test_a_microphone_stands_on_its_tail() -> None:
    for shape in KINDS["microphone"]:
        form = build_object(shape)
        tail, head = form.frames["tail"][1], form.frames["head"][1]
        assert tail[1] < head[1]
        assert np.allclose(transform_points(tail, (0, 0, shape.params["length"])), head[:3])
