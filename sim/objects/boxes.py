"""Boxes, what is printed on them, and flat mats."""

from __future__ import annotations

from math import cos, hypot, pi, sin

from sim.embodiment.model import Geom, Vector
from sim.geometry import Array, make_pose, multiply, quat_from_axes, quat_from_axis_angle
from sim.objects.base import Grasp, ObjectModel, frame_at_height, register_family
from sim.objects.palette import PALETTE
from sim.task.spec import SpecError

TOP_GRASP_DEPTH_M = 0.02  # how far under the upper edge a grasp from above holds
MAX_TOP_GRASP_DEPTH_FRACTION = 0.6  # of the height: what is flat is held nearer to its upper edge
MIN_SIDE_GRASP_OVERLAP_M = 0.015  # how much of what is held from the side must be between the fingers
WRIST_LEANS_RAD = (0.0, -0.3, 0.3, -0.6, 0.6)
FLAT_OBJECT_LEANS_RAD = (0.0, -0.3, 0.3)  # a leaning finger has only a corner on a flat object
PRINT_THICKNESS_M = 0.0005  # how far print stands out of a face
INK_BLACK_RGB, DARK_GREY_RGB, PRINT_WHITE_RGB = (0.05, 0.05, 0.06), (0.13, 0.13, 0.15), (0.93, 0.93, 0.92)


def lookup_colour(colour: str) -> Vector:
    """RGB of a palette name; `SpecError` naming the valid ones."""
    if colour not in PALETTE:
        raise SpecError(f"unknown colour {colour!r}; valid: {', '.join(PALETTE)}")
    return PALETTE[colour]


def collision_box(x: float, y: float, z: float, centre: Vector, colour: Vector | None = None) -> Geom:
    """Colliding box of full lengths x, y, z around the point `centre`."""
    return Geom("box", (x / 2, y / 2, z / 2), centre, colour=colour)


def visual_box(x: float, y: float, z: float, centre: Vector, colour: Vector | None = None) -> Geom:
    """Box of full lengths x, y, z that is visible only: nothing collides with it."""
    return Geom("box", (x / 2, y / 2, z / 2), centre, colour=colour, collide=False)


def build_top_grasps(
    height: float,
    width: float,
    opening_yaw: float = 0.0,
    leans: tuple[float, ...] = (),
    positions: tuple[tuple[float, float], ...] = ((0.0, 0.0),),
    cost: float = 0.0,
) -> tuple[Grasp, ...]:
    """Grasps from above of flat sides `width` apart whose upper edge is at `height`, fingers along `opening_yaw`.

    A leaning wrist keeps the fingers flat on the sides; it costs 1.5 rad a radian. Other positions (x, y) than the
    first cost 4 rad a metre away from it.
    """
    closing_axis, lean_direction = (cos(opening_yaw), sin(opening_yaw), 0.0), (-sin(opening_yaw), cos(opening_yaw))
    leans = leans or (FLAT_OBJECT_LEANS_RAD if height < 0.03 else WRIST_LEANS_RAD)
    depth = min(TOP_GRASP_DEPTH_M, MAX_TOP_GRASP_DEPTH_FRACTION * height)
    return tuple(
        Grasp(
            make_pose(
                (x, y, height - depth),
                quat_from_axes(
                    (lean_direction[0] * sin(lean), lean_direction[1] * sin(lean), -cos(lean)), closing_axis
                ),
            ),
            width,
            cost=cost + 1.5 * abs(lean) + 4.0 * hypot(x - positions[0][0], y - positions[0][1]),
            depth_m=depth,
            min_reach_m=-depth,
        )
        for x, y in positions
        for lean in leans
    )


def build_box_grasps(size: Vector) -> dict[str, tuple[str, tuple[Grasp, ...]]]:
    """Grasps of a box across its two widths, "top" from above, the thinner one cheaper, and "side"."""
    x, y, z = size
    min_width = min(x, y)
    top_grasps = tuple(
        grasp
        for width, opening_yaw in ((x, 0.0), (y, pi / 2))
        for grasp in build_top_grasps(z, width, opening_yaw, cost=4.0 * (width - min_width))
    )
    side_grasps = tuple(
        Grasp(
            make_pose(
                (0, 0, z / 2),
                quat_from_axes((-cos(a) * cos(tilt), -sin(a) * cos(tilt), -sin(tilt)), (-sin(a), cos(a), 0)),
            ),
            width,
            depth_m=length / 2,
            min_reach_m=min(0.0, MIN_SIDE_GRASP_OVERLAP_M - length / 2),
        )
        for k, (width, length) in enumerate(((y, x), (x, y)) * 2)
        for a in [k * pi / 2]
        for tilt in (0.0, 0.3)
    )
    return {"side": ("", side_grasps), "top": ("", top_grasps)}


def build_box_frames(height: float) -> dict[str, tuple[str, Array]]:
    """Frames "bottom", "centre" and "top" of an object that is `height` high."""
    return {"bottom": frame_at_height(0.0), "centre": frame_at_height(height / 2), "top": frame_at_height(height)}


