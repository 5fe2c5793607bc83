# ruff: noqa: F722
"""The picture codec: Wan's causal video autoencoder in image mode, beside the best linear code of the frames.

Image mode: every kept picture is a video of one frame. So a latent belongs to one picture alone, any picture may
start a sample, and one cache serves them all. In such a video a causal convolution over time sees zeros before the
frame, and only its last tap in time has work: `replace_causal_convs` keeps that tap, which changes no result.

The code of a picture is the sum of two: a linear one (a `factor` x `factor` patch on its principal axes) and Wan's,
which begins at nothing. The linear code is right at once and keeps small bright things; Wan's learns what a patch
cannot know of its neighbours. What is coded is the difference from an empty canvas: for a picture the backdrop of its
view (the median of its pixels over time), for a value map black. Pictures and maps share all weights.

b pictures, z latent channels, h and w pixels; a view's latents are h / factor by w / factor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from aim.config import CodecConfig, View
from aim.model import canvas
from aim.model.canvas import Shifts

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan, WanCausalConv3d
else:  # the names of annotations; diffusers takes seconds to import and is needed only where a codec is built
    AutoencoderKLWan = WanCausalConv3d = nn.Module

Kind = Literal["rgb", "map"]
STREAM_KINDS: tuple[Kind, ...] = ("rgb", "map")
Pictures = UInt8[Tensor, "b _ _ 3"]
INITIAL_LOGVAR = -6.0  # the first log-variance of a latent


class SingleFrameConv(nn.Module):
    """The last tap in time of a causal convolution: all of it that a video of one frame can feel."""

    def __init__(self, conv: WanCausalConv3d) -> None:
        """Take the tap over from `conv`."""
        super().__init__()
        assert conv.stride[0] == 1, "image mode has no stride in time"
        self.weight = nn.Parameter(conv.weight.detach()[:, :, -1].clone())
        assert conv.bias is not None
        self.bias = nn.Parameter(conv.bias.detach().clone())
        self.stride, self.padding = conv.stride[1:], conv._padding[0]  # diffusers keeps the padding there

    def forward(self, z: Float[Tensor, "b i 1 y x"], cache: None = None) -> Float[Tensor, "b o 1 _ _"]:
        """Return the convolution of the one frame."""
        assert cache is None, "a video of one frame has no frame before it"
        return F.conv2d(z.squeeze(2), self.weight, self.bias, self.stride, self.padding).unsqueeze(2)


def replace_causal_convs(module: nn.Module) -> None:
    """Replace, in place, every causal convolution below `module` by its last tap."""
    from diffusers.models.autoencoders.autoencoder_kl_wan import WanCausalConv3d

    for name, child in module.named_children():
        if isinstance(child, WanCausalConv3d):
            setattr(module, name, SingleFrameConv(child))
        else:
            replace_causal_convs(child)


def build_wan_autoencoder(config: CodecConfig) -> AutoencoderKLWan:
    """Return Wan's autoencoder (2.2 kind: residual, pixels folded into channels) in the size of `config`."""
    from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan

    fold, stages, z = _compute_fold(config), len(config.dim_mult) - 1, config.latent_channels
    return AutoencoderKLWan(
        base_dim=config.base_dim, decoder_base_dim=config.base_dim, z_dim=z, dim_mult=list(config.dim_mult),
        num_res_blocks=1, temperal_downsample=[False] * stages, is_residual=True, patch_size=fold,
        in_channels=3 * fold**2, out_channels=3 * fold**2, latents_mean=[0.0] * z, latents_std=[1.0] * z,
        scale_factor_temporal=1, scale_factor_spatial=config.factor,
    )  # fmt: skip


def _compute_fold(config: CodecConfig) -> int:
    """Return how many pixels are folded into channels along each side; the stages halve the rest."""
    halved = 2 ** (len(config.dim_mult) - 1)
    assert config.factor % halved == 0, "factor must be a multiple of 2 for each stage"
    return config.factor // halved


