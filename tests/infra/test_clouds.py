"""Rendered Terraform and CloudFormation: read, formatted, validated by the real provider where it is, scanned, free of secrets."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
[environments.pre_prod]
port = 8102
[environments.prod]
port = 8103
[infra]
domain = "models.example.org"
"""
PLUGINS = (
    Path(os.environ.get("TERRAFORM_PROVIDERS", "/usr/lib/terraform/plugins")),
    Path("/usr/share/terraform/plugins"),
    Path("/usr/local/share/terraform/plugins"),
)
"""Where a machine without network keeps providers (``TERRAFORM_PROVIDERS`` names another place); elsewhere Terraform fetches them."""
SECRET = re.compile(
    r"^\s*((master_)?password|secret_string|token|MasterUserPassword|(Generate)?SecretString)\s*[=:]"
    r"|resource \"(aws_secretsmanager_secret_version|random_password|tls_private_key|aws_iam_access_key)\"",
    re.MULTILINE,
)
"""What would put a value that is secret into the state."""


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clouds")
    (folder / "modelyard.toml").write_text(SETTINGS)
    place = infra.place(read(folder, {}), folder, user="nurse")
    for kind in ("terraform", "cloudformation"):
        for name, content in infra.files(kind, place).items():
            path = folder / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            assert b"{=" not in content
            assert b"{% " not in content
    return folder


def run(*words: str | Path, folder: Path, ok: bool = True, **variables: str) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"TF_CLI_CONFIG_FILE": "", "CHECKPOINT_DISABLE": "1", "NO_COLOR": "1"} | variables,
        timeout=280,
    )
    assert not ok or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def hcl(rendered: Path, peer: Callable[[str], Path]) -> dict[str, dict[str, Any]]:
    """Every file of Terraform as python-hcl2 reads it, by its path."""
    code = "import hcl2, json, sys\nprint(json.dumps({path: hcl2.load(open(path)) for path in sys.argv[1:]}))"
    paths = [p for suffix in ("tf", "tfvars") for p in sorted((rendered / "terraform").rglob(f"*.{suffix}"))]
    read_: dict[str, dict[str, Any]] = json.loads(run(peer("clouds"), "-c", code, *paths, folder=rendered))
    return {Path(path).relative_to(rendered / "terraform").as_posix(): one for path, one in read_.items()}


def plain(name: str) -> str:
    return name.strip('"')


@pytest.mark.parametrize("module", ["server", "aws"])
def test_each_environment_gives_the_variables_that_have_no_default(
    hcl: dict[str, dict[str, Any]], module: str
) -> None:
    variables = {
        plain(name): body for one in hcl[f"{module}/variables.tf"]["variable"] for name, body in one.items()
    }
    needed = {name for name, body in variables.items() if "default" not in body}
    assert len(needed) >= 5
    for environment in ("test", "pre_prod", "prod"):
        given = hcl[f"{module}/environments/{environment}.tfvars"]
        names = {name for name in given if not name.startswith("__")}
        assert needed <= names <= set(variables)
        assert plain(given["environment"]) == environment
    assert plain(given["host"]) == "night-shift.models.example.org"


def test_nothing_that_is_secret_can_come_into_the_state(rendered: Path) -> None:
    files = [*(rendered / "terraform").rglob("*.tf"), rendered / "cloudformation" / "server.yaml"]
    assert [(path.name, found[0]) for path in files if (found := SECRET.search(path.read_text()))] == []
    assert SECRET.search('resource "aws_db_instance" "yard" {\n  password = "x"\n}')
    assert "manage_master_user_password         = true" in (rendered / "terraform/aws/yard.tf").read_text()


def test_a_file_is_in_terraforms_own_form_and_valid_to_its_provider(rendered: Path, tmp_path: Path) -> None:
    program = shutil.which("terraform") or shutil.which("tofu")
    if program is None:
        pytest.skip("terraform is not installed; https://developer.hashicorp.com/terraform/install")
    run(program, "fmt", "-check", "-recursive", "-diff", folder=rendered / "terraform")
    modules = rendered / "terraform"
    for name in ("server", "aws"):
        shutil.copytree(modules / name, tmp_path / name)
        versions = tmp_path / name / "versions.tf"
        # one start of the provider, which takes seconds, for both
        versions.write_text(
            re.sub(r'  backend "s3" \{\n.*?\n  \}\n', "", versions.read_text(), flags=re.DOTALL)
        )
    calls = []
    for name, wanted in (
        ("server", 'host = "a.example.org"\n  release = "prod-1"\n  instance_type = "t3.medium"'),
        (
            "aws",
            'host = "a.example.org"\n  zone_id = "Z1"\n  issuer = "https://a.example.org"\n  audience = ["a"]\n  rate = 10\n'
            '  node_type = "t3.large"\n  nodes = [1, 2]\n  database_class = "db.t4g.medium"\n  backup_days = 7\n  protected = true',
        ),
    ):
        calls.append(
            f'module "{name}" {{\n  source = "./{name}"\n  environment = "prod"\n  region = "eu-west-1"\n  {wanted}\n}}\n'
        )
    (tmp_path / "main.tf").write_text("".join(calls))
    plugins = next((f"-plugin-dir={place}" for place in PLUGINS if place.is_dir()), None)
    init = [program, "init", "-input=false", *([plugins] if plugins else [])]
    begun = subprocess.run(
        init, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"TF_CLI_CONFIG_FILE": ""}
    )
    if begun.returncode:
        pytest.skip(f"Terraform's provider for AWS is not to be had here: {begun.stderr.strip()[:200]}")
    told = json.loads(run(program, "validate", "-json", folder=tmp_path, ok=False))
    errors = [one for one in told["diagnostics"] if "legacy" not in json.dumps(one)]
    assert (told["valid"], errors) == (True, [])


