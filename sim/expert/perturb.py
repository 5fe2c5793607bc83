"""Pushes: disturbances of the robot while the expert demonstrates, so that demonstrations show the way back.

A learner leaves the expert's path sooner or later, and what it has never seen there it cannot mend. So the joints are
pushed off their targets in short bursts, and what is written down is what the expert wanted all along (noise injection
into the supervisor's actions: Laskey et al., DART, arXiv 1703.09327).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.embodiment.model import Embodiment
from sim.scene import sample as layout
from sim.task.spec import Task
from sim.types import CONTROL_HZ

PAUSE_S = 0.6  # mean time from the end of one burst to the next
BURST_S = (0.3, 0.9)  # shortest and longest burst


def pushes(task: Task, robot: Embodiment, seed: int, size: float) -> NDArray[np.float32]:
    """Return what is added to the joint targets of a seed (horizon + 1, d): radians, zero for grippers.

    In a burst every joint of an arm is pushed to an offset of its own and back, along a raised cosine; the offsets are
    normal with standard deviation `size`. All arms are pushed at the same times.
    """
    draw = layout.generator(task, seed, layout.PUSH)
    joints = np.array([not name.endswith("/gripper") for name in robot.action_names])
    result = np.zeros((task.horizon + 1, len(joints)), np.float32)
    start = draw.exponential(PAUSE_S)
    while (first := round(start * CONTROL_HZ)) < len(result):
        seconds = draw.uniform(*BURST_S)
        steps = np.arange(round(seconds * CONTROL_HZ))
        bump = 0.5 - 0.5 * np.cos(2 * np.pi * (steps + 0.5) / len(steps))
        offset = draw.normal(0.0, size, len(joints)) * joints
        part = result[first : first + len(steps)]
        part += (bump[:, None] * offset)[: len(part)]
        start += seconds + draw.exponential(PAUSE_S)
    return result
