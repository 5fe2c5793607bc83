"""Ways to hold an object in the world: a form's grasps, those left out whose fingers or palm would meet the table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.expert.actor import Actor, Failed, Hand
from sim.geometry import Array, compose, pose, rotate
from sim.scene.forms import Grasp
from sim.spec import SpecError

PALM = 0.076  # metres behind the tool's origin, where the gripper's body is; half its height and width
PALM_HALF = (0.02, 0.075)
LEAST = 0.0005  # metres between fingers and table


def grasps(actor: Actor, obj: str, grasp: str, at: float, hand: Hand) -> tuple[Array, list[Grasp]]:
    """Return all tool poses (c 7) in the world of a named grasp, and the option behind each.

    `at` moves them up along the object (metres). `SpecError` names the grasps there are.
    """
    forms = actor.copy.layout.forms
    if obj not in forms or grasp not in forms[obj].grasps:
        valid = ", ".join(forms[obj].grasps) if obj in forms else ", ".join(forms)
        raise SpecError(f"{obj} has no grasp {grasp!r}; valid: {valid}")
    part, options = forms[obj].grasps[grasp]
    body = compose(actor.copy.body_pose(f"{obj}.{part}" if part else obj), pose((0, 0, at)))
    local = np.stack([option.tool for option in options])
    turned = compose(local, pose((0, 0, 0), (0, 0, 0, 1)))  # the same grasp with the fingers exchanged
    tools = compose(body, np.stack([local, turned], axis=1).reshape(-1, 7))
    pairs = [option for option in options for _ in range(2)]
    keep = np.flatnonzero(clear_of_table(actor, hand, tools, np.array([option.opening for option in pairs])))
    if not len(keep):
        raise Failed(f"every {grasp} grasp of {obj} is under the table")
    return tools[keep], [pairs[k] for k in keep]


def clear_of_table(actor: Actor, hand: Hand, tools: Array, opening: Array | float) -> NDArray[np.bool_]:
    """Return which tool poses (c 7) leave the fingers, opened so far (c,), and the palm above the table (c,)."""
    gripper = hand.model.gripper
    across, along, ahead = (rotate(tools[:, 3:], axis)[:, 2] for axis in np.eye(3))
    reach = np.asarray(opening) * gripper.stroke + 2 * gripper.pad[1]
    tip = tools[:, 2] + np.minimum(ahead * gripper.tip, 0.0) - np.abs(across) * gripper.pad[0] - np.abs(along) * reach
    palm = tools[:, 2] - ahead * PALM - np.abs(across) * PALM_HALF[0] - np.abs(along) * PALM_HALF[1]
    return np.minimum(tip, palm) > actor.copy.layout.table.top + LEAST
