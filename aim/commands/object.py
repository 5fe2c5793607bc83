"""`aim object NAME`: a family or a category of the catalogue, its frames, joints and grasps, with a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from sim.objects import ObjectModel
    from sim.task.spec import ObjectSpec, Value

Name = Annotated[str, tyro.conf.Positional]


def show_object(
    name: Name = "",
    *,
    params: tuple[str, ...] = (),
    seed: int = 0,
    png: Path | None = None,
) -> dict[str, object]:
    """Show an object: its variants, frames, joints and grasps, and which robots' grippers these fit.

    Args:
        name: a category of the catalogue, or a family; all of both are listed if left out
        params: parameters of the family, KEY=VALUE each, as in radius=0.04 or size=[0.1,0.05,0.02]
        seed: chooses the variant that is shown closely
        png: file for a picture: the variants, the frames of one as axes, its grasps as grippers
    """
    from aim.commands import parse
    from aim.viz import pictures

    seed = parse.check_seed(seed)
    if not name:
        return _list_objects()
    specs = _find_specs(name, params)
    chosen = seed % len(specs)
    from sim.objects import build_object
    from sim.preview import object_sheet

    model, spec = build_object(specs[chosen]), specs[chosen]
    print(f"{name}: family {spec.family}, variant {chosen} of {len(specs)}{_describe_look(spec)}")
    sections = (object_sheet.describe_frames, object_sheet.describe_joints, object_sheet.describe_grasps)
    lines = [line for describe in sections for line in describe(model)]
    fits = _count_fitting_grasps(model)
    lines += [f"fits  {robot:14} {_describe_fit(counts)}" for robot, counts in fits.items() if counts]
    for line in lines:
        print(f"  {line}")
    if png:
        pictures.write_png(png, object_sheet.render_object_sheet(specs, chosen))
        print(f"picture: {png}")
    return {
        "object": name,
        "family": spec.family,
        "variants": len(specs),
        "variant": chosen,
        "frames": {key: {"part": part, "pose": pose.tolist()} for key, (part, pose) in model.frames.items()},
        "joints": {part.joint: {"part": part.name, "range": part.joint_range} for part in model.parts},
        "grasps": {
            key: {"part": part, "ways": len(grasps), "width_m": max(grasp.width_m for grasp in grasps)}
            for key, (part, grasps) in model.grasps.items()
        },
        "fits": fits,
        "png": str(png) if png else None,
    }


def _list_objects() -> dict[str, object]:
    """Print all categories with their families and variants, and the families that have no category."""
    from sim.catalogue import load_catalogue
    from sim.objects import FAMILIES

    categories = load_catalogue()
    families = {category: specs[0].family for category, specs in categories.items()}
    width = max(map(len, (*categories, *FAMILIES)))
    for category in sorted(categories):
        print(f"{category:{width}}  {len(categories[category])} variants of family {families[category]}")
    bare = sorted(FAMILIES.keys() - set(families.values()))
    for family in bare:
        print(f"{family:{width}}  family")
    return {"categories": families, "families": sorted(FAMILIES)}


def _find_specs(name: str, params: tuple[str, ...]) -> tuple[ObjectSpec, ...]:
    """Variants of a category, or a family with parameters; `UserError` names those that are missing."""
    from sim.catalogue import find_specs, load_catalogue
    from sim.objects import FAMILIES
    from sim.registry import resolve_name
    from sim.task.spec import ObjectSpec
    from sim.task.validate import find_shape_fault
    from sim.task.vocabulary import check_arguments, list_parameters
    from sim.types import UserError

    if not params and name in load_catalogue():
        return find_specs(name)
    resolve_name("object", name, sorted({*load_catalogue(), *FAMILIES}))
    builder = FAMILIES.find(name)
    values = dict(_parse_parameter(text) for text in params)
    accepted = list_parameters(builder, 0)
    for key in values:
        resolve_name(f"parameter of family {name!r}:", key, list(accepted))
    missing = [key for key, parameter in accepted.items() if parameter.default is parameter.empty and key not in values]
    if missing:
        given = " ".join(f"{key}=..." for key in missing)
        raise UserError(f"object family {name!r} needs --params {given}; it takes {', '.join(accepted)}")
    spec = ObjectSpec(name, values, colour="grey")
    wrong_values = (item.message for item in check_arguments("family", name, builder, 0, values, ()))
    if fault := next(wrong_values, "") or find_shape_fault(spec):
        raise UserError(fault)
    return (spec,)


def _parse_parameter(text: str) -> tuple[str, Value]:
    """Split KEY=VALUE; the value is JSON, or else a text."""
    from sim.types import UserError

    key, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"{text!r} is no parameter; valid: KEY=VALUE, as in radius=0.04 or size=[0.1,0.05,0.02]")
    try:
        parsed = json.loads(value)
    except json.JSONDecodeError:
        return key, value
    return key, _freeze_lists(parsed)


def _freeze_lists(value: Any) -> Any:  # noqa: ANN401 - JSON has no narrower type
    return tuple(map(_freeze_lists, value)) if isinstance(value, list) else value


def _describe_look(spec: ObjectSpec) -> str:
    params = " ".join(f"{key}={value}" for key, value in spec.params.items())
    return f", {spec.colour}: {params}" if params else f", {spec.colour}"


def _count_fitting_grasps(model: ObjectModel) -> dict[str, dict[str, int]]:
    """How many candidates of each named grasp fit each robot's gripper, the object on a table as a scene begins."""
    from sim.expert.grasps import fit_grasps
    from sim.preview.object_sheet import compute_body_poses
    from sim.robots import load_robots
    from sim.task.spec import TABLE_HEIGHT_M

    poses = compute_body_poses(model)
    counts: dict[str, dict[str, int]] = {}
    for robot, embodiment in load_robots().items():
        arm = embodiment.arms[0]
        counts[robot] = {
            # each is counted once, though a hand may take it either way round
            name: len(fit_grasps(arm, grasps, poses[part], TABLE_HEIGHT_M).tool_poses) // 2
            for name, (part, grasps) in model.grasps.items()
        }
    return counts


def _describe_fit(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" if count else f"no {name}" for name, count in counts.items())
