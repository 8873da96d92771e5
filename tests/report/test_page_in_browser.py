"""The page in Chromium: silent, accessible, readable on a phone and on paper, its maps read out."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bionn.report.page import write_page
from tests.support.browser import PHONE, Browser, browser, needs_browser
from tests.support.reported import (
    edit_metrics,
    hostile_run,
    sequence_run,
    table_run,
    write_examples,
)

pytestmark = needs_browser


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of runs of each kind, with all that may stand in them."""
    base = tmp_path_factory.mktemp("runs")
    folders = {
        "sequences": sequence_run(base / "sequences"),
        "folds": sequence_run(base / "folds", target="site", folds=3),
        "table": table_run(base / "table", target=["y1", "y2"]),
        "hostile": hostile_run(base / "hostile"),
    }
    edit_metrics(
        folders["sequences"],
        conformal=[{"level": 0.9, "coverage": 0.889, "size": 1.23}],
        subgroups=[{"by": "length", "group": "41-60", "n": 7, "scores": {"auroc": 0.654}}],
        learning_curve=[{"n": 10, "val": {"auroc": 0.61}}, {"n": 20, "val": {"auroc": 0.72}}],
        intervals={"auroc": [0.4, 0.8]},
    )
    for name in ("sequences", "hostile"):
        write_examples(folders[name], length=100)
    motif = {
        "name": "m1",
        "matrix": [[8, 1, 1, 0]] * 6,
        "seqlets": 4,
        "output": "yes",
        "consensus": "AAAAAA",
    }
    (folders["sequences"] / "explain" / "motifs.json").write_text(json.dumps([motif]))
    for folder in folders.values():
        write_page(folder)
    return folders


@pytest.mark.parametrize("name", ["sequences", "folds", "table", "hostile"])
def test_the_page_is_silent_and_accessible(
    chromium: Browser, runs: dict[str, Path], name: str
) -> None:
    for dark in (False, True):
        for width in (1100, PHONE):
            chromium.open(runs[name] / "report.html", dark=dark, width=width)
            chromium.unfold()
            assert chromium.violations() == []
            assert chromium.overflow() <= 0
            assert chromium.complaints() == []


def test_dark_is_dark_and_light_is_light(chromium: Browser, runs: dict[str, Path]) -> None:
    lightness = []
    for dark in (False, True):
        chromium.open(runs["sequences"] / "report.html", dark=dark)
        paper = chromium.run("return getComputedStyle(document.body).backgroundColor")
        lightness.append(sum(int(n) for n in re.findall(r"\d+", paper)[:3]))
    assert lightness[0] > 700 > 100 > lightness[1]


def test_paper_is_light_whatever_the_screen_is(chromium: Browser, runs: dict[str, Path]) -> None:
    def colours() -> list[str]:
        return chromium.run(
            "const style = getComputedStyle(document.documentElement);"
            "return ['--paper', '--c0', '--base-a', '--up'].map(n => style.getPropertyValue(n).trim())"
        )

    chromium.open(runs["sequences"] / "report.html")
    light = colours()
    chromium.open(runs["sequences"] / "report.html", dark=True)
    assert all(dark != other for dark, other in zip(colours(), light, strict=True))
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    chromium.driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"media": "print", "features": features}
    )
    try:
        assert colours() == light
        widths = chromium.run(
            "return [...document.querySelectorAll('.drawing')].map(one => one.clientWidth)"
        )
        assert max(widths) <= chromium.run("return document.body.clientWidth")
    finally:
        chromium.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_only_the_best_of_each_column_is_bold(
    chromium: Browser, runs: dict[str, Path], tmp_path: Path
) -> None:
    copy = shutil.copytree(runs["table"], tmp_path / "copy")
    metrics = json.loads((copy / "metrics.json").read_text(encoding="utf-8"))
    baselines = metrics["baselines"]
    baselines["forest"]["test"] |= {"r2": metrics["test"]["r2"] + 0.05}
    edit_metrics(copy, baselines=baselines)
    write_page(copy)
    chromium.open(copy / "report.html")
    rows = chromium.run(
        """return [...document.querySelectorAll('table.scores tbody tr')].map(row =>
             [...row.querySelectorAll('td')].map(cell => {
               const best = cell.querySelector('b');
               return [Number(getComputedStyle(best || cell).fontWeight) > 500, Boolean(best)];
             }))"""
    )
    assert all(bold == best for row in rows for bold, best in row)
    assert not rows[0][0][0]  # the network's R2: the forest's is better
    assert sum(row[0][0] for row in rows) == 1


