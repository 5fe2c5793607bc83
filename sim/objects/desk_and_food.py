"""Small objects of desk and kitchen: stapler, mouse, toy car, soap, shoe, fries, bread."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin, tan

from sim.embodiment.model import Geom, Vector
from sim.geometry import make_pose, quat_from_axis_angle
from sim.objects.base import ObjectModel, register_family
from sim.objects.boxes import (
    DARK_GREY_RGB,
    INK_BLACK_RGB,
    PRINT_THICKNESS_M,
    PRINT_WHITE_RGB,
    TOP_GRASP_DEPTH_M,
    WRIST_LEANS_RAD,
    build_box_frames,
    build_top_grasps,
    collision_box,
    lookup_colour,
    visual_box,
)
from sim.task.spec import SpecError

DESK_STEEL_RGB = (0.66, 0.68, 0.71)
CRUMB_RGB = (0.95, 0.87, 0.68)
SEED_POSITIONS = ((0.0, 0.0), (0.2, 0.12), (-0.18, 0.15), (0.15, -0.18), (-0.2, -0.12), (0.0, 0.27), (0.02, -0.3))


def _axis_angle_quat(axis: Vector, angle: float) -> tuple[float, float, float, float]:
    w, x, y, z = quat_from_axis_angle(axis, angle).tolist()
    return w, x, y, z


def _visual_post(radius: float, height: float, base_centre: Vector, colour: Vector | None = None) -> Geom:
    """Upright cylinder that is visible only, its base centre at `base_centre`."""
    return Geom(
        "cylinder",
        (radius, height / 2),
        (base_centre[0], base_centre[1], base_centre[2] + height / 2),
        colour=colour,
        collide=False,
    )


@register_family
def stapler(length: float, width: float, height: float, base: str = "charcoal") -> ObjectModel:
    """Stapler along x, its nose at +x and higher than its hinge; "top" is where one presses it."""
    slope, arm_thickness = 0.09, 0.3 * height
    arm_half_length = 0.48 * length
    arm_z = height - arm_thickness / 2 * cos(slope) - arm_half_length * sin(slope)
    arm_quat = _axis_angle_quat((0, 1, 0), -slope)
    arm = Geom("box", (arm_half_length, width / 2, arm_thickness / 2), (0, 0, arm_z), arm_quat)
    nose_centre = (arm_half_length * cos(slope) - 0.0005, 0.0, arm_z + arm_half_length * sin(slope))
    round_nose = Geom(
        "cylinder", (arm_thickness / 2, width / 2), nose_centre, _axis_angle_quat((1, 0, 0), pi / 2), collide=False
    )
    rail_z = arm_z - arm_thickness / 2 - 0.002
    rail = Geom(
        "box", (0.9 * arm_half_length, 0.3 * width, 0.003), (0, 0, rail_z), arm_quat, DESK_STEEL_RGB, collide=False
    )
    foot = collision_box(length, 1.1 * width, 0.2 * height, (0, 0, 0.1 * height), lookup_colour(base))
    hinge = collision_box(
        0.2 * length, 0.8 * width, 0.4 * height, (-0.36 * length, 0, 0.35 * height), lookup_colour(base)
    )
    anvil = visual_box(0.12 * length, 0.6 * width, 0.002, (0.38 * length, 0, 0.2 * height), DESK_STEEL_RGB)
    press_x = 0.27 * length
    press_z = arm_z + press_x * tan(slope) + arm_thickness / 2 / cos(slope)
    frames = {**build_box_frames(height), "top": ("", make_pose((press_x, 0, press_z)))}
    # by the arm, not by the gap under it
    grasp_height = arm_z - arm_thickness / 2 + TOP_GRASP_DEPTH_M + 0.008
    grasps = {
        "top": ("", build_top_grasps(grasp_height, width, pi / 2, positions=((0.0, 0.0), (-0.015, 0.0), (0.015, 0.0))))
    }
    return ObjectModel((foot, hinge, arm, round_nose, rail, anvil), frames, grasps)


@register_family
def mouse(length: float, width: float, height: float, wheel: str = "grey") -> ObjectModel:
    """Computer mouse along y, its keys towards -y."""
    side_height, radius = 0.55 * height, width / 2
    end_offset = length / 2 - radius
    dome_height = height - 0.9 * side_height
    shell = Geom("ellipsoid", (0.97 * radius, 0.99 * length / 2, dome_height), (0, 0, 0.9 * side_height), collide=False)
    ends = tuple(_visual_post(radius, side_height, (0, side * end_offset, 0)) for side in (-1, 1))
    # unseen inside the shell
    core = collision_box(
        0.5 * width, 0.5 * length, 0.6 * (height - side_height), (0, 0, side_height + 0.3 * (height - side_height))
    )
    wheel_geom = Geom(
        "cylinder",
        (0.007, 0.003),
        (0, -0.27 * length, 0.9 * side_height + 0.78 * dome_height - 0.004),
        _axis_angle_quat((0, 1, 0), pi / 2),
        lookup_colour(wheel),
        collide=False,
    )
    button_gap = visual_box(
        0.0015,
        0.3 * length,
        0.5 * dome_height,
        (0, -0.32 * length, 0.9 * side_height + 0.42 * dome_height),
        DARK_GREY_RGB,
    )
    body = collision_box(width, length - 2 * radius + 0.3 * radius, side_height, (0, 0, side_height / 2))
    return ObjectModel(
        (body, core, *ends, shell, button_gap, wheel_geom),
        build_box_frames(height),
        {"top": ("", build_top_grasps(height, width))},
    )


@register_family
def soap(size: Vector, emboss: str = "cream") -> ObjectModel:
    """Bar of soap along x with round ends and an embossed oval."""
    x, y, z = size
    ends = tuple(_visual_post(y / 2, z, (side * (x - y) / 2, 0, 0)) for side in (-1, 1))
    body = collision_box(x - 0.8 * y, y, z, (0, 0, z / 2))
    oval = Geom("ellipsoid", (0.3 * x, 0.3 * y, 0.0015), (0, 0, z), colour=lookup_colour(emboss), collide=False)
    grasps = {"top": ("", build_top_grasps(z, y, pi / 2))}
    return ObjectModel((body, *ends, oval), build_box_frames(z), grasps, yaw_symmetry=2)


@register_family
def toy_car(
    length: float, width: float, height: float, cabin: float = 0.5, back: float = 0.1, trim: str = "charcoal"
) -> ObjectModel:
    """Toy car, nose at -y; `cabin` is its length and `back` how far behind the middle, in car lengths."""
    wheel_radius, floor_height = 0.26 * height, 0.22 * height
    waist_height = 0.62 * height
    chassis = collision_box(
        0.8 * width, 0.94 * length, floor_height + 0.002, (0, 0, floor_height / 2 + 0.001), DARK_GREY_RGB
    )
    body = collision_box(0.92 * width, length, waist_height - floor_height, (0, 0, (waist_height + floor_height) / 2))
    top = collision_box(
        0.78 * width, cabin * length, height - waist_height, (0, back * length, (height + waist_height) / 2)
    )
    front, rear = (back - cabin / 2) * length, (back + cabin / 2) * length
    glass = tuple(
        visual_box(
            0.66 * width,
            2 * PRINT_THICKNESS_M,
            0.7 * (height - waist_height),
            (0, window_y, (height + waist_height) / 2),
            lookup_colour("sky"),
        )
        for window_y in (front, rear)
    )
    panes = visual_box(
        0.78 * width + 2 * PRINT_THICKNESS_M,
        0.8 * cabin * length,
        0.55 * (height - waist_height),
        (0, back * length, (height + waist_height) / 2),
        lookup_colour("sky"),
    )
    lamps = visual_box(
        0.8 * width, 2 * PRINT_THICKNESS_M, 0.09 * height, (0, -length / 2, 0.45 * height), lookup_colour("yellow")
    )
    grille = visual_box(
        0.35 * width, 3 * PRINT_THICKNESS_M, 0.1 * height, (0, -length / 2, 0.45 * height), lookup_colour(trim)
    )
    wheels = tuple(
        Geom(
            "cylinder",
            (wheel_radius, width / 2),
            (0, side * 0.3 * length, wheel_radius),
            _axis_angle_quat((0, 1, 0), pi / 2),
            INK_BLACK_RGB,
            collide=False,
        )
        for side in (-1, 1)
    )
    hubs = tuple(
        Geom(
            "cylinder",
            (0.5 * wheel_radius, width / 2 + PRINT_THICKNESS_M),
            (0, side * 0.3 * length, wheel_radius),
            _axis_angle_quat((0, 1, 0), pi / 2),
            DESK_STEEL_RGB,
            collide=False,
        )
        for side in (-1, 1)
    )
    grasps = {
        "top": (
            "",
            build_top_grasps(height, 0.92 * width, positions=((0.0, back * length), (0.0, back * length + 0.01))),
        )
    }
    return ObjectModel(
        (chassis, body, top, *glass, panes, lamps, grille, *wheels, *hubs), build_box_frames(height), grasps
    )


@register_family
def shoe(
    length: float, width: float, height: float, collar: float = 0.052, sole: str = "white", laces: str = "white"
) -> ObjectModel:
    """Shoe along y, toe at -y; it is held by the collar around its ankle, which is `collar` wide."""
    sole_thickness, half_width = 0.017, width / 2
    toe_y, heel_y = -(length / 2 - half_width), length / 2 - 0.45 * width
    ankle_length, ankle_y = 0.36 * length, length / 2 - 0.5 * collar - 0.18 * length + 0.01
    sole_box = collision_box(
        width, heel_y - toe_y, sole_thickness, (0, (heel_y + toe_y) / 2, sole_thickness / 2), lookup_colour(sole)
    )
    sole_ends = (
        _visual_post(half_width, sole_thickness, (0, toe_y, 0), lookup_colour(sole)),
        _visual_post(half_width, sole_thickness, (0, length / 2 - half_width, 0), lookup_colour(sole)),
    )
    toe_length = 0.3 * length
    toe = Geom(
        "ellipsoid",
        (0.95 * half_width, toe_length, 0.3 * height),
        (0, -length / 2 + toe_length + 0.003, 0.3 * height + 0.004),
    )
    upper = collision_box(collar, ankle_length, height - sole_thickness, (0, ankle_y, (height + sole_thickness) / 2))
    heel = _visual_post(collar / 2, height - sole_thickness, (0, ankle_y + ankle_length / 2, sole_thickness))
    front, rear = ankle_y - ankle_length / 2, ankle_y + ankle_length / 2
    collar_opening = (
        visual_box(
            0.72 * collar, 0.85 * ankle_length, 0.002, (0, ankle_y + 0.075 * ankle_length, height), INK_BLACK_RGB
        ),
        _visual_post(0.36 * collar, 0.002, (0, rear, height - 0.001), INK_BLACK_RGB),
    )
    instep = _build_instep(length, height - 0.003, collar, front, lookup_colour(laces))
    grasp_positions = ((0.0, ankle_y), (0.0, ankle_y + 0.015), (0.0, ankle_y - 0.015))
    # it is high and turned far: a wrist that fits where it is taken and where it is set down is hard to find
    leans = (*WRIST_LEANS_RAD, *(side * lean for lean in (0.15, 0.45, 0.9) for side in (-1, 1)))
    grasps = {"top": ("", build_top_grasps(height - 0.01, collar, leans=leans, positions=grasp_positions))}
    return ObjectModel(
        (sole_box, toe, upper, *sole_ends, heel, *collar_opening, *instep), build_box_frames(height), grasps
    )


def _build_instep(length: float, height: float, collar: float, front: float, laces: Vector) -> tuple[Geom, ...]:
    """Laced tongue of a shoe, which slopes from the collar's `front` edge at `height` to the toe."""
    slope, tongue_length, half_thickness = 0.62, 0.26 * length, 0.014
    tongue_quat = _axis_angle_quat((1, 0, 0), slope)

    def locate_on_tongue(along: float, depth: float) -> Vector:
        y, z = front - along * cos(slope), height - along * sin(slope)
        return 0.0, y + depth * sin(slope), z - depth * cos(slope)

    tongue = Geom(
        "box",
        (0.46 * collar, tongue_length / 2, half_thickness),
        locate_on_tongue(tongue_length / 2, half_thickness),
        tongue_quat,
        collide=False,
    )
    lace_geoms = tuple(
        Geom(
            "box",
            (0.42 * collar, 0.0028, 0.001),
            locate_on_tongue(fraction * tongue_length, 0.0),
            tongue_quat,
            laces,
            collide=False,
        )
        for fraction in (0.15, 0.35, 0.55)
    )
    return tongue, *lace_geoms


