"""A forge's own pipelines, started from outside of them, one forge a file (floor 4)."""

from __future__ import annotations

from modelyard.forges.pipelines.azure import AzurePipelines
from modelyard.forges.pipelines.bitbucket import BitbucketPipelines
from modelyard.forges.pipelines.github import GitHubPipelines
from modelyard.forges.pipelines.gitlab import GitLabPipelines
from modelyard.ports import Pipelines
from modelyard.settings import PipelineSettings

__all__ = ["pipelines"]


def pipelines(settings: PipelineSettings, token: str) -> Pipelines:
    project, workflow, url = settings.project, settings.workflow or "", (settings.url or "").rstrip("/")
    if settings.forge == "gitlab":
        return GitLabPipelines(project, token, url=url or "https://gitlab.com")
    if settings.forge == "github":
        return GitHubPipelines(project, token, workflow=workflow, url=url or "https://github.com")
    if settings.forge == "bitbucket":
        return BitbucketPipelines(project, token, workflow=workflow, url=url)
    return AzurePipelines(project, token, workflow=workflow, url=url or "https://dev.azure.com")
