"""Tools that are held to be used, and small objects with a front: hammer, scanner, sign, fan, clock."""

from __future__ import annotations

from math import asin, atan2, cos, pi, sin

from sim.embodiment.model import Geom, Vector
from sim.geometry import make_pose, quat_from_axes, quat_from_axis_angle
from sim.objects.base import Grasp, ObjectModel, frame_at_height, register_family
from sim.objects.boxes import DARK_GREY_RGB, INK_BLACK_RGB, PRINT_WHITE_RGB, collision_box, visual_box

TOOL_STEEL_RGB, RUBBER_RGB, LENS_RGB = (0.62, 0.63, 0.66), (0.10, 0.10, 0.11), (0.75, 0.08, 0.08)
TOOL_WRIST_LEANS_RAD = (0.0, 0.3, -0.3, 0.6, -0.6)
SHAFT_OPENING_MARGIN_M, EDGE_OPENING_MARGIN_M = 0.038, 0.036  # how much wider the fingers come
Z_TO_FRONT_QUAT = tuple(quat_from_axis_angle((1, 0, 0), pi / 2).tolist())  # turns a cylinder's axis to the front


@register_family
def hammer(length: float, head: Vector, grip: float = 0.022, claw: bool = False, face: str = "steel") -> ObjectModel:
    """Hammer that stands on the striking face of its head (x, y, z) and on the end of its handle.

    The handle lies along y, head away from the robot. "face" is a bottom of the head: set on an object, the head hits
    it.
    """
    head_width, head_depth, head_height = head
    reach = length - head_depth / 2
    pitch = asin((0.55 * head_height - grip / 2) / reach)
    shaft_direction = (0.0, cos(pitch), sin(pitch))
    tail_centre = (0.0, -length / 2 + grip / 2 * sin(pitch), grip / 2 * cos(pitch))
    shaft_length = reach / cos(pitch) - 0.3 * head_depth
    head_y = length / 2 - head_depth / 2
    head_colour = RUBBER_RGB if face == "rubber" else TOOL_STEEL_RGB

    def locate_on_shaft(fraction: float) -> Vector:
        return (
            tail_centre[0],
            tail_centre[1] + fraction * shaft_length * shaft_direction[1],
            tail_centre[2] + fraction * shaft_length * shaft_direction[2],
        )

    shaft_quat = tuple(quat_from_axis_angle((1, 0, 0), pitch).tolist())
    geoms = (
        Geom("box", (grip / 2, shaft_length / 2, grip / 2), locate_on_shaft(0.5), shaft_quat),
        Geom(
            "box", (head_width / 2, head_depth / 2, head_height / 2), (0, head_y, head_height / 2), colour=head_colour
        ),
        Geom(
            "box",
            (grip / 2 + 0.0015, shaft_length * 0.22, grip / 2 - 0.001),
            locate_on_shaft(0.26),
            shaft_quat,
            RUBBER_RGB,
            collide=False,
        ),
        visual_box(
            head_width + 0.005, head_depth + 0.005, head_height * 0.2, (0, head_y, head_height * 0.1), head_colour
        ),
        *_build_peen(head_width, head_depth, head_height, head_y, head_colour, claw),
    )
    grasps = tuple(
        Grasp(
            make_pose(
                (0, locate_on_shaft(fraction)[1], locate_on_shaft(fraction)[2] + 0.002),
                quat_from_axes((0, sin(lean), -cos(lean)), (1, 0, 0)),
            ),
            grip,
            grip + SHAFT_OPENING_MARGIN_M,
            cost=abs(lean) + abs(fraction - 0.5),
            depth_m=grip / 2,
        )
        for fraction in (0.5, 0.35, 0.65)
        for lean in TOOL_WRIST_LEANS_RAD
    )
    frames = {
        "bottom": frame_at_height(0.0),
        "face": ("", make_pose((0, head_y, 0))),
        "top": ("", make_pose((0, head_y, head_height))),
    }
    return ObjectModel(geoms, frames, {"handle": ("", grasps)}, yaw_symmetry=1)


def _build_peen(
    head_width: float, head_depth: float, head_height: float, head_y: float, head_colour: Vector, claw: bool
) -> tuple[Geom, ...]:
    """Top of a hammer head: two prongs bent back over the handle, or a second face."""
    if not claw:
        return (
            visual_box(
                head_width + 0.005, head_depth + 0.005, head_height * 0.2, (0, head_y, head_height * 0.9), head_colour
            ),
        )
    prong_quat = tuple(quat_from_axis_angle((1, 0, 0), 0.5).tolist())
    return tuple(
        Geom(
            "box",
            (head_width * 0.2, 0.005, 0.014),
            (x, head_y - 0.004, head_height + 0.008),
            prong_quat,
            head_colour,
            collide=False,
        )
        for x in (-head_width * 0.3, head_width * 0.3)
    )


