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

from sim.engine.facts import Facts
from sim.geometry import Array, about, compose, from_axes, invert, pose, rotate
from sim.motion.goals import Goal, goal_of
from sim.motion.grasps import clear_of_table, crowded, grasps
from sim.motion.hands import LARGEST_TURN, Actor, Dropped, Failed, Hand, Motion, Way, above, behind, moved, together
from sim.scene.forms import Grasp, Part
from sim.scene.forms.base import lowest
from sim.spec import Skill, SpecError
from sim.terms import holds_for

Vector = tuple[float, float, float]
SKILLS: dict[str, Callable[..., Motion]] = {}
YAWS = 24  # ways to turn a tool about the line that it pushes along
LEANS = (0.0, 0.35, -0.35, 0.7, -0.7)  # from that line
CROWDED = 2.0  # radians that the expert would rather move than reach between other things
FACING = 2.0  # radians that a joint would rather move than the hand point another way by one
PRE = 0.05  # metres before a place
STOP = 0.002  # metres before it where a held object is let go
SWING, SWAY = 0.05, 0.39  # metres and radians to either side of the middle
MOMENT = 5  # control steps for which the solver may lose a contact
TURNED = 0.9  # of the way that a part should come, which is enough
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
        obj = str(item.args["obj"])
        let_go = not any(hand.holds == obj for hand in actor.hands.values())
        told = holds_for(actor.copy.task, Facts([actor.copy]), obj)
        return let_go and (goal_of(item, actor).reached(actor) or bool(told[0]))
    if item.name == "turn":
        return actor.copy.joint_fraction(str(item.args["joint"])) >= TURNED * float(str(item.args["to"]))
    return item.name == "home"


@skill
def pick(
    actor: Actor, arm: str, obj: str, grasp: str | tuple[str, ...], pre: float = 0.1, lift: float = 0.08,
    at: float = 0.0, opening: float = 0.0,
) -> Motion:
    """Take hold of an object by a named grasp, or one of several (`at` metres further up along it) and lift it.

    A grasp that could not do what the plan does next with the object is taken only if there is no other.
    `opening` (0 to 1) overrides the grasp's own. What the hand holds already it keeps.
    """
    hand = actor.hand(arm)
    if hand.holds == obj and hand.touches(obj):
        return
    tools, options = grasps(actor, obj, grasp, at, hand)
    penalty = np.array([option.cost for option in options])
    penalty = penalty + CROWDED * crowded(actor, hand, obj, tools, options, pre)
    goals = [_stage(item, actor) for item in _uses(actor, arm, obj)]

    def onward(found: Array, q: Array) -> Array:
        return _lead_on(actor, hand, obj, goals, found, q)

    ways = (behind(pre), above(lift)) if lift else (behind(pre),)
    try:
        after = _moved_next(actor, arm)
        best, ends = hand.choose(tools, *ways, *after, penalty=penalty, onward=onward if goals else None)
    except Failed:
        best, ends = hand.choose(tools, *ways, penalty=penalty)
    wide = opening or options[best].opening
    yield from together(hand.travel(ends[1], opening=wide), hand.grip(wide))
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
    straight: bool = False, flip: bool = False, facing: tuple[float, ...] = (), pace: float = 0.8,
) -> Motion:
    """Bring a held object's point to a place, its z axis along `up` (or the z of `on`), turned by one of `yaw` or any.

    `straight`: along a line, else as the joints like. `facing` (world): which way the hand should rather point there.
    """
    hand = actor.hand(arm)
    yield from _must_hold(actor, hand, obj)
    goal = Goal(obj, point, on, to, up, yaw, offset, mirror, flip)
    tools = compose(goal.poses(actor), invert(actor.held_in(hand, obj)))
    swings = _shaken(actor.ahead, obj)

    def onward(found: Array, q: Array) -> Array:
        good = _goes_on(hand, found, q, swings)
        if straight:
            good &= [_in_line(hand, tool, end) for tool, end in zip(found, q, strict=True)]
        return np.where(good, 0.0, np.inf)

    off = np.arccos(np.clip(rotate(tools[:, 3:], (0.0, 0.0, 1.0)) @ facing, -1, 1)) if facing else 0.0
    best, (q,) = hand.choose(tools, penalty=FACING * off, onward=onward)
    if straight:
        yield from hand.line(tools[best], pace=pace, end=q)
    else:
        yield from hand.travel(q, pace=pace)
    yield from hand.rest()
    yield from _must_hold(actor, hand, obj)


