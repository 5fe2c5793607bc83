"""Packing of a policy: its files in one folder, weights in half precision, with SOURCE.toml beside them."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import tomli_w
import torch
from safetensors.torch import load_file, save_file

from aim.data.mapping_file import MAPPING_FILE
from aim.policy.checkpoint import (
    EMA_FILE,
    POLICY_FILES,
    VERIFIER_FILE,
    compute_digest,
    list_optional_files,
    read_metadata,
    resolve_checkpoint,
)
from aim.policy.shipped import (
    SOURCE_FILE,
    MeasuredSuccess,
    PolicyFacts,
    PolicySource,
    check_files,
    hash_file,
    read_source,
)
from aim.util import atomic_file
from sim.types import UserError

HALVED_FILES = (EMA_FILE, VERIFIER_FILE)  # the codec stays as it is: pictures are coded in single precision
MAX_HALF = torch.finfo(torch.float16).max


def pack_policy(path: Path, out: Path, facts: PolicyFacts) -> PolicySource:
    """Write the policy at `path` into the folder `out`; where it is there already its facts are written anew.

    Results that were added to it stay. `UserError` where `out` holds something else, or a weight is too large for half
    precision.
    """
    folder = resolve_checkpoint(path)
    digest = compute_digest(folder)
    if (out / SOURCE_FILE).is_file():
        known = read_source(out)
        if known.policy != digest:
            raise UserError(f"{out} holds another policy; choose another --out, or remove it")
        check_files(out)
        return _write_source(out, PolicySource(**vars(facts), policy=digest, files=known.files, results=known.results))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is there and holds no packed policy; choose another --out")
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    names = [name for name in (*POLICY_FILES, *list_optional_files(folder), MAPPING_FILE) if (folder / name).exists()]
    for name in names:
        if name in HALVED_FILES:
            _halve_weights(folder / name, part / name)
        else:
            shutil.copyfile(folder / name, part / name)
    source = PolicySource(**vars(facts), policy=digest, files={name: hash_file(part / name) for name in names})
    _write_source(part, source)
    if out.is_dir():
        out.rmdir()  # which is empty
    os.replace(part, out)
    return source


def add_results(folder: Path, found: tuple[MeasuredSuccess, ...]) -> PolicySource:
    """Add results to those of a packed policy; one of the same scenes and candidates takes the former one's place."""
    source = read_source(folder)
    kept = {_identify(row): row for row in (*source.results, *found)}
    return _write_source(folder, dataclasses.replace(source, results=tuple(kept[key] for key in sorted(kept))))


def _identify(row: MeasuredSuccess) -> tuple[str, str, str, int, int]:
    return row.task, row.robot, row.variation, row.first_seed, row.candidates


def _write_source(folder: Path, source: PolicySource) -> PolicySource:
    atomic_file.write_text(folder / SOURCE_FILE, tomli_w.dumps(dataclasses.asdict(source), multiline_strings=False))
    return source


def _halve_weights(path: Path, target: Path) -> None:
    """Copy a file of tensors with its metadata, those of single precision rounded to half."""
    tensors = load_file(path)
    for name, value in tensors.items():
        if value.dtype == torch.float32:
            if not bool((value.abs() <= MAX_HALF).all()):
                raise UserError(f"{path}: {name} has a value beyond {MAX_HALF:g}, the largest of half precision")
            tensors[name] = value.half()
    save_file(tensors, target, read_metadata(path) or None)
