"""Reach: where over the table a robot can grasp from straight above."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

from sim.embodiment.checks import RobotCheck
from sim.embodiment.kinematics import KinematicChain
from sim.embodiment.model import Embodiment
from sim.geometry import Array, make_pose, quat_from_axes
from sim.task.spec import TABLE_HALF_EXTENTS_M, TablePlacement

REACH_SPACING_M = 0.05  # of the grid over the table
REACH_HEIGHT_M = 0.05  # of the tool's origin above the table
REACH_YAWS = 8  # directions along which the fingers may close, all round
REACH_ITERATIONS = 40  # of inverse kinematics, from home
MIN_REACHABLE_SHARE = 0.3  # of the grid


@dataclass(frozen=True)
class ReachMap:
    """Grid points over the table (p 3), world frame, and which of them an arm reaches from above (p,)."""

    points: Array
    reachable: NDArray[np.bool_]


def compute_reach(robot: Embodiment) -> ReachMap:
    """Reach of all arms together: inverse kinematics from home to each grid point, fingers closing along any yaw."""
    half_x, half_y, _ = TABLE_HALF_EXTENTS_M
    ticks = [np.linspace(-half, half, 1 + round(2 * half / REACH_SPACING_M)) for half in (half_x, half_y)]
    points = np.array([(x, y, TablePlacement().top + REACH_HEIGHT_M) for y in ticks[1] for x in ticks[0]])
    yaws = [2 * pi * k / REACH_YAWS for k in range(REACH_YAWS)]
    downward = [quat_from_axes((0, 0, -1), (cos(yaw), sin(yaw), 0)) for yaw in yaws]
    goals = np.stack([make_pose(point, quaternion) for point in points for quaternion in downward])
    reachable = np.zeros(len(points), bool)
    for arm in robot.arms:
        chain = KinematicChain(arm)
        for posture in chain.start_postures:
            _, reached = chain.solve_ik(goals, np.tile(posture, (len(goals), 1)), REACH_ITERATIONS)
            reachable |= reached.reshape(len(points), REACH_YAWS).any(axis=1)
    return ReachMap(points, reachable)


def check_reach(reach: ReachMap) -> RobotCheck:
    """Enough of the table can be reached."""
    share = float(reach.reachable.mean())
    return RobotCheck(
        "reach",
        share >= MIN_REACHABLE_SHARE,
        f"{share:.0%} of the table from above, {REACH_HEIGHT_M * 100:.0f} cm over it; "
        f"valid: at least {MIN_REACHABLE_SHARE:.0%}",
    )
