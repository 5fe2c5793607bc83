"""Objects with a lid, a door, a drawer or a rocker."""

from __future__ import annotations

from math import cos, pi, sin

from sim.embodiment.model import Geom, Vector
from sim.geometry import make_pose, quat_from_axes, quat_from_axis_angle
from sim.objects.base import Grasp, ObjectModel, ObjectPart, frame_at_height, register_family
from sim.objects.boxes import DARK_GREY_RGB, collision_box, visual_box

BRIGHT_STEEL_RGB, GLASS_RGB, LIGHT_WOOD_RGB = (0.72, 0.73, 0.75), (0.55, 0.62, 0.65), (0.80, 0.68, 0.52)
MOVING_PART_GAP_M = 0.002  # air between a moving part and what it moves along
HANDLE_RADIUS_M = 0.007
HANDLE_OPENING_M, NARROW_HANDLE_OPENING_M = 0.055, 0.030  # between the fingers that come to a handle
LID_GRASP_DEPTH_M = 0.012  # how far from its edge a lid is held
LID_OPENING_MARGIN_M = 0.043  # how much wider than a lid the fingers come
# of a hand on an upright bar: a broad hand turned further meets the face behind
HANDLE_YAWS_RAD = (0.0, -0.25, 0.25, -0.5, 0.5)


@register_family
def laptop(width: float, depth: float, thickness: float = 0.014, lid: float = 0.008, start: float = 0.2) -> ObjectModel:
    """Laptop whose lid turns about the back edge from 0 (shut) to π; `start` is a fraction of that."""
    hinge_y = depth / 2
    hinge = (0.0, hinge_y, thickness)
    grey, black = (0.28, 0.29, 0.31), (0.05, 0.05, 0.06)
    base = (
        Geom("box", (width / 2, depth / 2, thickness / 2), (0, 0, thickness / 2)),
        Geom("box", (width * 0.44, depth * 0.25, 0.001), (0, hinge_y * 0.35, thickness), colour=black, collide=False),
        Geom("box", (width * 0.16, depth * 0.13, 0.001), (0, -hinge_y * 0.55, thickness), colour=grey, collide=False),
    )
    lid_geoms = (
        Geom("box", (width / 2, depth / 2, lid / 2), (0, -hinge_y, lid / 2 + 0.002)),
        Geom("box", (width * 0.45, depth * 0.43, 0.001), (0, -hinge_y, 0.0015), colour=(0.1, 0.16, 0.3), collide=False),
    )
    edge_centre = (0.0, -depth + LID_GRASP_DEPTH_M, lid / 2 + 0.002)
    opening_axis = (0.0, 0.0, 1.0)
    # a lid is held well enough by fingers that meet it at a slant
    grasps = tuple(
        Grasp(
            make_pose((side * width, *edge_centre[1:]), quat_from_axes((0, cos(lean), -sin(lean)), opening_axis)),
            lid / cos(lean),
            lid + LID_OPENING_MARGIN_M,
            cost=abs(lean) + abs(side),
            depth_m=LID_GRASP_DEPTH_M,
            min_reach_m=-LID_GRASP_DEPTH_M / 2,
        )
        for side in (0.0, -0.25, 0.25)
        for lean in (0.0, -0.25, 0.25, -0.5, 0.5, -0.75, 0.75)
    )
    return ObjectModel(
        geoms=base,
        frames={"bottom": frame_at_height(0.0), "edge": ("lid", make_pose(edge_centre))},
        grasps={"edge": ("lid", grasps)},
        parts=(
            ObjectPart(
                "lid", "hinge", hinge, (-1, 0, 0), (0.0, pi), start * pi, lid_geoms, damping=0.05, friction_loss=0.05
            ),
        ),
    )


def _build_vertical_bar_grasps(centre: Vector) -> tuple[Grasp, ...]:
    """Grasps of an upright round bar before a face turned to -y: straight on, from the sides and from above."""
    return tuple(
        Grasp(
            make_pose(
                centre,
                quat_from_axes((sin(yaw) * cos(lean), cos(yaw) * cos(lean), -sin(lean)), (cos(yaw), -sin(yaw), 0.0)),
            ),
            2 * HANDLE_RADIUS_M,
            HANDLE_OPENING_M,
            cost=0.5 * (abs(yaw) + lean),
            depth_m=HANDLE_RADIUS_M,
        )
        for yaw in HANDLE_YAWS_RAD
        for lean in (0.0, 0.3, 0.6, 0.9)
    )


