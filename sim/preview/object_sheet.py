"""Object sheet: the variants of an object, and of one of them its frames as axes and its grasps as grippers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from math import degrees, isinf, radians, sin

import numpy as np

from sim.camera import compute_intrinsics, project_points, vertical_field
from sim.embodiment.model import Camera, Embodiment
from sim.geometry import Array, compose, make_pose, quat_from_axis_angle, rotate, transform_points
from sim.objects import Grasp, ObjectModel, build_object
from sim.objects.bounds import compute_bounding_box, compute_geom_corners
from sim.preview.contact_sheet import BACKGROUND_RGB, TEXT_RGB, RgbImage
from sim.robots import load_robot
from sim.scene.sample import sample_scene
from sim.task.spec import TABLE_HEIGHT_M, ObjectSpec, Predicate, Skill, Spawn, Task, TaskObject
from sim.world import make_world

OBJECT_NAME = "object"
SHEET_WIDTH_PX, VARIANT_COLUMNS, DETAIL_COLUMNS = 1200, 8, 3
CAPTION_HEIGHT_PX = 20
LABEL_SIZE_PX = (13, 70)  # height, width
VIEW_DIRECTION = np.array([0.45, -1.0, 0.8])  # from the object to the camera: its front, a little from the right
VIEW_FOVX_RAD = radians(35)
GLYPH_MARGIN_M = 0.05  # about the object, for the grippers that are drawn
ROBOT_OUT_OF_SIGHT_M = (0.0, -8.0, TABLE_HEIGHT_M)
AXIS_COLOURS_RGB = ((235, 70, 60), (80, 200, 90), (80, 140, 255))
CHEAP_GRASP_RGB, DEAR_GRASP_RGB = np.array([90.0, 230.0, 120.0]), np.array([240.0, 120.0, 60.0])
FINGER_LENGTH_M, DRAWN_TIP_REACH_M, UNBOUNDED_OPENING_MARGIN_M = 0.035, 0.01, 0.03  # of the drawn gripper
MAX_DRAWN_GRASPS = 12


@dataclass(frozen=True)
class ObjectView:
    """An object as a camera sees it: image (h w 3), intrinsics (3 3), camera_from_world (4 4), body poses by part."""

    image: RgbImage
    intrinsics: Array
    camera_from_world: Array
    body_poses: dict[str, Array]

    def project(self, points: Array) -> list[tuple[int, int]]:
        """Pixels of points (p 3) in the world."""
        pixels, _ = project_points(points, self.intrinsics, self.camera_from_world)
        return [(int(u), int(v)) for u, v in np.round(pixels)]


def render_object_sheet(specs: Sequence[ObjectSpec], chosen: int) -> RgbImage:
    """Sheet (h w 3): all variants, then the frames of the chosen one and its named grasps, a panel each."""
    model = build_object(specs[chosen])
    variants = [
        _add_caption(render_object(spec, SHEET_WIDTH_PX // VARIANT_COLUMNS).image, f"{k}: {spec.colour}", k == chosen)
        for k, spec in enumerate(specs)
    ]
    view = render_object(specs[chosen], SHEET_WIDTH_PX // DETAIL_COLUMNS, GLYPH_MARGIN_M)
    details = [_add_caption(_draw_frames(view, model), f"variant {chosen}: frames")]
    for name, (part, grasps) in model.grasps.items():
        drawn = sorted(grasps, key=lambda grasp: grasp.cost)[:MAX_DRAWN_GRASPS]
        caption = f"variant {chosen}: grasp {name}, {len(drawn)} of {len(grasps)} ways"
        details.append(_add_caption(_draw_grasps(view, part, drawn), caption))
    return np.concatenate([_tile(variants, VARIANT_COLUMNS), _tile(details, DETAIL_COLUMNS)])


def _tile(panels: list[RgbImage], columns: int) -> RgbImage:
    """Panels in rows, the last one filled up."""
    panels = panels + [np.full_like(panels[0], BACKGROUND_RGB)] * (-len(panels) % columns)
    return np.concatenate([np.concatenate(panels[i : i + columns], axis=1) for i in range(0, len(panels), columns)])


def render_object(spec: ObjectSpec, side_px: int, margin: float = 0.0) -> ObjectView:
    """Square view of an object alone on the table, `margin` metres of room about it, its joints as a scene begins."""
    task = Task(
        name="object_sheet",
        instructions=("look",),
        objects=(TaskObject(OBJECT_NAME, (spec,), Spawn(x=(0.0, 0.0), y=(0.0, 0.0)), fixed=True),),
        arms=(),
        success=(Predicate("raised", {"obj": OBJECT_NAME, "low": 1.0}),),
        plan=(Skill("home", {"arm": ""}),),
        horizon=1,
    )
    body_poses = compute_body_poses(build_object(spec))
    robot = _make_viewer(build_object(spec), body_poses, margin)
    world = make_world("mujoco", task, robot, 1)
    world.load({0: sample_scene(task, robot, 0)})
    size, (camera,) = (side_px, side_px), robot.camera_names
    images, _ = world.render((camera,), size)
    intrinsics = compute_intrinsics(vertical_field(VIEW_FOVX_RAD, size), size)
    view = ObjectView(images[camera][0], intrinsics, world.camera_poses((camera,))[camera][0], body_poses)
    world.close()
    return view


def compute_body_poses(model: ObjectModel) -> dict[str, Array]:
    """Poses world_from_body (7,) of the base ("") and the parts of an object in the middle of the table."""
    base = make_pose((0.0, 0.0, TABLE_HEIGHT_M))
    poses = {"": base}
    for part in model.parts:
        moved = (
            make_pose(part.initial_value * np.array(part.axis))
            if part.prismatic
            else make_pose((0, 0, 0), quat_from_axis_angle(part.axis, np.array(part.initial_value)))
        )
        poses[part.name] = compose(base, compose(make_pose(part.pos), moved))
    return poses


def _make_viewer(model: ObjectModel, body_poses: dict[str, Array], margin: float) -> Embodiment:
    """A robot that stands out of sight, with one camera that has the whole object in view."""
    geoms = {"": model.geoms, **{part.name: part.geoms for part in model.parts}}
    corners = np.concatenate(
        [transform_points(body_poses[part], compute_geom_corners(geom)) for part in geoms for geom in geoms[part]]
    )
    centre = (corners.min(axis=0) + corners.max(axis=0)) / 2
    radius = float(np.linalg.norm(corners - centre, axis=1).max()) + margin
    direction = VIEW_DIRECTION / np.linalg.norm(VIEW_DIRECTION)
    x, y, z = (centre + radius / sin(VIEW_FOVX_RAD / 2) * direction).tolist()
    forward_x, forward_y, forward_z = (-direction).tolist()
    camera = Camera("view", (x, y, z), (forward_x, forward_y, forward_z), (0.0, 0.0, 1.0), VIEW_FOVX_RAD)
    robot = load_robot("panda")
    arm = dataclasses.replace(robot.arms[0], base_pos=ROBOT_OUT_OF_SIGHT_M)
    return dataclasses.replace(robot, arms=(arm,), cameras=(camera,))


def _draw_frames(view: ObjectView, model: ObjectModel) -> RgbImage:
    """Each frame of a model as three axes with its name."""
    import cv2

    image = view.image.copy()
    low, high = compute_bounding_box(model.geoms)
    length = 0.2 * float(np.max(high - low))
    labels: list[tuple[int, int, str]] = []
    for name, (part, pose) in model.frames.items():
        world_pose = compose(view.body_poses[part], pose)
        origin, *ends = view.project(transform_points(world_pose, np.vstack([np.zeros((1, 3)), length * np.eye(3)])))
        for end, colour in zip(ends, AXIS_COLOURS_RGB, strict=True):
            cv2.line(image, origin, end, colour, 2, cv2.LINE_AA)
        u, v = origin[0] + 8, origin[1] + 4
        while any(
            abs(u - other_u) < LABEL_SIZE_PX[1] and abs(v - other_v) < LABEL_SIZE_PX[0]
            for other_u, other_v, _ in labels
        ):
            v += 1
        labels.append((u, v, name))
    for u, v, name in labels:
        _draw_text(image, name, (u, v))
    return image


def _draw_grasps(view: ObjectView, part: str, grasps: Sequence[Grasp]) -> RgbImage:
    """Grasps of a part as grippers on their approach, the dearest first so that cheap ones, green, stay in sight."""
    import cv2

    image = view.image.copy()
    costs = np.array([grasp.cost for grasp in grasps])
    shares = (costs - costs.min()) / max(float(np.ptp(costs)), 1e-9)
    for k in np.argsort(-costs, kind="stable"):
        colour = tuple((CHEAP_GRASP_RGB + shares[k] * (DEAR_GRASP_RGB - CHEAP_GRASP_RGB)).astype(int).tolist())
        for line in _build_gripper_glyph(grasps[k]):
            pixels = view.project(transform_points(compose(view.body_poses[part], grasps[k].pose), line))
            cv2.polylines(image, [np.array(pixels)], False, colour, 1, cv2.LINE_AA)
    return image


def _build_gripper_glyph(grasp: Grasp) -> tuple[Array, Array]:
    """Two polylines (p 3) in a grasp's frame: fingers with the palm between them, and the wrist."""
    opening = grasp.width_m + UNBOUNDED_OPENING_MARGIN_M if isinf(grasp.opening_m) else grasp.opening_m
    y, tip, palm = opening / 2, DRAWN_TIP_REACH_M, -FINGER_LENGTH_M - grasp.depth_m
    hand = np.array([(0, -y, tip), (0, -y, palm), (0, y, palm), (0, y, tip)])
    return hand, np.array([(0, 0, palm), (0, 0, palm - 0.4 * FINGER_LENGTH_M)])


