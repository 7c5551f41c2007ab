"""GitLab, its own and a company's: https://docs.gitlab.com/api."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import quote

from modelyard.forges.ask import Api

LONGEST = 1_000_000


class GitLab:
    """A job of GitLab CI. The token (of the project, role Developer, scope ``api``) is a masked variable, since
    that of a job may not comment."""

    name, token, longest, summary = "GitLab", "GITLAB_TOKEN", LONGEST, ""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.request = environ.get("CI_MERGE_REQUEST_IID", "")
        self.commit = environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA") or environ.get("CI_COMMIT_SHA", "")
        self.page = environ.get("CI_PIPELINE_URL", "")
        self._host = environ.get("CI_SERVER_URL", "")
        self._project = f"projects/{quote(environ['CI_PROJECT_ID'], safe='')}"
        headers = {"PRIVATE-TOKEN": environ.get(self.token, "")}
        self._api = Api(self.name, environ["CI_API_V4_URL"], headers)

    def comment(self, text: str, mark: str) -> None:
        notes = f"{self._project}/merge_requests/{self.request}/notes"
        for page in self._api.pages(f"{notes}?per_page=100&sort=asc"):
            for one in page:
                if mark in (one.get("body") or ""):
                    self._api.put(f"{notes}/{one['id']}", {"body": text})
                    return
        self._api.post(notes, {"body": text})

    def state(self, passed: bool, sentence: str) -> None:
        body = {"state": "success" if passed else "failed", "name": "modelyard"}
        self._api.post(
            f"{self._project}/statuses/{self.commit}",
            {**body, "description": sentence[:255], "target_url": self.page},
        )

    def picture(self, name: str, content: bytes) -> str | None:
        """Its address among the project's uploads."""
        bound = secrets.token_hex(16)
        head = f'--{bound}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        whole = b"".join(
            [head.encode(), b"Content-Type: image/png\r\n\r\n", content, f"\r\n--{bound}--\r\n".encode()]
        )
        found = self._api.send(f"{self._project}/uploads", whole, f"multipart/form-data; boundary={bound}")
        return str(found["url"])
