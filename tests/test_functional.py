"""What the functions refuse, and the lecture's numbers they reproduce."""

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as T
from torch.autograd import forward_ad

from bionn import functional as F

LOGITS, HALF = torch.randn(4, 3), torch.full((4, 3), 0.5)
LABELS = torch.tensor([0, 1, 2, 1])


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("linear", (LOGITS, torch.ones(2, 4)), {}),
        ("linear", (torch.tensor(1.0), torch.ones(2, 4)), {}),
        ("linear", (LOGITS, torch.ones(2, 3, dtype=torch.float64)), {}),
        ("gelu", (LOGITS,), {"approximate": "erf"}),
        ("softmax", (LOGITS,), {"dim": 5}),
        ("log_softmax", (LOGITS,), {"dim": -3}),
        ("mse_loss", (LOGITS, LOGITS), {"reduction": "average"}),
        ("mse_loss", (LOGITS, LOGITS), {"weight": torch.ones(3)}),
        ("binary_cross_entropy", (HALF, HALF[0]), {}),
        ("binary_cross_entropy", (HALF + 1, HALF), {}),
        ("binary_cross_entropy", (HALF, HALF - 1), {}),
        ("binary_cross_entropy", (HALF, HALF.double()), {}),
        ("binary_cross_entropy", (HALF, HALF), {"reduction": "average"}),
        ("binary_cross_entropy", (HALF, HALF, torch.ones(3, requires_grad=True)), {}),
        ("binary_cross_entropy_with_logits", (LOGITS, HALF[0]), {}),
        ("binary_cross_entropy_with_logits", (LOGITS, HALF), {"reduction": "average"}),
        (
            "binary_cross_entropy_with_logits",
            (LOGITS, HALF),
            {"pos_weight": torch.ones(3, requires_grad=True)},
        ),
        ("binary_cross_entropy_with_logits", (LOGITS, HALF), {"pos_weight": torch.ones(2, 4, 3)}),
        ("binary_cross_entropy_with_logits", (LOGITS, HALF, torch.ones(2, 4, 3)), {}),
        ("binary_cross_entropy", (HALF, HALF, torch.ones(2, 4, 3)), {}),
        ("cross_entropy", (LOGITS, LABELS + 1), {}),
        ("cross_entropy", (LOGITS, LABELS - 1), {}),
        ("cross_entropy", (LOGITS, LABELS.int()), {}),
        ("cross_entropy", (LOGITS, LABELS[:2]), {}),
        ("cross_entropy", (LOGITS, LABELS.reshape(4, 1)), {}),
        ("cross_entropy", (LOGITS, LABELS), {"label_smoothing": 1.5}),
        ("cross_entropy", (LOGITS, LABELS), {"reduction": "average"}),
        ("cross_entropy", (LOGITS, LABELS), {"weight": torch.ones(2)}),
        ("cross_entropy", (LOGITS, LABELS), {"weight": torch.ones(3, dtype=torch.float64)}),
        ("cross_entropy", (LOGITS, LABELS), {"weight": torch.ones(3, requires_grad=True)}),
        ("cross_entropy", (LOGITS, LOGITS.long()), {}),
        ("cross_entropy", (LOGITS, HALF), {"ignore_index": 1}),
        ("cross_entropy", (LOGITS[0, 0], LABELS[0]), {}),
    ],
)
def test_what_torch_refuses_is_refused_with_the_same_type(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011  (whatever torch raises)
        getattr(T, name)(*args, **kwargs)
    with pytest.raises(theirs.type) as ours:
        getattr(F, name)(*args, **kwargs)
    assert ours.type is theirs.type
    assert str(ours.value)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 2, 3), (1, 2, 2, 3)])
