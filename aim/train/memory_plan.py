"""Memory of a training by arithmetic: nothing is allocated, the model is built on the meta device.

Weights are counted exactly. Activations are those that autograd keeps from the forward to the backward pass, counted
operation by operation in `_count_layer_bytes` for `aim.model.attention.attend_segments`. With checkpointing a layer
keeps its input alone, and one layer at a time its activations, beside gradients of as much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch

from aim.config import ModelConfig, Run
from aim.model import intent, lora, text
from aim.model.embed import get_stream_widths
from aim.model.world_action_model import WorldActionModel
from aim.policy.precision import ComputePrecision

GIB = 2**30
FLOAT32_BYTES = 4  # bytes of a number in single precision
BYTES_PER_NUMBER: Mapping[ComputePrecision, int] = MappingProxyType(
    {"fp32": 4, "bf16": 2}
)  # bytes of a number that is computed with
RESERVED_BYTES = GIB  # the driver, the kernels, and what lies between tensors


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes by purpose."""

    rows: Mapping[str, int]

    @property
    def total(self) -> int:
        """Sum of all bytes."""
        return sum(self.rows.values())

    def fits_in(self, size: float) -> bool:
        """Whether a device of `size` bytes is large enough."""
        return self.total <= size

    def format_lines(self) -> list[str]:
        """Table of the plan in GiB."""
        rows = {**self.rows, "total": self.total}
        return [f"{name:<12} {size / GIB:7.2f} GiB" for name, size in rows.items()]


def plan_memory(run: Run, compute_precision: ComputePrecision) -> MemoryPlan:
    """Memory of training a run on one device that computes in `compute_precision`; the codec is not on it.

    Rank, rows of a batch and checkpointing are those of the run. Weights that adapters stand beside are bfloat16 where
    the run goes on from pretrained ones in that precision: see `aim.policy.pretrained.build_model`.
    """
    model = build_meta_model(run.model, half=compute_precision == "bf16")
    train = [value for value in model.parameters() if value.requires_grad]
    count = sum(value.numel() for value in train)
    num_text_tokens = text.WAN_TEXT_TOKENS if run.weights else text.MAX_TEXT_TOKENS
    activation_bytes = count_activation_bytes(
        run.model, run.train.batch_size, compute_precision, run.train.checkpointing, num_text_tokens
    )
    return MemoryPlan(
        {
            "weights": sum(value.numel() * value.element_size() for value in model.parameters()),
            "gradients": FLOAT32_BYTES * count,
            "moments": 2 * FLOAT32_BYTES * count,
            "average": FLOAT32_BYTES * count,
            # autocast keeps its copies of the weights
            "cast": BYTES_PER_NUMBER[compute_precision] * count if compute_precision == "bf16" else 0,
            "activations": activation_bytes,
            "reserve": RESERVED_BYTES,
        }
    )


def build_meta_model(config: ModelConfig, half: bool = False) -> WorldActionModel:
    """Model on the meta device, adapted as `config` says, with frozen weights in bfloat16 if `half`."""
    with torch.device("meta"):
        model = WorldActionModel(config)
        if not config.lora_rank:
            return model
        return lora.add_adapters(
            lora.cast_frozen_to_bf16(model) if half else model, config.lora_rank, config.lora_alpha
        )


def count_activation_bytes(
    config: ModelConfig, rows: int, compute_precision: ComputePrecision, checkpointing: bool, num_text_tokens: int
) -> int:
    """Bytes of activations kept for the backward pass of `rows` samples with `num_text_tokens` each."""
    streams, sizes = _count_tokens(config), get_stream_widths(config)
    hidden = sum(FLOAT32_BYTES * rows * count * sizes[name][0] for name, count in streams.items())
    layer = _count_layer_bytes(config, rows, compute_precision, num_text_tokens)
    ends = 3 * hidden + rows * num_text_tokens * (
        FLOAT32_BYTES * config.text_width + 3 * FLOAT32_BYTES * config.width
    )  # embeddings and heads
    if not checkpointing:
        return config.layers * layer + ends
    return config.layers * hidden + 2 * layer + ends


def _count_layer_bytes(
    config: ModelConfig, rows: int, compute_precision: ComputePrecision, num_text_tokens: int
) -> int:
    """Bytes of activations of one layer, its input included.

    w is a stream's width, i heads x head width, f the width of its feed-forward net; hidden states, also normalised,
    are in single precision, what goes into a product and comes out is in `compute_precision`.
    """
    who, sizes, each = (
        intent.build_table(config),
        get_stream_widths(config),
        BYTES_PER_NUMBER[compute_precision],
    )
    inner, sequence, total = config.heads * config.head_dim, intent.build_sequence(config), 0
    for name, count in _count_tokens(config).items():
        width, ffn = sizes[name]
        moves = 0 if config.lora_rank and name != intent.ACTION else 1  # modulation that trains keeps both factors
        reads = sum(
            s.length for s in sequence if intent.stream_of_segment(s.kind, config) == name and "text" in who[s.kind]
        )
        whole = (2 + 2 * moves) * width * count + width * reads
        cast = (2 + 2 * moves) * width * count + width * reads  # into qkv and up; what out and down said; into read_q
        cast += 6 * inner * count + 3 * inner * reads  # q k v, q turned, what was heard, joined; q twice, what was read
        cast += 2 * ffn * count
        cast += num_text_tokens * (3 * inner + (config.width if compute_precision == "bf16" else 0)) if reads else 0
        total += FLOAT32_BYTES * whole + each * cast
    keys = sum(key.length for query in sequence for key in sequence if intent.attends(who, query, key))
    return rows * (total + each * 2 * inner * keys)


def _count_tokens(config: ModelConfig) -> dict[str, int]:
    """Number of tokens of a sample by stream."""
    counts: dict[str, int] = {}
    for segment in intent.build_sequence(config):
        name = intent.stream_of_segment(segment.kind, config)
        counts[name] = counts.get(name, 0) + segment.length
    return counts
