"""Success of the expert from states in the middle of roll-outs of other policies, by kind of state.

`python scripts/recover.py [--robot aloha] [--states 20] [TASK ...]`: for each task, states from the random policy, from
the expert with perturbed joints, and from the expert stopped at a random step. The expert then takes over and has the
task's horizon. States in which an object lies below the table count as failures and are listed apart.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np

from aim.evaluate.random_policy import RandomPolicy
from sim import robots, tasks
from sim.envs.env import Env
from sim.expert.perturb import sample_perturbations
from sim.expert.policy import ExpertPolicy

TASKS = (
    "place_empty_cup", "stack_blocks_two", "handover_mic", "open_laptop", "put_object_cabinet", "place_can_basket",
    "lift_pot", "click_bell", "hanging_mug", "pick_dual_bottles",
)  # fmt: skip
KINDS = ("random", "perturbed", "stopped")
PERTURBATION_RAD = 0.04
FALLEN_M = 0.05  # below the table's top
FIRST_SEED = 5000


def run_expert(env: Env) -> ExpertPolicy:
    """Play the expert until every world has ended."""
    expert = ExpertPolicy(env)
    while not (env.done | expert.finished).all():
        env.step(expert.act().actions, hold=expert.finished)
    return expert


def play_until(env: Env, kinds: list[str], takeover: np.ndarray, seeds: list[int]) -> None:
    """Step every world under the policy of its kind until its own step of take-over."""
    expert, random_policy = ExpertPolicy(env), RandomPolicy(env.robot, seeds)
    offsets = np.stack([sample_perturbations(env.task, env.robot, seed, PERTURBATION_RAD) for seed in seeds])
    is_random = np.array([kind == "random" for kind in kinds])
    is_perturbed = np.array([kind == "perturbed" for kind in kinds])
    random_policy.reset(np.ones(env.n, bool))
    chunk = np.zeros((env.n, 0, len(env.robot.home_action)))
    expert.finished |= is_random
    for step in range(int(takeover.max())):
        if step % 16 == 0:
            chunk = random_policy.act(None).actions
        actions = expert.act().actions[:, 0] + is_perturbed[:, None] * offsets[:, min(step, offsets.shape[1] - 1)]
        actions = np.where(is_random[:, None], chunk[:, step % 16], actions)
        env.step(actions[:, None], hold=step >= takeover)


def find_fallen(env: Env) -> np.ndarray:
    """Return in which worlds (n,) a free object lies below the table that did not stand there at reset."""
    fallen = np.zeros(env.n, bool)
    limit = env.view.table_origin()[:, 2] - FALLEN_M
    for thing in env.task.objects:
        if not thing.fixed:
            height, start = env.view.position(thing.name)[:, 2], env.view.initial_pose(thing.name)[:, 2]
            fallen |= (height < limit) & (start > limit)
    return fallen


def measure_task(name: str, robot: str, states: int) -> list[tuple[str, str, str]]:
    """Return (kind, verdict, reason) of every state of a task."""
    task, body = tasks.load_task(name), robots.load_robot(robot)
    seeds = list(range(FIRST_SEED, FIRST_SEED + states))
    env = Env(task, body, states, cameras=(), max_steps=3 * task.horizon)
    env.reset(seeds)
    start = env.snapshot()
    run_expert(env)
    draw = np.random.default_rng(0)
    takeover = np.maximum(1, (draw.uniform(0.1, 0.9, states) * env.steps).astype(int))
    env.restore(start)
    kinds = [KINDS[i % len(KINDS)] for i in range(states)]
    play_until(env, kinds, takeover, seeds)
    already, fallen = env.done.copy(), find_fallen(env)
    expert = run_expert(env)
    rows = []
    for i, kind in enumerate(kinds):
        in_time = env.success[i] and env.steps[i] - takeover[i] <= task.horizon
        verdict = "solved before" if already[i] else "success" if in_time else "impossible" if fallen[i] else "failure"
        reason = "" if env.success[i] else str(expert.find_failure(i))
        rows.append((kind, verdict, f"seed {seeds[i]}, step {takeover[i]}: {reason or 'too late'}"))
    env.close()
    return rows


def main() -> None:
    """Print success by task and kind of state."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=TASKS)
    parser.add_argument("--robot", default="aloha")
    parser.add_argument("--states", type=int, default=20)
    args = parser.parse_args()
    totals: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for name in args.tasks:
        rows = measure_task(name, args.robot, args.states)
        for kind, verdict, reason in rows:
            totals[kind][verdict] += 1
            if verdict in ("failure", "impossible"):
                print(f"  {name}, {kind}: {verdict}, {reason}")
        won = sum(verdict == "success" for _, verdict, _ in rows)
        print(f"{name}: {won} of {len(rows)}", flush=True)
    for kind, counts in totals.items():
        print(f"{kind}: {counts['success']} of {counts.total()}; {dict(counts)}")
    whole = sum(totals.values(), Counter())
    print(f"all: {whole['success']} of {whole.total()} ({100 * whole['success'] / whole.total():.1f} %)")


if __name__ == "__main__":
    main()
