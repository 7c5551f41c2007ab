"""GitHub, its own and a company's: https://docs.github.com/rest."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelyard.errors import ForgeDown
from modelyard.forges.ask import Api

LONGEST = 65_536


class GitHub:
    """A run of GitHub Actions. The token needs ``pull-requests: write`` and ``statuses: write``."""

    name, token, longest = "GitHub", "GITHUB_TOKEN", LONGEST

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._repository = environ["GITHUB_REPOSITORY"]
        pull = _event(environ).get("pull_request") or {}
        self.request = str(pull.get("number", ""))
        # the commit that is checked out is a merge that GitHub made; the state is of what was pushed
        self.commit = str(pull.get("head", {}).get("sha", "")) or environ.get("GITHUB_SHA", "")
        server = environ.get("GITHUB_SERVER_URL", "https://github.com")
        self.page = f"{server}/{self._repository}/actions/runs/{environ.get('GITHUB_RUN_ID', '')}"
        self.summary = environ.get("GITHUB_STEP_SUMMARY", "")
        self._branch = environ.get("MODELYARD_PICTURES_BRANCH", "")
        self._api = Api(
            self.name,
            environ.get("GITHUB_API_URL", "https://api.github.com"),
            {
                "Authorization": f"Bearer {environ.get(self.token, '')}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )

    def comment(self, text: str, mark: str) -> None:
        issue = f"repos/{self._repository}/issues"
        for page in self._api.pages(f"{issue}/{self.request}/comments?per_page=100"):
            for one in page:
                if mark in (one.get("body") or ""):
                    self._api.patch(f"{issue}/comments/{one['id']}", {"body": text})
                    return
        self._api.post(f"{issue}/{self.request}/comments", {"body": text})

    def state(self, passed: bool, sentence: str) -> None:
        body = {"state": "success" if passed else "failure", "context": "modelyard"}
        self._api.post(
            f"repos/{self._repository}/statuses/{self.commit}",
            {**body, "description": sentence[:140], "target_url": self.page},
        )

    def picture(self, name: str, content: bytes) -> str | None:
        """Its address on the branch that ``MODELYARD_PICTURES_BRANCH`` names, since GitHub takes none with a comment."""
        if not self._branch:
            return None
        place = f"repos/{self._repository}/contents/{self.commit}/{name}"
        try:
            held: Any = self._api.get(f"{place}?ref={self._branch}")
        except ForgeDown:
            held = {}
        body = {"message": f"Pictures of {self.commit[:12]}", "branch": self._branch}
        body["content"] = base64.b64encode(content).decode()
        if isinstance(held, dict) and held.get("sha"):
            body["sha"] = held["sha"]
        return str(self._api.put(place, body)["content"]["download_url"])


def _event(environ: Mapping[str, str]) -> dict[str, Any]:
    try:
        found = json.loads(Path(environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    except (KeyError, OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
