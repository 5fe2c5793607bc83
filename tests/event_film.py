"""Streams of contacts, poses and joints made by hand, for tests of the rules of `sim.episodes.events`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from sim.episodes.events import find_events
from sim.types import CONTACT_DTYPE, Event

HANDS = tuple(f"{arm}/{part}" for arm in ("left", "right") for part in ("hand", "finger0", "finger1"))
FURNITURE = ("bell", "laptop", "laptop.lid", "cabinet", "cabinet.drawer")
THINGS = ("cup", "coaster", "tray", "pan", "ball", "marble", *FURNITURE)
BODIES = ("world", "table", *THINGS, *HANDS)
JOINTS = ("laptop.hinge", "cabinet.slide")
KINDS = {"cup": "free", "bell": "fixed", "laptop.lid": "hinged"}
Spot = tuple[float, float, float]


@dataclass
class Film:
    """A stream under construction: nothing moves and nothing touches until a test says so."""

    steps: int = 100
    kinds: Mapping[str, str] = field(default_factory=lambda: KINDS)
    rows: list[tuple[int, int, int, Spot, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pose = np.zeros((self.steps + 1, len(BODIES), 7), np.float32)
        self.pose[..., 3] = 1.0
        self.joint = np.zeros((self.steps + 1, len(JOINTS)), np.float32)
        self.lid, self.drawer = self.joint[:, 0], self.joint[:, 1]
        self.command = np.ones((self.steps, 2), np.float32)

    def touch(self, one: str, other: str, steps: Iterable[int], at: Spot = (0, 0, 0)) -> None:
        """Let two bodies touch at a world point during `steps`."""
        self.rows += [(s, BODIES.index(one), BODIES.index(other), at, 1.0) for s in steps]

    def grasp(self, arm: str, steps: Iterable[int], at: Spot = (0, 0, 0), body: str = "cup") -> None:
        """Let both fingers touch the body, 2 cm either side of `at`."""
        steps = list(steps)
        self.touch(f"{arm}/finger0", body, steps, (at[0] - 0.02, at[1], at[2]))
        self.touch(body, f"{arm}/finger1", steps, (at[0] + 0.02, at[1], at[2]))

    def move(self, names: Iterable[str], start: int, stop: int, by: Spot) -> None:
        """Move bodies evenly by `by` from step `start` to `stop`, where they stay."""
        share = np.clip((np.arange(self.steps + 1) - start) / (stop - start), 0, 1)[:, None]
        for name in names:
            self.pose[:, BODIES.index(name), :3] += (share * by).astype(np.float32)

    def put(self, body: str, at: Spot) -> None:
        """Shift a body, with all its later motion, by `at`."""
        self.pose[:, BODIES.index(body), :3] += np.float32(at)

    def tilt(self, names: Iterable[str], start: int, stop: int, angle: float, axis: Spot = (1, 0, 0)) -> None:
        """Turn bodies evenly by `angle` about a unit axis from step `start` to `stop`, where they stay."""
        half = angle / 2 * np.clip((np.arange(self.steps + 1) - start) / (stop - start), 0, 1)[:, None]
        for name in names:
            self.pose[:, BODIES.index(name), 3:] = np.hstack([np.cos(half), np.sin(half) * axis])

    def events(self, kinds: Mapping[str, str] | None = None) -> tuple[Event, ...]:
        """Return what the rules find."""
        contacts = np.array(self.rows, CONTACT_DTYPE)[np.random.default_rng(0).permutation(len(self.rows))]
        arms = ("left", "right")
        return find_events(contacts, BODIES, self.pose, JOINTS, self.joint, self.command, arms, kinds or self.kinds)

    def found(self) -> list[tuple[str, int, str, str]]:
        """Return the events without their points."""
        return [(e.kind, e.step, e.arm, e.reference_body) for e in self.events()]


def carry(
    film: Film, arm: str = "left", start: int = 20, stop: int = 50, by: Spot = (0, 0, 0.1), body: str = "cup"
) -> None:
    """Grasp the body during [start, stop] and carry it from five steps later on."""
    film.grasp(arm, range(start, stop + 1), body=body)
    film.move([body, f"{arm}/hand"], start + 5, stop - 5, by)


def put_down(film: Film, support: str = "coaster", rest: int = 55) -> None:
    """Carry the cup, let go after step 50, let it fall until `rest` and lie on `support` from there."""
    carry(film, by=(0.1, 0, 0))
    film.move(["cup"], 46, rest, (0, 0, -0.1))
    film.move(["left/hand"], 46, 50, (0, 0, -0.1))
    film.touch("cup", support, range(rest - 2, 101), (0.1, 0.03, -0.1))
