"""`aim robot NAME`: what a robot is, whether its geometry holds together, and a picture of its posture and reach."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro


def robot(
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
    from aim import console
    from aim.commands import parse
    from aim.commands.tasks import encode_png, write_file
    from sim.embodiment.checks import check_robot
    from sim.embodiment.reach import check_reach, compute_reach
    from sim.embodiment.validate import validate_fields

    shape = parse.size(size)
    body = sim.robots.read_robot(name)
    validate_fields(body)
    reach = compute_reach(body)
    checks = (*check_robot(body), check_reach(reach))
    for arm in body.arms:
        place = f" on the {arm.side}" if arm.side else ""
        print(f"arm {arm.name}{place}: {len(arm.links)} joints, gripper opens {arm.gripper.max_width_m * 1000:.0f} mm")
    for camera in body.cameras:
        print(f"camera {camera.name}{f' on arm {camera.arm}' if camera.arm else ''}")
    width = max(len(check.name) for check in checks)
    for check in checks:
        print(f"{'ok  ' if check.passed else 'FAIL'} {check.name:{width}}  {check.finding}")
    if png:
        write_file(png, encode_png(sim.preview.robot_sheet.render_robot_sheet(body, reach, shape)))
        print(f"picture: {png}")
    failed = [check.name for check in checks if not check.passed]
    if failed:
        console.note(f"robot {name!r} fails {len(failed)} of {len(checks)} checks: {', '.join(failed)}")
    return {
        "robot": name,
        "ok": not failed,
        "arms": [{"name": arm.name, "side": arm.side, "max_width_m": arm.gripper.max_width_m} for arm in body.arms],
        "cameras": list(body.camera_names),
        "checks": [{"name": check.name, "ok": check.passed, "finding": check.finding} for check in checks],
        "reachable_share": float(reach.reachable.mean()),
        "png": str(png) if png else None,
    }
