"""The policy that a Stage II run makes: a checkpoint with the files of the one it began with, and what it learned."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from aim.data.mapping_file import MAPPING_FILE
from aim.model.verifier import Verifier
from aim.policy.checkpoint import (
    CANDIDATES_KEY,
    EMA_FILE,
    FUTURES_KEY,
    HORIZON_KEY,
    NOISE_KEY,
    POLICY_FILES,
    TICKET_FILE,
    TICKET_NAME,
    VERIFIER_FILE,
    format_name,
    list_checkpoints,
)
from aim.rl.settings import RlConfig
from aim.rl.storage import detach, make_part
from aim.util.link import link_or_copy


def save_tuned_policy(
    out: Path, source: Path, number: int, replaced: Sequence[str], write_learned: Callable[[Path], None]
) -> Path:
    """Write the checkpoint of iteration `number`, unless it is there, and remove those of others; return its folder.

    `write_learned` is given the folder. Its other files are those of the checkpoint `source`, but for the `replaced`
    ones, linked where the file system allows it.
    """
    final = out / format_name(number)
    if not final.exists():
        part = link_checkpoint(source, final, replaced)
        write_learned(part)
        os.replace(part, final)
    remove_others(out, final)
    return final


def write_verifier(folder: Path, verifier: Verifier, config: RlConfig) -> None:
    """Write a verifier into the folder of a policy, and how the candidates were made that it learned from."""
    told = {
        CANDIDATES_KEY: str(config.candidates), FUTURES_KEY: str(config.futures),
        HORIZON_KEY: str(verifier.execution_horizon), NOISE_KEY: str(config.candidate_noise),
    }  # fmt: skip
    save_file(detach(verifier.list_own_parameters()), folder / VERIFIER_FILE, told)


def write_expert(folder: Path, source: Path, expert: Mapping[str, Tensor]) -> None:
    """Write the weights of the checkpoint `source` into the folder of a policy, with those of a tuned expert."""
    save_file(load_file(source / EMA_FILE) | detach(expert), folder / EMA_FILE)


def write_ticket(folder: Path, noise: Tensor) -> None:
    """Write the noise (k d) that every chunk is denoised from into the folder of a policy."""
    save_file(detach({TICKET_NAME: noise}), folder / TICKET_FILE)


def link_checkpoint(source: Path, final: Path, without: Sequence[str] = ()) -> Path:
    """Return a folder beside `final` with the files of a policy, links where the file system allows it."""
    part = make_part(final)
    for name in (*POLICY_FILES, MAPPING_FILE):
        if name not in without and (source / name).exists():
            link_or_copy(source / name, part / name)
    return part


def remove_others(out: Path, kept: Path) -> None:
    """Remove the checkpoints of a run but one."""
    for folder in list_checkpoints(out):
        if folder != kept:
            shutil.rmtree(folder)
