"""A headless Chromium, and pages in it that remember what went wrong."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import Browser, Page, sync_playwright


@dataclass
class Tab:
    """A window of the browser."""

    page: Page
    said: list[str] = field(default_factory=list)
    """Warnings and errors of its console, and errors that no code caught."""
    asked: list[str] = field(default_factory=list)
    """Addresses that it asked for."""
    pictures: Path = Path()
    """Where screenshots go."""

    def open(self, address: str | Path) -> None:
        """Load a file or an address."""
        self.page.goto(address.as_uri() if isinstance(address, Path) else address)

    def run(self, script: str, argument: Any = None) -> Any:
        """What an expression of the page's own language comes to."""
        return self.page.evaluate(script, argument)

    def draw_all(self) -> list[str]:
        """Scroll to each plot, and the places of all, once each is drawn."""
        places = self.run("[...document.querySelectorAll('.plot')].map((div) => div.id)")
        self.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        for place in places:
            self.draw(place)
        return places

    def draw(self, place: str) -> None:
        """Scroll to a plot and wait until it is drawn."""
        self.page.locator(f"#{place}").scroll_into_view_if_needed()
        self.page.wait_for_function(
            "(id) => document.getElementById(id)._fullLayout !== undefined", arg=place
        )

    def picture(self, name: str) -> None:
        """Keep a screenshot for people."""
        self.page.screenshot(path=self.pictures / f"{name}.png")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no chromium: tests/browser/start.sh")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def tab(browser: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Tab]:
    """A window of 1,200 pixels, or as wide as the test's parameter says, in light colours."""
    width = getattr(request, "param", 1200)
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme="light")
    page = context.new_page()
    folder = Path(os.environ.get("GROK_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    tab = Tab(page, pictures=folder)
    page.on(
        "console",
        lambda message: tab.said.append(message.text) if message.type in LOUD else None,
    )
    page.on("pageerror", lambda error: tab.said.append(str(error)))
    page.on("request", lambda request: tab.asked.append(request.url))
    yield tab
    context.close()


LOUD = ("error", "warning")
