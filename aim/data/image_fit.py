"""Pictures of any ratio made to fit one ratio: cropped at the centre, letterboxed with black bars, or squeezed."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

ImageFit = Literal["letterbox", "crop", "squeeze"]
IMAGE_FITS: tuple[ImageFit, ...] = get_args(ImageFit)


def fit_images(images: NDArray[np.uint8], fit: ImageFit, ratio: float) -> NDArray[np.uint8]:
    """Pictures (... h w 3) at the ratio width / height, to the pixel; a squeezed one is left to the later resizing."""
    height, width = images.shape[-3:-1]
    wide, high = max(round(height * ratio), 1), max(round(width / ratio), 1)
    if fit == "squeeze" or wide == width or high == height:
        return images
    if fit == "crop":
        wide, high = min(wide, width), min(high, height)
        top, left = (height - high) // 2, (width - wide) // 2
        return images[..., top : top + high, left : left + wide, :]
    wide, high = max(wide, width), max(high, height)
    fitted = np.zeros((*images.shape[:-3], high, wide, 3), np.uint8)
    top, left = (high - height) // 2, (wide - width) // 2
    fitted[..., top : top + height, left : left + width, :] = images
    return fitted
