"""Model building: a sampled scene and a robot as a MuJoCo model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import degrees, pi

import mujoco
import numpy as np

from sim.embodiment.model import ArmModel, Camera, Embodiment, Geom, Vector
from sim.geometry import Array, make_pose, multiply, quat_from_axis_angle, quat_from_matrix
from sim.scene import textures
from sim.scene.randomize import CLEAN_VISUALS, Distractor, VisualParams
from sim.scene.sample import SceneSample
from sim.task.spec import TABLE_HALF_EXTENTS_M, TABLE_HEIGHT_M, TablePlacement, Task
from sim.types import PHYSICS_HZ

TABLE_COLOUR, FLOOR_COLOUR, WALL_COLOUR = (0.72, 0.60, 0.46), (0.42, 0.44, 0.47), (0.78, 0.78, 0.76)
FINGER_PAD_COLOUR = (0.22, 0.22, 0.24)
RIGHT_LAMP_POSITION_M = (1.0, 0.0, 1.8)  # where the lamp to the right hangs, and its mirror image to the left

# collision bits: the world and its objects, then a bit an arm; parts of one arm never meet each other
WORLD_COLLISION_BIT = 1
OBJECT_FRICTION = (0.8, 0.01, 0.0005)
DISTRACTOR_MASS_KG = 0.1  # kg
SMOOTH_FRICTION = (0.15, 0.005, 0.0002)
PAD_FRICTION = (1.3, 0.02, 0.001)
# impedance of the pads, and MuJoCo's own: with the latter what hangs from two fingers creeps out of them
FINGER_COUPLING_SOLIMP = (0.95, 0.99, 0.001, 0.5, 2.0)
FIRM_SOLIMP = (0.99, 0.998, 0.001, 0.5, 2.0)
SOFT_SOLIMP = (0.9, 0.95, 0.001, 0.5, 2.0)
GENTLE_SOLREF = (0.02, 1.0)  # of what is small and smooth, so that it does not leap when it lands
STIFF_SOLREF = (0.01, 1.0)  # contact time constant, at least twice the step


def compile_model(task: Task, robot: Embodiment, scene: SceneSample) -> mujoco.MjModel:
    """Compile a sampled scene into a MuJoCo model."""
    spec = mujoco.MjSpec()
    _set_options(spec, scene.visuals)
    _add_room(spec, scene.table, scene.visuals)
    for i, distractor in enumerate(scene.visuals.distractors):
        _add_distractor(spec, f"clutter{i}", distractor)
    for task_object in task.objects:
        if task_object.name in scene.poses:
            colour = scene.colours[task_object.name]
            _add_object(spec, scene, task_object.name, colour, task_object.fixed, task_object.mass)
    _add_robot(spec, robot, scene.visuals)
    return spec.compile()


def compile_robot(robot: Embodiment) -> mujoco.MjModel:
    """Return the robot alone, for pictures and kinematics."""
    spec = mujoco.MjSpec()
    _set_options(spec)
    _add_robot(spec, robot)
    return spec.compile()


def compile_robot_scene(robot: Embodiment, decorations: Sequence[Geom]) -> mujoco.MjModel:
    """Compile the robot at an empty table, with geoms in the world frame that are seen and not felt."""
    spec = mujoco.MjSpec()
    _set_options(spec)
    _add_room(spec, TablePlacement(), CLEAN_VISUALS)
    for geom in decorations:
        _add_geom(spec.worldbody, replace(geom, collide=False), robot.colour, 0, 0, OBJECT_FRICTION, mass=0.0)
    _add_robot(spec, robot)
    return spec.compile()


def _set_options(spec: mujoco.MjSpec, visuals: VisualParams = CLEAN_VISUALS) -> None:
    spec.nuser_geom = 1  # the number of a texture, see `textures.get_texture_id`
    spec.option.timestep = 1.0 / PHYSICS_HZ
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 1.0  # more makes thin walls between two pads unstable at 250 Hz
    spec.option.iterations = 20
    spec.option.ls_iterations = 50  # with 10 the search may stop before a held joint holds: a lid sinks
    # a world that diverges fails with its reason; reset behind everybody's back it would go on as another scene
    spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
    quality = spec.visual.quality
    quality.shadowsize, quality.numslices, quality.numstacks, quality.numquads = 0, 16, 8, 1
    spec.visual.headlight.ambient, spec.visual.headlight.diffuse = ((light,) * 3 for light in visuals.headlight)
    spec.visual.headlight.specular = (0.0, 0.0, 0.0)
    spec.visual.map.znear, spec.visual.map.zfar = 0.01, 20.0
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 1280, 1280
    spec.stat.extent, spec.stat.center = 1.0, (0.0, 0.0, TABLE_HEIGHT_M)


def _add_room(spec: mujoco.MjSpec, table_placement: TablePlacement, visuals: VisualParams) -> None:
    world = spec.worldbody
    world.add_light(
        pos=(0.3, -0.6, 2.4),
        dir=visuals.sun_direction,
        diffuse=visuals.sun_colour,
        ambient=visuals.ambient_colour,
        specular=(0.1, 0.1, 0.1),
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        castshadow=False,
    )
    for side, light in zip((-1, 1), visuals.lamp_colours, strict=False):
        world.add_light(
            pos=(side * RIGHT_LAMP_POSITION_M[0], *RIGHT_LAMP_POSITION_M[1:]),
            diffuse=light,
            specular=(0.05, 0.05, 0.05),
            type=mujoco.mjtLightType.mjLIGHT_POINT,
            castshadow=False,
        )
    floor = world.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=(3.0, 3.0, 0.05),
        pos=(0, 0, -0.05),
        contype=WORLD_COLLISION_BIT,
        conaffinity=0xFFFF,
    )
    _apply_texture(floor, visuals.wall, "wall", FLOOR_COLOUR)
    # a texture lies in x and y of its geom: the wall is a slab set upright
    wall = world.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=(3.0, 1.5, 0.05),
        pos=(0, 1.05, 1.5),
        quat=quat_from_axis_angle((1, 0, 0), pi / 2),
        contype=0,
        conaffinity=0,
    )
    _apply_texture(wall, visuals.wall, "wall", WALL_COLOUR)
    table = world.add_body(name="table", pos=(table_placement.x, 0, table_placement.top))
    top = table.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=TABLE_HALF_EXTENTS_M,
        pos=(0, 0, -TABLE_HALF_EXTENTS_M[2]),
        contype=WORLD_COLLISION_BIT,
        conaffinity=0xFFFF,
        friction=OBJECT_FRICTION,
        solref=STIFF_SOLREF,
    )
    _apply_texture(top, visuals.table, "table", TABLE_COLOUR)
    half_leg_length = (table_placement.top - 0.06) / 2
    for x in (-0.55, 0.55):
        for y in (-0.3, 0.3):
            table.add_geom(
                type=mujoco.mjtGeom.mjGEOM_BOX,
                size=(0.025, 0.025, half_leg_length),
                pos=(x, y, -0.05 - half_leg_length),
                rgba=(0.3, 0.3, 0.32, 1),
                contype=0,
                conaffinity=0,
            )


def _apply_texture(geom: mujoco.MjsGeom, texture: str, surface: str, plain_colour: Vector) -> None:
    """Give a surface its texture, by number, and the colour that stands for it where textures are not drawn."""
    geom.rgba = (*(textures.compute_mean_colour(texture) if texture else plain_colour), 1)
    geom.userdata = [textures.get_texture_id(texture, surface)]


def _add_distractor(spec: mujoco.MjSpec, name: str, distractor: Distractor) -> None:
    body = spec.worldbody.add_body(name=name, pos=distractor.pose[:3], quat=distractor.pose[3:])
    if not distractor.fixed:
        body.add_freejoint(name=f"{name}.free")
    mass_per_geom = DISTRACTOR_MASS_KG / max(1, sum(g.collide for g in distractor.model.geoms))
    for geom, geom_mass in _distribute_mass(distractor.model.geoms, mass_per_geom):
        _add_geom(body, geom, distractor.colour, WORLD_COLLISION_BIT, 0xFFFF, OBJECT_FRICTION, mass=geom_mass)


def _add_object(spec: mujoco.MjSpec, sample: SceneSample, name: str, colour: Vector, fixed: bool, mass: float) -> None:
    object_model, object_pose = sample.models[name], sample.poses[name]
    body = spec.worldbody.add_body(name=name, pos=object_pose[:3], quat=object_pose[3:])
    if not fixed:
        body.add_freejoint(name=f"{name}.free")
    mass_per_geom = mass / max(1, sum(g.collide for g in object_model.geoms))
    for geom, geom_mass in _distribute_mass(object_model.geoms, mass_per_geom):
        _add_geom(body, geom, colour, WORLD_COLLISION_BIT, 0xFFFF, OBJECT_FRICTION, mass=geom_mass)
    for part in object_model.parts:
        part_body = body.add_body(name=f"{name}.{part.name}", pos=part.pos)
        # the reference pose is the shut one, so that the joint's value is its opening
        joint_range = part.joint_range if part.prismatic else tuple(degrees(v) for v in part.joint_range)
        joint_type = mujoco.mjtJoint.mjJNT_SLIDE if part.prismatic else mujoco.mjtJoint.mjJNT_HINGE
        part_body.add_joint(
            name=f"{name}.{part.joint}",
            type=joint_type,
            axis=part.axis,
            range=joint_range,
            limited=mujoco.mjtLimited.mjLIMITED_TRUE,
            damping=[part.damping, 0, 0],
            frictionloss=part.friction_loss,
            armature=0.001,
            solimp_friction=FIRM_SOLIMP,
        )
        for geom, geom_mass in _distribute_mass(part.geoms, mass_per_geom):
            _add_geom(part_body, geom, colour, WORLD_COLLISION_BIT, 0xFFFF, OBJECT_FRICTION, mass=geom_mass)


def _distribute_mass(geoms: tuple[Geom, ...], mass_per_geom: float) -> list[tuple[Geom, float]]:
    """Return geoms with their mass: what collides has a share; where nothing does they divide one."""
    if any(geom.collide for geom in geoms):
        return [(geom, mass_per_geom if geom.collide else 0.0) for geom in geoms]
    return [(geom, mass_per_geom / len(geoms)) for geom in geoms]


def _add_robot(spec: mujoco.MjSpec, robot: Embodiment, visuals: VisualParams = CLEAN_VISUALS) -> None:
    for index, arm in enumerate(robot.arms):
        _add_arm(spec, robot, arm, 2 << index, 0xFFFF & ~(2 << index))
    for camera in robot.cameras:
        parent = spec.body(f"{camera.arm}/hand") if camera.arm else spec.worldbody
        camera_pose = make_pose(camera.pos, camera_quaternion(camera))
        if camera == robot.cameras[0] and not camera.arm:
            camera_pose = _perturb_camera_pose(camera_pose, visuals)
        parent.add_camera(name=camera.name, pos=camera_pose[:3], quat=camera_pose[3:], fovy=degrees(camera.fovx))


def _perturb_camera_pose(camera_pose: Array, visuals: VisualParams) -> Array:
    """Return a pose (7,) moved and turned as much as the look's head camera."""
    angle = float(np.linalg.norm(visuals.head_camera_rotation))
    rotation = (
        quat_from_axis_angle(np.array(visuals.head_camera_rotation) / angle, angle)
        if angle
        else np.array([1.0, 0.0, 0.0, 0.0])
    )
    return make_pose(camera_pose[:3] + np.array(visuals.head_camera_shift), multiply(rotation, camera_pose[3:]))