def test_softmax_without_a_dimension_warns_and_chooses_as_torch(
    name: str, shape: tuple[int, ...]
) -> None:
    z = torch.randn(shape)
    with pytest.warns(UserWarning, match="Implicit dimension choice"):
        expected = getattr(T, name)(z)
    with pytest.warns(UserWarning, match="Implicit dimension choice") as caught:
        actual = getattr(F, name)(z)
    assert caught[0].filename == __file__
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_casts_to_the_dtype_asked_for(name: str) -> None:
    z = torch.randn(2, 3).bfloat16()
    actual = getattr(F, name)(z, 1, dtype=torch.float64)
    torch.testing.assert_close(actual, getattr(T, name)(z, 1, dtype=torch.float64))


@pytest.mark.parametrize("function", [F.mse_loss, F.half_squared_error])
def test_squared_errors_warn_of_broadcasting_and_sum_the_gradient_back(
    function: Callable[..., torch.Tensor],
) -> None:
    y = torch.randn(3, requires_grad=True, dtype=torch.float64)
    target = torch.randn(2, 3, dtype=torch.float64)
    with pytest.warns(UserWarning, match="different to the input size") as caught:
        loss = function(y, target)
    assert caught[0].filename == __file__
    (gradient,) = torch.autograd.grad(loss, y)
    factor = 2 if function is F.mse_loss else 1
    torch.testing.assert_close(gradient, factor * (y.detach() - target).sum(0) / 6)


@pytest.mark.parametrize(
    "function", [F.mse_loss, F.half_squared_error, F.binary_cross_entropy_with_logits]
)
def test_mixed_precisions_meet_in_the_wider_and_return_gradients_in_their_own(
    function: Callable[..., torch.Tensor],
) -> None:
    y = torch.rand(4).bfloat16().requires_grad_()
    loss = function(y, torch.rand(4))
    assert loss.dtype == torch.float32
    loss.backward()
    assert y.grad is not None
    assert y.grad.dtype == torch.bfloat16


def test_class_probabilities_take_a_gradient_for_the_weight_as_torchs() -> None:
    weight = torch.rand(3, requires_grad=True)
    gradients = [
        torch.autograd.grad(f(LOGITS, HALF, weight, label_smoothing=0.2), weight)[0]
        for f in (F.cross_entropy, T.cross_entropy)
    ]
    torch.testing.assert_close(*gradients)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*is deprecated.*")
