"""What a dataset holds depends on the recipe and the number alone, whatever happened on the way."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import synthetic
from synthetic import CAMERAS, succeeds

from aim.data import shard, store, verify
from aim.data.collect.jobs import EpisodeSource
from aim.data.collect.local import CollectionSummary, TaskQueue, collect_dataset
from aim.data.store import Recipe
from aim.util.folder_lock import lock_folder
from sim.types import UserError

RECIPE = Recipe(tasks=("bell", "cup"), robot="aloha", cameras=CAMERAS, size=(12, 16))
ONE = dataclasses.replace(RECIPE, tasks=("bell",))


def contents(path: Path) -> list[tuple[str, int, str]]:
    """Return task, seed and digest of every episode."""
    return [(ref.task, ref.seed, ref.sha256) for ref in store.open_dataset(path).episodes]


def left(path: Path) -> list[str]:
    """Return every name in the folder of shards."""
    return sorted(entry.name for entry in (path / store.SHARDS_FOLDER).iterdir())


def test_the_number_of_workers_does_not_matter(tmp_path: Path) -> None:
    one = collect_dataset(RECIPE, 17, tmp_path / "one", 1, synthetic.recorded)
    three = collect_dataset(RECIPE, 17, tmp_path / "three", 3, synthetic.uneven)
    assert contents(tmp_path / "one") == contents(tmp_path / "three")
    assert left(tmp_path / "one") == left(tmp_path / "three")
    seeds = [seed for seed in range(60) if succeeds(seed)][:17]
    assert [seed for task, seed, _ in contents(tmp_path / "one") if task == "cup"] == seeds
    for made in (one, three):
        assert (made.episodes, made.added, made.attempts) == (34, 34, 2 * (seeds[-1] + 1))
        assert made.redraws == 2 * sum(seed % 3 for seed in range(seeds[-1] + 1))
        assert made.bytes == sum(s.path.stat().st_size for s in store.open_dataset(tmp_path / "one").shards)
    assert verify.verify_contents(tmp_path / "three").problems == ()


def test_in_a_mixed_dataset_even_seeds_are_clean_and_odd_ones_random(tmp_path: Path) -> None:
    collect_dataset(dataclasses.replace(ONE, variation="mixed"), 9, tmp_path / "set", 1, synthetic.recorded)
    data = store.open_dataset(tmp_path / "set")
    assert [data.load(ref).variation for ref in data.episodes] == [
        "random" if ref.seed % 2 else "clean" for ref in data.episodes
    ]
    assert verify.verify_contents(tmp_path / "set").problems == ()
    with pytest.raises(UserError, match="was made with variation 'mixed', not 'clean'"):
        collect_dataset(ONE, 9, tmp_path / "set", 1, synthetic.recorded)
    recipe = tmp_path / "set" / store.RECIPE_FILE
    recipe.write_text(recipe.read_text().replace("mixed", "clean"))
    assert "it says task, seed, robot, success, variation" in verify.verify_contents(tmp_path / "set").problems[0]


def test_the_same_again_does_nothing_and_more_extends(tmp_path: Path) -> None:
    def run(folder: str, num: int) -> CollectionSummary:
        return collect_dataset(ONE, num, tmp_path / folder, 1, synthetic.recorded)

    assert run("grown", 5).added == 5
    cut = (tmp_path / "grown" / store.SHARDS_FOLDER / "bell-000000.h5").read_bytes()
    assert run("grown", 5).added == 0
    assert (tmp_path / "grown" / store.SHARDS_FOLDER / "bell-000000.h5").read_bytes() == cut
    assert run("grown", 30).added == 25
    assert run("grown", 12).episodes == 30
    assert run("whole", 30).added == 30
    assert contents(tmp_path / "grown") == contents(tmp_path / "whole")


def test_a_shard_that_was_deleted_is_made_again_alone(tmp_path: Path) -> None:
    out = tmp_path / "set"
    collect_dataset(ONE, 20, out, 1, synthetic.recorded)
    before = contents(out)
    kept = out / store.SHARDS_FOLDER / "bell-000020.h5"
    inode = kept.stat().st_ino
    (out / store.SHARDS_FOLDER / "bell-000000.h5").unlink()
    assert collect_dataset(ONE, 20, out, 2, synthetic.recorded).episodes == 20
    assert contents(out) == before
    assert kept.stat().st_ino == inode


def test_a_damaged_shard_stops_the_run(tmp_path: Path) -> None:
    out = tmp_path / "set"
    collect_dataset(ONE, 8, out, 1, synthetic.recorded)
    victim = out / store.SHARDS_FOLDER / "bell-000000.h5"
    victim.write_bytes(victim.read_bytes()[:5000])
    with pytest.raises(UserError, match=r"bell-000000.h5 is damaged"):
        collect_dataset(ONE, 20, out, 1, synthetic.recorded)
    assert victim.stat().st_size == 5000


def test_a_whole_block_may_fail(tmp_path: Path) -> None:
    collect_dataset(ONE, 25, tmp_path / "set", 1, synthetic.recorded)
    empty = shard.read_shard(tmp_path / "set" / store.SHARDS_FOLDER / "bell-000030.h5")
    assert empty.rows == () and empty.failed == tuple(range(30, 40))
    assert verify.verify_contents(tmp_path / "set").problems == ()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (synthetic.failing, "task bell, seeds 10 to 19: .*ArithmeticError: the solver diverged"),
        (synthetic.dying, "task bell, seeds 10 to 19: its worker died with exit code 9"),
    ],
)
def test_a_worker_that_fails_is_named_and_the_rest_is_kept(tmp_path: Path, source: EpisodeSource, says: str) -> None:
    with pytest.raises(RuntimeError, match=f"(?s){says}"):
        collect_dataset(ONE, 20, tmp_path / "set", 1, source)
    assert left(tmp_path / "set") == ["bell-000000.h5"]
    assert collect_dataset(ONE, 20, tmp_path / "set", 1, synthetic.recorded).episodes == 20


def test_a_task_that_never_succeeds_is_given_up(tmp_path: Path) -> None:
    says = "task bell: 0 of 110 seeds succeeded, 1 were asked for; 110 of 110 lost: bell slipped 110"
    with pytest.raises(UserError, match=says):
        collect_dataset(ONE, 1, tmp_path / "set", 2, synthetic.hopeless)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    collect_dataset(ONE, 2, tmp_path / "set", 1, synthetic.recorded)
    before = contents(tmp_path / "set")
    with pytest.raises(UserError, match="was made with seed 0, not 5"):
        collect_dataset(dataclasses.replace(ONE, seed=5), 2, tmp_path / "set", 1, synthetic.recorded)
    assert contents(tmp_path / "set") == before
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="is not a folder"):
        collect_dataset(ONE, 2, tmp_path / "file", 1, synthetic.recorded)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with (
        lock_folder(tmp_path / "set"),
        pytest.raises(UserError, match="another process is writing to"),
    ):
        collect_dataset(ONE, 2, tmp_path / "set", 1, synthetic.recorded)


INTERRUPTIBLE = """
import sys
from pathlib import Path
import synthetic
from aim.util import console
from aim.data.collect.local import collect_dataset
from aim.data.store import Recipe