def camera_quaternion(camera: Camera) -> np.ndarray:
    """Return the camera's orientation (4,) in its parent: MuJoCo looks along -z with y up."""
    forward = np.array(camera.forward) / np.linalg.norm(camera.forward)
    right = np.cross(forward, camera.up)
    right = right / np.linalg.norm(right)
    return quat_from_matrix(np.stack([right, np.cross(right, forward), -forward], axis=-1))


def _add_arm(spec: mujoco.MjSpec, robot: Embodiment, arm: ArmModel, bit: int, mask: int) -> None:
    body = spec.worldbody.add_body(name=f"{arm.name}/base", pos=arm.base_pos, quat=arm.base_quat)
    for geom in arm.base_geoms:
        _add_geom(body, geom, robot.colour, bit, mask, OBJECT_FRICTION)
    for i, link in enumerate(arm.links):
        is_last = i == len(arm.links) - 1
        body = body.add_body(
            name=f"{arm.name}/hand" if is_last else f"{arm.name}/link{i}", pos=link.pos, quat=link.quat
        )
        body.gravcomp = 1.0
        joint = f"{arm.name}/joint{i}"
        body.add_joint(
            name=joint,
            type=mujoco.mjtJoint.mjJNT_HINGE,
            axis=link.axis,
            armature=0.08,
            range=tuple(degrees(v) for v in link.range),
            limited=mujoco.mjtLimited.mjLIMITED_TRUE,
        )
        num_collision_geoms = max(1, sum(g.collide for g in link.geoms))
        for geom in link.geoms:
            geom_mass = link.mass / num_collision_geoms if geom.collide else 0.0
            _add_geom(body, geom, robot.colour, bit, mask, OBJECT_FRICTION, mass=geom_mass)
        _add_position_servo(spec, joint, link.stiffness, link.damping, link.max_torque)
    _add_gripper(spec, body, arm, bit, mask)


def _add_gripper(spec: mujoco.MjSpec, hand: mujoco.MjsBody, arm: ArmModel, bit: int, mask: int) -> None:
    gripper = arm.gripper
    tool = make_pose(arm.tool_pos, arm.tool_quat)
    hand.add_site(name=f"{arm.name}/tool", pos=tool[:3], quat=tool[3:], size=[0.002] * 3, rgba=(0, 0, 0, 0))
    half_thickness, half_length = gripper.pad_half_size[1], gripper.pad_half_size[2]
    for k, side in enumerate((1.0, -1.0)):
        finger = hand.add_body(name=f"{arm.name}/finger{k}", pos=tool[:3], quat=tool[3:])
        finger.gravcomp = 1.0
        joint = f"{arm.name}/finger{k}"
        finger.add_joint(
            name=joint,
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=(0, side, 0),
            armature=0.05,
            range=(0.0, gripper.stroke),
            limited=mujoco.mjtLimited.mjLIMITED_TRUE,
            damping=[gripper.damping, 0, 0],
        )
        pad = Geom(
            "box",
            gripper.pad_half_size,
            (0, side * half_thickness, gripper.tip_offset - half_length),
            colour=FINGER_PAD_COLOUR,
        )
        _add_geom(finger, pad, FINGER_PAD_COLOUR, bit, mask, PAD_FRICTION, mass=0.1, condim=4, priority=1)
        # the damping is the joint's own: inside the limited force it would vanish where the servo squeezes hardest,
        # and what is held would drift from finger to finger
        _add_position_servo(spec, joint, gripper.stiffness, 0.0, gripper.force)
    # real fingers are geared together; without that, what is wide slides sideways between two saturated servos
    spec.add_equality(
        type=mujoco.mjtEq.mjEQ_JOINT,
        objtype=mujoco.mjtObj.mjOBJ_JOINT,
        name1=f"{arm.name}/finger0",
        name2=f"{arm.name}/finger1",
        data=[0.0, 1.0, *[0.0] * 10],
        solref=STIFF_SOLREF,
        solimp=FINGER_COUPLING_SOLIMP,
    )


