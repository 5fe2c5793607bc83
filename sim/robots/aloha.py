"""aloha: two six-joint arms side by side, facing the table (dimensions of the AgileX Cobot Magic arms, published).

Joint axes from base to flange are Z Y Y Y Z X; with all joints at zero the arm is folded over itself
with the gripper pointing forward.
"""

from math import pi, radians

from sim.embodiment.model import ArmModel, Camera, Embodiment, Geom, Gripper, Link, Side, Vector

DARK_LINK_COLOUR: Vector = (0.16, 0.16, 0.18)
LIGHT_LINK_COLOUR: Vector = (0.75, 0.76, 0.78)

FACING_Y_QUATERNION = (0.7071067811865476, 0.0, 0.0, 0.7071067811865476)  # the arm's x along the world's y


def make_capsule(a: Vector, b: Vector, radius: float, colour: Vector = LIGHT_LINK_COLOUR) -> Geom:
    """Return a capsule from a to b."""
    return Geom("capsule", (radius,), ends=(a, b), colour=colour)


ALOHA_LINKS = (
    Link(
        (0, 0, 0.058),
        (0, 0, 1),
        (-2.6, 2.6),
        (make_capsule((0, 0, 0), (0.025, 0, 0.042), 0.04, DARK_LINK_COLOUR),),
        mass=0.8,
    ),
    Link(
        (0.025, 0, 0.042),
        (0, 1, 0),
        (0.0, 3.6),
        (
            make_capsule((0, -0.03, 0), (0, 0.03, 0), 0.036, DARK_LINK_COLOUR),
            make_capsule((0, 0, 0), (-0.264, 0, 0), 0.028),
            make_capsule((-0.264, -0.025, 0), (-0.264, 0.025, 0), 0.034, DARK_LINK_COLOUR),
        ),
        mass=1.2,
    ),
    Link((-0.264, 0, 0), (0, -1, 0), (0.0, 3.2), (make_capsule((0.02, 0, 0.03), (0.246, 0, 0.06), 0.026),), mass=0.9),
    Link(
        (0.246, 0, 0.06),
        (0, -1, 0),
        (-1.7, 1.7),
        (make_capsule((0, 0, 0), (0.068, 0, 0), 0.03, DARK_LINK_COLOUR),),
        mass=0.5,
    ),
    Link((0.068, 0, 0), (0, 0, 1), (-1.6, 1.6), (make_capsule((0, 0, 0), (0.031, 0, 0), 0.027),), mass=0.3),
    Link(
        (0.031, 0, 0),
        (1, 0, 0),
        (-pi, pi),
        (
            Geom("cylinder", (0.028,), ends=((0, 0, 0), (0.03, 0, 0)), colour=DARK_LINK_COLOUR),
            Geom("box", (0.016, 0.06, 0.02), (0.044, 0, 0), colour=DARK_LINK_COLOUR),
        ),
        mass=0.3,
        stiffness=600,
        damping=35,
    ),
)


def make_arm(side: Side, base: Vector, shoulder: Vector) -> ArmModel:
    """One of the two arms, named after its side, standing at `base` (world frame)."""
    return ArmModel(
        name=side,
        base_pos=base,
        base_quat=FACING_Y_QUATERNION,
        base_geoms=(
            Geom("cylinder", (0.05, 0.03), (0, 0, 0.03), colour=DARK_LINK_COLOUR),
            Geom("box", (0.08, 0.08, 0.39), (0, 0, -0.392), colour=(0.3, 0.3, 0.33), collide=False),
        ),
        links=ALOHA_LINKS,
        tool_pos=(0.12, 0, 0),
        tool_quat=(0.7071067811865476, 0, 0.7071067811865476, 0),  # z of the tool along the flange's x
        gripper=Gripper(stroke=0.045, pad_half_size=(0.011, 0.006, 0.03), tip_offset=0.012),
        home=(0.0,) * 6,
        shoulder_pos=shoulder,
        side=side,
    )


def make_wrist_camera(name: str) -> Camera:
    """Return the camera above the gripper of an arm, looking over the fingers."""
    return Camera(f"{name}_wrist", (0.04, 0.0, 0.085), (0.82, 0, -0.57), (0.57, 0, 0.82), radians(60), arm=name)


ROBOT = Embodiment(
    name="aloha",
    arms=(
        make_arm("left", (-0.297, -0.42, 0.782), shoulder=(-0.30, -0.42, 0.84)),
        make_arm("right", (0.306, -0.42, 0.781), shoulder=(0.30, -0.42, 0.84)),
    ),
    cameras=(
        # wide enough for every spawn region in a square picture; a D435 sees 69°
        Camera("head", (-0.032, -0.45, 1.35), (0, 0.6, -0.8), (0, 0.8, 0.6), radians(60)),
        make_wrist_camera("left"),
        make_wrist_camera("right"),
    ),
    colour=LIGHT_LINK_COLOUR,
)
