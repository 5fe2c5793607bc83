"""Pictures of any ratio are made to fit one: nothing is squeezed that was not asked for, nothing lost needlessly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aim.data.image_fit import IMAGE_FITS, fit_images

sides = st.integers(1, 60)
ratios = st.sampled_from([0.1, 0.5, 0.75, 1.0, 1.25, 4 / 3, 2.0, 10.0])


def picture(height: int, width: int) -> np.ndarray:
    """Picture whose pixels all differ, none of them black."""
    values = 1 + np.arange(height * width * 3) % 255
    return values.astype(np.uint8).reshape(1, height, width, 3)


@given(height=sides, width=sides, ratio=ratios)
def test_a_letterboxed_picture_holds_all_of_it_amid_black(height: int, width: int, ratio: float) -> None:
    shown = picture(height, width)
    fitted = fit_images(shown, "letterbox", ratio)
    high, wide = fitted.shape[1:3]
    assert abs(wide - high * ratio) <= max(ratio, 1) and (high == height or wide == width)
    top, left = (high - height) // 2, (wide - width) // 2
    np.testing.assert_array_equal(fitted[:, top : top + height, left : left + width], shown)
    assert int((fitted > 0).sum()) == shown.size


@given(height=sides, width=sides, ratio=ratios)
@example(height=3, width=4, ratio=0.1)
def test_a_cropped_picture_is_the_middle_of_it(height: int, width: int, ratio: float) -> None:
    shown = picture(height, width)
    fitted = fit_images(shown, "crop", ratio)
    high, wide = fitted.shape[1:3]
    assert abs(wide - high * ratio) <= max(ratio, 1) and (high == height or wide == width) and fitted.size
    top, left = (height - high) // 2, (width - wide) // 2
    np.testing.assert_array_equal(fitted, shown[:, top : top + high, left : left + wide])


@pytest.mark.parametrize("fit", IMAGE_FITS)
@given(side=sides)
def test_what_fits_is_left_alone(fit: str, side: int) -> None:
    shown = picture(side, side)
    assert fit_images(shown, fit, 1.0) is shown  # pyright: ignore[reportArgumentType]
