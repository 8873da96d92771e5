"""Weights and all that goes with them shared out among processes: torch's ``fully_shard`` (FSDP2)."""

from __future__ import annotations

from typing import Any

import torch
from torch.distributed.device_mesh import DeviceMesh


def shard(model: torch.nn.Module, mesh: DeviceMesh) -> None:
    """Share out each layer's parameters among the processes of a mesh, in place.

    A layer's parameters are whole only while it computes.

    Args:
        model: any network; one that is shared out already stays as it is.
        mesh: of one dimension.
    """
    from torch.distributed.fsdp import FSDPModule, fully_shard

    if isinstance(model, FSDPModule):
        return
    for parameter in model.parameters():  # in the order of its shape, which is all that can be cut
        parameter.data = parameter.data.contiguous()
    for layer in list(model.modules()):
        if layer is not model and next(layer.parameters(recurse=False), None) is not None:
            fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)


def gathered(model: torch.nn.Module) -> torch.nn.Module:
    """A whole copy, on the CPU, of a network of this package that is shared out; all must ask for it.

    A network that is not shared out is given back as it is.
    """
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
    from torch.distributed.fsdp import FSDPModule

    if not isinstance(model, FSDPModule):
        return model
    weights: Any = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True))
    kind: Any = type(model).__bases__[1]  # fully_shard puts its own class before it
    of_ours: Any = model
    copy = kind(**of_ours.arguments)
    copy.load_state_dict({name: tensor.cpu() for name, tensor in weights.items()})
    return copy
