"""Shipped data are what their scripts make; cards and registry tell the truth about files."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
PUBLIC = Path(os.environ.get("BIONN_DATA") or ROOT.parent / "shared" / "data")
REGISTRY = yaml.safe_load((ROOT / "bionn" / "data" / "registry.yaml").read_text(encoding="utf-8"))[
    "datasets"
]
ENTRIES = {entry["name"]: entry for entry in REGISTRY}
SIMULATED = [name for name, entry in ENTRIES.items() if entry["kind"] == "simulated"]
KEYS = [
    "name",
    "title",
    "kind",
    "task",
    "licence",
    "licence_note",
    "citation",
    "homepage",
    "source",
    "files",
]

Facts = dict[str, object]


def folder_of(name: str) -> Path:
    """Where a data set's files lie; skips the test if they are not on this machine."""
    if name in SIMULATED:
        return DATA / name
    if not (PUBLIC / name).is_dir():
        pytest.skip(f"public data set {name!r} is absent: run bionn data get {name}")
    return PUBLIC / name


def load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"simulate_{name}", DATA / name / "simulate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_fasta(path: Path) -> pd.DataFrame:
    """Header and sequence of each record, in plain Python: independent of bionn."""
    blocks = path.read_text(encoding="ascii").removeprefix(">").split("\n>")
    pairs = [block.split("\n", 1) for block in blocks]
    frame = pd.DataFrame(pairs, columns=["header", "sequence"])
    return frame.assign(sequence=frame.sequence.str.replace("\n", "").str.upper())


def only(values: pd.Series) -> object:
    """The one value all rows share."""
    (value,) = values.unique()
    return value


def repeats(values: pd.Series) -> int:
    return int(values.duplicated().sum())


def conflicts(sequences: pd.Series, labels: pd.Series) -> int:
    return int((labels.groupby(sequences).nunique() > 1).sum())


# Facts: each function measures what its card's `facts` block claims.


def promoters_simulated(folder: Path) -> Facts:
    records = read_fasta(folder / "promoters.fasta")
    labels = pd.read_csv(folder / "labels.csv")
    assert list(labels.id) == list(records.header)
    return {
        "records": len(records),
        "length": only(records.sequence.str.len()),
        "promoters": (labels.label == "promoter").sum(),
        "duplicate_sequences": repeats(records.sequence),
    }


def regulation_simulated(folder: Path) -> Facts:
    table = pd.read_csv(folder / "expression.csv")
    regulators, targets = table.filter(like="reg"), table.filter(like="tgt")
    return {
        "samples": table["sample"].nunique(),
        "regulators": regulators.shape[1],
        "targets": targets.shape[1],
        "missing_regulator_values": regulators.isna().sum().sum(),
        "missing_target_values": targets.isna().sum().sum(),
        **table.condition.value_counts(),
    }


def splice(folder: Path) -> Facts:
    path = folder / "splice.data"
    table = pd.read_csv(path, header=None, names=["label", "id", "sequence"], dtype=str)
    table = table.apply(lambda column: column.str.strip())
    return {
        "records": len(table),
        "length": only(table.sequence.str.len()),
        **table.label.value_counts(),
        "duplicate_sequences": repeats(table.sequence),
        "duplicate_ids": repeats(table.id),
        "sequences_with_two_labels": conflicts(table.sequence, table.label),
        "records_with_ambiguity_codes": table.sequence.str.contains("[^ACGT]").sum(),
        "letters": "".join(sorted(set("".join(table.sequence)))),
    }


def sixma_athaliana(folder: Path) -> Facts:
    train, test = (pd.read_csv(folder / f"{part}.tsv", sep="\t") for part in ("train", "test"))
    both = pd.concat([train, test])
    return {
        "train_records": len(train),
        "test_records": len(test),
        "train_positives": train.label.sum(),
        "test_positives": test.label.sum(),
        "length": only(both.text.str.len()),
        "middle_letter": only(both.text.str[20]),
        "duplicates_in_train": repeats(train.text),
        "duplicates_in_test": repeats(test.text),
        "test_rows_also_in_train": test.text.isin(train.text).sum(),
        "sequences_with_two_labels": conflicts(both.text, both.label),
    }


