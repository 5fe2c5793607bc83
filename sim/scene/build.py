"""Writes a layout and a robot down as a MuJoCo model."""

from __future__ import annotations

from dataclasses import dataclass
from math import degrees

import mujoco
import numpy as np

from sim.embodiment import ArmModel, Camera, Embodiment, Geom, Vector
from sim.geometry import from_matrix, pose
from sim.scene.layout import Layout, draw
from sim.spec import Task
from sim.types import PHYSICS_HZ

TABLE_TOP = 0.74
TABLE_HALF = (0.6, 0.35, 0.025)
WOOD, FLOOR, WALL = (0.72, 0.60, 0.46), (0.42, 0.44, 0.47), (0.78, 0.78, 0.76)
PAD = (0.22, 0.22, 0.24)

# collision bits: the world and its objects, then a bit an arm; parts of one arm never meet each other
WORLD_BIT = 1
OBJECT_FRICTION = (0.8, 0.01, 0.0005)
PAD_FRICTION = (1.3, 0.02, 0.001)
STIFF = (0.01, 1.0)  # contact time constant, at least twice the step


@dataclass(frozen=True)
class Scene:
    """A compiled model and the layout that it shows."""

    model: mujoco.MjModel
    layout: Layout
    task: Task
    robot: Embodiment
    seed: int


def build(task: Task, robot: Embodiment, seed: int) -> Scene:
    """Return the scene that `seed` draws."""
    layout = draw(task, robot, seed)
    spec = mujoco.MjSpec()
    _settings(spec)
    _room(spec)
    for thing in task.objects:
        _object(spec, layout, thing.name, thing.colour, thing.fixed, thing.mass)
    _robot(spec, robot)
    return Scene(spec.compile(), layout, task, robot, seed)


def robot_model(robot: Embodiment) -> mujoco.MjModel:
    """Return the robot alone, for pictures and kinematics."""
    spec = mujoco.MjSpec()
    _settings(spec)
    _robot(spec, robot)
    return spec.compile()


def _settings(spec: mujoco.MjSpec) -> None:
    spec.option.timestep = 1.0 / PHYSICS_HZ
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 1.0  # more makes thin walls between two pads unstable at 250 Hz
    spec.option.iterations = 20
    spec.option.ls_iterations = 10
    quality = spec.visual.quality
    quality.shadowsize, quality.numslices, quality.numstacks, quality.numquads = 0, 16, 8, 1
    spec.visual.headlight.ambient = (0.45, 0.45, 0.45)
    spec.visual.headlight.diffuse = (0.3, 0.3, 0.3)
    spec.visual.headlight.specular = (0.0, 0.0, 0.0)
    spec.visual.map.znear, spec.visual.map.zfar = 0.01, 20.0
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 1280, 1280
    spec.stat.extent, spec.stat.center = 1.0, (0.0, 0.0, TABLE_TOP)


def _room(spec: mujoco.MjSpec) -> None:
    world = spec.worldbody
    world.add_light(pos=(0.3, -0.6, 2.4), dir=(-0.15, 0.35, -1), diffuse=(0.42, 0.41, 0.40), specular=(0.1, 0.1, 0.1),
                    type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, castshadow=False)
    world.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=(3.0, 3.0, 0.05), pos=(0, 0, -0.05), rgba=(*FLOOR, 1),
                   contype=WORLD_BIT, conaffinity=0xFFFF)
    world.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=(3.0, 0.05, 1.5), pos=(0, 1.05, 1.5), rgba=(*WALL, 1),
                   contype=0, conaffinity=0)
    table = world.add_body(name="table", pos=(0, 0, TABLE_TOP))
    table.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=TABLE_HALF, pos=(0, 0, -TABLE_HALF[2]), rgba=(*WOOD, 1),
                   contype=WORLD_BIT, conaffinity=0xFFFF, friction=OBJECT_FRICTION, solref=STIFF)
    for x in (-0.55, 0.55):
        for y in (-0.3, 0.3):
            table.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=(0.025, 0.025, 0.34), pos=(x, y, -0.39),
                           rgba=(0.3, 0.3, 0.32, 1), contype=0, conaffinity=0)


def _object(
    spec: mujoco.MjSpec, layout: Layout, name: str, colour: Vector, fixed: bool, mass: float
) -> None:
    form, place = layout.forms[name], layout.poses[name]
    body = spec.worldbody.add_body(name=name, pos=place[:3], quat=place[3:])
    if not fixed:
        body.add_freejoint(name=f"{name}.free")
    share = mass / max(1, sum(g.collide for g in form.geoms))
    for geom in form.geoms:
        _geom(body, geom, colour, WORLD_BIT, 0xFFFF, OBJECT_FRICTION, mass=share)
    for hinge in form.hinges:
        part = body.add_body(name=f"{name}.{hinge.name}", pos=hinge.pos)
        # the reference pose is the shut one, so that the joint's value is its opening
        part.add_joint(name=f"{name}.{hinge.joint}", type=mujoco.mjtJoint.mjJNT_HINGE, axis=hinge.axis,
                       range=tuple(degrees(v) for v in hinge.range), limited=mujoco.mjtLimited.mjLIMITED_TRUE,
                       damping=[hinge.damping, 0, 0], frictionloss=hinge.friction, armature=0.001)
        for geom in hinge.geoms:
            _geom(part, geom, colour, WORLD_BIT, 0xFFFF, OBJECT_FRICTION, mass=share)


