"""Execution horizons at which a policy sees what was one latent frame ago, in control steps or rows of a robot.

Cameras are not as regular as a simulator: the picture of one latent frame ago is the one that was seen nearest to that
time, if within `HISTORY_TOLERANCE_STEPS`.
"""

from __future__ import annotations

from sim.types import CONTROL_HZ, UserError

# 60 ms: looks 320 ms apart at a camera of 30 Hz with 15 ms of jitter are off by up to 50 ms
HISTORY_TOLERANCE_STEPS = 3
ROUNDING_ROWS = 1e-6  # a chunk that ends on a row up to floating-point error has that row


def is_observed(stride: int, horizon: float) -> bool:
    """Whether a policy that looks every `horizon` control steps sees what was one latent frame (`stride`) ago.

    Times are rounded to control steps: where looks fall between them, a picture may be off by one more.
    """
    tolerance = HISTORY_TOLERANCE_STEPS - (not float(horizon).is_integer())
    return min(stride % horizon, -stride % horizon) <= tolerance and horizon <= stride + tolerance


def list_horizons(stride: int, chunk: int, past_frames: int, rate_hz: float = CONTROL_HZ) -> list[int]:
    """Execution horizons, in rows of `rate_hz`, that a chunk covers and at which a history is seen."""
    whole = int(chunk * rate_hz / CONTROL_HZ + ROUNDING_ROWS)
    return [h for h in range(1, whole + 1) if not past_frames or is_observed(stride, h * CONTROL_HZ / rate_hz)]


def check_horizon(stride: int, horizon: int, chunk: int, past_frames: int, rate_hz: float = CONTROL_HZ) -> None:
    """Raise `UserError` where an execution horizon, in rows of `rate_hz`, is none of `list_horizons`."""
    fitting = list_horizons(stride, chunk, past_frames, rate_hz)
    if horizon not in fitting:
        names = ", ".join(map(str, fitting)) or "none"
        period = 1000 * stride // CONTROL_HZ
        at = "" if rate_hz == CONTROL_HZ else f" at {rate_hz:g} Hz"
        raise UserError(
            f"execution horizon {horizon}{at} does not fit: the policy looks at pictures {period} ms apart and "
            f"predicts {chunk} control steps; valid are {names}"
        )
