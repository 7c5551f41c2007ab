"""The ``gitops`` target against a real bare repository that a small cluster follows."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "serving"))

from cluster import Cluster, cluster
from node import Balancer, available
from serving_parts import plan_for, serve_numeric

from modelyard import infra
from modelyard.deployment import LocalTarget
from modelyard.deployment.config_repository import ConfigRepository
from modelyard.deployment.gitops import Followed, GitopsTarget
from modelyard.deployment.kubectl import Kubectl
from modelyard.errors import ServiceDown
from modelyard.infra.images import Images
from modelyard.predictor.verify import decode
from modelyard.records.service import ServicePlan
from modelyard.settings import read
from modelyard.testing.target import TargetKit

SETTINGS = """
[project]
name = "screening"
[environments.prod]
port = 8103
target = "gitops"
[environments.prod.gitops]
repository = "config"
replicas = [1, 1]
[infra]
registry = "registry.example.org/team"
"""


def git(where: Path, *words: str) -> str:
    who = ["-c", "user.name=Anna", "-c", "user.email=anna@example.org"]
    done = subprocess.run(["git", *who, *words], cwd=where, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A config repository with something of others in it."""
    where = tmp_path / "config.git"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(where))
    others(where, "README.md", "of the platform's people\n")
    return where


def others(bare: Path, name: str, text: str) -> str:
    """Somebody else pushes a file."""
    work = bare.parent / f"work-{len(list(bare.parent.iterdir()))}"
    git(bare.parent, "clone", "--quiet", str(bare), str(work))
    git(work, "checkout", "--quiet", "-B", "main")
    (work / name).parent.mkdir(parents=True, exist_ok=True)
    (work / name).write_text(text)
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "-m", f"Anna's {name}")
    git(work, "push", "--quiet", "origin", "main")
    return git(work, "rev-parse", "--short", "HEAD")


class Registry(Images):
    """Images by their content, where a node finds what they are built from."""

    def __init__(self, at: infra.Place, folder: Path) -> None:
        super().__init__(at, "prod", scratch=folder, tell=lambda _: None)
        self._folder, self.images, self.built = folder, dict[str, Path](), 0

    def _new(self, plan: ServicePlan, content: str) -> str:
        self.built += 1
        where = self._folder / f"{content}-{self.built}"
        where.mkdir(parents=True)
        models = [
            (m, decode((Path(m.folder) / "manifest.json").read_bytes(), Path(m.folder))) for m in plan.models
        ]
        infra.context(where, self._place, environment=plan.environment, models=models, labels={})
        reference = f"{self._place.image}@sha256:{content}{self.built}"
        self.images[reference] = where
        return reference


Make = Callable[..., GitopsTarget]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    (tmp_path / "modelyard.toml").write_text(SETTINGS)
    return Registry(infra.place(read(tmp_path, {}), tmp_path, user=""), tmp_path / "images")


@pytest.fixture
def make(bare: Path, registry: Registry, tmp_path: Path) -> Make:
    given = read(tmp_path, {}).environments["prod"].gitops
    assert given is not None

    def made(*, address: str | None = None, wait: float = 60, url: str = "") -> GitopsTarget:
        place = Followed(
            repository=ConfigRepository(url=url or str(bare), branch="main", folder="screening/prod"),
            name="screening",
            namespace="screening-prod",
            wait=wait,
            address=address,
            token="s3cret",
        )
        manifests = infra.manifests(registry._place, "prod", given, committed=True)
        return GitopsTarget(place, image=registry, manifests=manifests, here=LocalTarget(tmp_path / "here"))

    return made


@pytest.fixture
def plan(tmp_path: Path) -> ServicePlan:
    return plan_for(serve_numeric(tmp_path / "p7", version=7), generation=1)


@pytest.fixture
def newer(tmp_path: Path, plan: ServicePlan) -> ServicePlan:
    model = serve_numeric(tmp_path / "p8", version=8, shift=0.5)
    return msgspec.structs.replace(plan, generation=2, models=(model,))