def _build_horizontal_bar_grasps(centre: Vector) -> tuple[Grasp, ...]:
    """Grasps of a round bar along x before a face turned to -y: from straight on to straight down."""
    return tuple(
        Grasp(
            make_pose(
                (centre[0] + offset, *centre[1:]),
                quat_from_axes((0.0, cos(lean), -sin(lean)), (0.0, sin(lean), cos(lean))),
            ),
            2 * HANDLE_RADIUS_M,
            # a steep hand has a finger between bar and face: it must not open further than there is room
            HANDLE_OPENING_M if lean < 0.7 else NARROW_HANDLE_OPENING_M,
            cost=2 * abs(offset) + 0.5 * lean,
            depth_m=HANDLE_RADIUS_M,
        )
        for offset in (0.0, -0.02, 0.02)
        for lean in (0.0, 0.3, 0.6, 0.9, 1.2, 1.5)
    )


@register_family
def microwave(width: float = 0.35, depth: float = 0.25, height: float = 0.20, panel: float = 0.075) -> ObjectModel:
    """Microwave oven: a hollow case whose door turns about its left edge, handle at the free one.

    Opened by the arm on the left, the door swings towards it and its outside stays turned to that arm.
    """
    wall, door_thickness, handle_standoff = 0.012, 0.018, 0.036
    left, front = -width / 2, -depth / 2
    case_front = front + door_thickness + MOVING_PART_GAP_M  # the front of the case proper
    case_depth = depth / 2 - case_front
    front_width = width - panel
    cavity_width = front_width - wall
    case_middle_y = case_front + case_depth / 2
    case = (
        collision_box(wall, case_depth, height, (left + wall / 2, case_middle_y, height / 2)),
        collision_box(panel, depth, height, (-left - panel / 2, 0, height / 2)),
        collision_box(cavity_width, case_depth, wall, (left + wall + cavity_width / 2, case_middle_y, wall / 2)),
        collision_box(
            cavity_width, case_depth, wall, (left + wall + cavity_width / 2, case_middle_y, height - wall / 2)
        ),
        collision_box(
            cavity_width,
            wall,
            height - 2 * wall,
            (left + wall + cavity_width / 2, depth / 2 - wall / 2, height / 2),
            DARK_GREY_RGB,
        ),
        visual_box(panel * 0.7, 0.001, 0.024, (-left - panel / 2, front, height * 0.82), (0.1, 0.3, 0.25)),
        *(
            visual_box(panel * 0.22, 0.002, 0.014, (-left - panel / 2 + x * panel, front, height * z), DARK_GREY_RGB)
            for x in (-0.2, 0.2)
            for z in (0.60, 0.46, 0.32)
        ),
        visual_box(panel * 0.6, 0.002, 0.022, (-left - panel / 2, front, height * 0.14), BRIGHT_STEEL_RGB),
        Geom(
            "cylinder",
            (min(cavity_width, case_depth) * 0.4, 0.003),
            (left + wall + cavity_width / 2, case_middle_y, wall + 0.003),
            colour=GLASS_RGB,
            collide=False,
        ),
    )
    door_width = front_width - MOVING_PART_GAP_M
    handle_x, handle_y = door_width - 0.026, -MOVING_PART_GAP_M - door_thickness - handle_standoff
    handle_bottom, handle_top = height * 0.22, height * 0.82
    door_geoms = (
        collision_box(
            door_width,
            door_thickness,
            height - 2 * MOVING_PART_GAP_M,
            (door_width / 2, -MOVING_PART_GAP_M - door_thickness / 2, height / 2),
        ),
        visual_box(
            door_width * 0.66,
            0.001,
            height * 0.62,
            (door_width * 0.44, -MOVING_PART_GAP_M - door_thickness, height / 2),
            DARK_GREY_RGB,
        ),
        visual_box(
            door_width * 0.66, 0.001, height * 0.62, (door_width * 0.44, -MOVING_PART_GAP_M, height / 2), DARK_GREY_RGB
        ),
        Geom(
            "capsule",
            (HANDLE_RADIUS_M,),
            ends=((handle_x, handle_y, handle_bottom), (handle_x, handle_y, handle_top)),
            colour=BRIGHT_STEEL_RGB,
        ),
        *(
            Geom(
                "capsule",
                (HANDLE_RADIUS_M * 0.8,),
                ends=((handle_x, handle_y, z), (handle_x, -MOVING_PART_GAP_M - door_thickness, z)),
                colour=BRIGHT_STEEL_RGB,
            )
            for z in (handle_bottom, handle_top)
        ),
    )
    handle_centre = (handle_x, handle_y, (handle_bottom + handle_top) / 2)
    frames = {
        "bottom": frame_at_height(0.0),
        "top": frame_at_height(height),
        "handle": ("door", make_pose(handle_centre, quat_from_axes((0, -1, 0), (0, 0, 1)))),
        "edge": (
            "door",
            make_pose((door_width - 0.02, -MOVING_PART_GAP_M, height * 0.6), quat_from_axes((0, 1, 0), (0, 0, 1))),
        ),
    }
    door_part = ObjectPart(
        "door",
        "door",
        (left, case_front, 0.0),
        (0, 0, -1),
        (0.0, 1.7),
        0.0,
        door_geoms,
        damping=0.05,
        friction_loss=0.02,
    )
    handle_grasps = tuple(
        grasp
        for lift in (0.0, 0.02)
        for grasp in _build_vertical_bar_grasps((*handle_centre[:2], handle_centre[2] + lift))
    )
    return ObjectModel(case, frames, {"handle": ("door", handle_grasps)}, parts=(door_part,), yaw_symmetry=1)


