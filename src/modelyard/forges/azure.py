"""Azure DevOps: https://learn.microsoft.com/rest/api/azure/devops."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from modelyard.forges.ask import Api

LONGEST = 150_000
_VERSION = "api-version=7.1"
_CLOSED = 4


class Azure:
    """A job of Azure Pipelines. Its own token does, once the build service may contribute to pull requests."""

    name, token, longest, summary = "Azure DevOps", "SYSTEM_ACCESSTOKEN", LONGEST, ""

    def __init__(self, environ: Mapping[str, str]) -> None:
        project = quote(environ["SYSTEM_TEAMPROJECT"])
        self._repository = f"{project}/_apis/git/repositories/{quote(environ['BUILD_REPOSITORY_ID'])}"
        self.request = environ.get("SYSTEM_PULLREQUEST_PULLREQUESTID", "")
        self.commit = environ.get("SYSTEM_PULLREQUEST_SOURCECOMMITID") or environ.get(
            "BUILD_SOURCEVERSION", ""
        )
        base = environ["SYSTEM_COLLECTIONURI"].rstrip("/")
        self.page = f"{base}/{project}/_build/results?buildId={environ.get('BUILD_BUILDID', '')}"
        self._api = Api(self.name, base, {"Authorization": f"Bearer {environ.get(self.token, '')}"})

    def comment(self, text: str, mark: str) -> None:
        threads = f"{self._repository}/pullRequests/{self.request}/threads"
        for thread in self._api.get(f"{threads}?{_VERSION}")["value"]:
            for one in thread.get("comments", ()):
                if not one.get("isDeleted") and mark in (one.get("content") or ""):
                    path = f"{threads}/{thread['id']}/comments/{one['id']}?{_VERSION}"
                    self._api.patch(path, {"content": text})
                    return
        first = {"parentCommentId": 0, "content": text, "commentType": 1}
        self._api.post(f"{threads}?{_VERSION}", {"comments": [first], "status": _CLOSED})

    def state(self, passed: bool, sentence: str) -> None:
        body = {"state": "succeeded" if passed else "failed", "description": sentence[:255]}
        context = {"name": "modelyard", "genre": "models"}
        self._api.post(
            f"{self._repository}/pullRequests/{self.request}/statuses?{_VERSION}",
            {**body, "context": context, "targetUrl": self.page},
        )

    def picture(self, name: str, content: bytes) -> str | None:
        """Its address among the pull request's attachments."""
        path = f"{self._repository}/pullRequests/{self.request}/attachments/{quote(name)}?{_VERSION}"
        return str(self._api.send(path, content, "application/octet-stream")["url"])
