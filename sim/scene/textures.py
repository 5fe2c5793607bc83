"""Textures for the wall and the table: made from arithmetic and fixed seeds, the same bytes on every machine.

Two pools that share neither pattern nor palette: "train" for demonstrations, "eval" for what a policy has
never seen. Every picture repeats without a seam. Only sums, products, roundings and square roots are used, which
IEEE 754 fixes to the last bit; sines and powers are not.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sim.embodiment.model import Vector
from sim.types import UserError

TEXTURE_SIZE_PX = 128
SURFACE_TILE_SIZES_M = {
    "table": 0.6,
    "wall": 1.2,
}  # what can have a texture, and the side of the square it covers there
Array = NDArray[np.float64]
ColourPalette = tuple[Vector, ...]
TexturePainter = Callable[[np.random.Generator, ColourPalette], Array]  # -> (s s 3), 0 to 1, s = TEXTURE_SIZE_PX

_V, _U = (np.mgrid[0:TEXTURE_SIZE_PX, 0:TEXTURE_SIZE_PX] + 0.5) / TEXTURE_SIZE_PX  # rows, columns, 0 to 1

BROWN_PALETTE: ColourPalette = (
    (0.55, 0.38, 0.22),
    (0.72, 0.55, 0.36),
    (0.42, 0.29, 0.18),
    (0.80, 0.66, 0.48),
    (0.60, 0.33, 0.20),
)
PALE_PALETTE: ColourPalette = (
    (0.88, 0.87, 0.84),
    (0.72, 0.74, 0.76),
    (0.82, 0.76, 0.68),
    (0.62, 0.66, 0.62),
    (0.50, 0.52, 0.56),
)
CLOTH_PALETTE: ColourPalette = (
    (0.66, 0.25, 0.24),
    (0.28, 0.40, 0.58),
    (0.35, 0.50, 0.38),
    (0.78, 0.68, 0.45),
    (0.48, 0.42, 0.52),
)
CLAY_PALETTE: ColourPalette = (
    (0.62, 0.32, 0.24),
    (0.70, 0.48, 0.36),
    (0.52, 0.44, 0.40),
    (0.75, 0.70, 0.62),
    (0.45, 0.30, 0.28),
)
BRIGHT_PALETTE: ColourPalette = (
    (0.10, 0.62, 0.66),
    (0.93, 0.55, 0.20),
    (0.62, 0.30, 0.68),
    (0.92, 0.84, 0.40),
    (0.30, 0.70, 0.40),
)
DUSK_PALETTE: ColourPalette = (
    (0.24, 0.34, 0.36),
    (0.56, 0.62, 0.50),
    (0.40, 0.36, 0.50),
    (0.68, 0.58, 0.58),
    (0.32, 0.46, 0.56),
)


def list_pool(name: str) -> tuple[str, ...]:
    """Names of a pool's textures, "train" or "eval"."""
    if name not in _TEXTURE_POOLS:
        raise UserError(f"unknown texture pool {name!r}; valid: {', '.join(_TEXTURE_POOLS)}")
    return tuple(
        f"{name}/{pattern}-{i:02d}" for pattern, (_, _, count) in _TEXTURE_POOLS[name].items() for i in range(count)
    )


@functools.cache
def list_textures() -> tuple[str, ...]:
    """Names of all textures, in a fixed order."""
    return tuple(name for pool in _TEXTURE_POOLS for name in list_pool(pool))