@skill
def place(
    actor: Actor, arm: str, obj: str, point: str = "bottom", on: str = "", to: tuple[float, ...] = NOWHERE,
    up: Vector = (0.0, 0.0, 1.0), yaw: tuple[float, ...] = (), offset: Vector = (0.0, 0.0, 0.0), mirror: str = "",
    flip: bool = False, pre: float = PRE, stop: float = STOP, retreat: float = 0.08, hold: bool = False,
    opening: float = 1.0, slow: float = 0.6, pace: float = 0.8,
) -> Motion:
    """Set a held object's point on a place from `pre` before it, along the place's z axis; open and draw back.

    `stop`: how far before the place it ends; `hold`: keep it in the fingers; `opening`: open so far only until the
    hand is away. `pace` and `slow`: how fast it goes there and down. `yaw`, `up`, … as in `carry`.
    """
    hand = actor.hand(arm)
    yield from _must_hold(actor, hand, obj)
    goal = Goal(obj, point, on, to, up, yaw, offset, mirror, flip)
    out = goal.axis(actor)
    bodies = goal.poses(actor)
    before = compose(moved(pre * out)(bodies), invert(actor.held_in(hand, obj)))
    down = moved((stop - pre) * out)
    letting_go = [Grasp(tool, opening) for tool in down(before)]
    penalty = CROWDED * crowded(actor, hand, obj, down(before), letting_go, 0.0 if hold else retreat)
    best, (q, _) = hand.choose(before, down, penalty=penalty)
    yield from hand.travel(q, pace=pace)
    yield from hand.rest()
    yield from _must_hold(actor, hand, obj)
    # where the object hangs in the fingers now is what counts for setting it down
    last = compose(moved(stop * out)(bodies[best]), invert(actor.held_in(hand, obj)))
    yield from hand.line(last, pace=slow)
    yield from hand.rest()
    if not hold:
        hand.holds = ""
        yield from hand.grip(opening)
        yield from hand.retreat(retreat)
        yield from hand.grip(1.0) if opening < 1.0 else iter(())


@skill
def move(
    actor: Actor, by: Vector, arm: str = "", arms: tuple[str, ...] = (), mirror: str = "", pace: float = 0.8
) -> Motion:
    """Move the tool of one arm, or of several in phase, straight by a vector (metres, world)."""
    way = _moving(actor, by, mirror)
    hands = [actor.hand(role) for role in arms or (arm,)]
    paths = [hand.path(hand.straight(tool := hand.chain.tool(hand.q), way(tool))) for hand in hands]
    seconds = max(hand.duration(path, pace) for hand, path in zip(hands, paths, strict=True))
    yield from together(*(hand.through(path, pace, seconds) for hand, path in zip(hands, paths, strict=True)))
    yield from together(*(hand.rest() for hand in hands))


@skill
def shake(
    actor: Actor, arm: str, obj: str, times: int = 3, height: float = SWING, angle: float = SWAY, roll: float = 0.0,
    pace: float = 1.5,
) -> Motion:
    """Swing a held object up and down by `height` while turning it by `angle` about the approach, and come back.

    Before the first swing the hand turns by `roll` about its approach.
    """
    hand = actor.hand(arm)
    yield from _must_hold(actor, hand, obj)
    _, rest, *swings = _ends(hand, _swings(height, angle, roll))
    if roll:
        yield from hand.line(rest[0], end=rest[1])
    for _ in range(times):
        for swing, q in swings:
            yield from hand.line(swing, pace=pace, end=q)
    yield from hand.line(rest[0], end=rest[1])
    yield from hand.rest()
    yield from _must_hold(actor, hand, obj)


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
    yield from hand.travel(hand.chain.home)


@skill
def press(actor: Actor, arm: str, point: str, pre: float = 0.1, depth: float = 0.004) -> Motion:
    """Push a point against its z axis with the tips of the closed fingers, `depth` further, and draw back."""
    hand = actor.hand(arm)
    target = actor.copy.point(point)
    out = rotate(target[3:], (0.0, 0.0, 1.0))
    tools, penalty = _pushes(target[:3] + out * (hand.model.gripper.tip - depth), -out)
    keep = clear_of_table(actor, hand, tools, np.zeros(len(tools)))
    back = moved(pre * out)
    paths: dict[bytes, Array] = {}

    def onward(found: Array, q: Array) -> Array:
        starts = zip(found, q, strict=True)
        able = [_follows(hand, tool, hand.straight(tool, back(tool)), start, paths) for tool, start in starts]
        return np.where(able, 0.0, np.inf)

    best, (q,) = hand.choose(tools[keep], penalty=penalty[keep], onward=onward)
    path = paths[tools[keep][best].tobytes()]
    yield from together(hand.travel(path[-1], opening=0.0), hand.grip(0.0))
    yield from hand.through(np.vstack([path[-2::-1], q]), pace=0.8)
    yield from hand.rest()
    yield from hand.through(path, pace=0.8)


