"""A dataset: a folder with its recipe and its shards, and how to read episodes from it.

    dataset.json                the recipe, written first, and the provenance of the first shard
    shards/<task>-<seed>.h5     see `aim.data.shard`

Every number in the folder follows from the recipe and how many episodes were asked for, on one kind of processor and
with one renderer. Images of different renderers are never mixed in a dataset.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from aim import __version__
from aim.data import flat, shard
from aim.data.shard import Shard
from sim.types import Episode, Provenance, UserError

RECIPE = "dataset.json"
PROVENANCE = "provenance"  # its entry in that file
SHARDS = "shards"
OPEN_FILES = 64


@dataclass(frozen=True)
class Recipe:
    """All that decides what a dataset holds, apart from how many episodes."""

    tasks: tuple[str, ...]  # labels: names of the project's tasks, NAME-DIGEST of others
    robot: str
    cameras: tuple[str, ...]
    size: tuple[int, int]  # height, width
    depth: bool = False
    variation: str = "clean"  # one of `aim.data.mix.MIXES`
    push: float = 0.0  # radians by which the joints are pushed off their targets: `sim.expert.perturb`
    seed: int = 0
    block: int = 10  # seeds a shard
    format: int = shard.FORMAT
    version: str = __version__
    digests: tuple[str, ...] = ()  # SHA-256 of the JSON of each task; none in datasets made before they were kept


@dataclass(frozen=True)
class EpisodeRef:
    """Where an episode lies and how long it is."""

    shard: str  # file name
    index: int
    task: str
    seed: int
    pictures: int
    steps: int
    sha256: str


class Dataset:
    """A dataset open for reading; it may be sent to other processes, each opens the files itself."""

    def __init__(self, path: Path, recipe: Recipe, shards: Sequence[Shard]) -> None:
        self.path = path
        self.recipe = recipe
        self.shards = tuple(shards)
        self.episodes = tuple(
            EpisodeRef(s.path.name, index, s.task, *row) for s in shards for index, row in enumerate(s.rows)
        )
        self._files: collections.OrderedDict[str, h5py.File] = collections.OrderedDict()
        self._owner = os.getpid()
        self._provenance = {s.path.name: s.provenance for s in shards}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_files": collections.OrderedDict()}

    def load(self, ref: EpisodeRef, fields: Sequence[str] | None = None) -> Episode:
        """Return an episode, pictures decoded; with `fields`, those arrays only, the others are empty."""
        if fields is not None:
            _check(fields, [*flat.ARRAY_DTYPES, *flat.PER_CAMERA, "events"], "field")
        with shard.blame(self._path(ref)):
            file = self._open(ref)
            names = [n for n in shard.names(file, ref.index) if fields is None or n.partition("/")[0] in fields]
            arrays = {name: shard.array(file, ref.index, name) for name in names}
            return flat.unflatten(flat.Flat(shard.about(file, ref.index), arrays), self.provenance(ref))

    def provenance(self, ref: EpisodeRef) -> Provenance:
        """Return what an episode was recorded with."""
        return self._provenance[ref.shard]

    def flat(self, ref: EpisodeRef) -> flat.Flat:
        """Return an episode in the form its digest is taken of."""
        with shard.blame(self._path(ref)):
            file = self._open(ref)
            arrays = {name: shard.array(file, ref.index, name) for name in shard.names(file, ref.index)}
            return flat.Flat(shard.about(file, ref.index), arrays)

    def pictures(self, ref: EpisodeRef, camera: str, frames: Sequence[int]) -> NDArray[np.uint8]:
        """Return pictures (k h w 3) of one camera; negative frames count from the end."""
        return self._frames(ref, "images", camera, frames)

    def maps(self, ref: EpisodeRef, camera: str, frames: Sequence[int]) -> NDArray[np.uint8]:
        """Return value maps (k h w 3: pick, place, other) of one camera."""
        return self._frames(ref, "maps", camera, frames)

    def depth(self, ref: EpisodeRef, camera: str) -> NDArray[np.float32]:
        """Return all depth pictures (T h w) of one camera, metres, 0: nothing there; `UserError` where none are."""
        _check([camera], self.recipe.cameras, "camera")
        if not self.recipe.depth:
            raise UserError(f"{self.path} has no depth pictures; record another folder with `aim generate --depth`")
        return flat.metres(self.arrays(ref, f"depth/{camera}")[f"depth/{camera}"])

    def arrays(self, ref: EpisodeRef, *names: str) -> dict[str, NDArray[Any]]:
        """Return arrays as they are kept, by the names of `aim.data.flat`: "state", "extrinsics/head"."""
        with shard.blame(self._path(ref)):
            file = self._open(ref)
            try:
                return {name: shard.array(file, ref.index, name) for name in names}
            except KeyError:
                _check(names, shard.names(file, ref.index), "array")
                raise

    def close(self) -> None:
        """Close all files; reading opens them again."""
        while self._files:
            self._files.popitem()[1].close()

    def _frames(self, ref: EpisodeRef, kind: str, camera: str, frames: Sequence[int]) -> NDArray[np.uint8]:
        _check([camera], self.recipe.cameras, "camera")
        places = [range(ref.pictures)[frame] for frame in frames]
        with shard.blame(self._path(ref)):
            return shard.pictures(self._open(ref), ref.index, f"{kind}/{camera}", places)

    def _path(self, ref: EpisodeRef) -> Path:
        return self.path / SHARDS / ref.shard

    def _open(self, ref: EpisodeRef) -> h5py.File:
        if self._owner != os.getpid():  # after a fork the handles belong to the parent
            self._files, self._owner = collections.OrderedDict(), os.getpid()
        if ref.shard in self._files:
            self._files.move_to_end(ref.shard)
            return self._files[ref.shard]
        while len(self._files) >= OPEN_FILES:
            self._files.popitem(last=False)[1].close()
        self._files[ref.shard] = h5py.File(self._path(ref), "r")
        return self._files[ref.shard]


def open_dataset(path: Path | str) -> Dataset:
    """Return the dataset at `path`, episodes by task and seed; `UserError` where it is none, damaged or mixed."""
    path = Path(path)
    recipe = read_recipe(path)
    shards = [shard.read(file) for file in shard_files(path, recipe)]
    for mixed in find_mixed_renderers(path, shards):
        raise UserError(mixed)
    return Dataset(path, recipe, shards)


def find_mixed_renderers(path: Path, shards: Sequence[Shard]) -> Iterator[str]:
    """Yield a line for every shard whose images are of another renderer than the dataset's."""
    ours = read_provenance(path).renderer or next((s.provenance.renderer for s in shards if s.provenance.renderer), "")
    for piece in shards:
        theirs = piece.provenance.renderer
        if theirs and theirs != ours:
            yield f"{piece.path} was rendered by {theirs}, the dataset by {ours}: move it away, renderers are not mixed"


