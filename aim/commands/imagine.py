"""`aim imagine`: the future that a model imagines beside the one that came, on demonstrations it has not seen."""

from __future__ import annotations

from pathlib import Path

RESULT, FILM, SHEET = "result.json", "futures.webp", "misses.png"


def imagine(
    *,
    policy: Path,
    data: Path,
    out: Path,
    mapping: Path | None = None,
    windows: int = 128,
    seed: int = 0,
    video_steps: int | None = None,
    action_steps: int | None = None,
    true_maps: bool = False,
    device: str = "auto",
) -> dict[str, object]:
    """Imagine the future of windows of a dataset from their true past and compare it with what came.

    Args:
        policy: folder of a training or of a checkpoint
        data: folder of a dataset that the model was not trained on
        out: folder for result.json, a film and a sheet of the worst maps
        mapping: TOML file that says what is what, where the data is a LeRobot set
        windows: how many, spread over the episodes
        seed: decides which windows and the noise
        video_steps: denoising steps of pictures and maps; as in closed loop if left out
        action_steps: denoising steps of actions; as in closed loop if left out
        true_maps: give the future maps instead of imagining them: the rest of the actions' error is not theirs
        device: cpu, cuda, or auto
    """
    import json

    from aim import console, machine
    from aim.commands import parse
    from aim.data.source import open_source
    from aim.evaluate import films, foresight, open_loop
    from aim.policy import ACTION_STEPS, VIDEO_STEPS, load_policy
    from aim.train import checkpoint, lessons
    from sim.types import UserError

    steps = VIDEO_STEPS if video_steps is None else video_steps
    finer = ACTION_STEPS if action_steps is None else action_steps
    if min(steps, finer, windows) < 1 or seed < 0:
        raise UserError("windows, video_steps and action_steps start at 1, seed at 0")
    parse.writable(out)
    source = open_source(data, mapping)
    learned = load_policy(policy, video_steps=steps, action_steps=finer, device=str(machine.device(device)))
    folder = checkpoint.newest(policy)
    other, learned_from = lessons.read_otherwise(source, folder), lessons.known(folder.parent)
    for words in other:
        console.note(f"note: the policy learned from numbers that were read otherwise: {words}")
    shared = None if learned_from is None else sum(ref.identity in learned_from for ref in source.episodes)
    if shared:
        console.note(f"note: the policy learned from {shared} of these {len(source.episodes)} episodes")
    truth, guess = open_loop.imagine(learned, source, windows, seed, true_maps)
    transform = learned.transform
    found = {
        "policy": str(policy),
        "data": str(data),
        "checkpoint": folder.name,
        "digest": checkpoint.digest(folder),
        "precision": learned.number,
        "episodes": len(source.episodes),
        "episodes_learned_from": shared,
        "read_otherwise": other,
        "seed": seed,
        "video_steps": steps,
        "action_steps": finer,
        "true_maps": true_maps,
        **open_loop.measure(truth, guess, transform.joints, transform.action.moves),
        "film": None,
        "sheet": None,
    }
    out.mkdir(parents=True, exist_ok=True)
    if (shown := foresight.film(truth, guess)) is not None:
        films.write(out / FILM, shown, hz=foresight.FILM_HZ)
        found["film"] = str(out / FILM)
    if (sheet := foresight.misses(truth, guess)) is not None:
        foresight.write_png(out / SHEET, sheet)
        found["sheet"] = str(out / SHEET)
    (out / RESULT).write_text(json.dumps(found, indent=1, allow_nan=False) + "\n")
    for line in said(found):
        print(line)
    return found


def said(found: dict) -> list[str]:
    """Return the figures in words."""

    def db(name: str) -> str:
        return "none" if found[name] is None else f"{found[name]:.1f} dB"

    near = found["peak_within_8px"]
    peaks = "maps: none" if near is None else (
        f"maps: {100 * near:.1f} % of {found['peaks']} peaks within 8 pixels "
        f"(95 % interval {100 * found['peak_ci95'][0]:.1f} to {100 * found['peak_ci95'][1]:.1f}); "
        f"{100 * found['places_found']:.1f} % of the places found"
    )  # fmt: skip
    joints = f"joints off by {found['joint_error_rad']:.4f} rad, standing still {found['joint_error_rad_still']:.4f}"
    return [
        f"pictures: {db('psnr')}; the present repeated {db('psnr_copy')}; the codec alone {db('psnr_codec')}",
        f"where they changed: {db('psnr_changed')}; the present repeated {db('psnr_copy_changed')}",
        peaks,
        joints,
    ]