@pytest.fixture
def broken(tmp_path: Path, plan: ServicePlan) -> ServicePlan:
    model = serve_numeric(tmp_path / "p9", version=9, shift=0.25)
    (tmp_path / "p9" / "model" / "model.onnx").write_bytes(b"not what the manifest lists")
    return msgspec.structs.replace(plan, generation=3, models=(model,))


class Follower:
    """What Argo CD or Flux does: the repository's folder is applied to the cluster whenever it changes, and what is no
    longer in it goes."""

    def __init__(self, bare: Path, small: Cluster, registry: Registry) -> None:
        self._bare, self._work, self._applied = bare, bare.parent / "followed", ""
        self._kubectl = Kubectl(namespace="screening-prod", kubeconfig=small.kubeconfig)
        small.node.images = registry.images
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join(30)

    def _follow(self) -> None:
        git(self._bare.parent, "clone", "--quiet", str(self._bare), str(self._work))
        while not self._ended.wait(0.2):
            git(self._work, "fetch", "--quiet", "origin", "main")
            git(self._work, "reset", "--quiet", "--hard", "origin/main")
            folder, now = self._work / "screening/prod/release", git(self._work, "rev-parse", "HEAD")
            if now == self._applied or not folder.exists():
                continue
            manifest = self._kubectl.run("kustomize", str(folder))
            self._kubectl.apply(manifest)
            if "kind: Deployment" not in manifest:
                self._kubectl.run("delete", "deployments", "--all", "--wait=false")
            self._applied = now


@pytest.mark.skipif(bool(available()), reason=available())
class TestGitopsTarget(TargetKit):
    @pytest.fixture(autouse=True)
    def _followed(self, followed: str) -> None:
        self._url = followed

    @pytest.fixture
    def followed(self, bare: Path, tmp_path: Path, registry: Registry) -> Iterator[str]:
        with cluster(tmp_path / "cluster", "screening-prod") as small:
            secret = {"apiVersion": "v1", "kind": "Secret", "data": {"modelyard-tokens": "czNjcmV0Cg=="}}
            small.store.put(("secrets", "screening-prod", "screening-tokens"), secret)
            follower = Follower(bare, small, registry)
            balancer = Balancer(small.node, "screening-prod", "screening")
            yield balancer.url
            balancer.close()
            follower.close()

    @pytest.fixture
    def target(self, make: Make, followed: str) -> GitopsTarget:
        return make(address=followed, wait=15)

    def address(self, plan: ServicePlan) -> str:  # noqa: ARG002
        return self._url


def test_a_release_is_a_commit_and_a_failure_or_a_rollback_another(
    make: Make, bare: Path, registry: Registry, plan: ServicePlan, newer: ServicePlan
) -> None:
    target = make()
    assert target.state("prod") is None
    target.apply(plan, timeout=1)
    target.apply(newer, timeout=1)
    target.apply(newer, timeout=1)  # nothing to do, no commit
    back = msgspec.structs.replace(plan, generation=3)
    assert target.apply(back, timeout=1).models == ("screening/prod/7",)
    subjects = git(bare, "log", "--format=%s", "main").splitlines()
    assert subjects == [
        "Revert to screening in prod: screening@7",
        "screening in prod: screening@8",
        "screening in prod: screening@7",
        "Anna's README.md",
    ]
    assert registry.built == 2  # the image of before is known
    assert git(bare, "show", "main:README.md") == "of the platform's people"
    assert target.plan("prod") == back
    assert target.drift("prod") == ()


