"""The page: complete, self-contained, the same whenever it is made, and deaf to hostile names."""

import json
import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from bionn.report.page import SECTIONS, render, write_page
from bionn.report.wording import number, visible
from tests.support.reported import (
    HOSTILE,
    edit_metrics,
    hostile_run,
    sequence_run,
    table_run,
    write_examples,
)


class Page(HTMLParser):
    """The elements of a page, with what is written in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements[-1:] and self.elements[-1][0] not in ("style", "script"):
            self.texts.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.texts).split())

    @property
    def sections(self) -> list[str]:
        return [a["id"] or "" for tag, a in self.elements if tag == "section" and "id" in a]


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sequence_run(tmp_path_factory.mktemp("binary") / "run")


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return table_run(tmp_path_factory.mktemp("several") / "run", target=["y1", "y2"])


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sequence_run(tmp_path_factory.mktemp("folds") / "run", target="site", folds=3)


def test_a_run_writes_its_page_and_it_is_made_the_same_again(binary: Path, tmp_path: Path) -> None:
    first = (binary / "report.html").read_text(encoding="utf-8")
    copy = shutil.copytree(binary, tmp_path / "elsewhere")
    (copy / "report.html").unlink()
    assert write_page(copy) == copy / "report.html"
    assert (copy / "report.html").read_text(encoding="utf-8") == first


def test_the_page_needs_nothing_else(binary: Path) -> None:
    page = Page(render(binary))
    for tag, attributes in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base")
        for name in ("src", "srcset", "data", "action", "xlink:href"):
            assert name not in attributes
        if "href" in attributes:
            assert (attributes["href"] or "").startswith("#")
    style = re.search(r"<style>(.*?)</style>", render(binary), flags=re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_links_and_labels_lead_somewhere(binary: Path) -> None:
    elements = Page(render(binary)).elements
    ids = [a["id"] for _, a in elements if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in elements:
        for name in ("href", "aria-labelledby"):
            target = (attributes.get(name) or "").removeprefix("#")
            assert not target or target in ids


def test_headings_go_down_by_one_step(folds: Path) -> None:
    levels = [int(tag[1]) for tag, _ in Page(render(folds)).elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_scores_and_ids_are_those_of_the_files(binary: Path) -> None:
    words = Page(render(binary)).words
    metrics = json.loads((binary / "metrics.json").read_text())
    for model in (metrics, *metrics["baselines"].values()):
        for score in ("accuracy", "auroc", "auprc", "mcc", "f1"):
            assert number(model["test"][score]) in words
    table = pd.read_csv(binary / "predictions.tsv", sep="\t", dtype=str)
    wrong = table[(table["split"] == "test") & (table["target"] != table["prediction"])]
    assert len(wrong)
    assert f"{len(wrong)} of {(table['split'] == 'test').sum()} test rows are called wrong" in words
    for name in wrong["id"]:
        assert name in words


def test_a_regression_shows_each_target_and_its_largest_errors(several: Path) -> None:
    page = Page(render(several))
    table = pd.read_csv(several / "predictions.tsv", sep="\t")
    test = table[table["split"] == "test"]
    assert "Target by target" in page.words
    labels = [a.get("aria-label") or "" for tag, a in page.elements if tag == "svg"]
    for name in ("y1", "y2"):
        assert any(f"Predicted against measured values of {name}" in label for label in labels)
        assert any(f"Residuals of {name}" in label for label in labels)
    errors = {
        n: pd.Series(abs(test[f"prediction_{n}"] - test[f"target_{n}"])) for n in ("y1", "y2")
    }
    scaled = {n: e / float(test[f"target_{n}"].std(ddof=0)) for n, e in errors.items()}
    worst = max(scaled, key=lambda n: scaled[n].max())
    first = test.loc[scaled[worst].idxmax(), "id"]
    largest = page.words[page.words.index("Largest errors") :]
    assert largest.split("in std ")[1].startswith(f"{first} {worst}")


def test_folds_show_their_scores_and_pooled_curves(folds: Path) -> None:
    page = Page(render(folds))
    metrics = json.loads((folds / "metrics.json").read_text())
    for fold in metrics["folds"]:
        assert number(fold["test"]["auroc"]) in page.words
    names = ("accuracy", "auroc", "auprc", "mcc", "f1")
    spread = " ".join(number(metrics["test_std"][name]) for name in names)
    assert f"standard deviation {spread}" in page.words
    table = pd.read_csv(folds / "predictions.tsv", sep="\t")
    pooled = roc_auc_score(table["target"] == "EI", table["prob_EI"])
    assert f"EI: AUROC {number(float(pooled))}" in page.words
    assert "pool the test rows of all folds" in page.words


def test_what_is_measured_besides_is_shown(binary: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(binary, tmp_path / "copy")
    bins = [
        {"confidence": 0.7, "frequency": 0.6, "n": 5},
        {"confidence": 0.9, "frequency": 1, "n": 4},
    ]
    edit_metrics(
        copy,
        intervals={"auroc": [0.4321, 0.8765]},
        comparison={
            "baseline": "forest",
            "score": "auroc",
            "difference": -0.0512,
            "interval": [-0.0934, -0.0123],
            "p_value": 0.0021,
            "verdict": "worse",
        },
        calibration={
            "temperature": 1.731,
            "before": {"ece": 0.111, "brier": 0.222, "loss": 0.333},
            "after": {"ece": 0.101, "brier": 0.202, "loss": 0.303},
            "reliability": {"before": bins, "after": bins},
        },
        conformal=[{"level": 0.9, "coverage": 0.889, "size": 1.23}],
        subgroups=[{"by": "length", "group": "41-60", "n": 7, "scores": {"auroc": 0.654}}],
        learning_curve=[{"n": 10, "val": {"auroc": 0.61}}, {"n": 20, "val": {"auroc": 0.72}}],
        health=[{"message": "7 units gave nothing"}],
    )
    write_examples(copy)
    motif = {
        "name": "m1",
        "matrix": np.eye(4).tolist(),
        "seqlets": 42,
        "output": "yes",
        "consensus": "ACGT",
    }
    (copy / "explain" / "motifs.json").write_text(json.dumps([motif]))
    page = Page(render(copy))
    shown = ["calibration", "conformal", "subgroups", "sizes", "examples", "motifs"]
    assert [name for name in page.sections if name in shown] == shown
    for told in (
        "0.432 to 0.876", "best on validation rows, forest", "p = 0.002",
        "1.731", "0.111", "0.303", "90 %", "88.9 %", "1.230", "41-60", "0.654", "0.720",
        "7 units gave nothing", "42 stretches", "worst error",
    ):  # fmt: skip
        assert told in page.words.replace("\N{NO-BREAK SPACE}", " "), told


def test_a_motif_says_what_it_speaks_for_and_what_against(binary: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(binary, tmp_path / "copy")
    motif = {"matrix": np.eye(4).tolist(), "seqlets": 9, "output": "yes", "consensus": "ACGT"}
    found = [motif | {"name": "positive_1", "sign": 1}, motif | {"name": "negative_1", "sign": -1}]
    (copy / "explain").mkdir(exist_ok=True)
    (copy / "explain" / "motifs.json").write_text(json.dumps(found))
    words = Page(render(copy)).words
    assert re.findall(r"in 9 stretches, (\w+) yes", words) == ["for", "against"]


def test_of_folds_it_is_told_whose_network_is_explained(
    binary: Path, folds: Path, tmp_path: Path
) -> None:
    for run, expected in ((binary, False), (folds, True)):
        copy = shutil.copytree(run, tmp_path / run.parent.name)
        write_examples(copy)
        assert ("to the network of the first fold" in Page(render(copy)).words) is expected


def test_of_folds_with_settings_of_their_own_it_is_told_whose_are_shown(
    folds: Path, tmp_path: Path
) -> None:
    assert "settings of its own" not in Page(render(folds)).words
    copy = shutil.copytree(folds, tmp_path / "copy")
    each = json.loads((copy / "metrics.json").read_text())["folds"]
    found = {"trials": {"complete": 2}, "values": {"dropout": 0.1}, "first": {"dropout": 0.2}}
    found |= {"val_loss": 0.4, "first_val_loss": 0.5}
    curve = [{"n": n, "val": {"auroc": 0.6}} for n in (10, 20)]
    edit_metrics(copy, folds=[fold | {"tuning": found} for fold in each], learning_curve=curve)
    words = Page(render(copy)).words
    assert "This is the network of the first fold; each fold has settings of its own" in words
    assert "one-cycle schedule, in the first fold: learning rate" in words
    assert "Of what was searched each fold has settings of its own" in words
    assert "some of the training rows of the first fold" in words
    assert ("trained once more" in words) is any(fold["training"]["refit"] for fold in each)


def test_what_chance_does_to_coverage_is_told(binary: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(binary, tmp_path / "copy")
    sets = {"level": 0.9, "coverage": 0.87, "size": 0.95, "empty": 0.062, "n": 400}
    edit_metrics(copy, conformal=[sets], n={"train": 1000, "val": 100, "test": 400})
    words = Page(render(copy)).words.replace("\N{NO-BREAK SPACE}", " ")
    # two standard errors of .9 from 100 and from 400 rows: 2 sqrt(.09 (1/100 + 1/400)) = .0671
    assert "With 100 validation rows and 400 test rows, 6.7 points more or less at 90 %" in words
    assert "a set is empty: so are 6.2 % at 90 %" in words
    for refit in (True, False):
        edit_metrics(copy, training={"refit": refit, "epochs": 1, "best_epoch": 1, "stopped": ""})
        assert ("before it was trained once more" in Page(render(copy)).words) is refit


def test_figures_of_folds_tell_the_score_of_the_rows_that_they_draw(tmp_path: Path) -> None:
    run = table_run(tmp_path / "run", target=["y1", "y2"], folds=3)
    words = Page(render(run)).words
    table = pd.read_csv(run / "predictions.tsv", sep="\t")
    for name in ("y1", "y2"):
        pooled = r2_score(table[f"target_{name}"], table[f"prediction_{name}"])
        assert f"R² {number(float(pooled))}. On the dashed line" in words
    assert "pool the test rows of all folds" in words


def test_one_target_is_not_told_twice(tmp_path: Path) -> None:
    run = table_run(tmp_path / "run", target="y1")
    assert "by_class" not in Page(render(run)).sections


def test_subgroups_have_their_intervals(binary: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(binary, tmp_path / "copy")
    group = {"by": "identity", "group": "equal", "n": 7, "scores": {"auroc": 0.654}}
    edit_metrics(copy, subgroups=[group | {"intervals": {"auroc": [0.512, 0.789]}}])
    words = Page(render(copy)).words
    assert "Test scores by identity with the most alike row of training or validation" in words
    assert "0.512 to 0.789" in words
    assert "95 % bootstrap interval: the fewer the rows" in words


def test_every_section_has_a_run_that_shows_it(binary: Path, several: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(several, tmp_path / "copy")
    (copy / "explain").mkdir(exist_ok=True)
    (copy / "explain" / "features.tsv").write_text(
        "feature\timportance\timportance_std\tgradient\ngene2\t0.5\t0.1\t-2\ngene1\t\t\t1\n"
    )
    always = {"data", "split", "network", "training", "scores", "predictions", "settings"}
    assert always <= set(Page(render(binary)).sections)
    assert always | {"by_class", "features"} <= set(Page(render(copy)).sections)
    later = {"calibration", "conformal", "subgroups", "sizes", "examples", "motifs", "tuning"}
    assert always | {"by_class", "features"} | later == {section.id for section in SECTIONS}


def test_a_search_is_told_beside_the_settings_taken_otherwise(binary: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(binary, tmp_path / "copy")
    found = {
        "trials": {"complete": 3, "pruned": 2},
        "values": {"dropout": 0.35, "activation": "gelu"},
        "val_loss": 0.4321,
        "first": {"dropout": 0.2, "activation": "relu"},
        "first_val_loss": 0.5678,
        "importance": {"dropout": 0.9, "activation": 0.1},
    }
    edit_metrics(copy, tuning=found)
    (copy / "tuning").mkdir()
    (copy / "tuning" / "trials.tsv").write_text(
        "trial\tstate\tval_loss\n0\tcomplete\t0.5678\n1\tpruned\t9\n2\tcomplete\t0.4321\n"
        "3\tpruned\t9\n4\tcomplete\t0.6\n"
    )
    page = Page(render(copy))
    words = page.words
    assert "tuning" in page.sections
    assert "5 settings were tried on training and validation rows, 2 of them given up" in words
    assert "best validation loss is 0.4321; the settings taken otherwise have 0.5678" in words
    assert "dropout 0.2 0.35 0.900" in words
    assert "activation relu gelu 0.100" in words
    assert "the best so far" in words
    assert "settings of its own" not in words
    edit_metrics(copy, tuning=found | {"trials": {"complete": 1}, "first_val_loss": None})
    words = Page(render(copy)).words
    assert "1 setting was tried on training and validation rows. The best" in words
    assert "taken otherwise have" not in words


def test_the_numbers_of_a_map_stand_in_the_page(binary: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(binary, tmp_path / "copy")
    written = write_examples(copy, length=12)
    found = re.findall(
        r'<script type="application/json" id="heat-\d+">(.*?)</script>', render(copy)
    )
    assert [json.loads(text)["effects"] for text in found] == [e["mutagenesis"] for e in written]
    assert [json.loads(text)["sequence"] for text in found] == [e["sequence"] for e in written]


def test_a_long_sequence_shows_the_stretch_that_matters(binary: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(binary, tmp_path / "copy")
    effects = np.zeros((1000, 4))
    effects[700:720] = 1
    write_examples(copy, length=1000, mutagenesis=effects.tolist())
    found = re.search(r'id="heat-0">(.*?)</script>', render(copy))
    assert found is not None
    data = json.loads(found[1])
    assert len(data["sequence"]) == 320
    assert data["start"] <= 701
    assert data["start"] + 320 >= 721
    assert f"Positions {data['start']:,} to {data['start'] + 319:,} of 1,000" in render(copy)


def test_hostile_names_are_text(tmp_path: Path) -> None:
    folder = hostile_run(tmp_path / "run")
    write_examples(
        folder, sequence="ACGTACGTACGT", id=HOSTILE[1], why=HOSTILE[0], target=HOSTILE[4]
    )
    text = render(folder)
    page = Page(text)
    assert [a.get("type") for tag, a in page.elements if tag == "script"] == [
        "application/json",
        "application/json",
        None,
    ]
    assert not [tag for tag, _ in page.elements if tag == "img"]
    assert not [name for _, a in page.elements for name in a if name.startswith("on")]
    assert "49" not in re.findall(r"\d+", page.words.split("Worst errors")[0][:200])
    table = pd.read_csv(folder / "predictions.tsv", sep="\t", dtype=str)
    wrong = table[(table["split"] == "test") & (table["target"] != table["prediction"])]
    shown = [name for name in wrong["id"] if len(visible(name)) <= 60]
    assert shown
    for name in shown:
        assert " ".join(visible(name).split()) in page.words
    hidden = [c for c in text if not c.isprintable() and c not in "\n\N{NO-BREAK SPACE}"]
    assert not hidden


def test_many_rows_make_a_small_page_in_which_curves_keep_their_shape(
    binary: Path, several: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    n = 30_000
    chances = rng.beta(2, 2, n)
    labels = np.where(rng.random(n) < chances, "yes", "no")
    copy = shutil.copytree(binary, tmp_path / "binary")
    pd.DataFrame(
        {
            "id": [f"r{k}" for k in range(n)],
            "split": "test",
            "target": labels,
            "prediction": np.where(chances > 0.5, "yes", "no"),
            "prob_no": 1 - chances,
            "prob_yes": chances,
        }
    ).to_csv(copy / "predictions.tsv", sep="\t", index=False)
    assert len(render(copy)) < 300_000
    copy = shutil.copytree(several, tmp_path / "several")
    truth = rng.normal(size=(n, 2))
    frame = pd.DataFrame({"target_y1": truth[:, 0], "target_y2": truth[:, 1]})
    frame[["prediction_y1", "prediction_y2"]] = truth + rng.normal(size=(n, 2))
    frame.insert(0, "id", pd.Series([f"r{k}" for k in range(n)]))
    frame.insert(1, "split", "test")
    frame.to_csv(copy / "predictions.tsv", sep="\t", index=False)
    text = render(copy)
    assert len(text) < 500_000
    assert "Of more than 2,500 rows so many are drawn, at random" in text


def test_markup_in_a_file_of_the_run_cannot_become_a_template(binary: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(binary, tmp_path / "copy")
    edit_metrics(copy, health=[{"message": "{{ 7 * 7 }}{% include '/etc/passwd' %}"}])
    assert "{{ 7 * 7 }}{% include &#39;/etc/passwd&#39; %}" in render(copy)
