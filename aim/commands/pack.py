"""`aim pack`: a policy in one small folder, to be passed on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aim.policy.shipped import MeasuredSuccess


def pack_policy(
    *,
    policy: Path,
    out: Path,
    description: str = "",
    data: str = "",
    license: str = "",
    command: tuple[str, ...] = (),
    cpu_hours: float = 0.0,
    results: tuple[Path, ...] = (),
) -> dict[str, object]:
    """Write a policy into a folder that can be passed on: its files, weights in half precision, and SOURCE.toml.

    Rounding changes how it acts by a little, so it is what lies in the folder that is to be evaluated: `aim eval
    --policy OUT`, then `aim pack --policy OUT --out OUT --results EVALUATION` adds what was found.

    Args:
        policy: folder of a training or of a checkpoint; with --results the packed one, the same as --out
        out: folder to write; one that holds this policy already keeps its files
        description: what it does, in a sentence
        data: what it learned from
        license: of the weights
        command: command lines that make such a policy, in order; those that trained it if left out
        cpu_hours: that they took, of one core
        results: folders of evaluations of the packed policy, whose successes are added to SOURCE.toml
    """
    import dataclasses

    from aim.commands import parse
    from aim.policy import pack, shipped
    from aim.train.provenance import read_commands
    from sim.episodes.provenance import describe_commit
    from sim.types import UserError

    parse.check_writable(out.parent)
    if results:
        if policy.resolve() != out.resolve() or not (out / shipped.SOURCE_FILE).is_file():
            raise UserError(
                "--results are of a packed policy: pack it first, then give its folder to --policy and --out"
            )
        if description or data or license or command or cpu_hours:
            raise UserError("--results adds to SOURCE.toml; the other facts were given when the policy was packed")
        shipped.check_files(out)
        source = pack.add_results(out, tuple(row for folder in results for row in read_successes(folder, out)))
    else:
        if not (description and data and license):
            raise UserError("give --description, --data and --license: what it does, learned from, and may be used for")
        commands = command or read_commands(policy) or read_commands(policy.parent)
        facts = shipped.PolicyFacts(description, license, data, commands, cpu_hours, describe_commit())
        source = pack.pack_policy(policy, out, facts)
    size = sum(path.stat().st_size for path in out.iterdir())
    print(f"{out}: {size / 1e6:.1f} MB")
    return {"folder": str(out), "bytes": size, **dataclasses.asdict(source)}


def read_successes(folder: Path, packed: Path) -> list[MeasuredSuccess]:
    """Return how often each task of an evaluation was solved; `UserError` if another policy was evaluated."""
    from aim.evaluate import results
    from aim.policy.checkpoint import compute_digest
    from aim.policy.shipped import MeasuredSuccess
    from sim.types import UserError

    path = folder / results.RESULTS_FILE
    if not path.is_file():
        raise UserError(f"{folder} holds no evaluation; `aim eval --policy {packed} --out {folder}` makes one")
    record = results.read_record(path)
    if record["digest"] != compute_digest(packed):
        raise UserError(f"{folder} holds results of other weights; evaluate {packed}")
    settings, rows = record["settings"], [results.parse_result(row) for row in record["episodes"]]
    return [
        MeasuredSuccess(
            task, record["robot"], record["variation"], int(settings["first_seed"]), figures["episodes"],
            sum(row.success for row in rows if row.task == task), int(settings.get("candidates", 1)),
        )
        for task, figures in results.summarize_results(rows)["tasks"].items()
    ]  # fmt: skip
