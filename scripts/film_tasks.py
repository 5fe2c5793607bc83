"""Makes docs/tasks.webp: the expert at four tasks, as the head camera sees it; below, the recording's value maps.

Run: .venv/bin/python scripts/film_tasks.py
"""

from pathlib import Path

import numpy as np

from aim.evaluate.films import Panel, overlay, tile, write
from sim import robots, tasks
from sim.record import record

ROBOTS = {"click_bell": "panda", "handover_block": "aloha", "open_laptop": "aloha", "place_empty_cup": "aloha"}
SIZE = (192, 256)
SEED = 7


def main() -> None:
    """Record, lay the maps over and write the film."""
    rows = []
    for name, body in ROBOTS.items():
        robot = robots.load(body)
        (episode,) = record(tasks.load(name), robot, [SEED], ("head",), SIZE)
        assert episode.success, name
        pictures = episode.images["head"]
        rows.append((f"{name}, {robot.name}", pictures, overlay(pictures, episode.maps["head"])))
    length = max(len(pictures) for _, pictures, _ in rows)

    def held(frames: np.ndarray) -> np.ndarray:
        return np.concatenate([frames, np.repeat(frames[-1:], length - len(frames), axis=0)])

    seen = tile([Panel(caption, held(pictures)) for caption, pictures, _ in rows], SIZE[0])
    maps = tile([Panel("value map", held(heat), legend=True) for _, _, heat in rows], SIZE[0])
    write(Path("docs/tasks.webp"), np.concatenate([seen, maps], axis=1), quality=60)


if __name__ == "__main__":
    main()
