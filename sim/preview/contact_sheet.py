"""A contact sheet: every task as it is drawn and as the expert leaves it, side by side, its name below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.camera import ImageSize
from sim.embodiment.model import Embodiment
from sim.envs.env import Env
from sim.expert.policy import ExpertPolicy
from sim.task.spec import Task

RgbImage = NDArray[np.uint8]  # (h w 3)
Verdict = Literal["done", "failed", "no scene"]

PANEL_SIZE_PX: ImageSize = (120, 160)
LABEL_HEIGHT_PX, PANEL_GAP_PX, FAILURE_BORDER_PX = (
    18,
    6,
    3,
)  # pixels: the name's height, between cells, around what failed
TEXT_RGB, BACKGROUND_RGB, FAILURE_RGB = (222, 226, 230), (24, 27, 31), (220, 70, 55)


@dataclass(frozen=True)
class TaskPanel:
    """A task before and after the expert's run; black where there is "no scene": the seed's draws were all no good."""

    name: str
    before: RgbImage
    after: RgbImage
    verdict: Verdict
    reason: str = ""  # of what is not done


def build_task_panel(
    task: Task, robot: Embodiment, seed: int = 0, size: ImageSize = PANEL_SIZE_PX, variation: str = "clean"
) -> TaskPanel:
    """Return what the robot's first camera sees of a task at reset and where the expert ends."""
    camera = robot.camera_names[0]
    env = Env(task, robot, 1, (camera,), size, variation=variation)
    env.reset([seed])
    if env.failure[0]:
        blank = np.zeros((*size, 3), np.uint8)
        return TaskPanel(task.name, blank, blank, "no scene", env.failure[0])
    before = env.render_camera(camera, size)[0]
    expert = ExpertPolicy(env)
    while not (env.done | expert.finished).all():
        env.step(expert.act().actions)
    verdict: Verdict = "done" if env.success[0] else "failed"
    failure = expert.find_failure(0)
    after = env.render_camera(camera, size)[0]
    panel = TaskPanel(task.name, before, after, verdict, "" if failure is None else str(failure))
    env.close()
    return panel


def tile_panels(panels: Sequence[TaskPanel], columns: int = 4) -> RgbImage:
    """Return all cells in rows of `columns`; what is not done has a red frame and says so."""
    tiles = [_draw_panel(panel) for panel in panels]
    columns = min(columns, len(tiles))
    blank_tile = np.full_like(tiles[0], BACKGROUND_RGB)
    tiles += [blank_tile] * (-len(tiles) % columns)
    rows = [np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)]
    return np.concatenate(rows)


def render_contact_sheet(
    tasks: Sequence[Task], robot: Embodiment, seed: int = 0, size: ImageSize = PANEL_SIZE_PX
) -> RgbImage:
    """Return the contact sheet (h w 3) of some tasks."""
    return tile_panels([build_task_panel(task, robot, seed, size) for task in tasks])


def _draw_panel(panel: TaskPanel) -> RgbImage:
    import cv2

    image = np.concatenate([panel.before, panel.after], axis=1)
    succeeded = panel.verdict == "done"
    if not succeeded:
        for edge in (
            np.s_[:FAILURE_BORDER_PX],
            np.s_[-FAILURE_BORDER_PX:],
            np.s_[:, :FAILURE_BORDER_PX],
            np.s_[:, -FAILURE_BORDER_PX:],
        ):
            image[edge] = FAILURE_RGB
    label_bar = np.full((LABEL_HEIGHT_PX, image.shape[1], 3), BACKGROUND_RGB, np.uint8)
    label = panel.name if succeeded else f"{panel.name}: {panel.verdict}"
    cv2.putText(
        label_bar,
        label,
        (2, LABEL_HEIGHT_PX - 5),
        TEXT_RGB if succeeded else FAILURE_RGB,
        cv2.FontFace("sans"),
        12,
        400,
    )
    return np.pad(
        np.concatenate([image, label_bar]),
        ((0, PANEL_GAP_PX), (0, PANEL_GAP_PX), (0, 0)),
        constant_values=BACKGROUND_RGB[0],
    )
