"""Ray: the cluster that is running, or one on this machine for as long as it is needed."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from types import ModuleType

from bionn.errors import InputError


@contextlib.contextmanager
def ray_cluster(*, processes: int) -> Iterator[ModuleType]:
    """Ray, connected for the block: to the cluster that ``RAY_ADDRESS`` names, or one of this machine.

    A connection that the caller has made before is used and left open.

    Args:
        processes: how many run side by side, each on a processor of its own, on this machine.

    Raises:
        InputError: Ray is not installed, or no cluster answers.
    """
    try:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read at its import: tell nobody
        import ray
    except ModuleNotFoundError:
        raise InputError(
            "engine ray: the package ray is needed; install it with: pip install 'bionn[ray]'"
        ) from None
    if ray.is_initialized():
        yield ray
        return
    address = os.environ.get("RAY_ADDRESS")
    own = {} if address else {"num_cpus": processes, "include_dashboard": False}
    try:
        ray.init(
            address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **own
        )
    except (ConnectionError, ValueError) as error:
        raise InputError(
            f"engine ray: no cluster answers ({str(error).splitlines()[0].rstrip('.')}); start one, or "
            "unset RAY_ADDRESS"
        ) from None
    try:
        yield ray
    finally:
        ray.shutdown()
