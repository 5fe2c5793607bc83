"""piper: two AgileX PiPER arms side by side, facing the table, each with the maker's large gripper (100 mm).

Modified Denavit-Hartenberg parameters, joint ranges, speeds and masses as published by the maker. With all joints at
zero an arm is folded over itself with the gripper pointing forward; every joint turns about z of its link.
"""

from math import cos, pi, radians, sin

from sim.embodiment.model import ArmModel, Camera, Embodiment, Geom, Gripper, Link, Quaternion, Side, Vector

SILVER: Vector = (0.79, 0.82, 0.86)
GRAPHITE: Vector = (0.17, 0.18, 0.20)

Z_AXIS: Vector = (0.0, 0.0, 1.0)
FACING_Y_QUATERNION: Quaternion = (0.7071067811865476, 0.0, 0.0, 0.7071067811865476)  # the arm's x along the world's y
UPPER_ARM, ELBOW_OFFSET, FOREARM, WRIST = 0.28503, -0.02198, 0.25075, 0.091  # metres
PALM_Z, FINGERTIP_Z = 0.070, 0.1358  # beyond the flange: where the fingers begin, and where they end


def make_capsule(a: Vector, b: Vector, radius: float, colour: Vector = SILVER) -> Geom:
    """Capsule from a to b."""
    return Geom("capsule", (radius,), ends=(a, b), colour=colour)


def twist(alpha: float, zero: float = 0.0) -> Quaternion:
    """Orientation of a link of twist `alpha` whose joint counts from `zero`: about x, then about z (radians)."""
    a, z = alpha / 2, zero / 2
    return cos(a) * cos(z), sin(a) * cos(z), -sin(a) * sin(z), cos(a) * sin(z)


PIPER_LINKS = (
    Link(
        (0, 0, 0.123),
        Z_AXIS,
        (radians(-154), radians(154)),
        (make_capsule((0, 0, -0.04), (0, 0, 0), 0.04, GRAPHITE),),
        mass=0.71,
    ),
    Link(
        (0, 0, 0),
        Z_AXIS,
        (0.0, radians(195)),
        (
            make_capsule((0, 0, -0.03), (0, 0, 0.03), 0.038, GRAPHITE),
            make_capsule((0, 0, 0), (UPPER_ARM, 0, 0), 0.028),
            make_capsule((UPPER_ARM, 0, -0.025), (UPPER_ARM, 0, 0.025), 0.034, GRAPHITE),
        ),
        twist(-pi / 2, radians(-172.22)),
        mass=1.16,
    ),
    Link(
        (UPPER_ARM, 0, 0),
        Z_AXIS,
        (radians(-175), 0.0),
        (make_capsule((ELBOW_OFFSET, -0.04, 0), (ELBOW_OFFSET, -0.20, 0), 0.028),),
        twist(0.0, radians(-102.78)),
        mass=0.5,
    ),
    Link(
        (ELBOW_OFFSET, -FOREARM, 0),
        Z_AXIS,
        (radians(-106), radians(106)),
        (make_capsule((0, 0, -0.03), (0, 0, 0), 0.03, GRAPHITE),),
        twist(pi / 2),
        mass=0.38,
        stiffness=800,
        damping=50,
    ),
    Link(
        (0, 0, 0),
        Z_AXIS,
        (radians(-75), radians(75)),
        (make_capsule((0, 0, 0), (0, -0.06, 0), 0.028),),
        twist(-pi / 2),
        mass=0.383,
        stiffness=800,
        damping=50,
    ),
    Link(
        (0, -WRIST, 0),
        Z_AXIS,
        (radians(-100), radians(100)),
        (
            Geom("cylinder", (0.028,), ends=((0, 0, 0), (0, 0, 0.04)), colour=GRAPHITE),
            Geom("box", (0.02, 0.06, 0.016), (0, 0, PALM_Z - 0.016), colour=GRAPHITE),
        ),
        twist(pi / 2),
        mass=0.457,  # with the body of the gripper
        stiffness=600,
        damping=35,
    ),
)


def make_arm(side: Side, base: Vector) -> ArmModel:
    """One of the two arms, named after its side, standing at `base` (world frame)."""
    return ArmModel(
        name=side,
        side=side,
        base_pos=base,
        base_quat=FACING_Y_QUATERNION,
        base_geoms=(
            Geom("cylinder", (0.05, 0.035), (0, 0, 0.035), colour=GRAPHITE),
            Geom("box", (0.05, 0.06, 0.49), (-0.04, 0, -0.49), colour=(0.3, 0.3, 0.33), collide=False),
        ),
        links=PIPER_LINKS,
        tool_pos=(0, 0, FINGERTIP_Z - 0.012),
        tool_quat=(1.0, 0.0, 0.0, 0.0),
        gripper=Gripper(stroke=0.05, pad_half_size=(0.011, 0.006, 0.029), tip_offset=0.012),
        home=(0.0, 1.44, -0.34, 0.0, 0.03, 0.0),
        shoulder_pos=(base[0], base[1], base[2] + 0.123),
        ik_starts=((0.36, 2.55, -1.75, -1.54, 0.0, -0.2), (-0.36, 2.45, -1.3, 1.45, 0.3, -0.8)),
    )


def make_wrist_camera(side: Side) -> Camera:
    """Camera above the gripper of an arm, looking over the fingers."""
    return Camera(f"{side}_wrist", (-0.085, 0.0, 0.03), (0.57, 0, 0.82), (-0.82, 0, 0.57), radians(60), arm=side)


ROBOT = Embodiment(
    name="piper",
    arms=(make_arm("left", (-0.30, -0.38, 0.98)), make_arm("right", (0.30, -0.38, 0.98))),
    cameras=(
        Camera("head", (0.0, -0.45, 1.35), (0, 0.6, -0.8), (0, 0.8, 0.6), radians(60)),
        make_wrist_camera("left"),
        make_wrist_camera("right"),
    ),
    colour=SILVER,
)
