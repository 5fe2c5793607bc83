"""Makes docs/tasks.webp: the expert at six tasks, as the head camera sees it; beside it, the recording's value maps.

Run: .venv/bin/python scripts/film_tasks.py
"""

from pathlib import Path

import numpy as np

from aim.viz.videos import Panel, overlay_maps, tile_panels, write_webp
from sim import robots, tasks
from sim.episodes.record import record_episodes

# task: robot and variation
SCENES = {
    "stack_bowls_three": ("aloha", "clean"),
    "hanging_mug": ("aloha", "random"),
    "put_object_cabinet": ("aloha", "clean"),
    "place_dual_shoes": ("aloha", "random"),
    "beat_block_hammer": ("panda", "random"),
    "place_bread_skillet": ("aloha", "clean"),
}
COLUMNS = 2
SIZE = (150, 200)
SEED = 7


def main() -> None:
    """Record, lay the maps over and write the film."""
    shots = []
    for name, (body, variation) in SCENES.items():
        (episode,) = record_episodes(
            tasks.load_task(name), robots.load_robot(body), [SEED], ("head",), SIZE, variation=variation
        )
        assert episode.success, name
        pictures = episode.images["head"]
        shots.append((f"{name}, {body}", pictures, overlay_maps(pictures, episode.maps["head"])))
    length = max(len(pictures) for _, pictures, _ in shots)

    def held(frames: np.ndarray) -> np.ndarray:
        return np.concatenate([frames, np.repeat(frames[-1:], length - len(frames), axis=0)])

    pairs = [
        tile_panels([Panel(caption, held(pictures)), Panel("value map", held(heat), legend=True)], SIZE[0])
        for caption, pictures, heat in shots
    ]
    rows = [np.concatenate(pairs[k : k + COLUMNS], axis=2) for k in range(0, len(pairs), COLUMNS)]
    write_webp(Path("docs/tasks.webp"), np.concatenate(rows, axis=1), quality=50)


if __name__ == "__main__":
    main()
