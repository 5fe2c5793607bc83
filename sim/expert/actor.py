"""The hands of the expert in one copy: what it may read, and motions as generators.

A motion changes `command` and yields once a control step (20 ms), so that every skill reads the state of
the world whenever it wants and two arms move at once by taking turns. A motion that cannot be done
raises `Failed`; the expert then plans again.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sim.engine.mujoco import Copy
from sim.expert.ik import Chain
from sim.geometry import Array, compose, invert, pose, rotate, slerp
from sim.types import CONTROL_HZ

Motion = Iterator[None]
KNOTS = 8  # of a straight line; between them joints are interpolated
LINE_SPEED = 0.30  # m/s along a line, at most
GRIP_STEPS = 20  # control steps to close or open
SETTLE_STEPS = 15


class Failed(Exception):
    """A motion that cannot be done from here."""


class Hand:
    """One arm of one copy: its kinematics and its part of the command."""

    def __init__(self, actor: Actor, index: int, chain: Chain) -> None:
        self.actor, self.index, self.chain = actor, index, chain
        arms = actor.copy.robot.arms
        self.model = arms[index]
        self.first = sum(len(arm.links) + 1 for arm in arms[:index])

    @property
    def q(self) -> Array:
        """The commanded joint values."""
        return self.actor.command[self.first : self.first + self.chain.joints]

    @q.setter
    def q(self, value: Array) -> None:
        self.actor.command[self.first : self.first + self.chain.joints] = value

    @property
    def opening(self) -> float:
        """The commanded opening of the gripper, 0 to 1."""
        return float(self.actor.command[self.first + self.chain.joints])

    @opening.setter
    def opening(self, value: float) -> None:
        self.actor.command[self.first + self.chain.joints] = value

    @property
    def tool(self) -> Array:
        """The measured world_from_tool (7,)."""
        return self.actor.copy.tools()[self.index]

    @property
    def measured_opening(self) -> float:
        """The measured opening of the gripper, 0 to 1."""
        return float(self.actor.copy.state()[self.first + self.chain.joints])

    def touches(self, body: str) -> bool:
        """Tell whether both fingers touch a body."""
        copy = self.actor.copy
        rows = copy.contacts(0)
        thing = copy.bodies.index(body)
        fingers = [copy.bodies.index(f"{self.model.name}/finger{k}") for k in range(2)]
        pairs = {(int(a), int(b)) for a, b in zip(rows["a"], rows["b"], strict=True)}
        return all((f, thing) in pairs or (thing, f) in pairs for f in fingers)

    def go(self, goal: Array, pace: float = 1.0) -> Motion:
        """Move all joints to `goal`, starting and ending at rest (minimum jerk)."""
        start = self.q.copy()
        seconds = 1.875 * float((np.abs(goal - start) / self.chain.speed).max()) / pace
        for t in _ease(seconds):
            self.q = start + t * (goal - start)
            yield

    def line(self, goal: Array, pace: float = 1.0) -> Motion:
        """Move the tool straight to the pose `goal` (7,)."""
        yield from self.follow(self.straight(self.chain.tool(self.q), goal), pace)

    def straight(self, start: Array, goal: Array) -> Array:
        """Return poses (knots 7) along the line from start to goal, the start left out."""
        spots = [(k + 1) / KNOTS for k in range(KNOTS)]
        return np.stack([np.concatenate([start[:3] + t * (goal[:3] - start[:3]), slerp(start[3:], goal[3:], t)]) for t in spots])

    def follow(self, poses: Array, pace: float = 1.0) -> Motion:
        """Move the tool through `poses` (k 7) at an even pace; `Failed` where one cannot be reached from the one before."""
        path = self.path(poses)
        start = self.chain.tool(self.q)
        way = float(np.linalg.norm(np.diff(np.vstack([start[None, :3], poses[:, :3]]), axis=0), axis=1).sum())
        joints = np.vstack([self.q[None], path])
        steepest = float((np.abs(np.diff(joints, axis=0)) / self.chain.speed).max()) * len(path)
        seconds = 1.875 * max(way / LINE_SPEED, steepest) / pace
        for t in _ease(seconds):
            place = t * len(path)
            k = min(int(place), len(path) - 1)
            self.q = joints[k] + (place - k) * (joints[k + 1] - joints[k])
            yield

    def path(self, poses: Array, start: Array | None = None) -> Array:
        """Return joint values (k joints) along `poses`, continuous from `start` (default: the command)."""
        start = self.q if start is None else start
        end, ok = self.chain.solve(poses[-1:], start[None], iterations=60)
        if not ok[0]:
            raise Failed("the end of the path is out of reach")
        spots = (np.arange(len(poses)) + 1)[:, None] / len(poses)
        q, ok = self.chain.solve(poses, start + spots * (end - start))
        jumps = np.abs(np.diff(np.vstack([start[None], q]), axis=0)).max(axis=1)
        if not ok.all() or jumps.max() > 0.8:
            raise Failed("the path is out of reach")
        return q

    def grip(self, opening: float) -> Motion:
        """Drive the gripper to an opening and wait until the fingers rest."""
        start = self.opening
        steps = max(1, round(GRIP_STEPS * abs(opening - start)))
        for k in range(steps):
            self.opening = start + (opening - start) * (k + 1) / steps
            yield
        before = np.inf
        for _ in range(SETTLE_STEPS):
            now = self.measured_opening
            if abs(now - before) < 0.004:
                return
            before = now
            yield

    def rest(self) -> Motion:
        """Wait until the arm has caught up with its command."""
        for _ in range(SETTLE_STEPS):
            lag = self.actor.copy.state()[self.first : self.first + self.chain.joints] - self.q
            if np.abs(lag).max() < 0.01:
                return
            yield

    def choose(self, tools: Array, *offsets: Array) -> tuple[int, Array]:
        """Return the index of the cheapest tool pose of `tools` (c 7) and its joint values (joints,).

        Every offset (7,), a pose in the tool frame, must be reachable on a straight line from the tool pose.
        """
        q, cost = self.chain.candidates(tools, self.q)
        for i in np.argsort(cost, kind="stable"):
            if not np.isfinite(cost[i]):
                break
            if all(self._near(compose(tools[i], offset), q[i]) for offset in offsets):
                return int(i), q[i]
        raise Failed("no grasp or place is within reach")

    def _near(self, goal: Array, q: Array) -> bool:
        found, ok = self.chain.solve(goal[None], q[None], iterations=30)
        return bool(ok[0]) and float(np.abs(found[0] - q).max()) < 1.2


class Actor:
    """One copy and the action that the expert holds it at."""

    def __init__(self, copy: Copy, chains: dict[str, Chain]) -> None:
        self.copy = copy
        self.command = np.array(copy.robot.home, float)
        self.hands = {arm.name: Hand(self, i, chains[arm.name]) for i, arm in enumerate(copy.robot.arms)}

    def hand(self, role: str) -> Hand:
        """Return the hand that plays `role`."""
        return self.hands[self.copy.layout.arms[role]]

    def held_in(self, hand: Hand, body: str) -> Array:
        """Return tool_from_body (7,) as measured."""
        return compose(invert(hand.tool), self.copy.body_pose(body))


def back(distance: float) -> Array:
    """Return the pose `distance` behind the tool along its approach, in the tool frame."""
    return pose((0.0, 0.0, -distance))


def upward(tool: Array, distance: float) -> Array:
    """Return the offset, in the frame of `tool` (7,), that lifts it by `distance` in the world."""
    inverse = invert(tool)
    return pose(rotate(inverse[3:], (0.0, 0.0, distance)))


def together(*motions: Motion) -> Motion:
    """Run motions of different arms at the same time until all have ended."""
    running = list(motions)
    while running:
        still = []
        for motion in running:
            try:
                next(motion)
                still.append(motion)
            except StopIteration:
                continue
        running = still
        if running:
            yield


def _ease(seconds: float) -> Iterator[float]:
    """Yield the minimum-jerk course from 0 to 1 (Flash and Hogan 1985), one value a control step."""
    steps = max(1, round(seconds * CONTROL_HZ))
    for k in range(1, steps + 1):
        t = k / steps
        yield t**3 * (10 - 15 * t + 6 * t * t)
