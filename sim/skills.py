"""The vocabulary of motion: skills as generators over an actor's hands. No skill knows a task.

Places are named points ("cup.bottom"), or `to`: x and y in the world, height above the table's top. `mirror`
names a role: what is said for the right side is mirrored where that role acts on the left.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

from sim.expert.actor import Actor, Dropped, Failed, Hand, Motion, above, behind, moved, together
from sim.expert.goals import Goal, goal_of
from sim.expert.grasps import clear_of_table, grasps
from sim.geometry import Array, about, compose, from_axes, invert, pose, rotate
from sim.scene.forms import Part
from sim.scene.forms.base import lowest
from sim.spec import Skill, SpecError

Vector = tuple[float, float, float]
SKILLS: dict[str, Callable[..., Motion]] = {}
YAWS = 24  # ways to turn a tool about the line that it pushes along
LEANS = (0.0, 0.35, -0.35)  # from that line
PRE = 0.05  # metres before a place
ARC_KNOTS = 10
ARC_SHARES = (1.0, 0.7, 0.4)  # how much of a part's turn the tool itself makes, the firmest first
NOWHERE: tuple[float, ...] = ()


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


def done(item: Skill, actor: Actor) -> bool:
    """Tell whether what a skill is for holds already, as far as its words alone can say."""
    if item.name == "place":
        hands = actor.hands.values()
        return goal_of(item, actor).reached(actor) and not any(hand.holds == item.args["obj"] for hand in hands)
    if item.name == "turn":
        return actor.copy.joint_fraction(str(item.args["joint"])) >= 0.9 * float(str(item.args["to"]))
    return item.name == "home"


@skill
def pick(
    actor: Actor, arm: str, obj: str, grasp: str, pre: float = 0.1, lift: float = 0.08, at: float = 0.0,
    opening: float = 0.0,
) -> Motion:
    """Take hold of an object by a named grasp (`at` metres further up along it) and lift it.

    A grasp that could not do what the plan does next with the object is taken only if there is no other.
    `opening` (0 to 1) overrides the grasp's own.
    """
    hand = actor.hand(arm)
    tools, options = grasps(actor, obj, grasp, at, hand)
    penalty = np.array([option.cost for option in options])
    goals = [goal for item in _uses(actor, arm, obj) for goal in _stages(item, actor)]

    def fits(found: Array, q: Array) -> NDArray[np.bool_]:
        return _lead_on(actor, hand, obj, goals, found, q)

    ways = (behind(pre), above(lift)) if lift else (behind(pre),)
    try:
        best, ends = hand.choose(tools, *ways, penalty=penalty, fits=fits if goals else None)
    except Failed:
        best, ends = hand.choose(tools, *ways, penalty=penalty)
    yield from together(hand.go(ends[1]), hand.grip(opening or options[best].opening))
    yield from hand.line(tools[best], end=ends[0])
    yield from hand.rest()
    yield from hand.grip(0.0)
    if not hand.touches(obj):
        yield from _let_go(hand, pre)
        raise Failed(f"the fingers missed {obj}")
    hand.holds = obj
    if lift > 0:
        height = actor.copy.body_pose(obj)[2]
        yield from hand.line(above(lift)(tools[best]), end=ends[2])
        if actor.copy.body_pose(obj)[2] < height + lift / 2:
            yield from _let_go(hand, 0.0)
            raise Failed(f"{obj} slipped")


@skill
def carry(
    actor: Actor, arm: str, obj: str, point: str = "bottom", on: str = "", to: tuple[float, ...] = NOWHERE,
    up: Vector = (0.0, 0.0, 1.0), yaw: tuple[float, ...] = (), offset: Vector = (0.0, 0.0, 0.0), mirror: str = "",
    straight: bool = False, flip: bool = False,
) -> Motion:
    """Bring a held object's point to a place, its z axis along `up` (or the z of `on`), turned by one of `yaw` or any.

    `straight`: along a line, else as the joints like.
    """
    hand = actor.hand(arm)
    _must_hold(actor, hand, obj)
    goal = Goal(obj, point, on, to, up, yaw, offset, mirror, flip)
    tools = compose(goal.poses(actor), invert(actor.held_in(hand, obj)))
    best, (q,) = hand.choose(tools)
    if straight:
        yield from hand.line(tools[best], pace=0.8, end=q)
    else:
        yield from hand.go(q, pace=0.8)
    yield from hand.rest()
    _must_hold(actor, hand, obj)


@skill
def place(
    actor: Actor, arm: str, obj: str, point: str = "bottom", on: str = "", to: tuple[float, ...] = NOWHERE,
    up: Vector = (0.0, 0.0, 1.0), yaw: tuple[float, ...] = (), offset: Vector = (0.0, 0.0, 0.0), mirror: str = "",
    flip: bool = False, pre: float = PRE, stop: float = 0.002, retreat: float = 0.08, hold: bool = False,
    opening: float = 1.0, slow: float = 0.6,
) -> Motion:
    """Set a held object's point on a place from `pre` before it, along the place's z axis; open and draw back.

    `stop`: how far before the place it ends; `hold`: keep it in the fingers. `yaw`, `up`, … as in `carry`.
    """
    hand = actor.hand(arm)
    _must_hold(actor, hand, obj)
    goal = Goal(obj, point, on, to, up, yaw, offset, mirror, flip)
    out = goal.axis(actor)
    bodies = goal.poses(actor)
    before = compose(moved(pre * out)(bodies), invert(actor.held_in(hand, obj)))
    best, (q, _) = hand.choose(before, moved((stop - pre) * out))
    yield from hand.go(q, pace=0.8)
    yield from hand.rest()
    _must_hold(actor, hand, obj)
    # where the object hangs in the fingers now is what counts for setting it down
    last = compose(moved(stop * out)(bodies[best]), invert(actor.held_in(hand, obj)))
    yield from hand.line(last, pace=slow)
    yield from hand.rest()
    if not hold:
        hand.holds = ""
        yield from hand.grip(opening)
        yield from hand.grip(1.0) if opening < 1.0 else iter(())
        yield from hand.retreat(retreat)


@skill
def move(
    actor: Actor, by: Vector, arm: str = "", arms: tuple[str, ...] = (), mirror: str = "", pace: float = 0.8
) -> Motion:
    """Move the tool of one arm, or of several in phase, straight by a vector (metres, world)."""
    sign = actor.copy.side(mirror) if mirror else 1.0
    step = np.array(by) * (sign, 1.0, 1.0)
    hands = [actor.hand(role) for role in arms or (arm,)]
    paths = [hand.path(hand.straight(tool := hand.chain.tool(hand.q), moved(step)(tool))) for hand in hands]
    seconds = max(hand.duration(path, pace) for hand, path in zip(hands, paths, strict=True))
    yield from together(*(hand.through(path, pace, seconds) for hand, path in zip(hands, paths, strict=True)))
    yield from together(*(hand.rest() for hand in hands))


@skill
def shake(
    actor: Actor, arm: str, obj: str, times: int = 3, height: float = 0.05, angle: float = 0.39, pace: float = 1.5
) -> Motion:
    """Swing a held object up and down by `height` while turning it by `angle` about the approach, and come back."""
    hand = actor.hand(arm)
    _must_hold(actor, hand, obj)
    rest = hand.chain.tool(hand.q)
    swings = [compose(above(s * height)(rest), pose((0, 0, 0), about((0, 0, 1), np.array(s * angle)))) for s in (1, -1)]
    for _ in range(times):
        for swing in swings:
            yield from hand.line(swing, pace=pace)
    yield from hand.line(rest)
    yield from hand.rest()
    _must_hold(actor, hand, obj)


@skill
def release(actor: Actor, arm: str, retreat: float = 0.08) -> Motion:
    """Open the gripper and draw back along its approach."""
    hand = actor.hand(arm)
    hand.holds = ""
    yield from _let_go(hand, retreat)


@skill
def home(actor: Actor, arm: str) -> Motion:
    """Return an arm to its start, gripper open."""
    yield from home_alone(actor.hand(arm))


def put_back(actor: Actor, hand: Hand) -> Motion:
    """Lower what the hand holds onto the table and let go of it."""
    obj = hand.holds.partition(".")[0]
    where = actor.copy.body_pose(obj)
    drop = where[2] + lowest(actor.copy.layout.forms[obj], where[3:]) - actor.copy.layout.table.top
    with suppress(Failed):  # as low as the arm can
        yield from hand.line(above(0.002 - drop)(hand.chain.tool(hand.q)), pace=0.7)
    yield from _let_go(hand, PRE)


def home_alone(hand: Hand) -> Motion:
    """Return a hand to its start, gripper open."""
    hand.holds = ""
    yield from hand.grip(1.0)
    yield from hand.go(hand.chain.home)


@skill
def press(actor: Actor, arm: str, point: str, pre: float = 0.1, depth: float = 0.004) -> Motion:
    """Push a point against its z axis with the tips of the closed fingers, `depth` further, and draw back."""
    hand = actor.hand(arm)
    target = actor.copy.point(point)
    out = rotate(target[3:], (0.0, 0.0, 1.0))
    tools, penalty = _pushes(target[:3] + out * (hand.model.gripper.tip - depth), -out)
    keep = clear_of_table(actor, hand, tools, 0.0)
    best, (q, over) = hand.choose(tools[keep], moved(pre * out), penalty=penalty[keep])
    yield from together(hand.go(over), hand.grip(0.0))
    yield from hand.line(tools[keep][best], pace=0.8, end=q)
    yield from hand.rest()
    yield from hand.line(moved(pre * out)(tools[keep][best]), pace=0.8, end=over)


@skill
def turn(actor: Actor, arm: str, joint: str, grasp: str, to: float, pre: float = 0.08) -> Motion:
    """Hold a hinged or sliding part and lead it until the joint has come to a fraction `to` of its range."""
    hand, copy = actor.hand(arm), actor.copy
    obj, _, name = joint.partition(".")
    part = next(p for p in copy.layout.forms[obj].parts if p.joint == name)
    tools, options = grasps(actor, obj, grasp, 0.0, hand)
    frame = compose(copy.body_pose(obj), pose(part.pos))
    now = copy.joint(joint)
    goal = part.range[0] + to * (part.range[1] - part.range[0])
    steps = np.linspace(now, goal, ARC_KNOTS + 1)[1:] - now
    paths: dict[bytes, Array] = {}

    def fits(found: Array, q: Array) -> Array:
        starts = zip(found, q, strict=True)
        return np.array([_can_lead(hand, part, frame, steps, tool, start, paths) for tool, start in starts])

    penalty = np.array([option.cost for option in options])
    best, (q, before) = hand.choose(tools, behind(pre), penalty=penalty, fits=fits)
    yield from together(hand.go(before), hand.grip(options[best].opening))
    yield from hand.line(tools[best], end=q)
    yield from hand.rest()
    yield from hand.grip(0.0)
    if not hand.touches(f"{obj}.{part.name}"):
        yield from _let_go(hand, pre)
        raise Failed(f"the fingers missed {obj}.{part.name}")
    hand.holds = f"{obj}.{part.name}"
    yield from hand.through(paths[tools[best].tobytes()], pace=0.7)
    yield from hand.rest()
    if copy.joint(joint) < goal - 0.15 * (goal - now):
        yield from release(actor, arm, pre)
        raise Failed(f"{joint} slipped away")


def _uses(actor: Actor, arm: str, obj: str) -> list[Skill]:
    """Return what the plan does with an object in this arm until it lets go."""
    uses = []
    for item in actor.ahead:
        if item.args.get("obj") == obj and item.args.get("arm") != arm:
            break
        if item.args.get("obj") == obj and item.name in ("carry", "place"):
            uses.append(item)
            if item.name == "place":
                break
    return uses


def _stages(item: Skill, actor: Actor) -> list[Array]:
    """Return the object's poses (c 7) that a skill needs to reach one of: at its place, and before it."""
    goal = goal_of(item, actor)
    poses = goal.poses(actor)
    if item.name == "carry":
        return [poses]
    pre = float(str(item.args.get("pre", PRE)))
    return [moved(pre * goal.axis(actor))(poses)]


