"""What other objects are set on, leant against or hung from."""

from __future__ import annotations

from math import cos, hypot, sin, tan

from sim.embodiment.model import Geom, Vector
from sim.geometry import cross, make_pose, quat_from_axes, quat_from_axis_angle
from sim.objects.base import ObjectModel, frame_at_height, register_family
from sim.objects.boxes import DARK_GREY_RGB, INK_BLACK_RGB, collision_box, visual_box

BRIGHT_STEEL_RGB = (0.72, 0.73, 0.75)
PHONE_HALF_THICKNESS_M = 0.008  # half the thickness of what leans on a phone stand


@register_family
def display_stand(width: float, depth: float, height: float, circle: bool = False) -> ObjectModel:
    """Low pedestal with a flat top."""
    plate_thickness, foot_height = 0.010, 0.010
    column_height = height - plate_thickness
    if circle:
        top = Geom("cylinder", (width / 2, plate_thickness / 2), (0, 0, height - plate_thickness / 2))
    else:
        top = collision_box(width, depth, plate_thickness, (0, 0, height - plate_thickness / 2))
    geoms = (
        collision_box(width * 0.72, depth * 0.72, column_height, (0, 0, column_height / 2)),
        top,
        visual_box(width * 0.8, depth * 0.8, foot_height, (0, 0, foot_height / 2), DARK_GREY_RGB),
    )
    return ObjectModel(
        geoms, {"bottom": frame_at_height(0.0), "top": frame_at_height(height)}, yaw_symmetry=4 if width == depth else 2
    )


@register_family
def phone_stand(width: float = 0.08, depth: float = 0.08, height: float = 0.10, slope: float = 1.17) -> ObjectModel:
    """Stand with a back plate at `slope` from the horizontal, leaning away from the front, and a ledge.

    "ledge" is where the middle of a phone's lower end is set down: z up along the plate, x along the width, so
    that the frame of a phone's lower end (z along the phone, x to the right, screen against -y) falls on it.
    """
    base_thickness, plate_thickness, shelf_thickness, shelf_depth = 0.010, 0.006, 0.006, 0.024
    plate_direction, face_normal = (
        (0.0, cos(slope), sin(slope)),
        (0.0, -sin(slope), cos(slope)),
    )  # along the plate, out of its face
    plate_quat = tuple(quat_from_axis_angle((1, 0, 0), slope).tolist())
    corner = (0.0, -depth * 0.16, base_thickness + 0.012)  # where the plate's face meets the shelf's

    def locate_on_plate(along: float, outwards: float) -> Vector:
        return (
            0.0,
            corner[1] + along * plate_direction[1] + outwards * face_normal[1],
            corner[2] + along * plate_direction[2] + outwards * face_normal[2],
        )

    plate_length = (height - corner[2]) / sin(slope)
    # the plate is narrower than a phone: fingers that hold the phone by its sides pass beside it
    geoms = (
        collision_box(width, depth, base_thickness, (0, 0, base_thickness / 2)),
        Geom(
            "box",
            (width * 0.3, (plate_length + shelf_thickness) / 2, plate_thickness / 2),
            locate_on_plate((plate_length - shelf_thickness) / 2, -plate_thickness / 2),
            plate_quat,
        ),
        Geom(
            "box",
            (width * 0.4, shelf_thickness / 2, shelf_depth / 2),
            locate_on_plate(-shelf_thickness / 2, shelf_depth / 2),
            plate_quat,
        ),
        Geom("box", (width * 0.4, 0.006, 0.002), locate_on_plate(0.0, shelf_depth + 0.002), plate_quat),
        Geom(
            "box",
            (width * 0.12, plate_length * 0.3, 0.006),
            locate_on_plate(plate_length * 0.22, -plate_thickness - 0.006),
            plate_quat,
            DARK_GREY_RGB,
            collide=False,
        ),
        Geom(
            "box",
            (width * 0.22, plate_length * 0.06, 0.0005),
            locate_on_plate(plate_length * 0.8, 0.0002),
            plate_quat,
            DARK_GREY_RGB,
            collide=False,
        ),
        visual_box(width * 0.3, depth * 0.3, corner[2], (0, corner[1] + 0.012, corner[2] / 2), DARK_GREY_RGB),
    )
    # a little in front of the plate, so that a phone slid down along it does not catch its upper end
    ledge = make_pose(
        locate_on_plate(0.001, PHONE_HALF_THICKNESS_M + 0.004),
        quat_from_axes(plate_direction, (0, sin(slope), -cos(slope))),
    )
    return ObjectModel(
        geoms, {"bottom": frame_at_height(0.0), "ledge": ("", ledge), "top": frame_at_height(height)}, yaw_symmetry=1
    )


