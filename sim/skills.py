"""The vocabulary of motion: skills as generators over an actor's hands. No skill knows a task."""

from __future__ import annotations

from collections.abc import Callable
from math import pi

import numpy as np

from sim.expert.actor import Actor, Failed, Hand, Motion, back, together, upward
from sim.geometry import Array, about, apply, compose, from_axes, invert, multiply, pose, rotate
from sim.spec import Skill, SpecError

SKILLS: dict[str, Callable[..., Motion]] = {}
TURNS = 12  # yaws tried where the task leaves yaw free


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
def pick(actor: Actor, arm: str, obj: str, grasp: str, pre: float = 0.1, lift: float = 0.08, at: float = 0.0) -> Motion:
    """Take hold of an object by a named grasp (`at` metres further up) and lift it."""
    hand = actor.hand(arm)
    tools, opening = _grasps(actor, obj, grasp, at)
    best, q = hand.choose(tools, back(pre), upward(tools[0], lift))
    tool = tools[best]
    before = hand.path(compose(tool, back(pre))[None], q)[0]
    yield from together(hand.go(before), hand.grip(opening))
    yield from hand.line(tool)
    yield from hand.rest()
    yield from hand.grip(0.0)
    if not hand.touches(obj):
        yield from _let_go(hand, pre)
        raise Failed(f"the fingers missed {obj}")
    if lift > 0:
        height = actor.copy.body_pose(obj)[2]
        yield from hand.line(compose(tool, upward(tool, lift)))
        if actor.copy.body_pose(obj)[2] < height + lift / 2:
            yield from _let_go(hand, 0.0)
            raise Failed(f"{obj} slipped")


@skill
def carry(actor: Actor, arm: str, obj: str, point: str, to: tuple[float, float, float]) -> Motion:
    """Move a held object until its point is at a place in the world, upright, at any yaw."""
    hand = actor.hand(arm)
    target = pose(to)
    tools = _carriers(actor, hand, obj, point, target)
    _, q = hand.choose(tools)
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
    above = pose(spot[:3] + (0, 0, pre))
    tools = _carriers(actor, hand, obj, point, above)
    best, q = hand.choose(tools, upward(tools[0], stop - pre))
    yield from hand.go(q, pace=0.8)
    yield from hand.rest()
    # where the object hangs in the fingers now is what counts for setting it down
    yaw = multiply(tools[best][3:], actor.held_in(hand, obj)[3:])
    down = _carriers(actor, hand, obj, point, pose(spot[:3] + (0, 0, stop)), yaw)[0]
    yield from hand.line(down, pace=0.6)
    yield from hand.rest()
    yield from hand.grip(1.0)
    yield from hand.line(compose(hand.chain.tool(hand.q), back(retreat)))


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
def press(actor: Actor, arm: str, point: str, above: float = 0.1, depth: float = 0.004) -> Motion:
    """Push a point from above with the tips of the closed fingers, and come up again."""
    hand = actor.hand(arm)
    target = actor.copy.point(point)
    tip = hand.model.gripper.tip
    yaws = [k * pi / TURNS for k in range(2 * TURNS)]
    tools = np.stack([pose(target[:3] + (0, 0, tip - depth), from_axes((0, 0, -1), (np.cos(a), np.sin(a), 0))) for a in yaws])
    best, q = hand.choose(tools, back(above))
    over = hand.path(compose(tools[best], back(above))[None], q)[0]
    yield from together(hand.go(over), hand.grip(0.0))
    yield from hand.line(tools[best], pace=0.8)
    yield from hand.rest()
    yield from hand.line(compose(tools[best], back(above)), pace=0.8)


@skill
def turn(actor: Actor, arm: str, joint: str, grasp: str, to: float, pre: float = 0.08) -> Motion:
    """Hold a hinged part and lead it along its arc until the joint has come to a fraction `to` of its range."""
    hand, copy = actor.hand(arm), actor.copy
    obj, _, name = joint.partition(".")
    hinge = next(h for h in copy.layout.forms[obj].hinges if h.joint == name)
    low, high = hinge.range
    goal = low + to * (high - low)
    part, options = copy.layout.forms[obj].grasps[grasp]
    frame = compose(copy.body_pose(obj), pose(hinge.pos))

    def at(angle: float, local: Array) -> Array:
        return compose(compose(frame, pose((0, 0, 0), about(hinge.axis, np.array(angle)))), local)

    def arc(local: Array, first: float) -> Array:
        return np.stack([at(first + (goal - first) * (k + 1) / 10, local) for k in range(10)])

    now = copy.joint(joint)
    locals_ = [variant for option in options for variant in (option.tool, _half_turn(option.tool))]
    tools = np.stack([at(now, local) for local in locals_])
    q, cost = hand.chain.candidates(tools, hand.q)
    for i in np.argsort(cost, kind="stable"):
        if not np.isfinite(cost[i]):
            raise Failed(f"no way to turn {joint}")
        try:
            before = hand.path(compose(tools[i], back(pre))[None], q[i])[0]
            hand.path(arc(locals_[i], now), q[i])
        except Failed:
            continue
        break
    yield from together(hand.go(before), hand.grip(options[0].opening))
    yield from hand.line(tools[i])
    yield from hand.rest()
    yield from hand.grip(0.0)
    if not hand.touches(f"{obj}.{part}"):
        yield from _let_go(hand, pre)
        raise Failed(f"the fingers missed {obj}.{part}")
    held = compose(invert(at(copy.joint(joint), pose((0, 0, 0)))), hand.tool)
    yield from hand.follow(arc(held, copy.joint(joint)), pace=0.8)
    yield from hand.rest()


def _let_go(hand: Hand, retreat: float) -> Motion:
    yield from hand.grip(1.0)
    if retreat > 0:
        yield from hand.line(compose(hand.chain.tool(hand.q), back(retreat)))


def _half_turn(tool: Array) -> Array:
    """Return the same grasp with the fingers exchanged."""
    return compose(tool, pose((0, 0, 0), (0, 0, 0, 1)))


def _grasps(actor: Actor, obj: str, grasp: str, at: float) -> tuple[Array, float]:
    """Return all tool poses (c 7) in the world of a named grasp, and the opening to come with."""
    forms = actor.copy.layout.forms
    if grasp not in forms[obj].grasps:
        raise SpecError(f"{obj} has no grasp {grasp!r}; valid: {', '.join(forms[obj].grasps)}")
    part, options = forms[obj].grasps[grasp]
    body = compose(actor.copy.body_pose(f"{obj}.{part}" if part else obj), pose((0, 0, at)))
    tools = [compose(body, variant) for option in options for variant in (option.tool, _half_turn(option.tool))]
    return np.stack(tools), options[0].opening


def _carriers(actor: Actor, hand: Hand, obj: str, point: str, target: Array, turned: Array | None = None) -> Array:
    """Return tool poses (c 7) that bring the held object's point to `target`, upright, over all yaws or at one."""
    held = actor.held_in(hand, obj)
    local = actor.copy.layout.forms[obj].points[point][1]
    now = actor.copy.body_pose(obj)[3:]
    heading = rotate(now if turned is None else turned, (1.0, 0.0, 0.0))
    yaw = np.arctan2(heading[1], heading[0])
    yaws = [yaw] if turned is not None else [yaw + 2 * pi * k / TURNS for k in range(TURNS)]
    upright = [about((0, 0, 1), np.array(a)) for a in yaws]
    bodies = [pose(target[:3] - apply(pose((0, 0, 0), u), local[:3]), u) for u in upright]
    return np.stack([compose(body, invert(held)) for body in bodies])
