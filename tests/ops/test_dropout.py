"""What dropout draws is Philox 4x32-10 of a key and a place; where it is not for that, torch draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from bionn import functional as F
from bionn import nn
from bionn.kernels import nodes
from bionn.kernels.library import library
from bionn.ops.dropout import blanked, mask, part_of_rows

compiled = pytest.mark.skipif(library() is None, reason="no compiled kernels here")


def philox(counter: list[np.ndarray], key: list[int]) -> list[np.ndarray]:
    """Four words of four, as the paper has it: ten rounds, the key raised between them."""
    x = [np.asarray(word, dtype=np.uint64) for word in counter]
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    for turn in range(10):
        k = [(word + turn * step) & 0xFFFFFFFF for word, step in zip(key, STEPS, strict=True)]
        p, q = x[0] * np.uint64(0xD2511F53), x[2] * np.uint64(0xCD9E8D57)
        x = [
            (q >> shift) ^ x[1] ^ np.uint64(k[0]),
            q & low,
            (p >> shift) ^ x[3] ^ np.uint64(k[1]),
            p & low,
        ]
    return x


STEPS = (0x9E3779B9, 0xBB67AE85)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        (
            [0xFFFFFFFF] * 4,
            [0xFFFFFFFF] * 2,
            [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
        ),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_the_reference_gives_the_published_words(
    counter: list[int], key: list[int], words: list[int]
) -> None:
    """Of Random123's table of known answers (kat_vectors)."""
    assert [int(word) for word in philox([np.array(c) for c in counter], key)] == words


def words_of(key: int, first: int, count: int) -> np.ndarray:
    """The words of elements: word w of counter 256 k + c belongs to element 1024 k + 256 w + c."""
    place = np.arange(first, first + count, dtype=np.uint64)
    counter = place // 1024 * 256 + place % 256
    words = philox(
        [counter & 0xFFFFFFFF, counter >> np.uint64(32), 0 * counter, 0 * counter],
        [key & 0xFFFFFFFF, key >> 32],
    )
    return np.choose((place % 1024 // 256).astype(int), words)


@compiled
@pytest.mark.parametrize("key", [0, 12345, (1 << 62) - 1])
@pytest.mark.parametrize("first", [0, 7, 1023, (1 << 34) - 500])
@pytest.mark.parametrize("p", [0.2, 0.5, 1 / 3, 1e-12, 1 - 1e-12])
def test_the_kernels_drop_where_the_words_are_small(key: int, first: int, p: float) -> None:
    mask_of, codes_of = nodes.operation("dropout_mask"), nodes.operation("dropout_codes")
    assert mask_of is not None
    assert codes_of is not None
    for count in (0, 1, 31, 1024, 3000):
        drops = words_of(key, first, count) < round(p * 2**32)
        expected = torch.where(torch.from_numpy(drops), 0.0, 1 / (1 - p)).float()
        assert torch.equal(mask_of([count], p, first, key), expected)
        codes = torch.arange(count).remainder(5).to(torch.uint8)
        blank = codes.masked_fill(torch.from_numpy(drops), 9)
        assert torch.equal(codes_of(codes, p, 9, first, key), blank)


def drawn(seed: int, *size: int, p: float = 0.3) -> Tensor:
    torch.manual_seed(seed)
    found = mask(torch.empty(size), p)
    assert found is not None
    return found


@compiled
def test_a_random_state_tells_all_and_one_number_of_it_is_used() -> None:
    one = drawn(1, 100, 30)
    after = torch.rand(3)
    drawn(1, 5)
    assert torch.equal(torch.rand(3), after)
    assert torch.equal(drawn(1, 100, 30), one)
    assert not torch.equal(drawn(2, 100, 30), one)
    torch.manual_seed(1)
    first, second = (F.dropout(torch.ones(50), 0.3) for _ in range(2))
    assert not torch.equal(first, second)


@compiled
def test_the_number_of_threads_does_not_matter() -> None:
    threads = torch.get_num_threads()
    known = drawn(1, 300, 1000)
    try:
        torch.set_num_threads(1 + threads % 2)
        assert torch.equal(drawn(1, 300, 1000), known)
    finally:
        torch.set_num_threads(threads)


@compiled
@pytest.mark.parametrize("shape", [(90,), (90, 41), (90, 3, 7)], ids=str)
def test_rows_are_drawn_as_they_are_among_others(shape: tuple[int, ...]) -> None:
    whole = drawn(1, *shape)
    codes = torch.zeros(shape, dtype=torch.uint8)
    for first, rows in ((0, 30), (30, 30), (77, 13)):
        with part_of_rows(first, rows):
            assert torch.equal(drawn(1, rows, *shape[1:]), whole[first : first + rows])
            torch.manual_seed(1)
            blank = blanked(codes[first : first + rows], 0.3, 4)
            assert torch.equal(blank == 4, whole[first : first + rows] == 0)
            other = drawn(1, rows + 1, *shape[1:])  # as outside: no tensor of the part's rows
            assert torch.equal(other, whole[: rows + 1])


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_the_share_is_dropped_and_the_rest_scaled(p: float) -> None:
    torch.manual_seed(0)
    count = 100_000
    output = F.dropout(torch.ones(count), p)
    assert set(output.tolist()) == {0.0, float(torch.tensor(1 / (1 - p)))}
    assert float((output == 0).float().mean()) == pytest.approx(p, abs=5 * (0.25 / count) ** 0.5)
    codes = blanked(torch.zeros(100, 1000, dtype=torch.uint8), p, 4)
    assert float((codes == 4).float().mean()) == pytest.approx(p, abs=5 * (0.25 / count) ** 0.5)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int16])