def shard_files(path: Path, recipe: Recipe) -> list[Path]:
    """Return the shards in the order of the recipe's tasks, then of seeds."""
    found = []
    for file in (path / SHARDS).glob("[!.]*.h5"):
        task, _, seed = file.stem.rpartition("-")
        if task not in recipe.tasks or not seed.isdecimal():
            raise UserError(f"{file} is no shard of this dataset (tasks {', '.join(recipe.tasks)}); move it away")
        found.append((recipe.tasks.index(task), int(seed), file))
    return [file for _, _, file in sorted(found)]


def read_recipe(path: Path) -> Recipe:
    """Return the recipe of the dataset at `path`; `UserError` where there is none that this version reads."""
    try:
        raw: dict[str, Any] = json.loads((path / RECIPE).read_text())
        if raw["format"] not in shard.READABLE_FORMATS:
            reads = " and ".join(map(str, shard.READABLE_FORMATS))
            raise UserError(f"{path} is of format {raw['format']}; this version reads formats {reads}")
        raw.pop(PROVENANCE, None)
        lists = {name: tuple(raw[name]) for name in ("tasks", "cameras", "size")}
        lists["digests"] = tuple(raw.get("digests", ()))
        return Recipe(**{**raw, **lists})
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"no dataset at {path}; `aim generate --out {path}` makes one") from error
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise UserError(f"{path / RECIPE} is damaged ({error}); bring it back from a copy") from error


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Begin the dataset at `path`, or go on with it; `UserError` where something else stands there."""
    if (path / RECIPE).exists():
        there = dataclasses.asdict(read_recipe(path))
        asked = dataclasses.asdict(recipe)
        if not (there["digests"] and asked["digests"]):  # one of them does not know what its tasks were
            there["digests"] = asked["digests"]
        other = [f"{name} {there[name]!r}, not {asked[name]!r}" for name in there if there[name] != asked[name]]
        if other:
            raise UserError(f"{path} was made with {'; '.join(other)}; choose another folder")
        return
    part = path / f".{RECIPE}.part"
    if path.exists() and (not path.is_dir() or any(entry != part for entry in path.iterdir())):
        raise UserError(f"{path} is not empty and no dataset; choose another folder")
    path.mkdir(parents=True, exist_ok=True)
    _write_header(path, dataclasses.asdict(recipe))


def read_provenance(path: Path) -> Provenance:
    """Return what the dataset at `path`, whose recipe is sound, was begun with; all unknown before its first shard."""
    return Provenance(**json.loads((path / RECIPE).read_text()).get(PROVENANCE, {}))


def claim_provenance(path: Path, provenance: Provenance) -> None:
    """Take a new shard's provenance for the dataset's if it is the first; `UserError` if its renderer is another."""
    there = read_provenance(path)
    if there.renderer and provenance.renderer and there.renderer != provenance.renderer:
        raise UserError(describe_mixing(path, there.renderer, provenance.renderer))
    if there == Provenance() or (provenance.renderer and not there.renderer):
        header = json.loads((path / RECIPE).read_text())
        _write_header(path, {**header, PROVENANCE: dataclasses.asdict(provenance)})


def describe_mixing(path: Path | str, ours: str, theirs: str) -> str:
    """Say in one line that a dataset is not to be gone on with here."""
    choose = "choose another folder, renderers are not mixed"
    return f"{path} was rendered by {ours}, this machine renders by {theirs}; {choose}"


def _write_header(path: Path, header: dict[str, Any]) -> None:
    part = path / f".{RECIPE}.part"
    part.write_text(json.dumps(header, indent=2) + "\n")
    shard.flush(part)
    shard.land(part, path / RECIPE)


def _check(asked: Sequence[str], there: Sequence[str], what: str) -> None:
    for name in asked:
        if name not in there:
            raise UserError(f"no {what} {name!r}; there are {', '.join(there)}")
