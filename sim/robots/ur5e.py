"""ur5e: one Universal Robots UR5e behind the table with a parallel gripper of 85 mm (as Robotiq's 2F-85).

Denavit-Hartenberg parameters, masses, torques and joint ranges as published by the makers. With all joints at zero the
arm lies stretched out along -x of its base; every joint turns about z of its link.
"""

from math import pi, radians

from sim.embodiment.model import ArmModel, Camera, Embodiment, Geom, Gripper, Link, Quaternion, Vector

ALUMINIUM: Vector = (0.72, 0.74, 0.76)
JOINT_BLUE: Vector = (0.36, 0.55, 0.70)
BLACK: Vector = (0.13, 0.13, 0.14)

SQRT_HALF = 0.7071067811865476
STRAIGHT: Quaternion = (1.0, 0.0, 0.0, 0.0)
ROTATE_X_PLUS_90_DEG: Quaternion = (SQRT_HALF, SQRT_HALF, 0.0, 0.0)
ROTATE_X_MINUS_90_DEG: Quaternion = (SQRT_HALF, -SQRT_HALF, 0.0, 0.0)
ROTATE_Z_MINUS_90_DEG: Quaternion = (SQRT_HALF, 0.0, 0.0, -SQRT_HALF)
Z_AXIS: Vector = (0.0, 0.0, 1.0)

D1, A2, A3, D4, D5, D6 = 0.1625, -0.425, -0.3922, 0.1333, 0.0997, 0.0996  # metres
UPPER_ARM_Z, FOREARM_Z = 0.138, 0.007  # how far beside their joints' origins the two tubes run
FULL_TURN, HALF_TURN = (-2 * pi, 2 * pi), (-pi, pi)
PALM_Z = D6 + 0.095  # where the body of the gripper ends and the fingers begin
TOOL_Z = D6 + 0.150  # the fingertips reach 162 mm beyond the flange


def make_capsule(a: Vector, b: Vector, radius: float, colour: Vector = ALUMINIUM) -> Geom:
    """Capsule from a to b."""
    return Geom("capsule", (radius,), ends=(a, b), colour=colour)


UR5E_LINKS = (
    Link(
        (0, 0, 0),
        Z_AXIS,
        FULL_TURN,
        (make_capsule((0, 0, 0.08), (0, 0, D1), 0.06, JOINT_BLUE),),
        mass=3.761,
        max_torque=150,
        stiffness=2500,
        damping=150,
    ),
    Link(
        (0, 0, D1),
        Z_AXIS,
        FULL_TURN,
        (
            make_capsule((0, 0, 0.03), (0, 0, UPPER_ARM_Z), 0.058, JOINT_BLUE),
            make_capsule((0, 0, UPPER_ARM_Z), (A2, 0, UPPER_ARM_Z), 0.05),
            make_capsule((A2, 0, UPPER_ARM_Z), (A2, 0, 0.03), 0.048, JOINT_BLUE),
        ),
        ROTATE_X_PLUS_90_DEG,
        mass=8.058,
        max_torque=150,
        stiffness=2500,
        damping=150,
    ),
    Link(
        (A2, 0, 0),
        Z_AXIS,
        HALF_TURN,
        (make_capsule((0, 0, FOREARM_Z), (A3, 0, FOREARM_Z), 0.04),),
        mass=2.846,
        max_torque=150,
        stiffness=2500,
        damping=150,
    ),
    Link(
        (A3, 0, 0),
        Z_AXIS,
        FULL_TURN,
        (make_capsule((0, 0, 0.03), (0, 0, D4), 0.037, JOINT_BLUE),),
        mass=1.37,
        max_torque=28,
        stiffness=800,
        damping=50,
    ),
    Link(
        (0, 0, D4),
        Z_AXIS,
        FULL_TURN,
        (make_capsule((0, 0, 0), (0, 0, D5), 0.037, JOINT_BLUE),),
        ROTATE_X_PLUS_90_DEG,
        mass=1.3,
        max_torque=28,
        stiffness=800,
        damping=50,
    ),
    Link(
        (0, 0, D5),
        Z_AXIS,
        FULL_TURN,
        (
            Geom("cylinder", (0.0375,), ends=((0, 0, 0.03), (0, 0, D6)), colour=ALUMINIUM),
            Geom("cylinder", (0.0375,), ends=((0, 0, D6), (0, 0, D6 + 0.06)), colour=BLACK),
            Geom("box", (0.018, 0.055, (PALM_Z - D6 - 0.055) / 2), (0, 0, (PALM_Z + D6 + 0.055) / 2), colour=BLACK),
        ),
        ROTATE_X_MINUS_90_DEG,
        mass=1.29,  # with the body of the gripper
        max_torque=28,
        stiffness=500,
        damping=30,
    ),
)

ROBOT = Embodiment(
    name="ur5e",
    arms=(
        ArmModel(
            name="arm",
            base_pos=(0.0, -0.55, 0.80),
            base_quat=ROTATE_Z_MINUS_90_DEG,
            base_geoms=(
                Geom("cylinder", (0.075, 0.04), (0, 0, 0.04), colour=ALUMINIUM),
                Geom("box", (0.1, 0.1, 0.4), (0, 0, -0.4), colour=BLACK, collide=False),
            ),
            links=UR5E_LINKS,
            tool_pos=(0, 0, TOOL_Z),
            tool_quat=STRAIGHT,
            gripper=Gripper(stroke=0.0425, pad_half_size=(0.011, 0.007, 0.033), tip_offset=0.012),
            home=(-0.30, -1.71, 1.80, -1.66, -pi / 2, -1.87),
            shoulder_pos=(0.0, -0.55, 0.80 + D1),
        ),
    ),
    cameras=(
        # in front of the robot: from behind, the arm would hide the table
        Camera("head", (0.0, 0.42, 1.42), (0, -0.6, -0.8), (0, -0.8, 0.6), radians(60)),
        Camera("wrist", (-0.075, 0, D6 + 0.03), (0.28, 0, 0.96), (0.96, 0, -0.28), radians(60), arm="arm"),
    ),
    colour=ALUMINIUM,
)
