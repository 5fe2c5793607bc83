"""Closed-loop evaluation: a policy observes and acts, and the worlds are stepped on until every one is done.

Each seed is run once, and what comes of it depends on the seed alone, not on the batch it was in or on what ran before
(but for the last bit of a network's sums, which may round otherwise in a larger batch). Success is what the
environment says.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aim.evaluate import results
from aim.evaluate.plan import EvaluationPlan, SeedBatch
from aim.evaluate.policy_spec import PolicySpec
from aim.evaluate.results import EpisodeResult, ResultsOrigin
from aim.evaluate.rollout_video import RolloutFrames, render_rollout, select_predicted_frame
from aim.util.workers import ReportMessage, WorkerPool
from aim.viz import videos
from sim import robots
from sim.envs.control import check_chunk
from sim.envs.env import Env
from sim.envs.failure import find_attempt_failure
from sim.episodes.provenance import collect_provenance
from sim.types import (
    STEPS_PER_IMAGE,
    ActionChunk,
    AttemptFailure,
    Policy,
    SelfReporting,
)

Watch = Callable[[EpisodeResult], None]
Size = tuple[int, int]  # height, width
Job = tuple[str, SeedBatch]  # task, seeds


def evaluate(
    policy_spec: PolicySpec, plan: EvaluationPlan, out: Path, watch: Watch = lambda result: None, workers: int = 1,
    command: str = "",
) -> tuple[EpisodeResult, ...]:  # fmt: skip
    """Return the results of every (task, seed) of the plan, running those that `out` lacks, saved batch by batch.

    With them is saved the `command` line that asked for them.
    `UserError` where `out` holds another's results; `KeyboardInterrupt` with a text that says what was kept. More than
    one of `workers` are processes; they change the speed, not the results.
    """
    identity = policy_spec.make_identity(plan)
    known = {(row.task, row.seed): row for row in results.load_results(out, identity)}
    missing = [
        (task, batch)
        for task in plan.tasks
        for batch in plan.split_batches({seed for name, seed in known if name == task})
    ]
    run_job = functools.partial(run_batch, policy_spec, plan, out)
    origin = ResultsOrigin()
    if missing:
        provenances = results.add_provenance(out, collect_provenance(rendered=bool(policy_spec.cameras)))
        origin = ResultsOrigin(provenances, results.add_command(out, command), policy_spec.variant)
    try:
        with contextlib.closing(run_jobs(run_job, missing, workers)) as finished:
            for rows in finished:
                known |= {(row.task, row.seed): row for row in rows}
                results.save_results(out, identity, known.values(), origin)
                for row in rows:
                    watch(row)
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(f"kept {len(known)} episodes in {out}; the same command goes on") from stop
    return tuple(known[task, seed] for task in plan.tasks for seed in plan.seeds)


def count_missing(policy_spec: PolicySpec, plan: EvaluationPlan, out: Path) -> int:
    """Return how many episodes of the plan `out` lacks; `UserError` where it holds another's results."""
    known = {(row.task, row.seed) for row in results.load_results(out, policy_spec.make_identity(plan))}
    return sum((task, seed) not in known for task in plan.tasks for seed in plan.seeds)


def run_jobs(
    run_job: Callable[[Job], list[EpisodeResult]], jobs: Iterable[Job], workers: int
) -> Generator[list[EpisodeResult], None, None]:
    """Yield the results of every job as they come, from `workers` processes, or from this one where that is one."""
    if workers == 1:
        yield from map(run_job, jobs)
        return
    pool: WorkerPool[Job, list[EpisodeResult]] = WorkerPool(workers, functools.partial(_run_without_reports, run_job))
    with contextlib.closing(pool):
        yield from pool.run(jobs, describe=lambda job: f"task {job[0]}, seeds {', '.join(map(str, job[1].seeds))}")


def _run_without_reports(
    run_job: Callable[[Job], list[EpisodeResult]], job: Job, report: ReportMessage
) -> list[EpisodeResult]:
    return run_job(job)


