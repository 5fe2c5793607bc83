"""The vocabulary of motion: skills as generators over an actor's hands. No skill knows a task."""

from __future__ import annotations

from collections.abc import Callable
from math import pi

import numpy as np

from sim.embodiment import Vector
from sim.expert.actor import Actor, Failed, Hand, Motion, above, behind, together
from sim.geometry import Array, about, compose, from_axes, invert, multiply, pose, rotate
from sim.scene.forms import Grasp
from sim.spec import Skill, SpecError

SKILLS: dict[str, Callable[..., Motion]] = {}
TURNS = 12  # yaws tried where the task leaves yaw free
ARC_KNOTS = 10
ARC_SHARES = (1.0, 0.7, 0.4)  # how much of a part's turn the tool itself makes, the firmest first


def skill(function: Callable[..., Motion]) -> Callable[..., Motion]:
    """Register a skill under its function's name."""
    SKILLS[function.__name__] = function
    return function


def start(item: Skill, actor: Actor) -> Motion:
    """Return the motion of a skill and of those alongside; `SpecError` names an unknown skill or keyword."""
    if item.name not in SKILLS:
        raise SpecError(f"unknown skill {item.name!r}; valid: {', '.join(sorted(SKILLS))}")
    try:
        motion = SKILLS[item.name](actor, **item.args)
    except TypeError as error:
        raise SpecError(f"skill {item.name!r}: {error}") from error
    return together(motion, *(start(other, actor) for other in item.alongside)) if item.alongside else motion


@skill
def pick(
    actor: Actor, arm: str, obj: str, grasp: str, pre: float = 0.1, lift: float = 0.08, at: float = 0.0, then: str = ""
) -> Motion:
    """Take hold of an object by a named grasp (`at` metres further up) and lift it.

    `then` is where it is to go: a grasp that could not set it down there is not taken.
    """
    hand = actor.hand(arm)
    tools, options = _grasps(actor, obj, grasp, at)
    penalty = np.array([option.cost for option in options])

    def fits(tool: Array, q: Array) -> bool:
        held = compose(invert(tool), actor.copy.body_pose(obj))
        goals = _carriers(actor, obj, held, "bottom", _raised(actor.copy.point(then), pre))
        return bool(hand.chain.solve(goals, np.tile(q, (len(goals), 1)))[1].any())

    best, (q, before, high) = hand.choose(tools, behind(pre), above(lift), penalty=penalty, fits=fits if then else None)
    tool = tools[best]
    yield from together(hand.go(before), hand.grip(options[best].opening))
    yield from hand.line(tool, end=q)
    yield from hand.rest()
    yield from hand.grip(0.0)
    if not hand.touches(obj):
        yield from _let_go(hand, pre)
        raise Failed(f"the fingers missed {obj}")
    if lift > 0:
        height = actor.copy.body_pose(obj)[2]
        yield from hand.line(above(lift)(tool), end=high)
        if actor.copy.body_pose(obj)[2] < height + lift / 2:
            yield from _let_go(hand, 0.0)
            raise Failed(f"{obj} slipped")


@skill
def carry(actor: Actor, arm: str, obj: str, point: str, to: tuple[float, float, float]) -> Motion:
    """Move a held object until its point is at a place in the world, upright, at any yaw."""
    hand = actor.hand(arm)
    tools = _carriers(actor, obj, actor.held_in(hand, obj), point, np.array(to))
    _, (q,) = hand.choose(tools)
    yield from hand.go(q, pace=0.8)
    yield from hand.rest()


@skill
def place(
    actor: Actor, arm: str, obj: str, point: str, on: str, pre: float = 0.05, retreat: float = 0.08, stop: float = 0.002
) -> Motion:
    """Set a held object's point on a point of another, open and draw back along the approach."""
    hand = actor.hand(arm)
    if not hand.touches(obj):
        raise Failed(f"{obj} is not in the hand")
    spot = actor.copy.point(on)
    tools = _carriers(actor, obj, actor.held_in(hand, obj), point, _raised(spot, pre))
    best, (q, _) = hand.choose(tools, above(stop - pre))
    yield from hand.go(q, pace=0.8)
    yield from hand.rest()
    # where the object hangs in the fingers now is what counts for setting it down
    held = actor.held_in(hand, obj)
    yaw = _yaw(multiply(tools[best][3:], held[3:]))
    yield from hand.line(_carriers(actor, obj, held, point, _raised(spot, stop), yaw)[0], pace=0.6)
    yield from hand.rest()
    yield from hand.grip(1.0)
    yield from hand.retreat(retreat)


@skill
def release(actor: Actor, arm: str, retreat: float = 0.08) -> Motion:
    """Open the gripper and draw back along its approach."""
    yield from _let_go(actor.hand(arm), retreat)


@skill
def home(actor: Actor, arm: str) -> Motion:
    """Return an arm to its start, gripper open."""
    hand = actor.hand(arm)
    yield from hand.grip(1.0)
    yield from hand.go(hand.chain.home)


