"""Round objects that stand: disc, ball, bell, can, bottle, seal, burger."""

from __future__ import annotations

from sim.embodiment.model import Geom, Vector
from sim.objects.base import ObjectModel, frame_at_height, register_family
from sim.objects.revolution import (
    build_prism,
    build_round_top_grasps,
    build_side_grasps,
    collision_cylinder,
    visual_cylinder,
)

FINGER_CLEARANCE_M = 0.003  # between the fingers and a wider part under what they hold
LID_METAL_RGB: Vector = (0.74, 0.75, 0.77)
WHITE_RGB: Vector = (0.92, 0.92, 0.90)


@register_family
def disc(radius: float, height: float) -> ObjectModel:
    """Flat cylinder."""
    geoms = (Geom("cylinder", (radius, height / 2), (0, 0, height / 2)),)
    return ObjectModel(
        geoms,
        {"bottom": frame_at_height(0.0), "centre": frame_at_height(height / 2), "top": frame_at_height(height)},
        yaw_symmetry=0,
    )


@register_family
def ball(radius: float) -> ObjectModel:
    """Small smooth sphere."""
    grasps = {"top": ("", build_round_top_grasps(2 * radius, radius, radius, leans=(0.0,), num_directions=12))}
    frames = {"bottom": frame_at_height(0.0), "centre": frame_at_height(radius), "top": frame_at_height(2 * radius)}
    return ObjectModel((Geom("sphere", (radius,), (0, 0, radius), smooth=True),), frames, grasps, yaw_symmetry=0)


@register_family
def bell(radius: float, height: float) -> ObjectModel:
    """Desk bell: a foot, an upright skirt to hold it by, a dome and a button on top."""
    skirt_radius, skirt_top, dome_height = radius * 0.88, height / 2 - 0.003, height / 2 - 0.005
    geoms = (
        Geom("cylinder", (radius, 0.005), (0, 0, 0.005), colour=(0.15, 0.13, 0.12)),
        *build_prism(skirt_radius, 0.009, skirt_top + 0.006),
        visual_cylinder(skirt_radius, 0.009, skirt_top),
        Geom("ellipsoid", (skirt_radius, skirt_radius, dome_height), (0, 0, skirt_top)),
        Geom("cylinder", (0.007, 0.006), (0, 0, height - 0.006), colour=(0.2, 0.2, 0.22)),
    )
    grasp_height, foot_top = (0.009 + skirt_top) / 2, 0.010
    top_grasps = build_round_top_grasps(
        2 * skirt_radius,
        grasp_height,
        height - grasp_height,
        min_reach=grasp_height - skirt_top,
        floor=foot_top + FINGER_CLEARANCE_M,
        leans=(0.0, -0.3, 0.3),
    )
    frames = {"bottom": frame_at_height(0.0), "centre": frame_at_height(height / 2), "top": frame_at_height(height)}
    return ObjectModel(geoms, frames, {"top": ("", top_grasps)}, yaw_symmetry=0)


@register_family
def can(radius: float, height: float, label: Vector = WHITE_RGB, band: float = 0.5, lid: float = 0.9) -> ObjectModel:
    """Closed can with a printed band over `band` of its height and a lid of `lid` of its radius."""
    half_band = band * height / 2
    geoms = (
        *build_prism(radius, 0.0, height - 0.002),
        visual_cylinder(radius, 0.001, height - 0.003),
        visual_cylinder(radius + 0.0006, height / 2 - half_band, height / 2 + half_band, label),
        visual_cylinder(radius * lid, height - 0.003, height, LID_METAL_RGB),
    )
    return ObjectModel(
        geoms,
        {"bottom": frame_at_height(0.0), "centre": frame_at_height(height / 2), "top": frame_at_height(height)},
        {
            "side": ("", build_side_grasps(radius, 0.55 * height)),
            "top": ("", build_round_top_grasps(2 * radius, height - 0.02, 0.02, min_reach=-0.01)),
        },
        yaw_symmetry=0,
    )