def build_box_model(size: Vector, printed_geoms: tuple[Geom, ...] = (), colour: Vector | None = None) -> ObjectModel:
    """Box of full lengths `size` with what is printed on it."""
    body = collision_box(*size, (0, 0, size[2] / 2), colour)
    return ObjectModel(
        (body, *printed_geoms),
        build_box_frames(size[2]),
        build_box_grasps(size),
        yaw_symmetry=4 if size[0] == size[1] else 2,
    )


@register_family
def block(size: Vector) -> ObjectModel:
    """Plain box of full lengths `size`."""
    return build_box_model(size)


@register_family
def mat(size: tuple[float, ...]) -> ObjectModel:
    """Coloured rectangle (x, y[, thickness]) that is visible only: nothing collides with it."""
    thickness = size[2] if len(size) == 3 else 0.001
    sheet = visual_box(size[0], size[1], thickness, (0, 0, thickness / 2))
    return ObjectModel(
        (sheet,),
        {"bottom": frame_at_height(0.0), "top": frame_at_height(thickness)},
        yaw_symmetry=4 if size[0] == size[1] else 2,
    )


@register_family
def carton(
    size: Vector,
    accent: str = "white",
    bands: tuple[tuple[float, float], ...] = (),
    emblem: str = "",
    ink: str = "black",
) -> ObjectModel:
    """Printed box: `bands` of (place, width) as fractions of its height go round it in the accent colour.

    `emblem`, on its top, front and back, in `ink` on a panel of the accent colour: "disc", "diamond", "lines", or
    "" for none.
    """
    x, y, z = size
    print_thickness = 2 * PRINT_THICKNESS_M
    band_geoms = tuple(
        visual_box(x + print_thickness, y + print_thickness, width * z, (0, 0, fraction * z), lookup_colour(accent))
        for fraction, width in bands
    )
    return build_box_model(
        size, (*band_geoms, *_build_emblems(size, lookup_colour(accent), lookup_colour(ink), emblem))
    )


def _build_emblems(size: Vector, accent: Vector, ink: Vector, emblem: str) -> tuple[Geom, ...]:
    x, y, z = size
    if not emblem:
        return ()
    faces = (  # how wide and high, where, and the turn that brings z out of the face
        (x, y, (0.0, 0.0, z), 0.0),
        (x, z, (0.0, -y / 2, z / 2), pi / 2),
        (x, z, (0.0, y / 2, z / 2), -pi / 2),
    )
    return tuple(geom for face in faces for geom in _build_emblem(*face, accent, ink, emblem))


def _build_emblem(
    face_width: float, face_height: float, centre: Vector, tilt: float, accent: Vector, ink: Vector, emblem: str
) -> tuple[Geom, ...]:
    orientation = quat_from_axis_angle((1, 0, 0), tilt)
    quat = tuple(orientation.tolist())
    panel = Geom(
        "box", (0.32 * face_width, 0.32 * face_height, 2 * PRINT_THICKNESS_M), centre, quat, accent, collide=False
    )
    radius = 0.22 * min(face_width, face_height)
    if emblem == "disc":
        return panel, Geom("cylinder", (radius, 3 * PRINT_THICKNESS_M), centre, quat, ink, collide=False)
    if emblem == "diamond":
        diamond_quat = tuple(multiply(orientation, quat_from_axis_angle((0, 0, 1), pi / 4)).tolist())
        return panel, Geom(
            "box", (0.8 * radius, 0.8 * radius, 3 * PRINT_THICKNESS_M), centre, diamond_quat, ink, collide=False
        )
    if emblem == "lines":
        return panel, Geom(
            "box", (0.24 * face_width, 0.06 * face_height, 3 * PRINT_THICKNESS_M), centre, quat, ink, collide=False
        )
    raise SpecError(f"unknown emblem {emblem!r}; valid: disc, diamond, lines")


@register_family
def plank(size: Vector, grain: str = "brown", rings: int = 3) -> ObjectModel:
    """Wooden block with `rings` dark lines of grain along x."""
    x, y, z = size
    print_thickness = 2 * PRINT_THICKNESS_M
    grain_offsets = [(k + 1) / (rings + 1) - 0.5 + 0.02 * (-1) ** k for k in range(rings)]
    vertical_lines = tuple(
        visual_box(x + print_thickness, 0.0016, z + print_thickness, (0, offset * y, z / 2), lookup_colour(grain))
        for offset in grain_offsets
    )
    horizontal_lines = tuple(
        visual_box(
            x + print_thickness, y + print_thickness, 0.0014, (0, 0, (k + 0.6) / rings * z), lookup_colour(grain)
        )
        for k in range(rings - 1)
    )
    return build_box_model(size, (*vertical_lines, *horizontal_lines))


