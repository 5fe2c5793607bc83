"""`aim serve`: a learned policy for clients over a socket."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro


def serve_policy(
    run: Annotated[Path, tyro.conf.Positional],
    *,
    port: int = 8765,
    host: str = "127.0.0.1",
    own_units: bool = False,
    rate_hz: float | None = None,
    execution_horizon: int = 0,
    device: str = "auto",
    compiled: bool = False,
) -> dict[str, object]:
    """Serve a policy to clients at HOST:PORT until it is interrupted: docs/policy_server.md.

    Args:
        run: folder of a training or of a checkpoint
        port: of the server; 0 takes a free one
        host: address to serve at; where others can connect, AIM_POLICY_TOKEN must hold a token, as for the client
        own_units: speak the units, names and rate of the recordings that it learned from
        rate_hz: rows a second of the robot, with --own-units; the recordings' if left out, where they have one rate
        execution_horizon: rows of a chunk to carry out before the next; what the run says if left out
        device: cpu, cuda, or auto
        compiled: compile the model first, which pays on a GPU
    """
    import os

    from aim.policy import OwnUnitsPolicy, load_policy
    from aim.policy.checkpoint import resolve_checkpoint
    from aim.serve.learned import serve_learned
    from aim.serve.messages import TOKEN_VARIABLE
    from aim.serve.server import PolicyServer
    from aim.util import machine
    from sim.types import UserError

    if not 0 <= port < 65536:
        raise UserError(f"port must lie in 0 to 65535, not {port}")
    if rate_hz is not None and not own_units:
        raise UserError("--rate-hz goes with --own-units: in our units a policy acts at 50 Hz")
    folder, ours = resolve_checkpoint(run), 0 if own_units else execution_horizon
    place = str(machine.resolve_device(device))
    policy = load_policy(folder, execution_horizon=ours, device=place, compiled=compiled)
    held = policy
    if own_units:
        held = OwnUnitsPolicy(policy, execution_horizon=execution_horizon, rate_hz=rate_hz)
    served = serve_learned(held, folder, os.environ.get(TOKEN_VARIABLE, ""))
    with PolicyServer(served, host, port) as server:
        name, rate = served.description.name, served.description.action_space.rate_hz
        print(f"{name} for {policy.run.robot} at {rate:g} Hz is served at {server.address}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"{served.chunks} chunks were sent") from None
    return {"chunks": served.chunks}
