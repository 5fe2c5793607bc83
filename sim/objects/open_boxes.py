"""Open boxes: a floor, four walls, slots to set objects in, and perhaps a handle."""

from __future__ import annotations

from dataclasses import replace
from math import cos, pi, sin

from sim.embodiment.model import Geom, Vector
from sim.geometry import make_pose, quat_from_axes
from sim.objects.base import Grasp, ObjectModel, frame_at_height, register_family
from sim.objects.boxes import WRIST_LEANS_RAD, collision_box, lookup_colour, visual_box
from sim.objects.vessels import MIN_RIM_OVERLAP_M, RIM_GRASP_DEPTH_M, RIM_OPENING_MARGIN_M

WALL_LIFT_M = 0.001  # walls end above the ground: a box stands on the four corners of its floor
MAX_RIM_GRASP_DEPTH_FRACTION = 0.6  # of the height: low walls are pinched nearer to their rim
BASKET_OPENING_MARGIN_M = (
    0.030  # how much wider than its handle the fingers come to a basket: it is among what it holds
)

Slot = tuple[str, float, float]


@register_family
def open_box(
    size: Vector,
    wall: float = 0.004,
    floor: float = 0.004,
    slots: tuple[Slot, ...] = (),
    trim: str = "",
    bands: tuple[float, ...] = (),
    lining: str = "",
) -> ObjectModel:
    """Open box of outer lengths `size` whose inner floor is `floor` high.

    `slots` are points (name, x, y) on the floor, z up; "floor" is its middle, "opening" that of the upper edge.
    Looks: a rounded rim of the colour `trim`, bands of that colour at heights given as fractions, a coloured lining.
    """
    x, y, z = size
    base = collision_box(x, y, floor, (0, 0, floor / 2))
    walls = tuple(_build_wall(axis, side, size, wall) for axis in (0, 1) for side in (-1, 1))
    trim_geoms = (
        *_build_rim(size, wall, trim),
        *(strip for fraction in bands for strip in _build_band(size, fraction, trim)),
    )
    lining_geoms = (
        (visual_box(x - 2 * wall, y - 2 * wall, 0.001, (0, 0, floor), lookup_colour(lining)),) if lining else ()
    )
    frames = {
        "bottom": frame_at_height(0.0),
        "centre": frame_at_height(z / 2),
        "top": frame_at_height(z),
        "opening": frame_at_height(z),
        "floor": frame_at_height(floor),
    }
    slot_frames = {name: ("", make_pose((at_x, at_y, floor))) for name, at_x, at_y in slots}
    grasps = {"rim": ("", _build_wall_grasps(size, wall, floor))}
    return ObjectModel((base, *walls, *trim_geoms, *lining_geoms), {**frames, **slot_frames}, grasps, yaw_symmetry=2)


def _build_wall(axis: int, side: int, size: Vector, wall: float) -> Geom:
    """Wall that faces along x (`axis` 0) or y (1); the former run the whole length."""
    x, y, z = size
    offset = side * (size[axis] - wall) / 2
    extent = (wall, y) if axis == 0 else (x - 2 * wall, wall)
    return collision_box(
        *extent, z - WALL_LIFT_M, (offset if axis == 0 else 0.0, offset if axis == 1 else 0.0, (z + WALL_LIFT_M) / 2)
    )


def _build_rim(size: Vector, wall: float, trim: str) -> tuple[Geom, ...]:
    radius = 0.7 * wall
    a, b, z = (size[0] - wall) / 2, (size[1] - wall) / 2, size[2] - radius
    corners = ((-a, -b, z), (a, -b, z), (a, b, z), (-a, b, z))
    colour = lookup_colour(trim) if trim else None
    edges = ((corners[k - 1], corners[k]) for k in range(4))
    return tuple(Geom("capsule", (radius,), colour=colour, collide=False, ends=edge) for edge in edges)


def _build_band(size: Vector, fraction: float, trim: str) -> tuple[Geom, ...]:
    x, y, z = size
    colour, band_height = lookup_colour(trim), 0.12 * z
    return tuple(
        visual_box(*extent, (sx * x / 2, sy * y / 2, fraction * z), colour)
        for sx, sy, extent in (
            (-1, 0, (0.002, y, band_height)),
            (1, 0, (0.002, y, band_height)),
            (0, -1, (x, 0.002, band_height)),
            (0, 1, (x, 0.002, band_height)),
        )
    )


def _build_wall_grasps(size: Vector, wall: float, floor: float) -> tuple[Grasp, ...]:
    """Pinches of the four walls from above, the wrist leaning along the wall."""
    depth = min(RIM_GRASP_DEPTH_M, MAX_RIM_GRASP_DEPTH_FRACTION * size[2])
    return tuple(
        Grasp(
            make_pose(
                (cos(a) * (size[0] - wall) / 2, sin(a) * (size[1] - wall) / 2, size[2] - depth),
                quat_from_axes((-sin(a) * sin(lean), cos(a) * sin(lean), -cos(lean)), (cos(a), sin(a), 0)),
            ),
            wall,
            wall + RIM_OPENING_MARGIN_M,
            cost=2 * abs(lean),
            depth_m=depth,
            min_reach_m=MIN_RIM_OVERLAP_M - depth,
            floor_m=floor + 0.002,
        )
        for a in (k * pi / 2 for k in range(4))
        for lean in WRIST_LEANS_RAD
    )


@register_family
def handled_basket(
    size: Vector,
    wall_height: float = 0.075,
    reach: float = 0.055,
    bar: float = 0.012,
    wall: float = 0.004,
    trim: str = "brown",
    bands: tuple[float, ...] = (0.3, 0.75),
) -> ObjectModel:
    """Basket of `size` with an arch over its middle along y; size[2] counts the arch.

    "left" and "right" are points on the floor `reach` to either side of the arch; "handle" is the bar's middle.
    The grasp "handle" comes from above, fingers across the bar and opened no further than they need be.
    """
    x, y, top = size
    slots = (("left", -reach, 0.0), ("right", reach, 0.0))
    open_basket = open_box((x, y, wall_height), wall, slots=slots, trim=trim, bands=bands)
    post_y, colour = (y - bar) / 2, lookup_colour(trim)
    arch = (
        *(collision_box(bar, bar, top - 0.02, (0, side * post_y, top / 2 + 0.01), colour) for side in (-1, 1)),
        collision_box(bar, y - 2 * bar, bar, (0, 0, top - bar / 2), colour),
    )
    handle_height = top - bar / 2
    handle_grasps = tuple(
        Grasp(
            make_pose((0, offset, handle_height), quat_from_axes((0, sin(lean), -cos(lean)), (1, 0, 0))),
            bar,
            bar + BASKET_OPENING_MARGIN_M,
            cost=abs(lean) + 4 * abs(offset),
            depth_m=bar / 2,
        )
        for offset in (0.0, -0.02, 0.02)
        for lean in WRIST_LEANS_RAD
    )
    frames = {
        **open_basket.frames,
        "top": frame_at_height(top),
        "centre": frame_at_height(top / 2),
        "handle": frame_at_height(handle_height),
    }
    return replace(
        open_basket, geoms=(*open_basket.geoms, *arch), frames=frames, grasps={"handle": ("", handle_grasps)}
    )
