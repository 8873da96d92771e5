"""The data module of a prepared set: batches that lie where they are wanted stay as they are."""

from __future__ import annotations

import torch

from bionn.data.batches import Batch
from bionn.data.resident import ResidentDataModule
from tests.small_sets import prepared


def test_batches_that_lie_on_the_device_are_not_copied_others_are_sent() -> None:
    data = ResidentDataModule(lambda: prepared("binary"))
    batch = Batch(torch.zeros(2, 3), torch.zeros(2), torch.arange(2))
    assert data.transfer_batch_to_device(batch, torch.device("cpu"), 0) is batch
    sent = data.transfer_batch_to_device(batch, torch.device("meta"), 0)
    assert {tensor.device.type for tensor in sent} == {"meta"}
    (other,) = data.transfer_batch_to_device([batch.inputs], torch.device("meta"), 0)
    assert other.device.type == "meta"
