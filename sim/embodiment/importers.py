"""Import of a serial arm from URDF or MJCF: kinematic chain, joint ranges, torques and masses as links of ours.

MuJoCo reads the file. Shapes are not taken over: a link is drawn, and collides, as a capsule from its joint to the next
one, which is enough for simulation and easy to replace. Base, gripper, home and cameras are the robot file's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from pathlib import Path

import mujoco
import numpy as np

from sim.embodiment.model import Geom, Link, Quaternion, Vector
from sim.geometry import Array, compose, make_pose, quat_from_axis_angle
from sim.task.spec import SpecError

UNLIMITED_RANGE_RAD = (-2 * pi, 2 * pi)  # of a joint to which the file sets no limits
MIN_CAPSULE_LENGTH_M = 0.01  # a shorter link is a ball
MIN_LINK_MASS_KG = 0.01  # of links that the file gives next to none
DEFAULT_MAX_TORQUE_NM = 100.0  # of joints for which the file names no torque


@dataclass(frozen=True)
class ArmChain:
    """A serial arm as read from a file: its links from base to tip, and the tip's pose in the frame of the last one."""

    links: tuple[Link, ...]
    joint_names: tuple[str, ...]
    tip_pos: Vector
    tip_quat: Quaternion


def import_arm(
    path: Path | str, tip: str = "", radius_m: float = 0.04, stiffness: float = 1500.0, damping: float = 90.0
) -> ArmChain:
    """Chain of hinges from the root of a URDF or MJCF file to the body `tip`, by default the only end that there is.

    `stiffness` and `damping` are those of the position servos, `radius_m` that of the capsules. `SpecError` says what
    the file has instead of a serial arm and which bodies there are.
    """
    model = _read_model(Path(path))
    chain = _find_chain(model, path, tip)
    joints = [(body, int(model.body_jntadr[body])) for body in chain if model.body_jntnum[body]]
    _check_hinges(model, path, chain)
    if not joints:
        raise SpecError(f"{path}: no joint leads to the body {model.body(chain[-1]).name!r}")
    frames, tip_pose = _compute_joint_frames(model, chain)
    ends = [frame[:3] for frame in frames[1:]] + [tip_pose[:3]]
    links = []
    for (body, joint), frame, end in zip(joints, frames, ends, strict=True):
        limited = bool(model.jnt_limited[joint])
        low, high = model.jnt_range[joint].tolist() if limited else UNLIMITED_RANGE_RAD
        links.append(
            Link(
                pos=_to_vector(frame[:3]),
                quat=_to_quaternion(frame[3:]),
                axis=_to_vector(model.jnt_axis[joint]),
                range=(low, high),
                geoms=(_make_link_geom(end, radius_m),),
                mass=max(MIN_LINK_MASS_KG, _sum_rigid_mass(model, body)),
                stiffness=stiffness,
                damping=damping,
                max_torque=_read_max_torque(model, joint),
            )
        )
    names = tuple(model.joint(joint).name for _, joint in joints)
    return ArmChain(tuple(links), names, _to_vector(tip_pose[:3]), _to_quaternion(tip_pose[3:]))


def _read_model(path: Path) -> mujoco.MjModel:
    """Compile a file without the meshes that no mass depends on: robots are often handed on without them."""
    if not path.is_file():
        raise SpecError(f"there is no file {path}")
    try:
        spec = mujoco.MjSpec.from_file(str(path))
        for body in spec.bodies:
            if body.explicitinertial:
                for geom in [geom for geom in body.geoms if geom.type == mujoco.mjtGeom.mjGEOM_MESH]:
                    spec.delete(geom)
        used = {geom.meshname for geom in spec.geoms}
        for mesh in [mesh for mesh in spec.meshes if mesh.name not in used]:
            spec.delete(mesh)
        spec.compiler.fusestatic = False  # bodies keep their names
        return spec.compile()
    except ValueError as error:
        raise SpecError(f"{path}: {' '.join(str(error).split())}") from error


