"""The Triton kernels give float64's numbers: on a GPU if there is one, else in the interpreter."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from bionn import functional as F
from bionn.kernels import cpu, gpu

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
LETTERS = torch.eye(5, 4)
IUPAC = torch.cat([LETTERS, torch.tensor([[0.5, 0, 0.5, 0], [1 / 3, 0, 1 / 3, 1 / 3]])])
PROTEIN = torch.rand(24, 21, generator=torch.Generator().manual_seed(1))
# around the width of a tile, in all three directions; samples x length x outputs
SIZES = [(1, 1, 1), (3, 5, 2), (16, 16, 64), (17, 33, 15), (65, 17, 66), (130, 16, 129)]

pytestmark = pytest.mark.skipif(gpu.kernels() is None, reason="Triton is not installed")


@pytest.fixture(autouse=True)
def device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the interpreter take the CPU's tensors, and nothing else."""
    monkeypatch.setattr(gpu, "DEVICE_TYPE", DEVICE)
    monkeypatch.setattr(cpu, "takes", lambda *_, **__: False)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kernels called so far."""
    called: list[str] = []
    assert gpu._works(normal(1).device)  # tried before anything is counted

    def spy(name: str) -> Callable[..., Tensor]:
        own = getattr(gpu, name)

        def called_through(*arguments: Any) -> Tensor:
            called.append(name)
            return own(*arguments)

        return called_through

    for name in ("onehot_value", "onehot_chain"):
        monkeypatch.setattr(gpu, name, spy(name))
    return called


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE)


def draw_codes(samples: int, length: int, symbols: int) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    codes = torch.randint(symbols, (samples, length), generator=generator, dtype=torch.uint8)
    return codes.to(DEVICE)


def one_hot(codes: Tensor, table: Tensor) -> Tensor:
    return table.to(DEVICE).double()[codes.long()].flatten(1)


def close_to_sum(found: Tensor, x: Tensor, y: Tensor, bias: Tensor | float = 0.0) -> None:
    """Compare with ``x @ y + bias`` in float64: off by what float32 sums in any order may be."""
    exact = x @ y + bias
    bound = (x.abs() @ y.abs() + abs(bias)) * torch.finfo(torch.float32).eps * 4
    assert ((found.double() - exact).abs() <= bound).all()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("table", [LETTERS, IUPAC, PROTEIN], ids=["letters", "iupac", "protein"])
def test_the_layer_and_its_gradient_equal_float64_at_every_size(
    size: tuple[int, int, int], table: Tensor
) -> None:
    samples, length, units = size
    codes = draw_codes(samples, length, len(table))
    weight, bias = normal(length, table.shape[1], units), normal(units, seed=1)
    upstream, x = normal(samples, units, seed=3), one_hot(codes, table)
    out = gpu.onehot_value(codes, weight, bias, table.to(DEVICE))
    close_to_sum(out, x, weight.double().flatten(0, 1), bias.double())
    gradient = gpu.onehot_chain(codes, upstream, table.to(DEVICE))
    assert gradient.shape == weight.shape
    close_to_sum(gradient.flatten(0, 1), x.t(), upstream.double())


def test_three_parts_hold_every_bit_of_a_float32() -> None:
    magnitudes = torch.linspace(-30, 30, 64, device=DEVICE)
    weight = normal(1, 4, 64) * 10**magnitudes
    codes = torch.tensor([[3], [0], [4], [2], [1]], dtype=torch.uint8, device=DEVICE)
    rows = torch.cat([weight[0], torch.zeros(1, 64, device=DEVICE)])
    out = gpu.onehot_value(codes, weight, None, LETTERS.to(DEVICE))
    assert torch.equal(out, rows[codes[:, 0].long()])
    upstream = out[[1, 4, 3, 0, 2]]
    gradient = gpu.onehot_chain(codes, upstream, LETTERS.to(DEVICE))
    assert torch.equal(gradient[0], upstream[[1, 4, 3, 0]])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_in_float32_and_rounded_once(dtype: torch.dtype) -> None:
    codes, table = draw_codes(33, 40, 5), LETTERS.to(DEVICE, dtype)
    weight, upstream = normal(40, 4, 17).to(dtype), normal(33, 17, seed=1).to(dtype)
    x = one_hot(codes, LETTERS)
    out = gpu.onehot_value(codes, weight, None, table)
    gradient = gpu.onehot_chain(codes, upstream, table)
    for found, exact in (
        (out, x @ weight.double().flatten(0, 1)),
        (gradient.flatten(0, 1), x.t() @ upstream.double()),
    ):
        assert found.dtype == dtype
        # the interpreter cuts bfloat16 off where a GPU rounds it
        ulps = 1.0 if DEVICE == "cpu" and dtype == torch.bfloat16 else 0.5
        rtol = torch.finfo(dtype).eps * ulps * 1.01
        torch.testing.assert_close(found.double(), exact, rtol=rtol, atol=1e-5)


def test_programs_that_share_the_samples_give_the_same_bits_each_time() -> None:
    codes, upstream = draw_codes(1100, 2, 5), normal(1100, 20)
    table = LETTERS.to(DEVICE)
    first = gpu.onehot_chain(codes, upstream, table)
    assert torch.equal(first, gpu.onehot_chain(codes, upstream, table))
    close_to_sum(first.flatten(0, 1), one_hot(codes, LETTERS).t(), upstream.double())


def test_nothing_in_is_nothing_or_the_bias_out() -> None:
    table, bias = LETTERS.to(DEVICE), normal(3)
    none = torch.zeros(0, 6, dtype=torch.uint8, device=DEVICE)
    assert gpu.onehot_value(none, normal(6, 4, 3), bias, table).shape == (0, 3)
    assert torch.equal(
        gpu.onehot_chain(none, normal(0, 3), table), torch.zeros(6, 4, 3, device=DEVICE)
    )
    empty = torch.zeros(2, 0, dtype=torch.uint8, device=DEVICE)
    assert torch.equal(gpu.onehot_value(empty, normal(0, 4, 3), bias, table), bias.expand(2, 3))
    assert gpu.onehot_chain(empty, normal(2, 3), table).shape == (0, 4, 3)


@pytest.mark.skipif(DEVICE == "cuda", reason="a device-side assertion ends the process's use of it")
@pytest.mark.parametrize("code", [5, 255, -1, 261])
def test_codes_out_of_range_are_refused(code: int) -> None:
    codes = torch.tensor([[0, code]])
    with pytest.raises(RuntimeError, match=r"codes must lie in \[0, 5\)"):
        gpu.onehot_value(codes, normal(2, 4, 3), None, LETTERS)


def test_the_op_uses_them_and_gives_its_usual_numbers(calls: list[str]) -> None:
    codes = draw_codes(40, 9, 5).reshape(2, 20, 9)
    for given in (codes, codes.long()):
        weight = normal(7, 4, 9).requires_grad_()
        bias = normal(7, seed=1).requires_grad_()
        out = F.onehot_linear(given, weight, bias)
        upstream = normal(*out.shape, seed=2)
        gradients = torch.autograd.grad(out, (weight, bias), upstream)
        dense = [t.detach().double().requires_grad_() for t in (weight, bias)]
        table = LETTERS.to(DEVICE).double()
        known = torch.nn.functional.linear(
            table[codes.long()].transpose(-1, -2).flatten(-2), dense[0].flatten(1), dense[1]
        )
        expected = torch.autograd.grad(known, dense, upstream.double())
        torch.testing.assert_close(out.double(), known, rtol=1e-5, atol=1e-5)
        for one, other in zip(gradients, expected, strict=True):
            torch.testing.assert_close(one.double(), other, rtol=1e-5, atol=1e-5)
    assert calls == ["onehot_value", "onehot_chain"] * 2


def test_what_they_do_not_take_goes_the_plain_way(calls: list[str]) -> None:
    codes, weight = draw_codes(3, 9, 5), normal(7, 4, 9)
    wide = weight.double()
    plain = F.onehot_linear(codes, wide)
    torch.testing.assert_close(
        torch.vmap(lambda w: F.onehot_linear(codes, w))(weight[None])[0].double(),
        plain,
        rtol=1e-5,
        atol=1e-5,
    )
    assert calls == []
    leaf = weight.clone().requires_grad_()
    out = F.onehot_linear(codes, leaf)
    assert calls == ["onehot_value"]
    (slope,) = torch.autograd.grad(out.square().sum(), leaf, create_graph=True)
    assert calls == ["onehot_value"]  # a gradient that is differentiated again is plain
    (curvature,) = torch.autograd.grad(slope.sum(), leaf)
    assert calls == ["onehot_value", "onehot_chain"]
    x = one_hot(codes, LETTERS)
    expected = 2 * (x.t() @ x).sum(1).reshape(9, 4).t().expand(7, 4, 9)
    torch.testing.assert_close(curvature.double(), expected, rtol=1e-5, atol=1e-5)


def test_a_bias_for_all_outputs_goes_the_plain_way(calls: list[str]) -> None:
    codes, weight, bias = draw_codes(3, 9, 5), normal(7, 4, 9), normal(1)
    out = F.onehot_linear(codes, weight, bias)
    torch.testing.assert_close(out, F.onehot_linear(codes, weight) + bias)
    assert calls == ["onehot_value"]


def test_tf32_is_asked_for_as_torch_is(monkeypatch: pytest.MonkeyPatch) -> None:
    found = gpu.kernels()
    assert found is not None
    constants = gpu._constants(found, LETTERS)
    assert (constants["SPLIT"], constants["PRECISION"]) == (True, "ieee")
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        constants = gpu._constants(found, LETTERS)
        assert (constants["SPLIT"], constants["PRECISION"]) == (False, "tf32")
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.fixture
def untried() -> Any:
    """Forget, before and after, what was found out about Triton and devices."""
    known = gpu._works, gpu.kernels
    for function in known:
        function.cache_clear()
    yield
    for function in known:
        function.cache_clear()


@pytest.mark.usefixtures("untried")
def test_without_triton_the_op_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bionn.kernels.triton", None)
    monkeypatch.delattr("bionn.kernels.triton", raising=False)
    codes, weight = draw_codes(3, 9, 5), normal(7, 4, 9)
    out = F.onehot_linear(codes, weight)
    assert gpu.kernels() is None
    close_to_sum(out, one_hot(codes, LETTERS), weight.double().transpose(1, 2).flatten(1).t())


@pytest.mark.usefixtures("untried")
def test_kernels_that_do_not_compile_are_told_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        tl = getattr(gpu.kernels(), "tl")  # noqa: B009

        class onehot_value:
            def __class_getitem__(cls, grid: object) -> Callable[..., None]:
                raise RuntimeError("ptxas: not found\nsee the manual")

    monkeypatch.setattr(gpu, "kernels", lambda: Broken)
    codes, weight = draw_codes(3, 9, 5), normal(7, 4, 9)
    with caplog.at_level(logging.WARNING):
        out = [F.onehot_linear(codes, weight) for _ in range(3)]
    close_to_sum(out[0], one_hot(codes, LETTERS), weight.double().transpose(1, 2).flatten(1).t())
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        f"no Triton kernels on {codes.device} (ptxas: not found)"
    ]


COMPILE = """
import sys
import torch
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from bionn.kernels import gpu

