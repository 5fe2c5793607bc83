"""Single pictures as PNG files; pictures are uint8 RGB (h w 3)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.types import UserError


def encode_png(picture: NDArray[np.uint8]) -> bytes:
    """Picture encoded as PNG."""
    import cv2

    ok, data = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
    assert ok, "OpenCV could not encode the picture"
    return data.tobytes()


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture as PNG; `UserError` if the file cannot be written."""
    try:
        path.write_bytes(encode_png(picture))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
