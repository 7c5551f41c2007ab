"""What is rendered is what the programs read: each is asked, or the schema that it publishes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from modelyard import infra
from modelyard.settings import read

Command = Callable[..., tuple[int, str, str]]
SETTINGS = """
[project]
name = "night_shift"
[environments.test]
port = 8101
[environments.prod]
port = 8103
host = "::1"
[infra]
registry = "registry.example.org/team"
domain = "models.example.org"
replicas = [3, 9]
upstreams = { prod = ["10.0.0.1:8103", "10.0.0.2:8103"] }
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    (folder / "modelyard.toml").write_text(SETTINGS)
    return folder


def rendered(project: Path, kind: str, folder: Path) -> Path:
    place = infra.place(read(project, {}), project, user="nurse")
    for name, content in infra.files(kind, place).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        assert b"{=" not in content
        assert b"{%" not in content
    return folder


def asked(program: str, *words: str | Path, get: str) -> str:
    """The program's own check, whose output counts as the assertion's message."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{program} is not installed; {get}")
    done = subprocess.run([found, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("environment", ["test", "prod"])
def test_kubernetes_takes_each_overlay(project: Path, tmp_path: Path, environment: str) -> None:
    folder = rendered(project, "kubernetes", tmp_path)
    overlay = folder / "overlays" / environment
    more = overlay / "kustomization.yaml"
    more.write_text(
        more.read_text().replace("components: []", "components: [../../monitoring, ../../builds]")
    )
    whole = asked("kubectl", "kustomize", overlay, get="https://kubernetes.io/docs/tasks/tools")
    (tmp_path / "whole.yaml").write_text(whole)
    validate = Path(sys.executable).parent / "kubernetes-validate"
    for version in ("1.32", "1.34", "1.36"):
        done = subprocess.run(
            [validate, "--strict", "-k", version, "--no-warn", tmp_path / "whole.yaml"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("passed") + done.stderr.count("passed") >= 10
    found = {one["kind"]: one for one in yaml.safe_load_all(whole)}
    assert {"HTTPRoute", "ServiceMonitor", "NetworkPolicy", "PodDisruptionBudget", "CronJob", "Job"} <= set(
        found
    )
    pod = found["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == f"registry.example.org/team/night-shift:{environment}"
    assert found["Deployment"]["spec"]["replicas"] == (3 if environment == "prod" else 1)
    assert found["Deployment"]["metadata"]["namespace"] == f"night-shift-{environment}"
    # what pod security "restricted" asks for
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    for held in (container, found["Job"]["spec"]["template"]["spec"]["containers"][0]):
        assert held["securityContext"]["allowPrivilegeEscalation"] is False
        assert held["securityContext"]["capabilities"]["drop"] == ["ALL"]
        assert held["securityContext"]["readOnlyRootFilesystem"] is True
    chosen = found["Service"]["spec"]["selector"]
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert chosen.items() <= labels.items()
    assert not chosen.items() <= found["Job"]["spec"]["template"]["metadata"]["labels"].items()
    assert found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert found["HTTPRoute"]["spec"]["hostnames"] == [
        "night-shift.models.example.org" if environment == "prod" else "night-shift-test.models.example.org"
    ]


KSERVE = """
import json, sys
import kserve

told = json.load(sys.stdin)
known = {model: set(getattr(kserve, model).attribute_map.values()) for model in (
    "V1beta1InferenceService", "V1beta1InferenceServiceSpec", "V1beta1PredictorSpec")}
assert set(told) <= known["V1beta1InferenceService"], told
assert set(told["spec"]) <= known["V1beta1InferenceServiceSpec"], told["spec"]
unknown = set(told["spec"]["predictor"]) - known["V1beta1PredictorSpec"]
assert not unknown, unknown
print(json.dumps(sorted(kserve.V1beta1PredictorSpec.attribute_map[name] for name in (
    "min_replicas", "max_replicas", "scale_metric", "scale_target", "labels"))))