@register_family
def fries(width: float, length: float, height: float, sticks: int = 6, stripe: str = "yellow") -> ObjectModel:
    """Carton of fries on its back, the sticks towards +y."""
    carton_length = 0.68 * length
    carton_y = -(length - carton_length) / 2
    body = collision_box(width, carton_length, height, (0, carton_y, height / 2))
    # one unseen bar is what the sticks are to the fingers of the world
    stick_core = collision_box(
        0.8 * width, length - carton_length, 0.55 * height, (0, carton_length / 2, 0.45 * height), lookup_colour("gold")
    )
    pitch = 0.84 * width / sticks
    stick_geoms = tuple(
        visual_box(
            0.8 * pitch,
            0.3 * length + 0.004 * (k * 7 % 5),
            0.009,
            (
                (k + 0.5 - sticks / 2) * pitch,
                carton_length / 2 - 0.004 + 0.002 * (k * 7 % 5),
                (0.5 + 0.32 * (k % 2)) * height,
            ),
            lookup_colour("gold" if k % 3 else "yellow"),
        )
        for k in range(sticks)
    )
    badge = (
        visual_box(0.2 * width, carton_length, PRINT_THICKNESS_M, (0, carton_y, height), lookup_colour(stripe)),
        Geom(
            "cylinder",
            (0.22 * width, 2 * PRINT_THICKNESS_M),
            (0, carton_y, height),
            colour=lookup_colour(stripe),
            collide=False,
        ),
    )
    grasps = {"top": ("", build_top_grasps(height, width, positions=((0.0, carton_y), (0.0, carton_y - 0.012))))}
    return ObjectModel((body, stick_core, *stick_geoms, *badge), build_box_frames(height), grasps)