@register_family
def bottle(
    radius: float,
    height: float,
    neck: float = 0.014,
    neck_height: float = 0.035,
    shoulder: float = 0.025,
    cap: Vector = WHITE_RGB,
    label: Vector = WHITE_RGB,
    band: float = 0.35,
) -> ObjectModel:
    """Bottle: a body of `radius`, a rounded `shoulder`, a neck with a cap; it stands, or lies unrolling.

    `height` counts everything; `band` is the share of the body that the label covers.
    """
    neck_bottom = height - neck_height
    body_height = neck_bottom - shoulder
    half_band = band * body_height / 2
    geoms = (
        *build_prism(radius, 0.0, body_height),
        collision_cylinder(neck, neck_bottom, height, cap),  # one body and not four: what is above weighs by the count
        visual_cylinder(radius, 0.001, body_height),
        Geom("ellipsoid", (radius, radius, shoulder + 0.004), (0, 0, body_height), collide=False),
        visual_cylinder(neck * 0.9, body_height, neck_bottom),
        visual_cylinder(radius + 0.0006, 0.48 * body_height - half_band, 0.48 * body_height + half_band, label),
    )
    return ObjectModel(
        geoms,
        {"bottom": frame_at_height(0.0), "centre": frame_at_height(height / 2), "top": frame_at_height(height)},
        {
            "side": ("", build_side_grasps(radius, 0.55 * body_height, tilts=(0.0, -0.4, 0.4, 0.8))),
            "level": ("", build_side_grasps(radius, 0.55 * body_height, tilts=(0.0,))),
            "top": (
                "",
                build_round_top_grasps(
                    2 * neck,
                    neck_bottom + 0.4 * neck_height,
                    0.6 * neck_height,
                    min_reach=-0.4 * neck_height,
                    floor=neck_bottom + FINGER_CLEARANCE_M,
                ),
            ),
        },
        yaw_symmetry=0,
    )


@register_family
def seal(
    radius: float, height: float, knob: float = 0.016, foot: float = 0.4, wood: Vector = (0.45, 0.28, 0.15)
) -> ObjectModel:
    """Stamp: a body over `foot` of its height, a stem and a knob to hold it by."""
    body_height, knob_bottom, knob_middle = foot * height, height - 2 * knob, height - 0.6 * knob
    geoms = (
        *build_prism(radius, 0.0, body_height),
        collision_cylinder(knob, knob_bottom, knob_middle, wood),
        visual_cylinder(radius, 0.002, body_height),
        visual_cylinder(radius * 0.96, 0.0002, 0.003, (0.62, 0.14, 0.13)),
        visual_cylinder(knob * 0.6, body_height, knob_bottom, wood),
        Geom("ellipsoid", (knob, knob, height - knob_middle), (0, 0, knob_middle), colour=wood, collide=False),
    )
    return ObjectModel(
        geoms,
        {"bottom": frame_at_height(0.0), "centre": frame_at_height(height / 2), "top": frame_at_height(height)},
        {
            "top": (
                "",
                build_round_top_grasps(2 * knob, height - 0.022, 0.022, min_reach=-0.004, leans=(0.0, -0.3, 0.3)),
            ),
            "side": ("", build_side_grasps(radius, 0.6 * body_height, tilts=(0.4, 0.8))),
        },
        yaw_symmetry=0,
    )


@register_family
def burger(radius: float, height: float, filling: Vector = (0.35, 0.62, 0.20)) -> ObjectModel:
    """Round bun in layers: bread, meat, a `filling` and a domed top."""
    bread_top, meat_top, filling_top = 0.32 * height, 0.52 * height, 0.6 * height
    grasp_depth = min(0.02, 0.6 * height)
    geoms = (
        *build_prism(0.96 * radius, 0.0, 0.7 * height),
        visual_cylinder(radius * 0.97, 0.0005, bread_top),
        visual_cylinder(radius, bread_top, meat_top, (0.30, 0.17, 0.10)),
        visual_cylinder(radius * 1.02, meat_top, filling_top, filling),
        Geom("ellipsoid", (radius, radius, height - filling_top), (0, 0, filling_top), collide=False),
    )
    return ObjectModel(
        geoms,
        {"bottom": frame_at_height(0.0), "centre": frame_at_height(height / 2), "top": frame_at_height(height)},
        {
            "top": (
                "",
                build_round_top_grasps(
                    2 * radius, height - grasp_depth, grasp_depth, min_reach=-0.4 * grasp_depth, leans=(0.0, -0.3, 0.3)
                ),
            ),
            "side": ("", build_side_grasps(radius, 0.5 * height, tilts=(0.6, 0.9, 1.2))),
        },
        yaw_symmetry=0,
    )
