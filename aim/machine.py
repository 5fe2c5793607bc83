"""What a measurement was made on: processor, libraries, and for the model torch, its threads and the GPU."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

MIB = 2**20


def describe() -> dict[str, object]:
    """Return the processor, its cores and the versions of Python, MuJoCo and the system."""
    from importlib.metadata import version

    from aim.processes import cores

    return {
        "cpu": processor(),
        "cores": cores(),
        "python": platform.python_version(),
        "mujoco": version("mujoco"),
        "system": platform.platform(),
    }


def computing(device: torch.device) -> dict[str, object]:
    """Return the same with torch, its threads and, where `device` is one, the GPU's name and memory."""
    import torch

    found = {**describe(), "torch": torch.__version__, "threads": torch.get_num_threads()}
    if device.type != "cuda":
        return found
    facts = torch.cuda.get_device_properties(device)
    return {**found, "gpu": facts.name, "gpu_memory_mib": facts.total_memory // MIB, "cuda": torch.version.cuda}


def memory() -> int:
    """Return the bytes of memory that the machine has, in use or not."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def processor() -> str:
    """Return the processor's name; Linux tells it in one file only."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


def device(name: str) -> torch.device:
    """Return the device called `name` (auto, cpu, cuda); `UserError` where it is not there."""
    import torch

    from sim.types import UserError

    there = torch.cuda.is_available()
    if name not in ("auto", "cpu", "cuda") or (name == "cuda" and not there):
        raise UserError(f"no device {name!r}; there are auto, cpu{', cuda' if there else ''}")
    return torch.device(("cuda" if there else "cpu") if name == "auto" else name)
