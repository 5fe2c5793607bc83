"""What is in a dataset, and whether all of it is as it was recorded."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aim.data import flat, shard, store
from aim.data.mix import variation_of
from aim.data.shard import Shard
from aim.data.store import Dataset, EpisodeRef, Recipe
from sim.task.spec import format_digest_label
from sim.types import STEPS_PER_IMAGE, Episode, Provenance, UserError

REPLAYS = ("one", "all", "none")  # episodes of a shard
FIRST_FORMAT_OF_EXACT_MAPS = 3
MAP_TOLERANCE_OF_OLD_FORMATS = 1  # of 255: their last bit depends on the processor that computed them


@dataclass(frozen=True)
class Survey:
    """Counts of a dataset's whole shards, and one line for each thing that is wrong."""

    recipe: Recipe
    dataset: Dataset  # of the whole shards
    problems: tuple[str, ...]
    replayed: int = 0  # episodes whose executed commands led to all their states again
    not_replayed: tuple[str, ...] = ()  # why others cannot be expected to

    @property
    def episodes(self) -> int:
        """How many episodes there are."""
        return len(self.dataset.episodes)

    @property
    def frames(self) -> int:
        """How many moments are pictured, however many cameras look."""
        return sum(ref.pictures for ref in self.dataset.episodes)

    @property
    def bytes(self) -> int:
        """What the shards take on the disk."""
        return sum(piece.path.stat().st_size for piece in self.dataset.shards)

    @property
    def tasks(self) -> dict[str, dict[str, int]]:
        """Episodes and attempts of each task."""
        counts = {task: {"episodes": 0, "attempts": 0} for task in self.recipe.tasks}
        for piece in self.dataset.shards:
            counts[piece.task]["episodes"] += len(piece.rows)
            counts[piece.task]["attempts"] += piece.tried
        return counts

    @property
    def provenances(self) -> tuple[Provenance, ...]:
        """What the shards were recorded with, each kind once, in their order."""
        known = dict.fromkeys(piece.provenance for piece in self.dataset.shards)
        return tuple(made for made in known if made != Provenance())

    def failures(self, task: str) -> dict[str, list[int]]:
        """Seeds of a task that gave nothing, by the reason, the most frequent first; "unknown" before format 3."""
        seeds: dict[str, list[int]] = {}
        for piece in self.dataset.shards:
            if piece.task == task:
                reasons = tuple(failure.reason for failure in piece.reasons) or ("unknown",) * len(piece.failed)
                for seed, reason in zip(piece.failed, reasons, strict=True):
                    seeds.setdefault(reason, []).append(seed)
        return dict(sorted(seeds.items(), key=lambda item: -len(item[1])))


def survey(path: Path) -> Survey:
    """Return what the dataset at `path` holds; looks at the shards' tables, not into the episodes."""
    recipe = store.read_recipe(path)
    whole: list[Shard] = []
    problems: list[str] = []
    for file in store.shard_files(path, recipe):
        try:
            whole.append(shard.read(file))
        except UserError as damage:
            problems.append(str(damage))
    problems += _order(recipe, whole)
    problems += store.find_mixed_renderers(path, whole)
    return Survey(recipe, Dataset(path, recipe, whole), tuple(problems))


def verify(path: Path, replay: str = "one", watch: Callable[[EpisodeRef], None] = lambda ref: None) -> Survey:
    """Return the survey of `path` after reading every episode: digest, shapes, times and value maps.

    `replay`, one of REPLAYS, says how many of a shard's episodes are run again in the simulator: their executed
    commands must lead to their states to the bit, where MuJoCo, NumPy and processor are those of the recording.
    """
    found = survey(path)
    problems = list(found.problems)
    replayed, not_replayed = 0, dict[str, None]()
    for ref in found.dataset.episodes:
        episode, faults = _episode(found.dataset, ref)
        if episode is not None and not faults and (replay == "all" or (replay == "one" and ref.index == 0)):
            reason = _why_not_replayed(episode, found.recipe)
            if reason:
                not_replayed[reason] = None
            else:
                faults = list(_replay(episode))
                replayed += not faults
        problems += [f"{ref.shard}, seed {ref.seed}: {line}" for line in faults]
        watch(ref)
    found.dataset.close()
    return dataclasses.replace(found, problems=tuple(problems), replayed=replayed, not_replayed=tuple(not_replayed))