recipe = Recipe(tasks=("bell",), robot="aloha", cameras=synthetic.CAMERAS, size=(12, 16))
def verb():
    print("started", flush=True)
    collect_dataset(recipe, 60, Path(sys.argv[1]), 2, synthetic.slow)
    return {}
if __name__ == "__main__":
    sys.exit(console.run_verb(verb, False))
"""


def _start(tmp_path: Path) -> subprocess.Popen[str]:
    script = tmp_path / "run.py"
    script.write_text(INTERRUPTIBLE)
    paths = [str(Path(synthetic.__file__).parent), str(Path(synthetic.__file__).parents[1])]
    return subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "set")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        start_new_session=True,
    )


def _wait_for(path: Path) -> None:
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


def test_an_interrupt_keeps_what_is_whole_and_the_same_command_goes_on(tmp_path: Path) -> None:
    run = _start(tmp_path)
    _wait_for(tmp_path / "set" / store.SHARDS_FOLDER / ".bell-000020.h5.part")
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to every process
    _, said = run.communicate(timeout=60)
    assert run.returncode == 130
    kept = left(tmp_path / "set")
    assert kept[:3] == [f"bell-{first:06d}.h5" for first in (0, 10, 20)] and len(kept) <= 4
    assert "Traceback" not in said
    assert f"interrupted: kept {len(contents(tmp_path / 'set'))} of 60 episodes" in said
    collect_dataset(ONE, 60, tmp_path / "set", 2, synthetic.recorded)
    collect_dataset(ONE, 60, tmp_path / "whole", 2, synthetic.recorded)
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")


def test_a_second_interrupt_drops_the_running_blocks(tmp_path: Path) -> None:
    run = _start(tmp_path)
    _wait_for(tmp_path / "set" / store.SHARDS_FOLDER / ".bell-000000.h5.part")
    os.killpg(run.pid, signal.SIGINT)
    time.sleep(0.1)
    os.killpg(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 130 and "Traceback" not in said
    assert left(tmp_path / "set") == [] and "kept 0 of 60" in said


def test_a_killed_run_leaves_whole_shards_and_goes_on(tmp_path: Path) -> None:
    run = _start(tmp_path)
    _wait_for(tmp_path / "set" / store.SHARDS_FOLDER / "bell-000000.h5")
    run.kill()
    run.communicate(timeout=60)
    assert store.open_dataset(tmp_path / "set").episodes
    made = collect_dataset(ONE, 12, tmp_path / "set", 2, synthetic.recorded)
    assert made.episodes >= 12 and not [name for name in left(tmp_path / "set") if name.startswith(".")]
    assert verify.verify_contents(tmp_path / "set").problems == ()


def test_blocks_are_begun_where_they_are_lacked() -> None:
    queue = TaskQueue("bell", target=20)
    assert queue.needs_more(10)
    queue.in_flight = {0, 1}
    assert not queue.needs_more(10) and queue.next_block == 2  # nothing failed so far: twenty seeds will do
    queue.taken, queue.kept, queue.tried, queue.in_flight = 1, 6, 10, {1}
    assert queue.needs_more(10)
    queue.in_flight = {1, 2, 3}
    assert not queue.needs_more(10)
    queue.kept = 20
    assert queue.finished and not queue.needs_more(10)