def _add_caption(image: RgbImage, text: str, highlighted: bool = False) -> RgbImage:
    """A panel with a line of text under it; a thin border keeps it from its neighbours."""
    bar = np.full((CAPTION_HEIGHT_PX, image.shape[1], 3), BACKGROUND_RGB, np.uint8)
    _draw_text(bar, text, (4, CAPTION_HEIGHT_PX - 6))
    panel = np.concatenate([image, bar])
    panel[[0, -1]], panel[:, [0, -1]] = (TEXT_RGB,) * 2 if highlighted else (BACKGROUND_RGB,) * 2
    return panel


def _draw_text(image: RgbImage, text: str, position: tuple[int, int]) -> None:
    import cv2

    font, (x, y) = cv2.FontFace("sans"), position
    cv2.putText(image, text, (x + 1, y + 1), BACKGROUND_RGB, font, 12, 500)
    cv2.putText(image, text, (x, y), TEXT_RGB, font, 12, 500)


def describe_frames(model: ObjectModel) -> list[str]:
    """A line a frame: its name, body, position in millimetres and the direction of its z axis."""
    return [
        f"frame {name:14} {part or 'base':8} at {_format_mm(pose[:3])} mm, z along {_format_axis(pose)}"
        for name, (part, pose) in model.frames.items()
    ]


