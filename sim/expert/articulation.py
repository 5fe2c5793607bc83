"""Leading a hinged or sliding part by a grasp, and pushing at a point: paths of the tool and who can follow them."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

from sim.expert.arm import Failed, Hand, moved
from sim.geometry import Array, about, compose, from_axes, invert, pose, rotate
from sim.objects import Part

YAWS = 24  # ways to turn a tool about the line that it pushes along
LEANS = (0.0, 0.35, -0.35, 0.7, -0.7)  # from that line
ARC_SHARES = (1.0, 0.7, 0.4)  # how much of a part's turn the tool itself makes, the firmest first


def pushes(at: Array, along: Array) -> tuple[Array, Array]:
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


def follows(
    hand: Hand, tool: Array, way: Array, q: Array, paths: dict[bytes, Array], end: Array | None = None
) -> bool:
    """Tell whether a hand at `tool` can go along `way` (k 7), and keep the joint path, keyed by `tool`."""
    try:
        paths[tool.tobytes()] = hand.path(way, q, end)
    except Failed:
        return False
    return True


def leads(
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
            able[k] = follows(hand, tools[k], way, q[k], paths, end)
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