def _lead_on(
    actor: Actor, hand: Hand, obj: str, stages: list[Array], tools: Array, q: Array
) -> NDArray[np.bool_]:
    """Return for which of `tools` (c 7), at joint values `q`, an object held so can be brought to every stage."""
    body = actor.copy.body_pose(obj)
    good = np.ones(len(tools), bool)
    for poses in stages:
        ends = compose(poses[None], invert(compose(invert(tools), body))[:, None]).reshape(-1, 7)
        reached = hand.chain.solve(ends, np.repeat(q, len(poses), axis=0))[1]
        good &= reached.reshape(len(tools), -1).any(axis=1)
    return good


def _must_hold(actor: Actor, hand: Hand, obj: str) -> None:
    if not hand.touches(obj):
        raise Dropped(f"{obj} is not in the hand")


def _let_go(hand: Hand, retreat: float) -> Motion:
    hand.holds = ""
    yield from hand.grip(1.0)
    if retreat > 0:
        yield from hand.retreat(retreat)


def _pushes(at: Array, along: Array) -> tuple[Array, Array]:
    """Return tool poses (c 7) that push at a position (3,) along a direction (3,), and their costs (c,)."""
    side = np.array([1.0, 0.0, 0.0]) if abs(along[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    first = np.cross(along, side)
    first /= np.linalg.norm(first)
    second = np.cross(along, first)
    tools, costs = [], []
    for k in range(YAWS):
        opening = cos(2 * pi * k / YAWS) * first + sin(2 * pi * k / YAWS) * second
        for lean in LEANS:
            way = rotate(about(opening, np.array(lean)), along)
            tools.append(pose(at, from_axes(way, opening)))
            costs.append(3 * abs(lean))
    return np.stack(tools), np.array(costs)


def _can_lead(
    hand: Hand, part: Part, frame: Array, steps: Array, tool: Array, q: Array, paths: dict[bytes, Array]
) -> bool:
    """Tell whether a hand can lead a part from here, and keep the joint path, keyed by the tool pose."""
    for share in (1.0,) if part.slide else ARC_SHARES:
        try:
            paths[tool.tobytes()] = hand.path(_led(frame, part, tool, steps, share), q)
        except Failed:
            continue
        return True
    return False


def _led(frame: Array, part: Part, tool: Array, steps: Array, share: float) -> Array:
    """Return tool poses (k 7) carried by a part whose joint moves on by `steps` (k,) in `frame`.

    The tool itself turns by a `share` of a hinge's turn, pivoting on what it holds.
    """
    if part.slide:
        way = rotate(frame[3:], part.axis)
        return np.stack([moved(step * way)(tool) for step in steps])
    local = compose(invert(frame), tool)
    carried = [compose(compose(frame, pose((0, 0, 0), about(part.axis, a))), local)[:3] for a in steps]
    turned = [compose(compose(frame, pose((0, 0, 0), about(part.axis, share * a))), local)[3:] for a in steps]
    return np.concatenate([np.stack(carried), np.stack(turned)], axis=1)
