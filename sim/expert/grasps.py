"""Ways to hold an object in the world: a form's grasps, those left out whose fingers or palm would meet the table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.expert.arm import ArmController, ExpertContext, MotionFailed
from sim.expert.collision import build_gripper_points
from sim.geometry import Array, compose, make_pose, transform_points
from sim.objects import Grasp
from sim.task.spec import SpecError

MIN_TABLE_CLEARANCE_M = 0.0005  # metres between fingers and table


def build_grasp_candidates(
    context: ExpertContext,
    obj: str,
    grasp_names: str | tuple[str, ...],
    height_offset: float,
    controller: ArmController,
) -> tuple[Array, list[Grasp]]:
    """Return all tool poses (c 7) in the world of the named grasps, and the option behind each.

    `at` moves them up along the object (metres). `SpecError` names the grasps there are.
    """
    candidate_poses, candidate_options = [], []
    for name in (grasp_names,) if isinstance(grasp_names, str) else grasp_names:
        part_name, options = _find_grasp_options(context, obj, name)
        body_pose = compose(
            context.world.body_pose(f"{obj}.{part_name}" if part_name else obj), make_pose((0, 0, height_offset))
        )
        grasp_poses = np.stack([option.tool_pose for option in options])
        swapped_poses = compose(
            grasp_poses, make_pose((0, 0, 0), (0, 0, 0, 1))
        )  # the same grasp with the fingers exchanged
        candidate_poses.append(compose(body_pose, np.stack([grasp_poses, swapped_poses], axis=1).reshape(-1, 7)))
        candidate_options += [option for option in options for _ in range(2)]
    tool_poses = np.concatenate(candidate_poses)
    clear_indices = np.flatnonzero(
        check_table_clearance(
            context, controller, tool_poses, np.array([option.opening for option in candidate_options])
        )
    )
    if not len(clear_indices):
        raise MotionFailed(f"every {grasp_names} grasp of {obj} is under the table")
    return tool_poses[clear_indices], [candidate_options[k] for k in clear_indices]


def _find_grasp_options(context: ExpertContext, obj: str, grasp_name: str) -> tuple[str, tuple[Grasp, ...]]:
    models = context.world.scene.models
    if obj not in models or grasp_name not in models[obj].grasps:
        valid = ", ".join(models[obj].grasps) if obj in models else ", ".join(models)
        raise SpecError(f"{obj} has no grasp {grasp_name!r}; valid: {valid}")
    return models[obj].grasps[grasp_name]


def find_colliding_grasps(
    context: ExpertContext,
    controller: ArmController,
    obj: str,
    tool_poses: Array,
    options: list[Grasp],
    approach_distance: float,
) -> NDArray[np.bool_]:
    """Return which tool poses (c 7) would have the hand meet other things than `obj`, there or `pre` before (c,)."""
    obstacles = context.obstacles.collect(controller.arm_model.name, (obj,))
    gripper_clouds = _build_gripper_clouds(controller, np.array([option.opening for option in options]))
    checked_poses = (tool_poses, compose(tool_poses, make_pose((0, 0, -approach_distance))))
    return np.any(
        [obstacles.find_collisions(transform_points(poses[:, None], gripper_clouds)) for poses in checked_poses], axis=0
    )


def check_table_clearance(
    context: ExpertContext, controller: ArmController, tool_poses: Array, openings: Array
) -> NDArray[np.bool_]:
    """Return which tool poses (c 7) leave the hand, opened so far (c,), above the table's top (c,)."""
    lowest_heights = transform_points(tool_poses[:, None], _build_gripper_clouds(controller, openings))[..., 2].min(
        axis=1
    )
    return lowest_heights > context.world.scene.table.top + MIN_TABLE_CLEARANCE_M


def _build_gripper_clouds(controller: ArmController, openings: Array) -> Array:
    """Return the points (c p 3) of a hand for each of the openings (c,)."""
    unique_openings, inverse = np.unique(openings, return_inverse=True)
    return np.stack([build_gripper_points(controller.arm_model, float(opening)) for opening in unique_openings])[
        inverse
    ]
