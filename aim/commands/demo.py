"""`aim demo`: the main job in miniature on one task. It calls the verbs that a user would type, one after another."""

from __future__ import annotations

from pathlib import Path

TASK, ROBOT = "click_bell", "panda"
PUSH = 0.04  # radians: demonstrations that show the way back
PRESET, STEPS = "tiny", 14000  # the smallest model, trained for longer than its tests need


def demo(
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
    from aim import console
    from aim.commands.evaluate import evaluate
    from aim.commands.generate import generate
    from aim.commands.report import report
    from aim.commands.train import train

    data, trained = out / "demonstrations", out / "training"

    console.note(f"1 of 4: {num} demonstrations of {TASK} on {ROBOT}, in {data}")
    generate(task=(TASK,), robot=ROBOT, num=num, seed=seed, push=PUSH, out=data)

    console.note(f"2 of 4: at most {minutes:g} minutes of training, in {trained}")
    made = train(PRESET, data=data, out=trained, resume=True, seed=seed, steps=STEPS, minutes=minutes)

    console.note(f"3 of 4: {episodes} episodes each with the policy, the expert and random actions")
    checkpoint = Path(str(made["checkpoint"]))
    found = {
        name: evaluate(policy=policy, task=(TASK,), robot=ROBOT, episodes=episodes, out=out / f"evaluation-{name}")
        for name, policy in ((checkpoint.name, str(checkpoint)), ("expert", "expert"), ("random", "random"))
    }

    console.note("4 of 4: the report")
    page = report(out)
    rates = {name: result["success_rate"] for name, result in found.items()}
    return {
        "report": page["report"],
        "success_rate": rates[checkpoint.name],
        "expert": rates["expert"],
        "random": rates["random"],
        "training_steps": made["steps"],
    }