def _add_position_servo(spec: mujoco.MjSpec, joint: str, stiffness: float, damping: float, max_force: float) -> None:
    """Add a position servo with an integrated target: force = stiffness·(target - q) - damping·q̇, within ±max_force.

    The control is the target's rate of change; the target is a state of the model (`act`), updated before the force is
    computed. So a target ramps within a control period in one native call, and snapshots hold it.
    """
    servo = spec.add_actuator(name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    servo.dyntype, servo.actearly = mujoco.mjtDyn.mjDYN_INTEGRATOR, True
    servo.gaintype, servo.biastype = mujoco.mjtGain.mjGAIN_FIXED, mujoco.mjtBias.mjBIAS_AFFINE
    servo.gainprm[0] = stiffness
    servo.biasprm[1], servo.biasprm[2] = -stiffness, -damping
    servo.forcerange, servo.forcelimited = (-max_force, max_force), mujoco.mjtLimited.mjLIMITED_TRUE


GEOM_TYPES = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
}


def _add_geom(
    body: mujoco.MjsBody,
    geom: Geom,
    colour: Vector,
    bit: int,
    mask: int,
    friction: Vector,
    mass: float = 0.05,
    condim: int = 3,
    priority: int = 0,
) -> None:
    mujoco_geom = body.add_geom(
        type=GEOM_TYPES[geom.type],
        rgba=(*(geom.colour or colour), 1),
        contype=bit if geom.collide else 0,
        conaffinity=mask if geom.collide else 0,
        friction=SMOOTH_FRICTION if geom.smooth else friction,
        condim=condim,
        priority=2 if geom.smooth else priority,
        solref=GENTLE_SOLREF if geom.smooth else STIFF_SOLREF,
        solimp=FIRM_SOLIMP if priority else SOFT_SOLIMP,
        mass=mass,
    )
    size = np.zeros(3)
    size[: len(geom.size)] = geom.size
    mujoco_geom.size = size
    if geom.ends:
        mujoco_geom.fromto = np.concatenate([np.array(end, float) for end in geom.ends])
    else:
        mujoco_geom.pos, mujoco_geom.quat = geom.pos, geom.quat
