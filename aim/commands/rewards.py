"""`aim rewards`: which reward terms go with success, and which pay for failing."""

from __future__ import annotations

from pathlib import Path

from aim.util.command_line import format_command


def measure_rewards(
    *,
    policy: Path,
    task: str,
    out: Path,
    episodes: int = 100,
    seed: int = 70_000,
    terms: str = "",
    policy_seed: int = 0,
    variation: str = "clean",
    batch: int = 16,
    threads: int = 1,
    device: str = "auto",
) -> dict[str, object]:
    """Run a policy, and tell for each reward term whether successes earn more by it than failures.

    The same command again runs what is missing; more --episodes add to it.

    Args:
        policy: folder of a training or of a checkpoint
        task: name or file of the task
        out: folder of the results; it holds those of one policy on one task
        episodes: scenes, one episode each
        seed: of the first scene
        terms: names of reward terms, as in success,map_response; all that the policy has what it takes for if left out
        policy_seed: of the noise that the policy samples its actions from
        variation: clean or random
        batch: worlds that run beside each other
        threads: for physics
        device: cpu, cuda, or auto
    """
    command = format_command("rewards", measure_rewards, locals())

    import dataclasses

    from aim.commands import parse
    from aim.evaluate.plan import VARIATION_OF_EVALUATION
    from aim.evaluate.policy_spec import parse_policy
    from aim.policy import checkpoint, load_policy
    from aim.rl import reward_folder, rewards
    from aim.rl.critic import judge_states
    from aim.rl.critic_fit import fit_critic
    from aim.rl.reward_recorder import RewardRecorder, can_imagine_maps
    from aim.rl.reward_table import measure_terms
    from aim.rl.rollout import collect_trials
    from aim.train.provenance import add_command
    from aim.util import console, machine
    from aim.util.folder_lock import lock_folder
    from aim.util.full_disk import explain_full_disk
    from sim import robots, tasks
    from sim.envs.env import Env
    from sim.registry import resolve_name
    from sim.scene.sample import check_arm_count
    from sim.types import UserError

    if min(episodes, batch, threads) < 1 or seed < 0:
        raise UserError("episodes, batch and threads start at 1, seed at 0")
    chosen = [rewards.find_term(name) for name in parse.split_commas(terms) or rewards.TERMS]
    parse.check_writable(out)
    resolve_name("variation", variation, tuple(VARIATION_OF_EVALUATION))
    source = checkpoint.resolve_checkpoint(policy)
    spec = parse_policy(str(source), None, device)  # which refuses a policy of another robot
    robot = robots.load_robot(resolve_name("robot", spec.robot, robots.list_robots()))
    definition = parse.load_one_task(task)
    check_arm_count(definition, robot)
    learned = load_policy(source, device=str(machine.resolve_device(device)), precision="fp32", candidates=1)
    if not can_imagine_maps(learned) and not terms:
        chosen = [term for term in chosen if not term.needs_maps]
        console.print_note("note: the policy imagines no value maps; terms of their response are left out")
    with_maps = any(term.needs_maps for term in chosen)
    actor = learned.fork(parse.check_seed(policy_seed), imagine=with_maps)
    settings = reward_folder.RewardSettings(
        spec.digest, tasks.label_task(definition), variation, policy_seed, with_maps
    )
    env = Env(
        definition, robot, min(batch, episodes), learned.cameras, learned.transform.size, threads, variation=variation,
        depth=learned.run.model.geometry,
    )  # fmt: skip
    recorder = RewardRecorder(actor, env, with_maps)
    seeds = range(seed, seed + episodes)
    with (
        lock_folder(out),
        explain_full_disk(out, lambda: "with more room the same command goes on"),
    ):
        reward_folder.claim_reward_folder(out, settings)
        add_command(out, command)
        kept = reward_folder.read_kept_trials(out)
        missing = [number for number in seeds if number not in kept]
        try:
            with console.show_progress("episodes", episodes) as bar:
                bar.step(episodes - len(missing))
                for trial in collect_trials(actor, env, missing, recorder=recorder) if missing else ():
                    kept[trial.seed] = trial
                    bar.step()
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt(f"kept {len(kept)} episodes in {out}; the same command goes on") from stop
        finally:
            env.close()
            if missing and kept:
                reward_folder.keep_trials(out, kept.values())
        trials = [kept[number] for number in seeds if number in kept]
        if not trials:
            raise UserError(f"none of the seeds {seed} to {seeds[-1]} has a usable scene")
        critic, quality = fit_critic(trials, 0)
        values = [judge_states(critic, trial, 0).astype(float) for trial in trials]
        found = rewards.compute_rewards(chosen, trials, values)
        table = measure_terms(
            found, [len(trial.facts) for trial in trials], [trial.success for trial in trials], quality
        )
        reward_folder.save_table(out, table)
    for line in table.describe():
        print(line)
    print(out / reward_folder.TABLE_FILE)
    return {
        **dataclasses.asdict(table), "hackable": [row.term for row in table.terms if row.is_hackable],
        "table": str(out / reward_folder.TABLE_FILE), "plot": str(out / reward_folder.PLOT_FILE), "ran": len(missing),
    }  # fmt: skip