def test_a_repository_that_moved_on_is_no_harm_and_two_at_once_both_arrive(
    make: Make, bare: Path, plan: ServicePlan, newer: ServicePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed = list[str]()
    real = ConfigRepository._tried

    def tried(self: ConfigRepository, where: Path, *words: str) -> tuple[int, str]:
        if words[0] == "push" and len(pushed) < 3:
            pushed.append(others(bare, f"other/{len(pushed)}.yaml", "kind: ConfigMap\n"))
        return real(self, where, *words)

    monkeypatch.setattr(ConfigRepository, "_tried", tried)
    target = make()
    target.apply(plan, timeout=1)
    assert len(pushed) == 3
    assert git(bare, "log", "-1", "--format=%s", "main") == "screening in prod: screening@7"
    assert git(bare, "show", "main:other/2.yaml") == "kind: ConfigMap"
    assert target.apply(newer, timeout=1).models == ("screening/prod/8",)


def test_who_may_not_push_changes_nothing(
    make: Make, bare: Path, plan: ServicePlan, newer: ServicePlan
) -> None:
    target = make()
    target.apply(plan, timeout=1)
    hook = bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'GL-HOOK: you are not allowed to push to main' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(
        ServiceDown, match=r"'git push' of .* failed: .*not allowed to push.*give it the right"
    ):
        target.apply(newer, timeout=1)
    assert target.plan("prod") == plan
    hook.unlink()
    assert target.apply(newer, timeout=1).generation == 2


def test_a_repository_that_is_away_and_a_password_in_its_address(make: Make, plan: ServicePlan) -> None:
    target = make(url="http://bot:s3cr3t@127.0.0.1:1/config.git")
    with pytest.raises(ServiceDown, match="git ls-remote") as told:
        target.apply(plan, timeout=1)
    assert "s3cr3t" not in str(told.value)


def test_a_release_that_does_not_answer_is_reverted(make: Make, bare: Path, plan: ServicePlan) -> None:
    target = make()
    target.apply(plan, timeout=1)
    late = make(address="http://127.0.0.1:9", wait=1)
    newer = msgspec.structs.replace(
        plan,
        generation=2,
        models=(msgspec.structs.replace(plan.models[0], version=8, model_id="screening/prod/8"),),
    )
    with pytest.raises(
        ServiceDown, match=r"was pushed, but http://127\.0\.0\.1:9 did not answer for screening/prod/8"
    ):
        late.apply(newer, timeout=1)
    assert git(bare, "log", "-1", "--format=%s", "main") == "Revert release 2 in prod"
    assert target.plan("prod") == plan


def test_a_change_by_hand_is_told(make: Make, bare: Path, plan: ServicePlan) -> None:
    target = make()
    target.apply(plan, timeout=1)
    name = others(bare, "screening/prod/base/service.yaml", "kind: Service\n")
    (told,) = target.drift("prod")
    assert told == f"the folder screening/prod was changed by Anna in {name}"


def test_no_token_is_in_the_repository(make: Make, bare: Path, plan: ServicePlan) -> None:
    digest = "0" * 64
    make().apply(msgspec.structs.replace(plan, token_sha256=(digest,)), timeout=1)
    assert digest not in git(bare, "log", "-p", "main")


def test_what_argo_cd_and_flux_are_given_leads_to_the_folder(registry: Registry) -> None:
    files = infra.files("gitops", registry._place)
    argo = yaml.safe_load(files["argocd-prod.yaml"])
    assert (argo["apiVersion"], argo["kind"]) == ("argoproj.io/v1alpha1", "Application")
    assert argo["spec"]["source"] == {
        "repoURL": "config",
        "targetRevision": "main",
        "path": "screening/prod/release",
    }
    assert set(argo["spec"]) == {"project", "source", "destination", "syncPolicy"}
    source, applied = yaml.safe_load_all(files["flux-prod.yaml"])
    assert (source["apiVersion"], source["kind"]) == ("source.toolkit.fluxcd.io/v1", "GitRepository")
    assert source["spec"] == {"interval": "1m", "url": "config", "ref": {"branch": "main"}}
    assert (applied["apiVersion"], applied["kind"]) == ("kustomize.toolkit.fluxcd.io/v1", "Kustomization")
    assert applied["spec"]["path"] == "./screening/prod/release"
    assert applied["spec"]["sourceRef"] == {"kind": "GitRepository", "name": source["metadata"]["name"]}
    assert set(applied["spec"]) == {"interval", "timeout", "path", "prune", "wait", "sourceRef"}
