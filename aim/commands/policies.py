"""`aim policies`: the learned policies that come with the project."""

from __future__ import annotations


def list_policies() -> dict[str, object]:
    """List the learned policies that come with the project: robot, cameras, and how often each task was solved."""
    import dataclasses

    from aim import config
    from aim.data import transforms
    from aim.evaluate.intervals import wilson_interval
    from aim.policy.shipped import SHIPPED_FOLDER, MeasuredSuccess, list_shipped, read_source

    def describe_result(row: MeasuredSuccess) -> str:
        low, high = wilson_interval(row.successes, row.episodes)
        chosen = f", the best of {row.candidates} chunks" if row.candidates > 1 else ""
        share = row.successes / row.episodes
        return (
            f"{row.task} ({row.robot}, {row.variation}): {100 * share:.1f} % of {row.episodes} scenes "
            f"({100 * low:.1f} to {100 * high:.1f}){chosen}"
        )

    found: list[dict[str, object]] = []
    for name in list_shipped():
        folder = SHIPPED_FOLDER / name
        source, run = read_source(folder), config.load_run(folder)
        transform = transforms.read(folder, run.robot, run.model.action_dim, run.model.state_dim)
        cameras, size = [view.name for view in run.codec.views], "x".join(map(str, transform.size))
        channels = transform.action_space.names
        print(f"{name}: {source.description}")
        print(f"  robot {run.robot}; cameras {', '.join(cameras)} at {size}; actions {', '.join(channels)}")
        for row in source.results:
            print(f"  {describe_result(row)}")
        found.append(
            {
                "name": name,
                "robot": run.robot,
                "cameras": cameras,
                "size": list(transform.size),
                "actions": list(channels),
                "folder": str(folder),
                **dataclasses.asdict(source),
            }
        )
    if not found:
        print("no policy comes with the project")
    return {"policies": found}