class PictureCodec(nn.Module, ABC):
    """What makes tokens of pictures and maps, and pictures of tokens: trained here, or pretrained (`wan_vae`)."""

    config: CodecConfig

    @abstractmethod
    def empty_canvas(self, view: int, kind: Kind) -> Float[Tensor, "3 h w"]:
        """Return the empty canvas of a view in [-1, 1]: what is not coded."""

    @abstractmethod
    def encode(self, pictures: Sequence[Pictures], kind: Kind, shifts: Shifts | None = None) -> Float[Tensor, "b n c"]:
        """Return the normalised tokens of pictures, one batch a view, moved by their shift (`shift_pictures`)."""

    @abstractmethod
    def decode(self, tokens: Float[Tensor, "b n c"], kind: Kind, views: int | None = None) -> tuple[Pictures, ...]:
        """Return the pictures of each view, or of the first `views`, that normalised tokens stand for."""


class Codec(PictureCodec):
    """Pictures and maps to tokens and back. Weights come from torch's global generator: seed it first."""

    mean: Tensor  # (kinds z), of all latents
    std: Tensor

    def __init__(self, config: CodecConfig) -> None:
        """Make the codec that `config` describes; `set_linear_code` gives it its linear code."""
        super().__init__()
        self.config = config
        self.fold = _compute_fold(config)
        self.wan = build_wan_autoencoder(config)
        replace_causal_convs(self.wan)
        side, z = config.factor, config.latent_channels
        self.analysis = nn.Parameter(torch.zeros(z, 3, side, side))
        self.synthesis = nn.Parameter(torch.zeros(z, 3, side, side))
        _zero_init(self.wan.decoder.conv_out)
        _zero_init(self.wan.quant_conv)[z:] = INITIAL_LOGVAR
        for index, view in enumerate(config.views):
            self.register_buffer(f"backdrop_{index}", torch.zeros(3, view.height, view.width))
        self.register_buffer("mean", torch.zeros(len(STREAM_KINDS), z))
        self.register_buffer("std", torch.ones(len(STREAM_KINDS), z))

    def empty_canvas(self, view: int, kind: Kind) -> Float[Tensor, "3 h w"]:
        """Return the empty canvas in [-1, 1]: the backdrop of a view, black for maps."""
        backdrop = self.get_buffer(f"backdrop_{view}")
        return backdrop if kind == "rgb" else torch.full_like(backdrop, -1.0)

    def compute_difference(self, pictures: Pictures, view: int, kind: Kind) -> Float[Tensor, "b 3 h w"]:
        """Return how pictures of any size differ from the empty canvas."""
        return resize_normalized(pictures.to(self.mean.device), self.config.views[view]) - self.empty_canvas(view, kind)

    def encode_difference(self, x: Float[Tensor, "b 3 _ _"]) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance (b z y x) of the latents of a difference."""
        linear = F.conv2d(x, self.analysis, stride=self.config.factor)
        posterior = self.wan.encode(x.unsqueeze(2), return_dict=False)[0]
        return linear.float() + posterior.mean.squeeze(2).float(), posterior.logvar.squeeze(2).float()

    def decode_difference(self, latents: Float[Tensor, "b z _ _"]) -> Float[Tensor, "b 3 _ _"]:
        """Return the difference that latents stand for, not clamped so that gradients pass."""
        from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify

        linear = F.conv_transpose2d(latents, self.synthesis, stride=self.config.factor)
        folded = self.wan.decoder(self.wan.post_quant_conv(latents.unsqueeze(2)), first_chunk=True)
        return linear.float() + unpatchify(folded, self.fold).squeeze(2).float()

    @torch.no_grad()
    def encode(self, pictures: Sequence[Pictures], kind: Kind, shifts: Shifts | None = None) -> Float[Tensor, "b n c"]:
        """Return the normalised tokens of pictures, one batch a view; what differs from the empty canvas is moved."""
        mean, std = self._get_statistics(kind)
        views = zip(pictures, shifts or make_zero_shifts(len(pictures)), strict=True)
        differences = [
            shift_pictures(self.compute_difference(p, view, kind), *shift) for view, (p, shift) in enumerate(views)
        ]
        latents = [self.encode_difference(x)[0] for x in differences]
        return canvas.latents_to_tokens([(z - mean) / std for z in latents])

    @torch.no_grad()
    def decode(self, tokens: Float[Tensor, "b n c"], kind: Kind, views: int | None = None) -> tuple[Pictures, ...]:
        """Return the pictures of each view, or of the first `views`, that normalised tokens stand for."""
        mean, std = self._get_statistics(kind)
        latents = canvas.tokens_to_latents(tokens.float(), canvas.compute_token_grids(self.config))
        return tuple(
            to_bytes(self.decode_difference(z * std + mean) + self.empty_canvas(view, kind))
            for view, z in enumerate(latents[:views])
        )

    def _get_statistics(self, kind: Kind) -> tuple[Tensor, Tensor]:
        which = STREAM_KINDS.index(kind)
        return self.mean[which, :, None, None], self.std[which, :, None, None]


def _zero_init(last: nn.Module) -> Tensor:
    """Make a layer answer nothing and return its bias, to be set."""
    assert isinstance(last, SingleFrameConv)
    nn.init.zeros_(last.weight)
    return nn.init.zeros_(last.bias).data


def make_zero_shifts(views: int) -> Shifts:
    """Return the shifts of pictures that stay where they are."""
    return [(0, 0)] * views


def shift_pictures(x: Float[Tensor, "b 3 h w"], down: int, right: int) -> Float[Tensor, "b 3 h w"]:
    """Return pictures whose content is moved by so many pixels; what comes in at an edge repeats the edge."""
    if not down and not right:
        return x
    rows = (torch.arange(x.shape[2], device=x.device) - down).clamp(0, x.shape[2] - 1)
    columns = (torch.arange(x.shape[3], device=x.device) - right).clamp(0, x.shape[3] - 1)
    return x[:, :, rows][:, :, :, columns]


def resize_normalized(pictures: Pictures, view: View) -> Float[Tensor, "b 3 h w"]:
    """Return pictures in [-1, 1] at the size of a view: the mean over the area of each new pixel."""
    height, width = pictures.shape[1:3]
    if height % view.height or width % view.width:
        x = pictures.movedim(-1, 1).float() / 127.5 - 1.0
        return F.interpolate(x, (view.height, view.width), mode="area")
    down, right = height // view.height, width // view.width
    counted = pictures if down * right == 1 else pictures.to(torch.int16 if down * right <= 128 else torch.int32)
    total = _sum_groups(_sum_groups(counted, 1, down), 2, right)
    return (total.float() / (127.5 * down * right) - 1.0).movedim(-1, 1)


def _sum_groups(x: Tensor, dim: int, count: int) -> Tensor:
    """Return sums of `count` neighbours along a dimension; several times faster than a reduction over a strided one."""
    first, *others = x.unflatten(dim, (-1, count)).unbind(dim + 1)
    for other in others:
        first = first + other
    return first


def resize_pictures(pictures: Pictures, view: View) -> Pictures:
    """Return pictures as bytes at the size of a view; see `resize_normalized`."""
    return pictures if pictures.shape[1:3] == (view.height, view.width) else to_bytes(resize_normalized(pictures, view))


def to_bytes(x: Float[Tensor, "b 3 h w"]) -> Pictures:
    """Return values in [-1, 1] as RGB bytes (b h w 3)."""
    return ((x.clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8).movedim(1, -1)


def compute_principal_axes(
    patches: Float[Tensor, "r d"], count: int, floor: float = 0.05
) -> tuple[Float[Tensor, "d k"], Float[Tensor, " k"]]:
    """Return the `count` axes of most energy and the root mean square along each, no less than `floor` of the first.

    The energy is about zero, not about the mean: nothing must stay nothing.
    """
    energy, axes = torch.linalg.eigh((patches.T @ patches).double() / len(patches))
    size = energy[-count:].flip(0).clamp(min=0.0).sqrt().float()
    return axes[:, -count:].flip(1).float(), size.clamp(min=float(size[0]) * floor + 1e-6)


def set_linear_code(codec: Codec, axes: Float[Tensor, "d k"], size: Float[Tensor, " k"]) -> None:
    """Give the codec the linear code with these axes; every latent gets about unit size."""
    shape = codec.analysis.shape
    with torch.no_grad():
        codec.analysis.copy_((axes / size).T.reshape(shape))
        codec.synthesis.copy_((axes * size).T.reshape(shape))


def extract_patches(x: Float[Tensor, "b 3 _ _"], side: int) -> Float[Tensor, "r d"]:
    """Return all squares of `side` pixels as rows, in the order of `Codec.analysis`."""
    return F.unfold(x, side, stride=side).transpose(1, 2).flatten(0, 1)