@register_family
def bread(size: Vector, look: str = "loaf") -> ObjectModel:
    """Bread along y: "toast", "bun", "baguette", "loaf" or "roll"."""
    if look not in BREAD_BUILDERS:
        raise SpecError(f"unknown bread {look!r}; valid: {', '.join(BREAD_BUILDERS)}")
    return ObjectModel(
        BREAD_BUILDERS[look](*size),
        build_box_frames(size[2]),
        {"top": ("", build_top_grasps(size[2], size[0]))},
        yaw_symmetry=2,
    )


def _build_toast(x: float, y: float, z: float) -> tuple[Geom, ...]:
    lobes = tuple(_visual_post(0.27 * x, z, (side * 0.23 * x, 0.36 * y, 0)) for side in (-1, 1))
    crumb = visual_box(0.84 * x, 0.8 * y, 2 * PRINT_THICKNESS_M, (0, -0.03 * y, z), CRUMB_RGB)
    return collision_box(x, 0.86 * y, z, (0, -0.07 * y, z / 2)), *lobes, crumb


def _build_bread_core(
    x: float, y: float, z: float, foot_share: tuple[float, float], waist_share: tuple[float, float]
) -> tuple[Geom, Geom]:
    """Collision boxes within the crust of a round bread, foot and waist, as fractions (x, y) of its size."""
    return (
        collision_box(foot_share[0] * x, foot_share[1] * y, 0.35 * z, (0, 0, 0.175 * z)),
        collision_box(waist_share[0] * x, waist_share[1] * y, 0.3 * z, (0, 0, 0.5 * z)),
    )


