"""Flags of the fields of a run: every field that does not follow from others, by its long name and its short one."""

from __future__ import annotations

import dataclasses

import pytest

from aim import presets
from aim.commands.run_flags import SHORT_FLAGS, apply_run_flags, list_run_flags, split_run_flags
from aim.config import Run
from sim.types import UserError


@pytest.fixture
def run() -> Run:
    return presets.tiny("panda", ("head", "wrist"), 8, 8)


def test_flags_change_what_they_name_and_nothing_else(run: Run) -> None:
    rest, words = split_run_flags(
        ["tiny", "--data", "d", "--model.width", "48", "--train.lr=1e-3", "--out", "o", "--model.geometry"]
    )
    assert rest == ["tiny", "--data", "d", "--out", "o"]
    changed = apply_run_flags(run, words)
    assert changed == dataclasses.replace(
        run,
        model=dataclasses.replace(run.model, width=48, geometry=True),
        train=dataclasses.replace(run.train, lr=1e-3),
    )


def test_no_flags_change_nothing(run: Run) -> None:
    assert apply_run_flags(run, ()) is run
    assert split_run_flags(["tiny", "--out", "o", "--eval-task", "a", "b"])[1] == []


def test_short_names_stand_for_long_ones(run: Run) -> None:
    assert set(SHORT_FLAGS.values()) <= set(list_run_flags())
    short = [
        "--steps",
        "5",
        "--minutes",
        "2",
        "--batch-size",
        "4",
        "--lr",
        "0.1",
        "--precision",
        "fp32",
        "--checkpointing",
        "--codec-minutes",
        "3",
    ]
    rest, words = split_run_flags(
        [*short, "tiny", "--variant", "text", "--geometry", "--shifts", "2", "--batch_size=6"]
    )
    assert rest == ["tiny"]
    changed = apply_run_flags(run, words)
    train = dataclasses.replace(
        run.train, steps=5, minutes=2.0, batch_size=6, lr=0.1, precision="fp32", checkpointing=True
    )
    assert changed.train == train and changed.codec_train.minutes == 3.0
    assert (changed.model.variant, changed.model.geometry, changed.data.shift_augmentations) == ("text", True, 2)
    assert changed.model.shift_conditioning, "follows from data.shifts"


def test_what_follows_from_other_fields_is_no_flag_and_follows(run: Run) -> None:
    flags = list_run_flags()
    assert "--model.layout" not in flags and "--codec.views" not in flags and "--train.lr" in flags
    changed = apply_run_flags(run, split_run_flags(["--codec.latent-channels", "16", "--codec.dim-mult", "2", "2"])[1])
    assert changed.model.token_channels == 64 and changed.codec.dim_mult == (2, 2)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--model.widht", "3"], "unknown flag '--model.widht'; did you mean '--model.width'"),
        (["--model.layout", "3"], "unknown flag '--model.layout'"),
        (["--train.lr", "much"], "Error parsing --train.lr"),
        (["--train.precision", "fp16"], "--train.precision"),
        (["--lr"], "--train.lr"),
        (["--minutes", "-1"], "minutes must be a finite number at least 0"),
        (["--model.heads", "0"], "heads must be"),
        (["--model.layers", "-1"], "layers must be"),
        (["--model.layers", "0"], "layers must be at least 1"),
        (["--model.action-patch", "0"], "action_patch must be"),
        (["--model.lora-rank", "-1"], "lora_rank must be"),
        (["--model.history-noise", "1.5"], "history_noise must be"),
        (["--codec.factor", "0"], "factor must be"),
        (["--codec.dim-mult", "1", "0"], "dim_mult must be"),
        (["--codec.dim-mult"], "dim_mult must have"),
        (["--codec-train.batch-size", "0"], "batch_size must be"),
        (["--codec-train.lr", "-1"], "lr must be"),
        (["--train.lr", "inf"], "lr must be"),
        (["--train.text-dropout", "nan"], "text_dropout must be"),
        (["--train.ema-decay", "1"], "ema_decay must be"),
        (["--data.frame-stride", "0"], "frame_stride must be"),
        (["--data.shift-augmentations", "-1"], "shift_augmentations must be"),
    ],
)
def test_a_mistake_is_one_line(run: Run, words: list[str], says: str) -> None:
    with pytest.raises(UserError) as error:
        apply_run_flags(run, split_run_flags(words)[1])
    assert says in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "steps", "codec_steps"),
    [
        (["--minutes", "3"], 0, 30),
        (["--train.minutes=3"], 0, 30),
        (["--codec-minutes", "3"], 40, 0),
        (["--minutes", "3", "--steps", "7"], 7, 30),
        (["--codec-minutes", "3", "--codec-train.steps=7"], 40, 7),
        (["--minutes", "0"], 40, 30),
    ],
)
def test_minutes_alone_take_the_place_of_the_steps_of_the_preset(
    run: Run, words: list[str], steps: int, codec_steps: int
) -> None:
    changed = apply_run_flags(run, split_run_flags(words)[1])
    assert (changed.train.steps, changed.codec_train.steps) == (steps, codec_steps)
