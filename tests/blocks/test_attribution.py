"""Attributions by Captum and tangermeme add up to the difference of the network's outputs."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Module

from bionn import nn
from bionn.explain.registration import (
    ALONG_A_DIMENSION,
    ELEMENTWISE,
    register_captum,
    tangermeme_ops,
)
from bionn.models import MLP
from bionn.models.layers import ACTIVATIONS

pytestmark = pytest.mark.filterwarnings(
    "ignore:Setting forward, backward hooks:UserWarning",  # Captum, on every call
)
LETTERS, LENGTH, CLASSES = 4, 12, 3
ALL = [kind.__name__ for kind in (*ELEMENTWISE, *ALONG_A_DIMENSION)]
SMOOTH = ["sigmoid", "tanh", "softplus", "gelu", "silu"]
GAP = 1e-5


def sequences(count: int, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, LETTERS, (count, LENGTH), generator=draw)
    return torch.eye(LETTERS)[codes].mT.contiguous()


ONEHOT, BASELINE = sequences(6, seed=0), sequences(6, seed=1)


def wanted() -> Tensor:
    """The input as Captum asks for it."""
    return ONEHOT.clone().requires_grad_()


def classifier(kit: ModuleType, name: str) -> Module:
    """One-hot to logits through one hidden layer of that activation."""
    torch.manual_seed(1)
    options = {"dim": 1} if "Softmax" in name else {}
    first = nn.OneHotLinear(LETTERS, LENGTH, 16)
    return torch.nn.Sequential(first, getattr(kit, name)(**options), kit.Linear(16, CLASSES))


def gap(network: Module, attributions: Tensor, target: int = 1) -> float:
    """How far the attributions are from adding up; Captum's own delta is not relied on."""
    with torch.no_grad():
        difference = network(ONEHOT) - network(BASELINE)
    return (attributions.flatten(1).sum(1) - difference[:, target]).abs().max().item()


class TestCaptum:
    @pytest.fixture(autouse=True)
    def captum(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        """``captum.attr``, for a while knowing torch's types only."""
        attr = pytest.importorskip(
            "captum.attr", reason="Captum is in the extra 'bench': pip install captum"
        )
        from captum.attr._core import deep_lift

        types = deep_lift.SUPPORTED_NON_LINEAR.items()
        known = {kind: rule for kind, rule in types if kind.__module__.startswith("torch.")}
        monkeypatch.setattr(deep_lift, "SUPPORTED_NON_LINEAR", known)
        return attr

    def deep_lift(self, captum: Any, network: Module) -> Tensor:
        return captum.DeepLift(network).attribute(wanted(), BASELINE, target=1)

    @pytest.mark.parametrize("name", ALL)
    def test_deep_lift_adds_up_once_registered_and_not_before(self, captum: Any, name: str) -> None:
        network = classifier(nn, name)
        assert gap(network, self.deep_lift(captum, network)) > 100 * GAP
        register_captum()
        register_captum()
        assert gap(network, self.deep_lift(captum, network)) < GAP

    @pytest.mark.parametrize("name", ["ReLU", "LeakyReLU", "Sigmoid", "Tanh", "ELU", "Softplus"])
    def test_deep_lift_gives_what_it_gives_for_torchs_type(self, captum: Any, name: str) -> None:
        register_captum()
        ours, theirs = classifier(nn, name), classifier(torch.nn, name)
        expected = self.deep_lift(captum, theirs)
        torch.testing.assert_close(self.deep_lift(captum, ours), expected, rtol=1e-4, atol=1e-6)

    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_deep_lift_adds_up_through_a_deep_mlp(self, captum: Any, activation: str) -> None:
        register_captum()
        torch.manual_seed(1)
        network = MLP((LETTERS, LENGTH), (24, 16), CLASSES, activation=activation).eval()
        before = set(vars(network.layers[1]))
        assert gap(network, self.deep_lift(captum, network)) < GAP
        assert set(vars(network.layers[1])) == before

    def test_deep_lift_adds_up_to_probabilities(self, captum: Any) -> None:
        register_captum()
        network = torch.nn.Sequential(classifier(nn, "ReLU"), nn.Softmax(dim=1))
        assert gap(network, self.deep_lift(captum, network)) < GAP

    @pytest.mark.parametrize("activation", SMOOTH)
    def test_integrated_gradients_add_up(self, captum: Any, activation: str) -> None:
        torch.manual_seed(1)
        network = MLP((LETTERS, LENGTH), (24, 16), CLASSES, activation=activation)
        attributions = captum.IntegratedGradients(network).attribute(wanted(), BASELINE, target=1)
        assert gap(network, attributions) < GAP

    def test_integrated_gradients_of_relu_are_those_of_torchs(self, captum: Any) -> None:
        # a path with kinks: the quadrature itself adds up to .01 only, for any ReLU
        ours, theirs = (
            captum.IntegratedGradients(classifier(kit, "ReLU")).attribute(
                wanted(), BASELINE, target=1
            )
            for kit in (nn, torch.nn)
        )
        torch.testing.assert_close(ours, theirs)


class TestTangermeme:
    @pytest.fixture(autouse=True)
    def deep_lift_shap(self) -> Any:
        module = pytest.importorskip(
            "tangermeme.deep_lift_shap",
            reason="tangermeme is in the extra 'bench': pip install tangermeme",
        )
        return module.deep_lift_shap

    def multipliers(self, deep_lift_shap: Any, network: Module, **options: Any) -> Tensor:
        references = BASELINE[:, None]
        result = deep_lift_shap(
            network, ONEHOT, target=1, references=references, raw_outputs=True, device="cpu",
            **options,
        )  # fmt: skip
        return (ONEHOT - BASELINE) * result[:, 0]

    @pytest.mark.parametrize("name", ALL)
    def test_deep_lift_adds_up_with_our_rules(self, deep_lift_shap: Any, name: str) -> None:
        network = classifier(nn, name)
        ops = tangermeme_ops()
        attributions = self.multipliers(deep_lift_shap, network, additional_nonlinear_ops=ops)
        assert gap(network, attributions) < GAP

    def test_deep_lift_does_not_add_up_without_them(self, deep_lift_shap: Any) -> None:
        network = classifier(nn, "ReLU")
        with pytest.warns(RuntimeWarning, match="no DeepLIFT rule"):
            attributions = self.multipliers(deep_lift_shap, network, warning_threshold=1.0)
        assert gap(network, attributions) > 100 * GAP


def test_every_activation_has_a_rule() -> None:
    losses = {"BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "HalfSquaredError", "MSELoss"}
    layers = {"Dropout", "Linear", "OneHotLinear", "init"}
    assert set(ALL) == set(nn.__all__) - losses - layers
