"""The closed loop: a policy sees, acts, and the world moves on, until every copy is done.

Seeds run in batches of copies. Each seed is run once, and its result depends on nothing but the seed: not on the batch it was
in, not on what ran before. The seeds to be filmed come first, in a batch of their own, so that only they are drawn large.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aim.evaluate import films, results
from aim.evaluate.contender import Contender
from aim.evaluate.plan import Plan
from aim.evaluate.results import Result
from aim.evaluate.takes import Take, cut
from sim import robots, tasks
from sim.env import Env
from sim.types import CONTROL_HZ, STEPS_PER_PICTURE, Observation, Policy, UserError

Watch = Callable[[Result], None]


def evaluate(contender: Contender, plan: Plan, out: Path, watch: Watch = lambda result: None) -> tuple[Result, ...]:
    """Return the results of every (task, seed) of the plan, running those that `out` lacks, saved batch by batch.

    `UserError` where `out` holds another's results; `KeyboardInterrupt` with a text that says what was kept.
    """
    identity = contender.identity(plan.robot)
    known = {(row.task, row.seed): row for row in results.load(out, identity)}
    try:
        for task in plan.tasks:
            for seeds, filmed in batches(plan, {seed for name, seed in known if name == task}):
                rows = run(contender, plan, task, seeds, out if filmed else None)
                known |= {(row.task, row.seed): row for row in rows}
                results.save(out, identity, known.values())
                for row in rows:
                    watch(row)
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(f"kept {len(known)} episodes in {out}; the same command goes on") from stop
    return tuple(known[task, seed] for task in plan.tasks for seed in plan.seeds)


def batches(plan: Plan, done: set[int]) -> Iterator[tuple[tuple[int, ...], bool]]:
    """Yield the seeds that are not done, batch by batch, and whether to film them; those that are filmed first."""
    filmed = plan.seeds[: plan.films]
    for film in (True, False):
        left = [seed for seed in plan.seeds if seed not in done and (seed in filmed) == film]
        for i in range(0, len(left), plan.batch):
            yield tuple(left[i : i + plan.batch]), film


def run(contender: Contender, plan: Plan, task: str, seeds: Sequence[int], studio: Path | None) -> list[Result]:
    """Return the results of one batch, in the order of `seeds`; with a studio, its films land in that folder."""
    robot = robots.load(plan.robot)
    env = Env(tasks.load(task), robot, len(seeds), contender.cameras or None, contender.size, plan.threads)
    try:
        env.reset(seeds)
        policy = contender.start(env, seeds)
        takes = roll_out(env, policy, bool(contender.cameras), plan.film_height if studio else 0)
        paths = [f"films/{task}-{seed}.webp" if studio else "" for seed in seeds]
        rows = [
            Result(task, seed, bool(env.success[i]), int(env.steps[i]), env.instruction[i], paths[i])
            for i, seed in enumerate(seeds)
        ]
        for row, take in zip(rows, takes, strict=True) if studio else ():
            films.write(studio / row.film, cut(take, row.success, plan.film_height))
        return rows
    finally:
        env.close()


def roll_out(env: Env, policy: Policy, sighted: bool, film_height: int = 0) -> list[Take]:
    """Play the episodes of a fresh `env` to their ends; it then holds success and steps. Return a take a copy if filmed."""
    policy.reset(np.ones(env.n, bool))
    takes = [Take() for _ in range(env.n)]
    size = (film_height, film_height)
    camera = env.robot.camera_names[0]
    if film_height:
        _shoot(takes, env.frames(camera, size), ~env.done)
    while not env.done.all():
        chunk = policy.act(env.observe() if sighted else _unseen(env))
        length = chunk.actions.shape[1]
        for start, stop in pieces(length, int(env.steps.max())) if film_height else [(0, length)]:
            going = ~env.done
            env.advance(chunk.actions[:, start:stop])
            if film_height and (int(env.steps.max()) % STEPS_PER_PICTURE == 0 or env.done.all()):
                _shoot(takes, env.frames(camera, size), going)
                _foresee(takes, chunk.extras, camera, stop, going)
            if env.done.all():
                break
    return takes if film_height else []
