"""Bitbucket Cloud: https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pipelines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from modelyard.forges.ask import Api
from modelyard.forges.pipelines.started import Started, found, told
from modelyard.ports.pipelines import OPERATION

_NEWEST = 50


class BitbucketPipelines:
    """The token is an access token of the repository that may write pipelines; what runs is a custom pipeline."""

    def __init__(self, project: str, token: str, *, workflow: str, url: str) -> None:
        self._name = workflow
        self._pipelines = f"repositories/{quote(project)}/pipelines"
        self._page = f"{url or 'https://bitbucket.org'}/{quote(project)}/pipelines/results"
        base = f"{url or 'https://api.bitbucket.org'}/2.0"
        self._api = Api("Bitbucket", base, {"Authorization": f"Bearer {token}"})

    def start(self, ref: str, variables: Mapping[str, str], *, asked: dt.datetime | None = None) -> str:
        if asked and (there := found(self._lately(), variables[OPERATION], asked)):
            return there
        target = {
            "type": "pipeline_ref_target",
            "ref_type": "branch",
            "ref_name": ref,
            "selector": {"type": "custom", "pattern": self._name},
        }
        given = [{"key": k, "value": v, "secured": False} for k, v in variables.items()]
        return self._address(self._api.begin(f"{self._pipelines}/", {"target": target, "variables": given}))

    def _address(self, reply: Any) -> str:
        return f"{self._page}/{told('Bitbucket', reply, 'build_number')}"

    def _lately(self) -> Iterator[Started]:
        reply = self._api.get(f"{self._pipelines}/?sort=-created_on&pagelen={_NEWEST}")
        for one in told("Bitbucket", reply, "values"):
            if ((one.get("target") or {}).get("selector") or {}).get("pattern") != self._name:
                continue
            pairs = one.get("variables")
            mark = (
                None if pairs is None else next((p.get("value") for p in pairs if p["key"] == OPERATION), "")
            )
            yield Started(str(one.get("created_on")), mark, self._address(one))
