"""PyTorch's own samples: every entry of its two databases that has a twin here, every dtype."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from bionn import functional as F
from bionn import nn

flags_were_frozen = torch.backends.flags_frozen()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.common_modules import module_db
# The import forbids setting backend flags, for the whole process. What is called torch.backends
# wraps the module whose variable says so: to set an attribute of the wrapper changes nothing.
vars(torch.backends.m)["__allow_nonbracketed_mutation_flag"] = not flags_were_frozen

# fmt: off
FUNCTIONS = [
    "linear", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "softplus", "gelu", "silu", "softmax",
    "log_softmax", "mse_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "cross_entropy",
]
MODULES = [
    "Linear", "Sigmoid", "Tanh", "ReLU", "LeakyReLU", "ELU", "Softplus", "GELU", "SiLU", "Softmax",
    "LogSoftmax", "MSELoss", "BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss",
]
# fmt: on
# What torch takes and we do not, by the argument's name, and why.
EXCLUDED_ARGUMENTS = {
    "inplace": "overwriting an input goes against derivatives written in it",
    "size_average": "deprecated in torch since 0.4; reduction says it",
    "reduce": "deprecated in torch since 0.4; reduction says it",
}
EXCLUDED_DTYPES = {
    torch.complex32: "no model here has complex numbers",
    torch.complex64: "no model here has complex numbers",
    torch.complex128: "no model here has complex numbers",
}
TOLERANCE = {
    torch.bfloat16: (2e-2, 2e-2),
    torch.float16: (3e-3, 3e-3),
    torch.float32: (1e-5, 1e-6),
    torch.float64: (1e-11, 1e-12),
}

OPS = [op for op in op_db if op.name.removeprefix("nn.functional.") in FUNCTIONS]
INFOS = [info for info in module_db if info.name.removeprefix("nn.") in MODULES]
EVERY_OP = pytest.mark.parametrize("op", OPS, ids=lambda op: op.full_name)
EVERY_MODULE = pytest.mark.parametrize("info", INFOS, ids=lambda info: info.name)
pytestmark = pytest.mark.filterwarnings(
    "ignore:Using a target size:UserWarning",  # a sample that broadcasts: torch warns, so do we
    "ignore:Implicit dimension choice:UserWarning",
)


class Outcome(NamedTuple):
    """What one call gave: the value, then the gradients."""

    value: Tensor
    gradients: tuple[Tensor, ...]


def run(
    function: Callable[..., Tensor],
    args: Iterable[Any],
    kwargs: Mapping[str, Any],
    parameters: Iterable[Tensor] = (),
) -> Outcome:
    """Call, and differentiate by each argument and parameter that asks for it."""
    args = tuple(args)
    value = function(*args, **kwargs)
    if not value.requires_grad:
        return Outcome(value, ())
    every = (*args, *kwargs.values(), *parameters)
    asked = [a for a in every if isinstance(a, Tensor) and a.requires_grad]
    generator = torch.Generator().manual_seed(0)
    cotangent = torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value.dtype)
    return Outcome(value, torch.autograd.grad(value, asked, cotangent))


def run_in_float64(
    function: Callable[..., Tensor],
    args: Iterable[Any],
    kwargs: Mapping[str, Any],
    parameters: Iterable[Tensor] = (),
) -> Outcome:
    """The same with every number of half precision widened: the truth it is to be near."""
    wide = {name: in_float64(value) for name, value in kwargs.items()}
    return run(function, [in_float64(value) for value in args], wide, parameters)


def compare(ours: Outcome, theirs: Outcome, truth: Outcome | None, label: str) -> None:
    """Demand equality within TOLERANCE; in half precision, or to be no farther from the truth."""
    assert ours.value.requires_grad == theirs.value.requires_grad
    assert len(ours.gradients) == len(theirs.gradients)
    triples = zip(
        (ours.value, *ours.gradients),
        (theirs.value, *theirs.gradients),
        (None,) * (1 + len(ours.gradients)) if truth is None else (truth.value, *truth.gradients),
        strict=True,
    )
    for number, (mine, known, exact) in enumerate(triples):
        what = f"{label}, {f'gradient {number - 1}' if number else 'value'}"
        assert (mine.shape, mine.dtype) == (known.shape, known.dtype), what
        rtol, atol = TOLERANCE.get(known.dtype, (0.0, 0.0))
        near = torch.isclose(mine, known, rtol, atol, equal_nan=True)
        if exact is not None:
            near |= (mine.double() - exact).abs() <= (known.double() - exact).abs()
        assert bool(near.all()), f"{what}: {mine[~near]} but torch has {known[~near]}"


def in_float64(value: Any) -> Any:
    """A floating-point tensor as float64, anything else as it is."""
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.detach().double().requires_grad_(value.requires_grad)
    return torch.float64 if value in (torch.float16, torch.bfloat16) else value


def excluded(names: Iterable[str]) -> bool:
    return not EXCLUDED_ARGUMENTS.keys().isdisjoint(names)


def dtypes_of(op: Any) -> list[torch.dtype]:
    return [dtype for dtype in sorted(op.dtypes, key=str) if dtype not in EXCLUDED_DTYPES]


def test_every_twin_is_found() -> None:
    assert {op.name.removeprefix("nn.functional.") for op in OPS} == set(FUNCTIONS)
    assert {info.name.removeprefix("nn.") for info in INFOS} == set(MODULES)


@EVERY_OP
def test_function_agrees_with_torchs_samples(op: Any) -> None:
    ours = getattr(F, op.name.removeprefix("nn.functional."))
    ran = 0
    for dtype in dtypes_of(op):
        asks = dtype.is_floating_point
        for number, sample in enumerate(op.sample_inputs("cpu", dtype, requires_grad=asks)):
            assert not excluded(sample.kwargs), "count it in test_what_is_excluded_is_little"
            args = (sample.input, *sample.args)
            exact = None
            if dtype in (torch.float16, torch.bfloat16):
                exact = run_in_float64(op.op, args, sample.kwargs)
            mine, known = (run(function, args, sample.kwargs) for function in (ours, op.op))
            compare(mine, known, exact, f"{dtype} sample {number}")
            ran += 1
    assert ran > 0 or set(op.dtypes) <= set(EXCLUDED_DTYPES)


def module_samples(info: Any, dtype: torch.dtype) -> Iterator[Any]:
    given = {"device": "cpu", "dtype": dtype, "requires_grad": True, "training": True}
    return iter(info.module_inputs_func(info, **given))


@EVERY_MODULE
def test_module_agrees_with_torchs_samples(info: Any) -> None:
    name = info.name.removeprefix("nn.")
    ran = 0
    for dtype in info.dtypes:
        for number, sample in enumerate(module_samples(info, dtype)):
            built, passed = sample.constructor_input, sample.forward_input
            if excluded(built.kwargs):
                continue
            modules = []
            for made in (getattr(nn, name), info.module_cls):
                torch.manual_seed(0)
                modules.append(made(*built.args, **built.kwargs).to(dtype))
            state = modules[1].state_dict()
            assert modules[0].load_state_dict(state) == modules[1].load_state_dict(state)
            exact = None
            if dtype == torch.float16:
                wide = info.module_cls(*built.args, **built.kwargs).double()
                exact = run_in_float64(wide, passed.args, passed.kwargs, wide.parameters())
            ours, theirs = (
                run(module, passed.args, passed.kwargs, module.parameters()) for module in modules
            )
            compare(ours, theirs, exact, f"{dtype} sample {number}, {built.args} {built.kwargs}")
            ran += 1
    assert ran > 0


@pytest.mark.parametrize(
    "op", [op for op in OPS if op.error_inputs_func], ids=lambda op: op.full_name
)
def test_function_refuses_what_torch_refuses(op: Any) -> None:
    function = getattr(F, op.name.removeprefix("nn.functional."))
    for error in op.error_inputs("cpu"):
        sample = error.sample_input
        with pytest.raises(error.error_type, match=error.error_regex) as caught:
            function(sample.input, *sample.args, **sample.kwargs)
        assert caught.type is error.error_type


@pytest.mark.parametrize(
    "info", [info for info in INFOS if info.module_error_inputs_func], ids=lambda info: info.name
)
def test_module_refuses_what_torch_refuses(info: Any) -> None:
    make = getattr(nn, info.name.removeprefix("nn."))
    given = {"device": "cpu", "dtype": torch.float32, "requires_grad": False, "training": True}
    for error in info.module_error_inputs_func(info, **given):
        sample = error.module_error_input
        built, passed = sample.constructor_input, sample.forward_input
        with pytest.raises(error.error_type) as caught:
            make(*built.args, **built.kwargs)(*passed.args, **passed.kwargs)
        assert caught.type is error.error_type


def test_what_is_excluded_is_little() -> None:
    """Samples left out: those of complex dtypes, and those that name an excluded argument."""
    left_out = sum(
        excluded(sample.constructor_input.kwargs)
        for info in INFOS
        for dtype in info.dtypes
        for sample in module_samples(info, dtype)
    )
    assert left_out == 0
    only_complex = [op.full_name for op in OPS if not dtypes_of(op)]
    assert only_complex == ["nn.functional.silu.complex"]


def test_other_tests_may_still_set_backend_flags() -> None:
    assert torch.backends.flags_frozen() == flags_were_frozen
    torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark
