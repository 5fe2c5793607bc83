"""Processes that train one model together, started by `torchrun --nproc-per-node N -m aim train …`.

Weights, their average and the optimiser's state are sharded over the processes (FSDP2); each takes its slice of every
batch, and gradients are averaged. The first process alone prepares, writes and shows; it also decides, as clocks and
signals differ between processes, and the others follow. A process that stands alone is a fleet of one.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from aim.model.aim import AIM
from aim.util.console import EXIT_DONE, EXIT_INTERRUPTED
from sim.types import UserError

PATIENCE = timedelta(hours=24)  # the others wait while the first trains the codec or evaluates
NEEDED = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")  # what torchrun sets beside WORLD_SIZE

T = TypeVar("T")


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[torch.device]:
    """Yield the device of this process, which is one of a fleet where WORLD_SIZE says so.

    Processes but the first say nothing unless they fail, and end with the context.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield device
        return
    lacking = [name for name in NEEDED if name not in os.environ]
    if lacking:
        raise UserError(f"WORLD_SIZE is {count} but there is no {', '.join(lacking)}; start with torchrun -m aim train")
    place = _place(device, int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if place.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        with contextlib.nullcontext() if leads() else _silence():
            yield place
        if not leads():
            _end(EXIT_DONE)
    except KeyboardInterrupt:
        if leads():
            raise
        _end(EXIT_INTERRUPTED)  # the first says what was kept
    finally:
        dist.destroy_process_group()


def _end(code: int) -> NoReturn:
    """End this process at once: gloo's threads outlive the group, and the interpreter's own end may abort on them."""
    dist.destroy_process_group()
    sys.stderr.flush()
    os._exit(code)


def _place(device: torch.device, index: int) -> torch.device:
    if device.type != "cuda":
        return device
    if index >= torch.cuda.device_count():
        raise UserError(f"there are {torch.cuda.device_count()} GPUs, not {index + 1}; give a smaller --nproc-per-node")
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Send standard output to nowhere for good, and what is written on standard error until the end."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        with contextlib.redirect_stderr(nowhere):
            yield


def size() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def leads() -> bool:
    """Tell whether this is the first process: the one that prepares, writes, shows and decides."""
    return rank() == 0


def part(count: int) -> slice:
    """Return which of `count` rows this process takes; `UserError` where they cannot be shared out evenly."""
    return part_of(count, rank(), size())


def part_of(count: int, number: int, total: int) -> slice:
    """Return which of `count` rows process `number` of `total` takes: see `part`."""
    share, left = divmod(count, total)
    if left or not share:
        raise UserError(f"batch_size {count} cannot be shared out evenly among {total} processes")
    return slice(number * share, (number + 1) * share)


def agreed(*numbers: float) -> tuple[float, ...]:
    """Return the numbers of the first process."""
    if size() == 1:
        return numbers
    said = torch.tensor(numbers, dtype=torch.float64)
    dist.broadcast(said, 0)
    return tuple(said.tolist())


def led(do: Callable[[], T], follow: Callable[[], T]) -> T:
    """Return what `do` gives the first process; the others wait for it, then return `follow`, or end if it failed."""
    if not leads():
        (went,) = agreed(0.0)
        if not went:
            _end(1)  # the first says why
        return follow()
    try:
        result = do()
    except BaseException:
        agreed(0.0)
        raise
    agreed(1.0)
    return result


def mean(values: Tensor) -> Tensor:
    """Return the mean over the processes, on the CPU."""
    result = values.detach().cpu()
    if size() > 1:
        dist.all_reduce(result)
        result /= size()
    return result


def shard(model: AIM, device: torch.device) -> None:
    """Move a model to `device`, in a fleet each process its share of every parameter; names stay as they are."""
    if size() == 1:
        model.to(device)
        return
    # a layer's keys and values are views, which nobody changes in place
    warnings.filterwarnings("ignore", message=".*returned a view tensor", category=UserWarning)
    mesh = init_device_mesh(device.type, (size(),))
    for layer in model.trunk.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    register_fsdp_forward_method(model, "losses")
    model.to(device)


def local(value: Tensor) -> Tensor:
    """Return the share of a tensor that this process holds, in the same memory."""
    return value.to_local() if isinstance(value, DTensor) else value


def whole(value: Tensor) -> Tensor:
    """Return a sharded tensor with all its shares; every process must call it, in the same order."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def like(value: Tensor, there: Tensor) -> Tensor:
    """Return a whole tensor on the device of `there`, and sharded as that is."""
    value = value.to(there.device)
    if not isinstance(there, DTensor):
        return value
    return distribute_tensor(value, there.device_mesh, there.placements, src_data_rank=None)
