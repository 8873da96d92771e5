"""From the counts of an audit to warnings and advice: a fact, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bionn.data.columns import some
from bionn.preprocess.encoding import ONE_HOT, Encoding

Rule = Callable[[dict[str, Any]], Iterator[tuple[str, str]]]

ALIKE_SHARE = 0.01
"""With more test rows than this that are much like a training row, the score tells of relatives."""

FEW_TEST_ROWS = 100
RARE = 0.1
MISSING = 0.2
AMBIGUOUS = 0.01
TELLING = 0.9

LONGER = 2
"""Counts of k-mers in sequences that differ more than so many times in length are advised against."""

SHOWN_SUSPECTS = 5
"""So many suspicious columns of a kind have a warning of their own; audit.json lists all."""


def warnings_on(found: dict[str, Any]) -> list[dict[str, str]]:
    """What may spoil the scores or their meaning, in order of weight.

    Args:
        found: an audit, but for its warnings and advice.

    Returns:
        A ``topic`` and a ``message`` each.
    """
    return _warnings(found, _leakage, _groups, _inputs, _labels, _sequences, _features, _sizes)


def warnings_on_inputs(found: dict[str, Any]) -> list[dict[str, str]]:
    """Those of :func:`warnings_on` that need neither targets nor a split."""
    return _warnings(found, _inputs, _sequences)


def _warnings(found: dict[str, Any], *rules: Rule) -> list[dict[str, str]]:
    return [
        {"topic": topic, "message": message} for rule in rules for topic, message in rule(found)
    ]


def advice_on(found: dict[str, Any], encoding: str = ONE_HOT) -> list[str]:
    """What may be worth a try, a sentence each.

    Args:
        found: an audit, but for its advice.
        encoding: what the network is to be given of sequences.
    """
    sentences = []
    facts = found.get("sequences", {})
    parts = Encoding.parse(encoding)
    counted = facts and parts.ks and not (parts.frequency or parts.one_hot)
    if counted and facts["longest"] > LONGER * facts["shortest"]:
        sentences.append(
            f"k-mers are counted in sequences of {facts['shortest']} to {facts['longest']} positions, "
            "and counts grow with the length: if the length is not to count, try shares (encoding "
            f"{encoding},frequency)"
        )
    if facts.get("strands_alike") and facts["alphabet"] == "dna":
        sentences.append(
            "A and T, and C and G, are equally frequent in every class: if the signal may lie on either "
            "strand, let predictions be averaged over both (both-strands)"
        )
    alike = found["split"]["test"]["identity_at_least"].get("0.8", 0)
    if alike and "homology" not in found["split"]["split"]:
        sentences.append("report the score of a homology split (split homology) beside this one")
    return sentences


def _leakage(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    split = found["split"]
    what = "a sequence" if "sequences" in found else "a row of features"
    remedy = (
        "scores may be too good: drop the duplicates, or keep them in one part (split-column) or in "
        "one group (group-column)"
    )
    test, val = split["test"], split["val"]
    if test["equal_in_either"]:
        yield (
            "leakage",
            f"{test['equal_in_either']} of {test['rows']} test rows have {what} that also stands in "
            f"train ({test['equal_in_train']}) or val ({test['equal_in_val']}); {remedy}",
        )
    if val["equal_in_train"]:
        yield (
            "leakage",
            f"{val['equal_in_train']} of {val['rows']} val rows have {what} that also stands in "
            f"train; {remedy}",
        )
    alike = test["identity_at_least"].get("0.8", 0) - test["equal_in_either"]
    if alike > ALIKE_SHARE * test["rows"]:
        same = ""
        if "of_same_class" in test:
            counts = test["of_same_class"]
            same = f", {counts['0.8'] - counts['1']} of them with one of the same class"
        yield (
            "leakage",
            f"{alike} of {test['rows']} test rows are unequal to but 0.8 or more identical with a "
            f"sequence in train or val{same}; the score is not that of unrelated sequences: compare "
            "with split homology",
        )


def _groups(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    groups = found["groups"]
    if groups is None:
        return
    if groups["from"] == "options" and groups["largest"] == 1:
        yield (
            "groups",
            f"each of the {groups['number']} groups has a single row, so that they keep nothing "
            "together; an id instead of a group? name the column or the pattern that tells donors, "
            "plates, loci",
        )
    if groups["from"] != "ids" or not groups["in_several_parts"]:
        return
    one, two = groups["example"]
    alike = ""
    if groups.get("same_class_within", 0) > groups.get("same_class_overall", 1):
        alike = (
            f" Two rows of one group have the same class in {groups['same_class_within']:.0%} of "
            f"pairs, any two rows in {groups['same_class_overall']:.0%}."
        )
    yield (
        "groups",
        f"the ids seem to tell {groups['number']} groups, as {one!r} and {two!r}; the split parts "
        f"{groups['in_several_parts']} of them.{alike} If rows of one group are not independent, "
        f"keep them together with group-pattern '{groups['pattern']}'",  # as a shell takes it
    )


def _inputs(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    duplicates = found["duplicates"]
    what = "sequence" if "sequences" in found else "feature row"
    if duplicates["rows"]:
        strand = duplicates["on_the_other_strand"]
        yield (
            "duplicates",
            f"{duplicates['rows']} of {found['samples']} rows repeat the {what} of an earlier one"
            + (f" ({strand} on the other strand)" if strand else "")
            + "; drop them if they are copies of one measurement",
        )
    conflicting = duplicates.get("conflicting", {"inputs": 0})
    if conflicting["inputs"] and found["task"] != "regression":
        pair = conflicting["examples"][0]
        places = " and ".join(row["where"] for row in pair[:2])
        yield (
            "labels",
            f"{_counted(conflicting['inputs'], what)} with differing classes, in "
            f"{conflicting['rows']} rows, first at {places}; correct them, or drop them",
        )


def _labels(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    counts = found.get("classes", {})
    if counts:
        rare = min(counts, key=counts.__getitem__)
        share = counts[rare] / max(found["samples"], 1)
        if share * len(counts) < RARE * 2:
            yield (
                "balance",
                f"class {rare!r} has {counts[rare]} of {found['samples']} rows ({share:.1%}); read mcc "
                "and auprc rather than accuracy",
            )


def _sequences(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    facts = found.get("sequences")
    if facts is None:
        return
    if facts["foreign"]:
        shown = some([f"{symbol!r} {count} times" for symbol, count in facts["foreign"].items()])
        yield (
            "alphabet",
            f"symbols that are not of the {facts['alphabet']} alphabet: {shown}; correct the records, "
            "or name their alphabet",
        )
    count = sum(facts["ambiguous"].values())
    if count > AMBIGUOUS * facts["symbols"]:
        yield (
            "alphabet",
            f"{count} of {facts['symbols']} symbols are ambiguous, in "
            f"{facts['sequences_with_ambiguous']} sequences; choose what they stand for (unknown and "
            "iupac)",
        )
    for name, area in facts.get("auroc_alone", {}).items():
        best = max(area, 1 - area)
        if name != "gc" and best >= TELLING:
            what = {"length": "the length", "unknown_symbols": "the number of unknown symbols"}[
                name
            ]
            yield (
                "shortcut",
                f"{what} of a sequence alone tells the classes apart (AUROC {best:.2f}); make the "
                "classes alike in it, or the network will learn no more than that",
            )


def _features(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    facts = found.get("features")
    if facts is None:
        return
    remedies = {
        "id": "an id tells nothing about new samples: leave it out (features)",
        "target": "leave it out (features) unless it is measured before and without the target",
        "predictor": "make sure that it is not made from the target, else leave it out (features)",
    }
    for kind, remedy in remedies.items():
        suspects = [suspect for suspect in facts["suspicious"] if suspect["kind"] == kind]
        for suspect in suspects[:SHOWN_SUSPECTS]:
            yield "columns", f"column {suspect['column']!r}: {suspect['why']}; {remedy}"
        if more := [suspect["column"] for suspect in suspects[SHOWN_SUSPECTS:]]:
            yield "columns", f"{_counted(len(more), 'more column')} like these ({some(more)})"
    if facts["constant"]:
        yield (
            "columns",
            f"{_counted(len(facts['constant']), 'column')} with one and the same value in every row "
            f"({some(facts['constant'])}); leave out what tells nothing (features)",
        )
    if facts["equal_columns"]:
        pairs = some([f"{one} = {two}" for one, two in facts["equal_columns"]])
        yield (
            "columns",
            f"{_counted(len(facts['equal_columns']), 'column')} equal to another ({pairs}); leave one "
            "of each out (features)",
        )
    rows = found["samples"]
    often = [name for name, n in facts["with_missing_values"].items() if n > MISSING * rows]
    if often:
        yield (
            "missing",
            f"{_counted(len(often), 'column')} with more than {MISSING:.0%} of the values missing "
            f"({some(often)}), which are imputed; leave out (features), or see whether the gaps depend "
            "on the target",
        )


def _sizes(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    rows = found["split"]["test"]["rows"]
    if rows < FEW_TEST_ROWS:
        yield (
            "size",
            f"{rows} test rows: a share of them is uncertain by about {1 / max(rows, 1) ** 0.5:.0%} "
            "either way; cross-validate (folds 5), or give more data",
        )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + "s" * (number != 1)