"""


@pytest.mark.peer
@pytest.mark.parametrize("environment", ["test", "prod"])
def test_an_inference_service_has_what_kserve_and_kubernetes_know(
    project: Path, tmp_path: Path, peer: Callable[[str], Path], environment: str
) -> None:
    written = (rendered(project, "kserve", tmp_path) / f"{environment}.yaml").read_text()
    *others, service = yaml.safe_load_all(written)
    assert [one["kind"] for one in others] == ["Namespace", "ServiceAccount", "ConfigMap"]
    told = {**service, "metadata": {}}
    done = subprocess.run(
        [peer("kserve"), "-c", KSERVE], input=json.dumps(told), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    own = json.loads(done.stdout)
    predictor = service["spec"]["predictor"]
    assert predictor["containers"][0]["name"] == "kserve-container"
    assert predictor["containers"][0]["image"] == f"registry.example.org/team/night-shift:{environment}"
    assert (predictor["minReplicas"], predictor["maxReplicas"]) == (3 if environment == "prod" else 1, 9)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod"},
        "spec": {key: value for key, value in predictor.items() if key not in own},
    }
    (tmp_path / "pod.yaml").write_text("---\n".join(yaml.safe_dump(one) for one in (*others, pod)))
    validate = Path(sys.executable).parent / "kubernetes-validate"
    checked = subprocess.run(
        [validate, "--strict", "-k", "1.34", "--no-warn", tmp_path / "pod.yaml"],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("environment", ["test", "prod"])
def test_a_chart_gives_what_kubernetes_takes(project: Path, tmp_path: Path, environment: str) -> None:
    chart = rendered(project, "helm", tmp_path / "chart")
    values = yaml.safe_load((chart / "values.yaml").read_text())
    values |= yaml.safe_load((chart / f"values-{environment}.yaml").read_text())

    def value(found: re.Match[str]) -> str:
        held = values
        for name in found[1].split("."):
            held = held[name]
        return str(held)

    made = [
        re.sub(r"\{\{ \.Values\.([a-z.]+) \}\}", value, path.read_text())
        for path in sorted((chart / "templates").iterdir())
    ]
    assert "{{" not in "".join(made), "an expression that this test cannot read"
    (tmp_path / "whole.yaml").write_text("\n---\n".join(made))
    validate = Path(sys.executable).parent / "kubernetes-validate"
    done = subprocess.run(
        [validate, "--strict", "-k", "1.34", "--no-warn", tmp_path / "whole.yaml"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = {one["kind"]: one for one in map(yaml.safe_load, made)}
    deployment = found["Deployment"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    for chosen in (
        deployment["selector"]["matchLabels"],
        found["Service"]["spec"]["selector"],
        found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ):
        assert chosen
        assert chosen.items() <= labels.items()
    lowest = 3 if environment == "prod" else 1
    assert (deployment["replicas"], found["HorizontalPodAutoscaler"]["spec"]["minReplicas"]) == (
        lowest,
        lowest,
    )
    (container,) = deployment["template"]["spec"]["containers"]
    assert container["image"] == f"registry.example.org/team/night-shift:{environment}"
    assert container["resources"]["limits"] == {"memory": values["memory"]}
    assert found["HTTPRoute"]["spec"]["hostnames"] == [values["host"]]
    if shutil.which("helm"):
        lint = ["lint", chart, "--strict", "--values", chart / f"values-{environment}.yaml"]
        asked("helm", *lint, get="https://helm.sh/docs/intro/install")


def test_compose_is_what_its_schema_asks_for(project: Path, tmp_path: Path) -> None:
    file = rendered(project, "compose", tmp_path) / "compose.yaml"
    program = Path(sys.executable).parent / "check-jsonschema"
    done = subprocess.run(
        [program, "--builtin-schema", "vendor.compose-spec", file], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    services = yaml.safe_load(file.read_text())["services"]
    assert services["night-shift-prod"]["ports"] == ["[::1]:8103:8080"]
    assert all(one["read_only"] and one["cap_drop"] == ["ALL"] for one in services.values())


def test_prometheus_takes_rules_and_targets(project: Path, tmp_path: Path) -> None:
    folder = rendered(project, "prometheus", tmp_path)
    asked("promtool", "check", "rules", folder / "rules.yml", get="apt-get install prometheus")
    asked(
        "promtool",
        "check",
        "config",
        "--syntax-only",
        folder / "prometheus.yml",
        get="apt-get install prometheus",
    )
    jobs = yaml.safe_load((folder / "prometheus.yml").read_text())["scrape_configs"]
    assert jobs[1]["static_configs"][0]["targets"] == ["10.0.0.1:8103", "10.0.0.2:8103"]


def test_an_alert_fires_when_a_service_is_gone(project: Path, tmp_path: Path) -> None:
    folder = rendered(project, "prometheus", tmp_path)
    series = 'up{project="night-shift", environment="prod", instance="a"}'
    case = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "30s",
        "tests": [
            {
                "interval": "30s",
                "input_series": [{"series": series, "values": "1 1 0 0 0 0 0 0"}],
                "alert_rule_test": [
                    {"eval_time": "30s", "alertname": "ServiceDown", "exp_alerts": []},
                    {
                        "eval_time": "3m",
                        "alertname": "ServiceDown",
                        "exp_alerts": [
                            {
                                "exp_labels": {
                                    "severity": "page",
                                    "project": "night-shift",
                                    "environment": "prod",
                                    "instance": "a",
                                },
                                "exp_annotations": {
                                    "summary": "a of night-shift in prod does not answer",
                                    "action": "modelyard status; its log is .modelyard/services/prod/service.log",
                                },
                            }
                        ],
                    },
                ],
            }
        ],
    }
    (folder / "case.yml").write_text(yaml.safe_dump(case))
    asked("promtool", "test", "rules", folder / "case.yml", get="apt-get install prometheus")


def test_every_metric_that_is_asked_for_is_one_that_services_have(project: Path, tmp_path: Path) -> None:
    import re

    from modelyard.serving import counters

    source = Path(counters.__file__).read_text()
    text = (rendered(project, "prometheus", tmp_path) / "rules.yml").read_text()
    text += (rendered(project, "grafana", tmp_path) / "services.json").read_text()
    asked_for = {re.sub(r"_(total|bucket)$", "", name) for name in re.findall(r"model_infer_[a-z_]+", text)}
    assert len(asked_for) >= 6
    assert sorted(name for name in asked_for if name not in source) == []


def test_a_dashboard_asks_by_project_environment_and_model(project: Path, tmp_path: Path) -> None:
    board = json.loads((rendered(project, "grafana", tmp_path) / "services.json").read_text())
    panels = board["panels"]
    assert len({one["id"] for one in panels}) == len(panels) >= 7
    expressions = [target["expr"] for one in panels for target in one["targets"]]
    assert all('project="night-shift"' in one and "$environment" in one for one in expressions)
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels]
    assert len(set(places)) == len(places)
    variables = {one["name"] for one in board["templating"]["list"]}
    assert variables == {"source", "environment", "model"}


def certificate(folder: Path) -> None:
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = [
        "-keyout",
        str(folder / "tls.key"),
        "-out",
        str(folder / "tls.crt"),
        "-subj",
        "/CN=models.example.org",
    ]
    subprocess.run(["openssl", *words, *names], check=True, capture_output=True)


def test_haproxy_and_traefik_read_theirs(project: Path, tmp_path: Path) -> None:
    routes = yaml.safe_load((rendered(project, "traefik", tmp_path) / "dynamic.yaml").read_text())["http"]
    assert routes["routers"]["night-shift-prod"]["service"] in routes["services"]
    assert {"limits", "bodies", "again"} == set(routes["middlewares"])
    text = (rendered(project, "haproxy", tmp_path) / "haproxy.cfg").read_text()
    assert text.count("server prod") == 2
    certificate(tmp_path)
    (tmp_path / "both.pem").write_text(
        (tmp_path / "tls.crt").read_text() + (tmp_path / "tls.key").read_text()
    )
    (tmp_path / "h.cfg").write_text(text.replace("/etc/haproxy/tls/", str(tmp_path / "both.pem")))
    asked("haproxy", "-c", "-f", tmp_path / "h.cfg", get="apt-get install haproxy")


def test_a_unit_starts_what_deploy_started(project: Path, tmp_path: Path) -> None:
    text = (rendered(project, "systemd", tmp_path) / "modelyard-prod.service").read_text()
    plan = project.resolve() / ".modelyard" / "services" / "prod" / "plan.json"
    assert (
        f"ExecStart={sys.executable} -m modelyard.serving --plan {plan} --state {plan.parent}/state.json"
        in text
    )
    assert "User=nurse" in text


def test_an_image_has_the_rooms_that_a_service_loads(project: Path, tmp_path: Path) -> None:
    place = infra.place(read(project, {}), project, user="nurse")
    infra.context(tmp_path, place, environment="prod", models=(), labels={})
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        ".dockerignore",
        "Dockerfile",
        "library",
        "requirements.txt",
        "service",
    ]
    loaded = "serving.contained", "serving.worker", "serving.grpc_door", "wire.columnar", "predictor.author"
    code = "".join(f"import modelyard.{name}\n" for name in loaded) + "print(modelyard.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path / "library")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["render", "kubernetes", "prod"], "is of all environments"),
        (["render", "docker"], "An image is of one environment"),
        (["render", "docker", "prod"], "No version of any model is admitted to prod"),
        (["render", "docker", "nowhere"], "nowhere"),
        (["image", "prod"], ""),
    ],
)
def test_what_cannot_be_rendered_is_a_sentence(
    modelyard: Command, project: Path, words: list[str], says: str
) -> None:
    code, _, complaint = modelyard("-C", project, *words)
    assert code in (1, 2)
    assert says in complaint
    assert "Traceback" not in complaint
