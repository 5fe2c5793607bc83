"""Playing a plan: skill after skill, looking at what came of each, and going back where something slipped.

A skill that fails is planned anew from where things are now; one that finds its object no longer in the hand sends
the plan back to where it was picked. A plan that has ended without success is gone through once more, without
what has been done and still stands. An arm that the plan does not need goes home by itself meanwhile.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from sim.expert.arm import Actor, Dropped, Failed, Hand, Motion, beside
from sim.expert.skills import done, home_alone, put_back, start
from sim.task.spec import Skill, SpecError, Value

RETRIES = 3  # times a skill that failed is planned anew
RETURNS = 6  # times that the plan goes back to an earlier skill
ROUNDS = 3  # times that the whole plan is gone through
LINGER = 12  # control steps for which all must be still when the plan has ended, and the most to wait for it
LONGEST = 75
STILL = 0.02  # m/s


def play(actor: Actor, succeeded: Callable[[], bool]) -> Motion:
    """Yield once a control step until the plan has ended."""
    plan = tuple(part for item in actor.copy.task.plan if (part := _meant(item, actor)) is not None)
    idle: dict[str, Motion] = {}
    for turn in range(ROUNDS):
        yield from _round(plan, actor, idle, again=turn > 0)
        yield from beside(_linger(actor), idle)
        if succeeded():
            return


def _linger(actor: Actor) -> Motion:
    """Stay a moment, and as long as something that was let go still moves: what counts is how things come to rest."""
    calm = 0
    for _ in range(LONGEST):
        calm = 0 if _stirs(actor) else calm + 1
        if calm >= LINGER:
            return
        yield


def _stirs(actor: Actor) -> bool:
    held = {hand.holds for hand in actor.hands.values()}
    things = [name for name, kind in actor.copy.kinds.items() if kind == "free" and name not in held]
    return any(float(np.abs(actor.copy.velocity(name)).max()) > STILL for name in things)


def _round(plan: tuple[Skill, ...], actor: Actor, idle: dict[str, Motion], again: bool) -> Motion:
    at, failures, returns = 0, 0, 0
    while at < len(plan):
        item = plan[at]
        if again and _stands(plan, at, actor):
            at += 1
            continue
        actor.ahead = plan[at + 1 :]
        _send_home(item, actor, idle)
        try:
            yield from beside(start(item, actor), idle)
            at, failures = at + 1, 0
        except Failed as failure:
            failures += 1
            lost = isinstance(failure, Dropped)
            if lost or failures > RETRIES // 2:
                back = _picked(plan, at)
                if back < at:
                    yield from beside(_give_up(item, actor), idle)
                    at, returns, failures = back, returns + 1, 0
            if failures > RETRIES or returns > RETURNS:
                return
            yield


def _meant(item: Skill, actor: Actor) -> Skill | None:
    """Return what of a skill is for this scene: its conditions hold and its objects are there; None if nothing is."""
    parts = [part for part in _parts(item) if _holds(part, actor) and not _absent(part, actor)]
    return dataclasses.replace(parts[0], alongside=tuple(parts[1:])) if parts else None


def _parts(item: Skill) -> tuple[Skill, ...]:
    """Return a skill and those alongside."""
    return (item, *item.alongside)


def _absent(item: Skill, actor: Actor) -> bool:
    absent = {thing.name for thing in actor.copy.task.objects} - set(actor.copy.layout.forms)
    return any(isinstance(value, str) and value.partition(".")[0] in absent for value in item.args.values())


def _holds(item: Skill, actor: Actor) -> bool:
    """Tell whether a skill's condition on the arms of two roles holds."""
    if not item.when:
        return True
    arms = actor.copy.layout.arms
    first, sign, second = item.when.partition("!=" if "!=" in item.when else "=")
    if not {first, second} <= set(arms) or not sign:
        task, roles = actor.copy.task.name, ", ".join(arms)
        raise SpecError(f"task {task!r}: condition {item.when!r} is not ROLE=ROLE or ROLE!=ROLE; roles: {roles}")
    return (arms[first] == arms[second]) == (sign == "=")


def _stands(plan: tuple[Skill, ...], at: int, actor: Actor) -> bool:
    """Tell whether what a skill does, or what its objects are picked for, has been done and still holds."""
    return all(done(_purpose(part, plan[at:]), actor) for part in _parts(plan[at]))


def _purpose(item: Skill, plan: tuple[Skill, ...]) -> Skill:
    """Return the last skill of a plan that has to do with the object of a skill, or that skill itself."""
    obj = item.args.get("obj")
    uses = [part for later in plan for part in _parts(later) if obj and part.args.get("obj") == obj]
    return uses[-1] if uses else item


def _picked(plan: tuple[Skill, ...], at: int) -> int:
    """Return where the objects of a skill were last picked, the earliest of these, or `at` where none was."""
    return min((_last_pick(plan, at, part.args.get("obj")) for part in _parts(plan[at])), default=at)


def _last_pick(plan: tuple[Skill, ...], at: int, obj: Value | None) -> int:
    picks = [
        k for k in range(at) for part in _parts(plan[k]) if part.name == "pick" and part.args.get("obj") == obj
    ]
    return picks[-1] if picks else at


def _give_up(item: Skill, actor: Actor) -> Motion:
    """Let go of the object of a skill: where it is held, set it down."""
    for hand in actor.hands.values():
        if hand.holds and hand.holds == item.args.get("obj"):
            if hand.touches(hand.holds):
                yield from put_back(actor, hand)
            hand.holds = ""


def _send_home(item: Skill, actor: Actor, idle: dict[str, Motion]) -> None:
    """Let every arm that has nothing to do go home beside the skill, and call back those that it needs."""
    busy = {actor.copy.layout.arms[role] for role in _roles(item)}
    for name in busy & set(idle):
        del idle[name]
    for name, hand in actor.hands.items():
        if name not in busy and name not in idle and _strayed(hand):
            idle[name] = home_alone(hand)


def _roles(item: Skill) -> Iterator[str]:
    for key in ("arm", "arms"):
        value: Value = item.args.get(key, ())
        yield from map(str, value if isinstance(value, tuple) else (value,))
    for other in item.alongside:
        yield from _roles(other)


def _strayed(hand: Hand) -> bool:
    return not hand.holds and bool(abs(hand.q - hand.chain.home).max() > 0.02)
