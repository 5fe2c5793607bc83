"""`aim report`: one self-contained page of everything in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro


def write_report(folder: Annotated[Path, tyro.conf.Positional], *, out: Path | None = None) -> dict[str, object]:
    """Write one HTML page with results, films, curves and facts; it needs no other file and no network.

    Args:
        folder: a training, an evaluation, a dataset, or a folder that holds some of these
        out: file of the page; report.html in the folder if left out
    """
    from aim.commands import parse
    from aim.report.gather import gather_findings
    from aim.report.page import render_page
    from aim.util import atomic_file, console
    from sim.types import UserError

    path = out or folder / "report.html"
    parse.check_writable(path.parent)
    findings = gather_findings(folder)
    if path.is_dir():
        raise UserError(f"{path} is a folder; --out names the file of the page")
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_file.write_text(path, render_page(findings))
    for line in findings.problems:
        console.print_note(f"note: could not be read: {line}")
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return {
        "report": str(path),
        "evaluations": len(findings.evaluations),
        "trainings": len(findings.trainings),
        "imagined": len(findings.imagined),
        "datasets": len(findings.data),
        "unreadable": list(findings.problems),
        "bytes": path.stat().st_size,
    }
