"""Headless Chromium for the tests of pages: opened without a network, measured and audited."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP, PHONE = 1100, 360
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

needs_browser = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="chromium and chromedriver are not installed (Debian: chromium, chromium-driver)",
)


@lru_cache(maxsize=1)
def axe_script() -> str:
    """axe-core, as the package selenium-axe-python brings it."""
    return (files("selenium_axe_python") / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


class Browser:
    """A page in Chromium.

    Args:
        driver: selenium's.
    """

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, page: str | Path, *, width: int = DESKTOP, dark: bool = False) -> None:
        """Go to a file or an address, on a screen of some width, in light or dark."""
        screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get(page.absolute().as_uri() if isinstance(page, Path) else page)

    def run(self, script: str, *arguments: Any) -> Any:
        """What a line of JavaScript returns."""
        return self.driver.execute_script(script, *arguments)

    def unfold(self) -> None:
        """Open everything that is folded."""
        self.run("document.querySelectorAll('details').forEach(one => one.open = true)")

    def complaints(self) -> list[str]:
        """What the console holds since it was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        return self.run("return document.documentElement.scrollWidth - window.innerWidth")

    def violations(self) -> list[str]:
        """What axe-core finds wrong, a line each."""
        self.run(axe_script())
        found = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run().then(result => done(result.violations))"
        )
        return [
            f"{rule['id']}: {rule['help']}: {node['html'][:200]} {node['failureSummary']}"
            for rule in found
            for node in rule["nodes"]
        ]

    def pdf(self) -> bytes:
        """The page as printed."""
        answer = self.driver.execute_cdp_cmd("Page.printToPDF", {})
        return base64.b64decode(answer["data"])


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Chromium with an empty profile.

    Args:
        profile: a new folder.
    """
    assert CHROMIUM is not None
    assert DRIVER is not None
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_script_timeout(300)  # axe-core takes its time on a busy machine
    try:
        yield Browser(driver)
    finally:
        driver.quit()
