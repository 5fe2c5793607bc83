"""A contact sheet: every task as it is drawn and as the expert leaves it, side by side, its name below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.embodiment.model import Embodiment
from sim.envs.env import Env
from sim.expert.policy import Expert
from sim.task.spec import SpecError, Task
from sim.world.render_gl import Size

Picture = NDArray[np.uint8]  # (h w 3)
Verdict = Literal["done", "failed", "no scene"]

SIZE: Size = (120, 160)
STRIP, GAP, FRAME = 18, 6, 3  # pixels: the name's height, between cells, around what failed
INK, PAPER, BAD = (222, 226, 230), (24, 27, 31), (220, 70, 55)


@dataclass(frozen=True)
class Cell:
    """A task before and after the expert's run; black where there is "no scene": the seed's draws were all no good."""

    name: str
    before: Picture
    after: Picture
    verdict: Verdict


def cell(task: Task, robot: Embodiment, seed: int = 0, size: Size = SIZE, variation: str = "clean") -> Cell:
    """Return what the robot's first camera sees of a task at reset and where the expert ends."""
    camera = robot.camera_names[0]
    env = Env(task, robot, 1, (camera,), size, variation=variation)
    try:
        env.reset([seed])
    except SpecError:
        nothing = np.zeros((*size, 3), np.uint8)
        return Cell(task.name, nothing, nothing, "no scene")
    before = env.frames(camera, size)[0]
    expert = Expert(env)
    while not (env.done | expert.finished).all():
        env.advance(expert.act().actions)
    found = Cell(task.name, before, env.frames(camera, size)[0], "done" if env.success[0] else "failed")
    env.close()
    return found


def picture(cells: Sequence[Cell], columns: int = 4) -> Picture:
    """Return all cells in rows of `columns`; what is not done has a red frame and says so."""
    drawn = [_drawn(one) for one in cells]
    columns = min(columns, len(drawn))
    blank = np.full_like(drawn[0], PAPER)
    drawn += [blank] * (-len(drawn) % columns)
    rows = [np.concatenate(drawn[i : i + columns], axis=1) for i in range(0, len(drawn), columns)]
    return np.concatenate(rows)


def sheet(tasks: Sequence[Task], robot: Embodiment, seed: int = 0, size: Size = SIZE) -> Picture:
    """Return the contact sheet (h w 3) of some tasks."""
    return picture([cell(task, robot, seed, size) for task in tasks])


def _drawn(one: Cell) -> Picture:
    import cv2

    pair = np.concatenate([one.before, one.after], axis=1)
    good = one.verdict == "done"
    if not good:
        for edge in (np.s_[:FRAME], np.s_[-FRAME:], np.s_[:, :FRAME], np.s_[:, -FRAME:]):
            pair[edge] = BAD
    strip = np.full((STRIP, pair.shape[1], 3), PAPER, np.uint8)
    words = one.name if good else f"{one.name}: {one.verdict}"
    cv2.putText(strip, words, (2, STRIP - 5), INK if good else BAD, cv2.FontFace("sans"), 12, 400)
    return np.pad(np.concatenate([pair, strip]), ((0, GAP), (0, GAP), (0, 0)), constant_values=PAPER[0])
