"""`aim bench sim|render|generate`: simulation throughput over several samples, with a description of the machine."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

BENCH_TASK = "click_bell"
BENCH_ROBOT = "aloha"


def benchmark_physics(
    task: str = BENCH_TASK, robot: str = BENCH_ROBOT, variation: str = "clean", seconds: float = 2.0, samples: int = 5
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

    _check_seconds(seconds)
    chosen, embodiment = parse.load_one_task(task), sim.robots.load_robot(robot)
    return _report_samples(
        "physics steps/s a thread", samples, lambda _: benchmark.measure_physics(chosen, embodiment, seconds, variation)
    )


def benchmark_rendering(
    task: str = BENCH_TASK,
    robot: str = BENCH_ROBOT,
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

    _check_seconds(seconds)
    os.environ["LP_NUM_THREADS"] = "1"  # the software renderer would take every core
    chosen, embodiment, shape = parse.load_one_task(task), sim.robots.load_robot(robot), parse.parse_size(size)
    return _report_samples(
        "pictures/s a thread",
        samples,
        lambda _: benchmark.measure_rendering(chosen, embodiment, shape, seconds, variation=variation),
    )


def benchmark_generation(
    task: str = BENCH_TASK,
    robot: str = BENCH_ROBOT,
    num: int = 20,
    workers: int = 2,
    size: str = "128x128",
    samples: int = 3,
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
    from aim.data.collect import local as collector
    from aim.data.store import Recipe

    cameras = tuple(sim.robots.load_robot(robot).camera_names)
    tasks = parse.label_tasks([parse.load_one_task(task)])

    def measure_sample(number: int) -> float:
        recipe = Recipe(tuple(tasks), robot, cameras, parse.parse_size(size), seed=1000 * number)
        with tempfile.TemporaryDirectory() as folder:
            summary = collector.collect_dataset(
                recipe, num, Path(folder) / "bench", workers, definitions=parse.encode_tasks(tasks)
            )
        return 3600 * summary.added / summary.seconds

    return _report_samples(f"episodes/h with {workers} workers", samples, measure_sample)


def _check_seconds(seconds: float) -> None:
    from sim.types import UserError

    if not 0 < seconds < float("inf"):
        raise UserError(f"seconds must be above 0, not {seconds:g}")


def _report_samples(unit: str, samples: int, sample: Callable[[int], float]) -> dict[str, object]:
    from aim.util import machine
    from sim.types import UserError

    if samples < 1:
        raise UserError("at least one sample is needed")
    values = [sample(number) for number in range(samples)]
    figure, facts = statistics.median(values), machine.describe_machine()
    print(f"{figure:,.0f} {unit} (median of {samples}: {', '.join(f'{value:,.0f}' for value in values)})")
    print("; ".join(f"{key} {value}" for key, value in facts.items()))
    return {"figure": figure, "unit": unit, "samples": values, "machine": facts}