@register_family
def scanner(wide: float = 0.046, muzzle: float = 0.061, back: float = 0.099, height: float = 0.086) -> ObjectModel:
    """Bar-code gun in its stand, the muzzle `muzzle` before the origin and turned to -y.

    The head is `wide` and held across x, from above ("top") or from behind ("handle").
    """
    head_depth = 0.034  # of the head, from its top down
    head_z = height - head_depth / 2
    head_rear_y = back - 0.045
    foot_size = (max(wide, 0.055) + 0.010, 0.105, 0.012)
    stem_bottom, stem_top = (0.0, back - 0.045, foot_size[2] - 0.002), (0.0, head_rear_y - 0.028, head_z)
    stem_tilt = atan2(stem_bottom[1] - stem_top[1], stem_top[2] - stem_bottom[2])
    stem_centre = (0.0, (stem_bottom[1] + stem_top[1]) / 2, (stem_bottom[2] + stem_top[2]) / 2)
    stem_half_length = ((stem_bottom[1] - stem_top[1]) ** 2 + (stem_top[2] - stem_bottom[2]) ** 2) ** 0.5 / 2
    geoms = (
        collision_box(wide, muzzle + head_rear_y - 0.006, head_depth, (0, (head_rear_y - muzzle + 0.006) / 2, head_z)),
        Geom(
            "box",
            (wide * 0.36, 0.016, stem_half_length),
            stem_centre,
            tuple(quat_from_axis_angle((1, 0, 0), stem_tilt).tolist()),
            colour=DARK_GREY_RGB,
        ),
        collision_box(*foot_size, (0, back - foot_size[1] / 2, foot_size[2] / 2), DARK_GREY_RGB),
        visual_box(wide * 1.06, 0.016, head_depth * 1.06, (0, -muzzle + 0.008, head_z), INK_BLACK_RGB),
        visual_box(wide * 0.8, 0.002, head_depth * 0.6, (0, -muzzle, head_z), LENS_RGB),
        visual_box(wide * 0.4, 0.050, 0.002, (0, 0.0, height), INK_BLACK_RGB),
        visual_box(
            wide * 0.3, 0.010, 0.014, (0, stem_top[1] - 0.020, head_z - head_depth / 2 - 0.006), (0.85, 0.35, 0.08)
        ),
    )
    top_grasps = tuple(
        Grasp(
            make_pose((0, y, height - 0.016), quat_from_axes((0, sin(lean), -cos(lean)), (1, 0, 0))),
            wide,
            cost=abs(lean) + 2 * abs(y - 0.012),
            depth_m=0.016,
            min_reach_m=-0.008,
        )
        for y in (0.012, -0.012, 0.032)
        for lean in (*TOOL_WRIST_LEANS_RAD, 0.9, -0.9)
    )
    handle_grasps = tuple(
        Grasp(
            make_pose((0, head_rear_y - 0.012, head_z), quat_from_axes((0, -cos(pitch), -sin(pitch)), (1, 0, 0))),
            wide,
            cost=0.3 * pitch,
            depth_m=0.012,
            min_reach_m=-0.006,
        )
        for pitch in (0.0, 0.3, 0.6)
    )
    # the beam leaves along -y; its frame keeps x to the right
    beam = make_pose((0, -muzzle, head_z), quat_from_axes((0, -1, 0), (0, 0, 1)))
    frames = {
        "bottom": frame_at_height(0.0),
        "top": frame_at_height(height),
        "centre": frame_at_height(height / 2),
        "beam": ("", beam),
    }
    return ObjectModel(geoms, frames, {"top": ("", top_grasps), "handle": ("", handle_grasps)}, yaw_symmetry=1)


