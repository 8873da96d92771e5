"""Several networks as one: the mean of their predictions, as logits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, logsigmoid

from bionn.errors import InputError
from bionn.models.heads import TASKS, TaskKind


class Ensemble(torch.nn.Module):
    """Networks trained apart, whose predictions are averaged.

    Probabilities are averaged, not logits: a member that does not know pulls the others toward not
    knowing (Lakshminarayanan et al. 2017, "Simple and scalable predictive uncertainty estimation
    using deep ensembles"). What comes out are the logits of that mean, so that an ensemble stands
    wherever a network of logits does: link, loss, attribution and export need not know.

    Args:
        members: the networks, of the same inputs and outputs.
        kind: ``binary``, ``multiclass`` or ``regression``.

    Shape:
        - Input: what the members take.
        - Output: ``(N, out)``.

    Raises:
        InputError: no members, or no such task.

    Example:
        >>> members = [torch.nn.Linear(3, 1), torch.nn.Linear(3, 1)]
        >>> mean = (members[0](torch.ones(1, 3)).sigmoid() + members[1](torch.ones(1, 3)).sigmoid()) / 2
        >>> torch.allclose(Ensemble(members, "binary")(torch.ones(1, 3)).sigmoid(), mean)
        True
    """

    def __init__(self, members: Sequence[torch.nn.Module], kind: TaskKind) -> None:
        super().__init__()
        if not members:
            raise InputError("ensemble: at least 1 network needed, none found")
        if kind not in TASKS:
            raise InputError(f"kind: one of {', '.join(TASKS)} needed, {kind!r} found")
        self.members = torch.nn.ModuleList(members)
        self.kind: TaskKind = kind

    def forward(self, input: Tensor) -> Tensor:
        """Logits of the mean prediction, ``(N, out)``."""
        return self.pooled(self.member_logits(input))

    def member_logits(self, input: Tensor) -> Tensor:
        """The logits of each member, ``(members, N, out)``."""
        return torch.stack([member(input) for member in self.members])

    def pooled(self, logits: Tensor) -> Tensor:
        """The logits of the mean of the predictions behind ``(members, N, out)``.

        In logarithms, so that a probability that is 0 in floating point keeps its logit.
        """
        if self.kind == "regression":
            return logits.mean(dim=0)
        if self.kind == "binary":
            # logit of the mean p: log sum p_k - log sum (1 - p_k)
            return logsigmoid(logits).logsumexp(dim=0) - logsigmoid(-logits).logsumexp(dim=0)
        return log_softmax(logits, dim=-1).logsumexp(dim=0) - math.log(len(logits))