@pytest.mark.parametrize(
    "function",
    [
        lambda w: F.binary_cross_entropy(HALF, HALF, w),
        lambda w: F.binary_cross_entropy_with_logits(LOGITS, HALF, w),
        lambda w: F.binary_cross_entropy_with_logits(LOGITS, HALF, pos_weight=w),
        lambda w: F.cross_entropy(LOGITS, LABELS, w),
    ],
    ids=["bce", "logits", "logits pos_weight", "cross_entropy"],
)
def test_forward_mode_by_a_constant_is_refused_not_silently_zero(
    function: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(torch.ones(3), torch.ones(3))
        with pytest.raises(RuntimeError, match="not differentiable"):
            function(dual)


class TestOneHotLinear:
    codes = torch.tensor([[0, 1, 2], [3, 4, 0]])
    weight, bias = torch.randn(2, 4, 3), torch.randn(2)

    def test_default_table_reads_the_fifth_code_as_nothing(self) -> None:
        nothing = torch.full((1, 3), 4)
        assert torch.equal(F.onehot_linear(nothing, self.weight, self.bias), self.bias[None])

    @pytest.mark.parametrize(("wrong", "named"), [(5, "largest is 5"), (-1, "smallest is -1")])
    def test_a_code_without_a_row_is_an_index_error(self, wrong: int, named: str) -> None:
        codes = self.codes.clone()
        codes[1, 1] = wrong
        with pytest.raises(IndexError, match=rf"S = 5.*{named}"):
            F.onehot_linear(codes, self.weight)

    @pytest.mark.parametrize(
        ("error", "message", "kwargs"),
        [
            (TypeError, "uint8 or int64", {"codes": codes.int()}),
            (TypeError, "uint8 or int64", {"codes": codes > 0}),
            (ValueError, "(*, 3)", {"codes": codes[:, :2]}),
            (ValueError, "(*, 3)", {"codes": torch.tensor(1)}),
            (ValueError, "(*, 4, 3)", {"codes": torch.zeros(2, 3, 4)}),
            (ValueError, "(out, A, L)", {"weight": weight.flatten(1)}),
            (ValueError, "(S, 4)", {"table": torch.eye(5)}),
            (ValueError, "table.detach()", {"table": torch.eye(5, 4, requires_grad=True)}),
        ],
    )
    def test_what_does_not_fit_is_refused(
        self, error: type[Exception], message: str, kwargs: dict[str, Any]
    ) -> None:
        arguments = {"codes": self.codes, "weight": self.weight, **kwargs}
        with pytest.raises(error, match=re.escape(message)):
            F.onehot_linear(**arguments)

    def test_a_bias_of_one_number_is_added_to_every_output(self) -> None:
        output = F.onehot_linear(self.codes, self.weight.detach(), torch.ones(1))
        without = F.onehot_linear(self.codes, self.weight.detach())
        torch.testing.assert_close(output, without + 1)

    def test_onehot_input_gives_the_same_output_and_takes_a_gradient(self) -> None:
        onehot = torch.eye(5, 4)[self.codes].transpose(1, 2).contiguous().requires_grad_()
        output = F.onehot_linear(onehot, self.weight, self.bias)
        torch.testing.assert_close(output, F.onehot_linear(self.codes, self.weight, self.bias))
        (gradient,) = torch.autograd.grad(output[:, 1].sum(), onehot)
        torch.testing.assert_close(gradient, self.weight[1].expand(2, 4, 3))

    def test_the_gradient_is_laid_out_as_the_weight_the_kernel_likes(self) -> None:
        weight = torch.randn(3, 4, 2).permute(2, 1, 0).requires_grad_()
        output = F.onehot_linear(self.codes, weight)
        (gradient,) = torch.autograd.grad(output.sum(), weight)
        assert gradient.stride() == weight.stride()


def test_worked_forward_pass_to_the_digits_printed() -> None:
    x = torch.tensor([13.0, 2.0, 7.0])
    hidden = F.sigmoid(F.linear(x, torch.tensor([[0.1, 0.3, -0.2], [-0.4, 0.5, 0.8]])))
    output = F.sigmoid(F.linear(hidden, torch.tensor([[-0.7, 0.9]])))
    assert [round(value, 2) for value in (*hidden.tolist(), output.item())] == [0.62, 0.80, 0.57]


def test_backpropagation_through_two_sigmoid_layers_row_by_row() -> None:
    make = torch.Generator().manual_seed(1)
    x, alpha = torch.randn(3, generator=make), torch.randn(2, 3, generator=make)
    beta, goal = torch.randn(1, 2, generator=make), torch.tensor([1.0])
    leaves = [tensor.requires_grad_() for tensor in (x, alpha, beta)]
    z = F.sigmoid(F.linear(x, alpha))
    y = F.sigmoid(F.linear(z, beta))
    gradients = torch.autograd.grad(F.binary_cross_entropy(y, goal), leaves)
    with torch.no_grad():
        d_b = y - goal  # loss and sigmoid together, with the minus sign of J
        d_z = d_b * beta[0]
        d_a = d_z * z * (1 - z)
        by_hand = [alpha.t() @ d_a, torch.outer(d_a, x), (d_b * z)[None]]
    torch.testing.assert_close(list(gradients), by_hand)


def test_uniform_prediction_costs_the_logarithm_of_the_number_of_classes() -> None:
    loss = F.cross_entropy(torch.zeros(5, 7), torch.arange(5))
    torch.testing.assert_close(loss, torch.tensor(math.log(7)))
    loss = F.binary_cross_entropy_with_logits(torch.zeros(5), torch.ones(5))
    torch.testing.assert_close(loss, torch.tensor(math.log(2)))


def test_two_class_softmax_is_the_sigmoid_of_the_difference() -> None:
    z = torch.randn(6, 2, dtype=torch.float64)
    torch.testing.assert_close(F.softmax(z, 1)[:, 1], F.sigmoid(z[:, 1] - z[:, 0]))
