"""What goes into a drawing comes out as text, whatever it is."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.report.figures.svg import drawing, element, polyline, text
from bionn.report.wording import visible
from tests.support.reported import HOSTILE


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_in_elements_and_attributes(name: str) -> None:
    tree = ElementTree.fromstring(drawing(10, 10, name, text(0, 0, name)))
    assert tree.attrib["aria-label"] == visible(name)
    assert [child.tag for child in tree] == ["text"]
    assert tree[0].text == visible(name)


@given(st.text())
def test_any_text_is_well_formed(words: str) -> None:
    tree = ElementTree.fromstring(element("g", words, id=words))
    assert (tree.text or "") == visible(words)
    assert tree.attrib["id"] == visible(words)


def test_markup_is_not_escaped_twice() -> None:
    inner = element("text", "a & b")
    assert str(element("g", inner)) == "<g><text>a &amp; b</text></g>"


def test_a_path_goes_through_its_points() -> None:
    assert polyline([0, 1.25, 3], [2, 0.06, -1]) == "M0 2L1.2 0.1L3 -1"
