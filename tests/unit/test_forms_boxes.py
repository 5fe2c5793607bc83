"""Box-like things, open boxes and small things: what must hold of every kind of the catalogue."""

from itertools import pairwise

import mujoco
import numpy as np
import pytest

from sim import robots
from sim.catalogue import find_specs, office
from sim.catalogue import packaging as boxes
from sim.catalogue import storage as containers
from sim.embodiment.model import Geom
from sim.expert.collision import build_gripper_points
from sim.expert.grasps import fit_grasps
from sim.geometry import IDENTITY_POSE, rotate, transform_points
from sim.objects import ObjectModel, build_object
from sim.objects.palette import PALETTE
from sim.scene.compile import GEOM_TYPES
from sim.task.spec import ObjectSpec, SpecError

KINDS = {**boxes.SPECS_BY_CATEGORY, **containers.SPECS_BY_CATEGORY, **office.SPECS_BY_CATEGORY}
SHAPES = [(name, i) for name, shapes in KINDS.items() for i in range(len(shapes)) if name != "mat"]
FEW = {"rubik": 3, "handled_basket": 4, "shoe_box": 3, "floor_bin": 3, "fries": 3}
ALOHA = robots.load_robot("aloha").arms[0]
CAN, CAN_HEIGHT = 0.034, 0.10  # radius
SHOE_SLOT = 0.045


def write(form: ObjectModel, spec: mujoco.MjSpec, name: str, place: tuple[float, float, float]) -> None:
    body = spec.worldbody.add_body(name=name, pos=place)
    body.add_freejoint()
    for geom in form.geoms:
        if geom.collide:
            size = np.zeros(3)
            size[: len(geom.size)] = geom.size
            body.add_geom(
                type=GEOM_TYPES[geom.type],
                size=size,
                pos=geom.pos,
                quat=geom.quat,
                mass=0.02,
                friction=(0.8, 0.01, 0.0005),
                solref=(0.01, 1.0),
            )


def table() -> mujoco.MjSpec:
    spec = mujoco.MjSpec()
    spec.option.timestep = 0.004
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=(9, 9, 0.1), pos=(0, 0, -0.1), solref=(0.01, 1.0))
    return spec


def lowest(geom: Geom) -> float:
    """Return the height of the lowest point of a box or ellipsoid."""
    axes = np.stack([rotate(geom.quat, axis) for axis in np.eye(3)])
    reach = np.abs(axes[:, 2] * geom.size)
    return geom.pos[2] - (reach.sum() if geom.type == "box" else np.linalg.norm(reach))


def inside(geom: Geom, points: np.ndarray) -> np.ndarray:
    """Return which points (n 3) lie in a box."""
    local = rotate(np.array(geom.quat) * (1, -1, -1, -1), points - np.array(geom.pos))
    return (np.abs(local) < np.array(geom.size)).all(axis=1)


def pillar(radius: float, low: float, high: float, at: np.ndarray) -> np.ndarray:
    """Return points (n 3) that fill a standing cylinder whose base centre is `at`."""
    angles = np.linspace(0, 2 * np.pi, 48)
    rings = [
        (r * radius * np.cos(a), r * radius * np.sin(a), z)
        for r in (1.0, 0.6, 0.0)
        for a in angles
        for z in np.linspace(low, high, 12)
    ]
    return np.array(rings) + at


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_has_variants_that_differ_and_names_without_colour(name: str) -> None:
    shapes = KINDS[name]
    assert len(shapes) >= FEW.get(name, 5)
    assert len({repr((s.params, s.colour)) for s in shapes}) == len(shapes)
    for shape in shapes:
        assert shape.category == name and shape.colour in PALETTE
        assert len(shape.nouns) >= 3 and shape.unseen and not set(shape.nouns) & set(shape.unseen)
        called = [noun.split() for noun in (*shape.nouns, *shape.unseen)]
        assert not {words[0] for words in called} & {"a", "an", "the"}
        assert not {word for words in called for word in words} & set(PALETTE)


@pytest.mark.parametrize(("name", "variant"), SHAPES)
def test_stands_on_its_base(name: str, variant: int) -> None:
    form = build_object(KINDS[name][variant])
    solids = [geom for geom in form.geoms if geom.collide]
    assert np.allclose(form.frames["bottom"][1], (0, 0, 0, 1, 0, 0, 0))
    assert abs(min(lowest(geom) for geom in solids)) < 5e-4
    assert len(form.geoms) <= (30 if name in containers.SPECS_BY_CATEGORY else 12)


@pytest.mark.parametrize("name", [name for name in KINDS if name != "mat"])
def test_lies_still(name: str) -> None:
    spec = table()
    shapes = KINDS[name]
    for i, shape in enumerate(shapes):
        write(build_object(shape), spec, f"v{i}", (0.9 * i - 4, 0, 0.001))
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, nstep=50)
    early = data.qpos.reshape(-1, 7).copy()
    assert data.ncon <= 8 * len(shapes)
    mujoco.mj_step(model, data, nstep=100)
    late = data.qpos.reshape(-1, 7)
    assert np.abs(late - early)[:, :3].max() < 5e-4
    assert late[:, 2].min() > -5e-4
    assert np.abs(late - early)[:, 3:].max() < 2e-3


