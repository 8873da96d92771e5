"""Results are written between their marks, and nothing else of a README changes."""

from __future__ import annotations

from pathlib import Path

from experiments.common import write_result


def test_a_result_replaces_the_one_before(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("# A\n\n<!-- result -->\nold\n<!-- end of result -->\n\nthe rest\n")
    for text in ("first \\1", "second"):
        write_result(readme, text)
        assert readme.read_text() == (
            f"# A\n\n<!-- result -->\n{text}\n<!-- end of result -->\n\nthe rest\n"
        )


def test_a_result_without_a_place_is_added_at_the_end(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("# A\n\nthe rest\n")
    for _ in range(2):
        write_result(readme, "told", "compared")
    assert readme.read_text() == (
        "# A\n\nthe rest\n\n<!-- compared -->\ntold\n<!-- end of compared -->\n"
    )