def promoters_athaliana(folder: Path) -> Facts:
    promoters = read_fasta(folder / "Arabidopsis_non_tata.fa")
    others = read_fasta(folder / "Arabidopsis_non_prom_big.fa")
    both = pd.concat([promoters, others])
    return {
        "promoters": len(promoters),
        "non_promoters": len(others),
        "length": only(both.sequence.str.len()),
        "duplicate_promoters": repeats(promoters.sequence),
        "duplicate_non_promoters": repeats(others.sequence),
        "sequences_with_two_labels": len(set(promoters.sequence) & set(others.sequence)),
        "repeated_non_promoter_headers": repeats(others.header),
        "repeated_non_promoter_first_words": repeats(others.header.str.split().str[0]),
        "n_letters": both.sequence.str.count("N").sum(),
    }


def lafleur2022(folder: Path) -> Facts:
    table = pd.read_csv(folder / "La_Fleur_et_al.csv")
    supplement = pd.read_csv(folder / "41467_2022_32829_MOESM5_ESM.csv")
    lengths = table["Promoter Sequence"].str.len()
    observed, predicted = table["Observed log(TX/Txref)"], table["Predicted log(TX/Txref)"]
    parts = supplement[["UP", "h35", "spacs", "h10", "disc", "ITR"]]
    residual = ((observed - predicted) ** 2).sum() / ((observed - observed.mean()) ** 2).sum()
    return {
        "records": len(table),
        "distinct_sequences": table["Promoter Sequence"].nunique(),
        "distinct_lengths": lengths.nunique(),
        "shortest": lengths.min(),
        "longest": lengths.max(),
        "most_common_length": lengths.mode()[0],
        "distinct_flanks": len(table[["Upstream DNA", "Downstream DNA"]].drop_duplicates()),
        "r2_of_published_prediction": round(1 - residual, 3),
        "rows_with_mae_mse_slope": table[["MAE", "MSE", "Slope"]].notna().all(axis=1).sum(),
        "supplement_records": len(supplement),
        "supplement_missing_values": supplement.isna().sum().sum(),
        "supplement_high_quality": (supplement["high quality"] == "Yes").sum(),
        "records_found_in_supplement": table["Promoter Sequence"].isin(parts.sum(axis=1)).sum(),
    }


def crx_mpra(folder: Path) -> Facts:
    records = read_fasta(folder / "library1And2.fasta")
    rows = pd.read_csv(folder / "rhoActivityJoinedAnnotated.txt", sep="\t")
    groups = rows.group_name.value_counts()
    return {
        "records": len(records),
        "length": only(records.sequence.str.len()),
        "duplicate_sequences": repeats(records.sequence),
        "rows": rows.label.nunique(),
        "records_without_a_row": (~records.header.isin(rows.label)).sum(),
        "rows_without_a_record": (~rows.label.isin(records.header)).sum(),
        "loci": records.header.str.split("_").str[0].nunique(),
        "missing_expression": rows.expression.isna().sum(),
        "missing_group": rows.group_name.isna().sum(),
        "strong_enhancers": groups["Strong enhancer"],
        "weak_enhancers": groups["Weak enhancer"],
        "inactive": groups["Inactive"],
        "silencers": groups["Silencer"],
    }


