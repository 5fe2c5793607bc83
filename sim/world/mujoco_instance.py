"""One MuJoCo world: model, data, and the indices that lead from the names of a task to MuJoCo's arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.embodiment.model import Embodiment
from sim.scene.sample import SceneSample
from sim.world.protocol import WORLD_CONTACT, Floats, WorldNames


@dataclass(frozen=True)
class Instance:
    """One world: model, data, and the indices that lead from names to MuJoCo's arrays."""

    model: mujoco.MjModel
    data: mujoco.MjData
    body_ids: NDArray[np.int64]  # (b,) of `WorldNames.bodies`, -1: absent
    joint_qpos: NDArray[np.int64]  # (j,) addresses in qpos, -1: absent
    free_dof: NDArray[np.int64]  # (b,) first address in qvel of a free joint, -1: none
    proprio_qpos: NDArray[np.int64]  # (d 2) the one or two joints that an entry of an action drives
    proprio_dof: NDArray[np.int64]  # (d 2)
    tool_sites: NDArray[np.int64]  # (a,)
    geom_body: NDArray[np.int64]  # (geoms,) index into `WorldNames.bodies`, -1: of none


def index_model(model: mujoco.MjModel, names: WorldNames, robot: Embodiment) -> Instance:
    """Return a world of a compiled scene, its data fresh and its names looked up."""
    data = mujoco.MjData(model)
    ids = {model.body(i).name: i for i in range(model.nbody)}
    joints = {model.joint(i).name: model.joint(i) for i in range(model.njnt)}
    body_ids = np.array([ids.get(name, -1) for name in names.bodies])
    interest = np.full(model.nbody, -1)
    interest[body_ids[body_ids >= 0]] = np.flatnonzero(body_ids >= 0)
    driven = [
        names_
        for arm in robot.arms
        for names_ in (
            *((f"{arm.name}/joint{i}",) * 2 for i in range(len(arm.links))),
            (f"{arm.name}/finger0", f"{arm.name}/finger1"),
        )
    ]
    free = [joints.get(f"{name}.free") for name in names.bodies]
    return Instance(
        model, data, body_ids,
        joint_qpos=np.array([joints[name].qposadr[0] if name in joints else -1 for name in names.joints], int),
        free_dof=np.array([-1 if joint is None else joint.dofadr[0] for joint in free], int),
        proprio_qpos=np.array([[joints[name].qposadr[0] for name in pair] for pair in driven], int),
        proprio_dof=np.array([[joints[name].dofadr[0] for name in pair] for pair in driven], int),
        tool_sites=np.array([model.site(f"{arm.name}/tool").id for arm in robot.arms], int),
        geom_body=interest[model.geom_bodyid],
    )  # fmt: skip


def place_robot(world: Instance, robot: Embodiment, scene: SceneSample, target: Floats) -> None:
    """Set the joints of robot and objects to where they start."""
    model, data = world.model, world.data
    scale = [s for arm in robot.arms for s in (*[1.0] * len(arm.links), arm.gripper.stroke)]
    for value, addresses, factor in zip(robot.home_action, world.proprio_qpos, scale, strict=True):
        data.qpos[addresses] = value * factor
    for name, built in scene.models.items():
        for part in built.parts:
            data.qpos[model.joint(f"{name}.{part.joint}").qposadr[0]] = part.initial_value
    data.act[:] = target
    mujoco.mj_kinematics(model, data)


def update_cameras(world: Instance) -> None:
    """Bring the poses of cameras and lights up to the bodies', which are those of the integrated state."""
    mujoco.mj_comPos(world.model, world.data)
    mujoco.mj_camlight(world.model, world.data)


def read_contacts(worlds: Mapping[int, Instance]) -> tuple[NDArray[np.void], dict[int, NDArray[np.void]]]:
    """Return the contacts of some worlds (by index) between bodies that have names, all together and world by world."""
    instances, contacts = list(worlds.values()), [world.data.contact for world in worlds.values()]
    counts = np.array([world.data.ncon for world in instances])
    geom_body, first_geom = _join([world.geom_body for world in instances])
    efc_force, first_row = _join([world.data.efc_force for world in instances])
    geoms = np.concatenate([contact.geom for contact in contacts]) + np.repeat(first_geom, counts)[:, None]
    address = np.concatenate([contact.efc_address for contact in contacts])
    pairs = geom_body[geoms]
    keep = np.flatnonzero((pairs >= 0).all(axis=1) & (pairs[:, 0] != pairs[:, 1]) & (address >= 0))
    rows = np.zeros(len(keep), WORLD_CONTACT)
    rows["world"] = np.repeat(np.array(list(worlds)), counts)[keep]
    rows["a"], rows["b"] = pairs[keep].T
    rows["pos"] = np.concatenate([contact.pos for contact in contacts])[keep]
    rows["force"] = efc_force[(address + np.repeat(first_row, counts))[keep]]  # a contact's first row is its normal
    ends = np.searchsorted(keep, np.cumsum(counts)).tolist()
    return rows, {i: rows[start:end] for i, start, end in zip(worlds, [0, *ends[:-1]], ends, strict=True)}


def _join(arrays: Sequence[NDArray]) -> tuple[NDArray, NDArray[np.int64]]:
    """Return arrays joined into one, and where each begins in it."""
    return np.concatenate(arrays), np.cumsum([0, *(len(array) for array in arrays[:-1])])
