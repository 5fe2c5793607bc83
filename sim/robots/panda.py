"""panda: one Franka Emika arm behind the table, facing it (Denavit-Hartenberg parameters and limits as published)."""

from math import pi, radians

from sim.embodiment.model import ArmModel, Camera, Embodiment, Geom, Gripper, Link, Quaternion, Vector

WHITE_LINK_COLOUR: Vector = (0.92, 0.92, 0.93)
GREY_LINK_COLOUR: Vector = (0.35, 0.36, 0.38)

SQRT_HALF = 0.7071067811865476
ROTATE_X_MINUS_90_DEG: Quaternion = (SQRT_HALF, -SQRT_HALF, 0.0, 0.0)  # -90° about x
ROTATE_X_PLUS_90_DEG: Quaternion = (SQRT_HALF, SQRT_HALF, 0.0, 0.0)  # +90° about x
Z_AXIS: Vector = (0.0, 0.0, 1.0)


def make_capsule(a: Vector, b: Vector, radius: float, colour: Vector = WHITE_LINK_COLOUR) -> Geom:
    """Return a capsule from a to b."""
    return Geom("capsule", (radius,), ends=(a, b), colour=colour)


PANDA_LINKS = (
    Link(
        (0, 0, 0.333),
        Z_AXIS,
        (-2.8973, 2.8973),
        (make_capsule((0, 0, -0.18), (0, 0, -0.02), 0.058),),
        mass=3.0,
        max_torque=87,
    ),
    Link(
        (0, 0, 0),
        Z_AXIS,
        (-1.7628, 1.7628),
        (make_capsule((0, 0, -0.05), (0, 0, 0.05), 0.06), make_capsule((0, 0, 0), (0, -0.2, 0), 0.056)),
        ROTATE_X_MINUS_90_DEG,
        mass=3.0,
        max_torque=87,
    ),
    Link(
        (0, -0.316, 0),
        Z_AXIS,
        (-2.8973, 2.8973),
        (
            make_capsule((0, 0, -0.1), (0, 0, -0.03), 0.056),
            make_capsule((0.0825, 0.04, 0), (0.0825, -0.04, 0), 0.054, GREY_LINK_COLOUR),
        ),
        ROTATE_X_PLUS_90_DEG,
        mass=2.5,
        max_torque=87,
    ),
    Link(
        (0.0825, 0, 0),
        Z_AXIS,
        (-3.0718, -0.0698),
        (make_capsule((0, 0, -0.03), (0, 0, 0.03), 0.053), make_capsule((-0.0825, 0.08, 0), (-0.0825, 0.2, 0), 0.05)),
        ROTATE_X_PLUS_90_DEG,
        mass=2.5,
        max_torque=87,
    ),
    Link(
        (-0.0825, 0.384, 0),
        Z_AXIS,
        (-2.8973, 2.8973),
        (make_capsule((0, 0.03, -0.2), (0, 0.05, -0.06), 0.045), make_capsule((0, 0, -0.03), (0, 0, 0.0), 0.05)),
        ROTATE_X_MINUS_90_DEG,
        mass=2.0,
        max_torque=12,
        stiffness=800,
        damping=50,
    ),
    Link(
        (0, 0, 0),
        Z_AXIS,
        (-0.0175, 3.7525),
        (
            make_capsule((0, 0, -0.04), (0, 0, 0.04), 0.045, GREY_LINK_COLOUR),
            make_capsule((0.0, 0, 0), (0.088, 0, 0), 0.044),
        ),
        ROTATE_X_PLUS_90_DEG,
        mass=1.5,
        max_torque=12,
        stiffness=800,
        damping=50,
    ),
    Link(
        (0.088, 0, 0),
        Z_AXIS,
        (-2.8973, 2.8973),
        (
            Geom("cylinder", (0.042,), ends=((0, 0, 0.03), (0, 0, 0.107)), colour=GREY_LINK_COLOUR),
            # the hand is turned by -45° about the flange
            Geom("box", (0.025, 0.1, 0.03), (0, 0, 0.14), (0.9238795325, 0, 0, -0.3826834324)),
        ),
        ROTATE_X_PLUS_90_DEG,
        mass=1.2,
        max_torque=12,
        stiffness=500,
        damping=30,
    ),
)

ROBOT = Embodiment(
    name="panda",
    arms=(
        ArmModel(
            name="arm",
            base_pos=(0.0, -0.55, 0.74),
            base_quat=(SQRT_HALF, 0, 0, SQRT_HALF),
            base_geoms=(
                Geom("cylinder", (0.07, 0.08), (0, 0, 0.08), colour=WHITE_LINK_COLOUR),
                Geom("box", (0.12, 0.12, 0.37), (0, 0, -0.371), colour=GREY_LINK_COLOUR, collide=False),
            ),
            links=PANDA_LINKS,
            tool_pos=(0, 0, 0.107 + 0.1034),
            tool_quat=(0.9238795325112867, 0, 0, -0.3826834323650898),
            gripper=Gripper(stroke=0.04, pad_half_size=(0.011, 0.008, 0.022), tip_offset=0.009),
            home=(0.0, -0.3, 0.0, -2.2, 0.0, 1.9, pi / 4),
            shoulder_pos=(0.0, -0.55, 1.073),
        ),
    ),
    cameras=(
        # in front of the robot: from behind, the arm would hide the table
        Camera("head", (0.0, 0.42, 1.42), (0, -0.6, -0.8), (0, -0.8, 0.6), radians(60)),
        Camera("wrist", (0.047, -0.047, 0.12), (-0.2, 0.2, 0.959), (0.678, -0.678, 0.283), radians(60), arm="arm"),
    ),
    colour=WHITE_LINK_COLOUR,
)