@functools.cache
def render_texture(name: str) -> NDArray[np.uint8]:
    """Texture (s s 3) called `name`, s = TEXTURE_SIZE_PX; it is shared, so it cannot be written to."""
    if name not in list_textures():
        example = list_textures()[0]
        raise UserError(f"unknown texture {name!r}; valid: those of sim.scene.textures.list_textures(), as {example!r}")
    painter, palette, _ = _TEXTURE_POOLS[name.partition("/")[0]][name.partition("/")[2].rpartition("-")[0]]
    colours = painter(np.random.default_rng(zlib.crc32(name.encode())), palette)
    pixels = np.floor(np.clip(colours, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    pixels.setflags(write=False)
    return pixels


@functools.cache
def compute_mean_colour(name: str) -> Vector:
    """Mean colour (0 to 1) of a texture."""
    r, g, b = render_texture(name).mean(axis=(0, 1), dtype=np.float64) / 255.0
    return float(r), float(g), float(b)


def get_texture_id(name: str, surface: str) -> int:
    """Texture id, from 1, of a texture on one of SURFACE_TILE_SIZES_M; 0 for no texture, "".

    `len(SURFACE_TILE_SIZES_M) * i + j + 1`, where i counts `list_textures()` and j counts SURFACE_TILE_SIZES_M.
    """
    return (
        len(SURFACE_TILE_SIZES_M) * list_textures().index(name) + list(SURFACE_TILE_SIZES_M).index(surface) + 1
        if name
        else 0
    )


# what patterns are made of


def _smoothstep(t: Array) -> Array:
    return t * t * (3.0 - 2.0 * t)


def _triangle_wave(t: Array) -> Array:
    """Smoothed triangle wave of period 1, from 0 to 1 and back."""
    return _smoothstep(np.abs(2.0 * (t - np.floor(t)) - 1.0))


def _sample_value_noise(rng: np.random.Generator, columns: int, rows: int) -> Array:
    """Value noise, 0 to 1, of so many cells; it repeats without a seam."""
    lattice = rng.random((rows, columns))
    u, v = _U * columns - 0.5, _V * rows - 0.5
    i, j = np.floor(u), np.floor(v)
    fu, fv = _smoothstep(u - i), _smoothstep(v - j)
    left, top = i.astype(int) % columns, j.astype(int) % rows
    right, bottom = (left + 1) % columns, (top + 1) % rows
    above = lattice[top, left] + (lattice[top, right] - lattice[top, left]) * fu
    below = lattice[bottom, left] + (lattice[bottom, right] - lattice[bottom, left]) * fu
    return above + (below - above) * fv


def _sample_fractal_noise(rng: np.random.Generator, columns: int, rows: int, octaves: int = 4) -> Array:
    total, weight = np.zeros((TEXTURE_SIZE_PX, TEXTURE_SIZE_PX)), 0.0
    for k in range(octaves):
        total += _sample_value_noise(rng, columns << k, rows << k) * 0.5**k
        weight += 0.5**k
    return total / weight


def _sample_integer(rng: np.random.Generator, low: int, high: int) -> int:
    """Random integer of [low, high]."""
    return low + int(rng.random() * (high - low + 1))


def _sample_colours(rng: np.random.Generator, palette: ColourPalette, count: int) -> Array:
    """Different colours (count 3) of a palette, each a little off."""
    order = np.argsort(rng.random(len(palette)), kind="stable")
    return np.array(palette)[order[:count]] + (rng.random((count, 3)) - 0.5) * 0.12


def _scale_brightness(colour: Array, brightness: Array) -> Array:
    return colour * brightness[..., None]


def _mix_colours(a: Array, b: Array, t: Array) -> Array:
    return a + (b - a) * t[..., None]


def _mask_bands(t: Array, width: float) -> Array:
    """Mask that is 1 within `width` of a whole number of t and 0 elsewhere."""
    return (np.abs(t - np.floor(t + 0.5)) < width).astype(float)


def _sample_voronoi_cells(rng: np.random.Generator, count: int) -> tuple[Array, NDArray[np.int64], Array]:
    """Worley noise (s s): distance to the nearest of random points, its number, how much further the next one is."""
    centres = rng.random((count, 2))
    du, dv = np.abs(_U[..., None] - centres[:, 0]), np.abs(_V[..., None] - centres[:, 1])
    du, dv = np.minimum(du, 1.0 - du), np.minimum(dv, 1.0 - dv)
    squared_distance = du * du + dv * dv
    nearest = np.argmin(squared_distance, axis=-1)
    two_nearest = np.sqrt(np.partition(squared_distance, 1, axis=-1)[..., :2])
    return two_nearest[..., 0], nearest, two_nearest[..., 1] - two_nearest[..., 0]


def _lay_bricks(columns: int, rows: int, gap: float) -> tuple[NDArray[np.int64], Array]:
    """Number of each brick of a wall in running bond, and a mask that is 1 where there is mortar."""
    row = np.floor(_V * rows)
    u = _U * columns + 0.5 * (row % 2)
    mortar = np.maximum(_mask_bands(_V * rows, gap * rows), _mask_bands(u, gap * columns))
    return (row * columns + np.floor(u) % columns).astype(int), mortar


# demonstrations


def _paint_wood(rng: np.random.Generator, palette: ColourPalette) -> Array:
    dark, light = _sample_colours(rng, palette, 2)
    rings = _triangle_wave(
        _V * _sample_integer(rng, 3, 7) + _sample_fractal_noise(rng, 2, 3, 2) * (0.8 + rng.random() * 1.6)
    )
    return _scale_brightness(_mix_colours(dark, light, rings), 0.86 + 0.28 * _sample_value_noise(rng, 4, 64))


def _paint_planks(rng: np.random.Generator, palette: ColourPalette) -> Array:
    columns, rows = _sample_integer(rng, 1, 2), 2 * _sample_integer(rng, 2, 4)
    plank_index, gap = _lay_bricks(columns, rows, 0.006)
    dark, light = _sample_colours(rng, palette, 2)
    base = _mix_colours(
        dark, light, rng.random(columns * rows)[plank_index] * 0.7 + 0.3 * _sample_value_noise(rng, 3, 48)
    )
    return _scale_brightness(base, (0.9 + 0.2 * _sample_value_noise(rng, 6, 64)) * (1.0 - 0.6 * gap))


def _paint_marble(rng: np.random.Generator, palette: ColourPalette) -> Array:
    ground, vein = _sample_colours(rng, palette, 2)
    ridge = 1.0 - np.abs(
        2.0 * _sample_fractal_noise(rng, _sample_integer(rng, 2, 3), _sample_integer(rng, 2, 3), 5) - 1.0
    )
    sharp = ridge * ridge * ridge * ridge
    return _mix_colours(ground, vein * 0.8, sharp * sharp)


def _paint_plaster(rng: np.random.Generator, palette: ColourPalette) -> Array:
    (colour,) = _sample_colours(rng, palette, 1)
    return _scale_brightness(
        colour, 0.8 + 0.3 * _sample_fractal_noise(rng, _sample_integer(rng, 2, 10), _sample_integer(rng, 2, 10), 4)
    )


def _paint_weave(rng: np.random.Generator, palette: ColourPalette) -> Array:
    threads = 2 * _sample_integer(rng, 6, 14)
    warp, weft = _sample_colours(rng, palette, 2)
    over = (np.floor(_U * threads) + np.floor(_V * threads)) % 2
    light = 0.65 + 0.4 * np.where(over > 0, _triangle_wave(_V * threads + 0.5), _triangle_wave(_U * threads + 0.5))
    return _scale_brightness(_mix_colours(warp, weft, over), light)


def _paint_bricks(rng: np.random.Generator, palette: ColourPalette) -> Array:
    columns, rows = _sample_integer(rng, 2, 4), 2 * _sample_integer(rng, 2, 5)
    brick_index, mortar = _lay_bricks(columns, rows, 0.008)
    brick, joint = _sample_colours(rng, palette, 2)
    face = _scale_brightness(
        brick, 0.75 + 0.35 * rng.random(columns * rows)[brick_index] + 0.15 * _sample_value_noise(rng, 32, 32)
    )
    return _mix_colours(face, joint * 0.5 + 0.35, mortar)


def _paint_stripes(rng: np.random.Generator, palette: ColourPalette) -> Array:
    bars, slant = _sample_integer(rng, 3, 8), _sample_integer(rng, 0, 2)
    step = np.floor((_U + slant * _V / max(1, bars) * bars) * bars * 3.0).astype(int) % 3
    return _sample_colours(rng, palette, 3)[step]


def _paint_checks(rng: np.random.Generator, palette: ColourPalette) -> Array:
    count = 2 * _sample_integer(rng, 1, 5)
    odd = ((np.floor(_U * count) + np.floor(_V * count)) % 2).astype(int)
    return _scale_brightness(_sample_colours(rng, palette, 2)[odd], 0.94 + 0.12 * _sample_value_noise(rng, 24, 24))


# evaluation


def _paint_mosaic(rng: np.random.Generator, palette: ColourPalette) -> Array:
    count = _sample_integer(rng, 24, 60)
    _, nearest, edge = _sample_voronoi_cells(rng, count)
    tiles = _sample_colours(rng, palette, 4)[(rng.random(count) * 4).astype(int)]
    return _mix_colours(tiles[nearest], np.array((0.85, 0.85, 0.82)), (edge < 0.012).astype(float))


def _paint_pebbles(rng: np.random.Generator, palette: ColourPalette) -> Array:
    count = _sample_integer(rng, 16, 40)
    distance, nearest, edge = _sample_voronoi_cells(rng, count)
    dark, light = _sample_colours(rng, palette, 2)
    stones = _mix_colours(dark, light, rng.random(count)[nearest])
    return _scale_brightness(stones, np.clip(1.15 - 2.2 * distance, 0.3, 1.2) * np.clip(0.35 + edge * 16.0, 0.35, 1.0))


def _paint_dots(rng: np.random.Generator, palette: ColourPalette) -> Array:
    rows = 2 * _sample_integer(rng, 2, 4)
    radius = 0.22 + 0.18 * rng.random()
    row = np.floor(_V * rows)
    u, v = _U * rows + 0.5 * (row % 2), _V * rows
    du, dv = u - np.floor(u) - 0.5, v - row - 0.5
    ground, dot = _sample_colours(rng, palette, 2)
    return _mix_colours(ground, dot, (du * du + dv * dv < radius * radius).astype(float))


def _paint_tartan(rng: np.random.Generator, palette: ColourPalette) -> Array:
    count = _sample_integer(rng, 2, 4)
    ground, first_stripe, second_stripe = _sample_colours(rng, palette, 3)
    wide_width, thin_width = 0.12 + 0.1 * rng.random(), 0.03 + 0.03 * rng.random()
    cloth = _mix_colours(
        ground, first_stripe, 0.5 * (_mask_bands(_U * count, wide_width) + _mask_bands(_V * count, wide_width))
    )
    lines = np.minimum(_mask_bands(_U * count + 0.5, thin_width) + _mask_bands(_V * count + 0.5, thin_width), 1.0)
    return _mix_colours(cloth, second_stripe, lines * 0.8)


def _paint_chips(rng: np.random.Generator, palette: ColourPalette) -> Array:
    count = _sample_integer(rng, 60, 110)
    _, nearest, edge = _sample_voronoi_cells(rng, count)
    ground, *chips = _sample_colours(rng, palette, 4)
    colours = np.array(chips)[(rng.random(count) * 3).astype(int)]
    inside = (edge > 0.02) & (rng.random(count)[nearest] < 0.6)
    return _mix_colours(ground * 0.4 + 0.5, colours[nearest], inside.astype(float))


def _paint_patches(rng: np.random.Generator, palette: ColourPalette) -> Array:
    level = _sample_fractal_noise(rng, _sample_integer(rng, 2, 4), _sample_integer(rng, 2, 4), 3)
    return _sample_colours(rng, palette, 4)[np.floor(np.clip(level * 8.0 - 2.0, 0.0, 3.0)).astype(int)]


def _paint_chevrons(rng: np.random.Generator, palette: ColourPalette) -> Array:
    columns, rows = _sample_integer(rng, 2, 4), _sample_integer(rng, 3, 6)
    fold = np.abs(2.0 * (_U * columns - np.floor(_U * columns)) - 1.0)
    step = np.floor((_V * rows + 0.5 * fold) * 2.0).astype(int) % 2
    return _sample_colours(rng, palette, 2)[step]


def _paint_rings(rng: np.random.Generator, palette: ColourPalette) -> Array:
    distance, nearest, _ = _sample_voronoi_cells(rng, _sample_integer(rng, 3, 6))
    inner, outer = _sample_colours(rng, palette, 2)
    return _mix_colours(inner, outer, _triangle_wave(distance * _sample_integer(rng, 10, 18) + 0.37 * nearest))


_TEXTURE_POOLS: dict[str, dict[str, tuple[TexturePainter, ColourPalette, int]]] = {
    "train": {
        "wood": (_paint_wood, BROWN_PALETTE, 8),
        "planks": (_paint_planks, BROWN_PALETTE, 7),
        "marble": (_paint_marble, PALE_PALETTE, 7),
        "plaster": (_paint_plaster, PALE_PALETTE, 6),
        "weave": (_paint_weave, CLOTH_PALETTE, 6),
        "bricks": (_paint_bricks, CLAY_PALETTE, 6),
        "stripes": (_paint_stripes, CLOTH_PALETTE, 4),
        "checks": (_paint_checks, CLOTH_PALETTE, 4),
    },
    "eval": {
        "mosaic": (_paint_mosaic, BRIGHT_PALETTE, 4),
        "pebbles": (_paint_pebbles, DUSK_PALETTE, 4),
        "dots": (_paint_dots, BRIGHT_PALETTE, 3),
        "tartan": (_paint_tartan, DUSK_PALETTE, 3),
        "chips": (_paint_chips, BRIGHT_PALETTE, 3),
        "patches": (_paint_patches, DUSK_PALETTE, 3),
        "chevrons": (_paint_chevrons, BRIGHT_PALETTE, 3),
        "rings": (_paint_rings, DUSK_PALETTE, 3),
    },
}