found = gpu.kernels()
sizes = dict.fromkeys(["samples", "length", "units", "symbols", "share"], "i32")
for codes, name, dtype in (("u8", "fp32", torch.float32), ("i64", "bf16", torch.bfloat16)):
    for kernel in (found.onehot_value, found.onehot_chain):
        constants = gpu._tiles(4096, 800, 512) | gpu._constants(found, torch.eye(5, 4, dtype=dtype))
        options = {key: constants.pop(key) for key in ("num_stages", "enable_fp_fusion")}
        constants = {"BIAS": True} | constants
        signature = {"codes": "*" + codes, "gradient": "*fp32"} | sizes
        signature |= dict.fromkeys(["weight", "bias", "table", "out", "upstream"], "*" + name)
        signature |= dict.fromkeys(constants, "constexpr")
        taken = {argument: signature[argument] for argument in kernel.arg_names}
        values = {(place,): constants[argument] for place, argument in enumerate(kernel.arg_names)
                  if argument in constants}
        source = ASTSource(fn=kernel, signature=taken, constexprs=values)
        built = compile(source, target=GPUTarget("cuda", int(sys.argv[1]), 32), options=options)
        print(kernel.__name__, name, built.metadata.shared, built.asm["ptx"].count("mma"))
"""


@pytest.mark.parametrize("architecture", ["80", "90"])
def test_they_compile_for_tensor_cores_without_a_gpu(architecture: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, architecture],
        env={key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[:2] for line in lines] == [
        [kernel, dtype] for dtype in ("fp32", "bf16") for kernel in ("onehot_value", "onehot_chain")
    ]
    for _, _, shared, products in lines:
        assert int(shared) <= 99 * 1024  # the least shared memory of a block since capability 8.0
        assert int(products) > 0