def test_nothing_hostile_ran(chromium: Browser, runs: dict[str, Path]) -> None:
    chromium.open(runs["hostile"] / "report.html")
    assert chromium.run("return window.hacked") is None
    assert chromium.run("return document.querySelectorAll('img, svg[onload]').length") == 0
    # The page's own policy would have stopped a script that had got through.
    chromium.run(
        "const s = document.createElement('script'); s.textContent = 'window.hacked = 1';"
        "document.body.append(s)"
    )
    assert chromium.run("return window.hacked") is None
    assert "Content Security Policy" in " ".join(chromium.complaints())


def cell(data: dict, position: int, letter: int) -> str:
    """What is to be read for a cell."""
    there, other = data["sequence"][position], data["letters"][letter]
    if there == other:
        return f"position {position + 1}, {there} → {other}: as it is"
    value = data["effects"][position][letter]
    return f"position {position + 1}, {there} → {other}: {value:+.3g}".replace("-", "−")


def test_a_map_is_read_out_under_the_pointer_and_by_the_arrow_keys(
    chromium: Browser, runs: dict[str, Path]
) -> None:
    chromium.open(runs["sequences"] / "report.html")
    data = json.loads(chromium.run("return document.getElementById('heat-0').textContent"))
    read = "return document.getElementById('heat-0-readout').textContent"
    for position, letter in ((0, 0), (7, 2), (49, 3), (50, 1), (99, 3)):
        row = int(position >= data["firsts"][1])
        x = data["left"] + data["cell"] * (position - data["firsts"][row] + 0.5)
        y = data["top"] + data["rowHeight"] * row + data["cellHeight"] * (letter + 0.5)
        chromium.run(
            """const svg = document.querySelector('[data-heat] svg');
            svg.scrollIntoView();
            const at = new DOMPoint(arguments[0], arguments[1]).matrixTransform(svg.getScreenCTM());
            svg.dispatchEvent(new PointerEvent('pointermove', {clientX: at.x, clientY: at.y}));""",
            x,
            y,
        )
        assert chromium.run(read) == cell(data, position, letter)
    box = chromium.driver.find_element("css selector", "[data-heat]")
    box.send_keys("\ue011")  # Home
    assert chromium.run(read) == cell(data, 0, 3)
    box.send_keys("\ue014\ue014\ue013")  # right, right, up
    assert chromium.run(read) == cell(data, 2, 2)
    box.send_keys("\ue010")  # End
    assert chromium.run(read) == cell(data, 99, 2)


def test_the_page_is_whole_without_its_script(
    chromium: Browser, runs: dict[str, Path], tmp_path: Path
) -> None:
    text = (runs["sequences"] / "report.html").read_text(encoding="utf-8")
    chromium.open(runs["sequences"] / "report.html")
    with_script = chromium.run("return document.body.innerText")
    head, script = text.rsplit("<script>", 1)
    (tmp_path / "still.html").write_text(head + script.split("</script>", 1)[1], encoding="utf-8")
    chromium.open(tmp_path / "still.html")
    assert chromium.run("return document.body.innerText") == with_script
    assert chromium.violations() == []


def test_it_prints(chromium: Browser, runs: dict[str, Path]) -> None:
    chromium.open(runs["sequences"] / "report.html")
    paper = chromium.pdf()
    assert paper.startswith(b"%PDF")
    pages = len(re.findall(rb"/Type\s*/Page\b", paper))
    assert 3 <= pages <= 20


def test_it_is_opened_from_a_folder_with_odd_characters(
    chromium: Browser, runs: dict[str, Path], tmp_path: Path
) -> None:
    copy = shutil.copytree(runs["table"], tmp_path / "a #b?%20<i>")
    chromium.open(copy / "report.html")
    assert chromium.run("return document.querySelector('h1').textContent").startswith("Predicting")
    assert chromium.complaints() == []
