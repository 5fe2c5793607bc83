"""Mutate real tasks and count what becomes of them: refused with one line, without a scene, or playable.

    PYTHONPATH=tests .venv/bin/python scripts/check_tasks.py --examples 500

Exit code 1 where anything else happened: an exception, or a refusal without file and line.
"""

from __future__ import annotations

import argparse
import collections
import sys
import traceback

from task_mutations import mutate_task, try_task

from sim import tasks


def main() -> int:
    """Try the mutations of all tasks in turn and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="of the first mutation")
    chosen = parser.parse_args()
    names = tasks.list_tasks()
    counts: collections.Counter[str] = collections.Counter()
    for number in range(chosen.seed, chosen.seed + chosen.examples):
        name = names[number % len(names)]
        try:
            counts[try_task(mutate_task(name, number))] += 1
        except Exception:  # what this script looks for
            counts["fault"] += 1
            print(f"{name}, seed {number}:", file=sys.stderr)
            traceback.print_exc()
    print(f"{chosen.examples} mutated tasks: {', '.join(f'{n} {what}' for what, n in counts.most_common())}")
    return 1 if counts["fault"] else 0


if __name__ == "__main__":
    sys.exit(main())
