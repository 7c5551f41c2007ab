"""GitHub Actions: https://docs.github.com/rest/actions/workflows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from modelyard.forges.ask import Api
from modelyard.forges.pipelines.started import Started, found, told
from modelyard.ports.pipelines import OPERATION

_NEWEST = 50


class GitHubPipelines:
    """The token needs ``actions: write``, the workflow ``workflow_dispatch`` with inputs of the variables' names. Its
    runs tell what they were started for in their title alone, where ``run-name`` holds that input."""

    def __init__(self, project: str, token: str, *, workflow: str, url: str) -> None:
        self._workflow = f"repos/{quote(project)}/actions/workflows/{quote(workflow)}"
        self._page = f"{url}/{quote(project)}/actions/workflows/{quote(workflow)}"
        self._api = Api(
            "GitHub",
            "https://api.github.com" if url == "https://github.com" else f"{url}/api/v3",
            {
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )

    def start(self, ref: str, variables: Mapping[str, str], *, asked: dt.datetime | None = None) -> str:
        """The address is that of the workflow's runs: GitHub does not say which one it started."""
        if asked and (there := found(self._lately(ref, variables[OPERATION]), variables[OPERATION], asked)):
            return there
        self._api.begin(f"{self._workflow}/dispatches", {"ref": ref, "inputs": dict(variables)})
        return self._page

    def _lately(self, ref: str, mark: str) -> Iterator[Started]:
        query = f"event=workflow_dispatch&branch={quote(ref, safe='')}&per_page={_NEWEST}"
        kind = mark.partition("/")[0]
        reply = self._api.get(f"{self._workflow}/runs?{query}")
        for one in told("GitHub", reply, "workflow_runs"):
            title = str(one.get("display_title") or "")
            given = mark if mark in title.split() else "" if f"{kind}/" in title else None
            yield Started(str(one.get("created_at")), given, str(told("GitHub", one, "html_url")))
