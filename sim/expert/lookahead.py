"""Looking ahead: what the plan does next with an object, and whether a hand that held it so could do that."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.embodiment.model import Vector
from sim.expert.arm import LARGEST_TURN, Actor, Failed, Hand, Way, above, moved
from sim.expert.goals import goal_of
from sim.geometry import Array, about, compose, invert, pose
from sim.task.spec import Skill

PRE = 0.05  # metres before a place
STOP = 0.002  # metres before it where a held object is let go
MARGIN = 0.1  # radians from the end of a joint's range: what turns a little in the fingers uses them up
TIGHT = 2.0  # radians that the expert would rather move than come closer to it
SWING, SWAY = 0.05, 0.39  # metres and radians to either side of the middle


def uses(actor: Actor, arm: str, obj: str) -> list[Skill]:
    """Return what the plan does with an object in this arm until it lets go or another arm takes it."""
    hand, found, moved_on = actor.hand(arm), [], set()
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
            found.append(item)
        if item.name == "place":
            break
    return found


def moving(actor: Actor, by: Vector, mirror: str = "") -> Way:
    """Return the way of a tool by a vector (metres, world), mirrored where the role `mirror` acts on the left."""
    sign = actor.copy.side(mirror) if mirror else 1.0
    return moved(np.array(by) * (sign, 1.0, 1.0))


def moved_next(actor: Actor, arm: str) -> list[Way]:
    """Return the way of the tool where the plan goes on with moving an arm, else none."""
    if not actor.ahead or actor.ahead[0].name != "move":
        return []
    said = dict(actor.ahead[0].args)
    roles = said.get("arms") or (said.get("arm", ""),)
    known = {name: said[name] for name in ("by", "mirror") if name in said}
    return [moving(actor, **known)] if isinstance(roles, tuple) and arm in roles else []  # pyright: ignore[reportArgumentType]


def stage(item: Skill, actor: Actor) -> tuple[Array, list[Way]]:
    """Return the object's poses (c 7) of which a skill needs to reach one, and the straight ways on from it."""
    goal = goal_of(item, actor)
    poses = goal.poses(actor)
    if item.name == "carry":
        after = actor.ahead[actor.ahead.index(item) + 1 :] if item in actor.ahead else ()
        return poses, shaken(after, item.args["obj"])
    pre, stop = (float(str(item.args.get(key, usual))) for key, usual in (("pre", PRE), ("stop", STOP)))
    out = goal.axis(actor)
    return moved(pre * out)(poses), [moved((stop - pre) * out)]


def lead_on(
    actor: Actor, hand: Hand, obj: str, stages: list[tuple[Array, list[Way]]], tools: Array, q: Array
) -> Array:
    """Return what it costs (c,) to bring an object held by `tools` (c 7), at joint values `q`, through the stages.

    Radians, the lengths of the joint moves and TIGHT for a stage at the end of a joint's range; infinite where a
    stage is out of reach.
    """
    body = actor.copy.body_pose(obj)
    total = np.zeros(len(tools))
    rows = np.arange(len(tools))
    for poses, ways in stages:
        ends = compose(poses[None], invert(compose(invert(tools), body))[:, None]).reshape(-1, 7)
        starts = np.repeat(q, len(poses), axis=0)
        after, reached = hand.chain.solve(ends, starts)
        missed = np.flatnonzero(~np.any(reached.reshape(len(tools), -1), axis=1).repeat(len(poses)))
        after[missed], reached[missed] = hand.chain.solve(ends[missed], np.tile(hand.chain.home, (len(missed), 1)))
        reached[reached] = goes_on(hand, ends[reached], after[reached], ways)
        cost = np.linalg.norm(after - starts, axis=1) + np.where(_tight(hand, after), TIGHT, 0.0)
        cost = np.where(reached, cost, np.inf).reshape(len(tools), -1)
        best = cost.argmin(axis=1)
        total += cost[rows, best]
        q = after.reshape(len(tools), len(poses), -1)[rows, best]
    return total


def _tight(hand: Hand, q: Array) -> NDArray[np.bool_]:
    """Return at which joint values (c joints) a joint is closer than MARGIN to the end of its range."""
    return np.any((q < hand.chain.low + MARGIN) | (q > hand.chain.high - MARGIN), axis=1)


def goes_on(hand: Hand, tools: Array, q: Array, ways: list[Way]) -> NDArray[np.bool_]:
    """Return from which of `tools` (c 7), at joint values `q`, the ends of all `ways` can be reached in turn."""
    good = np.ones(len(tools), bool)
    for way in ways if len(tools) else ():
        after, ok = hand.chain.solve(way(tools), q)
        good &= ok & (np.abs(after - q).max(axis=1) < LARGEST_TURN)
        q = after
    return good


def in_line(hand: Hand, tool: Array, end: Array) -> bool:
    """Tell whether the hand can go straight to a tool pose (7,) and arrive at the joint values `end`."""
    try:
        hand.path(hand.straight(hand.chain.tool(hand.q), tool), end=end)
    except Failed:
        return False
    return True


def ends_of(hand: Hand, ways: list[Way]) -> list[tuple[Array, Array]]:
    """Return tool poses and joint values at the ends of all `ways` from here; `Failed` where one is out of reach."""
    tool, q, ends = hand.chain.tool(hand.q), hand.q, []
    for way in ways:
        (q,), (ok,) = hand.chain.solve(way(tool)[None], q[None])
        if not ok:
            raise Failed("there is no room to swing")
        ends.append((way(tool), q))
    return ends


def swings_of(height: float = SWING, angle: float = SWAY, roll: float = 0.0) -> list[Way]:
    """Return the ways from a tool pose to half of the `roll`, to all of it, and to either end of the swings there."""
    ends = ((0.0, roll / 2), (0.0, roll), (height, roll + angle), (-height, roll - angle))
    return [_swung(rise, turn) for rise, turn in ends]


def _swung(rise: float, turn: float) -> Way:
    return lambda tool: compose(above(rise)(tool), pose((0, 0, 0), about((0, 0, 1), np.array(turn))))


def shaken(after: tuple[Skill, ...], obj: object) -> list[Way]:
    """Return the ways of the swings where the plan goes on with shaking an object, else none."""
    if not after or after[0].name != "shake" or after[0].args["obj"] != obj:
        return []
    said = after[0].args
    return swings_of(**{name: float(str(said[name])) for name in ("height", "angle", "roll") if name in said})
