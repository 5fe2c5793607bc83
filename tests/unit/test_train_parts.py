"""Parts of a training loop: what rows draw, what is not finite, what does not fit in memory, what is written down."""

from __future__ import annotations

import functools
import importlib.util
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from aim.config import TrainConfig
from aim.model.batch import Context, Sample
from aim.policy.checkpoint import POLICY_FILES, demand_newest, find_newest, format_name, load_module, resolve_checkpoint
from aim.train import batches, checkpoint, distributed, log, out_of_memory
from aim.train.checkpoint import TRAINING_FILES
from aim.train.loss_meter import LOSS_NAMES, LossMeter
from aim.util.seeds import make_generator
from sim.types import UserError

CONFIG = TrainConfig(steps=10, batch_size=8, lr=1e-3, text_dropout=0.3, history_dropout=0.6)
KEPT = 0.5396180748939514  # the first number of (seed 0, step 3) since the first training


def sample(rows: int) -> Sample:
    """Return samples of which all is known."""
    some, known = torch.zeros(rows, 2, 3, 4), torch.ones(rows, dtype=torch.bool)
    context = Context(
        past_rgb=some, past_action=some[:, 0], past_valid=known, rgb=some[:, 0], state=some[:, 0, 0],
        text=some[:, 0], text_valid=known[:, None].expand(-1, 3),
    )  # fmt: skip
    return Sample(context, some, some, some[:, 0], known, known[:1].expand(4))


def write_checkpoint(folder: Path) -> Path:
    """Write files that look like a checkpoint's, and return their folder."""
    folder.mkdir()
    for name in TRAINING_FILES:
        if name.endswith(".json"):
            (folder / name).write_text("{}")
        else:
            save_file({"some": torch.zeros(8)}, folder / name)
    return folder


def generators(rows: range, step: int = 0) -> tuple[torch.Generator, ...]:
    return tuple(make_generator(5, "stage1", step, row) for row in rows)