def _find_chain(model: mujoco.MjModel, path: Path | str, tip: str) -> list[int]:
    """Bodies from the root to the tip."""
    names = {model.body(i).name: i for i in range(1, model.nbody)}
    if tip and tip not in names:
        raise SpecError(f"{path}: unknown body {tip!r}; valid: {', '.join(names)}")
    ends = [name for name, body in names.items() if body not in model.body_parentid]
    if not tip and len(ends) != 1:
        raise SpecError(f"{path} has {len(ends)} ends ({', '.join(ends)}); name the arm's last body as tip")
    chain, body = [], names[tip or ends[0]]
    while body:
        chain.append(body)
        body = int(model.body_parentid[body])
    return chain[::-1]


def _check_hinges(model: mujoco.MjModel, path: Path | str, chain: Sequence[int]) -> None:
    for body in chain:
        name, first, count = model.body(body).name, int(model.body_jntadr[body]), int(model.body_jntnum[body])
        if count > 1:
            raise SpecError(f"{path}: the body {name!r} has {count} joints; valid: one hinge a body")
        if count and model.jnt_type[first] != mujoco.mjtJoint.mjJNT_HINGE:
            kind = mujoco.mjtJoint(model.jnt_type[first]).name.removeprefix("mjJNT_").lower()
            raise SpecError(
                f"{path}: the joint {model.joint(first).name!r} to {name!r} is a {kind} joint; valid: hinges, "
                "with the gripper's fingers beyond the tip"
            )


def _compute_joint_frames(model: mujoco.MjModel, chain: Sequence[int]) -> tuple[list[Array], Array]:
    """Frames (7,) of the joints, each in that of the one before at 0, and the tip's pose (7,) in the last one.

    The first is in the world of the file. A frame has the axes of its body and its origin on the joint's axis.
    """
    frames, pose = [], make_pose((0.0, 0.0, 0.0))
    for body in chain:
        pose = compose(pose, make_pose(model.body_pos[body], model.body_quat[body]))
        if model.body_jntnum[body]:
            joint = int(model.body_jntadr[body])
            anchor, reference = model.jnt_pos[joint], float(model.qpos0[model.jnt_qposadr[joint]])
            turned = quat_from_axis_angle(model.jnt_axis[joint], np.array(-reference))  # back to joint value 0
            frames.append(compose(pose, make_pose(anchor, turned)))
            pose = make_pose(-anchor)
    return frames, pose


def _sum_rigid_mass(model: mujoco.MjModel, body: int) -> float:
    """Mass (kg) of a body and of all that is fixed to it, up to the next joints."""
    mass = float(model.body_mass[body])
    for child in np.flatnonzero(model.body_parentid == body).tolist():
        if child != body and not model.body_jntnum[child]:
            mass += _sum_rigid_mass(model, child)
    return mass


def _read_max_torque(model: mujoco.MjModel, joint: int) -> float:
    """Largest torque (N·m) of a joint: its own limit, else that of an actuator that drives it."""
    if model.jnt_actfrclimited[joint]:
        return float(model.jnt_actfrcrange[joint].max())
    driven = (model.actuator_trntype == mujoco.mjtTrn.mjTRN_JOINT) & (model.actuator_trnid[:, 0] == joint)
    limits = model.actuator_forcerange[driven & (model.actuator_forcelimited != 0)]
    return float(limits.max()) if len(limits) else DEFAULT_MAX_TORQUE_NM


def _make_link_geom(end: Array, radius_m: float) -> Geom:
    """Capsule from a link's joint to the next one, a ball where they are at the same place."""
    if float(np.linalg.norm(end)) < MIN_CAPSULE_LENGTH_M:
        return Geom("sphere", (radius_m,))
    return Geom("capsule", (radius_m,), ends=((0.0, 0.0, 0.0), _to_vector(end)))


def _to_vector(values: Array) -> Vector:
    x, y, z = values.tolist()
    return x, y, z


def _to_quaternion(values: Array) -> Quaternion:
    w, x, y, z = values.tolist()
    return w, x, y, z
