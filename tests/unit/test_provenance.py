"""Provenance: what is said of code, processor and renderer, and that renderers are never mixed in one dataset."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import synthetic
from synthetic import CAMERAS, PROVENANCE

from aim import cli
from aim.data import shard, store, verify
from aim.data.collect.jobs import RecordingJob, simulate_episodes
from aim.data.collect.local import collect_dataset
from aim.data.store import Recipe
from aim.evaluate import results
from sim.episodes import provenance
from sim.types import Episode, UserError

RECIPE = Recipe(tasks=("bell",), robot="aloha", cameras=CAMERAS, size=(12, 16))
OTHER = dataclasses.replace(PROVENANCE, renderer="raytrace")


def raytraced(order: RecordingJob) -> Iterator[Episode]:
    """Yield the episodes of an order, as if another renderer had drawn them."""
    for episode in synthetic.recorded(order):
        yield dataclasses.replace(episode, provenance=OTHER)


def test_the_commit_is_that_of_the_checkout(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        command = ["git", "-c", "user.name=x", "-c", "user.email=x@y", "-C", str(tmp_path), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert provenance.describe_commit(tmp_path / "none") == "0.1.0"
    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-qm", "one")
    git("tag", "v9", "-m", "nine")
    assert provenance.describe_commit(tmp_path) == "v9"
    provenance.describe_commit.cache_clear()
    (tmp_path / "a").write_text("2")
    assert provenance.describe_commit(tmp_path) == "v9-dirty"
    provenance.describe_commit.cache_clear()
    git("commit", "-qam", "two")
    assert provenance.describe_commit(tmp_path) == f"v9-1-g{git('rev-parse', 'HEAD')[:12]}"
    provenance.describe_commit.cache_clear()


def test_kernels_are_those_that_the_process_chose() -> None:
    code = "from sim.episodes.provenance import *; print(describe_blas_kernel(), '|', describe_vector_unit())"
    root = str(Path(provenance.__file__).parents[2])

    def ask(**variables: str) -> list[str]:
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": root, **variables},
        )  # fmt: skip
        return run.stdout.strip().split(" | ")

    blas, vectors = ask()
    assert blas == provenance.describe_blas_kernel() and vectors == provenance.describe_vector_unit()
    if "openblas" in blas and vectors.startswith("x86_64"):
        assert ask(OPENBLAS_CORETYPE="Nehalem")[0].endswith(" Nehalem")
    if vectors.endswith("X86_V3"):
        assert ask(NPY_DISABLE_CPU_FEATURES="X86_V3")[1] == "x86_64 X86_V2"


def test_provenance_comes_back_and_does_not_change_the_digest(tmp_path: Path) -> None:
    collect_dataset(RECIPE, 3, tmp_path / "one", 1, synthetic.recorded)
    collect_dataset(RECIPE, 3, tmp_path / "other", 1, raytraced)
    one, other = store.open_dataset(tmp_path / "one"), store.open_dataset(tmp_path / "other")
    assert [ref.sha256 for ref in one.episodes] == [ref.sha256 for ref in other.episodes]
    assert one.load(one.episodes[2]).provenance == PROVENANCE == store.read_provenance(tmp_path / "one")
    assert other.load(other.episodes[0]).provenance == OTHER == store.read_provenance(tmp_path / "other")
    assert verify.survey_dataset(tmp_path / "other").provenances == (OTHER,)
    assert store.read_recipe(tmp_path / "one") == RECIPE


def test_a_dataset_is_not_gone_on_with_on_another_renderer(tmp_path: Path) -> None:
    collect_dataset(RECIPE, 3, tmp_path / "set", 1, synthetic.recorded)
    before = [ref.sha256 for ref in store.open_dataset(tmp_path / "set").episodes]
    line = "set was rendered by opengl: a card, this machine renders by raytrace; choose another folder"
    with pytest.raises(UserError, match=line):
        collect_dataset(RECIPE, 20, tmp_path / "set", 1, raytraced)
    assert [ref.sha256 for ref in store.open_dataset(tmp_path / "set").episodes] == before
    assert collect_dataset(RECIPE, 20, tmp_path / "set", 1, synthetic.recorded).episodes == 20


def test_the_simulator_refuses_before_it_records(tmp_path: Path) -> None:
    """A worker says it in one line, for nothing of the block was recorded."""
    recipe = dataclasses.replace(RECIPE, tasks=("click_bell",), robot="panda", cameras=("head",))
    store.write_recipe(tmp_path / "set", recipe)
    store.claim_provenance(tmp_path / "set", OTHER)
    with pytest.raises(UserError, match="set was rendered by raytrace, this machine renders by opengl") as refusal:
        collect_dataset(recipe, 1, tmp_path / "set", 1, simulate_episodes)
    assert "\n" not in str(refusal.value)
    assert list((tmp_path / "set" / store.SHARDS_FOLDER).iterdir()) == []


def test_merged_shards_of_two_renderers_are_refused(tmp_path: Path) -> None:
    collect_dataset(RECIPE, 8, tmp_path / "one", 1, synthetic.recorded)
    collect_dataset(dataclasses.replace(RECIPE, seed=10), 5, tmp_path / "other", 1, raytraced)
    moved = tmp_path / "one" / store.SHARDS_FOLDER / "bell-000010.h5"
    (tmp_path / "other" / store.SHARDS_FOLDER / moved.name).rename(moved)
    line = "bell-000010.h5 was rendered by raytrace, the dataset by opengl: a card: move it away"
    with pytest.raises(UserError, match=line):
        store.open_dataset(tmp_path / "one")
    assert any("was rendered by raytrace" in problem for problem in verify.survey_dataset(tmp_path / "one").problems)


def test_nothing_rendered_fits_every_dataset(tmp_path: Path) -> None:
    collect_dataset(RECIPE, 3, tmp_path / "set", 1, synthetic.recorded)
    store.claim_provenance(tmp_path / "set", dataclasses.replace(PROVENANCE, renderer=""))
    assert store.read_provenance(tmp_path / "set") == PROVENANCE


def test_an_edited_provenance_is_found(tmp_path: Path) -> None:
    collect_dataset(RECIPE, 3, tmp_path / "set", 1, synthetic.recorded)
    file = tmp_path / "set" / store.SHARDS_FOLDER / "bell-000000.h5"
    file.write_bytes(file.read_bytes().replace(b"opengl: a card", b"opengl: b card"))
    with pytest.raises(UserError, match="its table was edited"):
        shard.read_shard(file)


def test_the_header_of_a_dataset_says_it_in_json(tmp_path: Path) -> None:
    collect_dataset(RECIPE, 3, tmp_path / "set", 1, synthetic.recorded)
    header = json.loads((tmp_path / "set" / store.RECIPE_FILE).read_text())
    assert header["provenance"] == dataclasses.asdict(PROVENANCE)


def test_results_say_what_they_were_made_with_and_renderers_are_not_mixed(tmp_path: Path) -> None:
    identity = results.ResultsIdentity("policy", "digest", "panda", "clean", {})
    newer = dataclasses.replace(PROVENANCE, commit="def")
    unseen = dataclasses.replace(PROVENANCE, renderer="")
    for made in (PROVENANCE, newer, PROVENANCE, unseen):
        results.save_results(tmp_path, identity, (), results.ResultsOrigin(results.add_provenance(tmp_path, made)))
    assert results.read_provenances(tmp_path) == (PROVENANCE, newer, unseen)
    with pytest.raises(UserError, match="holds results seen through opengl: a card, this machine renders by raytrace"):
        results.add_provenance(tmp_path, OTHER)
    assert results.read_provenances(tmp_path / "new") == ()


def test_an_evaluation_records_its_provenance(tmp_path: Path) -> None:
    arguments = ["eval", "--policy", "expert", "--task", "click_bell", "--robot", "panda", "--episodes", "1"]
    assert cli.main([*arguments, "--films", "0", "--out", str(tmp_path / "out")]) == 0
    (made,) = results.read_provenances(tmp_path / "out")
    assert made == provenance.collect_provenance(rendered=False) and made.commit == provenance.describe_commit()


def test_what_was_rendered_by_nothing_goes_with_every_renderer_and_those_do_not_mix(tmp_path: Path) -> None:
    """Whichever comes first; of the two that draw, the second is refused."""
    identity = results.ResultsIdentity("policy", "digest", "panda", "clean", {})
    unseen = dataclasses.replace(PROVENANCE, renderer="")
    for name, order in (("blind", (unseen, PROVENANCE)), ("seeing", (PROVENANCE, unseen))):
        for made in order:
            origin = results.ResultsOrigin(results.add_provenance(tmp_path / name, made))
            results.save_results(tmp_path / name, identity, (), origin)
        assert results.read_provenances(tmp_path / name) == order
        with pytest.raises(UserError, match="renderers are not mixed"):
            results.add_provenance(tmp_path / name, OTHER)
