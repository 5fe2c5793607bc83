"""The vocabulary of motion: skills as generators over an actor's hands. No skill knows a task.

Places are named points ("cup.bottom"), or `to`: x and y in the world, height above the table's top. `mirror`
names a role: what is said for the right side is mirrored where that role acts on the left.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np

from sim.embodiment.model import Vector
from sim.expert.arm import Actor, Dropped, Failed, Hand, Motion, above, behind, moved, together
from sim.expert.articulation import follows, leads, pushes
from sim.expert.goals import Goal, goal_of
from sim.expert.grasps import clear_of_table, crowded, grasps
from sim.expert.lookahead import (
    PRE,
    STOP,
    SWAY,
    SWING,
    ends_of,
    goes_on,
    in_line,
    lead_on,
    moved_next,
    moving,
    shaken,
    stage,
    swings_of,
    uses,
)
from sim.geometry import Array, compose, invert, pose, rotate
from sim.objects import Grasp
from sim.objects.bounds import lowest
from sim.task.predicates import holds_for
from sim.task.spec import Skill, SpecError
from sim.world.state import Facts

SKILLS: dict[str, Callable[..., Motion]] = {}
CROWDED = 2.0  # radians that the expert would rather move than reach between other things
FACING = 2.0  # radians that a joint would rather move than the hand point another way by one
MOMENT = 5  # control steps for which the solver may lose a contact
TURNED = 0.9  # of the way that a part should come, which is enough
ARC_KNOTS = 10
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
    penalty += CROWDED * crowded(actor, hand, obj, tools, options, pre)
    goals = [stage(item, actor) for item in uses(actor, arm, obj)]

    def onward(found: Array, q: Array) -> Array:
        return lead_on(actor, hand, obj, goals, found, q)

    ways = (behind(pre), above(lift)) if lift else (behind(pre),)
    try:
        after = moved_next(actor, arm)
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
    swings = shaken(actor.ahead, obj)

    def onward(found: Array, q: Array) -> Array:
        good = goes_on(hand, found, q, swings)
        if straight:
            good &= [in_line(hand, tool, end) for tool, end in zip(found, q, strict=True)]
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
    penalty = np.where(crowded(actor, hand, obj, down(before), letting_go, 0.0 if hold else retreat), CROWDED, 0.0)
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
    way = moving(actor, by, mirror)
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
    _, rest, *swings = ends_of(hand, swings_of(height, angle, roll))
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
    tools, penalty = pushes(target[:3] + out * (hand.model.gripper.tip - depth), -out)
    keep = clear_of_table(actor, hand, tools, np.zeros(len(tools)))
    back = moved(pre * out)
    paths: dict[bytes, Array] = {}

    def onward(found: Array, q: Array) -> Array:
        starts = zip(found, q, strict=True)
        able = [follows(hand, tool, hand.straight(tool, back(tool)), start, paths) for tool, start in starts]
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
        return np.where(leads(hand, part, frame, steps, found, q, paths), 0.0, np.inf)

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
