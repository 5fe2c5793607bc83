"""Writes a layout and a robot down as a MuJoCo model."""

from __future__ import annotations

from dataclasses import dataclass
from math import degrees, pi

import mujoco
import numpy as np

from sim.embodiment.model import ArmModel, Camera, Embodiment, Geom, Vector
from sim.geometry import Array, about, from_matrix, multiply, pose
from sim.scene import textures
from sim.scene.randomize import CLEAN, Look, Thing
from sim.scene.sample import Layout, draw
from sim.task.spec import Table, Task
from sim.types import PHYSICS_HZ

TABLE_TOP = 0.74
TABLE_HALF = (0.6, 0.35, 0.025)
WOOD, FLOOR, WALL = (0.72, 0.60, 0.46), (0.42, 0.44, 0.47), (0.78, 0.78, 0.76)
PAD = (0.22, 0.22, 0.24)
LAMP = (1.0, 0.0, 1.8)  # where the lamp to the right hangs, and its mirror image to the left

# collision bits: the world and its objects, then a bit an arm; parts of one arm never meet each other
WORLD_BIT = 1
OBJECT_FRICTION = (0.8, 0.01, 0.0005)
CLUTTER_MASS = 0.1  # kg
SMOOTH_FRICTION = (0.15, 0.005, 0.0002)
PAD_FRICTION = (1.3, 0.02, 0.001)
# impedance of the pads, and MuJoCo's own: with the latter what hangs from two fingers creeps out of them
GEARED = (0.95, 0.99, 0.001, 0.5, 2.0)
FIRM = (0.99, 0.998, 0.001, 0.5, 2.0)
SOFT = (0.9, 0.95, 0.001, 0.5, 2.0)
GENTLE = (0.02, 1.0)  # of what is small and smooth, so that it does not leap when it lands
STIFF = (0.01, 1.0)  # contact time constant, at least twice the step


@dataclass(frozen=True)
class Scene:
    """A compiled model and the layout that it shows."""

    model: mujoco.MjModel
    layout: Layout
    task: Task
    robot: Embodiment
    seed: int


def build(task: Task, robot: Embodiment, seed: int, variation: str = "clean", attempt: int = 0) -> Scene:
    """Return the scene that `seed` draws in a variation; later attempts are other draws of the same seed."""
    layout = draw(task, robot, seed, variation, attempt)
    spec = mujoco.MjSpec()
    _settings(spec, layout.look)
    _room(spec, layout.table, layout.look)
    for i, thing in enumerate(layout.look.clutter):
        _clutter(spec, f"clutter{i}", thing)
    for thing in task.objects:
        if thing.name in layout.poses:
            _object(spec, layout, thing.name, layout.colours[thing.name], thing.fixed, thing.mass)
    _robot(spec, robot, layout.look)
    return Scene(spec.compile(), layout, task, robot, seed)


def robot_model(robot: Embodiment) -> mujoco.MjModel:
    """Return the robot alone, for pictures and kinematics."""
    spec = mujoco.MjSpec()
    _settings(spec)
    _robot(spec, robot)
    return spec.compile()


def _settings(spec: mujoco.MjSpec, look: Look = CLEAN) -> None:
    spec.nuser_geom = 1  # the number of a texture, see `textures.number`
    spec.option.timestep = 1.0 / PHYSICS_HZ
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 1.0  # more makes thin walls between two pads unstable at 250 Hz
    spec.option.iterations = 20
    spec.option.ls_iterations = 10
    quality = spec.visual.quality
    quality.shadowsize, quality.numslices, quality.numstacks, quality.numquads = 0, 16, 8, 1
    spec.visual.headlight.ambient, spec.visual.headlight.diffuse = ((light,) * 3 for light in look.headlight)
    spec.visual.headlight.specular = (0.0, 0.0, 0.0)
    spec.visual.map.znear, spec.visual.map.zfar = 0.01, 20.0
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 1280, 1280
    spec.stat.extent, spec.stat.center = 1.0, (0.0, 0.0, TABLE_TOP)


def _room(spec: mujoco.MjSpec, at: Table, look: Look) -> None:
    world = spec.worldbody
    world.add_light(pos=(0.3, -0.6, 2.4), dir=look.sun, diffuse=look.sunlight, ambient=look.ambient,
                    specular=(0.1, 0.1, 0.1), type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, castshadow=False)
    for side, light in zip((-1, 1), look.lamps, strict=False):
        world.add_light(pos=(side * LAMP[0], *LAMP[1:]), diffuse=light, specular=(0.05, 0.05, 0.05),
                        type=mujoco.mjtLightType.mjLIGHT_POINT, castshadow=False)
    floor = world.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=(3.0, 3.0, 0.05), pos=(0, 0, -0.05),
                           contype=WORLD_BIT, conaffinity=0xFFFF)
    _paint(floor, look.wall, "wall", FLOOR)
    # a texture lies in x and y of its geom: the wall is a slab set upright
    wall = world.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=(3.0, 1.5, 0.05), pos=(0, 1.05, 1.5),
                          quat=about((1, 0, 0), pi / 2), contype=0, conaffinity=0)
    _paint(wall, look.wall, "wall", WALL)
    table = world.add_body(name="table", pos=(at.x, 0, at.top))
    top = table.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=TABLE_HALF, pos=(0, 0, -TABLE_HALF[2]),
                         contype=WORLD_BIT, conaffinity=0xFFFF, friction=OBJECT_FRICTION, solref=STIFF)
    _paint(top, look.table, "table", WOOD)
    leg = (at.top - 0.06) / 2
    for x in (-0.55, 0.55):
        for y in (-0.3, 0.3):
            table.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=(0.025, 0.025, leg), pos=(x, y, -0.05 - leg),
                           rgba=(0.3, 0.3, 0.32, 1), contype=0, conaffinity=0)


