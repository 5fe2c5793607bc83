"""Vessels with handles: mug, skillet, pot."""

from __future__ import annotations

from itertools import pairwise
from math import cos, pi, sin

from sim.embodiment.model import Geom, Vector
from sim.geometry import make_pose, quat_from_axes
from sim.objects.base import Grasp, ObjectModel, frame_at_height, register_family
from sim.objects.revolution import visual_cylinder
from sim.objects.vessels import build_rim_grasps, build_wall_ring

HANDLE_OPENING_MARGIN_M = 0.026  # how much wider than a handle the fingers come
POT_HANDLE_OPENING_MARGIN_M = 0.016  # a finger goes between a pot's handle and its wall
HANDLE_HALF_WIDTH_M = 0.012  # of a skillet
DARK_RGB: Vector = (0.10, 0.10, 0.11)


@register_family
def mug(
    radius: float,
    height: float,
    base: float = 0.0,
    gap: float = 0.038,
    span: float = 0.056,
    centre: float = 0.066,
    bar: float = 0.006,
    lining: Vector = (0.92, 0.91, 0.88),
) -> ObjectModel:
    """Mug whose ring handle stands off towards +x around an opening of `gap` by `span` metres.

    The middle of the opening is `centre` above the base. Points "handle" and "handle_back" lie there and look
    through it, along +y and -y. `base` is the radius at the bottom, the same as at the rim where it is 0.
    """
    wall, base_radius = 0.004, base or radius
    wall_radius = base_radius + (radius - base_radius) * centre / height  # the outer radius beside the handle
    handle_x, handle_bottom, handle_top = wall_radius + gap + bar, centre - span / 2 - bar, centre + span / 2 + bar
    corner = 0.010
    handle_path = (
        (wall_radius - 0.004, handle_top),
        (handle_x - corner, handle_top),
        (handle_x, handle_top - corner),
        (handle_x, handle_bottom + corner),
        (handle_x - corner, handle_bottom),
        (wall_radius - 0.004, handle_bottom),
    )
    handle_geoms = tuple(
        Geom("capsule", (bar,), ends=((a[0], 0.0, a[1]), (b[0], 0.0, b[1]))) for a, b in pairwise(handle_path)
    )
    geoms = (
        Geom("box", (base_radius * 0.68, base_radius * 0.68, 0.0025), (0, 0, 0.0025)),
        visual_cylinder(base_radius - 0.001, 0.001, 0.006),
        visual_cylinder(base_radius - wall, 0.005, 0.0065, lining),
        *build_wall_ring((base_radius, 0.002), (radius, height), wall),
        *handle_geoms,
    )
    opening_centre = (wall_radius + gap / 2, 0.0, centre)
    facing_axes = {"handle": (0, 1, 0), "handle_back": (0, -1, 0)}
    return ObjectModel(
        geoms,
        {
            "bottom": frame_at_height(0.0),
            "centre": frame_at_height(height / 2),
            "inside": frame_at_height(0.006),
            "top": frame_at_height(height),
            **{
                name: ("", make_pose(opening_centre, quat_from_axes(axis, (1, 0, 0))))
                for name, axis in facing_axes.items()
            },
        },
        {"rim": ("", build_rim_grasps(radius - wall / 2, height, wall, excluded_angle=pi / 5))},
    )


