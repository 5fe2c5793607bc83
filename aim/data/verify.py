"""What is in a dataset, and whether all of it is as it was recorded."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aim.data import flat, shard, store
from aim.data.mix import variation_of
from aim.data.shard import Shard
from aim.data.store import Dataset, EpisodeRef, Recipe
from sim.types import STEPS_PER_IMAGE, Episode, UserError


@dataclass(frozen=True)
class Survey:
    """Counts of a dataset's whole shards, and one line for each thing that is wrong."""

    recipe: Recipe
    dataset: Dataset  # of the whole shards
    problems: tuple[str, ...]

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
    return Survey(recipe, Dataset(path, recipe, whole), tuple(problems))


def verify(path: Path, watch: Callable[[EpisodeRef], None] = lambda ref: None) -> Survey:
    """Return the survey of `path` after reading every episode: digest, shapes, times and value maps."""
    found = survey(path)
    problems = list(found.problems)
    for ref in found.dataset.episodes:
        problems += [f"{ref.shard}, seed {ref.seed}: {line}" for line in _episode(found.dataset, ref)]
        watch(ref)
    found.dataset.close()
    return dataclasses.replace(found, problems=tuple(problems))


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


def _episode(dataset: Dataset, ref: EpisodeRef) -> Iterator[str]:
    try:
        form = dataset.flat(ref)
    except UserError as damage:
        yield str(damage)
        return
    if flat.digest(form) != ref.sha256:
        yield "its contents were changed; delete the shard and run the same `aim generate` again"
        return
    episode = flat.unflatten(form)
    yield from _identity(episode, dataset.recipe, ref)
    yield from _shapes(episode, dataset.recipe)
    yield from _maps(episode)


def _identity(episode: Episode, recipe: Recipe, ref: EpisodeRef) -> Iterator[str]:
    said = (json.loads(episode.task)["name"], episode.seed, episode.robot, episode.success, episode.variation)
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
    for name in ("state", "tool_pose", "body_pose", "joint", "sim_state"):
        rows = len(vars(episode)[name])
        if rows != steps + 1:
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


def _maps(episode: Episode) -> Iterator[str]:
    """Visibility is left out: where depth was not kept, it cannot be had again."""
    from sim.episodes.value_maps import annotate_episode

    again, _ = annotate_episode(episode)
    for camera, kept in episode.maps.items():
        if camera not in again or not np.array_equal(kept, again[camera]):
            yield f"the value maps of camera {camera} do not follow from its events"