@register_family
def scale(width: float = 0.117, depth: float = 0.156, height: float = 0.04, circle: bool = False) -> ObjectModel:
    """Kitchen scale: a platform over its far part, a display at the front."""
    platform_thickness = 0.006
    platform_side = min(width * 0.94, depth * 0.74)
    platform_y = depth / 2 - platform_side / 2 - 0.003
    body_height = height - platform_thickness
    platform = (
        Geom(
            "cylinder",
            (platform_side / 2, platform_thickness / 2),
            (0, platform_y, height - platform_thickness / 2),
            colour=BRIGHT_STEEL_RGB,
        )
        if circle
        else collision_box(
            platform_side,
            platform_side,
            platform_thickness,
            (0, platform_y, height - platform_thickness / 2),
            BRIGHT_STEEL_RGB,
        )
    )
    display_depth = depth - platform_side - 0.006
    display_y = -depth / 2 + display_depth / 2
    geoms = (
        collision_box(width, depth, body_height, (0, 0, body_height / 2)),
        platform,
        visual_box(
            width * 0.5, display_depth * 0.66, 0.001, (-width * 0.12, display_y, body_height), (0.62, 0.74, 0.66)
        ),
        visual_box(
            width * 0.26, display_depth * 0.22, 0.001, (-width * 0.16, display_y, body_height + 0.001), INK_BLACK_RGB
        ),
        visual_box(width * 0.1, display_depth * 0.3, 0.002, (width * 0.3, display_y, body_height), (0.85, 0.2, 0.15)),
    )
    return ObjectModel(
        geoms, {"bottom": frame_at_height(0.0), "top": ("", make_pose((0, platform_y, height)))}, yaw_symmetry=1
    )


@register_family
def rack(
    width: float = 0.15,
    depth: float = 0.12,
    height: float = 0.26,
    tip: Vector = (-0.0526, -0.0384, 0.195),
    slope: float = 0.47,
    back: float = 0.012,
    peg: float = 0.0055,
) -> ObjectModel:
    """Post with one peg that rises outwards at `slope` (radians) and ends at `tip`.

    The post stands `back` behind the centre, so that a mug has room on the peg. Points "peg" (the tip) and "hang"
    (half way from the centre line to the tip) look out along the peg, their x axes up.
    """
    base_thickness, post_radius = 0.012, 0.007
    tip_distance = hypot(tip[0], tip[1])
    outward = (tip[0] / tip_distance, tip[1] / tip_distance)
    direction = (outward[0] * cos(slope), outward[1] * cos(slope), sin(slope))
    post_xy = (-back * outward[0], -back * outward[1])
    peg_root = (*post_xy, tip[2] - (tip_distance + back) * tan(slope))
    peg_middle = (tip[0] / 2, tip[1] / 2, tip[2] - tip_distance / 2 * tan(slope))
    geoms = (
        collision_box(width, depth, base_thickness, (0, 0, base_thickness / 2)),
        Geom("capsule", (post_radius,), ends=((*post_xy, base_thickness), (*post_xy, height - post_radius))),
        Geom("capsule", (peg,), ends=(peg_root, tip)),
        Geom("sphere", (post_radius * 1.6,), (*post_xy, height - post_radius * 1.6), collide=False),
        Geom("cylinder", (post_radius * 2.2, 0.005), (*post_xy, base_thickness + 0.005), collide=False),
    )
    peg_quat = quat_from_axes(direction, cross(direction, (0, 0, 1)))
    return ObjectModel(
        geoms,
        {
            "bottom": frame_at_height(0.0),
            "peg": ("", make_pose(tip, peg_quat)),
            "hang": ("", make_pose(peg_middle, peg_quat)),
        },
        yaw_symmetry=1,
    )
