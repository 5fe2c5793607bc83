"""`aim robot NAME`: checks of a robot's geometry, and a picture of its posture and reach."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro


def show_robot(
    name: Annotated[str, tyro.conf.Positional], *, png: Path | None = None, size: str = "360x480"
) -> dict[str, object]:
    """Check a robot, one line a check, and draw it with --png: home posture, tool and camera axes, reach, its cameras.

    Args:
        name: name of the robot
        png: file for the picture
        size: height and width of each of its panels
    """
    import sim.preview.robot_sheet
    import sim.robots
    from aim.commands import parse
    from aim.util import console
    from aim.viz import pictures
    from sim.embodiment.checks import check_robot
    from sim.embodiment.reach import check_reach, compute_reach
    from sim.embodiment.validate import validate_fields

    shape = parse.parse_size(size)
    embodiment = sim.robots.read_robot(name)
    validate_fields(embodiment)
    reach = compute_reach(embodiment)
    checks = (*check_robot(embodiment), check_reach(reach))
    for arm in embodiment.arms:
        place = f" on the {arm.side}" if arm.side else ""
        print(f"arm {arm.name}{place}: {len(arm.links)} joints, gripper opens {arm.gripper.max_width_m * 1000:.0f} mm")
    for camera in embodiment.cameras:
        print(f"camera {camera.name}{f' on arm {camera.arm}' if camera.arm else ''}")
    width = max(len(check.name) for check in checks)
    for check in checks:
        print(f"{'ok  ' if check.passed else 'FAIL'} {check.name:{width}}  {check.finding}")
    if png:
        pictures.write_png(png, sim.preview.robot_sheet.render_robot_sheet(embodiment, reach, shape))
        print(f"picture: {png}")
    failed = [check.name for check in checks if not check.passed]
    if failed:
        console.print_note(f"robot {name!r} fails {len(failed)} of {len(checks)} checks: {', '.join(failed)}")
    return {
        "robot": name,
        "ok": not failed,
        "arms": [
            {"name": arm.name, "side": arm.side, "max_width_m": arm.gripper.max_width_m} for arm in embodiment.arms
        ],
        "cameras": list(embodiment.camera_names),
        "checks": [{"name": check.name, "ok": check.passed, "finding": check.finding} for check in checks],
        "reachable_share": float(reach.reachable.mean()),
        "png": str(png) if png else None,
    }
