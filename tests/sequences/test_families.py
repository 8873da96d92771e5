"""Families: planted ones found, against all-pairs single linkage, and nothing linked without reason."""

from __future__ import annotations

import networkx
import numpy as np
import pytest
from Bio.Seq import reverse_complement
from sklearn.metrics import adjusted_rand_score

from bionn.sequences.alphabet import DNA, PROTEIN
from bionn.sequences.families import components, find_families
from bionn.sequences.identity import CodedSequences, identities
from tests.support.mutants import families, mutant, random_sequence
from tests.support.refusals import refused


def all_pairs(texts: list[str], identity: float) -> np.ndarray:
    """Single linkage over every pair, on both strands, by another library's components."""
    coded = CodedSequences.encode(texts, DNA)
    first, second = np.triu_indices(len(texts), k=1)
    turned = np.ones(len(first), dtype=bool)
    best = np.maximum(identities(coded, first, second), identities(coded, first, second, turned))
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(texts)))
    graph.add_edges_from(np.column_stack([first, second])[best >= identity - 1e-9].tolist())
    labels = np.empty(len(texts), dtype=int)
    for number, members in enumerate(networkx.connected_components(graph)):
        labels[list(members)] = number
    return labels


def test_families_are_those_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    texts, _ = families(rng, 25, 5, 120, 18)
    texts += [random_sequence(rng, int(n)) for n in rng.integers(60, 120, 60)]
    texts += [text[10:100] for text in texts[:20]]  # pieces of others
    truth, found = all_pairs(texts, 0.8), find_families(texts, DNA, identity=0.8)
    assert 0 < len(set(truth)) < len(texts)
    assert adjusted_rand_score(truth, found.labels) == 1
    assert found.facts["families"] == len(set(truth))


def test_planted_families_are_found_among_many_sequences() -> None:
    rng = np.random.default_rng(1)
    texts, owner = families(rng, 150, 6, 250, 20)  # two mutants differ by 40 edits at most: 0.84
    texts += [random_sequence(rng, 250) for _ in range(1500)]
    truth = np.append(owner, 150 + np.arange(1500))
    found = find_families(texts, DNA, identity=0.8)
    assert adjusted_rand_score(truth, found.labels) == 1
    assert found.facts["largest_family"] == 6
    assert found.facts["families_by_size"] == {"1": 1500, "6": 150}
    assert found.facts["pairs_aligned"] < 20 * len(texts)


def test_equal_sequences_are_one_family_at_any_identity() -> None:
    text = random_sequence(np.random.default_rng(2), 40)
    other = mutant(np.random.default_rng(3), text, 1, kinds="s")
    found = find_families([text, text.lower(), other, reverse_complement(text)], DNA, identity=1.0)
    assert found.labels.tolist() == [0, 0, 1, 0]
    assert found.facts["distinct_sequences"] == 2


def test_no_two_known_families_are_as_alike_as_the_threshold() -> None:
    rng = np.random.default_rng(4)
    texts, _ = families(rng, 30, 4, 70, 12)
    found = find_families(texts, DNA, identity=0.8)
    coded = CodedSequences.encode(texts, DNA)
    first, second = np.triu_indices(len(texts), k=1)
    apart = found.labels[first] != found.labels[second]
    assert identities(coded, first[apart], second[apart]).max() < 0.8


def test_edge_cases() -> None:
    assert find_families([], DNA, identity=0.8).labels.tolist() == []
    assert find_families(["A"], DNA, identity=0.8).labels.tolist() == [0]
    odd = find_families(["", "N" * 50, "N" * 50, "ACG", "*" * 60], DNA, identity=0.8)
    assert odd.labels.tolist() == [0, 1, 1, 2, 3]
    missed = odd.facts["search"]["may_be_missed"]
    assert missed["sequences without a seed, too short or ambiguous"] == 4
    long = random_sequence(np.random.default_rng(5), 5001)
    facts = find_families([long, long[1:]], DNA, identity=0.8).facts
    assert facts["search"]["may_be_missed"]["sequences of over 5000 symbols, not aligned"] == 1
    for wrong in (0.0, -1.0, 1.2, float("nan")):
        with refused("identity: a share"):
            find_families(["A"], DNA, identity=wrong)


def test_proteins() -> None:
    rng = np.random.default_rng(6)
    texts = [random_sequence(rng, 100, PROTEIN.letters) for _ in range(30)]
    texts += [mutant(rng, text, 8, letters=PROTEIN.letters) for text in texts]
    found = find_families(texts, PROTEIN, identity=0.8)
    assert found.labels.tolist() == [*range(30), *range(30)]
    assert found.facts["strands"] == "as given"


@pytest.mark.parametrize("edges", [0, 5, 40])
def test_components_are_those_of_networkx(edges: int) -> None:
    first, second = np.random.default_rng(edges).integers(0, 30, (2, edges))
    graph = networkx.Graph(zip(first.tolist(), second.tolist(), strict=True))
    graph.add_nodes_from(range(30))
    labels = components(first, second, 30)
    for members in networkx.connected_components(graph):
        assert len({labels[node] for node in members}) == 1
    assert len(set(labels)) == networkx.number_connected_components(graph)
