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

SIDE = 128  # pixels
SURFACES = {"table": 0.6, "wall": 1.2}  # what can have a texture, and metres that one picture covers there
Array = NDArray[np.float64]
Palette = tuple[Vector, ...]
Paint = Callable[[np.random.Generator, Palette], Array]  # -> (SIDE SIDE 3), 0 to 1

_V, _U = (np.mgrid[0:SIDE, 0:SIDE] + 0.5) / SIDE  # rows, columns, 0 to 1

BROWNS: Palette = ((0.55, 0.38, 0.22), (0.72, 0.55, 0.36), (0.42, 0.29, 0.18), (0.80, 0.66, 0.48), (0.60, 0.33, 0.20))
PALES: Palette = ((0.88, 0.87, 0.84), (0.72, 0.74, 0.76), (0.82, 0.76, 0.68), (0.62, 0.66, 0.62), (0.50, 0.52, 0.56))
CLOTHS: Palette = ((0.66, 0.25, 0.24), (0.28, 0.40, 0.58), (0.35, 0.50, 0.38), (0.78, 0.68, 0.45), (0.48, 0.42, 0.52))
CLAYS: Palette = ((0.62, 0.32, 0.24), (0.70, 0.48, 0.36), (0.52, 0.44, 0.40), (0.75, 0.70, 0.62), (0.45, 0.30, 0.28))
BRIGHTS: Palette = ((0.10, 0.62, 0.66), (0.93, 0.55, 0.20), (0.62, 0.30, 0.68), (0.92, 0.84, 0.40), (0.30, 0.70, 0.40))
DUSKS: Palette = ((0.24, 0.34, 0.36), (0.56, 0.62, 0.50), (0.40, 0.36, 0.50), (0.68, 0.58, 0.58), (0.32, 0.46, 0.56))


def pool(name: str) -> tuple[str, ...]:
    """Return the names of a pool's textures, "train" or "eval"."""
    if name not in _POOLS:
        raise UserError(f"unknown texture pool {name!r}; valid: {', '.join(_POOLS)}")
    return tuple(f"{name}/{kind}-{i:02d}" for kind, (_, _, count) in _POOLS[name].items() for i in range(count))


@functools.cache
def names() -> tuple[str, ...]:
    """Return the names of all textures, in a fixed order."""
    return tuple(name for kind in _POOLS for name in pool(kind))


