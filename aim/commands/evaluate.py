"""`aim eval`: closed-loop success, task by task, with Wilson 95 % intervals."""

from __future__ import annotations

from pathlib import Path


def evaluate(
    *,
    policy: str,
    task: tuple[str, ...],
    out: Path,
    robot: str = "",
    episodes: int = 25,
    seed: int = 100_000,
    batch: int = 16,
    films: int = 2,
    film_height: int = 240,
    size: str = "128x128",
    threads: int = 2,
    device: str = "auto",
) -> dict[str, object]:
    """Run a policy on every seed once; the same command again runs what is missing, more --episodes add to it.

    Args:
        policy: folder of a training or of a checkpoint, or expert, or random
        task: names of tasks, or "all" (see aim tasks)
        out: folder of the results; it holds those of one policy
        robot: name of the robot; the policy's own, else aloha, if left out
        episodes: seeds a task
        seed: first seed
        batch: copies that run beside each other; it changes the speed, not the results
        films: episodes of each task that are filmed, the first ones
        film_height: pixels
        size: height and width of the pictures that the policy is shown, as in 128x128
        threads: for physics
        device: cpu, cuda, or auto
    """
    from aim import console
    from aim.commands import parse
    from aim.evaluate import closed_loop, results
    from aim.evaluate.contender import contender, robot_of
    from aim.evaluate.plan import Plan
    from sim import robots, tasks
    from sim.discover import choose
    from sim.types import UserError

    if min(episodes, batch, threads) < 1 or min(seed, films) < 0 or film_height < 32:
        raise UserError("episodes, batch and threads start at 1, seed and films at 0, film_height at 32")
    names = tasks.names() if task == ("all",) else tuple(dict.fromkeys(choose("task", t, tasks.names()) for t in task))
    who = contender(policy, parse.size(size), device)
    body = choose("robot", robot_of(who, robot, "aloha"), robots.names())
    plan = Plan(names, body, seed, episodes, batch, films, film_height, threads)
    left = closed_loop.missing(who, plan, out)
    with console.progress("episodes", len(names) * episodes) as bar:
        bar.step(len(names) * episodes - left)
        rows = closed_loop.evaluate(who, plan, out, lambda row: bar.step(detail=row.task))
    found = results.summary(rows)
    for name, figures in found["tasks"].items():
        print(f"{name}: {said(figures)} of {figures['episodes']} episodes")
    print(f"all: {said(found)}; {out / results.FILE}")
    return {**found, "results": str(out / results.FILE), "ran": left}


def said(figures: dict) -> str:
    """Return a rate and its interval in words."""
    low, high = figures["ci95"]
    return f"{100 * figures['success_rate']:.1f} % (95 % interval {100 * low:.1f} to {100 * high:.1f})"
