"""Pretrained Wan from a folder of diffusers' layout or from the hub: model, codec and text encoder of a run.

    transformer/{config.json, *.safetensors}   vae/   text_encoder/   tokenizer/   scheduler/

The transformer is read tensor by tensor: each is converted, put in its place and forgotten, so that building needs the
memory of what is built and of a few tensors more. (diffusers' own loader holds the whole of it first, and asks for the
package accelerate.) Configurations and names are those of diffusers' classes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from aim.config import ModelConfig, Run
from aim.model import lora, video_codec, wan
from aim.model.aim import AIM
from aim.model.codec import Codec, PictureCodec
from aim.model.video_codec import WanCodec
from sim.types import UserError

STEM = "diffusion_pytorch_model.safetensors"
LAYOUT = "a folder of diffusers' layout or a name of the hub"


def model(run: Run) -> AIM:
    """Return the model of a run before its first step: from nothing or from pretrained weights, adapted if it says so.

    What is drawn comes from torch's generator. Weights that adapters stand beside are bfloat16 where the run is.
    `UserError` where there are no such weights, or where they are of another shape.
    """
    config = run.model
    half = config.lora_rank > 0 and run.train.precision == "bf16"
    made = load(run.weights, config, half) if run.weights else AIM(config)
    if not config.lora_rank:
        return made
    return lora.adapt(lora.halve(made) if half else made, config.lora_rank, config.lora_alpha)


def to_fill(run: Run) -> AIM:
    """Return the model of a run for a checkpoint to fill: with what that lacks, the weights adapters stand beside."""
    return model(run) if run.model.lora_rank else AIM(run.model)


def codec(run: Run, half: bool = False) -> PictureCodec:
    """Return the codec of a run: a trained one of its own shape, not trained yet, or that of its pretrained weights."""
    if not run.weights:
        return Codec(run.codec)
    from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan

    place = part(run.weights, "vae")
    _agree(place, _described(place, "AutoencoderKLWan"), video_codec.facts(run.codec))
    dtype = torch.bfloat16 if half else torch.float32
    vae = AutoencoderKLWan.from_pretrained(place, torch_dtype=dtype, low_cpu_mem_usage=False)
    return WanCodec(run.codec, vae)


def known(codec: PictureCodec, weights: str) -> None:
    """Raise `UserError` where the fingerprint that a codec was given is not that of the weights it holds."""
    if isinstance(codec, WanCodec) and not torch.equal(codec.fingerprint.cpu(), video_codec.fingerprint(codec.vae)):
        raise UserError(f"the video autoencoder in {weights} is not the one that this run was trained with")


def load(weights: str, config: ModelConfig, half: bool = False) -> AIM:
    """Return the model of `config` with Wan's weights in it, in single precision.

    With `half` the weights that adapters may stand beside are bfloat16. The rest is drawn or derived: `wan.starts`.
    """
    place = part(weights, "transformer")
    shapes = _expected(place, config)
    with torch.device("meta"):
        made = AIM(config)
    names = tuple(made.state_dict())
    rest = AIM(replace(config, layers=0))  # for what is drawn, and the tables of rotary angles
    drawn, ours = rest.state_dict(), {}
    with _opened(place, shapes) as read:
        for name, row in wan.table(config).items():
            dtype = torch.bfloat16 if half and lora.adapted(name) else torch.float32
            ours[name] = wan.to_ours(row, [read(there) for there in row.wan], config).to(dtype)
    for name, start in wan.starts(config, names).items():
        shape = made.get_parameter(name).shape
        ours[name] = drawn[name] if start.kind == "fresh" else wan.begin(start, shape, ours, config)
    made.load_state_dict(ours, assign=True)
    for name, value in rest.named_buffers():
        setattr(made, name, value)
    return made.requires_grad_(True)


def part(weights: str, name: str) -> Path:
    """Return the folder of a part of pretrained weights, fetched from the hub where it is not a folder here."""
    here = Path(weights)
    if here.is_dir():
        if not (here / name).is_dir():
            raise UserError(f"{here} has no {name}/; pretrained weights are {LAYOUT}")
        return here / name
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    try:
        found = Path(snapshot_download(weights, allow_patterns=[f"{name}/*"])) / name
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"no pretrained weights at {weights!r}; they are {LAYOUT}: {reason}") from error
    if not found.is_dir():
        raise UserError(f"{weights} of the hub has no {name}/; pretrained weights are {LAYOUT}")
    return found


def _expected(place: Path, config: ModelConfig) -> dict[str, torch.Size]:
    """Return the shape of every tensor of the transformer in a folder; `UserError` where it does not fit the model."""
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel

    if config.predict != "velocity" or config.rope_base != wan.ROPE_BASE:
        raise UserError(f"pretrained Wan needs predict 'velocity' and rope_base {wan.ROPE_BASE:g}")
    described = _described(place, "WanTransformer3DModel")
    with torch.device("meta"):
        found = cast(WanTransformer3DModel, WanTransformer3DModel.from_config(described))
    _agree(place, found.config, wan.facts(config))
    return {name: value.shape for name, value in found.state_dict().items()}


def _described(place: Path, kind: str) -> dict[str, Any]:
    """Return the configuration in a folder; `UserError` where it is not of this class of diffusers."""
    try:
        found = json.loads((place / "config.json").read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"{place} has no config.json of a {kind}") from error
    if found.get("_class_name") != kind:
        raise UserError(f"{place} holds a {found.get('_class_name')}, not a {kind}")
    return found


def _agree(place: Path, found: Mapping[str, Any], facts: Mapping[str, object]) -> None:
    """Raise `UserError` naming the first of the `facts` that a configuration does not say."""
    for name, wanted in facts.items():
        there = found.get(name)
        there = tuple(there) if isinstance(there, list) else there
        if there != wanted:
            raise UserError(f"{place} has {name} {there!r}; this run needs {wanted!r}")


@contextmanager
def _opened(place: Path, shapes: Mapping[str, torch.Size]) -> Iterator[Callable[[str], Tensor]]:
    """Yield the reader of the tensors in a folder; `UserError` where one is damaged, missing or of another shape."""
    index = place / f"{STEM}.index.json"
    names = sorted({*json.loads(index.read_text())["weight_map"].values()}) if index.is_file() else [STEM]
    with ExitStack() as stack:
        try:
            files = [stack.enter_context(safe_open(place / name, "pt")) for name in names]
        except (OSError, SafetensorError) as error:
            raise UserError(f"{place}: {str(error).partition(chr(10))[0]}") from error
        where = {name: file for file in files for name in file.keys()}  # noqa: SIM118
        for name, shape in shapes.items():
            if name not in where:
                raise UserError(f"{place} lacks the tensor {name} {tuple(shape)}")
            there = tuple(where[name].get_slice(name).get_shape())
            if there != tuple(shape):
                raise UserError(f"{place} has {name} {there}; its config.json says {tuple(shape)}")
        yield lambda name: where[name].get_tensor(name)
