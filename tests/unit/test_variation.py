"""Variations: pools apart, draws that repeat, clutter out of the way, textures where they belong."""

from __future__ import annotations

import dataclasses
import zlib
from math import hypot

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from sim import robots, tasks
from sim.embodiment.model import Geom, Vector
from sim.geometry import make_pose, multiply, quat_from_axis_angle
from sim.objects import ObjectModel, build_object
from sim.objects.base import ObjectPart
from sim.objects.bounds import compute_bounding_box, compute_footprint, compute_support
from sim.scene import randomize, textures
from sim.scene.compile import compile_model
from sim.scene.randomize import CLEAN_VISUALS, Distractor, VisualParams, sample_distractors, sample_visuals
from sim.scene.sample import sample_scene
from sim.task.spec import ArmRole, ObjectSpec, Skill, Spawn, TablePlacement, Task, TaskObject
from sim.types import UserError
from sim.world.render import get_renderer
from sim.world.render_gl import GlRenderer

CUP = ObjectSpec("cup", {"radius": 0.0435, "height": 0.09}, category="cup")
COASTER = ObjectSpec("disc", {"radius": 0.0745, "height": 0.008}, category="coaster")
TASK = Task(
    name="variation",
    instructions=("move the cup",),
    objects=(
        TaskObject("cup", (CUP,), Spawn(x=(0.15, 0.3), y=(-0.2, 0.05), mirror="coin")),
        TaskObject("coaster", (COASTER,), Spawn(x=(-0.05, 0.1), y=(-0.2, 0.05), apart=(("cup", 0.13),)), fixed=True),
    ),
    arms=(ArmRole("a", "side:cup"),),
    success=(),
    plan=(),
    horizon=100,
)
FORMS = {"cup": build_object(CUP), "coaster": build_object(COASTER)}
POSES = {"cup": make_pose((0.2, -0.1, 0.74)), "coaster": make_pose((0.0, -0.1, 0.74))}

TABLE = TablePlacement()
ALOHA = robots.load_robot("aloha")


def rng(seed: int = 0) -> np.random.Generator:
    """Return fresh random numbers."""
    return np.random.default_rng(seed)


def things(seed: int, table: TablePlacement = TABLE) -> tuple[Distractor, ...]:
    """Return one draw of clutter around a cup and a coaster."""
    return sample_distractors(TASK, ALOHA, table, FORMS, POSES, rng(seed))


def test_pools_share_neither_names_nor_pictures() -> None:
    train, held_out = textures.list_pool("train"), textures.list_pool("eval")
    assert len(train) >= 40 and len(held_out) >= 20
    kinds = [{name.partition("/")[2].rpartition("-")[0] for name in pool} for pool in (train, held_out)]
    assert not kinds[0] & kinds[1]
    pictures = {textures.render_texture(name).tobytes() for name in textures.list_textures()}
    assert len(pictures) == len(train) + len(held_out) == len(textures.list_textures())
    with pytest.raises(UserError, match="valid: train, eval"):
        textures.list_pool("unseen")
    with pytest.raises(UserError, match="unknown texture"):
        textures.render_texture("train/wood-99")


def test_a_texture_is_the_same_everywhere() -> None:
    whole = zlib.crc32(b"".join(textures.render_texture(name).tobytes() for name in textures.list_textures()))
    assert whole == 348469521
    for name in textures.list_textures():
        picture = textures.render_texture(name)
        assert picture.shape == (128, 128, 3) and picture.dtype == np.uint8 and not picture.flags.writeable
        assert 0.25 < np.mean(textures.compute_mean_colour(name)) < 0.95  # things can be told from it


def test_looks_repeat_and_come_from_their_pool() -> None:
    for kind, pool in randomize.TEXTURE_POOLS.items():
        for seed in range(40):
            one, other = sample_visuals(kind, rng(seed)), sample_visuals(kind, rng(seed))
            assert one == other
            assert all(name == "" or name in textures.list_pool(pool) for name in (one.wall, one.table))
            assert 0 <= one.table_lowering <= 0.03 and np.linalg.norm(one.head_camera_shift) <= 0.02
            assert np.linalg.norm(one.head_camera_rotation) <= 0.02
    assert sample_visuals("clean", rng()) == CLEAN_VISUALS == VisualParams()
    with pytest.raises(UserError, match="valid: clean, random, random-eval"):
        sample_visuals("messy", rng())