def run_batch(policy_spec: PolicySpec, plan: EvaluationPlan, out: Path, job: Job) -> list[EpisodeResult]:
    """Return the results of one batch of a task, in the order of its seeds; films land in `out/films`."""
    task, batch = job
    env = Env(
        plan.load_task(task),
        robots.load_robot(plan.robot),
        len(batch.seeds),
        policy_spec.cameras,
        policy_spec.size,
        plan.threads,
        variation=plan.scene_variation,
        depth=policy_spec.depth,
        track_progress=True,
    )
    try:
        env.reset(batch.seeds)
        policy = policy_spec.make_policy(env, batch)
        height, width = policy_spec.size
        film = (plan.film_height, round(plan.film_height * width / height)) if batch.filmed else None
        rollouts = roll_out(env, policy, film=film, steps_per_prediction=policy_spec.steps_per_prediction)
        failures = [find_failure(env, policy, i) for i in range(env.n)]
        paths = [""] * env.n
        for i, rollout in enumerate(rollouts):
            if rollout.real:  # of a seed without a scene there is nothing to see
                paths[i] = f"films/{task}-{batch.seeds[i]}.webp"
                videos.write_webp(out / paths[i], render_rollout(rollout, failures[i], plan.film_height))
        words, progress = env.instructions, np.nan_to_num(env.progress)
        return [
            EpisodeResult(
                task, seed, bool(env.success[i]), int(env.steps[i]), words[i], paths[i],
                failure=failures[i], progress=round(float(progress[i]), 4),
                film_predictions=rollouts[i].predictions if paths[i] else (),
            )
            for i, seed in enumerate(batch.seeds)
        ]  # fmt: skip
    finally:
        env.close()


def find_failure(env: Env, policy: Policy, index: int) -> AttemptFailure | None:
    """Return why a world's attempt failed: the policy's own account where it gives one, else the environment's."""
    return policy.find_failure(index) if isinstance(policy, SelfReporting) else find_attempt_failure(env, index)


def roll_out(
    env: Env, policy: Policy, *, film: Size | None = None, steps_per_prediction: int = STEPS_PER_IMAGE
) -> list[RolloutFrames]:
    """Play a freshly reset `env` until every world is done; it then holds success and steps.

    Return the frames of every world if `film` gives their size, else none.
    """
    policy.reset(np.ones(env.n, bool))
    rollouts = [RolloutFrames(steps_per_prediction=steps_per_prediction) for _ in range(env.n)]
    camera, running = env.robot.camera_names[0], ~env.done  # when the last pictures were taken
    if film:
        _append_pictures(rollouts, env.render_camera(camera, film), running)
    while not env.done.all():
        chunk = check_chunk(policy.act(replace(env.observe(), active=~env.done)))
        for start, stop in _split_chunk(chunk, int(env.steps.max()), bool(film)):
            env.step(chunk.executable[:, start:stop])
            now = int(env.steps.max())
            if film and (now % STEPS_PER_IMAGE == 0 or env.done.all()):
                _append_pictures(rollouts, env.render_camera(camera, film), running)
                predicted = select_predicted_frame(chunk.extras, camera, stop, steps_per_prediction)
                _append_predictions(rollouts, predicted, running)
                running = ~env.done
            if env.done.all():
                break
    return rollouts if film else []


def _split_chunk(chunk: ActionChunk, step: int, filmed: bool) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of the parts of a chunk begun at control step `step`; filmed, they end with pictures."""
    length = chunk.executable.shape[1]
    first = STEPS_PER_IMAGE - step % STEPS_PER_IMAGE
    cuts = [0, *(range(first, length, STEPS_PER_IMAGE) if filmed else ()), length]
    yield from itertools.pairwise(cuts)


def _append_pictures(rollouts: list[RolloutFrames], pictures: NDArray[np.uint8], active: NDArray[np.bool_]) -> None:
    """Append the pictures (n h w 3) to the rollouts of the worlds that were active."""
    for i in np.flatnonzero(active):
        rollouts[i].real.append(pictures[i])


def _append_predictions(
    rollouts: list[RolloutFrames], predicted: tuple[NDArray | None, NDArray | None], active: NDArray[np.bool_]
) -> None:
    """Append the predicted picture and map, as far as there are any, to the rollouts of the active worlds."""
    pictures, maps = predicted
    for i in np.flatnonzero(active):
        if pictures is not None:
            rollouts[i].future.append(pictures[i])
        if maps is not None:
            rollouts[i].maps.append(maps[i])