@skill
def turn(actor: Actor, arm: str, joint: str, grasp: str, to: float, pre: float = 0.08) -> Motion:
    """Hold a hinged or sliding part and lead it until the joint has come to a fraction `to` of its range.

    Where it has come that far already nothing is done.
    """
    hand, copy = actor.hand(arm), actor.copy
    if copy.joint_fraction(joint) >= TURNED * to:
        return
    obj, _, name = joint.partition(".")
    part = next(p for p in copy.layout.forms[obj].parts if p.joint == name)
    tools, options = grasps(actor, obj, grasp, 0.0, hand)
    frame = compose(copy.body_pose(obj), pose(part.pos))
    now = copy.joint(joint)
    goal = part.range[0] + to * (part.range[1] - part.range[0])
    steps = np.linspace(now, goal, ARC_KNOTS + 1)[1:] - now
    paths: dict[bytes, Array] = {}

    def onward(found: Array, q: Array) -> Array:
        return np.where(_leads(hand, part, frame, steps, found, q, paths), 0.0, np.inf)

    penalty = np.array([option.cost for option in options])
    best, (q, before) = hand.choose(tools, behind(pre), penalty=penalty, onward=onward)
    wide = options[best].opening
    yield from together(hand.travel(before, opening=wide), hand.grip(wide))
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
    """Return what the plan does with an object in this arm until it lets go or another arm takes it."""
    hand, uses, moved_on = actor.hand(arm), [], set()
    for item in (each for step in actor.ahead for each in (step, *step.alongside)):
        mine = "arm" in item.args and actor.hand(str(item.args["arm"])) is hand
        if item.args.get("obj") != obj:
            if mine and item.name in ("release", "home"):
                break
            moved_on.add(item.args.get("obj"))
            continue
        if not mine:
            break
        # where a thing that is still to be moved will be, nobody knows yet
        if item.name in ("carry", "place") and str(item.args.get("on")).partition(".")[0] not in moved_on:
            uses.append(item)
        if item.name == "place":
            break
    return uses


def _moving(actor: Actor, by: Vector, mirror: str = "") -> Way:
    sign = actor.copy.side(mirror) if mirror else 1.0
    return moved(np.array(by) * (sign, 1.0, 1.0))


def _moved_next(actor: Actor, arm: str) -> list[Way]:
    """Return the way of the tool where the plan goes on with moving an arm, else none."""
    if not actor.ahead or actor.ahead[0].name != "move":
        return []
    said = dict(actor.ahead[0].args)
    roles = said.pop("arms", ()) or (said.pop("arm", ""),)
    known = {name: said[name] for name in ("by", "mirror") if name in said}
    return [_moving(actor, **known)] if arm in roles else []  # pyright: ignore[reportArgumentType]


def _stage(item: Skill, actor: Actor) -> tuple[Array, list[Way]]:
    """Return the object's poses (c 7) of which a skill needs to reach one, and the straight ways on from it."""
    goal = goal_of(item, actor)
    poses = goal.poses(actor)
    if item.name == "carry":
        after = actor.ahead[actor.ahead.index(item) + 1 :] if item in actor.ahead else ()
        return poses, _shaken(after, item.args["obj"])
    pre, stop = (float(str(item.args.get(key, usual))) for key, usual in (("pre", PRE), ("stop", STOP)))
    out = goal.axis(actor)
    return moved(pre * out)(poses), [moved((stop - pre) * out)]


