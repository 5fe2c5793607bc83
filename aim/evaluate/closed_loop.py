"""The closed loop: a policy sees, acts, and the world moves on, until every copy is done.

Seeds run in batches of copies. Each seed is run once, and its result depends on nothing but the seed: not on the batch it was
in, not on what ran before. The seeds to be filmed come first, in a batch of their own, so that only they are drawn large.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aim.evaluate import films, results
from aim.evaluate.contender import Contender
from aim.evaluate.results import Identity, Result
from sim import robots, tasks
from sim.env import Env
from sim.types import CONTROL_HZ, STEPS_PER_PICTURE, Chunk, Observation, Policy

Seen = Callable[[Result], None]
MAPS, FUTURE = "maps", "images"  # the extras of a chunk that are filmed


@dataclass(frozen=True)
class Plan:
    """What to run: the seeds of every task, and which of them to film at what height in pixels."""

    tasks: tuple[str, ...]
    robot: str
    seeds: tuple[int, ...]
    batch: int = 16
    films: int = 2
    film_height: int = 240
    threads: int = 2


@dataclass
class Take:
    """The pictures of one filmed copy: what happened and, of a policy that predicts, what it expected to see."""

    real: list[NDArray[np.uint8]] = field(default_factory=list)
    future: list[NDArray[np.uint8]] = field(default_factory=list)
    maps: list[NDArray[np.uint8]] = field(default_factory=list)


def evaluate(contender: Contender, plan: Plan, out: Path, seen: Seen = lambda result: None) -> tuple[Result, ...]:
    """Return the results of all (task, seed) of the plan, running those that `out` lacks; saved batch by batch."""
    identity = Identity(contender.name, contender.digest, plan.robot, contender.settings)
    known = {(row.task, row.seed): row for row in results.load(out, identity)}
    for task in plan.tasks:
        for seeds, filmed in _batches(plan, {seed for name, seed in known if name == task}):
            for row in _run(contender, plan, task, seeds, out if filmed else None):
                known[task, row.seed] = row
                seen(row)
            results.save(out, identity, known.values())
    return tuple(known[task, seed] for task in plan.tasks for seed in plan.seeds)


def missing(contender: Contender, plan: Plan, out: Path) -> int:
    """Return how many episodes of the plan `out` still lacks; `UserError` if it holds another's results."""
    identity = Identity(contender.name, contender.digest, plan.robot, contender.settings)
    known = {(row.task, row.seed) for row in results.load(out, identity)}
    return sum((task, seed) not in known for task in plan.tasks for seed in plan.seeds)


def roll_out(env: Env, policy: Policy, seeds: Sequence[int], *, sighted: bool, film: films.Size | None) -> list[Take]:
    """Play `seeds`, one a copy, to their ends; `env` then holds success and steps. Return a take a copy if filmed."""
    env.reset(seeds)
    policy.reset(np.ones(env.n, bool))
    takes = [Take() for _ in seeds]
    if film:
        _shoot(env, takes, film, ~env.done)
    while not env.done.all():
        chunk = policy.act(env.observe() if sighted else _unseen(env))
        for start, stop in _parts(chunk, int(env.steps.max()) if film else None):
            going = ~env.done
            env.advance(chunk.actions[:, start:stop])
            if film and int(env.steps.max()) % STEPS_PER_PICTURE == 0:
                _shoot(env, takes, film, going)
                _expect(takes, chunk, stop, going)
            if env.done.all():
                break
    return takes if film else []


def _batches(plan: Plan, done: set[int]) -> Iterator[tuple[tuple[int, ...], bool]]:
    """Yield the seeds not yet done, batch by batch, and whether to film them."""
    filmed = set(plan.seeds[: plan.films])
    for film in (True, False):
        left = [seed for seed in plan.seeds if seed not in done and (seed in filmed) == film]
        for i in range(0, len(left), plan.batch):
            yield tuple(left[i : i + plan.batch]), film


def _run(contender: Contender, plan: Plan, task: str, seeds: tuple[int, ...], studio: Path | None) -> Iterator[Result]:
    """Yield the results of one batch, in the order of `seeds`; films land in `studio`."""
    robot = robots.load(plan.robot)
    env = Env(tasks.load(task), robot, len(seeds), contender.cameras or None, contender.size, plan.threads)
    try:
        size = (plan.film_height, plan.film_height) if studio else None
        env.reset(seeds)
        takes = roll_out(env, contender.start(env, seeds), seeds, sighted=contender.sighted, film=size)
        for i, seed in enumerate(seeds):
            film = ""
            if studio:
                film = f"films/{task}-{seed}.webp"
                films.write(studio / film, cut(takes[i], bool(env.success[i]), plan.film_height))
            yield Result(task, seed, bool(env.success[i]), int(env.steps[i]), env.instruction[i], film)
    finally:
        env.close()