@register_family
def rubik(side: float) -> ObjectModel:
    """Cube with six coloured faces, divided in nine by grooves."""
    half_side, sticker_side = side / 2, side * 0.94
    colours = ("red", "orange", "green", "blue", "white", "yellow")
    axes = ((1, 0, 0), (-1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1))
    faces = tuple(
        visual_box(
            *_compute_slab_size(axis, PRINT_THICKNESS_M, sticker_side),
            _offset_along_axis(axis, half_side, half_side),
            lookup_colour(colour),
        )
        for axis, colour in zip(axes, colours, strict=True)
        if axis[2] >= 0  # it stands on the white one
    )
    # a thin slab through the cube shows as a line on four faces
    grooves = tuple(
        visual_box(
            *_compute_slab_size(axis, 0.0022, side + 3 * PRINT_THICKNESS_M),
            _offset_along_axis(axis, k * side / 6, half_side),
            INK_BLACK_RGB,
        )
        for axis in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
        for k in (-1, 1)
    )
    return build_box_model((side, side, side), (*faces, *grooves))


def _compute_slab_size(axis: tuple[int, int, int], thickness: float, width: float) -> Vector:
    """Size of a slab that is `thickness` along an axis and `width` across."""
    x, y, z = (thickness if a else width for a in axis)
    return x, y, z


def _offset_along_axis(axis: tuple[int, int, int], distance: float, centre_height: float) -> Vector:
    """Point `distance` along an axis from the centre of an object, which is `centre_height` high."""
    return axis[0] * distance, axis[1] * distance, centre_height + axis[2] * distance


@register_family
def phone(size: Vector, screen: str = "navy", lenses: int = 2) -> ObjectModel:
    """Phone on its back, its top towards +y.

    "bottom_edge" is the middle of its -y end, z along the body towards +y, x along x, so that y goes into its back:
    brought upright it stands on that edge, the screen towards -y. The grasp "sides" holds it by the half away from
    that edge, from above or slanted.
    """
    x, y, z = size
    screen_panel = visual_box(0.92 * x, 0.86 * y, 2 * PRINT_THICKNESS_M, (0, 0.01 * y, z), lookup_colour(screen))
    icons = tuple(
        visual_box(0.15 * x, 0.15 * x, 4 * PRINT_THICKNESS_M, (dx * x, dy * y, z), lookup_colour(colour))
        for dx, dy, colour in ((-0.28, 0.3, "sky"), (0.0, 0.3, "lime"), (0.28, 0.3, "coral"), (-0.28, 0.16, "yellow"))
    )
    home_bar = visual_box(0.6 * x, 0.02 * y, 4 * PRINT_THICKNESS_M, (0, -0.36 * y, z), PRINT_WHITE_RGB)
    lens_geoms = tuple(
        Geom(
            "cylinder",
            (0.002, 2 * PRINT_THICKNESS_M),
            ((k - 0.5) * 0.08 * x, 0.47 * y, z),
            colour=INK_BLACK_RGB,
            collide=False,
        )
        for k in range(lenses)
    )
    bottom_edge = make_pose((0, -y / 2, z / 2), quat_from_axis_angle((1, 0, 0), -pi / 2))
    grasp_positions = ((0.0, 0.1 * y), (0.0, 0.2 * y), (0.0, 0.3 * y))
    # the wrist that holds it upright is at ease where it leans about so much towards the phone's top
    side_grasps = tuple(
        grasp
        for lean in (-0.6, -0.45, -0.75, -0.3, -0.9, -0.15, 0.0, 0.3)
        for grasp in build_top_grasps(
            z, x, leans=(lean,), positions=grasp_positions, cost=1.5 * (abs(lean + 0.6) - abs(lean))
        )
    )
    grasps = {"top": ("", build_top_grasps(z, x, positions=((0.0, 0.0), (0.0, 0.15 * y)))), "sides": ("", side_grasps)}
    frames = {**build_box_frames(z), "bottom_edge": ("", bottom_edge)}
    return ObjectModel(
        (collision_box(x, y, z, (0, 0, z / 2)), screen_panel, home_bar, *icons, *lens_geoms), frames, grasps
    )


@register_family
def remote(size: Vector, keys: str = "grey", rows: int = 3) -> ObjectModel:
    """Remote control, its sender towards +y, with a red key, a ring and rows of keys."""
    x, y, z = size
    power = Geom("cylinder", (0.1 * x, 0.001), (-0.25 * x, 0.42 * y, z), colour=(0.8, 0.1, 0.1), collide=False)
    ring = (
        Geom("cylinder", (0.3 * x, 0.0008), (0, 0.2 * y, z), colour=lookup_colour(keys), collide=False),
        Geom("cylinder", (0.12 * x, 0.0014), (0, 0.2 * y, z), colour=DARK_GREY_RGB, collide=False),
    )
    buttons = tuple(
        visual_box(0.7 * x, 0.035 * y, 0.002, (0, (-0.05 - 0.11 * k) * y, z), lookup_colour(keys)) for k in range(rows)
    )
    infrared_window = visual_box(0.5 * x, 2 * PRINT_THICKNESS_M, 0.4 * z, (0, y / 2, z / 2), INK_BLACK_RGB)
    grasps = {"top": ("", build_top_grasps(z, x, positions=((0.0, 0.0), (0.0, -0.2 * y), (0.0, 0.2 * y))))}
    return ObjectModel(
        (collision_box(x, y, z, (0, 0, z / 2)), power, *ring, *buttons, infrared_window), build_box_frames(z), grasps
    )
