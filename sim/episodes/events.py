"""Event detection: from the contacts and poses of a run to its intended contacts, which become value maps.

Only physical facts enter (contacts, poses, joints, the grippers' commands), never the plan, so that a roll-out of a
policy is annotated by the same rules as a demonstration. Row s of `body_pose` and `joint` and the contacts of step s
belong to one instant. Thresholds stand, with their reasons, in `sim.episodes.gripper_events` and
`sim.episodes.tool_events`.

The empty hand:
* pick: a free object between both fingers of one arm, for MIN_GRASP_STEPS or longer, that is then carried: it moves
  MIN_CARRY_DISTANCE_M with the hand. At the first step of that grasp; points between fingers and object, in the
  object's frame. A grasp renewed before the arm has let go is the same pick. Two arms that lift one thing are two
  picks.
* turn: a hinged or sliding body under a gripper, open or closed, while its joint moves MIN_JOINT_TRAVEL (radians or
  metres) in one direction. Where that motion starts.
* press: a fixed object under a closed gripper that has nothing else in its fingers and works no moving part of that
  object. At the first such step.

The thing in hand:
* place: a free object that had been picked, after the last gripper contact, at its first rest on a support: it lies
  still as seen from what it touches, be that carried or not; where it never does, where it begins to swing to and fro
  on it. Points between the two, in the support's frame; one event a support and arm that let go. An object in another
  arm's gripper is not released: a hand-over is two picks and one place. Of two free objects only the one whose base
  is lower by MIN_HEIGHT_ABOVE_SUPPORT_M is a support: a box set down with things in it is not placed on them, nor a
  block on the one beside it. Lower is meant along the upright axis of both things (a pan in hand hangs askew), and in
  the world where these differ. Things dropped into a container, mugs hung on a rack, seals pressed on the table and
  let go are placed.
* strike: a held free object, away from where it was taken, comes into contact with another object; carried by the
  struck body, at the first touch. It is no strike where the touch belongs to setting down: the thing in hand is next
  placed on that same object (a mug feels its way onto a hook for seconds), or is let go within SET_DOWN_WINDOW_STEPS
  after the touch and rests elsewhere (a block lowered beside another); the same with the roles exchanged (bread that
  lands in a held pan). What lay in or on the held thing when it was taken up is not struck by it. Of two things in
  two hands each strikes the other. The table is no object.
* pour: something that lay in or on a held object loses it for good while that is tilted by more than
  MIN_POUR_TILT_RAD from how it was taken up. At the first such loss. Carried by the body on which most of what was
  poured lands first, at those landings: the intent is where it shall go. No landing, no event.
* shake: a held thing that touches nothing but grippers turns back MIN_SHAKE_REVERSALS times or more along one of the
  world's axes, each way MIN_SHAKE_STROKE_M or longer and back along the one before, each turn within
  MAX_SHAKE_REVERSAL_INTERVAL_STEPS of the one before. At the first turn. Nothing is touched but what the fingers hold
  already, so the intended contact is that grip: points between fingers and object at that step, in the object's
  frame.

To point a held thing at another (to scan it) is no contact, and gives no event after the picks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.episodes import gripper_events, tool_events
from sim.episodes.contact_history import ContactHistory, build_contact_history
from sim.types import Event, UserError


def find_events(
    contacts: NDArray[np.void],
    bodies: Sequence[str],
    body_pose: NDArray[np.float32],
    joints: Sequence[str],
    joint: NDArray[np.float32],
    gripper_command: NDArray[np.float32],
    arm_names: Sequence[str],
    body_types: Mapping[str, str],
) -> tuple[Event, ...]:
    """Return the events of a run, ordered by step.

    `contacts` are rows of `sim.types.CONTACT_DTYPE`; `body_pose` (A+1 b 7), `joint` (A+1 j), `gripper_command`
    (A arms). Grippers' bodies are named ARM/finger0, ARM/finger1, ARM/hand. `body_types` says what each object
    body is: "free", "fixed", "hinged:JOINT", or "hinged" where its object has a single joint.
    """
    history = build_contact_history(contacts, bodies, body_pose, arm_names, body_types)
    events = list(_find_free_body_events(history))
    for body, body_type in body_types.items():
        if body_type == "fixed":
            for arm, command in zip(arm_names, gripper_command.T, strict=True):
                events += gripper_events.find_presses(history, body, arm, command)
        elif body_type.split(":")[0] == "hinged":
            joint_values = joint[:, joints.index(gripper_events.resolve_joint_name(body, body_type, joints))]
            for arm in arm_names:
                events += gripper_events.find_turns(history, body, arm, joint_values)
        elif body_type != "free":
            raise UserError(f"unknown kind {body_type!r} of body {body!r}; kinds are free, fixed, hinged, hinged:JOINT")
    return tuple(sorted(events, key=lambda e: (e.step, e.arm, e.kind, e.reference_body)))


def _find_free_body_events(history: ContactHistory) -> Iterator[Event]:
    """Yield what happens to, and with, the free bodies."""
    free_bodies = [body for body, body_type in history.body_types.items() if body_type == "free"]
    grasps = {
        body: [grasp for arm in history.arms for grasp in gripper_events.find_grasps(history, body, arm)]
        for body in free_bodies
    }
    placements = {body: list(gripper_events.find_placements(history, body, grasps[body])) for body in free_bodies}
    for body in free_bodies:
        for grasp in grasps[body]:
            yield gripper_events.build_pick_event(history, grasp)
            yield from tool_events.find_pours(history, grasp, placements)
            yield from tool_events.find_shakes(history, grasp)
        for placement in placements[body]:
            yield from gripper_events.build_place_events(history, placement)
        yield from tool_events.find_strikes(history, body, grasps[body], placements)