def test_a_surface_is_plain_now_and_then() -> None:
    numbers = rng()
    drawn = [sample_visuals("random", numbers) for _ in range(4000)]
    plain = [[not getattr(one, surface) for one in drawn] for surface in ("wall", "table")]
    assert all(0.012 < np.mean(p) < 0.03 for p in plain)
    assert len({one.table for one in drawn}) == len(textures.list_pool("train")) + 1


def test_clutter_keeps_clear() -> None:
    bare, reach = 0, {name: compute_footprint(form)[0] for name, form in FORMS.items()}
    for seed in range(60):
        found = things(seed)
        bare += not found
        assert len(found) <= 10
        circles = [(*thing.pose[:2], *compute_footprint(thing.model)) for thing in found]
        for i, (x, y, radius, height) in enumerate(circles):
            assert abs(x) + radius < 0.6 and abs(y) + radius < 0.35
            assert all(hypot(x - u, y - v) > radius + r + 0.0049 for u, v, r, _ in circles[:i])
            gaps = [hypot(x - p[0], y - p[1]) - radius - reach[name] for name, p in POSES.items()]
            assert min(gaps) > 0.099
            assert height <= 0.05 or (y - radius > 0.0499 and min(gaps) > 0.119)
            assert not (abs(x) < 0.12 and -0.25 < y < 0)
            assert not (0 < x < 0.2 and abs(y + 0.1) < 0.1)  # between cup and coaster
    assert bare < 8


@pytest.mark.parametrize("shoulder", [(0.7, -0.1, 0.84), (0.2, 0.6, 0.84)])
def test_clutter_stays_off_the_way_to_the_shoulder_of_the_robot_that_is_there(shoulder: Vector) -> None:
    arms = tuple(dataclasses.replace(arm, shoulder_pos=shoulder) for arm in ALOHA.arms)
    robot, cup = dataclasses.replace(ALOHA, arms=arms), POSES["cup"][:2]
    way = [cup + t * (np.array(shoulder[:2]) - cup) for t in np.linspace(0, 1, 50)]
    blocked_before = 0
    for seed in range(40):
        for thing in sample_distractors(TASK, robot, TABLE, FORMS, POSES, rng(seed)):
            radius = compute_footprint(thing.model)[0]
            assert min(hypot(*(thing.pose[:2] - spot)) for spot in way) > radius + 0.0595
        for thing in things(seed):
            radius = compute_footprint(thing.model)[0]
            blocked_before += min(hypot(*(thing.pose[:2] - spot)) for spot in way) < radius
    assert blocked_before > 0  # clutter of another robot stands there


def test_clutter_stays_off_the_ways_to_where_a_plan_brings_things_on_either_side() -> None:
    goal, cup = np.array((0.35, 0.2)), POSES["cup"][:2]
    carry = Skill("carry", {"arm": "a", "obj": "cup", "to": (*goal.tolist(), 0.1)})
    plans = (Skill("home", {"arm": "a"}, (carry,)),), (carry,)
    ways = [cup + t * (goal * (side, 1) - cup) for side in (1, -1) for t in np.linspace(0, 1, 50)]
    for plan in plans:
        task = dataclasses.replace(TASK, plan=plan)
        for seed in range(20):
            for thing in sample_distractors(task, ALOHA, TABLE, FORMS, POSES, rng(seed)):
                radius = compute_footprint(thing.model)[0]
                assert min(hypot(*(thing.pose[:2] - spot)) for spot in ways) > radius + 0.0995


def test_clutter_is_none_of_the_tasks_things() -> None:
    for seed in range(30):
        for thing in things(seed):
            assert thing.spec.category not in ("cup", "coaster") and thing.spec.family not in ("cup", "disc")
            assert not thing.model.parts and thing.fixed


