"""``report.html``: a run's folder as one page that needs nothing else, no network, no other file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bionn.errors import InputError
from bionn.formats.output import replacing
from bionn.report.run_files import Run, read_run
from bionn.report.sections import (
    answer,
    data,
    explanations,
    network,
    predictions,
    scores,
    settings,
    trust,
)
from bionn.report.wording import MEANINGS, chance, counted, number, short, visible

Facts = Mapping[str, Any]


class Section(NamedTuple):
    """One section of the page.

    Attributes:
        id: its anchor and the name of its template.
        title: its heading.
        facts: from the run to what the template shows; None leaves the section out.
    """

    id: str
    title: str
    facts: Callable[[Run], Facts | None]


SECTIONS = (
    Section("data", "The data", data.data),
    Section("split", "The split", data.split),
    Section("network", "The network", network.architecture),
    Section("tuning", "How its settings were chosen", network.tuning),
    Section("training", "Training", network.training),
    Section("scores", "Test scores", scores.scores),
    Section("predictions", "Test predictions", predictions.predictions),
    Section("by_class", "Class by class", scores.by_class),
    Section("calibration", "Can its confidence be believed?", trust.calibration),
    Section("conformal", "Predictions with a guarantee", trust.conformal),
    Section("subgroups", "Where it does better and worse", scores.subgroups),
    Section("sizes", "Would more data help?", scores.sizes),
    Section("examples", "What it looks at", explanations.examples),
    Section("motifs", "Motifs", explanations.motifs),
    Section("features", "Features that matter", explanations.features),
    Section("settings", "To have it again", settings.settings),
)


def write_page(folder: str | Path) -> Path:
    """Make ``report.html`` in a run's folder from the files there.

    Returns:
        Where it was written.

    Raises:
        InputError: not a run's folder, or a file in it that cannot be read.
    """
    page = render(folder)
    path = Path(folder) / "report.html"
    with replacing(path) as file:
        file.write(page)
    return path


def render(folder: str | Path) -> str:
    """The page of a run's folder."""
    run, shown = read_run(folder), []
    for section in SECTIONS:
        facts = _facts(section, run, folder)
        if facts is not None:
            title = section.title
            if section.id == "by_class" and facts["what"] == "target":
                title = "Target by target"
            shown.append({"id": section.id, "title": title, "facts": facts})
    environment = make_environment()
    head = _facts(Section("answer", "", answer.answer), run, folder)
    return environment.get_template("report.html").render(
        answer=head, sections=shown, meanings=MEANINGS
    )


def _facts(section: Section, run: Run, folder: str | Path) -> Facts | None:
    """A section's facts; files that are not as a run writes them are an error of the input."""
    try:
        return section.facts(run)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(
            f"{folder}: the files of a run needed, something else found where the page tells of "
            f"{section.id} ({type(error).__name__}: {error}); run bionn run again"
        ) from error


def make_environment(*packages: str) -> Environment:
    """Jinja2 with everything escaped, and every invisible character of the data written out.

    Args:
        *packages: where templates are looked for, in this order; the report's own when none.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in packages or ("bionn.report",)]),
        autoescape=True,
        finalize=_safe,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "chance": chance, "short": short, "counted": counted}
    environment.globals |= {"own": lambda name: own_text(environment, name), "sha256": _sha256}
    return environment


def own_text(environment: Environment, name: str) -> Markup:
    """The text of a style sheet or script beside the templates, to stand in the page as it is."""
    assert environment.loader is not None
    return Markup(environment.loader.get_source(environment, name)[0])


def _safe(value: Any) -> Any:
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return visible(value)


def _sha256(text: str) -> str:
    """As a content security policy names a script or a style sheet that may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
