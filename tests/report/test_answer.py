"""The verdict at the head of the page: the truth about every baseline, whichever was the best."""

from __future__ import annotations

from typing import Any

import pytest

from bionn.report.run_files import Run
from bionn.report.sections.answer import comparison

GAPS = {"better": 0.05, "worse": -0.05, "tie": 0.001}


def verdict(**found: str) -> tuple[str, str]:
    """Sentences and tone for baselines of these outcomes, the first one best on validation rows."""

    def told(outcome: str) -> dict[str, Any]:
        gap = GAPS[outcome]
        ends = [gap - 0.01, gap + 0.01]
        return {"score": "auroc", "difference": gap, "interval": ends, "p_value": 0.004} | {
            "verdict": outcome
        }

    baselines = {name: {"test": {}, "comparison": told(outcome)} for name, outcome in found.items()}
    first = next(iter(found))
    own = {"baseline": first} | told(found[first])
    return comparison(Run({"task": "binary", "baselines": baselines, "comparison": own}))


def test_a_network_that_beats_all_of_them_is_said_to() -> None:
    sentence, tone = verdict(kmer="better", linear="better", majority="better")
    assert tone == "good"
    assert sentence.startswith("The network's AUROC is higher than that of the baseline")
    assert "kmer (difference 0.050, 95 % interval 0.040 to 0.060" in sentence
    assert "linear" not in sentence


@pytest.mark.parametrize(
    ("outcome", "tone", "words"),
    [
        ("tie", "even", "A tie: the network and the baseline"),
        ("worse", "bad", "is lower than that"),
    ],
)
def test_a_best_baseline_that_is_not_beaten_is_told_of_first(
    outcome: str, tone: str, words: str
) -> None:
    sentence, found = verdict(kmer=outcome, linear="better")
    assert found == tone
    assert words in sentence
    assert "But" not in sentence
    sentence, found = verdict(kmer=outcome, linear="worse", forest="tie")
    assert found == tone
    assert sentence.endswith(
        "Beside it, the linear baseline is better and the forest baseline is as good, within chance."
    )


@pytest.mark.parametrize(
    ("outcome", "words"), [("tie", "as good, within chance."), ("worse", "better.")]
)
def test_no_network_is_praised_that_another_baseline_equals_or_beats(
    outcome: str, words: str
) -> None:
    sentence, tone = verdict(kmer="better", linear=outcome)
    assert tone == "even"
    assert sentence.endswith(f"But the linear baseline is {words}")
