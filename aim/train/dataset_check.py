"""Whether a dataset is one that a run can learn from, or be judged by: robot, views and channels."""

from __future__ import annotations

from aim.config import Run
from aim.data import source as sources
from aim.data.source import Data
from sim.types import UserError


def check_dataset(run: Run, data: Data, label: str = "the run") -> None:
    """Raise `UserError`, calling the run `label`, if the dataset has another robot, views or channels."""
    source = sources.of(data)
    if source.robot != run.robot:
        raise UserError(f"{source.path} is of robot {source.robot!r}, {label} is for {run.robot!r}")
    views, present = [view.name for view in run.codec.views], ", ".join(source.cameras)
    missing = [name for name in views if name not in source.cameras]
    if missing:
        raise UserError(
            f"{source.path} has no camera {', '.join(missing)}; it has {present}, {label} {', '.join(views)}"
        )
    channels, measured = len(source.info.action), len(source.info.state)
    if channels != run.model.action_dim:
        raise UserError(f"{source.path} has {channels} joints and grippers, {label} is for {run.model.action_dim}")
    if measured != run.model.state_dim:
        raise UserError(f"{source.path} measures {measured} channels, {label} is for {run.model.state_dim}")
    if not source.episodes:
        raise UserError(f"{source.path} has no episodes")
