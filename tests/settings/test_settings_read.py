"""Settings: one typed tree, the environment over the file, a sentence for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelyard.errors import SettingsError
from modelyard.settings import find, read

BASE = """
[project]
name = "clinic"
[data.patients]
source = "data/patients.csv"
target = "ill"
[models.screening]
code = "models/screening"
data = "patients"
[environments.test]
port = 8101
"""


def project(folder: Path, more: str = "", *, base: str = BASE) -> Path:
    (folder / "modelyard.toml").write_text(base + more)
    return folder


def test_defaults(tmp_path: Path) -> None:
    settings = read(project(tmp_path), {})
    assert settings.yard.database == "sqlite:///.modelyard/yard.db"
    assert settings.data["patients"].split.test == 0.2
    assert settings.environments["test"].reviews == ()
    assert settings.models["screening"].form == "auto"


def test_environments_keep_their_order(tmp_path: Path) -> None:
    more = "[environments.zeta]\nport = 1\n[environments.alpha]\nport = 2\n"
    assert list(read(project(tmp_path, more), {}).environments) == ["test", "zeta", "alpha"]


POD = '[environments.prod]\nport = 1\ntarget = "kubernetes"\n'


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            "[data.patients.split]\ntst = 0.1\n",
            "unknown setting 'data.patients.split.tst' (did you mean 'test'?)",
        ),
        ("[alarms.screening]\n", "unknown setting 'alarms'"),
        ('[environments.prod]\nport = "8103"\n', "'environments.prod.port': expected `int`, got `str`"),
        ("[environments.prod]\nport = 70000\n", "'environments.prod.port': expected `int` <= 65535"),
        ("[environments.prod]\nport = 8101\n", "'test' and 'prod' both ask for port 8101"),
        ("[environments.latest]\nport = 1\n", "cannot be called 'latest'"),
        (
            '[environments.prod]\nport = 1\ntarget = "kubernetes"\n',
            "[environments.prod.kubernetes] go together",
        ),
        (
            "[environments.prod]\nport = 1\n[environments.prod.kubernetes]\n",
            "[environments.prod.kubernetes] go together",
        ),
        ('[environments.prod]\nport = 1\ntarget = "gitops"\n[environments.prod.gitops]\n', "repository"),
        (f"{POD}[environments.prod.kubernetes]\n", "listens for others; give 'token_file'"),
        (
            f"{POD}token_file = 't'\n[environments.prod.kubernetes]\nreplicas = [3, 2]\n",
            "'replicas' must not fall",
        ),
        (
            f"{POD}token_file = 't'\n[environments.prod.kubernetes]\nnamespace = 'A_b'\n",
            "environments.prod.kubernetes.namespace",
        ),
        (
            f"{POD}token_file = 't'\ngrpc_port = 2\n[environments.prod.kubernetes]\n",
            "images have no gRPC yet",
        ),
        (
            f"{POD}token_file = 't'\n[environments.prod.tls]\ncertificate = 'c'\nkey = 'k'\n[environments.prod.kubernetes]\n",
            "TLS ends at the cluster's gateway",
        ),
        ('[environments.prod]\nport = 1\nhost = "0.0.0.0"\n', "give 'environments.prod.token_file'"),
        (
            '[environments.prod]\nport = 1\nhost = "0.0.0.0"\ntls = { certificate = "c.pem", key = "k.pem" }\n',
            "give 'environments.prod.token_file'",
        ),
        ("[models.screening.gates]\nroc_auc = { }\n", "asks for nothing"),
        ('[models.screening.gates]\nroc_auc = { min = 0.5, test = "inferiority" }\n', "'test' goes with"),
        ("[models.screening.gates]\nroc_auc = { min = 0.5, confidence = 0.9 }\n", "'confidence' goes with"),
        ('[models.screening.evaluation]\nchampion = "prod"\n', "no [environments.prod]"),
        (
            '[models.screening.evaluation]\nslice = ["a"]\n',
            "unknown setting 'models.screening.evaluation.slice'",
        ),
        (
            '[models.screening.evaluation]\nslices = [{ column = "a", edges = [2, 1] }]\n',
            "'edges' must rise",
        ),
        ("[models.screening.evaluation]\ncosts = { false_positive = 0, false_negative = 1 }\n", "> 0"),
        ('[models.screening.fairness]\nsex = { metric = "equal" }\n', "fairness"),
        ("[models.screening.fairness]\nsex = { gap = 0.1 }\n", "unknown setting"),
        ('[models.screening.gates]\nroc_auc = { no_worse_than = "prod" }\n', "no [environments.prod]"),
        ('[models.other]\ncode = "x"\ndata = "clinic"\n', "there is no [data.clinic]; known: patients"),
        ('[data.screening]\nsource = "x.csv"\n', "'screening' names a dataset and a model"),
        ("[monitor.other]\n", "there is no [models.other]"),
        (
            '[data.other]\nsource = "a.csv"\nrefuse = ["moved", "constants"]\n',
            "'data.other.refuse.1': invalid enum value 'constants'; known here: target_leak, duplicates,",
        ),
        ("[Upper]\n", "unknown setting 'Upper'"),
        ("[yard\n", "is not TOML"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(tmp_path: Path, more: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(project(tmp_path, more), {})
    assert says in str(caught.value)
    assert str(tmp_path / "modelyard.toml") in str(caught.value)


@pytest.mark.parametrize(
    "guard",
    [
        'token_file = "tokens"',
        'jwt = { keys = "keys.json", issuer = "https://i", audience = "a" }',
        'tls = { certificate = "c.pem", key = "k.pem", clients = "ca.pem" }',
    ],
)
def test_whatever_asks_who_somebody_is_opens_an_environment_beyond_loopback(
    tmp_path: Path, guard: str
) -> None:
    more = f'[environments.prod]\nport = 1\nhost = "0.0.0.0"\n{guard}\n'
    assert read(project(tmp_path, more), {}).environments["prod"].host == "0.0.0.0"


def test_the_environment_goes_over_the_file(tmp_path: Path) -> None:
    more = '[models.my-model]\ncode = "m"\ndata = "patients"\n'
    environ = {
        "MODELYARD_ENVIRONMENTS__TEST__PORT": "9000",
        "MODELYARD_YARD__ARTIFACTS": "/elsewhere",
        "MODELYARD_MODELS__MY_MODEL__PARAMS": "{ C = 0.5 }",
        "MODELYARD_ACTOR": "ann",
    }
    settings = read(project(tmp_path, more), environ)
    assert settings.environments["test"].port == 9000
    assert settings.yard.artifacts == "/elsewhere"
    assert settings.models["my-model"].params == {"C": 0.5}


def test_a_variable_that_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="environment variable MODELYARD_ENVIRONMENTS__TEST__PORT"):
        read(project(tmp_path), {"MODELYARD_ENVIRONMENTS__TEST__PORT": "many"})
    with pytest.raises(SettingsError, match="environment variable MODELYARD_PROJEKT__NAME: unknown setting"):
        read(project(tmp_path), {"MODELYARD_PROJEKT__NAME": "x"})


def test_a_variable_below_a_value(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="MODELYARD_PROJECT__NAME__FIRST goes below 'name'"):
        read(project(tmp_path), {"MODELYARD_PROJECT__NAME__FIRST": "x"})


def test_the_project_is_found_from_below(tmp_path: Path) -> None:
    below = project(tmp_path) / "models" / "screening"
    below.mkdir(parents=True)
    assert find(below) == tmp_path.resolve()
    with pytest.raises(SettingsError, match="modelyard init"):
        find(Path("/"))


def test_no_file_and_not_text(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="modelyard init"):
        read(tmp_path, {})
    (tmp_path / "modelyard.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="is not TOML"):
        read(tmp_path, {})