def _robot(spec: mujoco.MjSpec, robot: Embodiment) -> None:
    for index, arm in enumerate(robot.arms):
        _arm(spec, robot, arm, 2 << index, 0xFFFF & ~(2 << index))
    for camera in robot.cameras:
        parent = spec.body(f"{camera.arm}/hand") if camera.arm else spec.worldbody
        parent.add_camera(name=camera.name, pos=camera.pos, quat=camera_quaternion(camera), fovy=degrees(camera.fovx))


def camera_quaternion(camera: Camera) -> np.ndarray:
    """Return the camera's orientation (4,) in its parent: MuJoCo looks along -z with y up."""
    forward = np.array(camera.forward) / np.linalg.norm(camera.forward)
    right = np.cross(forward, camera.up)
    right = right / np.linalg.norm(right)
    return from_matrix(np.stack([right, np.cross(right, forward), -forward], axis=-1))


def _arm(spec: mujoco.MjSpec, robot: Embodiment, arm: ArmModel, bit: int, mask: int) -> None:
    body = spec.worldbody.add_body(name=f"{arm.name}/base", pos=arm.base_pos, quat=arm.base_quat)
    for geom in arm.base_geoms:
        _geom(body, geom, robot.colour, bit, mask, OBJECT_FRICTION)
    for i, link in enumerate(arm.links):
        last = i == len(arm.links) - 1
        body = body.add_body(name=f"{arm.name}/hand" if last else f"{arm.name}/link{i}", pos=link.pos, quat=link.quat)
        body.gravcomp = 1.0
        joint = f"{arm.name}/joint{i}"
        body.add_joint(name=joint, type=mujoco.mjtJoint.mjJNT_HINGE, axis=link.axis, armature=0.08,
                       range=tuple(degrees(v) for v in link.range), limited=mujoco.mjtLimited.mjLIMITED_TRUE)
        solid = max(1, sum(g.collide for g in link.geoms))
        for geom in link.geoms:
            _geom(body, geom, robot.colour, bit, mask, OBJECT_FRICTION, mass=link.mass / solid)
        _servo(spec, joint, link.stiffness, link.damping, link.torque)
    _gripper(spec, body, arm, bit, mask)


def _gripper(spec: mujoco.MjSpec, hand: mujoco.MjsBody, arm: ArmModel, bit: int, mask: int) -> None:
    gripper = arm.gripper
    tool = pose(arm.tool_pos, arm.tool_quat)
    hand.add_site(name=f"{arm.name}/tool", pos=tool[:3], quat=tool[3:], size=[0.002] * 3, rgba=(0, 0, 0, 0))
    thickness, reach = gripper.pad[1], gripper.pad[2]
    for k, side in enumerate((1.0, -1.0)):
        finger = hand.add_body(name=f"{arm.name}/finger{k}", pos=tool[:3], quat=tool[3:])
        finger.gravcomp = 1.0
        joint = f"{arm.name}/finger{k}"
        finger.add_joint(name=joint, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=(0, side, 0), armature=0.05,
                         range=(0.0, gripper.stroke), limited=mujoco.mjtLimited.mjLIMITED_TRUE)
        pad = Geom("box", gripper.pad, (0, side * thickness, gripper.tip - reach), colour=PAD)
        _geom(finger, pad, PAD, bit, mask, PAD_FRICTION, mass=0.1, condim=4, priority=1)
        _servo(spec, joint, gripper.stiffness, gripper.damping, gripper.force)


def _servo(spec: mujoco.MjSpec, joint: str, stiffness: float, damping: float, limit: float) -> None:
    """Add a position servo: force = stiffness·(target - q) - damping·q̇, within ±limit."""
    servo = spec.add_actuator(name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    servo.gaintype, servo.biastype = mujoco.mjtGain.mjGAIN_FIXED, mujoco.mjtBias.mjBIAS_AFFINE
    servo.gainprm[0] = stiffness
    servo.biasprm[1], servo.biasprm[2] = -stiffness, -damping
    servo.forcerange, servo.forcelimited = (-limit, limit), mujoco.mjtLimited.mjLIMITED_TRUE


GEOM_TYPES = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
}


def _geom(
    body: mujoco.MjsBody, geom: Geom, colour: Vector, bit: int, mask: int, friction: Vector,
    mass: float = 0.05, condim: int = 3, priority: int = 0,
) -> None:
    part = body.add_geom(
        type=GEOM_TYPES[geom.type],
        rgba=(*(geom.colour or colour), 1),
        contype=bit if geom.collide else 0,
        conaffinity=mask if geom.collide else 0,
        friction=friction,
        condim=condim,
        priority=priority,
        solref=STIFF,
        mass=mass if geom.collide else 0.0,
    )
    size = np.zeros(3)
    size[: len(geom.size)] = geom.size
    part.size = size
    if geom.ends:
        part.fromto = np.concatenate([np.array(end, float) for end in geom.ends])
    else:
        part.pos, part.quat = geom.pos, geom.quat