def _build_edge_grasps(
    width: float, thickness: float, height: float, edge_height: float, depth: float, y: float
) -> tuple[Grasp, ...]:
    """Grasps of an upright edge along x, `depth` under its top: fingers across y, the wrist leaning along x.

    `height` is that of its top, `edge_height` how far down from there it is free.
    """
    return tuple(
        Grasp(
            make_pose((x, y, height - depth), quat_from_axes((sin(lean), 0, -cos(lean)), (0, 1, 0))),
            thickness,
            thickness + EDGE_OPENING_MARGIN_M,
            cost=abs(lean) + 2 * abs(x),
            depth_m=depth,
            min_reach_m=-depth / 2,
            floor_m=height - edge_height + 0.002,
        )
        for x in (0.0, -0.2 * width, 0.2 * width)
        for lean in TOOL_WRIST_LEANS_RAD
    )


# columns and rows of the code's dark cells, outside its three corner marks
QR_MODULE_CELLS = (
    (4.0, 7.2),
    (3.6, 4.2),
    (7.4, 4.4),
    (5.6, 3.0),
    (7.6, 1.0),
    (4.2, 0.8),
    (5.4, 5.4),
    (1.2, 4.2),
    (6.2, 1.8),
)


@register_family
def qr_sign(
    width: float = 0.078, height: float = 0.097, depth: float = 0.034, edge: float = 0.014, pattern: int = 0
) -> ObjectModel:
    """Standing sign: a plate tilted back with a square code on its front, an upright `edge` thick above it."""
    foot_height, rail_height = 0.008, 0.024
    rail_y = depth / 2 - edge / 2
    plate_rise, plate_run = height - rail_height / 2 - foot_height, 2 * rail_y * 0.8
    tilt = atan2(plate_run, plate_rise)
    plate_centre, plate_length = (
        (0.0, rail_y - plate_run / 2 - 0.002, foot_height + plate_rise / 2),
        (plate_rise**2 + plate_run**2) ** 0.5,
    )
    plate_quat = tuple(quat_from_axis_angle((1, 0, 0), -tilt).tolist())
    cell_size = min(width * 0.90, plate_length * 0.84) / 9

    def build_cell(column: float, row: float, cells: float, layer: int, colour: Vector) -> Geom:
        half_side, v = cells * cell_size / 2, (row - 4) * cell_size - 0.003
        layer_offset = 0.004 + 0.0006 * layer  # each layer stands out of the one under it
        cell_centre = (
            (column - 4) * cell_size,
            plate_centre[1] + v * sin(tilt) - layer_offset * cos(tilt),
            plate_centre[2] + v * cos(tilt) + layer_offset * sin(tilt),
        )
        return Geom("box", (half_side, 0.0005, half_side), cell_centre, plate_quat, colour, collide=False)

    corners = ((1.0, 7.0), (7.0, 7.0), (1.0, 1.0))
    code_geoms = (
        *(
            build_cell(*corner, *square)
            for corner in corners
            for square in ((3, 1, INK_BLACK_RGB), (1, 2, PRINT_WHITE_RGB))
        ),
        *(build_cell(*QR_MODULE_CELLS[(k + pattern) % len(QR_MODULE_CELLS)], 1.2, 1, INK_BLACK_RGB) for k in range(6)),
    )
    geoms = (
        collision_box(width, depth, foot_height, (0, 0, foot_height / 2)),
        Geom("box", (width / 2, 0.0035, plate_length / 2), plate_centre, plate_quat),
        collision_box(width, edge, rail_height, (0, rail_y, height - rail_height / 2)),
        build_cell(4, 4, 9, 0, PRINT_WHITE_RGB),
        *code_geoms,
    )
    frames = {"bottom": frame_at_height(0.0), "top": frame_at_height(height), "centre": frame_at_height(height / 2)}
    return ObjectModel(
        geoms,
        frames,
        {"top": ("", _build_edge_grasps(width, edge, height, rail_height, 0.010, rail_y))},
        yaw_symmetry=1,
    )


