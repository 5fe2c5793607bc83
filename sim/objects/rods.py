"""Long round objects that lie: rolling pin, microphone."""

from __future__ import annotations

from math import atan2, cos, sin

from sim.embodiment.model import Geom, Vector
from sim.geometry import Array, compose, make_pose, multiply, quat_from_axes, quat_from_axis_angle, transform_points
from sim.objects.base import Grasp, ObjectModel, frame_at_height, register_family
from sim.objects.revolution import OPENING_MARGIN_M, PRISM_APOTHEM_RATIO, build_prism, build_side_grasps, transform_geom

WRIST_ROLLS_RAD = (-0.3, 0.3, -0.15, 0.15)
Z_TO_X_QUAT = (0.7071067811865476, 0.0, 0.7071067811865476, 0.0)  # z along the world's x


@register_family
def roller(
    radius: float, length: float, body: float = 0.14, grip: float = 0.0125, wood: Vector = (0.52, 0.33, 0.17)
) -> ObjectModel:
    """Rolling pin along x: a `body` metres long, a thinner handle at either end, `length` in all."""
    axis_height = radius * PRISM_APOTHEM_RATIO
    frame = make_pose((0, 0, axis_height), Z_TO_X_QUAT)
    half_length = length / 2
    handle_middle = (body / 2 + half_length) / 2  # the middle of a handle
    geoms = (
        *build_prism(radius, -body / 2, body / 2, frame),
        Geom("cylinder", (radius, body / 2), (0, 0, axis_height), Z_TO_X_QUAT, collide=False),
        *(
            Geom(
                "capsule",
                (grip,),
                ends=((side * body / 2, 0, axis_height), (side * (half_length - grip), 0, axis_height)),
                colour=wood,
            )
            for side in (-1.0, 1.0)
        ),
    )
    return ObjectModel(
        geoms,
        {
            "bottom": frame_at_height(0.0),
            "centre": frame_at_height(axis_height),
            "top": frame_at_height(2 * axis_height),
            "left_end": ("", make_pose((-handle_middle, 0, axis_height))),
            "right_end": ("", make_pose((handle_middle, 0, axis_height))),
        },
        {
            "left_end": ("", _build_bar_grasps(-handle_middle, axis_height, 2 * grip)),
            "right_end": ("", _build_bar_grasps(handle_middle, axis_height, 2 * grip)),
            "top": ("", _build_bar_grasps(0.0, axis_height, 2 * radius)),
        },
        yaw_symmetry=2,
    )


def _build_bar_grasps(x: float, z: float, width: float) -> tuple[Grasp, ...]:
    """Grasps from above of a round bar along x, `width` thick, its axis at (x, 0, z), leaning along it or rolled."""
    lean_roll_pairs = [(lean, 0.0) for lean in (0.0, -0.3, 0.3, -0.6, 0.6)]
    lean_roll_pairs += [(lean, roll) for roll in WRIST_ROLLS_RAD for lean in (0.0, -0.3, 0.3)]
    return tuple(
        Grasp(
            make_pose(
                (x, 0.0, z),
                quat_from_axes((sin(lean), cos(lean) * sin(roll), -cos(lean) * cos(roll)), (0.0, cos(roll), sin(roll))),
            ),
            width,
            width + OPENING_MARGIN_M,
            cost=0.3 * abs(lean) + abs(roll),
            depth_m=width / 2,
        )
        for lean, roll in lean_roll_pairs
    )


@register_family
def microphone(
    length: float,
    head: float = 0.027,
    grip: float = 0.015,
    ring: float = 0.05,
    mesh: Vector = (0.55, 0.56, 0.58),
    band: Vector = (0.35, 0.36, 0.38),
) -> ObjectModel:
    """Hand microphone lying along y, its head towards +y: it rests on its tail and on the head's collar.

    Grasps "tail" and "neck" go around the grip, `ring` metres apart. Point "tail" looks from tail to head.
    """
    collar_radius = head + 0.0008
    collar_start = length - 2 * head - 0.004  # the near edge of the collar, along the axis from the tail's end
    frame = _compute_resting_frame(
        length, PRISM_APOTHEM_RATIO * grip, PRISM_APOTHEM_RATIO * collar_radius, collar_start
    )
    geoms = (
        *build_prism(grip, 0.0, collar_start + 0.002, frame),
        *build_prism(collar_radius, collar_start, collar_start + 0.014, frame, colour=band),
        transform_geom(Geom("sphere", (head,), (0, 0, length - head), colour=mesh), frame),
        transform_geom(
            Geom("cylinder", (head * 0.96, 0.003), (0, 0, length - head), colour=band, collide=False), frame
        ),
        transform_geom(Geom("cylinder", (grip * 1.02, 0.004), (0, 0, 0.006), colour=band, collide=False), frame),
    )
    tail_grasp, neck_grasp = collar_start / 2 - ring / 2, collar_start / 2 + ring / 2
    tilts = (0.0, -0.4, 0.4)
    return ObjectModel(
        geoms,
        {
            "bottom": frame_at_height(0.0),
            "centre": ("", compose(frame, make_pose((0, 0, length / 2)))),
            "head": ("", compose(frame, make_pose((0, 0, length)))),
            "tail": ("", frame),
        },
        {
            "tail": ("", build_side_grasps(grip, tail_grasp, tilts, frame)),
            "neck": ("", build_side_grasps(grip, neck_grasp, tilts, frame)),
        },
    )


def _compute_resting_frame(length: float, tail_apothem: float, collar_apothem: float, collar_start: float) -> Array:
    """Frame (7,) of a rod, z from tail to head, that rests on its tail and its collar (apothems)."""
    pitch = atan2(collar_apothem - tail_apothem, collar_start)
    # z along +y, raised by `pitch`; a flat of the column faces down
    orientation = multiply(quat_from_axis_angle((1, 0, 0), pitch), quat_from_axes((0, 1, 0), (1, 0, 0)))
    rotation_frame = make_pose((0, 0, 0), orientation)
    centre, first_flat = (
        transform_points(rotation_frame, (0, 0, length / 2)),
        transform_points(rotation_frame, (tail_apothem, 0, 0)),
    )
    second_flat = transform_points(rotation_frame, (-tail_apothem, 0, 0))
    return make_pose((0.0, -centre[1], -min(first_flat[2], second_flat[2])), orientation)
