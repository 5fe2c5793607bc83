#!/usr/bin/env python3
"""Does the map help? Variants x tasks x seeds of training, equal steps, one table with Wilson intervals.

    .venv/bin/python scripts/ablation.py --steps 1400 --shifts 0 --compile on --variants paper,no_map --seeds 0

A row is a variant: a table of `aim/model/intent.py`, with `+geometry` for tokens that carry the 3-D position of their
patch. On `place_empty_cup` there is one thing to take; on `place_named_cup` two, and only the words tell which. All
variants of a task share demonstrations, codec and tokens. What is finished is kept: the same command again goes on,
and other variants, tasks or seeds may be added. Flags that are not listed here go to aim train (--codec-minutes 6).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

VARIANTS = "paper,text,no_map,video_free,text+geometry"
TASKS = "place_empty_cup,place_named_cup"


def main() -> None:
    """Make what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--preset", default="nano")
    parser.add_argument("--robot", default="panda")
    parser.add_argument("--tasks", default=TASKS)
    parser.add_argument("--variants", default=VARIANTS)
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--demonstrations", type=int, default=300)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--shifts", type=int, help="as of aim train; few steps need none")
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--compile", default="auto", help="as of aim train: 'on' is 1.4 times faster on a CPU, too")
    args, args.training = parser.parse_known_args()
    rows = {
        (task, variant): [run(args, task, variant, int(seed)) for seed in args.seeds.split(",")]
        for task in args.tasks.split(",")
        for variant in args.variants.split(",")
    }
    text = table(rows, args.variants.split(","), args.tasks.split(","))
    (args.out / "table.md").write_text(text)
    print(text)


def run(args: argparse.Namespace, task: str, variant: str, seed: int) -> dict:
    """Return what a variant reaches on a task with one seed of training."""
    home = args.out / task
    for name, count, first in (("train", args.demonstrations, 1000), ("held", 30, 9000)):
        aim("generate", "--task", task, "--robot", args.robot, "--num", count, "--seed", first, "--depth",
            "--push", 0.04, "--workers", args.workers, "--out", home / name)  # fmt: skip
    table, _, geometry = variant.partition("+")
    out, first = home / f"{variant}-{seed}", home / "codec"
    training = ("train", args.preset, "--data", home / "train", "--device", args.device,
                "--compile", args.compile, "--film-every", 0, "--resume",
                *(["--shifts", args.shifts] if args.shifts is not None else []), *args.training)  # fmt: skip
    aim(*training, "--out", first, "--steps", 1)  # one codec for all variants
    aim(*training, "--out", out, "--codec", first, "--variant", table, *(["--geometry"] if geometry else []),
        "--seed", seed, "--steps", args.steps)  # fmt: skip
    ended = aim("eval", "--policy", out, "--task", task, "--robot", args.robot, "--episodes", args.episodes,
                "--seed", 0, "--out", out / "eval")  # fmt: skip
    seen = aim("imagine", "--policy", out, "--data", home / "held", "--out", out / "imagine")
    return {"successes": round(ended["success_rate"] * args.episodes), "episodes": args.episodes, "seen": seen}


def aim(*words: object) -> dict:
    """Return what a verb of the command line answers."""
    command = [sys.executable, "-m", "aim", *map(str, words), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def table(rows: dict[tuple[str, str], list[dict]], variants: list[str], tasks: list[str]) -> str:
    """Return the table: success over all seeds with its interval, and on unseen demonstrations maps and joints."""
    from aim.evaluate.intervals import wilson_interval

    lines = ["| variant | " + " | ".join(f"{task} | peaks within 8 px | joints off, rad" for task in tasks) + " |"]
    lines.append("|---" * (1 + 3 * len(tasks)) + "|")
    for variant in variants:
        cells = []
        for task in tasks:
            found = rows[task, variant]
            won, tried = (sum(row[key] for row in found) for key in ("successes", "episodes"))
            low, high = wilson_interval(won, tried)
            peaks = [row["seen"]["peak_within_8px"] for row in found if row["seen"]["peak_within_8px"] is not None]
            right = f"{100 * sum(peaks) / len(peaks):.0f} %" if peaks else "no map"
            off = sum(row["seen"]["joint_error_rad"] for row in found) / len(found)
            cells += [f"{won} of {tried} ({100 * low:.0f} to {100 * high:.0f} %)", right, f"{off:.4f}"]
        lines.append(f"| {variant} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
