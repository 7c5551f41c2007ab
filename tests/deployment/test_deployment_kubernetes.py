"""The ``kubernetes`` target by the real kubectl against a small cluster whose pods run: the kit, and what goes wrong."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "serving"))

from cluster import Cluster, cluster
from node import Balancer, available
from serving_parts import GOLDEN, plan_for, serve_numeric

from modelyard import infra
from modelyard.deployment import Door, Subject, application_tests
from modelyard.deployment.kubectl import Kubectl
from modelyard.deployment.kubernetes import KubernetesTarget, Place
from modelyard.errors import ExtraMissing, ServiceDown
from modelyard.infra.images import Images
from modelyard.predictor import verify
from modelyard.predictor.verify import decode
from modelyard.records.service import ServicePlan
from modelyard.records.tested import Golden
from modelyard.settings import read
from modelyard.testing.target import TargetKit

pytestmark = pytest.mark.skipif(bool(available()), reason=available())
SETTINGS = """
[project]
name = "screening"
[environments.prod]
port = 8103
target = "kubernetes"
token_file = "tokens"
[environments.prod.kubernetes]
replicas = [2, 2]
[infra]
registry = "registry.example.org/team"
"""
DIGEST = "0" * 64


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tmp_path / "cluster", "screening-prod") as made:
        yield made


class Pushed(Images):
    """Images that a registry would have: what they are built from, where the node finds it."""

    def __init__(self, small: Cluster, at: infra.Place, folder: Path) -> None:
        super().__init__(at, "prod", scratch=folder, tell=lambda _: None)
        self._small, self._folder = small, folder
        self.built = 0

    def _new(self, plan: ServicePlan, content: str) -> str:
        self.built += 1
        return push(self._small, self._folder / content, self._place, plan)


def push(small: Cluster, where: Path, at: infra.Place, plan: ServicePlan) -> str:
    where.mkdir(parents=True)
    models = [
        (m, decode((Path(m.folder) / "manifest.json").read_bytes(), Path(m.folder))) for m in plan.models
    ]
    infra.context(where, at, environment=plan.environment, models=models, labels={})
    reference = f"{at.image}@sha256:{where.name}"
    small.node.images[reference] = where
    return reference


Make = Callable[..., KubernetesTarget]


@pytest.fixture
def make(small: Cluster, tmp_path: Path) -> Make:
    (tmp_path / "modelyard.toml").write_text(SETTINGS)
    settings = read(tmp_path, {})
    at = infra.place(settings, tmp_path, user="")
    images = Pushed(small, at, tmp_path / "images")
    given = settings.environments["prod"].kubernetes
    assert given is not None

    def made(
        *, wait: float = 5.0, address: str | None = None, replicas: tuple[int, int] = (1, 1)
    ) -> KubernetesTarget:
        scaled = msgspec.structs.replace(given, replicas=replicas)
        where = Kubectl(namespace="screening-prod", kubeconfig=small.kubeconfig)
        place = Place(cluster=where, name=at.project, wait=wait, address=address)
        return KubernetesTarget(place, image=images, manifests=infra.manifests(at, "prod", scaled))

    return made


@pytest.fixture
def target(make: Make) -> KubernetesTarget:
    return make()


@pytest.fixture
def plan(tmp_path: Path) -> ServicePlan:
    return plan_for(serve_numeric(tmp_path / "p7", version=7), generation=1, token_sha256=(DIGEST,))


@pytest.fixture
def newer(tmp_path: Path, plan: ServicePlan) -> ServicePlan:
    model = serve_numeric(tmp_path / "p8", version=8, shift=0.5)
    return msgspec.structs.replace(plan, generation=2, models=(model,))


@pytest.fixture
def broken(tmp_path: Path, plan: ServicePlan) -> ServicePlan:
    model = serve_numeric(tmp_path / "p9", version=9, shift=0.25)
    (tmp_path / "p9" / "model" / "model.onnx").write_bytes(b"not what the manifest lists")
    return msgspec.structs.replace(plan, generation=3, models=(model,))


@pytest.fixture
def address(small: Cluster) -> Iterator[str]:
    balancer = Balancer(small.node, "screening-prod", "screening")
    yield balancer.url
    balancer.close()


class TestKubernetesTarget(TargetKit):
    @pytest.fixture(autouse=True)
    def _asked(self, address: str) -> None:
        self._url = address

    def address(self, plan: ServicePlan) -> str:  # noqa: ARG002
        return self._url


class Asking:
    """Somebody asks all the time."""

    def __init__(self, url: str) -> None:
        self.asked, self.failures = 0, list[str]()
        self._url, self._ended = url, threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)

    def _ask(self) -> None:
        while not self._ended.wait(0.02):
            self.asked += 1
            try:
                if (status := Door(self._url).get("/v2/health/ready").status) != 200:
                    self.failures.append(str(status))
            except OSError as error:
                self.failures.append(repr(error))


def test_a_release_that_does_not_start_is_taken_back_with_its_reason_and_nobody_notices(
    target: KubernetesTarget, plan: ServicePlan, broken: ServicePlan, address: str
) -> None:
    target.apply(plan, timeout=30)
    with Asking(address) as clients, pytest.raises(ServiceDown) as told:
        target.apply(broken, timeout=30)
    assert "CrashLoopBackOff" in str(told.value)
    assert "model.onnx" in str(told.value)  # what its log said last
    assert clients.asked > 20
    assert clients.failures == []
    assert target.plan("prod") == plan
    assert target.drift("prod") == ()


def test_an_image_that_cannot_be_pulled_is_named(
    target: KubernetesTarget, small: Cluster, plan: ServicePlan, newer: ServicePlan
) -> None:
    target.apply(plan, timeout=30)
    images: Any = target._image
    images(newer, lambda _: None)
    small.node.images.popitem()
    with pytest.raises(
        ServiceDown, match=r"ImagePullBackOff: no image registry\.example\.org/team/screening@sha256"
    ):
        target.apply(newer, timeout=30)
    state = target.state("prod")
    assert state is not None
    assert state.models == ("screening/prod/7",)


def test_a_deployment_that_was_killed_is_gone_on_with_and_what_it_left_is_nothing_to_go_back_to(
    target: KubernetesTarget, plan: ServicePlan, newer: ServicePlan, broken: ServicePlan
) -> None:
    target.apply(plan, timeout=30)
    image = target._image(broken, lambda _: None)
    secret, manifest = target._written(broken, *image)
    target._cluster.apply(json.dumps(secret))
    target._put(manifest)  # and then the process is no more
    late = msgspec.structs.replace(broken, generation=4)
    with pytest.raises(ServiceDown):
        target.apply(late, timeout=30)
    assert target.plan("prod") == plan
    assert target.apply(newer, timeout=30).generation == 2
    assert target.plan("prod") == newer


def test_what_answered_before_needs_no_new_image(make: Make, plan: ServicePlan, newer: ServicePlan) -> None:
    target = make()
    images: Any = target._image
    target.apply(plan, timeout=30)
    target.apply(newer, timeout=30)
    images._made.clear()  # another process
    back = msgspec.structs.replace(plan, generation=3)
    assert target.apply(back, timeout=30).models == ("screening/prod/7",)
    assert images.built == 2


def test_two_deployments_are_one_after_the_other(
    target: KubernetesTarget, plan: ServicePlan, newer: ServicePlan
) -> None:
    failures = list[str]()

    def deploy(one: ServicePlan) -> None:
        try:
            target.apply(one, timeout=20)
        except ServiceDown as error:
            failures.append(str(error))

    both = [threading.Thread(target=deploy, args=(one,)) for one in (plan, newer)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert failures == []
    state, wanted = target.state("prod"), target.plan("prod")
    assert state is not None
    assert wanted is not None
    assert state.models == tuple(model.model_id for model in wanted.models)


@pytest.mark.parametrize(
    ("holder", "ends"),
    [(f"{socket.gethostname()}/4194305/1", "2999-01-01"), ("elsewhere/7/1", "2001-01-01")],
    ids=("gone", "over"),
)
def test_a_turn_whose_holder_is_gone_or_whose_time_is_over_is_taken(
    target: KubernetesTarget, plan: ServicePlan, holder: str, ends: str
) -> None:
    lease(target, holder, ends)
    assert target.apply(plan, timeout=30).generation == 1


def test_a_turn_that_another_machine_has_is_waited_for_and_named(make: Make, plan: ServicePlan) -> None:
    target = make(wait=1)
    lease(target, "elsewhere/7/1", "2999-01-01")
    with pytest.raises(ServiceDown, match=r"Another deployment \(elsewhere/7\) is at work"):
        target.apply(plan, timeout=1)
    assert target.state("prod") is None


def lease(target: KubernetesTarget, holder: str, begun: str) -> None:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 60, "renewTime": f"{begun}T00:00:00.000000Z"}
    held = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "screening-deploy"}}
    target._cluster.run("create", "-f", "-", content=json.dumps(held | {"spec": spec}))


def test_what_somebody_changed_in_the_cluster_is_told_and_put_back_by_the_next_release(
    target: KubernetesTarget, plan: ServicePlan, newer: ServicePlan
) -> None:
    target.apply(plan, timeout=30)
    assert target.drift("prod") == ()
    kubectl = target._cluster
    patch = {"spec": {"ports": [{"name": "http", "port": 81, "targetPort": "http", "protocol": "TCP"}]}}
    kubectl.run("patch", "service", "screening", "--type=merge", "-p", json.dumps(patch))
    kubectl.run("delete", "networkpolicy", "screening")
    service, policy = sorted(target.drift("prod"), reverse=True)
    assert "Service screening: spec.ports" in service
    assert "81" in service
    assert policy == "NetworkPolicy screening is gone"
    target.apply(newer, timeout=30)
    assert target.drift("prod") == ()


def test_a_candidate_passes_the_application_tests_through_its_tunnel(
    target: KubernetesTarget, plan: ServicePlan, tmp_path: Path
) -> None:
    trial = msgspec.structs.replace(plan, token_sha256=(hashlib.sha256(b"s3cret").hexdigest(),))
    with target.candidate(trial, timeout=30) as candidate:
        folder = tmp_path / "p7"
        golden = Golden(**GOLDEN)
        about = Subject(
            Door(candidate.url, token="s3cret"), verify(folder), plan.models[0].package, golden, ()
        )
        outcomes = list(application_tests(about, ("functional", "integration", "robustness", "security")))
    assert len(outcomes) > 10
    assert [one for one in outcomes if not one.passed] == []
    assert target._cluster.objects("pods") == [] or all(
        "deletionTimestamp" in pod["metadata"] for pod in target._cluster.objects("pods")
    )
    assert target.state("prod") is None


def test_a_candidate_that_does_not_start_says_why(target: KubernetesTarget, broken: ServicePlan) -> None:
    with (
        pytest.raises(ServiceDown, match=r"it ended with 1.*model\.onnx"),
        target.candidate(broken, timeout=30),
    ):
        pytest.fail("it cannot be ready")


def test_each_refusal_of_the_cluster_says_what_to_do(
    make: Make, small: Cluster, plan: ServicePlan, newer: ServicePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = make()
    target.apply(plan, timeout=30)
    small.forbidden = {"deployments"}
    with pytest.raises(ServiceDown, match=r"forbidden.*cannot patch.*ask for the rights"):
        target.apply(newer, timeout=30)
    small.forbidden = set()
    small.token, kept = "another", small.token
    with pytest.raises(ServiceDown, match="log in to the cluster again"):
        target.apply(newer, timeout=30)
    small.token, small.down = kept, True
    with pytest.raises(ServiceDown, match="cluster-info"):
        target.state("prod")
    small.down = False
    state = target.state("prod")
    assert state is not None
    assert state.models == ("screening/prod/7",)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ExtraMissing, match="install 'kubectl'"):
        target.state("prod")


def test_a_namespace_that_is_not_there_is_asked_for(
    small: Cluster, target: KubernetesTarget, plan: ServicePlan
) -> None:
    del small.store.objects["namespaces", "", "screening-prod"]
    with pytest.raises(ServiceDown, match='namespaces "screening-prod" not found; make the namespace first'):
        target.apply(plan, timeout=30)


def test_a_connection_that_is_lost_for_a_while_is_waited_out(
    make: Make, small: Cluster, plan: ServicePlan, newer: ServicePlan
) -> None:
    target = make(wait=30)
    target.apply(plan, timeout=30)

    def breaks() -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until and target._place.name and not rolling():
            time.sleep(0.05)
        small.down = True
        time.sleep(2)
        small.down = False

    def rolling() -> bool:
        deployment = small.store.objects["deployments", "screening-prod", "screening"]
        return '"2"' in json.dumps(deployment["spec"]["template"]["metadata"]["annotations"])

    breaking = threading.Thread(target=breaks)
    breaking.start()
    with contextlib.suppress(ServiceDown):
        target.apply(newer, timeout=30)
    breaking.join()
    assert target.apply(newer, timeout=30).models == ("screening/prod/8",)


def test_an_autoscaler_comes_and_goes_with_the_replicas(
    make: Make, small: Cluster, plan: ServicePlan
) -> None:
    make(replicas=(1, 3)).apply(plan, timeout=30)
    deployment = small.store.objects["deployments", "screening-prod", "screening"]
    assert "replicas" not in deployment["spec"]  # it is the autoscaler's to say
    scaler = small.store.objects["horizontalpodautoscalers", "screening-prod", "screening"]
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (1, 3)
    make(replicas=(2, 2)).apply(msgspec.structs.replace(plan, generation=2), timeout=30)
    assert ("horizontalpodautoscalers", "screening-prod", "screening") not in small.store.objects
    assert ("poddisruptionbudgets", "screening-prod", "screening") in small.store.objects
    state = make().state("prod")
    assert state is not None
    assert len(state.workers) == 2


def test_an_image_holds_nothing_of_who_may_ask(
    target: KubernetesTarget, plan: ServicePlan, tmp_path: Path
) -> None:
    target.apply(plan, timeout=30)
    files = [file for file in (tmp_path / "images").rglob("*") if file.is_file()]
    assert any(file.name == "plan.json" for file in files)
    assert not any(DIGEST.encode() in file.read_bytes() for file in files)


Command = Callable[..., tuple[int, str, str]]


def test_the_command_line_deploys_tells_and_stops(
    built: Path, small: Cluster, modelyard: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = built / "modelyard.toml"
    given = f"""target = "kubernetes"
