"""Pretrained Wan weights from a folder in diffusers' layout or from the hub: model and codec of a run.

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
from aim.model import lora, wan, wan_vae
from aim.model.image_codec import Codec, PictureCodec
from aim.model.wan_vae import WanCodec
from aim.model.world_action_model import WorldActionModel
from sim.types import UserError

WEIGHTS_FILE = "diffusion_pytorch_model.safetensors"
LAYOUT_HELP = "a folder of diffusers' layout or a name of the hub"


def build_model(run: Run) -> WorldActionModel:
    """Model of a run before its first step: random or pretrained weights, with adapters if configured.

    What is drawn comes from torch's generator. Weights that adapters stand beside are bfloat16 where the run is.
    `UserError` where there are no such weights, or where they are of another shape.
    """
    config = run.model
    half = config.lora_rank > 0 and run.train.precision == "bf16"
    model = load_wan(run.weights, config, half) if run.weights else WorldActionModel(config)
    if not config.lora_rank:
        return model
    return lora.add_adapters(lora.cast_frozen_to_bf16(model) if half else model, config.lora_rank, config.lora_alpha)


def build_for_loading(run: Run) -> WorldActionModel:
    """Model of a run to load a checkpoint into, with the frozen weights that the checkpoint lacks."""
    return build_model(run) if run.model.lora_rank else WorldActionModel(run.model)


def build_codec(run: Run, half: bool = False) -> PictureCodec:
    """Codec of a run: an untrained one of its shape, or that of its pretrained weights."""
    if not run.weights:
        return Codec(run.codec)
    from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan

    folder = find_part(run.weights, "vae")
    _check_config(folder, _read_config(folder, "AutoencoderKLWan"), wan_vae.expected_vae_config(run.codec))
    dtype = torch.bfloat16 if half else torch.float32
    vae = AutoencoderKLWan.from_pretrained(folder, torch_dtype=dtype, low_cpu_mem_usage=False)
    return WanCodec(run.codec, vae)


def check_fingerprint(codec: PictureCodec, weights: str) -> None:
    """Raise `UserError` if the fingerprint stored in a codec is not that of the weights it holds."""
    if isinstance(codec, WanCodec) and not torch.equal(codec.fingerprint.cpu(), wan_vae.compute_fingerprint(codec.vae)):
        raise UserError(f"the video autoencoder in {weights} is not the one that this run was trained with")


def load_wan(weights: str, config: ModelConfig, half: bool = False) -> WorldActionModel:
    """Model of `config` with Wan's weights, in single precision.

    With `half` the weights that adapters may stand beside are bfloat16. The rest is drawn or derived:
    `wan.list_initializations`.
    """
    folder = find_part(weights, "transformer")
    shapes = _read_expected_shapes(folder, config)
    with torch.device("meta"):
        model = WorldActionModel(config)
    names = tuple(model.state_dict())
    rest = WorldActionModel(replace(config, layers=0))  # for what is drawn, and the tables of rotary angles
    drawn, tensors = rest.state_dict(), {}
    with _open_tensors(folder, shapes) as read:
        for name, row in wan.list_weight_sources(config).items():
            dtype = torch.bfloat16 if half and lora.is_adapted(name) else torch.float32
            tensors[name] = wan.convert_to_ours(row, [read(there) for there in row.wan], config).to(dtype)
    for name, start in wan.list_initializations(config, names).items():
        shape = model.get_parameter(name).shape
        tensors[name] = drawn[name] if start.kind == "fresh" else wan.initial_value(start, shape, tensors)
    model.load_state_dict(tensors, assign=True)
    for name, value in rest.named_buffers():
        setattr(model, name, value)
    return model.requires_grad_(True)


def find_part(weights: str, name: str) -> Path:
    """Folder of a part of pretrained weights, downloaded from the hub if it is not a local folder."""
    local = Path(weights)
    if local.is_dir():
        if not (local / name).is_dir():
            raise UserError(f"{local} has no {name}/; pretrained weights are {LAYOUT_HELP}")
        return local / name
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    try:
        folder = Path(snapshot_download(weights, allow_patterns=[f"{name}/*"])) / name
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"no pretrained weights at {weights!r}; they are {LAYOUT_HELP}: {reason}") from error
    if not folder.is_dir():
        raise UserError(f"{weights} of the hub has no {name}/; pretrained weights are {LAYOUT_HELP}")
    return folder


def _read_expected_shapes(folder: Path, config: ModelConfig) -> dict[str, torch.Size]:
    """Shapes of all tensors of the transformer in a folder; `UserError` if it does not fit the model."""
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel

    if config.predict != "velocity" or config.rope_base != wan.ROPE_BASE:
        raise UserError(f"pretrained Wan needs predict 'velocity' and rope_base {wan.ROPE_BASE:g}")
    described = _read_config(folder, "WanTransformer3DModel")
    with torch.device("meta"):
        transformer = cast(WanTransformer3DModel, WanTransformer3DModel.from_config(described))
    _check_config(folder, transformer.config, wan.expected_transformer_config(config))
    return {name: value.shape for name, value in transformer.state_dict().items()}


def _read_config(folder: Path, kind: str) -> dict[str, Any]:
    """Configuration in a folder; `UserError` if it is not of this class of diffusers."""
    try:
        raw = json.loads((folder / "config.json").read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"{folder} has no config.json of a {kind}") from error
    if raw.get("_class_name") != kind:
        raise UserError(f"{folder} holds a {raw.get('_class_name')}, not a {kind}")
    return raw


def _check_config(folder: Path, raw: Mapping[str, Any], facts: Mapping[str, object]) -> None:
    """Raise `UserError` with the first of the `facts` that a configuration does not match."""
    for name, expected in facts.items():
        stored = raw.get(name)
        stored = tuple(stored) if isinstance(stored, list) else stored
        if stored != expected:
            raise UserError(f"{folder} has {name} {stored!r}; this run needs {expected!r}")


@contextmanager
def _open_tensors(folder: Path, shapes: Mapping[str, torch.Size]) -> Iterator[Callable[[str], Tensor]]:
    """Reader of the tensors in a folder; `UserError` if one is damaged, missing or of another shape."""
    index = folder / f"{WEIGHTS_FILE}.index.json"
    names = sorted({*json.loads(index.read_text())["weight_map"].values()}) if index.is_file() else [WEIGHTS_FILE]
    with ExitStack() as stack:
        try:
            files = [stack.enter_context(safe_open(folder / name, "pt")) for name in names]
        except (OSError, SafetensorError) as error:
            raise UserError(f"{folder}: {str(error).partition(chr(10))[0]}") from error
        where = {name: file for file in files for name in file.keys()}  # noqa: SIM118
        for name, shape in shapes.items():
            if name not in where:
                raise UserError(f"{folder} lacks the tensor {name} {tuple(shape)}")
            shape_stored = tuple(where[name].get_slice(name).get_shape())
            if shape_stored != tuple(shape):
                raise UserError(f"{folder} has {name} {shape_stored}; its config.json says {tuple(shape)}")
        yield lambda name: where[name].get_tensor(name)
