"""Distributed training, started by `torchrun --nproc-per-node N -m aim train …`.

Weights, their average and the optimiser's state are sharded over the processes (FSDP2); each takes its slice of every
batch, and gradients are averaged. The first process alone prepares, writes and shows; it also decides, as clocks and
signals differ between processes, and the others follow. A single process is a world of size 1.
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
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from aim.model.world_action_model import WorldActionModel
from aim.util.console import EXIT_DONE, EXIT_INTERRUPTED
from sim.types import UserError

PROCESS_GROUP_TIMEOUT = timedelta(hours=24)  # the others wait while the first trains the codec or evaluates
TORCHRUN_VARIABLES = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")  # what torchrun sets beside WORLD_SIZE

ResultT = TypeVar("ResultT")


@contextlib.contextmanager
def join_process_group(device: torch.device) -> Iterator[torch.device]:
    """Device of this process, which joins a process group if WORLD_SIZE is above 1.

    Processes but the first say nothing unless they fail, and end with the context.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield device
        return
    missing = [name for name in TORCHRUN_VARIABLES if name not in os.environ]
    if missing:
        raise UserError(f"WORLD_SIZE is {count} but there is no {', '.join(missing)}; start with torchrun -m aim train")
    local_device = _select_device(device, int(os.environ["LOCAL_RANK"]))
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if local_device.type == "cuda" else "gloo", timeout=PROCESS_GROUP_TIMEOUT
    )
    try:
        with contextlib.nullcontext() if is_main() else _silence_output():
            yield local_device
        if not is_main():
            _exit_process(EXIT_DONE)
    except KeyboardInterrupt:
        if is_main():
            raise
        _exit_process(EXIT_INTERRUPTED)  # the first says what was kept
    finally:
        dist.destroy_process_group()


def _exit_process(code: int) -> NoReturn:
    """Exit at once: gloo's threads outlive the group, and interpreter shutdown may abort on them."""
    dist.destroy_process_group()
    sys.stderr.flush()
    os._exit(code)


def _select_device(device: torch.device, index: int) -> torch.device:
    if device.type != "cuda":
        return device
    if index >= torch.cuda.device_count():
        raise UserError(f"there are {torch.cuda.device_count()} GPUs, not {index + 1}; give a smaller --nproc-per-node")
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


@contextlib.contextmanager
def _silence_output() -> Iterator[None]:
    """Redirect standard output to /dev/null for good, and standard error until the context ends."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        with contextlib.redirect_stderr(nowhere):
            yield


def will_be_main() -> bool:
    """Whether this process will be the main one, before `join_process_group` is entered."""
    return int(os.environ.get("WORLD_SIZE", "1")) == 1 or os.environ.get("RANK", "0") == "0"


def get_world_size() -> int:
    """Number of processes that train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def get_rank() -> int:
    """Rank of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def is_main() -> bool:
    """Whether this is the main process, rank 0: the one that prepares, writes, prints and decides."""
    return get_rank() == 0


def local_rows(count: int) -> slice:
    """Rows of a batch of `count` that belong to this process; `UserError` if they cannot be split evenly."""
    return split_rows(count, get_rank(), get_world_size())


def split_rows(count: int, number: int, total: int) -> slice:
    """Rows of a batch of `count` that belong to process `number` of `total`: see `local_rows`."""
    share, remainder = divmod(count, total)
    if remainder or not share:
        raise UserError(f"batch_size {count} cannot be shared out evenly among {total} processes")
    return slice(number * share, (number + 1) * share)


def broadcast_from_main(*numbers: float) -> tuple[float, ...]:
    """Numbers of the main process, broadcast to all."""
    if get_world_size() == 1:
        return numbers
    values = torch.tensor(numbers, dtype=torch.float64)
    dist.broadcast(values, 0)
    return tuple(values.tolist())


def run_on_main_first(run_main: Callable[[], ResultT], run_others: Callable[[], ResultT]) -> ResultT:
    """Result of `run_main` in the main process; the others wait for it, then run `run_others`, or exit if it failed."""
    if not is_main():
        (succeeded,) = broadcast_from_main(0.0)
        if not succeeded:
            _exit_process(1)  # the first says why
        return run_others()
    try:
        result = run_main()
    except BaseException:
        broadcast_from_main(0.0)
        raise
    broadcast_from_main(1.0)
    return result


def average_over_processes(values: Tensor) -> Tensor:
    """Mean over the processes, on the CPU."""
    result = values.detach().cpu()
    if get_world_size() > 1:
        dist.all_reduce(result)
        result /= get_world_size()
    return result


def shard_model(model: WorldActionModel, device: torch.device) -> None:
    """Move a model to `device`, sharded over the processes by FSDP2; parameter names do not change."""
    if get_world_size() == 1:
        model.to(device)
        return
    # a layer's keys and values are views, which nobody changes in place
    warnings.filterwarnings("ignore", message=".*returned a view tensor", category=UserWarning)
    mesh = init_device_mesh(device.type, (get_world_size(),))
    for layer in model.trunk.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    model.to(device)


def get_local_shard(value: Tensor) -> Tensor:
    """Shard of a tensor that this process holds, sharing its memory."""
    return value.to_local() if isinstance(value, DTensor) else value


def gather_tensor(value: Tensor) -> Tensor:
    """Whole tensor from its shards; collective, to be called in the same order by all."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def shard_like(value: Tensor, reference: Tensor) -> Tensor:
    """Whole tensor moved to the device of `reference` and sharded like it."""
    value = value.to(reference.device)
    if not isinstance(reference, DTensor):
        return value
    return distribute_tensor(value, reference.device_mesh, reference.placements, src_data_rank=None)