def _order(recipe: Recipe, shards: list[Shard]) -> Iterator[str]:
    for task in recipe.tasks:
        firsts = [piece.first_seed for piece in shards if piece.task == task]
        there = set(firsts)
        for first in range(recipe.seed, max(firsts, default=recipe.seed), recipe.block):
            if first not in there:
                yield f"{shard.file_name(task, first)} is missing; the same `aim generate` again makes it"
    for piece in shards:
        if piece.path.name != shard.file_name(piece.task, piece.first_seed):
            yield f"{piece.path.name} holds {shard.file_name(piece.task, piece.first_seed)}; give it that name"


def _episode(dataset: Dataset, ref: EpisodeRef) -> tuple[Episode | None, list[str]]:
    """Return an episode, None where it cannot be read, and what is wrong with it."""
    try:
        form = dataset.flat(ref)
    except UserError as damage:
        return None, [str(damage)]
    if flat.digest(form) != ref.sha256:
        return None, ["its contents were changed; delete the shard and run the same `aim generate` again"]
    episode = flat.unflatten(form, dataset.provenance(ref))
    max_difference = MAP_TOLERANCE_OF_OLD_FORMATS if dataset.recipe.format < FIRST_FORMAT_OF_EXACT_MAPS else 0
    return episode, [
        *_identity(episode, dataset.recipe, ref),
        *_shapes(episode, dataset.recipe),
        *_maps(episode, max_difference),
    ]


def _identity(episode: Episode, recipe: Recipe, ref: EpisodeRef) -> Iterator[str]:
    name, digest = json.loads(episode.task)["name"], hashlib.sha256(episode.task.encode()).hexdigest()
    label = ref.task if ref.task == format_digest_label(name, digest) else name
    said = (label, episode.seed, episode.robot, episode.success, episode.variation)
    place = (ref.task, ref.seed, recipe.robot, True, variation_of(recipe.variation, ref.seed))
    if said != place:
        yield f"it says task, seed, robot, success, variation {said}; its place says {place}"
    if set(episode.images) != set(recipe.cameras):
        yield f"it has cameras {', '.join(sorted(episode.images))}, the recipe has {', '.join(recipe.cameras)}"
    if set(episode.depth) != (set(recipe.cameras) if recipe.depth else set()):
        there = ", ".join(sorted(episode.depth)) or "no camera"
        yield f"it has depth of {there}; the recipe asks for {'every camera' if recipe.depth else 'none'}"


def _shapes(episode: Episode, recipe: Recipe) -> Iterator[str]:
    steps = len(episode.action)
    count = steps // STEPS_PER_IMAGE + 1
    if steps % STEPS_PER_IMAGE:
        yield f"{steps} actions are no multiple of {STEPS_PER_IMAGE}"
    for name in ("state", "tool_pose", "body_pose", "joint", "sim_state", "executed"):
        rows = len(vars(episode)[name])
        if rows != steps + (name != "executed"):
            yield f"{name} has {rows} rows for {steps} actions"
    picture = (count, *recipe.size, 3)
    wanted = {
        "images": picture,
        "maps": picture,
        "depth": picture[:3],
        "visible": (count, 3),
        "extrinsics": (count, 4, 4),
        "intrinsics": (3, 3),
    }
    for name, shape in wanted.items():
        for camera, value in vars(episode)[name].items():
            if value.shape != shape:
                yield f"{name}/{camera} is of shape {value.shape}, not {shape}"


def _maps(episode: Episode, max_difference: int) -> Iterator[str]:
    """Visibility is left out: where depth was not kept, it cannot be had again."""
    from sim.episodes.value_maps import annotate_episode

    again, _ = annotate_episode(episode)
    for camera, kept in episode.maps.items():
        same_shape = camera in again and kept.shape == again[camera].shape
        if not same_shape or np.abs(kept.astype(np.int16) - again[camera]).max(initial=0) > max_difference:
            yield f"the value maps of camera {camera} do not follow from its events"


def _why_not_replayed(episode: Episode, recipe: Recipe) -> str:
    from sim.episodes.replay import explain_inexact_replay

    if recipe.format < shard.FIRST_FORMAT_OF_EXECUTED:
        return f"format {recipe.format} kept no executed commands"
    different = explain_inexact_replay(episode)
    return f"recorded with {different}" if different else ""


def _replay(episode: Episode) -> Iterator[str]:
    from sim.episodes.provenance import describe_commit
    from sim.episodes.replay import replay_episode

    commit = episode.provenance.commit
    code = "" if commit == describe_commit() else f"; it was recorded at commit {commit}, this is {describe_commit()}"
    try:
        result = replay_episode(episode)
    except UserError as error:
        yield f"it cannot be replayed: {error}{code}"
        return
    if not result.exact:
        row, error = result.first_difference, result.max_error
        yield f"its executed commands do not lead to its states from row {row} on, off by up to {error:.2g}{code}"
