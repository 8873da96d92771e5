"""What every op shares: the pair of Functions, the elementwise op, broadcasting, precision."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, overload

import torch
from torch import Tensor
from torch._C._autograd import _top_saved_tensors_default_hooks
from torch._C._functorch import (
    _add_batch_dim,
    get_unwrapped,
    is_batchedtensor,
    is_functorch_wrapped_tensor,
    maybe_get_bdim,
    maybe_get_level,
)
from torch.autograd import Function, forward_ad

from bionn.kernels import nodes


class FunctionPair(NamedTuple):
    """The two faces of one op: with reverse mode only, and with forward mode as well.

    ``torch.compile(fullgraph=True)`` refuses a Function that defines ``jvp``; forward-mode
    differentiation refuses one that does not. The pair serves each with the face it takes.

    Attributes:
        reverse: A Function with ``backward`` only, used while compiling.
        both: Its subclass with ``jvp``, used everywhere else.
    """

    reverse: type[Function]
    both: type[Function]

    def __call__(self, *args: Any) -> Any:
        """Apply the op to positional arguments."""
        if torch.compiler.is_compiling():
            return self.reverse.apply(*args)
        if torch._C._are_functorch_transforms_active():
            return self.both.apply(*args)
        return apply_plainly(self.both, *args)


def apply_plainly(function: type[Function], *args: Any) -> Any:
    """What ``function.apply`` comes to outside ``torch.func``.

    ``apply`` itself first binds its arguments to the signature, which costs more than a small op.
    """
    call: Any = super(Function, function)
    return call.apply(*args)


def save(ctx: Any, *tensors: Tensor | None) -> None:
    """Keep tensors for the derivative, for both directions of differentiation.

    Arguments of the op that take no part in a derivative then arrive in ``backward`` and ``jvp``
    as None instead of as zeros.
    """
    ctx.save_for_backward(*tensors)
    if not torch.compiler.is_compiling():
        ctx.save_for_forward(*tensors)
        ctx.set_materialize_grads(False)


@contextmanager
def forward_rule(ctx: Any) -> Iterator[tuple[Any, ...]]:
    """Open a ``jvp``: gives the saved tensors, and lets forward mode differentiate the rule again.

    torch calls ``jvp`` with forward mode off, which makes forward-over-forward derivatives silently
    zero (pytorch#197867). Here it is on; so that a rule does not differentiate itself, the saved
    tensors come without the tangents of its own level.
    """
    saved = tuple(None if tensor is None else _primal(tensor) for tensor in ctx.saved_tensors)
    with forward_ad._set_fwd_grad_enabled(True):
        yield saved


def _primal(tensor: Tensor) -> Tensor:
    """A tensor without its tangent; what vmap has wrapped is unwrapped for it and wrapped again."""
    if is_batchedtensor(tensor):
        inner = _primal(get_unwrapped(tensor))
        dim, level = maybe_get_bdim(tensor), maybe_get_level(tensor)
        return _add_batch_dim(inner, dim, level)
    return forward_ad.unpack_dual(tensor, level=0).primal


def refuse_tangent(function: str, name: str, tangent: Tensor | None) -> None:
    """Raise RuntimeError if forward mode asks for the derivative by an argument that has none."""
    if tangent is not None:
        raise RuntimeError(
            f"The function '{function}' is not differentiable with respect to argument '{name}'"
        )


@dataclass(frozen=True)
class Constants:
    """The constants of an elementwise op as one argument.

    The compiler tells a context from an argument by counting parameters, so that the Function's
    ``forward`` must not take a varying number of them; vmap would take a tuple for arguments.
    """

    values: tuple[Any, ...]


_NO_CONSTANTS = Constants(())


class ElementwiseOp(NamedTuple):
    """An elementwise op: a pair that takes the input and `Constants`, and its compiled form.

    Attributes:
        pair: The op in torch arithmetic, for whatever there is.
        kernel: Name of the op in `bionn.kernels.nodes`, if it is there.
    """

    pair: FunctionPair
    kernel: str | None = None

    def __call__(self, input: Tensor, *options: Any) -> Tensor:
        """Apply the op."""
        # hooks for saved tensors want to see numbers, and two slopes are kept as bits
        if self.kernel and nodes.reachable() and _top_saved_tensors_default_hooks(True) is None:
            output = nodes.apply(self.kernel, (input,), options)
            if output is not None:
                return output
        return self.pair(input, Constants(options) if options else _NO_CONSTANTS)


def elementwise(
    name: str,
    value: Callable[..., Tensor],
    chain: Callable[..., Tensor],
    *,
    keep: Literal["input", "output"] | None,
    kernel: str | None = None,
    switch: bool = False,
    widen_half: bool = False,
) -> ElementwiseOp:
    """Make an elementwise op from its formula and its chain rule.

    The Jacobian of an elementwise op is diagonal, hence its own transpose: the same product
    ``u * dy/dz`` is the reverse-mode gradient for ``u = dJ/dy`` and the forward-mode tangent for
    ``u = dz``.

    Args:
        name: Name of the Function, as error messages and profiles show it.
        value: ``value(z, *options)``, the op itself.
        chain: ``chain(u, kept, *options)``, the product ``u * dy/dz``, in differentiable torch
            arithmetic so that second derivatives follow by differentiating it.
        keep: Which tensor the derivative is written in: the op saves that one alone.
        kernel: Name of the same two formulas in one pass each, in `bionn.kernels.nodes`.
        switch: The derivative has two values, told by the sign of what is kept: the kernel keeps a
            bit an element in its place.
        widen_half: Compute float16 and bfloat16 in float32 and round once at the end.

    Returns:
        The op; call it as ``op(z, *options)``.
    """

    def evaluate(input: Tensor, options: tuple[Any, ...]) -> Tensor:
        if widen_half:
            return value(widen(input), *options).to(input.dtype)
        return value(input, *options)

    def propagate(direction: Tensor, kept: tuple[Any, ...], options: tuple[Any, ...]) -> Tensor:
        if widen_half:
            wide = chain(widen(direction), *(widen(tensor) for tensor in kept), *options)
            return wide.to(direction.dtype)
        return chain(direction, *kept, *options)

    class Reverse(Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(input: Tensor, constants: Constants) -> Tensor:
            return evaluate(input, constants.values)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
            input, constants = inputs
            ctx.options = constants.values
            if keep == "input":
                save(ctx, input)
            elif keep == "output":
                save(ctx, output)

        @staticmethod
        def backward(ctx: Any, *grad_outputs: Any) -> Any:
            (grad,) = grad_outputs
            if grad is None:
                return None, None
            return propagate(grad, ctx.saved_tensors, ctx.options), None

    class Both(Reverse):
        @staticmethod
        def jvp(ctx: Any, *grad_inputs: Any) -> Any:
            with forward_rule(ctx) as kept:
                return propagate(grad_inputs[0], kept, ctx.options)

    Reverse.__name__ = Reverse.__qualname__ = f"{name}Reverse"
    Both.__name__ = Both.__qualname__ = name
    pair = FunctionPair(Reverse, Both)
    if kernel is not None:
        nodes.define_chain(kernel, _of_bits(chain) if switch else chain)
    return ElementwiseOp(pair, kernel)


_SPAN = 512  # elements whose bits are kept together; source/loops.h has the same


def _of_bits(chain: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The chain rule of a switch from a bit an element, which tells the slope there."""

    def from_bits(u: Tensor, bits: Tensor, *options: Any) -> Tensor:
        # the bits are no numbers; the sum of none of them makes the derivative depend on the input
        on = unpacked(bits.detach(), u.shape).to(u.dtype) + bits[:0].sum()
        return chain(u, on, *options)

    return from_bits


def unpacked(bits: Tensor, shape: torch.Size) -> Tensor:
    """Bits that a kernel has kept as 0 and 1 of the shape of what they tell of, ``int32``."""
    words = bits.view(torch.int32).reshape(-1, 1, _SPAN // 32)
    each = torch.arange(32, dtype=torch.int32).reshape(32, 1)
    return (words >> each).bitwise_and_(1).flatten()[: shape.numel()].reshape(shape)


def sum_to_shape(gradient: Tensor, shape: torch.Size) -> Tensor:
    """Undo broadcasting: sum a gradient over the dimensions along which an argument was repeated.

    Example:
        >>> sum_to_shape(torch.ones(2, 3), torch.Size([3]))
        tensor([2., 2., 2.])
    """
    return gradient if gradient.shape == shape else gradient.sum_to_size(shape)


def widen(tensor: Tensor) -> Tensor:
    """Return float16 and bfloat16 as float32, anything else as it is."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def readable(tensor: Tensor) -> bool:
    """Whether values may be looked at for a check: free of cost, and nothing is being traced.

    False on accelerators (looking would wait for the device), while compiling, and inside the
    transforms of ``torch.func``, whose tensors stand for many values at once.
    """
    return (
        tensor.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and type(tensor) in (Tensor, torch.nn.Parameter)
        and not is_functorch_wrapped_tensor(tensor)
    )


def autocast_dtype(device_type: str) -> torch.dtype | None:
    """Return the dtype in which autocast runs matrix products on a device, None where it is off."""
    if torch.amp.is_autocast_available(device_type) and torch.is_autocast_enabled(device_type):
        return torch.get_autocast_dtype(device_type)
    return None


@overload
def cast_for_product(tensor: Tensor) -> Tensor: ...
@overload
def cast_for_product(tensor: Tensor | None) -> Tensor | None: ...
def cast_for_product(tensor: Tensor | None) -> Tensor | None:
    """Under autocast, cast to its lower precision, as torch does for matrix products.

    Only floating-point tensors other than float64 are cast. Without autocast nothing changes.
    """
    dtype = None if tensor is None else autocast_dtype(tensor.device.type)
    if tensor is None or dtype is None or not _autocast_takes(tensor):
        return tensor
    return tensor.to(dtype)


@overload
def cast_for_loss(tensor: Tensor) -> Tensor: ...
@overload
def cast_for_loss(tensor: Tensor | None) -> Tensor | None: ...
def cast_for_loss(tensor: Tensor | None) -> Tensor | None:
    """Under autocast, cast lower precision to float32, as torch does for sums of exponentials."""
    if tensor is None or not _autocast_takes(tensor) or autocast_dtype(tensor.device.type) is None:
        return tensor
    return tensor.float()


def _autocast_takes(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.dtype != torch.float64