def gue_prom_core(folder: Path) -> Facts:
    parts = {part: pd.read_csv(folder / f"{part}.csv") for part in ("train", "dev", "test")}
    train, dev, test = (part.sequence for part in parts.values())
    both = pd.concat(parts.values())
    return {
        **{f"{name}_records": len(part) for name, part in parts.items()},
        **{f"{name}_positives": part.label.sum() for name, part in parts.items()},
        "length": only(both.sequence.str.len()),
        **{f"duplicates_in_{name}": repeats(part.sequence) for name, part in parts.items()},
        "test_rows_also_in_train": test.isin(train).sum(),
        "dev_rows_also_in_train": dev.isin(train).sum(),
        "test_rows_also_in_dev": test.isin(dev).sum(),
        "sequences_with_two_labels": conflicts(both.sequence, both.label),
    }


def mice_protein(folder: Path) -> Facts:
    path = folder / "Data_Cortex_Nuclear.csv"
    content = path.read_bytes()
    table = pd.read_csv(path, encoding="utf-8-sig")
    proteins = table.filter(regex="_N$")
    assert proteins["ARC_N"].equals(proteins["pS6_N"])
    return {
        "records": len(table),
        "columns": table.shape[1],
        "proteins": proteins.shape[1],
        "missing_values": proteins.isna().sum().sum(),
        "proteins_with_missing_values": proteins.isna().any().sum(),
        "complete_rows": proteins.notna().all(axis=1).sum(),
        "mice": table.MouseID.str.split("_").str[0].nunique(),
        "rows_per_mouse": only(table.MouseID.str.split("_").str[0].value_counts()),
        "classes": table["class"].nunique(),
        "smallest_class": table["class"].value_counts().min(),
        "largest_class": table["class"].value_counts().max(),
        "starts_with_bom": content.startswith(b"\xef\xbb\xbf"),
        "line_feeds": content.count(b"\n"),
        "carriage_returns": content.count(b"\r"),
    }


def m3d_sos(folder: Path) -> Facts:
    main, knockout = (
        pd.read_csv(folder / name, header=None)
        for name in ("SOS_data.csv", "recA_knockout_data.csv")
    )
    content = (folder / "SOS_data.csv").read_bytes()
    return {
        "arrays": len(main),
        "genes": main.shape[1],
        "knockout_arrays": len(knockout),
        "knockout_arrays_in_main_file": len(knockout.merge(main)),
        "missing_values": main.isna().sum().sum() + knockout.isna().sum().sum(),
        "duplicate_arrays": int(main.duplicated().sum()),
        "lines_end_in_crlf": content.count(b"\r\n") == content.count(b"\n") == len(main),
    }


MEASURE: dict[str, Callable[[Path], Facts]] = {
    "promoters_simulated": promoters_simulated,
    "regulation_simulated": regulation_simulated,
    "splice": splice,
    "6ma_athaliana": sixma_athaliana,
    "promoters_athaliana": promoters_athaliana,
    "lafleur2022": lafleur2022,
    "crx_mpra": crx_mpra,
    "gue_prom_core": gue_prom_core,
    "mice_protein": mice_protein,
    "m3d_sos": m3d_sos,
}


@pytest.mark.parametrize("name", SIMULATED)
def test_the_script_with_its_defaults_reproduces_the_shipped_files(name: str, tmp_path: Path):
    script = DATA / name / "simulate.py"
    subprocess.run([sys.executable, str(script), "--out", str(tmp_path)], check=True, timeout=60)
    shipped = {file["name"] for file in ENTRIES[name]["files"]}
    assert {path.name for path in tmp_path.iterdir()} == shipped
    for file in shipped:
        assert (tmp_path / file).read_bytes() == (DATA / name / file).read_bytes(), file