@functools.cache
def picture(name: str) -> NDArray[np.uint8]:
    """Return the texture (SIDE SIDE 3) called `name`; it is shared, so it cannot be written to."""
    if name not in names():
        raise UserError(f"unknown texture {name!r}; valid: those of sim.scene.textures.names(), such as {names()[0]!r}")
    paint, palette, _ = _POOLS[name.partition("/")[0]][name.partition("/")[2].rpartition("-")[0]]
    drawn = paint(np.random.default_rng(zlib.crc32(name.encode())), palette)
    made = np.floor(np.clip(drawn, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    made.setflags(write=False)
    return made


@functools.cache
def mean(name: str) -> Vector:
    """Return the mean colour (0 to 1) of a texture."""
    r, g, b = picture(name).mean(axis=(0, 1), dtype=np.float64) / 255.0
    return float(r), float(g), float(b)


def number(name: str, surface: str) -> int:
    """Return the number, from 1, of a texture on one of SURFACES; 0 for no texture, "".

    `len(SURFACES) * i + j + 1`, where i counts `names()` and j counts SURFACES.
    """
    return len(SURFACES) * names().index(name) + list(SURFACES).index(surface) + 1 if name else 0


# what patterns are made of


def _smooth(t: Array) -> Array:
    return t * t * (3.0 - 2.0 * t)


def _wave(t: Array) -> Array:
    """Return a rounded saw of period 1, from 0 to 1 and back."""
    return _smooth(np.abs(2.0 * (t - np.floor(t)) - 1.0))


def _noise(rng: np.random.Generator, across: int, down: int) -> Array:
    """Return smooth noise, 0 to 1, of so many cells; it goes on where it ends."""
    lattice = rng.random((down, across))
    u, v = _U * across - 0.5, _V * down - 0.5
    i, j = np.floor(u), np.floor(v)
    fu, fv = _smooth(u - i), _smooth(v - j)
    left, top = i.astype(int) % across, j.astype(int) % down
    right, bottom = (left + 1) % across, (top + 1) % down
    above = lattice[top, left] + (lattice[top, right] - lattice[top, left]) * fu
    below = lattice[bottom, left] + (lattice[bottom, right] - lattice[bottom, left]) * fu
    return above + (below - above) * fv


def _clouds(rng: np.random.Generator, across: int, down: int, octaves: int = 4) -> Array:
    total, weight = np.zeros((SIDE, SIDE)), 0.0
    for k in range(octaves):
        total += _noise(rng, across << k, down << k) * 0.5**k
        weight += 0.5**k
    return total / weight


def _whole(rng: np.random.Generator, low: int, high: int) -> int:
    """Return a whole number of [low, high]."""
    return low + int(rng.random() * (high - low + 1))


def _colours(rng: np.random.Generator, palette: Palette, count: int) -> Array:
    """Return `count` (count 3) different colours of a palette, each a little off."""
    order = np.argsort(rng.random(len(palette)), kind="stable")
    return np.array(palette)[order[:count]] + (rng.random((count, 3)) - 0.5) * 0.12


def _shade(colour: Array, light: Array) -> Array:
    return colour * light[..., None]


def _between(a: Array, b: Array, t: Array) -> Array:
    return a + (b - a) * t[..., None]


def _band(t: Array, width: float) -> Array:
    """Return 1 within `width` of a whole number of t, 0 elsewhere."""
    return (np.abs(t - np.floor(t + 0.5)) < width).astype(float)


def _points(rng: np.random.Generator, count: int) -> tuple[Array, NDArray[np.int64], Array]:
    """Return distances (SIDE SIDE) to the nearest of random points, its number, and how much further the next is."""
    spots = rng.random((count, 2))
    du, dv = np.abs(_U[..., None] - spots[:, 0]), np.abs(_V[..., None] - spots[:, 1])
    du, dv = np.minimum(du, 1.0 - du), np.minimum(dv, 1.0 - dv)
    far = du * du + dv * dv
    nearest = np.argmin(far, axis=-1)
    two = np.sqrt(np.partition(far, 1, axis=-1)[..., :2])
    return two[..., 0], nearest, two[..., 1] - two[..., 0]


def _courses(across: int, down: int, gap: float) -> tuple[NDArray[np.int64], Array]:
    """Return the number of each brick of a wall in running bond and 1 where there is mortar."""
    row = np.floor(_V * down)
    u = _U * across + 0.5 * (row % 2)
    mortar = np.maximum(_band(_V * down, gap * down), _band(u, gap * across))
    return (row * across + np.floor(u) % across).astype(int), mortar


# demonstrations


def _wood(rng: np.random.Generator, palette: Palette) -> Array:
    dark, light = _colours(rng, palette, 2)
    rings = _wave(_V * _whole(rng, 3, 7) + _clouds(rng, 2, 3, 2) * (0.8 + rng.random() * 1.6))
    return _shade(_between(dark, light, rings), 0.86 + 0.28 * _noise(rng, 4, 64))


def _planks(rng: np.random.Generator, palette: Palette) -> Array:
    across, down = _whole(rng, 1, 2), 2 * _whole(rng, 2, 4)
    number, gap = _courses(across, down, 0.006)
    dark, light = _colours(rng, palette, 2)
    base = _between(dark, light, rng.random(across * down)[number] * 0.7 + 0.3 * _noise(rng, 3, 48))
    return _shade(base, (0.9 + 0.2 * _noise(rng, 6, 64)) * (1.0 - 0.6 * gap))


def _marble(rng: np.random.Generator, palette: Palette) -> Array:
    ground, vein = _colours(rng, palette, 2)
    ridge = 1.0 - np.abs(2.0 * _clouds(rng, _whole(rng, 2, 3), _whole(rng, 2, 3), 5) - 1.0)
    sharp = ridge * ridge * ridge * ridge
    return _between(ground, vein * 0.8, sharp * sharp)


def _plaster(rng: np.random.Generator, palette: Palette) -> Array:
    (colour,) = _colours(rng, palette, 1)
    return _shade(colour, 0.8 + 0.3 * _clouds(rng, _whole(rng, 2, 10), _whole(rng, 2, 10), 4))


def _weave(rng: np.random.Generator, palette: Palette) -> Array:
    threads = 2 * _whole(rng, 6, 14)
    warp, weft = _colours(rng, palette, 2)
    over = (np.floor(_U * threads) + np.floor(_V * threads)) % 2
    light = 0.65 + 0.4 * np.where(over > 0, _wave(_V * threads + 0.5), _wave(_U * threads + 0.5))
    return _shade(_between(warp, weft, over), light)


def _bricks(rng: np.random.Generator, palette: Palette) -> Array:
    across, down = _whole(rng, 2, 4), 2 * _whole(rng, 2, 5)
    number, mortar = _courses(across, down, 0.008)
    brick, joint = _colours(rng, palette, 2)
    face = _shade(brick, 0.75 + 0.35 * rng.random(across * down)[number] + 0.15 * _noise(rng, 32, 32))
    return _between(face, joint * 0.5 + 0.35, mortar)


def _stripes(rng: np.random.Generator, palette: Palette) -> Array:
    bars, slant = _whole(rng, 3, 8), _whole(rng, 0, 2)
    step = np.floor((_U + slant * _V / max(1, bars) * bars) * bars * 3.0).astype(int) % 3
    return _colours(rng, palette, 3)[step]


def _checks(rng: np.random.Generator, palette: Palette) -> Array:
    count = 2 * _whole(rng, 1, 5)
    odd = ((np.floor(_U * count) + np.floor(_V * count)) % 2).astype(int)
    return _shade(_colours(rng, palette, 2)[odd], 0.94 + 0.12 * _noise(rng, 24, 24))


# evaluation


def _mosaic(rng: np.random.Generator, palette: Palette) -> Array:
    count = _whole(rng, 24, 60)
    _, nearest, edge = _points(rng, count)
    tiles = _colours(rng, palette, 4)[(rng.random(count) * 4).astype(int)]
    return _between(tiles[nearest], np.array((0.85, 0.85, 0.82)), (edge < 0.012).astype(float))


def _pebbles(rng: np.random.Generator, palette: Palette) -> Array:
    count = _whole(rng, 16, 40)
    reach, nearest, edge = _points(rng, count)
    dark, light = _colours(rng, palette, 2)
    stones = _between(dark, light, rng.random(count)[nearest])
    return _shade(stones, np.clip(1.15 - 2.2 * reach, 0.3, 1.2) * np.clip(0.35 + edge * 16.0, 0.35, 1.0))


def _dots(rng: np.random.Generator, palette: Palette) -> Array:
    down = 2 * _whole(rng, 2, 4)
    size = 0.22 + 0.18 * rng.random()
    row = np.floor(_V * down)
    u, v = _U * down + 0.5 * (row % 2), _V * down
    du, dv = u - np.floor(u) - 0.5, v - row - 0.5
    ground, dot = _colours(rng, palette, 2)
    return _between(ground, dot, (du * du + dv * dv < size * size).astype(float))


def _tartan(rng: np.random.Generator, palette: Palette) -> Array:
    count = _whole(rng, 2, 4)
    ground, one, two = _colours(rng, palette, 3)
    wide, thin = 0.12 + 0.1 * rng.random(), 0.03 + 0.03 * rng.random()
    cloth = _between(ground, one, 0.5 * (_band(_U * count, wide) + _band(_V * count, wide)))
    lines = np.minimum(_band(_U * count + 0.5, thin) + _band(_V * count + 0.5, thin), 1.0)
    return _between(cloth, two, lines * 0.8)


def _chips(rng: np.random.Generator, palette: Palette) -> Array:
    count = _whole(rng, 60, 110)
    _, nearest, edge = _points(rng, count)
    ground, *chips = _colours(rng, palette, 4)
    colours = np.array(chips)[(rng.random(count) * 3).astype(int)]
    inside = (edge > 0.02) & (rng.random(count)[nearest] < 0.6)
    return _between(ground * 0.4 + 0.5, colours[nearest], inside.astype(float))


def _patches(rng: np.random.Generator, palette: Palette) -> Array:
    level = _clouds(rng, _whole(rng, 2, 4), _whole(rng, 2, 4), 3)
    return _colours(rng, palette, 4)[np.floor(np.clip(level * 8.0 - 2.0, 0.0, 3.0)).astype(int)]


def _chevrons(rng: np.random.Generator, palette: Palette) -> Array:
    across, down = _whole(rng, 2, 4), _whole(rng, 3, 6)
    fold = np.abs(2.0 * (_U * across - np.floor(_U * across)) - 1.0)
    step = np.floor((_V * down + 0.5 * fold) * 2.0).astype(int) % 2
    return _colours(rng, palette, 2)[step]


def _rings(rng: np.random.Generator, palette: Palette) -> Array:
    reach, nearest, _ = _points(rng, _whole(rng, 3, 6))
    inner, outer = _colours(rng, palette, 2)
    return _between(inner, outer, _wave(reach * _whole(rng, 10, 18) + 0.37 * nearest))


_POOLS: dict[str, dict[str, tuple[Paint, Palette, int]]] = {
    "train": {
        "wood": (_wood, BROWNS, 8), "planks": (_planks, BROWNS, 7), "marble": (_marble, PALES, 7),
        "plaster": (_plaster, PALES, 6), "weave": (_weave, CLOTHS, 6), "bricks": (_bricks, CLAYS, 6),
        "stripes": (_stripes, CLOTHS, 4), "checks": (_checks, CLOTHS, 4),
    },
    "eval": {
        "mosaic": (_mosaic, BRIGHTS, 4), "pebbles": (_pebbles, DUSKS, 4), "dots": (_dots, BRIGHTS, 3),
        "tartan": (_tartan, DUSKS, 3), "chips": (_chips, BRIGHTS, 3), "patches": (_patches, DUSKS, 3),
        "chevrons": (_chevrons, BRIGHTS, 3), "rings": (_rings, DUSKS, 3),
    },
}  # fmt: skip
