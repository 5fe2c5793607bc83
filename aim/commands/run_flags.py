"""Flags of `aim train` that set fields of the run: `--model.width 256`, read by tyro from `aim.config` itself."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from aim import config
from aim.commands.flag_errors import report_flag_errors
from aim.config import CodecConfig, DataConfig, ModelConfig, Run, TrainConfig
from sim.registry import resolve_name

# fields that follow from the dataset, from the preset's text encoder or from other fields
DERIVED_FIELDS = frozenset({
    "codec.views", "model.token_grid", "model.token_channels", "model.action_dim", "model.state_dim",
    "model.text_width", "model.shift_conditioning",
})  # fmt: skip
SHORT_FLAGS: Mapping[str, str] = {
    "--steps": "--train.steps",
    "--minutes": "--train.minutes",
    "--batch-size": "--train.batch-size",
    "--lr": "--train.lr",
    "--precision": "--train.precision",
    "--checkpointing": "--train.checkpointing",
    "--no-checkpointing": "--train.no-checkpointing",
    "--codec-minutes": "--codec-train.minutes",
    "--variant": "--model.variant",
    "--geometry": "--model.geometry",
    "--no-geometry": "--model.no-geometry",
    "--shifts": "--data.shift-augmentations",
}


@dataclass(frozen=True)
class RunFields:
    """Sections of a run that flags may change; a `Run` itself refuses fields that do not fit each other yet."""

    model: ModelConfig
    data: DataConfig
    train: TrainConfig
    codec: CodecConfig
    codec_train: TrainConfig


def list_run_flags() -> dict[str, bool | None]:
    """Long flags of all fields that may be set: True if one takes no value, None if it takes several, else False."""
    flags: dict[str, bool | None] = {}
    for section, kind in typing.get_type_hints(RunFields).items():
        for name, hint in typing.get_type_hints(kind).items():
            if f"{section}.{name}" in DERIVED_FIELDS:
                continue
            prefix, field = f"--{section.replace('_', '-')}.", name.replace("_", "-")
            flags[f"{prefix}{field}"] = True if hint is bool else None if typing.get_origin(hint) is tuple else False
            if hint is bool:
                flags[f"{prefix}no-{field}"] = True
    return flags


def split_run_flags(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a command line into the remaining words and the flags of the run, by their long names."""
    flags, sections = list_run_flags(), typing.get_type_hints(RunFields)
    rest, run_words, remaining = [], [], list(words)
    while remaining:
        word = remaining.pop(0)
        option, equals, value = word.partition("=")
        option = option.replace("_", "-") if option.startswith("--") else option
        option = SHORT_FLAGS.get(option, option)
        section = option.removeprefix("--").partition(".")[0].replace("-", "_")
        if not (option.startswith("--") and "." in option and section in sections):
            rest.append(word)
            continue
        takes_no_value = flags[resolve_name("flag", option, list(flags))]
        run_words.append(option + equals + value)
        if not equals and takes_no_value is False and remaining:
            run_words.append(remaining.pop(0))
        while not equals and takes_no_value is None and remaining and not remaining[0].startswith("-"):
            run_words.append(remaining.pop(0))
    return rest, run_words


def apply_run_flags(run: Run, words: Sequence[str]) -> Run:
    """Run with the fields that flags set; `UserError` if a value is none of its field or does not fit the others."""
    if not words:
        return run
    import tyro

    default = RunFields(run.model, run.data, run.train, run.codec, run.codec_train)
    with report_flag_errors():
        fields = tyro.cli(RunFields, default=default, prog="aim train", args=list(words))
    given = {word.partition("=")[0] for word in words}
    fields = replace(
        fields,
        train=_lift_step_limit(fields.train, "train", given),
        codec_train=_lift_step_limit(fields.codec_train, "codec-train", given),
    )
    layout, channels = config.build_token_grid(fields.codec), config.compute_token_channels(fields.codec)
    model = replace(
        fields.model, token_grid=layout, token_channels=channels, shift_conditioning=fields.data.shift_augmentations > 0
    )
    return replace(run, **{**vars(fields), "model": model})


def _lift_step_limit(training: TrainConfig, section: str, given: AbstractSet[str]) -> TrainConfig:
    """Training without the preset's limit of steps where minutes alone were given."""
    minutes_alone = f"--{section}.minutes" in given and f"--{section}.steps" not in given and training.minutes > 0
    return replace(training, steps=0) if minutes_alone else training
