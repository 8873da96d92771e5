"""The audit: counts against pandas, warnings for planted faults and none without, and real traps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from Bio.Seq import reverse_complement

from bionn.data.audit import audit
from bionn.data.reading import read_samples
from bionn.data.samples import DataOptions
from bionn.data.splits import make_splits
from bionn.data.targets import find_targets
from tests.small_sets import expression
from tests.support.mutants import random_sequence

README = Path(__file__).parents[2] / "bionn" / "data" / "README.md"


def audited(inputs: Any, **options: Any) -> dict[str, Any]:
    given = DataOptions(**options)
    samples, targets = find_targets(read_samples(inputs, given), given)
    return audit(samples, targets, make_splits(samples, targets, given), given)


def topics(found: dict[str, Any]) -> set[str]:
    return {warning["topic"] for warning in found["warnings"]}


def message(found: dict[str, Any], topic: str) -> str:
    return next(w["message"] for w in found["warnings"] if w["topic"] == topic)


def clean(rows: int = 1200, length: int = 60) -> pd.DataFrame:
    """Unrelated sequences of two classes, nothing wrong with them."""
    rng = np.random.default_rng(0)
    texts = [random_sequence(rng, length) for _ in range(rows)]
    return pd.DataFrame({"sequence": texts, "label": rng.permutation(["a", "b"] * (rows // 2))})


# --- counts and single faults


@pytest.mark.parametrize(
    ("encoding", "shortest", "told"),
    [
        ("kmer:3", 29, True),
        ("kmer:2-3,canonical", 20, True),
        ("kmer:3", 30, False),
        ("kmer:3,frequency", 20, False),
        ("onehot+kmer:3", 20, False),
        ("onehot", 20, False),
    ],
)
def test_counts_in_sequences_of_unequal_length_are_advised_against(
    encoding: str, shortest: int, told: bool
) -> None:
    frame = clean()
    frame.loc[5, "sequence"] = frame.loc[5, "sequence"][:shortest]
    advice = [a for a in audited(frame, encoding=encoding)["advice"] if "k-mers" in a]
    assert len(advice) == told
    if told:
        assert f"{shortest} to 60 positions" in advice[0]
        assert f"encoding {encoding},frequency" in advice[0]


def test_clean_sequences_have_no_warnings() -> None:
    found = audited(clean())
    assert found["warnings"] == []
    assert found["samples"] == 1200
    assert found["classes"] == {"a": 600, "b": 600}
    assert found["duplicates"]["rows"] == 0
    assert found["groups"] is None


def test_duplicates_and_conflicts_are_counted_whatever_the_case_and_the_strand() -> None:
    frame = clean()
    frame.loc[1, "sequence"] = frame.loc[0, "sequence"].lower()
    frame.loc[2, "sequence"] = reverse_complement(frame.loc[0, "sequence"])
    frame.loc[7, "sequence"] = reverse_complement(frame.loc[6, "sequence"])
    frame.loc[[0, 1, 2], "label"] = ["a", "a", "b"]
    frame.loc[[6, 7], "label"] = ["a", "a"]
    found = audited(frame)
    assert found["duplicates"]["rows"] == 3
    assert found["duplicates"]["on_the_other_strand"] == 2
    conflicting = found["duplicates"]["conflicting"]
    assert (conflicting["inputs"], conflicting["rows"]) == (1, 3)
    assert [row["id"] for row in conflicting["examples"][0]] == ["row1", "row2", "row3"]
    assert topics(found) == {"duplicates", "labels"}
    assert "1 sequence with differing classes, in 3 rows" in message(found, "labels")
    assert audited(frame, alphabet="custom:ACGT")["duplicates"]["rows"] == 1


def test_features_are_counted_as_pandas_counts_them() -> None:
    frame = expression(300)
    frame["twin"] = frame["gene2"]
    frame["flat"] = 4.0
    frame.loc[:99, "gene4"] = np.nan
    found = audited(
        frame, target="y1", features=["gene1", "gene2", "gene3", "gene4", "twin", "flat"]
    )
    facts, gaps = (
        found["features"],
        frame[["gene1", "gene2", "gene3", "gene4", "twin"]].isna().sum(),
    )
    assert facts["missing_values"] == gaps.sum()
    assert facts["with_missing_values"] == gaps[gaps > 0].to_dict()
    assert facts["constant"] == ["flat"]
    assert facts["equal_columns"] == [["gene2", "twin"]]
    target = found["targets"]["y1"]
    assert target["mean"] == pytest.approx(frame["y1"].mean())
    assert (target["lowest"], target["highest"]) == (frame["y1"].min(), frame["y1"].max())
    assert {"columns", "missing"} <= topics(found)
    assert "(gene4)" in message(found, "missing")


def test_suspicious_columns_are_warned_of() -> None:
    frame = expression(300)
    frame["copy"] = frame["y1"] * 2 + 1
    frame["count"] = np.arange(300)
    found = audited(frame, target="y1", features=["gene1", "copy", "count"])
    shown = [w["message"] for w in found["warnings"] if w["topic"] == "columns"]
    assert len(shown) == 2
    assert any("'copy'" in text and "leave it out (features)" in text for text in shown)
    assert any("'count'" in text and "an id tells nothing" in text for text in shown)


@pytest.mark.parametrize("copies", [5, 6, 8])
def test_the_first_suspicious_columns_are_told_and_the_others_counted(copies: int) -> None:
    frame = expression(300)
    names = [f"copy{n}" for n in range(copies)]
    frame = frame.assign(**{name: frame["y1"] * (n + 2) for n, name in enumerate(names)})
    found = audited(frame, target="y1", features=["gene1", *names])
    assert [suspect["column"] for suspect in found["features"]["suspicious"]] == names
    shown = [w["message"] for w in found["warnings"] if w["topic"] == "columns"]
    assert [text.split("'")[1] for text in shown[:5]] == names[:5]
    rest = ", ".join(names[5:])
    plural = "s" * (copies > 6)
    assert shown[5:] == [f"{copies - 5} more column{plural} like these ({rest})"] * (copies > 5)


def test_rare_classes_few_rows_and_shortcuts_are_warned_of() -> None:
    frame = clean(200)
    frame["label"] = ["a"] * 190 + ["b"] * 10
    frame.loc[190:, "sequence"] += "ACGT"
    frame.loc[:40, "sequence"] = "N" * 20 + frame["sequence"].str[20:]
    found = audited(frame, align="left")
    assert topics(found) == {"balance", "size", "shortcut", "alphabet"}
    assert "class 'b' has 10 of 200 rows (5.0%)" in message(found, "balance")
    assert "the length of a sequence alone tells the classes apart" in message(found, "shortcut")
    assert "820 of 12040 symbols are ambiguous, in 41 sequences" in message(found, "alphabet")
    frame.loc[3, "sequence"] = "ACGE*"
    assert "'*' once" not in message(audited(frame), "alphabet")
    assert audited(frame)["sequences"]["foreign"] == {"*": 1, "E": 1}


def test_relatives_across_the_parts_are_warned_of_and_a_homology_split_has_none() -> None:
    frame = clean(600)
    pairs = frame.copy()
    pairs["sequence"] = ["".join((text[:30], "A", text[31:])) for text in pairs["sequence"]]
    both = pd.concat([frame, pairs], ignore_index=True)
    found = audited(both)
    assert "leakage" in topics(found)
    assert "split homology" in message(found, "leakage")
    assert any("homology" in sentence for sentence in found["advice"])
    assert "leakage" not in topics(audited(both, split="homology"))


def test_groups_of_ids_are_warned_of_only_where_the_split_parts_them() -> None:
    frame = clean()
    frame["id"] = [f"plant{n // 4}.{n % 4}" for n in range(1200)]
    found = audited(frame)
    assert topics(found) == {"groups"}
    assert "300 groups, as 'plant0.0' and 'plant0.1'" in message(found, "groups")
    pattern = found["groups"]["pattern"]
    assert f"group-pattern '{pattern}'" in message(found, "groups")
    grouped = audited(frame, group_pattern=pattern)
    assert topics(grouped) == set()
    assert grouped["groups"]["number"] == 300
    assert grouped["groups"]["in_several_parts"] == 0


def test_groups_of_one_row_each_are_warned_of() -> None:
    frame = clean()
    frame["plant"] = [f"plant{n}" for n in range(1200)]
    found = audited(frame, group_column="plant")
    assert topics(found) == {"groups"}
    assert "each of the 1200 groups has a single row" in message(found, "groups")
    frame.loc[1, "plant"] = "plant0"
    assert topics(audited(frame, group_column="plant")) == set()


def test_every_key_is_explained_in_the_readme() -> None:
    """Keys that are names of columns, classes, symbols or sizes explain themselves."""
    text = README.read_text(encoding="utf-8")
    named = {"classes", "targets", "composition", "ambiguous", "foreign", "with_missing_values"}
    named |= {
        "families_by_size",
        "may_be_missed",
        "identity_at_least",
        "of_same_class",
        "target_means",
    }

    def keys(value: Any) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(keys, value), set())
        if not isinstance(value, dict):
            return set()
        own = {str(key) for key in value}
        return own.union(*(keys(item) for key, item in value.items() if key not in named))

    frame = clean(300)
    reports = [
        audited(frame, split="homology"),
        audited(frame, folds=3, repeats=2),
        audited(
            frame.assign(group=[f"c{n % 9}" for n in range(300)]),
            target="label",
            group_column="group",
        ),
        audited(expression(), target=["y1", "y2"], features=["gene1", "gene2"]),
    ]
    missing = {key for report in reports for key in keys(report) if f"`{key}`" not in text}
    # Facts of the search for families are those of the families' own documentation.
    documented = {
        "distinct_sequences",
        "pairs_linked",
        "strands",
        "train",
        "val",
        "unknown_symbols",
        "length",
    }
    assert missing <= documented


# --- the traps of real data


def test_splice_has_185_duplicates_and_a_conflict(public: Path) -> None:
    path = public / "splice" / "splice.data"
    found = audited(path, columns=["class", "name", "sequence"])
    lines = [line.replace(" ", "").strip().split(",") for line in path.read_text().splitlines()]
    assert found["duplicates"]["rows"] == len(lines) - len({line[2] for line in lines}) == 185
    assert found["duplicates"]["conflicting"]["inputs"] == 1
    one, two = found["duplicates"]["conflicting"]["examples"][0]
    rows = [lines[int(row["where"].rpartition(":")[2]) - 1] for row in (one, two)]
    assert rows[0][2] == rows[1][2]
    assert rows[0][0] != rows[1][0]
    assert {"duplicates", "labels"} <= topics(found)


def test_gue_prom_core_leaks(public: Path) -> None:
    folder = public / "gue_prom_core"
    found = audited(folder / "train.csv", val=folder / "dev.csv", test=folder / "test.csv")
    test = found["split"]["test"]
    assert (test["equal_in_train"], test["equal_in_val"]) == (43, 8)
    assert found["split"]["val"]["equal_in_train"] == 54
    frames = [pd.read_csv(folder / f"{part}.csv")["sequence"] for part in ("train", "dev", "test")]
    either = frames[2].isin([*frames[0], *frames[1]]).sum()
    assert test["equal_in_either"] == test["identity_at_least"]["1"] == either
    assert test["identity_at_least"]["0.8"] > 500
    labels = pd.concat([pd.read_csv(folder / f"{part}.csv") for part in ("train", "dev")])
    label_of = dict(zip(labels["sequence"], labels["label"], strict=True))
    tested = pd.read_csv(folder / "test.csv")
    equal = tested[tested["sequence"].isin(label_of.keys())]
    agree = [label_of[s] == y for s, y in zip(equal["sequence"], equal["label"], strict=True)]
    assert test["of_same_class"]["1"] == sum(agree) < len(equal)
    shown = [w["message"] for w in found["warnings"] if w["topic"] == "leakage"]
    assert len(shown) == 3
    assert shown[0].startswith(
        f"{either} of 5920 test rows have a sequence that also stands in train"
    )
    assert shown[1].startswith("54 of 5920 val rows")


def test_mice_are_groups(public: Path) -> None:
    path = public / "mice_protein" / "Data_Cortex_Nuclear.csv"
    found = audited(path)
    assert found["groups"]["number"] == 72
    assert found["groups"]["largest"] == 15
    assert found["groups"]["same_class_within"] == 1
    assert found["groups"]["in_several_parts"] > 50
    assert found["features"]["missing_values"] == 1396
    assert "'309_1' and '309_2'" in message(found, "groups")
    pattern = re.search(r"group-pattern '(.*)'$", message(found, "groups")).group(1)
    assert "groups" not in topics(audited(path, group_pattern=pattern))
    leak = audited(path, features=["DYRK1A_N", "pCAMKII_N"])
    assert leak["groups"] == found["groups"]


def test_crx_has_pairs_of_a_locus(public: Path) -> None:
    folder = public / "crx_mpra"
    sheet = folder / "rhoActivityJoinedAnnotated.txt"
    options = {"labels": sheet, "target": "expression_log2", "allow_missing": True}
    found = audited(folder / "library1And2.fasta", **options)
    test = found["split"]["test"]
    assert found["groups"]["largest"] == 2
    assert found["groups"]["in_several_parts"] > 0.8 * test["rows"]
    assert test["identity_at_least"]["0.9"] > 0.8 * test["rows"]
    largest = test["largest"]
    loci = {largest[who]["id"].split("_")[0] for who in ("test", "other")}
    assert len(loci) == 1
    assert {"leakage", "groups"} <= topics(found)
    pattern = found["groups"]["pattern"]
    assert topics(audited(folder / "library1And2.fasta", group_pattern=pattern, **options)) == set()
