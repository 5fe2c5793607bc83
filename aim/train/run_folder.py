"""The folder of a run: whether it is this run's, what it takes over from other runs, and what it holds so far."""

from __future__ import annotations

import dataclasses
import filecmp
import functools
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from aim import config
from aim.config import RUN_FILE, Run, TrainConfig
from aim.data import latent_files
from aim.data.source import Source
from aim.policy.checkpoint import CODEC_FILE, demand_newest, find_newest, list_checkpoints
from aim.train import checkpoint, codec_state, initial, provenance
from aim.train.dataset_check import check_dataset
from aim.train.initial import InitialPolicy
from aim.util import console
from aim.util.folder_lock import is_empty
from aim.util.link import link_or_copy
from sim.types import UserError

RESUMABLE_FIELDS = ("steps", "minutes", "precision", "checkpointing")  # what may change when a training goes on


def claim_folder(
    run: Run, source: Source, out: Path, resume: bool, fill: Callable[[], None] = lambda: None
) -> None:  # fmt: skip
    """Make `out` the folder of this run, or resume it; `UserError`, with nothing changed, if it holds another.

    `fill` puts into it what the run starts from, before the folder counts as that of a run.
    """
    if (out / RUN_FILE).exists():
        check_dataset(config.load_run(out), source, f"the run in {out}")
        differences_found = describe_run_differences(config.load_run(out), run) or provenance.describe_differences(
            source, out, may_grow=resume
        )
        if differences_found:
            raise UserError(f"{out} holds another run: {'; '.join(differences_found)}; choose another folder")
        if list_checkpoints(out) and not resume:
            newest = list_checkpoints(out)[-1].name
            raise UserError(f"{out} holds {newest} of this run; --resume goes on, or choose another folder")
        demand_newest(out, checkpoint.TRAINING_FILES)
        if count := provenance.count_new_episodes(source, out):
            before = len(source.episodes) - count
            console.print_note(f"{count} new episodes beside the {before} that it began with: only they are coded")
    elif out.exists() and not (out.is_dir() and is_empty(out)):
        raise UserError(f"{out} is not empty and holds no run; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    fill()
    provenance.save_provenance(source, out)
    config.save_run(run, out)


def describe_run_differences(stored: Run, requested: Run) -> list[str]:
    """Differences between two runs, apart from fields that may change when a training is resumed."""
    a, b = _flatten_run(stored), _flatten_run(requested)
    lines = [f"{key} is {a[key]!r}, not {b[key]!r}" for key in a if a[key] != b[key]]
    return lines[:1] if stored.preset != requested.preset or len(lines) < 2 else [lines[0], f"{len(lines) - 1} more"]


def _flatten_run(run: Run) -> dict[str, object]:
    fields: dict[str, object] = {"preset": run.preset, "robot": run.robot, "weights": run.weights}
    for part in ("codec", "model", "data", "train", "codec_train"):
        value = vars(run)[part]
        free = RESUMABLE_FIELDS if isinstance(value, TrainConfig) else ()
        fields |= {f"{part}.{f.name}": vars(value)[f.name] for f in dataclasses.fields(value) if f.name not in free}
    return fields


def prepare_folder(
    run: Run, source: Source, out: Path, resume: bool, codec_run: Path | None, init_run: Path | None,
    start: InitialPolicy | None, command: str,
) -> None:  # fmt: skip
    """Claim `out`, and link into it what is taken over from the run in `codec_run`, or from that in `init_run`.

    `start` is what the run in `init_run` gives, None where `out` has taken it over before.
    """
    if codec_run and init_run:
        raise UserError("--init takes over the codec too; leave --codec out")
    if codec_run and not (codec_run / "codec" / CODEC_FILE).is_file():
        raise UserError(f"there is no codec in {codec_run}; give the folder of a run, or leave --codec out")
    if codec_run and config.load_run(codec_run).codec != run.codec:
        raise UserError(f"the codec in {codec_run} is of another shape than preset {run.preset!r} wants")
    ours = out / "codec" / CODEC_FILE
    if codec_run and ours.is_file() and not filecmp.cmp(codec_run / "codec" / CODEC_FILE, ours, shallow=False):
        raise UserError(f"the run in {out} has another codec than that in {codec_run}; leave --codec out")
    if init_run and not start:
        initial.check_same_start(init_run, out)
    fill = functools.partial(initial.take_over, start, out) if start else lambda: None
    claim_folder(run, source, out, resume, fill)
    provenance.add_command(out, command)
    for part in ("codec", "latents") if codec_run else ():
        if codec_run and (codec_run / part).exists() and not (out / part).exists():
            shutil.copytree(codec_run / part, out / part, ignore=_list_unfinished, copy_function=link_or_copy)


def _list_unfinished(folder: str, names: Sequence[str]) -> set[str]:
    """What of another run is not linked, as it is written on: its codec's training, and what is not whole yet."""
    tokens = [name for name in names if (Path(folder) / name).is_dir()]
    coding = [name for name in tokens if not latent_files.is_coded(Path(folder) / name)]
    return {codec_state.STATE_FILE, *coding, *(name for name in names if name.endswith(".part"))}


def describe_kept(out: Path) -> str:
    """What of a training is kept in `out`, in words."""
    newest, codec = find_newest(out, checkpoint.TRAINING_FILES), out / "codec"
    if newest:
        return f"kept {newest}"
    for file, name in ((CODEC_FILE, "the codec"), (codec_state.STATE_FILE, "the codec as far as it was trained")):
        if (codec / file).is_file():
            return f"kept {name} in {codec / file}"
    return "nothing was made yet"