@pytest.mark.parametrize("name", SIMULATED)
def test_another_seed_gives_other_data(name: str):
    simulate = load_script(name).simulate
    first, again, other = (simulate(np.random.default_rng(seed), 20)[0] for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", SIMULATED)
def test_a_simulated_card_says_so_first(name: str):
    assert "SIMULATED" in (DATA / name / "README.md").read_text().splitlines()[0]


def test_shipped_files_stay_small():
    names = [DATA / name / file["name"] for name in SIMULATED for file in ENTRIES[name]["files"]]
    assert sum(path.stat().st_size for path in names) < 400_000


def test_every_registry_entry_has_a_card_a_place_in_the_list_and_its_facts_and_vice_versa():
    cards = {path.parent.name for path in DATA.glob("*/README.md")}
    listed = set(re.findall(r"\((\w+)/README\.md\)", (DATA / "README.md").read_text()))
    assert len(ENTRIES) == len(REGISTRY)
    assert cards == set(ENTRIES) == listed == set(MEASURE)


@pytest.mark.parametrize("name", ENTRIES)
def test_registry_entry_follows_the_schema(name: str):
    entry = ENTRIES[name]
    assert list(entry) == KEYS
    assert entry["kind"] in {"simulated", "public"}
    assert set(entry["task"]) <= {"binary", "multiclass", "regression"}
    assert entry["licence"] or entry["licence_note"]
    if entry["kind"] == "public":
        assert entry["citation"]
        assert re.fullmatch(r"[0-9a-f]{7,40}", entry["source"]["commit"])
        card = (DATA / name / "README.md").read_text()
        assert entry["source"]["repository"].removeprefix("https://") in card
        assert entry["source"]["commit"][:7] in card
        for file in entry["files"]:
            assert f"`{file['name']}` | {file['bytes']} |" in card


@pytest.mark.parametrize("name", ENTRIES)
def test_checksums_hold(name: str):
    folder = folder_of(name)
    for file in ENTRIES[name]["files"]:
        content = (folder / file["name"]).read_bytes()
        assert len(content) == file["bytes"], file["name"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"], file["name"]


@pytest.mark.parametrize("name", ENTRIES)
def test_facts_on_the_card_hold(name: str):
    card = (DATA / name / "README.md").read_text()
    (block,) = re.findall(r"```yaml facts\n(.*?)```", card, flags=re.DOTALL)
    assert MEASURE[name](folder_of(name)) == yaml.safe_load(block)


def test_promoters_and_background_share_their_composition_but_not_the_boxes():
    records = read_fasta(DATA / "promoters_simulated" / "promoters.fasta")
    labels = pd.read_csv(DATA / "promoters_simulated" / "labels.csv").label
    motifs = json.loads((DATA / "promoters_simulated" / "motifs.json").read_text())
    codes = np.array([list(sequence) for sequence in records.sequence])
    edges = motifs["region_edges"]
    for low, high in itertools.pairwise(edges):
        for letter in motifs["letters"]:
            shares = (codes[:, low:high] == letter).mean(axis=1)
            one, other = (shares[labels == label] for label in ("promoter", "background"))
            error = np.sqrt(one.var() / len(one) + other.var() / len(other))
            assert abs(one.mean() - other.mean()) < 4 * error
    for box in motifs["boxes"].values():
        assert np.allclose(np.sum(box["planted"], axis=1), 1, atol=1e-5)
        found = records.sequence.str.contains(box["consensus"]).groupby(labels).mean()
        assert found["promoter"] > 10 * found["background"]


def test_the_planted_network_explains_the_targets():
    table = pd.read_csv(DATA / "regulation_simulated" / "expression.csv").dropna()
    network = pd.read_csv(DATA / "regulation_simulated" / "network.csv")
    expected = pd.DataFrame(5.0, index=table.index, columns=sorted(network.target.unique()))
    for (target, _), edges in network.groupby(["target", "term"]):
        product = pd.Series(edges.weight.iloc[0], index=table.index)
        for edge in edges.itertuples():
            occupied = 1 / (1 + 2 ** (edge.hill * (edge.half - table[edge.regulator])))
            product = product * (occupied if edge.effect == "activates" else 1 - occupied)
        expected[target] += product
    targets = table[expected.columns]
    left = ((targets - expected) ** 2).sum() / ((targets - targets.mean()) ** 2).sum()
    assert left.between(0.05, 0.10).all()  # the noise: 7.5 % of the variance
