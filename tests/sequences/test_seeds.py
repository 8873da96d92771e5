"""Seeds: patterns that are what they claim, candidates against brute force, sensitivity as stated."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from Bio.Seq import reverse_complement

from bionn.sequences.alphabet import DNA, PROTEIN
from bionn.sequences.identity import CodedSequences
from bionn.sequences.seeds import PARTNERS, PATTERNS, SHARED, SeedPlan, candidates
from tests.support.mutants import families, mutant, random_sequence


def seeds_of(text: str, pattern: str) -> set[str]:
    """Every seed of a text on the given strand, letter by letter."""
    found = set()
    for begin in range(len(text) - len(pattern) + 1):
        window = text[begin : begin + len(pattern)]
        if set(
            seed := "".join(s for s, one in zip(window, pattern, strict=True) if one == "1")
        ) <= set("ACGT"):
            found.add(seed)
    return found


def brute_force(texts: list[str], plan: SeedPlan) -> dict[tuple[int, int, bool], int]:
    """How many canonical seeds every pair shares, on equal and on opposite strands."""
    shared: Counter[tuple[int, int, bool]] = Counter()
    for pattern in plan.patterns:
        strands = []
        for text in texts:
            forward = {}
            for begin in range(len(text) - len(pattern) + 1):
                (seed,) = seeds_of(text[begin : begin + len(pattern)], pattern) or {""}
                if seed:
                    back = reverse_complement(seed)
                    forward.setdefault(min(seed, back), set()).add(back < seed)
            # A seed that stands on both strands of one text counts on the first alone.
            strands.append({seed: min(both) for seed, both in forward.items()})
        for one, two in combinations(range(len(texts)), 2):
            for seed in strands[one].keys() & strands[two].keys():
                shared[one, two, strands[one][seed] != strands[two][seed]] += 1
    return {pair: count for pair, count in shared.items() if count >= SHARED}


@pytest.mark.parametrize("weight", PATTERNS)
def test_patterns_are_palindromes_of_their_weight(weight: int) -> None:
    assert len(set(PATTERNS[weight])) == 3
    for pattern in PATTERNS[weight]:
        assert pattern == pattern[::-1]
        assert pattern.count("1") == weight
        assert pattern[0] == pattern[-1] == "1"


@pytest.mark.parametrize("weight", range(8, 16))
def test_spaced_seeds_find_more_than_three_contiguous_ones(weight: int) -> None:
    spaced = SeedPlan(PATTERNS[weight], 1.0).sensitivity(64, 0.8)
    assert spaced > SeedPlan(("1" * weight,) * 3, 1.0).sensitivity(64, 0.8)


def test_candidates_are_those_of_brute_force() -> None:
    rng = np.random.default_rng(0)
    texts, _ = families(rng, 12, PARTNERS // 2, 90, 12)  # no seed of more than PARTNERS + 1
    texts += [
        "ACGTNNACG",
        "A",
        "",
        "NNNNNNNNNNNNNNNNNNNNNNNNN",
        "acgtuacgtuacgtuacgtuacgtu",
        "GATTACA" * 4,
    ]
    texts[3] = texts[3][:40] + "N" + texts[3][41:]
    plan = SeedPlan(PATTERNS[8], 1.0)
    coded = CodedSequences.encode(texts, DNA)
    upper = [text.upper().replace("U", "T") for text in texts]
    found = candidates(coded, plan)
    pairs = zip(found.first.tolist(), found.second.tolist(), found.reverse.tolist(), strict=True)
    assert dict(zip(pairs, found.shared.tolist(), strict=True)) == brute_force(upper, plan)
    assert found.seedless == 4


def test_labels_and_asking_leave_the_pairs_that_they_should() -> None:
    rng = np.random.default_rng(1)
    texts, _ = families(rng, 10, 4, 80, 6)
    coded, plan = CodedSequences.encode(texts, DNA), SeedPlan(PATTERNS[9], 1.0)
    labels, asking = rng.integers(0, 3, 40), rng.random(40) < 0.5
    full = candidates(coded, plan)
    both = set(zip(full.first.tolist(), full.second.tolist(), strict=True))
    both |= {(two, one) for one, two in both}
    found = candidates(coded, plan, labels=labels, asking=asking)
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert pairs == {(a, b) for a, b in both if labels[a] != labels[b] and asking[a]}


def test_the_share_of_seeds_is_the_same_in_all_sequences() -> None:
    rng = np.random.default_rng(2)
    text = random_sequence(rng, 4000)
    coded = CodedSequences.encode([text, mutant(rng, text, 1)], DNA)
    full, some = (candidates(coded, SeedPlan(PATTERNS[11], share)) for share in (1.0, 0.25))
    assert some.shared.max() == pytest.approx(full.shared.max() / 4, rel=0.1)


def test_members_of_a_crowd_are_compared_with_some_others_and_the_crowd_is_told() -> None:
    rng = np.random.default_rng(3)
    repeat = random_sequence(rng, 60)
    texts = [repeat] * 400 + [random_sequence(rng, 60) for _ in range(50)]
    texts += [mutant(rng, repeat, 2, kinds="s") for _ in range(300)]
    found = candidates(CodedSequences.encode(texts, DNA), SeedPlan(PATTERNS[12], 1.0))
    seeds = sum(60 - len(pattern) + 1 for pattern in PATTERNS[12])
    assert len(found.first) <= 700 * seeds * PARTNERS
    assert 400 <= found.crowded < 700
    members = {*range(400), *range(450, 750)}
    assert len(members - {*found.first.tolist(), *found.second.tolist()}) <= found.seedless
    linked = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert len(linked) > 700 * PARTNERS  # other partners for other seeds


@pytest.mark.parametrize(("length", "edits"), [(70, 14), (250, 50), (1000, 200)])
def test_the_stated_sensitivity_is_what_planted_pairs_show(length: int, edits: int) -> None:
    """Pairs of identity 0.8 among unrelated sequences, by substitutions at random places."""
    rng = np.random.default_rng(4)
    texts = []
    for _ in range(250):
        one = np.array(list(random_sequence(rng, length)))
        two = one.copy()
        places = rng.choice(length, edits, replace=False)
        two[places] = [rng.choice([s for s in "ACGT" if s != letter]) for letter in two[places]]
        texts += ["".join(one), "".join(two)]
    coded = CodedSequences.encode(texts, DNA)
    plan = SeedPlan.choose(coded, 0.8)
    found = candidates(coded, plan)
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    recall = sum((row, row + 1) in pairs for row in range(0, 500, 2)) / 250
    stated = plan.sensitivity(length, 0.8)
    assert stated > 0.95
    assert recall == pytest.approx(stated, abs=0.05)  # 4 standard errors of 250 at .96


def test_proteins_have_one_strand() -> None:
    rng = np.random.default_rng(5)
    letters = PROTEIN.letters
    texts = [random_sequence(rng, 120, letters) for _ in range(40)]
    texts += [mutant(rng, text, 20, letters=letters) for text in texts]
    coded = CodedSequences.encode(texts, PROTEIN)
    found = candidates(coded, SeedPlan.choose(coded, 0.8))
    assert not found.reverse.any()
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert pairs >= {(row, row + 40) for row in range(40)}
