"""`aim imagine`: predicted against true futures, on demonstrations that the model was not trained on."""

from __future__ import annotations

from pathlib import Path

from aim.util.command_line import format_command


def imagine_futures(
    *,
    policy: Path,
    data: Path,
    out: Path,
    mapping: Path | None = None,
    episodes: str = "",
    without: str = "",
    windows: int = 128,
    seed: int = 0,
    video_steps: int | None = None,
    action_steps: int | None = None,
    true_maps: bool = False,
    mp4: bool = False,
    device: str = "auto",
) -> dict[str, object]:
    """Imagine the future of windows of a dataset from their true past and compare it with what came.

    Args:
        policy: folder of a training or of a checkpoint
        data: folder of a dataset that the model was not trained on
        out: folder for result.json, a film and a sheet of the worst maps
        mapping: TOML file that says what is what, where the data is a LeRobot set; the policy's own if left out
        episodes: numbers of the episodes to look at, as in 0-40,55; all if left out
        without: numbers of the episodes to leave out
        windows: how many, spread over the episodes
        seed: decides which windows and the noise
        video_steps: denoising steps of pictures and maps; as in closed loop if left out
        action_steps: denoising steps of actions; as in closed loop if left out
        true_maps: give the future maps instead of imagining them: the rest of the actions' error is not theirs
        mp4: write the film as MP4, too
        device: cpu, cuda, or auto
    """
    command = format_command("imagine", imagine_futures, locals())

    import dataclasses
    import json

    from aim.commands import parse
    from aim.data.mapping_file import recall_reading
    from aim.data.source import open_source
    from aim.evaluate import open_loop, prediction_figures
    from aim.evaluate.prediction_summary import FIGURES_FILE, FUTURES_FILE, MISSES_FILE, summarize_figures
    from aim.policy import checkpoint, load_policy
    from aim.policy.learned import ACTION_STEPS, VIDEO_STEPS
    from aim.train import provenance
    from aim.util import console, machine
    from aim.viz import pictures, videos
    from sim.types import UserError

    num_video_steps = VIDEO_STEPS if video_steps is None else video_steps
    num_action_steps = ACTION_STEPS if action_steps is None else action_steps
    if min(num_video_steps, num_action_steps, windows) < 1 or seed < 0:
        raise UserError("windows, video_steps and action_steps start at 1, seed at 0")
    parse.check_writable(out)
    known = recall_reading(policy) if mapping is None else mapping
    source = open_source(data, known, parse.parse_episode_numbers(episodes), parse.parse_episode_numbers(without))
    learned = load_policy(
        policy, video_steps=num_video_steps, action_steps=num_action_steps, device=str(machine.resolve_device(device))
    )
    folder = checkpoint.resolve_checkpoint(policy)
    differences, learned_from = (
        provenance.describe_mapping_differences(source, folder),
        provenance.read_episode_identities(folder.parent),
    )
    for words in differences:
        console.print_note(f"note: the policy learned from numbers that were read otherwise: {words}")
    num_shared = None if learned_from is None else sum(ref.identity in learned_from for ref in source.episodes)
    if num_shared:
        console.print_note(f"note: the policy learned from {num_shared} of these {len(source.episodes)} episodes")
    truth, prediction = open_loop.predict_windows(learned, source, windows, seed, true_maps)
    if true_maps:  # maps that were given are no prediction
        prediction = dataclasses.replace(prediction, map=None)
    figures = {
        "command": command,
        "policy": str(policy),
        "data": str(data),
        "checkpoint": folder.name,
        "variant": learned.run.model.full_variant,
        "digest": checkpoint.compute_digest(folder),
        "precision": learned.precision,
        "episodes": len(source.episodes),
        "episodes_learned_from": num_shared,
        "read_otherwise": differences,
        "seed": seed,
        "video_steps": num_video_steps,
        "action_steps": num_action_steps,
        "true_maps": true_maps,
        **open_loop.compute_metrics(truth, prediction, source.info.action.kinds, learned.transform.action.moves),
        "film": None,
        "sheet": None,
        "panels": [],
    }
    out.mkdir(parents=True, exist_ok=True)
    if panels := prediction_figures.collect_panels(truth, prediction):
        video = videos.tile_panels(panels, prediction_figures.FIGURE_HEIGHT_PX)
        figures["panels"] = [panel.caption for panel in panels]
        videos.write_webp(out / FUTURES_FILE, video, hz=prediction_figures.COMPARISON_VIDEO_HZ)
        figures["film"] = str(out / FUTURES_FILE)
        if mp4:
            path = (out / FUTURES_FILE).with_suffix(".mp4")
            videos.write_mp4(path, video, hz=prediction_figures.COMPARISON_VIDEO_HZ)
    if (sheet := prediction_figures.render_worst_maps(truth, prediction)) is not None:
        pictures.write_png(out / MISSES_FILE, sheet)
        figures["sheet"] = str(out / MISSES_FILE)
    (out / FIGURES_FILE).write_text(json.dumps(figures, indent=1, allow_nan=False) + "\n")
    for name, words in summarize_figures(figures).items():
        print(f"{name}: {words}")
    return figures