def _build_bun(x: float, y: float, z: float) -> tuple[Geom, ...]:
    crust = Geom("ellipsoid", (x / 2, y / 2, z / 2), (0, 0, z / 2), collide=False)
    heights = [0.5 * z + 0.5 * z * (1 - 4 * (dx**2 + dy**2)) ** 0.5 for dx, dy in SEED_POSITIONS]
    seeds = tuple(
        Geom("ellipsoid", (0.0022, 0.003, 0.0015), (dx * x, dy * y, seed_z), colour=PRINT_WHITE_RGB, collide=False)
        for (dx, dy), seed_z in zip(SEED_POSITIONS, heights, strict=True)
    )
    return *_build_bread_core(x, y, z, (0.5, 0.5), (0.88, 0.36)), crust, *seeds


def _build_baguette(x: float, y: float, z: float) -> tuple[Geom, ...]:
    crust = Geom("ellipsoid", (x / 2, 0.54 * y, z / 2), (0, 0, z / 2), collide=False)
    radius = 0.47 * z
    ends = ((0.0, radius - y / 2, radius), (0.0, y / 2 - radius, radius))
    stick = Geom("capsule", (radius,), collide=False, ends=ends)
    cuts = tuple(
        Geom(
            "box",
            (0.18 * x, 0.003, 0.0015),
            (0, fraction * y, 0.5 * z * (1 + (1 - (fraction / 0.54) ** 2) ** 0.5) - 0.001),
            _axis_angle_quat((0, 0, 1), 0.6),
            CRUMB_RGB,
            collide=False,
        )
        for fraction in (-0.24, 0.0, 0.24)
    )
    return *_build_bread_core(x, y, z, (0.45, 0.8), (0.84, 0.3)), crust, stick, *cuts


