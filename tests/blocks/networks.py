"""Four networks of other people's designs, built either from bionn.nn or from torch.nn."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Conv1d, Embedding, LayerNorm, Module


class Convolution(Module):
    """Motif scanner: convolution, the strongest match of each filter, a two-layer head."""

    def __init__(self, kit: ModuleType) -> None:
        super().__init__()
        self.filters = Conv1d(4, 8, 5)
        self.relu = kit.ReLU()
        self.hidden = kit.Linear(8, 6)
        self.silu = kit.SiLU()
        self.head = kit.Linear(6, 3)

    def forward(self, input: Tensor) -> Tensor:
        """One-hot ``(N, 4, L)`` to logits ``(N, 3)``."""
        matches = self.relu(self.filters(input)).amax(dim=-1)
        return self.head(self.silu(self.hidden(matches)))


class Recurrence(Module):
    """Elman's cell, unrolled: ``h_t = tanh(W x_t + b + U h_{t-1} + c)``."""

    def __init__(self, kit: ModuleType, features: int = 4, width: int = 6) -> None:
        super().__init__()
        self.from_input = kit.Linear(features, width)
        self.from_hidden = kit.Linear(width, width)
        self.tanh = kit.Tanh()
        self.head = kit.Linear(width, 1)

    def cell(self, input: Tensor, hidden: Tensor) -> Tensor:
        """One step in time."""
        return self.tanh(self.from_input(input) + self.from_hidden(hidden))

    def forward(self, input: Tensor) -> Tensor:
        """A series ``(N, T, features)`` to one value each, ``(N, 1)``."""
        hidden = input.new_zeros(len(input), self.from_hidden.weight.shape[0])
        for moment in input.unbind(1):
            hidden = self.cell(moment, hidden)
        return self.head(hidden)


class Graph(Module):
    """Two rounds of messages along directed edges, added up where they arrive."""

    def __init__(self, kit: ModuleType) -> None:
        super().__init__()
        self.messages = torch.nn.ModuleList([kit.Linear(3, 5), kit.Linear(5, 5)])
        self.own = torch.nn.ModuleList([kit.Linear(3, 5, False), kit.Linear(5, 5, False)])
        self.activations = torch.nn.ModuleList([kit.ELU(), kit.Softplus()])
        self.head = kit.Linear(5, 1)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        """Nodes ``(N, 3)`` and edges ``(2, E)``, from above to below, to logits ``(N, 1)``."""
        source, target = edges
        for message, own, activation in zip(self.messages, self.own, self.activations, strict=True):
            state = own(nodes)
            nodes = activation(state.index_add(0, target, message(nodes)[source]))
        return self.head(nodes)


class Attention(Module):
    """Multi-head self-attention, with the layout of ``torch.nn.MultiheadAttention``."""

    def __init__(self, kit: ModuleType, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj = kit.Linear(width, 3 * width)
        self.softmax = kit.Softmax(dim=-1)
        self.out_proj = kit.Linear(width, width)

    def forward(self, input: Tensor) -> Tensor:
        """``(N, L, E)`` to ``(N, L, E)``."""
        split = self.in_proj(input).unflatten(-1, (3, self.heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        return self.out_proj((self.softmax(scores) @ value).transpose(1, 2).flatten(-2))


class Transformer(Module):
    """A language model of one pre-norm block: attention, then a GELU feed-forward layer."""

    def __init__(self, kit: ModuleType, symbols: int = 5, width: int = 8) -> None:
        super().__init__()
        self.embedding = Embedding(symbols, width)
        self.norms = torch.nn.ModuleList([LayerNorm(width), LayerNorm(width)])
        self.attention = Attention(kit, width, heads=2)
        self.feed_forward = torch.nn.Sequential(
            kit.Linear(width, 4 * width), kit.GELU(), kit.Linear(4 * width, width)
        )
        self.head = kit.Linear(width, symbols)

    def forward(self, codes: Tensor) -> Tensor:
        """Codes ``(N, L)`` to the logits of each symbol, ``(N, symbols, L)``."""
        hidden = self.embedding(codes)
        hidden = hidden + self.attention(self.norms[0](hidden))
        hidden = hidden + self.feed_forward(self.norms[1](hidden))
        return self.head(hidden).transpose(1, 2)


class Job(NamedTuple):
    """A network, the name of its loss module, and a batch: inputs and target."""

    network: Callable[[ModuleType], Module]
    loss: str
    inputs: tuple[Tensor, ...]
    target: Tensor


def jobs(dtype: torch.dtype = torch.float32) -> dict[str, Job]:
    """Make each network's job; the same batches every time."""
    draw = torch.Generator().manual_seed(0)

    def integers(high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=draw)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draw, dtype=torch.float64).to(dtype)

    sequences = torch.eye(4, dtype=dtype)[integers(4, 12, 20)].transpose(1, 2)
    series, codes, edges = normal(10, 7, 4), integers(5, 6, 9), integers(12, 2, 30)
    flags = integers(2, 12, 1).to(dtype)
    return {
        "convolution": Job(Convolution, "CrossEntropyLoss", (sequences,), integers(3, 12)),
        "recurrence": Job(Recurrence, "MSELoss", (series,), series.mean((1, 2))[:, None]),
        "graph": Job(Graph, "BCEWithLogitsLoss", (normal(12, 3), edges), flags),
        "transformer": Job(Transformer, "CrossEntropyLoss", (codes,), codes.roll(-1, 1)),
    }
