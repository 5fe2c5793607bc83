"""`aim demo`: the whole pipeline in miniature on one task, by the same verbs that a user would type."""

from __future__ import annotations

from pathlib import Path

DEMO_TASK, DEMO_ROBOT = "click_bell", "panda"
DEMO_PUSH_RAD = 0.04  # demonstrations that show the way back
DEMO_PRESET, DEMO_STEPS = "tiny", 14000  # the smallest model, trained for longer than its tests need
# with tokens of 16 pixels for 32: the peaks of its maps survive the codec, those of the preset's own do not
DEMO_FLAGS = ("--codec.factor", "8", "--codec.latent-channels", "16", "--train.optimizer", "muon")


def run_demo(
    *, out: Path = Path("runs/demo"), minutes: float = 6.0, num: int = 100, episodes: int = 25, seed: int = 0
) -> dict[str, object]:
    """Record demonstrations, train on them, evaluate the policy beside the expert and random, write a report.

    What is finished is kept: the same command again goes on where it stopped, or only says what there is.

    Args:
        out: folder of everything that is made
        minutes: of training at most; more of them on a second call train further
        num: demonstrations
        episodes: seeds that each policy is evaluated on
        seed: of demonstrations and training
    """
    from aim.commands.evaluate import evaluate_policy
    from aim.commands.generate import generate_dataset
    from aim.commands.report import write_report
    from aim.commands.train import train_model
    from aim.util import console

    data, run_folder = out / "demonstrations", out / "training"

    console.print_note(f"1 of 4: {num} demonstrations of {DEMO_TASK} on {DEMO_ROBOT}, in {data}")
    generate_dataset(task=(DEMO_TASK,), robot=DEMO_ROBOT, num=num, seed=seed, push=DEMO_PUSH_RAD, out=data)

    console.print_note(f"2 of 4: at most {minutes:g} minutes of training, in {run_folder}")
    limits = ("--train.steps", str(DEMO_STEPS), "--train.minutes", str(minutes), *DEMO_FLAGS)
    trained = train_model(DEMO_PRESET, data=(data,), out=run_folder, resume=True, seed=seed, overrides=limits)

    console.print_note(f"3 of 4: {episodes} episodes each with the policy, the expert and random actions")
    checkpoint = Path(str(trained["checkpoint"]))
    evaluations = {
        name: evaluate_policy(
            policy=policy, task=(DEMO_TASK,), robot=DEMO_ROBOT, episodes=episodes, out=out / f"evaluation-{name}"
        )
        for name, policy in ((checkpoint.name, str(checkpoint)), ("expert", "expert"), ("random", "random"))
    }

    console.print_note("4 of 4: the report")
    page = write_report(out)
    rates = {name: result["success_rate"] for name, result in evaluations.items()}
    return {
        "report": page["report"],
        "success_rate": rates[checkpoint.name],
        "expert": rates["expert"],
        "random": rates["random"],
        "training_steps": trained["steps"],
    }