token_file = "tokens"
[environments.test.kubernetes]
kubeconfig = "{small.kubeconfig}"
namespace = "screening-prod"
replicas = [1, 1]
wait = "20s"
"""
    asked = re.compile(r"(\[environments\.test\][^\n]*\nport = \d+\n)")
    settings.write_text(asked.sub(lambda found: found.group(1) + given, settings.read_text()))
    (built / "tokens").write_text("s3cret\n")

    def new(images: Images, plan: ServicePlan, content: str) -> str:
        return push(small, tmp_path / f"{content}-{len(list(tmp_path.iterdir()))}", images._place, plan)

    monkeypatch.setattr(Images, "_new", new)

    code, output, complaint = modelyard("-C", built, "deploy", "test", "screening@1")
    assert code == 0, complaint
    assert "http://screening.screening-prod.svc" in output
    (line,) = [
        one
        for one in json.loads(modelyard("-C", built, "status", "--json")[1])
        if one["environment"] == "test"
    ]
    assert (line["version"], line["answering"]) == (1, True)
    assert modelyard("-C", built, "deploy", "test", "screening@1")[0] == 0  # nothing to do
    kubectl = Kubectl(namespace="screening-prod", kubeconfig=small.kubeconfig)
    kubectl.run("patch", "deployment", "screening", "--type=merge", "-p", '{"spec": {"replicas": 3}}')
    assert (
        "test is not as it was deployed: Deployment screening: spec.replicas is 3, applied was 1."
        in (modelyard("-C", built, "status")[1])
    )
    assert modelyard("-C", built, "stop", "test")[0] == 0
    small.node.images.clear()
    code, _, complaint = modelyard("-C", built, "deploy", "test", "screening@1")
    assert code == 3
    assert "ImagePullBackOff" in complaint
    failed, *_ = json.loads(modelyard("-C", built, "releases", "test", "--json")[1])
    assert failed["status"] == "failed"
    assert "ImagePullBackOff" in failed["reason"]
    assert modelyard("-C", built, "deploy", "test", "screening@1")[0] == 0  # by an image that is made again