def describe_joints(model: ObjectModel) -> list[str]:
    """A line a joint: its name, part, kind, range and where it begins, in degrees or millimetres."""
    lines = []
    for part in model.parts:
        scale, unit = (1000.0, "mm") if part.prismatic else (degrees(1.0), "°")
        low, high, start = (f"{scale * value:.0f} {unit}" for value in (*part.joint_range, part.initial_value))
        kind = "slides" if part.prismatic else "turns"
        lines.append(f"joint {part.joint:14} {part.name:8} {kind} from {low} to {high}, begins at {start}")
    return lines


def describe_grasps(model: ObjectModel) -> list[str]:
    """A line a named grasp: its part, how many candidates, how wide what is held is, how far the fingers come open."""
    return [
        f"grasp {name:14} {part or 'base':8} {len(grasps)} ways, {_format_range([g.width_m for g in grasps])} wide, "
        f"fingers {_format_range([g.opening_m for g in grasps])} apart"
        for name, (part, grasps) in model.grasps.items()
    ]


def _format_range(lengths: Sequence[float]) -> str:
    low, high = (("any distance" if isinf(v) else f"{1000 * v:.0f} mm") for v in (min(lengths), max(lengths)))
    return low if low == high else f"{low} to {high}"


def _format_mm(position: Array) -> str:
    return "(" + ", ".join(f"{1000 * value:.0f}" for value in position + 0.0) + ")"


def _format_axis(pose: Array) -> str:
    return "(" + ", ".join(f"{value:.2f}" for value in np.round(rotate(pose[3:], (0.0, 0.0, 1.0)), 2) + 0.0) + ")"
