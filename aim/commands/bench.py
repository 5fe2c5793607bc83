"""`aim bench sim|render|generate`: one measurement of the world, several samples, the machine described."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

TASK = "click_bell"
ROBOT = "aloha"


def sim(
    task: str = TASK, robot: str = ROBOT, variation: str = "clean", seconds: float = 2.0, samples: int = 5
) -> dict[str, object]:
    """Measure physics steps a second of one thread, while the expert's own motion is played.

    Args:
        task: name or file of the task
        robot: name of the robot
        variation: clean or random
        seconds: length of a sample
        samples: how many
    """
    import sim.robots
    from aim.commands import parse
    from sim.envs import benchmark

    chosen, body = parse.one_task(task), sim.robots.load_robot(robot)
    return _measure(
        "physics steps/s a thread", samples, lambda _: benchmark.measure_physics(chosen, body, seconds, variation)
    )


def render(
    task: str = TASK,
    robot: str = ROBOT,
    variation: str = "clean",
    size: str = "128x128",
    seconds: float = 2.0,
    samples: int = 5,
) -> dict[str, object]:
    """Measure pictures a second of one thread, read back to memory.

    Args:
        task: name or file of the task
        robot: name of the robot
        variation: clean or random
        size: height and width of a picture
        seconds: length of a sample
        samples: how many
    """
    import sim.robots
    from aim.commands import parse
    from sim.envs import benchmark

    os.environ["LP_NUM_THREADS"] = "1"  # the software renderer would take every core
    chosen, body, shape = parse.one_task(task), sim.robots.load_robot(robot), parse.size(size)
    return _measure(
        "pictures/s a thread",
        samples,
        lambda _: benchmark.measure_rendering(chosen, body, shape, seconds, variation=variation),
    )


def generate(
    task: str = TASK, robot: str = ROBOT, num: int = 20, workers: int = 2, size: str = "128x128", samples: int = 3
) -> dict[str, object]:
    """Measure episodes an hour, from the start of the workers to shards on the disk.

    Args:
        task: name or file of the task
        robot: name of the robot
        num: episodes a sample
        workers: processes
        size: height and width of a picture
        samples: how many
    """
    import sim.robots
    from aim.commands import parse
    from aim.data import generate as collector
    from aim.data.store import Recipe

    cameras = tuple(sim.robots.load_robot(robot).camera_names)
    tasks = parse.label([parse.one_task(task)])

    def sample(number: int) -> float:
        recipe = Recipe(tuple(tasks), robot, cameras, parse.size(size), seed=1000 * number)
        with tempfile.TemporaryDirectory() as folder:
            made = collector.generate(
                recipe, num, Path(folder) / "bench", workers, definitions=parse.definitions(tasks)
            )
        return 3600 * made.added / made.seconds

    return _measure(f"episodes/h with {workers} workers", samples, sample)


def _measure(unit: str, samples: int, sample: Callable[[int], float]) -> dict[str, object]:
    from aim import machine
    from sim.types import UserError

    if samples < 1:
        raise UserError("at least one sample is needed")
    values = [sample(number) for number in range(samples)]
    figure, facts = statistics.median(values), machine.describe()
    print(f"{figure:,.0f} {unit} (median of {samples}: {', '.join(f'{value:,.0f}' for value in values)})")
    print("; ".join(f"{key} {value}" for key, value in facts.items()))
    return {"figure": figure, "unit": unit, "samples": values, "machine": facts}