def dropped(rows: range, config: TrainConfig = CONFIG) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which rows lost their text and which their past."""
    context = batches.apply_dropout(sample(len(rows)), config, generators(rows)).context
    assert (context.text_valid == context.text_valid[:, :1]).all(), "a text goes whole"
    return ~context.text_valid[:, 0], ~context.past_valid


def test_a_generator_draws_what_its_numbers_say() -> None:
    def first(*numbers: int) -> float:
        return torch.rand(1, generator=make_generator(*numbers[:1], "stage1", *numbers[1:])).item()

    assert first(0, 3) == KEPT, "checkpoints were trained with these numbers"
    told = [(0, 3), (0, 4), (1, 3), (0, 3, 0), (0, 3, 1), (0, 0, 3)]
    assert len({first(*numbers) for numbers in told}) == len(told)
    assert all(first(*numbers) == first(*numbers) for numbers in told)


def test_what_a_row_loses_does_not_depend_on_the_rows_beside_it() -> None:
    whole = dropped(range(64))
    for part in (range(0, 32), range(32, 64), range(7, 8)):
        for all_rows, some in zip(whole, dropped(part), strict=True):
            assert torch.equal(all_rows[part.start : part.stop], some)
    no_text, no_past = dropped(range(4000))
    assert no_text.float().mean() == pytest.approx(0.3, abs=0.03)
    assert no_past.float().mean() == pytest.approx(0.6, abs=0.03)
    assert (no_text & no_past).float().mean() == pytest.approx(0.18, abs=0.03), "one does not follow from the other"


def test_every_row_of_a_batch_is_taken_once() -> None:
    assert distributed.local_rows(6) == slice(0, 6)
    taken = [range(12)[distributed.split_rows(12, number, 4)] for number in range(4)]
    assert [row for rows in taken for row in rows] == list(range(12)) and {len(rows) for rows in taken} == {3}
    for count in (6, 2):
        with pytest.raises(UserError, match=f"batch_size {count} cannot be shared out evenly among 4"):
            distributed.split_rows(count, 3, 4)


def test_an_incomplete_environment_of_torchrun_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in distributed.TORCHRUN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    said = pytest.raises(UserError, match=r"no RANK, LOCAL_RANK, .*start with torchrun")
    with said, distributed.join_process_group(torch.device("cpu")):
        pass


def test_the_first_step_that_is_not_finite_is_named(tmp_path: Path) -> None:
    record = LossMeter(40, tmp_path)
    record.add(torch.arange(5.0))
    record.add(torch.arange(5.0) + 2)
    assert record.read_means() == dict(zip(LOSS_NAMES, [1.0, 2.0, 3.0, 4.0, 5.0], strict=True))
    assert record.read_means() == {}
    assert record.get_recent_losses() == dict(zip(LOSS_NAMES[:-1], [1.0, 2.0, 3.0, 4.0], strict=True))
    for value in (1.0, math.inf, math.nan):
        record.add(torch.tensor([1.0, 1.0, 1.0, 3.0, value]))
    with pytest.raises(UserError, match=r"step 44 is not finite \(.*gradient_norm inf\); there is no checkpoint yet"):
        record.read_means()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError(),
    ],
)
def test_memory_that_is_not_there_is_named_with_what_to_change(tmp_path: Path, error: Exception) -> None:
    named = functools.partial(out_of_memory.explain_out_of_memory, lambda: checkpoint.describe_remains(tmp_path))
    said = r"^out of memory; there is no checkpoint yet; a b or c needs less$"
    with pytest.raises(UserError, match=said), named("a b", "c"):
        torch.empty(1 << 55)
    write_checkpoint(tmp_path / "step-000007")
    with pytest.raises(UserError, match=r"step-000007 stays; c needs less"), named("c"):
        raise error
    with pytest.raises(RuntimeError, match="size of tensor"), named("c"):
        torch.ones(2) + torch.ones(3)


def test_tensors_that_do_not_fit_are_named_with_both_shapes(tmp_path: Path) -> None:
    path, module = tmp_path / "ema.safetensors", nn.Linear(3, 2)
    good = {name: value.clone() + 1 for name, value in module.state_dict().items()}
    save_file(good, path)
    load_module(path, module)
    assert torch.equal(module.weight, good["weight"])
    for tensors, says in (
        ({**good, "weight": torch.zeros(2, 4)}, r"weight is \(2, 4\), the run wants \(2, 3\)"),
        ({"weight": good["weight"]}, r"it has no bias \(2,\)"),
        ({**good, "gain": torch.zeros(1)}, "nothing there is called gain"),
    ):
        save_file(tensors, path)
        with pytest.raises(UserError, match=rf"ema\.safetensors does not fit its run: {says}"):
            load_module(path, module)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UserError, match="is damaged"):
        load_module(path, module)


def test_a_line_that_was_cut_short_does_not_swallow_the_next(tmp_path: Path) -> None:
    path = tmp_path / log.LOG_FILE
    path.write_text('{"part": "stage1", "st')
    for step in (1, 2):
        told = log.open_log(tmp_path)
        told.write("stage1", {"step": step})
        told.close()
    lines = path.read_text().splitlines()
    assert len(lines) == 3 and [json.loads(line)["step"] for line in lines[1:]] == [1, 2]


def test_a_log_is_read_back_as_lines_and_by_tensorboard(tmp_path: Path) -> None:
    told = log.open_log(tmp_path)
    for step in (20, 40):
        told.write("stage1", {"step": step, "rgb": 10.0 / step, "note": "words are no curve"})
    told.write_picture("imagined", 40, np.zeros((8, 9, 3), np.uint8))
    told.close()
    rows = [json.loads(line) for line in (tmp_path / log.LOG_FILE).read_text().splitlines()]
    assert [(row["part"], row["step"], row["rgb"]) for row in rows] == [("stage1", 20, 0.5), ("stage1", 40, 0.25)]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / log.TENSORBOARD_FOLDER))
    events.Reload()
    assert events.Tags()["scalars"] == ["stage1/rgb"] and events.Tags()["images"] == ["imagined"]
    assert [(row.step, row.value) for row in events.Scalars("stage1/rgb")] == [(20, 0.5), (40, 0.25)]
    assert (events.Images("imagined")[0].height, events.Images("imagined")[0].width) == (8, 9)


@pytest.mark.skipif(importlib.util.find_spec("wandb") is not None, reason="wandb is installed here")
def test_wandb_that_is_not_there_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"pip install 'aim-world-action\[wandb\]'"):
        log.open_log(tmp_path, "project")
    assert not (tmp_path / log.TENSORBOARD_FOLDER).exists()


def damage(path: Path, how: str) -> None:
    """Damage a file: cut off its end, empty it, or remove it."""
    if how == "missing":
        path.unlink()
    else:
        os.truncate(path, 0 if how == "empty" else path.stat().st_size - 1)


@pytest.mark.parametrize("how", ["cut", "empty", "missing"])
@pytest.mark.parametrize("name", TRAINING_FILES)
def test_a_damaged_newest_checkpoint_is_said_and_the_one_before_is_used(
    tmp_path: Path, name: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (write_checkpoint(tmp_path / format_name(step)) for step in (9, 10))
    assert demand_newest(tmp_path, TRAINING_FILES) == resolve_checkpoint(tmp_path) == second
    assert not capsys.readouterr().err
    if name.endswith(".json") and how == "cut":
        (second / name).write_text('{"')
    else:
        damage(second / name, how)
    assert demand_newest(tmp_path, TRAINING_FILES) == find_newest(tmp_path, TRAINING_FILES) == first
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{second / name} is {'missing' if how == 'missing' else 'damaged'}" in line
    assert line.endswith("; step-000009, the one before, is used")
    is_policy = name in POLICY_FILES
    assert resolve_checkpoint(tmp_path) == (first if is_policy else second), "only training needs the rest"
    if is_policy:
        with pytest.raises(UserError, match=f"{name} is .*; another checkpoint may be in"):
            resolve_checkpoint(second)
    damage(first / name, "missing")
    with pytest.raises(UserError, match=f"{second / name} is .*; there is no other checkpoint: bring it back"):
        demand_newest(tmp_path, TRAINING_FILES)


def test_nothing_is_said_of_a_folder_without_checkpoints(tmp_path: Path) -> None:
    assert demand_newest(tmp_path, TRAINING_FILES) is None
    with pytest.raises(UserError, match="no checkpoint in"):
        resolve_checkpoint(tmp_path / "nothing")