def test_codes_of_any_integers_are_blanked(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    codes = blanked(torch.ones(50, 40, dtype=dtype), 0.5, 7)
    assert codes.dtype is dtype
    assert set(codes.flatten().tolist()) == {1, 7}
    assert torch.equal(blanked(codes, 0.0, 9), codes)


def test_a_blank_that_is_no_byte_is_refused() -> None:
    with pytest.raises(RuntimeError, match="overflow"):
        blanked(torch.zeros(9, 9, dtype=torch.uint8), 0.5, 256)


@compiled
def test_the_gradient_is_the_mask() -> None:
    input = torch.linspace(-1, 1, 60).reshape(6, 10).requires_grad_()
    torch.manual_seed(3)
    output = F.dropout(input, 0.4)
    known = drawn(3, 6, 10, p=0.4)
    assert torch.equal(output, input * known)
    (gradient,) = torch.autograd.grad(output.sum(), input)
    assert torch.equal(gradient, known)


def test_what_the_kernels_are_not_for_is_drawn_by_torch() -> None:
    def same(run) -> bool:
        torch.manual_seed(0)
        ours = run(F.dropout)
        torch.manual_seed(0)
        return torch.equal(ours, run(torch.nn.functional.dropout))

    class Other(Tensor):
        pass

    x = torch.randn(5, 6)
    assert same(lambda f: f(x.as_subclass(Other), 0.4))
    traced = torch.fx.symbolic_trace(nn.Dropout(0.4))
    assert same(lambda f: traced(x) if f is F.dropout else f(x, 0.4))
    assert same(lambda f: f(x.double(), 0.4))
    assert same(lambda f: f(x.bfloat16(), 0.4))
    assert same(lambda f: torch.vmap(lambda row: f(row, 0.4), randomness="different")(x))
    assert F.dropout(x.to("meta"), 0.4).shape == x.shape
    assert F.dropout(x, 0.4, training=False) is x
    assert torch.equal(F.dropout(x, 0.0), x)
    assert torch.equal(F.dropout(x, 1.0), torch.zeros_like(x))
    for p in (-0.1, 1.1):
        with pytest.raises(ValueError, match="probability has to be between 0 and 1"):
            F.dropout(x, p)
    with pytest.raises(TypeError, match="must be Tensor"):
        F.dropout([1.0], 0.5)  # type: ignore[arg-type]


def test_in_place() -> None:
    x = torch.ones(200)
    torch.manual_seed(0)
    known = F.dropout(x, 0.4)
    torch.manual_seed(0)
    assert F.dropout(x, 0.4, inplace=True) is x
    assert torch.equal(x, known)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_programs_drop(backend: str) -> None:
    compiled_dropout = torch.compile(lambda x: F.dropout(x, 0.5), fullgraph=True, backend=backend)
    assert set(compiled_dropout(torch.ones(200)).tolist()) == {0.0, 2.0}