@register_family
def switch(
    height: float = 0.098, plate: float = 0.084, rocker: tuple[float, float] = (0.042, 0.066), swing: float = 0.54
) -> ObjectModel:
    """Rocker switch on a post, the middle of the rocker at `height`, its lower half standing out.

    Pushing that half ("press", against its level z axis) turns the rocker about x from 0 to `swing`.
    """
    rocker_width, rocker_height = rocker
    rocker_thickness, plate_thickness = 0.010, 0.012
    tilt = swing / 2
    pivot_clearance = rocker_height / 2 * sin(tilt) + rocker_thickness / 2 + 0.003
    pivot = (0.0, -plate_thickness / 2 - pivot_clearance, height)
    plate_height = plate * 0.92 if plate > rocker_height + 0.016 else rocker_height + 0.016
    case = (
        collision_box(0.075, 0.070, 0.010, (0, 0.012, 0.005), DARK_GREY_RGB),
        collision_box(0.030, 0.016, height, (0, plate_thickness / 2 + 0.008, height / 2), DARK_GREY_RGB),
        collision_box(plate, plate_thickness, plate_height, (0, 0, height)),
        # a frame as deep as the rocker's axle hides the air behind it
        *(
            visual_box(
                0.004,
                pivot_clearance,
                rocker_height + 0.010,
                (x * (rocker_width / 2 + 0.005), -plate_thickness / 2 - pivot_clearance / 2, height),
                BRIGHT_STEEL_RGB,
            )
            for x in (-1, 1)
        ),
    )
    rest_quat = tuple(quat_from_axis_angle((1, 0, 0), -tilt).tolist())
    face_normal = (0.0, -cos(tilt), sin(tilt))  # out of the rocker where it stands at joint value 0
    downward = (0.0, -sin(tilt), -cos(tilt))

    def locate_on_rocker(along: float) -> Vector:
        return (
            0.0,
            along * downward[1] + rocker_thickness / 2 * face_normal[1],
            along * downward[2] + rocker_thickness / 2 * face_normal[2],
        )

    rocker_geoms = (
        Geom(
            "box", (rocker_width / 2, rocker_thickness / 2, rocker_height / 2), (0, 0, 0), rest_quat, (0.93, 0.93, 0.90)
        ),
        Geom(
            "box",
            (rocker_width * 0.04, 0.001, rocker_height * 0.08),
            locate_on_rocker(rocker_height * 0.34),
            rest_quat,
            (0.8, 0.15, 0.12),
            collide=False,
        ),
        Geom(
            "box",
            (rocker_width * 0.16, 0.001, rocker_height * 0.03),
            locate_on_rocker(-rocker_height * 0.34),
            rest_quat,
            (0.2, 0.2, 0.2),
            collide=False,
        ),
    )
    # half way between how the rocker faces before and after: what pushes there stays off the axle
    press_frame = make_pose(locate_on_rocker(rocker_height * 0.36), quat_from_axes((0, -1, 0), (0, 0, 1)))
    rocker_part = ObjectPart(
        "rocker", "rocker", pivot, (1, 0, 0), (0.0, swing), 0.0, rocker_geoms, damping=0.01, friction_loss=0.008
    )
    return ObjectModel(
        case, {"bottom": frame_at_height(0.0), "press": ("rocker", press_frame)}, parts=(rocker_part,), yaw_symmetry=1
    )


