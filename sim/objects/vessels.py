"""Open vessels: walls around a hollow."""

from __future__ import annotations

from math import atan2, cos, hypot, pi, sin

import numpy as np

from sim.embodiment.model import Geom, Vector
from sim.geometry import make_pose, multiply, quat_from_axes, quat_from_axis_angle
from sim.objects.base import Grasp, ObjectModel, frame_at_height, register_family
from sim.objects.boxes import WRIST_LEANS_RAD
from sim.objects.revolution import visual_cylinder

RIM_GRASP_DEPTH_M = 0.018  # how far under its rim a wall is pinched
RIM_OPENING_MARGIN_M = 0.047  # how much wider than a wall the fingers come
MIN_RIM_OVERLAP_M = 0.006  # how far under the rim fingertips must reach


def build_wall_ring(
    bottom: tuple[float, float], top: tuple[float, float], wall: float, sides: int = 12, colour: Vector | None = None
) -> tuple[Geom, ...]:
    """Ring of flat walls whose outer face leads from (radius, z) `bottom` to `top`, without gaps."""
    lean = atan2(top[0] - bottom[0], top[1] - bottom[1])
    inward = wall / 2 * cos(lean)
    mid_radius = (bottom[0] + top[0]) / 2 - inward
    z = (bottom[1] + top[1]) / 2 + wall / 2 * sin(lean)
    half_length = hypot(top[0] - bottom[0], top[1] - bottom[1]) / 2
    panel_half_width = (max(bottom[0], top[0]) - inward) * np.tan(pi / sides)
    return tuple(
        Geom(
            "box",
            (wall / 2, float(panel_half_width), half_length),
            (mid_radius * cos(a), mid_radius * sin(a), z),
            tuple(multiply(quat_from_axis_angle((0, 0, 1), a), quat_from_axis_angle((0, 1, 0), lean)).tolist()),
            colour,
        )
        for a in (2 * pi * k / sides for k in range(sides))
    )


def build_rim_grasps(
    radius: float,
    height: float,
    wall: float,
    depth: float = RIM_GRASP_DEPTH_M,
    slope: float = 0.0,
    sides: int = 12,
    leans: tuple[float, ...] = WRIST_LEANS_RAD,
    excluded_angle: float = 0.0,
) -> tuple[Grasp, ...]:
    """Pinches of a wall from above, one finger within: `radius` of the wall's middle at `height`, `wall` its thickness.

    They hold it `depth` down along a wall that opens by `slope` radians. Leaning along the wall keeps both fingers flat
    on it and lets the arm reach further out. Walls nearer than `excluded_angle` radians to +x are left out.
    """
    return tuple(
        Grasp(
            make_pose(
                (grasp_radius * cos(a), grasp_radius * sin(a), height - depth * cos(slope)),
                quat_from_axes(approach, across),
            ),
            wall,
            wall + RIM_OPENING_MARGIN_M,
            cost=2 * abs(lean),
            depth_m=depth,
            min_reach_m=MIN_RIM_OVERLAP_M - depth,
        )
        for grasp_radius in [radius - depth * sin(slope)]
        for a in (2 * pi * k / sides for k in range(sides))
        if min(a, 2 * pi - a) >= excluded_angle
        for lean in leans
        for down in [(-sin(slope) * cos(a), -sin(slope) * sin(a), -cos(slope))]
        for along in [(-sin(a), cos(a), 0.0)]
        for across in [(cos(slope) * cos(a), cos(slope) * sin(a), -sin(slope))]
        for approach in [tuple(sin(lean) * s + cos(lean) * d for s, d in zip(along, down, strict=True))]
    )