def _lead_on(
    actor: Actor, hand: Hand, obj: str, stages: list[tuple[Array, list[Way]]], tools: Array, q: Array
) -> Array:
    """Return what it costs (c,) to bring an object held by `tools` (c 7), at joint values `q`, through the stages.

    Radians of the largest joint moves, infinite where a stage is out of reach.
    """
    body = actor.copy.body_pose(obj)
    total = np.zeros(len(tools))
    rows = np.arange(len(tools))
    for poses, ways in stages:
        ends = compose(poses[None], invert(compose(invert(tools), body))[:, None]).reshape(-1, 7)
        starts = np.repeat(q, len(poses), axis=0)
        after, reached = hand.chain.solve(ends, starts)
        missed = ~reached.reshape(len(tools), -1).any(axis=1).repeat(len(poses))
        after[missed], reached[missed] = hand.chain.solve(ends[missed], np.tile(hand.chain.home, (missed.sum(), 1)))
        reached[reached] = _goes_on(hand, ends[reached], after[reached], ways)
        cost = np.where(reached, np.abs(after - starts).max(axis=1), np.inf).reshape(len(tools), -1)
        best = cost.argmin(axis=1)
        total += cost[rows, best]
        q = after.reshape(len(tools), len(poses), -1)[rows, best]
    return total


def _goes_on(hand: Hand, tools: Array, q: Array, ways: list[Way]) -> NDArray[np.bool_]:
    """Return from which of `tools` (c 7), at joint values `q`, the ends of all `ways` can be reached in turn."""
    good = np.ones(len(tools), bool)
    for way in ways if len(tools) else ():
        after, ok = hand.chain.solve(way(tools), q)
        good &= ok & (np.abs(after - q).max(axis=1) < LARGEST_TURN)
        q = after
    return good


def _in_line(hand: Hand, tool: Array, end: Array) -> bool:
    """Tell whether the hand can go straight to a tool pose (7,) and arrive at the joint values `end`."""
    try:
        hand.path(hand.straight(hand.chain.tool(hand.q), tool), end=end)
    except Failed:
        return False
    return True


def _ends(hand: Hand, ways: list[Way]) -> list[tuple[Array, Array]]:
    """Return tool poses and joint values at the ends of all `ways` from here; `Failed` where one is out of reach."""
    tool, q, ends = hand.chain.tool(hand.q), hand.q, []
    for way in ways:
        (q,), (ok,) = hand.chain.solve(way(tool)[None], q[None])
        if not ok:
            raise Failed("there is no room to swing")
        ends.append((way(tool), q))
    return ends


def _swings(height: float = SWING, angle: float = SWAY, roll: float = 0.0) -> list[Way]:
    """Return the ways from a tool pose to half of the `roll`, to all of it, and to either end of the swings there."""
    ends = ((0.0, roll / 2), (0.0, roll), (height, roll + angle), (-height, roll - angle))
    return [_swung(rise, turn) for rise, turn in ends]


def _swung(rise: float, turn: float) -> Way:
    return lambda tool: compose(above(rise)(tool), pose((0, 0, 0), about((0, 0, 1), np.array(turn))))


def _shaken(after: tuple[Skill, ...], obj: object) -> list[Way]:
    """Return the ways of the swings where the plan goes on with shaking an object, else none."""
    if not after or after[0].name != "shake" or after[0].args["obj"] != obj:
        return []
    said = after[0].args
    return _swings(**{name: float(str(said[name])) for name in ("height", "angle", "roll") if name in said})


def _must_hold(actor: Actor, hand: Hand, obj: str) -> Motion:
    """Raise `Dropped` where an object is not between the fingers, nor comes back there within a moment."""
    for _ in range(MOMENT):
        if hand.touches(obj):
            return
        yield
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


def _follows(
    hand: Hand, tool: Array, way: Array, q: Array, paths: dict[bytes, Array], end: Array | None = None
) -> bool:
    """Tell whether a hand at `tool` can go along `way` (k 7), and keep the joint path, keyed by `tool`."""
    try:
        paths[tool.tobytes()] = hand.path(way, q, end)
    except Failed:
        return False
    return True


def _leads(
    hand: Hand, part: Part, frame: Array, steps: Array, tools: Array, q: Array, paths: dict[bytes, Array]
) -> NDArray[np.bool_]:
    """Return from which of `tools` (c 7) a hand can lead a part, and keep the joint paths, keyed by the tool poses."""
    able = np.zeros(len(tools), bool)
    for share in (1.0,) if part.slide else ARC_SHARES:
        left = np.flatnonzero(~able)
        if not len(left):
            break
        ways = [_led(frame, part, tools[k], steps, share) for k in left]
        ends, reached = hand.chain.solve(np.stack([way[-1] for way in ways]), q[left], iterations=60)
        for k, way, end in zip(left[reached], np.stack(ways)[reached], ends[reached], strict=True):
            able[k] = _follows(hand, tools[k], way, q[k], paths, end)
    return able


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
