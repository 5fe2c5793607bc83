"""`aim eval`: closed-loop success, task by task, with Wilson 95 % intervals."""

from __future__ import annotations

from pathlib import Path

from aim.util.command_line import format_command
from sim import DEFAULT_ROBOT


def evaluate_policy(
    *,
    policy: str,
    out: Path,
    task: tuple[str, ...] = (),
    suite: str = "",
    robot: str = "",
    variation: str = "clean",
    episodes: int = 25,
    seed: int = 100_000,
    policy_seed: int = 0,
    candidates: int | None = None,
    batch: int = 16,
    films: int | None = None,
    film_height: int = 240,
    mp4: bool = False,
    size: str = "",
    workers: int | None = None,
    threads: int | None = None,
    device: str = "auto",
) -> dict[str, object]:
    """Run a policy on every seed once; the same command again runs what is missing, more --episodes add to it.

    Args:
        policy: folder of a training or of a checkpoint, expert, random, a class of your own, MODULE:CLASS or
            FILE.py:CLASS (docs/your_own_policy.md), or HOST:PORT of a policy server (docs/policy_server.md)
        out: folder of the results; it holds those of one policy in one variation
        task: names of tasks (see aim tasks), "all", files of tasks (.py, .json), or folders of such files
        suite: name of a suite, instead of --task; what the robot has too few arms for is left out
        robot: name of the robot; the policy's own, else aloha, if left out
        variation: clean, or random: looks and words that no training shows
        episodes: seeds a task
        seed: first seed
        policy_seed: of the noise that a learned policy samples its actions from, world by world
        candidates: chunks among which a policy with a verifier (aim rl) chooses, 1 for its own alone; as many as the
            verifier learned from if left out
        batch: copies that run beside each other; it changes the speed, not the results
        films: episodes of each task that are filmed, the first ones; 2, but none of the expert's and of random actions
            on a suite, if left out
        film_height: pixels
        mp4: write every film as MP4, too, also those that are there already
        size: height and width of the pictures that the policy is shown, as in 128x128; those of the demonstrations
            that it learned from if left out
        workers: processes; 1 for a learned policy, 2 where the machine has them for others, if left out
        threads: for physics, in each process; 2 with one worker, else 1, if left out
        device: cpu, cuda, or auto
    """
    command = format_command("eval", evaluate_policy, locals())

    from aim.commands import parse
    from aim.evaluate import closed_loop, results
    from aim.evaluate.plan import VARIATION_OF_EVALUATION, EvaluationPlan
    from aim.evaluate.policy_spec import EXPERT, RANDOM, parse_policy, resolve_robot
    from aim.util import console
    from aim.util.folder_lock import lock_folder
    from aim.util.full_disk import explain_full_disk
    from aim.util.workers import count_cores
    from aim.viz import videos
    from sim import robots
    from sim.envs.failure import format_failure_counts
    from sim.registry import resolve_name
    from sim.types import UserError

    is_reference = policy in (EXPERT, RANDOM)
    films = (0 if is_reference and suite else 2) if films is None else films
    workers = (min(2, count_cores()) if is_reference else 1) if workers is None else workers
    threads = (2 if workers == 1 else 1) if threads is None else threads
    if min(episodes, batch, threads, workers) < 1 or min(seed, policy_seed, films) < 0 or film_height < 32:
        raise UserError("episodes, batch, threads and workers start at 1, seeds and films at 0, film_height at 32")
    resolve_name("variation", variation, tuple(VARIATION_OF_EVALUATION))
    parse.check_writable(out)
    policy_spec = parse_policy(policy, parse.parse_size(size) if size else None, device, policy_seed, robot, candidates)
    embodiment = robots.load_robot(
        resolve_name("robot", resolve_robot(policy_spec, robot, DEFAULT_ROBOT), robots.list_robots())
    )
    tasks = parse.select_tasks(task, suite, embodiment)
    names, definitions = tuple(tasks), parse.encode_tasks(tasks)
    plan = EvaluationPlan(
        names, embodiment.name, seed, episodes, batch, films, film_height, threads, variation, definitions
    )
    with (
        lock_folder(out),
        explain_full_disk(
            out, lambda: f"kept {results.count_episodes(out)} episodes; with more room the same command goes on"
        ),
        console.show_progress("episodes", len(names) * episodes) as bar,
    ):
        num_missing = closed_loop.count_missing(policy_spec, plan, out)
        bar.step(len(names) * episodes - num_missing)
        rows = closed_loop.evaluate(
            policy_spec, plan, out, lambda row: bar.step(detail=row.task), min(workers, max(num_missing, 1)), command
        )
        filmed = [out / row.film for row in rows if row.film and (out / row.film).is_file()]
        for film in filmed if mp4 else []:
            videos.copy_as_mp4(film)
    summary = results.summarize_results(rows)
    width = max(len(name) for name in names)
    for name, figures in summary["tasks"].items():
        print(f"{name:{width}}  {format_rate(figures)} of {figures['episodes']} episodes")
        failed_rows = [row for row in rows if row.task == name and not row.success]
        if failed_rows:
            print(f"{'':{width}}  {format_failure_counts(results.list_failures(failed_rows), figures['episodes'])}")
    print(f"{'all':{width}}  {format_rate(summary)} of {len(rows)} episodes; {out / results.RESULTS_FILE}")
    return {**summary, "variation": variation, "results": str(out / results.RESULTS_FILE), "ran": num_missing}


def format_rate(figures: dict) -> str:
    """Success rate and its confidence interval as text."""
    low, high = (f"{100 * bound:.1f}" for bound in figures["ci95"])
    rate = f"{100 * figures['success_rate']:.1f}"
    return f"{rate:>5} % (95 % interval {low:>5} to {high:>5})"