@register_family
def cup(radius: float, height: float, wall: float = 0.004, sides: int = 12) -> ObjectModel:
    """Open cup of outer `radius`: a floor and a ring of flat walls, pinched at the rim from above."""
    # the cup stands on a square: four contacts where round bodies and twelve walls would give fifty
    foot = Geom("box", (radius * 0.68, radius * 0.68, 0.0025), (0, 0, 0.0025))
    floor = Geom("cylinder", (radius - wall, 0.002), (0, 0, 0.0042), collide=False)
    walls = build_wall_ring((radius, 0.002), (radius, height), wall, sides)
    frames = {
        "bottom": frame_at_height(0.0),
        "centre": frame_at_height(height / 2),
        "inside": frame_at_height(0.006),
        "top": frame_at_height(height),
    }
    return ObjectModel(
        (foot, floor, *walls),
        frames,
        {"rim": ("", build_rim_grasps(radius - wall / 2, height, wall, sides=sides))},
        yaw_symmetry=sides,
    )


@register_family
def bowl(
    radius: float,
    height: float,
    foot: float = 0.030,
    floor: float = 0.030,
    wall: float = 0.004,
    lining: Vector | None = None,
) -> ObjectModel:
    """Bowl on a foot that opens like a cone; bowls nest `floor` metres above each other.

    The foot of the upper one stands on the floor of the lower one, and their walls keep clear.
    """
    stand_half_side = foot * 0.72
    wall_bottom = (foot + 0.010, 0.012)
    lean = atan2(radius - wall_bottom[0], height - wall_bottom[1])
    floor_radius = (
        wall_bottom[0]
        + (floor - wall_bottom[1]) * (radius - wall_bottom[0]) / (height - wall_bottom[1])
        - wall / cos(lean)
    )
    geoms = (
        Geom("box", (stand_half_side, stand_half_side, floor / 2), (0, 0, floor / 2)),
        visual_cylinder(foot, 0.0005, 0.014),
        visual_cylinder(wall_bottom[0] - 0.002, 0.011, 0.015),
        visual_cylinder(floor_radius + 0.002, floor - 0.003, floor + 0.0004, lining),
        *build_wall_ring(wall_bottom, (radius, height - wall * sin(lean)), wall),
    )
    rim_grasps = build_rim_grasps(radius - wall / 2, height, wall, depth=0.009, slope=lean)
    frames = {
        "bottom": frame_at_height(0.0),
        "centre": frame_at_height(height / 2),
        "inside": frame_at_height(floor),
        "top": frame_at_height(height),
    }
    return ObjectModel(geoms, frames, {"rim": ("", rim_grasps)}, yaw_symmetry=12)


@register_family
def plate(radius: float, height: float, floor: float = 0.008, edge: Vector | None = None) -> ObjectModel:
    """Plate with a raised edge; its "top" is where objects are set, the inner surface."""
    flat_radius = 0.68 * radius
    geoms = (
        Geom("box", (flat_radius * 0.72, flat_radius * 0.72, floor / 2), (0, 0, floor / 2)),
        Geom("cylinder", (flat_radius, floor / 2 - 0.0015), (0, 0, floor / 2 + 0.001)),
        visual_cylinder(flat_radius + 0.002, 0.002, floor + 0.0003),
        *build_wall_ring((flat_radius, 0.003), (radius, height), 0.004, colour=edge),
    )
    frames = {"bottom": frame_at_height(0.0), "centre": frame_at_height(height / 2), "top": frame_at_height(floor)}
    return ObjectModel(geoms, frames, yaw_symmetry=12)


@register_family
def desk_bin(radius: float, height: float, base: float = 0.065, wall: float = 0.004) -> ObjectModel:
    """Round waste bin that opens from `base` to `radius`; small balls stay in."""
    lean = atan2(radius - base, height)
    stand_half_side = base * 0.68
    geoms = (
        Geom("box", (stand_half_side, stand_half_side, 0.002), (0, 0, 0.002)),
        Geom("cylinder", (base - 0.001, 0.002), (0, 0, 0.004)),
        *build_wall_ring((base, 0.002), (radius, height - wall * sin(lean)), wall),
    )
    rim_grasps = build_rim_grasps(radius - wall / 2, height, wall, slope=lean)
    frames = {
        "bottom": frame_at_height(0.0),
        "centre": frame_at_height(height / 2),
        "inside": frame_at_height(0.006),
        "opening": frame_at_height(height),
        "top": frame_at_height(height),
    }
    return ObjectModel(geoms, frames, {"rim": ("", rim_grasps)}, yaw_symmetry=12)