def test_clutter_is_like_no_variant_that_a_thing_of_the_task_may_be() -> None:
    seen = {thing.spec.category: thing.spec for seed in range(8) for thing in things(seed)}
    assert len(seen) > 3
    cup, coaster = TASK.objects
    for category, spec in list(seen.items())[:4]:
        other = dataclasses.replace(TASK, objects=(dataclasses.replace(cup, variants=(CUP, spec)), coaster))
        for seed in range(8):
            for thing in sample_distractors(other, ALOHA, TABLE, FORMS, POSES, rng(seed)):
                assert thing.spec.category != category and thing.spec.family != spec.family


def test_clutter_repeats() -> None:
    one, other = things(3), things(3)
    assert [t.spec for t in one] == [t.spec for t in other] and one
    np.testing.assert_array_equal([t.pose for t in one], [t.pose for t in other])


def test_clutter_follows_the_table() -> None:
    poses = {name: place + np.array([0.3, 0, -0.1, 0, 0, 0, 0]) for name, place in POSES.items()}
    for thing in sample_distractors(TASK, ALOHA, TablePlacement(x=0.3, top=0.64), FORMS, poses, rng(1)):
        assert thing.pose[2] == 0.64 and -0.3 < thing.pose[0] < 0.9


TURN = tuple(quat_from_axis_angle((0, 0, 1), 0.7).tolist())
FLAT = tuple(quat_from_axis_angle((0, 1, 0), np.pi / 2).tolist())


@pytest.mark.parametrize(
    ("geom", "radius", "height"),
    [
        (Geom("box", (0.03, 0.04, 0.05), (0, 0, 0.05), TURN), 0.05, 0.1),
        (Geom("sphere", (0.02,), (0.03, 0, 0.02)), 0.05, 0.04),
        (Geom("cylinder", (0.03, 0.04), (0, 0.05, 0.04)), 0.08, 0.08),
        (Geom("cylinder", (0.03, 0.04), (0, 0, 0.03), FLAT), 0.05, 0.06),
        (Geom("capsule", (0.01, 0.05), (0, 0, 0.01), FLAT), 0.06, 0.02),
        (Geom("capsule", (0.01,), ends=((-0.05, 0, 0.01), (0.07, 0, 0.04))), 0.08, 0.05),
        (Geom("ellipsoid", (0.05, 0.03, 0.02), (0, 0, 0.02), TURN), 0.05, 0.04),
    ],
)
def test_footprints(geom: Geom, radius: float, height: float) -> None:
    found = compute_footprint(ObjectModel((geom,), {}))
    np.testing.assert_allclose(found, (radius, height), rtol=1.2e-3)


def test_a_footprint_knows_how_a_thing_lies_and_moves() -> None:
    pole = ObjectModel((Geom("box", (0.01, 0.01, 0.1), (0, 0, 0.1)),), {})
    assert compute_footprint(pole, FLAT)[0] > 0.199 and compute_footprint(pole)[0] < 0.015
    door = ObjectPart("door", "hinge", (0.1, 0, 0), (0, 0, 1), (0, 1), 0, (Geom("box", (0.2, 0.01, 0.01)),), 0.1)
    assert compute_footprint(dataclasses.replace(pole, parts=(door,)))[0] > 0.3
    drawer = dataclasses.replace(door, pos=(0, 0, 0), joint_range=(0.0, 0.4), prismatic=True)
    assert compute_footprint(dataclasses.replace(pole, parts=(drawer,)))[0] > 0.6  # as far as it slides


# drawn scenes

LIT = {"sun_colour": (0.0,) * 3, "headlight": (1.0, 0.0)}  # colours as they are


def drawn(monkeypatch: pytest.MonkeyPatch, given: VisualParams) -> tuple[mujoco.MjModel, NDArray[np.uint8]]:
    """Return a scene that looks as told and its head camera's picture."""
    monkeypatch.setattr(randomize, "sample_visuals", lambda kind, numbers: given)
    robot = robots.load_robot("aloha")
    model = compile_model(TASK, robot, sample_scene(TASK, robot, 0))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, get_renderer().render(model, data, [model.camera("head").id], (120, 160))[0][0]