@pytest.mark.parametrize("name", ["plastic_box", "handled_basket"])
def test_cans_fit_side_by_side(name: str) -> None:
    for shape in KINDS[name]:
        form = build_object(shape)
        ends = ("near", "far") if name == "plastic_box" else ("left", "right")
        slots = [form.frames[end][1][:3] for end in ends]
        assert np.linalg.norm(slots[0] - slots[1]) > 2 * CAN + 0.01
        # the way down from over the handle, with 5 mm of air all round
        for slot in slots:
            way = pillar(CAN + 0.005, 0.001, 0.2 + CAN_HEIGHT, slot)
            assert not any(inside(geom, way).any() for geom in form.geoms if geom.collide)


def test_a_pair_of_shoes_fits_in_its_box_and_hands_stay_above_the_walls() -> None:
    for box in KINDS["shoe_box"]:
        x, y, high = box.params["size"]
        front, back = (build_object(box).frames[end][1] for end in ("front", "back"))
        assert (front[1], back[1]) == (-SHOE_SLOT, SHOE_SLOT)
        for shoe in KINDS["shoe"]:
            length, width = shoe.params["length"], shoe.params["width"]
            assert length + 0.02 < x - 0.008 and SHOE_SLOT + width / 2 + 0.005 < y / 2 - 0.004 and width < 2 * SHOE_SLOT
            fingers = fit_grasps(ALOHA, build_object(shoe).grasps["top"][1], IDENTITY_POSE, 0.0)
            lowest = [
                transform_points(pose, build_gripper_points(ALOHA, float(opening)))[:, 2].min()
                for pose, opening in zip(fingers.tool_poses, fingers.openings_m, strict=True)
            ]
            assert min(lowest) + 0.004 > high


def test_the_handle_is_clear_of_the_cans() -> None:
    for shape in KINDS["handled_basket"]:
        form = build_object(shape)
        bar = form.frames["handle"][1][2]
        gripper = ALOHA.gripper
        assert bar - gripper.tip_offset - gripper.pad_half_size[0] > form.frames["floor"][1][2] + CAN_HEIGHT + 0.02
        assert all(grasp.opening_m < 0.05 for grasp in form.grasps["handle"][1])


def test_what_falls_in_the_bin_lies_where_bins_are_emptied() -> None:
    for shape in KINDS["floor_bin"]:
        form = build_object(shape)
        assert 0.2 < form.frames["floor"][1][2] < 0.21  # a bottle's base above 0.2, a ball's centre below 0.25
        assert np.isclose(form.frames["opening"][1][2], 0.74)


def test_a_phone_stands_on_its_edge_with_the_screen_to_the_front() -> None:
    form = build_object(KINDS["phone"][0])
    edge = form.frames["bottom_edge"][1]
    _, length, thickness = KINDS["phone"][0].params["size"]
    assert np.allclose(edge[:3], (0, -length / 2, thickness / 2))
    assert np.allclose(rotate(edge[3:], (0, 0, 1)), (0, 1, 0))
    assert np.allclose(rotate(edge[3:], (0, 1, 0)), (0, 0, -1))


def test_the_press_point_lies_on_the_stapler() -> None:
    for shape in KINDS["stapler"]:
        form = build_object(shape)
        spot = form.frames["top"][1][:3]
        solids = [geom for geom in form.geoms if geom.collide]
        under, over = (spot + np.array([0, 0, way]) for way in (-0.001, 0.001))
        assert spot[0] > 0.02
        assert any(inside(geom, under[None])[0] for geom in solids)
        assert not any(inside(geom, over[None])[0] for geom in solids)


def test_a_mat_is_seen_and_not_felt() -> None:
    form = build_object(ObjectSpec("mat", {"size": (0.11, 0.06)}))
    assert not any(geom.collide for geom in form.geoms)
    assert np.isclose(form.frames["top"][1][2], 0.001)
    assert np.isclose(build_object(ObjectSpec("mat", {"size": (0.1, 0.1, 0.002)})).frames["top"][1][2], 0.002)


def test_a_block_is_held_across_both_of_its_widths_the_thinner_one_first() -> None:
    size = (0.10, 0.04, 0.03)
    for name in ("top", "side"):
        widths = {}
        for grasp in build_object(ObjectSpec("block", {"size": size})).grasps[name][1]:
            across = float(np.abs(rotate(grasp.pose[3:], (0, 1, 0))) @ size)
            assert across == pytest.approx(grasp.width_m)
            widths.setdefault(grasp.width_m, []).append(grasp.cost)
        assert widths.keys() == {0.10, 0.04}
    assert min(widths[0.04]) <= min(widths[0.10])


def test_breads_and_kinds_are_named_in_errors() -> None:
    with pytest.raises(SpecError, match="valid: toast, bun"):
        build_object(ObjectSpec("bread", {"size": (0.06, 0.09, 0.04), "look": "pretzel"}))
    with pytest.raises(SpecError, match=r"valid: .*tea_box"):
        find_specs("teabox")
    assert find_specs("phone", "remote") == KINDS["phone"] + KINDS["remote"]


def test_a_slot_of_the_tray_is_on_its_floor() -> None:
    for shape in KINDS["tray"]:
        points = build_object(shape).frames
        assert [points[end][1][0] for end in ("left", "right")] == [-0.074, 0.074]
        assert all(a == b for a, b in pairwise(points[end][1][2] for end in ("left", "right", "floor")))
