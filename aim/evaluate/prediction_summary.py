"""Figures of predicted futures in words: what `aim imagine` prints and a report shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIGURES_FILE, FUTURES_FILE, MISSES_FILE = "result.json", "futures.webp", "misses.png"
ACTION_ERROR_WORDS = {  # figure -> what it is of, and its unit
    "joint_error_rad": ("joints", "rad"),
    "joint_chunk_error_rad": ("joints' moves over a chunk", "rad"),
    "ee_error_m_or_rad": ("poses", "m or rad"),
    "ee_chunk_error_m_or_rad": ("hands' moves over a chunk", "m or rad"),
    "gripper_error_stroke": ("grippers", "of the stroke"),
}


def summarize_figures(figures: Mapping[str, Any]) -> dict[str, str]:
    """Figures of `aim.evaluate.open_loop.compute_metrics` as text by what they are of; none is told over nothing."""
    return {
        "pictures": _describe_pictures(figures, ""),
        "where they changed": _describe_pictures(figures, "_changed"),
        "maps": _describe_maps(figures),
        "actions": "; ".join(_list_action_errors(figures)) or "nothing moves",
    }


def _describe_pictures(figures: Mapping[str, Any], suffix: str) -> str:
    parts = (("{}", "psnr"), ("the present repeated {}", "psnr_copy"), ("the codec alone {}", "psnr_codec"))
    values = [(words, figures.get(name + suffix)) for words, name in parts]
    return "; ".join(words.format("none" if value is None else f"{value:.1f} dB") for words, value in values)


def _describe_maps(figures: Mapping[str, Any]) -> str:
    if figures["true_maps"]:
        return "the true ones were given"
    near = figures["peak_within_8px"]
    if near is None:
        return "none"
    low, high = (f"{100 * bound:.1f}" for bound in figures["peak_ci95"])
    peaks = f"{100 * near:.1f} % of {figures['peaks']} peaks within 8 pixels (95 % interval {low} to {high})"
    return f"{peaks}; {100 * figures['places_found']:.1f} % of the places found"


def _list_action_errors(figures: Mapping[str, Any]) -> list[str]:
    errors = []
    for name, (what, unit) in ACTION_ERROR_WORDS.items():
        if figures[name] is not None:
            still = "" if (value := figures[f"{name}_still"]) is None else f", standing still {value:.4f}"
            errors.append(f"{what} off by {figures[name]:.4f} {unit}{still}")
    return errors