@register_family
def skillet(
    radius: float, height: float, length: float = 0.297, wood: Vector = DARK_RGB, lining: Vector = (0.16, 0.16, 0.17)
) -> ObjectModel:
    """Pan with a bar handle towards -y, `length` metres from far rim to handle's end."""
    base_radius, handle_end_y = radius * 0.86, radius - length
    handle_root_y = -radius * 0.93
    stand_half_side = base_radius * 0.71
    handle_height = height - 0.008
    handle_centre = (0.0, radius - 0.259 * length / 0.297, handle_height)
    geoms = (
        Geom("box", (stand_half_side, stand_half_side, 0.003), (0, 0, 0.003)),
        Geom("cylinder", (base_radius, 0.002), (0, 0, 0.0035)),
        visual_cylinder(base_radius - 0.003, 0.002, 0.0063, lining),
        *build_wall_ring((base_radius, 0.002), (radius, height), 0.004),
        Geom(
            "box",
            (HANDLE_HALF_WIDTH_M, (handle_root_y - handle_end_y) / 2, 0.007),
            (0, (handle_root_y + handle_end_y) / 2, handle_height),
            colour=wood,
        ),
        Geom(
            "box",
            (0.008, 0.020, 0.004),
            (0, handle_root_y - 0.004, handle_height - 0.006),
            colour=(0.6, 0.6, 0.62),
            collide=False,
        ),
    )
    # a pan is lifted by its end: the further in along the handle, the lighter it hangs
    handle_grasps = tuple(
        Grasp(
            make_pose(
                (0.0, handle_centre[1] + offset, handle_height - 0.002),
                quat_from_axes((0, sin(lean), -cos(lean)), (1, 0, 0)),
            ),
            2 * HANDLE_HALF_WIDTH_M,
            2 * HANDLE_HALF_WIDTH_M + HANDLE_OPENING_MARGIN_M,
            cost=0.3 * abs(lean) + 10 * abs(offset),
            depth_m=0.009,
        )
        for lean in (0.0, 0.3, 0.6, 0.9, -0.3)
        for offset in (0.0, 0.015, -0.015)
    )
    frames = {
        "bottom": frame_at_height(0.0),
        "centre": frame_at_height(0.0063),
        "top": frame_at_height(height),
        "handle": ("", make_pose(handle_centre)),
    }
    return ObjectModel(geoms, frames, {"handle": ("", handle_grasps)})


@register_family
def pot(
    radius: float, height: float, reach: float = 0.120, level: float = 0.084, metal: Vector = DARK_RGB
) -> ObjectModel:
    """Pot with a bar handle on either side, `reach` metres out along x and `level` above the base."""
    wall, bar, half_length = 0.004, 0.007, 0.030
    geoms = (
        Geom("box", (radius * 0.68, radius * 0.68, 0.003), (0, 0, 0.003)),
        Geom("cylinder", (radius - wall, 0.002), (0, 0, 0.0042), colour=(0.30, 0.30, 0.31)),
        *build_wall_ring((radius, 0.002), (radius, height), wall),
        *(geom for side in (-1.0, 1.0) for geom in _build_handle(side, reach, level, radius, bar, half_length, metal)),
    )
    handle_sides = {"left_handle": -1.0, "right_handle": 1.0}
    return ObjectModel(
        geoms,
        {
            "bottom": frame_at_height(0.0),
            "centre": frame_at_height(height / 2),
            "inside": frame_at_height(0.006),
            "top": frame_at_height(height),
            **{name: ("", make_pose((side * reach, 0.0, level))) for name, side in handle_sides.items()},
        },
        {
            **{
                name: ("", _build_handle_grasps(side, reach, level, bar, (radius, height)))
                for name, side in handle_sides.items()
            },
            "rim": ("", build_rim_grasps(radius - wall / 2, height, wall)),
        },
        yaw_symmetry=2,
    )


def _build_handle(
    side: float, reach: float, level: float, radius: float, bar: float, half_length: float, colour: Vector
) -> tuple[Geom, ...]:
    """Bar along y, held off the wall by two struts: a finger goes between."""
    outer, inner = side * reach, side * (radius - 0.003)
    return (
        Geom("capsule", (bar,), ends=((outer, -half_length, level), (outer, half_length, level)), colour=colour),
        *(
            Geom("capsule", (bar * 0.8,), ends=((inner, y, level), (outer, y, level)), colour=colour)
            for y in (-half_length, half_length)
        ),
    )


def _build_handle_grasps(
    side: float, reach: float, level: float, bar: float, rim: tuple[float, float]
) -> tuple[Grasp, ...]:
    """Grasps of a bar along y: fingers on both sides of it, leaning back along it and rolled outwards around it.

    What the palm must stay behind is the pot's `rim` (radius, height).
    """
    rim_inwards, rim_above = reach - rim[0], rim[1] - level
    return tuple(
        Grasp(
            make_pose(
                (side * reach, 0.0, level),
                quat_from_axes(
                    (-side * sin(roll) * cos(lean), sin(lean), -cos(roll) * cos(lean)),
                    (cos(roll), 0, -side * sin(roll)),
                ),
            ),
            2 * bar,
            2 * bar + POT_HANDLE_OPENING_MARGIN_M,
            cost=0.3 * abs(lean) + 0.3 * abs(roll),
            depth_m=max(bar, (rim_above * cos(roll) - rim_inwards * sin(roll)) / cos(lean)),
        )
        for roll in (0.0, 0.3, 0.6, 0.9)
        for lean in (0.0, 0.3, 0.6, 0.9, -0.3)
    )
