# ruff: noqa: F722
"""The canvas: latents of all views laid out as one row of tokens, and back.

A token is a square of `TOKEN_PATCH` by `TOKEN_PATCH` latents. The order is that of
`aim.config.build_token_grid`: view by view, row by row.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from aim.config import TOKEN_PATCH, CodecConfig

Grid = tuple[int, int]  # tokens down, tokens across
Shifts = Sequence[Sequence[int]]  # by how many pixels each view's picture is moved: down, right


def compute_token_grids(codec: CodecConfig) -> tuple[Grid, ...]:
    """Return how many tokens each view has down and across."""
    side = codec.factor * TOKEN_PATCH
    return tuple((view.height // side, view.width // side) for view in codec.views)


def latents_to_tokens(latents: Sequence[Float[Tensor, "b z _ _"]]) -> Float[Tensor, "b n c"]:
    """Return the tokens of the views' latents; the channel order of a token is (z, y, x)."""
    return torch.cat([_split_patches(view) for view in latents], 1)


def tokens_to_latents(tokens: Float[Tensor, "b n c"], grid: Sequence[Grid]) -> tuple[Float[Tensor, "b z _ _"], ...]:
    """Return the latents of each view: the inverse of `latents_to_tokens`."""
    parts = tokens.split([down * across for down, across in grid], dim=1)
    return tuple(_merge_patches(part, *size) for part, size in zip(parts, grid, strict=True))


def _split_patches(latents: Tensor) -> Tensor:
    squares = latents.unflatten(3, (-1, TOKEN_PATCH)).unflatten(2, (-1, TOKEN_PATCH))  # b z y p x q
    return squares.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def _merge_patches(tokens: Tensor, down: int, across: int) -> Tensor:
    squares = tokens.unflatten(2, (-1, TOKEN_PATCH, TOKEN_PATCH)).unflatten(1, (down, across))  # b y x z p q
    return squares.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)