def _build_loaf(x: float, y: float, z: float) -> tuple[Geom, ...]:
    core_height = 0.6 * z
    core = collision_box(x, y, core_height, (0, 0, core_height / 2))
    top = tuple(
        Geom(
            "ellipsoid",
            (0.53 * x, 0.19 * y, z - 0.8 * core_height),
            (0, fraction * y, 0.8 * core_height),
            collide=False,
        )
        for fraction in (-0.3, 0.0, 0.3)
    )
    ends = tuple(
        visual_box(0.86 * x, 2 * PRINT_THICKNESS_M, 0.8 * core_height, (0, side * y / 2, 0.5 * core_height), CRUMB_RGB)
        for side in (-1, 1)
    )
    return core, *top, *ends


def _build_roll(x: float, y: float, z: float) -> tuple[Geom, ...]:
    folds = tuple(
        Geom("ellipsoid", (scale * x / 2, 0.19 * y, scale * z / 2), (0, fraction * y, scale * z / 2), collide=False)
        for fraction, scale in ((-0.32, 0.72), (-0.17, 0.9), (0.0, 1.0), (0.17, 0.9), (0.32, 0.72))
    )
    return *_build_bread_core(x, y, z, (0.45, 0.75), (0.78, 0.42)), *folds


BREAD_BUILDERS: dict[str, Callable[[float, float, float], tuple[Geom, ...]]] = {
    "toast": _build_toast,
    "bun": _build_bun,
    "baguette": _build_baguette,
    "loaf": _build_loaf,
    "roll": _build_roll,
}
