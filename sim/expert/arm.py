"""The hands of the expert in one copy: what it may read, and motions as generators.

A motion changes `command` and yields once a control step (20 ms), so that every skill reads the state of
the world whenever it wants and two arms move at once by taking turns. A motion that cannot be done
raises `Failed`; the expert then plans again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from sim.expert.collision import cloud, held_cloud, load, obstacles
from sim.expert.ik import Chain
from sim.geometry import Array, compose, invert, pose, slerp
from sim.task.spec import Skill, SpecError
from sim.types import CONTROL_HZ
from sim.world.mujoco import Copy

Motion = Iterator[None]
Way = Callable[[Array], Array]  # tool poses (... 7) to others
# tool poses (c 7) and joint values (c joints) there to what follows costs (c,), radians, infinite where impossible
Onward = Callable[[Array, Array], Array]
KNOTS = 8  # of a straight line; between them joints are interpolated
LINE_SPEED = 0.30  # m/s along a line, at most
GRIP_STEPS = 20  # control steps to close or open
SETTLE_STEPS = 15
ROUNDING = 11  # control steps over which the corners of a course with stops are rounded; odd
BATCH = 8  # candidates looked at together
CONSIDERED = 24  # candidates whose onward costs are compared
TRIED = 128  # of them at most
SPOTS = np.linspace(0.1, 1.0, 10)[:, None]  # of a way, where it is looked at for obstacles
DETOURS = (0.06, 0.12, 0.2, 0.3)  # metres higher
LARGEST_TURN = 1.2  # radians a joint may turn between neighbours of a straight path


class Failed(Exception):
    """A motion that cannot be done from here."""


class Dropped(Failed):
    """What should be in the hand is not."""


class Hand:
    """One arm of one copy: its kinematics and its part of the command."""

    def __init__(self, actor: Actor, index: int, chain: Chain) -> None:
        self.actor, self.index, self.chain = actor, index, chain
        arms = actor.copy.robot.arms
        self.model = arms[index]
        self.first = sum(len(arm.links) + 1 for arm in arms[:index])
        self.holds = ""  # the object or part in the fingers, as far as the plan goes

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

    def travel(self, goal: Array, pace: float = 1.0, opening: float | None = None) -> Motion:
        """Move all joints to `goal` round what is in the way, starting and ending at rest (minimum jerk)."""
        stops = np.stack([self.q, *self._route(goal, self.opening if opening is None else opening)])
        seconds = 1.875 * (np.abs(np.diff(stops, axis=0)) / self.chain.speed).max(axis=1) / pace
        times = np.append(0.0, np.cumsum(seconds))
        spots = times[-1] * np.array([0.0, *_ease(float(times[-1]))])
        way = np.stack([np.interp(spots, times, column) for column in stops.T], axis=1)
        for q in _rounded(way) if len(stops) > 2 else way[1:]:
            self.q = q
            yield

    def _route(self, goal: Array, opening: float) -> list[Array]:
        """Return the stops on the way: none, higher places, or home; none too where nothing is free."""
        held = self.holds.partition(".")[0]
        mine = (held, *load(self.actor.copy, held)) if held else ()
        around = obstacles(self.actor.copy, self.model.name, mine)
        points = cloud(self.model, opening)
        if held:
            points = np.concatenate([points, held_cloud(self.actor.copy, held, self.tool)])

        def free(*stops: Array) -> bool:
            way = np.concatenate([a + SPOTS * (b - a) for a, b in pairwise((self.q, *stops))])
            tips, turns, _ = self.chain.forward(way)
            return not around.meet(tips[:, None] + points @ np.swapaxes(turns, 1, 2)).any()

        if free(goal):
            return [goal]
        ends = np.stack([self.chain.tool(self.q), self.chain.tool(goal)])
        for rise in DETOURS:
            over, ok = self.chain.solve(above(rise)(ends), np.stack([self.q, goal]))
            ways = ([over[0], over[1], goal], [over[1], goal], [over[0], goal])
            for way, reached in zip(ways, (ok.all(), ok[1], ok[0]), strict=True):
                if reached and free(*way):
                    return way
        return [self.chain.home, goal] if free(self.chain.home, goal) else [goal]

    def line(
        self, goal: Array, pace: float = 1.0, end: Array | None = None, seconds: float = 0.0
    ) -> Motion:
        """Move the tool straight to the pose `goal` (7,), to the joint values `end` there if they are known."""
        yield from self.through(self.path(self.straight(self.chain.tool(self.q), goal), end=end), pace, seconds)

    def straight(self, start: Array, goal: Array) -> Array:
        """Return poses (knots 7) along the line from start to goal, the start left out."""
        spots = [(k + 1) / KNOTS for k in range(KNOTS)]
        places = [start[:3] + t * (goal[:3] - start[:3]) for t in spots]
        turns = [slerp(start[3:], goal[3:], t) for t in spots]
        return np.concatenate([np.stack(places), np.stack(turns)], axis=1)

    def through(self, path: Array, pace: float = 1.0, seconds: float = 0.0) -> Motion:
        """Move the joints through the rows of `path` (k joints), evenly spaced, starting and ending at rest.

        It takes as long as the tool and the joints need at `pace`, and no less than `seconds`.
        """
        joints = np.vstack([self.q[None], path])
        for t in _ease(max(self.duration(path, pace), seconds)):
            place = t * len(path)
            k = min(int(place), len(path) - 1)
            self.q = joints[k] + (place - k) * (joints[k + 1] - joints[k])
            yield

    def duration(self, path: Array, pace: float = 1.0) -> float:
        """Return the seconds that `through` takes."""
        joints = np.vstack([self.q[None], path])
        spots = self.chain.forward(joints)[0]
        way = float(np.linalg.norm(np.diff(spots, axis=0), axis=1).sum())
        steepest = float((np.abs(np.diff(joints, axis=0)) / self.chain.speed).max()) * len(path)
        return 1.875 * max(way / LINE_SPEED, steepest) / pace

    def path(self, poses: Array, start: Array | None = None, end: Array | None = None) -> Array:
        """Return joint values (k joints) along `poses` (k 7), continuous from `start` (default: the command).

        `Failed` where a pose cannot be reached from the one before.
        """
        start = self.q if start is None else start
        last = self._end(poses[-1], start) if end is None else end
        spots = (np.arange(len(poses)) + 1)[:, None] / len(poses)
        q, ok = self.chain.solve(poses, start + spots * (last - start))
        jumps = np.abs(np.diff(np.vstack([start[None], q]), axis=0)).max(axis=1)
        if not ok.all() or jumps.max() > LARGEST_TURN:
            raise Failed("the path is out of reach")
        return q

    def _end(self, goal: Array, start: Array) -> Array:
        (q,), (ok,) = self.chain.solve(goal[None], start[None], iterations=60)
        if not ok:
            raise Failed("the end of the path is out of reach")
        return q

    def retreat(self, distance: float) -> Motion:
        """Draw back along the approach, as far of `distance` as there is room."""
        start = self.chain.tool(self.q)
        for part in (1.0, 0.6, 0.3):
            try:
                path = self.straight(start, behind(part * distance)(start))
                self.path(path)
            except Failed:
                continue
            yield from self.through(self.path(path))
            return

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

    def choose(
        self, tools: Array, *ways: Way, penalty: Array | float = 0.0, onward: Onward | None = None
    ) -> tuple[int, list[Array]]:
        """Return the index of the cheapest of `tools` (c 7), and joint values there and at the end of each way.

        A way leads from tool poses to others that must be reachable close by. Costs are lengths of joint moves in
        radians: from here, and `onward` for what comes after (infinite: not possible), looked at for the CONSIDERED
        nearest ones; `penalty` (c,) adds to them.
        """
        q, cost = self.chain.candidates(tools, self.q)
        total = cost + penalty
        order = np.argsort(total, kind="stable")
        order = order[np.isfinite(cost[order])][:TRIED]
        found: list[tuple[float, int, list[Array]]] = []
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            price = total[batch]
            ends = [q[batch]]
            for way in ways:
                end, ok = self.chain.solve(way(tools[batch]), q[batch])
                price = np.where(ok & (np.abs(end - q[batch]).max(axis=1) < LARGEST_TURN), price, np.inf)
                ends.append(end)
            good = np.isfinite(price)
            if onward is not None and good.any():
                price[good] += onward(tools[batch[good]], q[batch[good]])
            k = int(np.argmin(price))
            if np.isfinite(price[k]):
                found.append((float(price[k]), int(batch[k]), [end[k] for end in ends]))
            if found and (onward is None or start + BATCH >= CONSIDERED):
                return min(found, key=lambda one: one[0])[1:]
        if found:
            return min(found, key=lambda one: one[0])[1:]
        raise Failed("no grasp or place is within reach")


class Actor:
    """One copy and the action that the expert holds it at."""

    def __init__(self, copy: Copy, chains: dict[str, Chain]) -> None:
        self.copy = copy
        self.command = np.array(copy.robot.home, float)
        self.hands = {arm.name: Hand(self, i, chains[arm.name]) for i, arm in enumerate(copy.robot.arms)}
        self.ahead: tuple[Skill, ...] = ()  # what the plan does after the skill at hand

    def hand(self, role: str) -> Hand:
        """Return the hand that plays `role`; `SpecError` names the roles there are."""
        arms = self.copy.layout.arms
        if role not in arms:
            raise SpecError(f"task {self.copy.task.name!r}: unknown arm {role!r}; valid: {', '.join(arms)}")
        return self.hands[arms[role]]

    def held_in(self, hand: Hand, body: str) -> Array:
        """Return tool_from_body (7,) as measured."""
        return compose(invert(hand.tool), self.copy.body_pose(body))


def behind(distance: float) -> Way:
    """Return the way from a tool pose (7,) to the one `distance` back along its approach."""
    return lambda tool: compose(tool, pose((0.0, 0.0, -distance)))


def above(distance: float) -> Way:
    """Return the way from a tool pose (7,) to the one `distance` higher."""
    return moved((0.0, 0.0, distance))


def moved(by: ArrayLike) -> Way:
    """Return the way from a tool pose (7,) to the one shifted by a vector (3,) of the world."""
    shift = np.concatenate([np.asarray(by, float), np.zeros(4)])
    return lambda tool: tool + shift


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


def beside(motion: Motion, others: dict[str, Motion]) -> Motion:
    """Run a motion to its end while others go on, by a name; those that end or fail are dropped."""
    for _ in motion:
        for name in list(others):
            try:
                next(others[name])
            except (StopIteration, Failed):
                del others[name]
        yield


def _rounded(way: Array) -> Array:
    """Return the rows of a course (k joints) after the first, its corners cut by averaging over ROUNDING steps."""
    half = ROUNDING // 2
    padded = np.concatenate([np.repeat(way[:1], half, axis=0), way, np.repeat(way[-1:], half, axis=0)])
    sums = np.cumsum(np.concatenate([np.zeros((1, way.shape[1])), padded]), axis=0)
    smooth = (sums[ROUNDING:] - sums[:-ROUNDING]) / ROUNDING
    return np.concatenate([smooth[1:], way[-1:]])


def _ease(seconds: float) -> Iterator[float]:
    """Yield the minimum-jerk course from 0 to 1 (Flash and Hogan 1985), one value a control step."""
    steps = max(1, round(seconds * CONTROL_HZ))
    for k in range(1, steps + 1):
        t = k / steps
        yield t**3 * (10 - 15 * t + 6 * t * t)