def share(picture: NDArray[np.uint8], name: str) -> float:
    """Return how much of a picture is drawn in the two commonest colours of a texture."""
    colours, counts = np.unique(textures.render_texture(name).reshape(-1, 3), axis=0, return_counts=True)
    common = colours[np.argsort(counts)[-2:]].astype(int)
    return float((np.abs(picture[:, :, None].astype(int) - common).max(-1) <= 6).any(-1).mean())


def test_each_surface_shows_its_own_texture(monkeypatch: pytest.MonkeyPatch) -> None:
    if not isinstance(get_renderer(), GlRenderer):
        pytest.skip("no OpenGL here")
    _, plain = drawn(monkeypatch, VisualParams(**LIT))
    for wall, table in (("eval/dots-00", "eval/chevrons-01"), ("eval/chevrons-01", "eval/dots-01")):
        _, picture = drawn(monkeypatch, VisualParams(wall=wall, table=table, **LIT))
        assert share(picture[:20], wall) > 0.7 > 0.2 > share(picture[:20], table)
        assert share(picture[50:], table) > 0.4 > 0.2 > share(picture[50:], wall)
    np.testing.assert_array_equal(drawn(monkeypatch, VisualParams(**LIT))[1], plain)  # and leaves nothing behind


def test_a_scene_is_built_as_it_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    before, _ = drawn(monkeypatch, CLEAN_VISUALS)
    given = VisualParams(
        lamp_colours=((0.1, 0.2, 0.3), (0.3, 0.2, 0.1)),
        head_camera_shift=(0.01, 0.0, -0.01),
        head_camera_rotation=(0.0, 0.02, 0.0),
        distractors=things(0),
    )
    model, _ = drawn(monkeypatch, given)
    assert before.nlight == 1 and model.nlight == 3
    np.testing.assert_allclose(model.camera("head").pos - before.camera("head").pos, (0.01, 0.0, -0.01), atol=1e-12)
    turned = multiply(quat_from_axis_angle((0, 1, 0), 0.02), before.camera("head").quat)  # about an axis of the world
    np.testing.assert_allclose(model.camera("head").quat, turned, atol=1e-9)
    names = [model.body(i).name for i in range(model.nbody) if model.body(i).name.startswith("clutter")]
    assert names == [f"clutter{i}" for i in range(len(given.distractors))] and names
    assert model.nq == before.nq  # none of it moves


@pytest.mark.parametrize("name", ["open_laptop", "put_object_cabinet"])
def test_a_joint_moves_as_far_as_its_part_says(name: str) -> None:
    task = tasks.load_task(name)
    scene = sample_scene(task, ALOHA, 0)
    model = compile_model(task, ALOHA, scene)
    parts = {f"{thing}.{part.joint}": part for thing, built in scene.models.items() for part in built.parts}
    assert parts
    for joint, part in parts.items():
        np.testing.assert_allclose(model.joint(joint).range, part.joint_range, atol=1e-9)


@pytest.mark.parametrize("geom", [
    Geom("box", (0.03, 0.04, 0.05), (0.1, 0, 0.05)), Geom("sphere", (0.02,), (0.03, 0.1, 0.02)),
    Geom("cylinder", (0.03, 0.04), (0, 0.05, 0.04)), Geom("ellipsoid", (0.05, 0.03, 0.02), (0, 0, 0.02)),
], ids=lambda geom: geom.type)  # fmt: skip
def test_the_box_around_a_body_reaches_as_far_as_the_body(geom: Geom) -> None:
    low, high = compute_bounding_box((geom, dataclasses.replace(geom, pos=(9.0, 9.0, 9.0), collide=False)))
    np.testing.assert_allclose(high, compute_support(geom, np.eye(3)))
    np.testing.assert_allclose(low, -compute_support(geom, -np.eye(3)))
