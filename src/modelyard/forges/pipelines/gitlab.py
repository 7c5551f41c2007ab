"""GitLab: https://docs.gitlab.com/api/pipelines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from modelyard.forges.ask import Api
from modelyard.forges.pipelines.started import Started, found, told
from modelyard.ports.pipelines import OPERATION

_NEWEST = 50


class GitLabPipelines:
    """The token (role Developer, scope ``api``) must be allowed to give a pipeline variables."""

    def __init__(self, project: str, token: str, *, url: str) -> None:
        self._project = f"projects/{quote(project, safe='')}"
        self._api = Api("GitLab", f"{url}/api/v4", {"PRIVATE-TOKEN": token})

    def start(self, ref: str, variables: Mapping[str, str], *, asked: dt.datetime | None = None) -> str:
        if asked and (there := found(self._lately(ref), variables[OPERATION], asked)):
            return there
        body = {"ref": ref, "variables": [{"key": k, "value": v} for k, v in variables.items()]}
        return str(told("GitLab", self._api.begin(f"{self._project}/pipeline", body), "web_url"))

    def _lately(self, ref: str) -> Iterator[Started]:
        query = f"ref={quote(ref, safe='')}&source=api&per_page={_NEWEST}"
        for one in self._api.get(f"{self._project}/pipelines?{query}"):
            given = self._api.get(f"{self._project}/pipelines/{told('GitLab', one, 'id')}/variables")
            mark = next((pair["value"] for pair in given if pair["key"] == OPERATION), "")
            yield Started(str(one.get("created_at")), mark, str(told("GitLab", one, "web_url")))
