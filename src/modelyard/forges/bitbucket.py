"""Bitbucket Cloud: https://developer.atlassian.com/cloud/bitbucket/rest."""

from __future__ import annotations

from collections.abc import Mapping

from modelyard.forges.ask import Api

LONGEST = 32_768


class Bitbucket:
    """A step of Bitbucket Pipelines. The token is an access token of the repository that may write pull requests."""

    name, token, longest, summary = "Bitbucket", "BITBUCKET_TOKEN", LONGEST, ""

    def __init__(self, environ: Mapping[str, str]) -> None:
        workspace, slug = environ["BITBUCKET_WORKSPACE"], environ["BITBUCKET_REPO_SLUG"]
        self._repository = f"repositories/{workspace}/{slug}"
        self.request = environ.get("BITBUCKET_PR_ID", "")
        self.commit = environ.get("BITBUCKET_COMMIT", "")
        number = environ.get("BITBUCKET_BUILD_NUMBER", "")
        self.page = f"https://bitbucket.org/{workspace}/{slug}/pipelines/results/{number}"
        base = environ.get("BITBUCKET_API_URL", "https://api.bitbucket.org/2.0")
        self._api = Api(self.name, base, {"Authorization": f"Bearer {environ.get(self.token, '')}"})

    def comment(self, text: str, mark: str) -> None:
        comments = f"{self._repository}/pullrequests/{self.request}/comments"
        body = {"content": {"raw": text}}
        for page in self._api.pages(f"{comments}?pagelen=100"):
            for one in page["values"]:
                if not one.get("deleted") and mark in (one["content"].get("raw") or ""):
                    self._api.put(f"{comments}/{one['id']}", body)
                    return
        self._api.post(comments, body)

    def state(self, passed: bool, sentence: str) -> None:
        body = {"key": "modelyard", "name": "modelyard", "state": "SUCCESSFUL" if passed else "FAILED"}
        self._api.post(
            f"{self._repository}/commit/{self.commit}/statuses/build",
            {**body, "description": sentence[:255], "url": self.page},
        )

    def picture(self, name: str, content: bytes) -> str | None:  # noqa: ARG002
        """None: Bitbucket's comments show pictures of public addresses alone."""
        return None