@skill
def press(actor: Actor, arm: str, point: str, pre: float = 0.1, depth: float = 0.004) -> Motion:
    """Push a point from above with the tips of the closed fingers, and come up again."""
    hand = actor.hand(arm)
    target = actor.copy.point(point)
    tip = hand.model.gripper.tip
    yaws = [k * pi / TURNS for k in range(2 * TURNS)]
    touch = _raised(target, tip - depth)
    tools = np.stack([pose(touch, from_axes((0, 0, -1), (np.cos(a), np.sin(a), 0))) for a in yaws])
    best, (q, over) = hand.choose(tools, behind(pre))
    yield from together(hand.go(over), hand.grip(0.0))
    yield from hand.line(tools[best], pace=0.8, end=q)
    yield from hand.rest()
    yield from hand.line(behind(pre)(tools[best]), pace=0.8, end=over)


@skill
def turn(actor: Actor, arm: str, joint: str, grasp: str, to: float, pre: float = 0.08) -> Motion:
    """Hold a hinged part and lead it along its arc until the joint has come to a fraction `to` of its range."""
    hand, copy = actor.hand(arm), actor.copy
    obj, _, name = joint.partition(".")
    hinge = next(h for h in copy.layout.forms[obj].hinges if h.joint == name)
    tools, options = _grasps(actor, obj, grasp, 0.0)
    frame = compose(copy.body_pose(obj), pose(hinge.pos))
    now = copy.joint(joint)
    goal = hinge.range[0] + to * (hinge.range[1] - hinge.range[0])
    angles = np.linspace(now, goal, ARC_KNOTS + 1)[1:] - now
    paths: dict[int, Array] = {}

    def fits(tool: Array, q: Array) -> bool:
        for share in ARC_SHARES:
            try:
                paths[0] = hand.path(_arc(frame, hinge.axis, tool, angles, share), q)
            except Failed:
                continue
            return True
        return False

    penalty = np.array([option.cost for option in options])
    best, (q, before) = hand.choose(tools, behind(pre), penalty=penalty, fits=fits)
    yield from together(hand.go(before), hand.grip(options[best].opening))
    yield from hand.line(tools[best], end=q)
    yield from hand.rest()
    yield from hand.grip(0.0)
    part = copy.layout.forms[obj].grasps[grasp][0]
    if not hand.touches(f"{obj}.{part}"):
        yield from _let_go(hand, pre)
        raise Failed(f"the fingers missed {obj}.{part}")
    yield from hand.through(paths[0], pace=0.7)
    yield from hand.rest()
    if copy.joint(joint) < goal - 0.15 * (goal - now):
        yield from _let_go(hand, pre)
        raise Failed(f"{joint} slipped away")


def _arc(frame: Array, axis: Vector, tool: Array, angles: Array, share: float) -> Array:
    """Return tool poses (k 7) carried by a part that turns by `angles` (k,) about `axis` of `frame`.

    The tool itself turns by a `share` of that, pivoting on what it holds.
    """
    local = compose(invert(frame), tool)
    carried = [compose(compose(frame, pose((0, 0, 0), about(axis, np.array(a)))), local)[:3] for a in angles]
    turned = [
        compose(compose(frame, pose((0, 0, 0), about(axis, np.array(share * a)))), local)[3:] for a in angles
    ]
    return np.concatenate([np.stack(carried), np.stack(turned)], axis=1)


def _let_go(hand: Hand, retreat: float) -> Motion:
    yield from hand.grip(1.0)
    if retreat > 0:
        yield from hand.retreat(retreat)


def _half_turn(tool: Array) -> Array:
    """Return the same grasp with the fingers exchanged."""
    return compose(tool, pose((0, 0, 0), (0, 0, 0, 1)))


def _grasps(actor: Actor, obj: str, grasp: str, at: float) -> tuple[Array, list[Grasp]]:
    """Return all tool poses (c 7) in the world of a named grasp, and the option behind each."""
    forms = actor.copy.layout.forms
    if grasp not in forms[obj].grasps:
        raise SpecError(f"{obj} has no grasp {grasp!r}; valid: {', '.join(forms[obj].grasps)}")
    part, options = forms[obj].grasps[grasp]
    body = compose(actor.copy.body_pose(f"{obj}.{part}" if part else obj), pose((0, 0, at)))
    pairs = [(compose(body, tool), option) for option in options for tool in (option.tool, _half_turn(option.tool))]
    return np.stack([tool for tool, _ in pairs]), [option for _, option in pairs]


def _carriers(actor: Actor, obj: str, held: Array, point: str, target: Array, yaw: float | None = None) -> Array:
    """Return tool poses (c 7) that bring a held object's point to `target` (3,), upright, over all yaws or at one.

    `held` is tool_from_object (7,).
    """
    local = actor.copy.layout.forms[obj].points[point][1]
    first = _yaw(actor.copy.body_pose(obj)[3:]) if yaw is None else yaw
    yaws = [first + 2 * pi * k / TURNS for k in range(TURNS if yaw is None else 1)]
    upright = [about((0, 0, 1), np.array(a)) for a in yaws]
    bodies = [pose(target - rotate(u, local[:3]), u) for u in upright]
    return np.stack([compose(body, invert(held)) for body in bodies])


def _raised(point: Array, height: float) -> Array:
    """Return the position (3,) `height` above a point (3,) or pose (7,)."""
    return point[:3] + np.array([0.0, 0.0, height])


def _yaw(quaternion: Array) -> float:
    heading = rotate(quaternion, (1.0, 0.0, 0.0))
    return float(np.arctan2(heading[1], heading[0]))
