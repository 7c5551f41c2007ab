"""The service's own page, in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., tuple[int, str, str]]
CHROMIUM = Path("/usr/bin/chromium")


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed; apt-get install chromium")
def test_the_page_sends_its_example_and_shows_the_answer(modelyard: Command, built: Path) -> None:
    from playwright.sync_api import sync_playwright

    code, _, complaint = modelyard("-C", built, "deploy", "test")
    assert code == 0, complaint
    section = (built / "modelyard.toml").read_text().split("[environments.test]")[1]
    address = f"http://127.0.0.1:{section.split('port = ')[1].split()[0]}"
    said: list[str] = []
    asked: list[str] = []
    with sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}/docs")
        page.get_by_role("button", name="Send").click()
        answer = page.locator("output").filter(has_text="model_id")
        answer.wait_for()
        assert "screening/test/1" in answer.inner_text()
        wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        browser.close()
    assert said == []
    assert {url for url in asked if not url.startswith(address)} == set()
    assert not wide