def _paint(geom: mujoco.MjsGeom, texture: str, surface: str, plain: Vector) -> None:
    """Give a surface its texture, by number, and the colour that stands for it where textures are not drawn."""
    geom.rgba = (*(textures.mean(texture) if texture else plain), 1)
    geom.userdata = [textures.number(texture, surface)]


def _clutter(spec: mujoco.MjSpec, name: str, thing: Thing) -> None:
    body = spec.worldbody.add_body(name=name, pos=thing.pose[:3], quat=thing.pose[3:])
    if not thing.fixed:
        body.add_freejoint(name=f"{name}.free")
    share = CLUTTER_MASS / max(1, sum(g.collide for g in thing.form.geoms))
    for geom, weight in _weighed(thing.form.geoms, share):
        _geom(body, geom, thing.colour, WORLD_BIT, 0xFFFF, OBJECT_FRICTION, mass=weight)


def _object(
    spec: mujoco.MjSpec, layout: Layout, name: str, colour: Vector, fixed: bool, mass: float
) -> None:
    form, place = layout.forms[name], layout.poses[name]
    body = spec.worldbody.add_body(name=name, pos=place[:3], quat=place[3:])
    if not fixed:
        body.add_freejoint(name=f"{name}.free")
    share = mass / max(1, sum(g.collide for g in form.geoms))
    for geom, weight in _weighed(form.geoms, share):
        _geom(body, geom, colour, WORLD_BIT, 0xFFFF, OBJECT_FRICTION, mass=weight)
    for moving in form.parts:
        part = body.add_body(name=f"{name}.{moving.name}", pos=moving.pos)
        # the reference pose is the shut one, so that the joint's value is its opening
        span = moving.range if moving.slide else tuple(degrees(v) for v in moving.range)
        kind = mujoco.mjtJoint.mjJNT_SLIDE if moving.slide else mujoco.mjtJoint.mjJNT_HINGE
        part.add_joint(name=f"{name}.{moving.joint}", type=kind, axis=moving.axis,
                       range=span, limited=mujoco.mjtLimited.mjLIMITED_TRUE,
                       damping=[moving.damping, 0, 0], frictionloss=moving.friction, armature=0.001,
                       solimp_friction=FIRM)
        for geom, weight in _weighed(moving.geoms, share):
            _geom(part, geom, colour, WORLD_BIT, 0xFFFF, OBJECT_FRICTION, mass=weight)


def _weighed(geoms: tuple[Geom, ...], share: float) -> list[tuple[Geom, float]]:
    """Return geoms with their mass: what collides has a share; where nothing does they divide one."""
    if any(geom.collide for geom in geoms):
        return [(geom, share if geom.collide else 0.0) for geom in geoms]
    return [(geom, share / len(geoms)) for geom in geoms]


def _robot(spec: mujoco.MjSpec, robot: Embodiment, look: Look = CLEAN) -> None:
    for index, arm in enumerate(robot.arms):
        _arm(spec, robot, arm, 2 << index, 0xFFFF & ~(2 << index))
    for camera in robot.cameras:
        parent = spec.body(f"{camera.arm}/hand") if camera.arm else spec.worldbody
        place = pose(camera.pos, camera_quaternion(camera))
        if camera == robot.cameras[0] and not camera.arm:
            place = _nudged(place, look)
        parent.add_camera(name=camera.name, pos=place[:3], quat=place[3:], fovy=degrees(camera.fovx))


def _nudged(place: Array, look: Look) -> Array:
    """Return a pose (7,) moved and turned as much as the look's head camera."""
    angle = float(np.linalg.norm(look.head_turn))
    turn = about(np.array(look.head_turn) / angle, angle) if angle else np.array([1.0, 0.0, 0.0, 0.0])
    return pose(place[:3] + np.array(look.head_shift), multiply(turn, place[3:]))


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
            weight = link.mass / solid if geom.collide else 0.0
            _geom(body, geom, robot.colour, bit, mask, OBJECT_FRICTION, mass=weight)
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
                         range=(0.0, gripper.stroke), limited=mujoco.mjtLimited.mjLIMITED_TRUE,
                         damping=[gripper.damping, 0, 0])
        pad = Geom("box", gripper.pad, (0, side * thickness, gripper.tip - reach), colour=PAD)
        _geom(finger, pad, PAD, bit, mask, PAD_FRICTION, mass=0.1, condim=4, priority=1)
        # the damping is the joint's own: inside the limited force it would vanish where the servo squeezes hardest,
        # and what is held would drift from finger to finger
        _servo(spec, joint, gripper.stiffness, 0.0, gripper.force)
    # real fingers are geared together; without that, what is wide slides sideways between two saturated servos
    spec.add_equality(type=mujoco.mjtEq.mjEQ_JOINT, objtype=mujoco.mjtObj.mjOBJ_JOINT,
                      name1=f"{arm.name}/finger0", name2=f"{arm.name}/finger1",
                      data=[0.0, 1.0, *[0.0] * 10], solref=STIFF, solimp=GEARED)


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
        friction=SMOOTH_FRICTION if geom.smooth else friction,
        condim=condim,
        priority=2 if geom.smooth else priority,
        solref=GENTLE if geom.smooth else STIFF,
        solimp=FIRM if priority else SOFT,
        mass=mass,
    )
    size = np.zeros(3)
    size[: len(geom.size)] = geom.size
    part.size = size
    if geom.ends:
        part.fromto = np.concatenate([np.array(end, float) for end in geom.ends])
    else:
        part.pos, part.quat = geom.pos, geom.quat
