"""The terminal that results are printed on: text from files is shown there and never obeyed."""

from __future__ import annotations

from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult

from bionn.formats.escape import printable


def terminal(**options: Any) -> Console:
    """A console that writes out control characters in whatever it is given to print.

    Args:
        **options: of :class:`rich.console.Console`.
    """
    console = Console(highlight=False, **options)
    console.push_render_hook(_WritesOut())
    return console


class _WritesOut(RenderHook):
    """Puts itself around everything that is printed."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """The same things, made harmless."""
        return [_Harmless(renderable) for renderable in renderables]


class _Harmless:
    """Something printed, its text without control characters; styles and cursor moves stay."""

    def __init__(self, inner: ConsoleRenderable) -> None:
        self.inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self.inner, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))
