"""Policies that come with the project: checkpoints in `assets/checkpoints`, which commands take by name.

A packed policy is a folder with the files of a checkpoint, weights in half precision, and SOURCE.toml: what made it,
how often it succeeded, and the SHA-256 of every file. `aim pack` writes one (`aim.policy.pack`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aim.util import toml
from aim.util.decode import decode_json
from sim.types import UserError

SOURCE_FILE = "SOURCE.toml"
SHIPPED_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "checkpoints"


@dataclass(frozen=True)
class MeasuredSuccess:
    """Successes of a packed policy on the scenes of some seeds, of unseen objects and words where they vary."""

    task: str
    robot: str
    variation: str
    first_seed: int
    episodes: int
    successes: int
    candidates: int = 1  # chunks that the verifier chose among


@dataclass(frozen=True)
class PolicyFacts:
    """What a packed policy was made from and by."""

    description: str
    license: str
    data: str  # what it learned from
    commands: tuple[str, ...]  # that make such a policy, in order
    cpu_hours: float  # that they took, of one core
    commit: str  # of the code that packed it


@dataclass(frozen=True)
class PolicySource(PolicyFacts):
    """Contents of SOURCE.toml: the facts, the files, and how well the policy does."""

    policy: str  # digest of the checkpoint that was packed, before its weights were rounded
    files: Mapping[str, str]  # SHA-256 by name
    results: tuple[MeasuredSuccess, ...] = ()


def list_shipped() -> list[str]:
    """Names of the policies that come with the project."""
    return sorted(path.parent.name for path in SHIPPED_FOLDER.glob(f"*/{SOURCE_FILE}"))


def locate_policy(path: Path) -> Path | None:
    """Folder at `path`, or else of the policy that comes with the project and has that name; None if there is none."""
    if path.is_dir():
        return path
    return SHIPPED_FOLDER / path.name if len(path.parts) == 1 and path.name in list_shipped() else None


def describe_valid_names() -> str:
    """Clause for an error that lists the policies that come with the project."""
    return f"or one that comes with the project: {', '.join(list_shipped()) or 'there is none'}"


def read_source(folder: Path) -> PolicySource:
    """What SOURCE.toml says of a packed policy; `UserError` if it is damaged."""
    path = folder / SOURCE_FILE
    return decode_json(PolicySource, json.dumps(toml.read_toml(path, "source of a policy")), f"{path}:")


def check_files(folder: Path) -> None:
    """Raise `UserError` where a file of a packed policy is missing or is not the one that was packed."""
    for name, digest in read_source(folder).files.items():
        path = folder / name
        if not path.is_file():
            raise UserError(f"{path} is missing; bring it back from a copy")
        if hash_file(path) != digest:
            raise UserError(f"{path} is not the file that was packed: its SHA-256 differs from that in {SOURCE_FILE}")


def hash_file(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