def test_checkov_finds_nothing_and_what_it_skips_has_a_reason(
    rendered: Path, peer: Callable[[str], Path]
) -> None:
    checkov = peer("checkov").parent / "checkov"
    told = json.loads(
        run(
            *(checkov, "-d", ".", "--framework", "terraform", "cloudformation"),
            *("-o", "json", "--quiet", "--skip-download"),
            folder=rendered,
            ok=False,
            PATH=f"{checkov.parent}:{os.environ['PATH']}",
        )
    )
    by_kind = {one["check_type"]: one for one in told}
    assert set(by_kind) == {"terraform", "cloudformation"}
    for one in told:
        failed = [
            f"{c['check_id']} {c['resource']} {c['file_path']}" for c in one["results"]["failed_checks"]
        ]
        assert failed == []
        assert one["summary"]["parsing_errors"] == 0
    assert by_kind["terraform"]["summary"]["passed"] > 200
    assert by_kind["cloudformation"]["summary"]["passed"] > 20
    skips = [
        line.partition("checkov:skip=")[2]
        for path in (rendered / "terraform").rglob("*.tf")
        for line in path.read_text().splitlines()
        if "checkov:skip" in line
    ]
    assert len(skips) > 10
    assert all(len(skip.partition(":")[2]) >= len("as above") for skip in skips)


def test_cfn_lint_takes_the_template_and_the_parameters_fit(
    rendered: Path, peer: Callable[[str], Path]
) -> None:
    template = rendered / "cloudformation" / "server.yaml"
    run(peer("clouds").parent / "cfn-lint", "--non-zero-exit-code", "warning", template, folder=rendered)
    text = template.read_text()
    named = yaml.load(re.sub(r"!(\w+)", "", text), Loader=yaml.SafeLoader)["Parameters"]
    for environment in ("test", "pre_prod", "prod"):
        given = json.loads((template.parent / "environments" / f"{environment}.json").read_text())[
            "Parameters"
        ]
        assert set(given) == set(named)
        assert given["Environment"] in named["Environment"]["AllowedValues"]


def test_a_servers_first_start_is_one_text_with_scripts_that_bash_reads(rendered: Path) -> None:
    begun = yaml.safe_load((rendered / "terraform" / "server" / "cloud-init.yaml.tftpl").read_text())
    scripts = [one for one in begun["write_files"] if one.get("permissions") == "0755"]
    assert len(scripts) == 2
    for one in scripts:
        text = re.sub(r"\$\{(\w+)\}", r"\1", one["content"])
        subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    (unit,) = [one for one in begun["write_files"] if one["path"].endswith(".service")]
    assert "ExecStart=/usr/local/sbin/modelyard-run" in unit["content"]
    template = (rendered / "cloudformation" / "server.yaml").read_text()
    held = (rendered / "terraform" / "server" / "cloud-init.yaml.tftpl").read_text().splitlines()
    assert "\n".join(f"{' ' * 14}{line}" if line else "" for line in held).rstrip() in template
    used = set(re.findall(r"\$\{(\w+)\}", "\n".join(held)))
    assert used == {"name", "region", "log"}


def test_rendering_both_is_one_command_each(modelyard: Command, rendered: Path) -> None:
    code, output, complaint = modelyard("-C", rendered, "render", "terraform", "--json")
    assert code == 0, complaint
    names = [
        Path(one).relative_to(rendered / "deploy" / "terraform").as_posix() for one in json.loads(output)
    ]
    assert {"server/environments/prod.tfvars", "aws/environments/pre_prod.tfvars"} <= set(names)
    assert modelyard("-C", rendered, "render", "cloudformation")[0] == 0
    code, _, complaint = modelyard("-C", rendered, "render", "terraform", "prod")
    assert (code, "is of all environments" in complaint) == (2, True)
