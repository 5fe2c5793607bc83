"""Ways to hold an object in the world: a form's grasps, those left out whose fingers or palm would meet the table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.expert.arm import Actor, Failed, Hand
from sim.expert.collision import cloud, obstacles
from sim.geometry import Array, apply, compose, pose
from sim.objects import Grasp
from sim.task.spec import SpecError

LEAST = 0.0005  # metres between fingers and table


def grasps(
    actor: Actor, obj: str, grasp: str | tuple[str, ...], at: float, hand: Hand
) -> tuple[Array, list[Grasp]]:
    """Return all tool poses (c 7) in the world of the named grasps, and the option behind each.

    `at` moves them up along the object (metres). `SpecError` names the grasps there are.
    """
    tools, pairs = [], []
    for name in (grasp,) if isinstance(grasp, str) else grasp:
        part, options = _named(actor, obj, name)
        body = compose(actor.copy.body_pose(f"{obj}.{part}" if part else obj), pose((0, 0, at)))
        local = np.stack([option.tool for option in options])
        turned = compose(local, pose((0, 0, 0), (0, 0, 0, 1)))  # the same grasp with the fingers exchanged
        tools.append(compose(body, np.stack([local, turned], axis=1).reshape(-1, 7)))
        pairs += [option for option in options for _ in range(2)]
    every = np.concatenate(tools)
    keep = np.flatnonzero(clear_of_table(actor, hand, every, np.array([option.opening for option in pairs])))
    if not len(keep):
        raise Failed(f"every {grasp} grasp of {obj} is under the table")
    return every[keep], [pairs[k] for k in keep]


def _named(actor: Actor, obj: str, grasp: str) -> tuple[str, tuple[Grasp, ...]]:
    forms = actor.copy.layout.forms
    if obj not in forms or grasp not in forms[obj].grasps:
        valid = ", ".join(forms[obj].grasps) if obj in forms else ", ".join(forms)
        raise SpecError(f"{obj} has no grasp {grasp!r}; valid: {valid}")
    return forms[obj].grasps[grasp]


def crowded(
    actor: Actor, hand: Hand, obj: str, tools: Array, options: list[Grasp], pre: float
) -> NDArray[np.bool_]:
    """Return which tool poses (c 7) would have the hand meet other things than `obj`, there or `pre` before (c,)."""
    around = obstacles(actor.copy, hand.model.name, (obj,))
    clouds = _clouds(hand, np.array([option.opening for option in options]))
    ends = (tools, compose(tools, pose((0, 0, -pre))))
    return np.any([around.meet(apply(end[:, None], clouds)) for end in ends], axis=0)


def clear_of_table(actor: Actor, hand: Hand, tools: Array, openings: Array) -> NDArray[np.bool_]:
    """Return which tool poses (c 7) leave the hand, opened so far (c,), above the table's top (c,)."""
    lowest = apply(tools[:, None], _clouds(hand, openings))[..., 2].min(axis=1)
    return lowest > actor.copy.layout.table.top + LEAST


def _clouds(hand: Hand, openings: Array) -> Array:
    """Return the points (c p 3) of a hand for each of the openings (c,)."""
    different, which = np.unique(openings, return_inverse=True)
    return np.stack([cloud(hand.model, float(opening)) for opening in different])[which]