@register_family
def cabinet(
    width: float = 0.24, depth: float = 0.24, height: float = 0.40, drawer: float = 0.12, travel: float = 0.20
) -> ObjectModel:
    """Chest whose lowest drawer slides out to -y; its front ends `drawer` up, its handle is 2 cm lower.

    The front is that low because what goes into the drawer is carried over it. "inside" is on its floor, in the open
    when the drawer is out by 0.16; "out" is where that is, in the room, once the drawer is out by 0.9 of its travel.
    """
    wall, drawer_wall, front_thickness, handle_standoff = 0.012, 0.006, 0.012, 0.036
    handle_centre = (0.0, -depth / 2, drawer - 0.02)
    drawer_front_y = handle_centre[1] + handle_standoff + front_thickness  # the inner side of the drawer's front
    case_front, case_back = drawer_front_y + MOVING_PART_GAP_M, depth / 2
    case_depth, case_middle_y = case_back - case_front, (case_front + case_back) / 2
    shelf_height = drawer + 2 * MOVING_PART_GAP_M
    case = (
        *(
            collision_box(wall, case_depth, shelf_height, (x * (width - wall) / 2, case_middle_y, shelf_height / 2))
            for x in (-1, 1)
        ),
        collision_box(width - 2 * wall, wall, shelf_height, (0, case_back - wall / 2, shelf_height / 2)),
        collision_box(width, case_depth, height - shelf_height, (0, case_middle_y, (height + shelf_height) / 2)),
        *_build_drawer_fronts(width, case_front, shelf_height, height),
    )
    drawer_inner_width = width - 2 * (wall + 0.003 + drawer_wall)
    drawer_length = case_depth - wall - 0.010
    drawer_floor, drawer_side_height = 0.016, 0.065
    drawer_geoms = (
        collision_box(
            drawer_inner_width + 2 * drawer_wall,
            drawer_length,
            drawer_floor - 0.004,
            (0, drawer_front_y + drawer_length / 2, (drawer_floor + 0.004) / 2),
            LIGHT_WOOD_RGB,
        ),
        *(
            collision_box(
                drawer_wall,
                drawer_length,
                drawer_side_height - drawer_floor,
                (
                    x * (drawer_inner_width + drawer_wall) / 2,
                    drawer_front_y + drawer_length / 2,
                    (drawer_side_height + drawer_floor) / 2,
                ),
                LIGHT_WOOD_RGB,
            )
            for x in (-1, 1)
        ),
        collision_box(
            drawer_inner_width,
            drawer_wall,
            drawer_side_height - drawer_floor,
            (0, drawer_front_y + drawer_length - drawer_wall / 2, (drawer_side_height + drawer_floor) / 2),
            LIGHT_WOOD_RGB,
        ),
        collision_box(
            width - 0.004,
            front_thickness,
            drawer - 0.004,
            (0, drawer_front_y - front_thickness / 2, (drawer + 0.004) / 2),
        ),
        Geom(
            "capsule",
            (HANDLE_RADIUS_M,),
            ends=((-0.045, *handle_centre[1:]), (0.045, *handle_centre[1:])),
            colour=BRIGHT_STEEL_RGB,
        ),
        *(
            Geom(
                "capsule",
                (HANDLE_RADIUS_M * 0.7,),
                ends=((x, *handle_centre[1:]), (x, drawer_front_y - front_thickness, handle_centre[2])),
                colour=BRIGHT_STEEL_RGB,
            )
            for x in (-0.045, 0.045)
        ),
    )
    frames = {
        "bottom": frame_at_height(0.0),
        "top": frame_at_height(height),
        "inside": ("drawer", make_pose((0, drawer_front_y + 0.07, drawer_floor))),
        "out": ("", make_pose((0, drawer_front_y + 0.07 - 0.9 * travel, drawer_floor))),
        "handle": ("drawer", make_pose(handle_centre, quat_from_axes((0, -1, 0), (0, 0, 1)))),
    }
    drawer_part = ObjectPart(
        "drawer",
        "drawer",
        (0, 0, 0),
        (0, -1, 0),
        (0.0, travel),
        0.0,
        drawer_geoms,
        2.0,
        friction_loss=0.5,
        prismatic=True,
    )
    return ObjectModel(
        case,
        frames,
        {"handle": ("drawer", _build_horizontal_bar_grasps(handle_centre))},
        parts=(drawer_part,),
        yaw_symmetry=1,
    )


def _build_drawer_fronts(width: float, front: float, bottom: float, top: float) -> tuple[Geom, ...]:
    """Visual fronts of two more drawers between two heights."""
    front_height = (top - bottom) / 2
    return tuple(
        geom
        for k in range(2)
        for z in (bottom + (k + 0.5) * front_height,)
        for geom in (
            visual_box(width - 0.006, 0.001, front_height - 0.002, (0, front, z), DARK_GREY_RGB),
            visual_box(width - 0.010, 0.008, front_height - 0.006, (0, front, z)),
            visual_box(0.09, 0.012, 0.010, (0, front - 0.009, z), BRIGHT_STEEL_RGB),
        )
    )
