"""Pushes: disturbances of the robot while the expert demonstrates, so that demonstrations show the way back.

A learner leaves the expert's path sooner or later, and what it has never seen there it cannot mend. So the joints are
pushed off their targets in short bursts, and what is written down is what the expert wanted all along (noise injection
into the supervisor's actions: Laskey et al., DART, arXiv 1703.09327).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.embodiment.model import Embodiment
from sim.scene import sample
from sim.task.spec import Task
from sim.types import CONTROL_HZ

MEAN_PAUSE_S = 0.6  # mean time from the end of one burst to the next
BURST_DURATION_RANGE_S = (0.3, 0.9)  # shortest and longest burst


def sample_perturbations(task: Task, robot: Embodiment, seed: int, std_rad: float) -> NDArray[np.float32]:
    """Return what is added to the joint targets of a seed (horizon + 1, d): radians, zero for grippers.

    In a burst every joint of an arm is pushed to an offset of its own and back, along a raised cosine; the offsets are
    normal with standard deviation `std_rad`. All arms are pushed at the same times.
    """
    rng = sample.make_rng(task, seed, sample.PERTURBATION_STREAM)
    is_joint = ~np.array(robot.is_gripper)
    target_offsets = np.zeros((task.horizon + 1, len(is_joint)), np.float32)
    burst_start_s = rng.exponential(MEAN_PAUSE_S)
    while (first_step := round(burst_start_s * CONTROL_HZ)) < len(target_offsets):
        duration_s = rng.uniform(*BURST_DURATION_RANGE_S)
        steps = np.arange(round(duration_s * CONTROL_HZ))
        raised_cosine = 0.5 - 0.5 * np.cos(2 * np.pi * (steps + 0.5) / len(steps))
        peak_offset = rng.normal(0.0, std_rad, len(is_joint)) * is_joint
        window = target_offsets[first_step : first_step + len(steps)]
        window += (raised_cosine[:, None] * peak_offset)[: len(window)]
        burst_start_s += duration_s + rng.exponential(MEAN_PAUSE_S)
    return target_offsets
