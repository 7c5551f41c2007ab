"""The console of ``up`` in a browser without scripts."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed; apt-get install chromium")
def test_a_person_signs_in_builds_and_reads_what_came_of_it(
    built: Path, ports: Callable[[int], list[int]]
) -> None:
    from playwright.sync_api import sync_playwright

    [port] = ports(1)
    with (built / "modelyard.toml").open("a") as settings:
        settings.write(f"\n[console]\nport = {port}\n")
    command = [sys.executable, "-m", "modelyard", "-C", str(built), "up"]
    up = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert up.stdout
    said: list[str] = []
    asked: list[str] = []
    try:
        link = next(found[1] for line in up.stdout if (found := re.search(r"console: (\S+)", line)))
        with sync_playwright() as player:
            browser = player.chromium.launch(
                executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(java_script_enabled=False, viewport={"width": 390, "height": 800})
            page.on("console", lambda message: said.append(message.text))
            page.on("request", lambda request: asked.append(request.url))
            page.goto(link)
            page.get_by_role("link", name="screening").last.click()
            page.get_by_role("button", name="Build now").click()
            page.locator("dd .state.good").wait_for(timeout=60_000)  # the page looks again by itself
            assert "screening@1" in page.inner_text("dl")
            assert "unchanged" in page.inner_text("pre")
            page.goto(page.url.rpartition("/console")[0] + "/console/models/screening")
            page.get_by_role("link", name="open").click()
            assert page.inner_text("#verdict") == "Passed"
            wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
            page.go_back()
            page.get_by_role("button", name="sign out").click()
            assert page.url.endswith("/login")
            browser.close()
    finally:
        up.send_signal(signal.SIGTERM)
        output, _ = up.communicate(timeout=60)
    assert up.returncode == 0, output
    assert said == []
    assert {url for url in asked if not url.startswith(f"http://127.0.0.1:{port}/")} == set()
    assert not wide
