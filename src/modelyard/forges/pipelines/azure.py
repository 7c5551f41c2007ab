"""Azure Pipelines: https://learn.microsoft.com/rest/api/azure/devops/pipelines/runs."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from modelyard.forges.ask import Api
from modelyard.forges.pipelines.started import Started, found, told
from modelyard.ports.pipelines import OPERATION

_VERSION = "api-version=7.1"
_NEWEST = 30


class AzurePipelines:
    """The token is a personal access token (Build: read and execute); the pipeline's variables of these names must
    be settable when it is queued."""

    def __init__(self, project: str, token: str, *, workflow: str, url: str) -> None:
        self._runs = f"{quote(project)}/_apis/pipelines/{workflow}/runs"
        basic = base64.b64encode(f":{token}".encode()).decode()
        self._api = Api("Azure DevOps", url, {"Authorization": f"Basic {basic}"})

    def start(self, ref: str, variables: Mapping[str, str], *, asked: dt.datetime | None = None) -> str:
        if asked and (there := found(self._lately(), variables[OPERATION], asked)):
            return there
        branch = ref if ref.startswith("refs/") else f"refs/heads/{ref}"
        body = {
            "resources": {"repositories": {"self": {"refName": branch}}},
            "variables": {name: {"value": value, "isSecret": False} for name, value in variables.items()},
        }
        reply = self._api.begin(f"{self._runs}?{_VERSION}", body)
        return str(told("Azure DevOps", reply, "_links", "web", "href"))

    def _lately(self) -> Iterator[Started]:
        """A list of runs does not hold their variables; each run alone does."""
        listed = told("Azure DevOps", self._api.get(f"{self._runs}?{_VERSION}"), "value")
        for one in sorted(listed, key=lambda run: -run["id"])[:_NEWEST]:
            run = self._api.get(f"{self._runs}/{one['id']}?{_VERSION}")
            mark = ((run.get("variables") or {}).get(OPERATION) or {}).get("value") or ""
            address = str(told("Azure DevOps", run, "_links", "web", "href"))
            yield Started(str(run.get("createdDate")), mark, address)