@register_family
def fan(width: float = 0.112, height: float = 0.155, depth: float = 0.084, blades: int = 3) -> ObjectModel:
    """Table fan that blows to -y: a foot, a round head and above it a handle 18 mm thick."""
    foot_height, handle_height, head_thickness = 0.012, 0.030, 0.036
    radius = width / 2
    axle_z = height - handle_height + 0.004 - radius
    front_y = -head_thickness / 2
    blade_angles = [2 * pi * k / blades + 0.3 for k in range(blades)]
    geoms = (
        collision_box(width * 0.8, depth, foot_height, (0, 0, foot_height / 2)),
        collision_box(0.026, 0.030, axle_z, (0, 0, axle_z / 2 + 0.001), DARK_GREY_RGB),
        # the round head is felt as a box within it: four steady contacts
        Geom("box", (radius * 0.68, head_thickness / 2 - 0.002, radius * 0.68), (0, 0, axle_z)),
        collision_box(0.052, 0.018, handle_height, (0, 0, height - handle_height / 2)),
        Geom("cylinder", (radius, head_thickness / 2), (0, 0, axle_z), Z_TO_FRONT_QUAT, collide=False),
        Geom("cylinder", (radius * 0.86, 0.001), (0, front_y, axle_z), Z_TO_FRONT_QUAT, DARK_GREY_RGB, collide=False),
        *(
            Geom(
                "box",
                (radius * 0.34, 0.001, radius * 0.15),
                (radius * 0.44 * cos(a), front_y - 0.0012, axle_z + radius * 0.44 * sin(a)),
                tuple(quat_from_axis_angle((0, 1, 0), -a).tolist()),
                PRINT_WHITE_RGB,
                collide=False,
            )
            for a in blade_angles
        ),
        Geom("cylinder", (radius * 0.2, 0.003), (0, front_y - 0.001, axle_z), Z_TO_FRONT_QUAT, collide=False),
    )
    frames = {"bottom": frame_at_height(0.0), "top": frame_at_height(height), "centre": frame_at_height(height / 2)}
    return ObjectModel(
        geoms, frames, {"top": ("", _build_edge_grasps(0.052, 0.018, height, 0.026, 0.011, 0.0))}, yaw_symmetry=1
    )


@register_family
def alarm_clock(
    width: float = 0.19, depth: float = 0.084, height: float = 0.12, button: float = 0.012, digital: bool = False
) -> ObjectModel:
    """Alarm clock that faces -y, with a round button in the middle of its top."""
    body_top = height - 0.010
    front_y = -depth / 2
    face_z = 0.006 + (body_top - 0.006) / 2
    face_radius = min(width, body_top) * 0.40
    geoms = (
        collision_box(width * 0.9, depth * 0.9, 0.006, (0, 0, 0.003), DARK_GREY_RGB),
        collision_box(width, depth, body_top - 0.006, (0, 0, face_z)),
        Geom("cylinder", (button, 0.006), (0, 0, height - 0.006), colour=(0.85, 0.15, 0.12)),
        *(_build_digits(width, body_top, front_y, face_z) if digital else _build_dial(face_radius, front_y, face_z)),
    )
    button_frame = ("", make_pose((0, 0, height)))
    return ObjectModel(
        geoms,
        {
            "bottom": frame_at_height(0.0),
            "top": button_frame,
            "button": button_frame,
            "centre": frame_at_height(height / 2),
        },
        yaw_symmetry=1,
    )


def _build_dial(face_radius: float, front_y: float, face_z: float) -> tuple[Geom, ...]:
    hands = ((0.9, face_radius * 0.62, 0.003), (2.6, face_radius * 0.45, 0.004))
    return (
        Geom(
            "cylinder", (face_radius * 1.08, 0.001), (0, front_y, face_z), Z_TO_FRONT_QUAT, INK_BLACK_RGB, collide=False
        ),
        Geom(
            "cylinder",
            (face_radius, 0.001),
            (0, front_y - 0.001, face_z),
            Z_TO_FRONT_QUAT,
            PRINT_WHITE_RGB,
            collide=False,
        ),
        *(
            Geom(
                "box",
                (hand_width / 2, 0.001, hand_length / 2),
                (hand_length / 2 * sin(a), front_y - 0.0025, face_z + hand_length / 2 * cos(a)),
                tuple(quat_from_axis_angle((0, 1, 0), a).tolist()),
                INK_BLACK_RGB,
                collide=False,
            )
            for a, hand_length, hand_width in hands
        ),
    )


def _build_digits(width: float, body_top: float, front_y: float, face_z: float) -> tuple[Geom, ...]:
    display_width, display_height = width * 0.84, body_top * 0.6
    digit_colour = (0.25, 0.9, 0.45)
    bars = tuple(
        visual_box(0.007, 0.001, display_height * 0.6, (x * display_width, front_y - 0.0015, face_z), digit_colour)
        for x in (-0.36, -0.24, -0.1, 0.36)
    )
    rows = tuple(
        visual_box(
            display_width * 0.15,
            0.001,
            0.006,
            (display_width * 0.22, front_y - 0.0015, face_z + z * display_height),
            digit_colour,
        )
        for z in (-0.27, 0.0, 0.27)
    )
    return visual_box(display_width, 0.002, display_height, (0, front_y, face_z), INK_BLACK_RGB), *bars, *rows
