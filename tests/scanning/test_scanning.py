"""What a scan finds, file by file, and what it leaves alone."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import io
import json
import lzma
import pickle
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard import scanning
from modelyard.errors import SettingsError
from modelyard.records.weakness import Weakness
from modelyard.scanning import Dependency
from modelyard.scanning.secrets import in_history
from modelyard.settings.scan import AllowSettings

AWS = "AKIA3ZQ7" + "XKJ5VRYT2W6M"  # in two parts: the scan of this repository would find it
Command = Callable[..., tuple[int, str, str]]


def rules(found: Iterable[Weakness]) -> list[str]:
    return sorted(w.rule for w in found)


def files(folder: Path, **texts: str | bytes) -> scanning.Files:
    """``a__b`` is the file ``a.b``."""
    for name, content in texts.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return scanning.listed(folder)


def test_secrets_are_found_and_never_shown(tmp_path: Path) -> None:
    found = list(
        scanning.secrets(
            files(
                tmp_path,
                a__py=f'KEY = "{AWS}"\n',
                b__pem="-----BEGIN RSA PRIVATE KEY-----\n",
                c__py='password = "hunter2-and-more"\n',
                d__py=f'KEY = "{AWS}"  # pragma: allowlist secret\n',
                lock__txt=f"x==1 --hash=sha256:{'0123456789abcdef' * 4}\n",
                e__csv=f"a,{AWS}\n",
                f__py='name = "screening"\n',
            )
        )
    )
    assert [(w.path, w.rule, w.level) for w in found] == [
        ("a.py", "AWSKeyDetector", "error"),
        ("b.pem", "PrivateKeyDetector", "error"),
        ("c.py", "KeywordDetector", "warning"),
    ]
    assert not any(AWS in str(w) or "hunter2" in str(w) for w in found)


def test_a_secret_that_was_taken_out_is_still_in_the_history(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

    git("init")
    for text in (f'KEY = "{AWS}"\n', "KEY = None\n"):
        (tmp_path / "a.py").write_text(text)
        git("add", "a.py")
        git("commit", "-m", "a")
    assert list(scanning.secrets(scanning.listed(tmp_path))) == []
    [found] = in_history(scanning.committed(tmp_path))
    assert (found.path, found.rule) == ("a.py", "AWSKeyDetector")
    assert "in the history (git show " in found.message


def test_only_what_git_would_hold_is_looked_at(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "kept.py").touch()
    (tmp_path / "gone.py").symlink_to("nowhere")
    found = files(tmp_path, __gitignore="aside.py\n", aside__py="", new__py="")
    assert found.paths == (".gitignore", "new.py", "sub/kept.py")
    assert scanning.listed(tmp_path, ["sub/*", "*.py"]).paths == (".gitignore",)


def test_code_is_bandits(tmp_path: Path) -> None:
    weak = "import subprocess\n\n\ndef go(c):\n    subprocess.call(c, shell=True)\n"
    found = list(
        scanning.code(
            files(
                tmp_path,
                weak__py=weak,
                seen__py=weak.replace("True)", "True)  # nosec"),
                test_a__py="assert 1\n",
                broken__py="def (:\n",
            )
        )
    )
    assert ("B602", "error", "weak.py", 5) in [(w.rule, w.level, w.path, w.line) for w in found]
    assert {w.path for w in found if w.rule == "B602"} == {"weak.py"}
    assert "B101" not in rules(found)
    assert ("not-python", "broken.py") in [(w.rule, w.path) for w in found]


def advisory(*events: dict[str, str], **more: Any) -> dict[str, Any]:
    span = {"type": "ECOSYSTEM", "events": list(events)}
    package = {"ecosystem": "PyPI", "name": "Foo_Bar"}
    return {
        "id": "GHSA-1",
        "summary": "It leaks",
        "affected": [{"package": package, "ranges": [span]}],
    } | more


@pytest.mark.parametrize(
    ("version", "events", "hit"),
    [
        ("1.0", [{"introduced": "0"}], True),
        ("1.9", [{"introduced": "1.0"}, {"fixed": "2.0"}], True),
        ("2.0", [{"introduced": "1.0"}, {"fixed": "2.0"}], False),
        ("2.0rc1", [{"introduced": "1.0"}, {"fixed": "2.0"}], True),
        ("0.9", [{"introduced": "1.0"}, {"fixed": "2.0"}], False),
        ("1.10", [{"fixed": "1.9"}, {"introduced": "0"}, {"introduced": "1.10"}, {"fixed": "1.11"}], True),
        ("1.5", [{"introduced": "0"}, {"last_affected": "1.5"}], True),
        ("1.5.1", [{"introduced": "0"}, {"last_affected": "1.5"}], False),
        ("no version", [{"introduced": "0"}], False),
    ],
)
def test_a_version_is_in_an_advisory_as_osv_says(
    tmp_path: Path, version: str, events: list[dict[str, str]], hit: bool
) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(advisory(*events)))
    assert bool(list(scanning.dependencies([Dependency("foo-bar", version, "r")], path))) is hit


def test_advisories_come_as_folder_zip_list_and_audit(tmp_path: Path) -> None:
    one = advisory({"introduced": "0"}, {"fixed": "2.0"}, aliases=["CVE-2099-1"])
    twice = {**one, "id": "PYSEC-1", "aliases": ["GHSA-1"]}
    gone = {**one, "id": "GHSA-2", "aliases": [], "withdrawn": "2026-01-01T00:00:00Z"}
    (tmp_path / "folder" / "x").mkdir(parents=True)
    (tmp_path / "folder" / "x" / "a.json").write_text(json.dumps(one))
    (tmp_path / "list.json").write_text(json.dumps([one, twice, gone]))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("GHSA-1.json", json.dumps(one))
    audit = {
        "dependencies": [
            {"name": "foo.bar", "version": "1.0", "vulns": [{"id": "GHSA-1", "fix_versions": ["2.0"]}]}
        ]
    }
    (tmp_path / "audit.json").write_text(json.dumps(audit))
    wanted = list(
        scanning.pinned(
            files(tmp_path, requirements__txt="# a\nFoo.Bar[x]==1.0 ; python_version > '3'\nb>=2\n")
        )
    )
    assert wanted == [Dependency("foo-bar", "1.0", "requirements.txt", 2)]
    for name in ("folder", "list.json", "all.zip", "audit.json"):
        [found] = scanning.dependencies(wanted, tmp_path / name)
        assert (found.rule, found.level, found.line) == ("GHSA-1", "error", 2)
        assert "update it to 2.0" in found.message
    for content in ("{", '{"summary": "no id"}'):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(SettingsError, match=r"scan\.advisories"):
            list(scanning.dependencies(wanted, tmp_path / "bad.json"))
    with pytest.raises(SettingsError, match="cannot be read"):
        list(scanning.dependencies(wanted, tmp_path / "nowhere"))


def test_licences_are_those_that_distributions_declare() -> None:
    wanted = [
        Dependency("pytest", "1", "r"),
        Dependency("no-such-thing", "1", "r"),
        Dependency("pytest", "1", "s"),
    ]
    assert rules(scanning.licences(wanted, ["GPL-*"])) == []
    [found] = scanning.licences(wanted, ["MIT"])
    assert (found.rule, found.level) == ("licence-denied", "error")


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return subprocess.getoutput, ("true",)


def _torch() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(Evil()))
    return content.getvalue()


def _array() -> bytes:
    content = io.BytesIO()
    np.save(content, np.array([Evil()], dtype=object), allow_pickle=True)
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("a.pkl", pickle.dumps(Evil()), "pickle-runs"),
        ("a.pkl", pickle.dumps(Evil(), protocol=0), "pickle-runs"),
        ("a.dat", pickle.dumps(Evil(), protocol=4), "pickle-runs"),
        ("a.joblib", zlib.compress(pickle.dumps(Evil())), "pickle-runs"),
        ("a.pkl", gzip.compress(pickle.dumps(Evil())), "pickle-runs"),
        ("a.pkl", b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.", "pickle-runs"),
        ("a.pkl", pickle.dumps(Evil())[:20], "pickle-runs"),
        ("a.pt", _torch(), "pickle-runs"),
        ("a.npy", _array(), "pickle-runs"),
        ("a.pkl", pickle.dumps({"a": [1.0]}), "pickle"),
        ("a.pkl", pickle.dumps(np.arange(3)), "pickle"),
        ("a.joblib", bz2.compress(pickle.dumps(Evil())), "pickle-runs"),
        ("a.joblib", lzma.compress(pickle.dumps(Evil())), "pickle-runs"),
        ("a.joblib", lzma.compress(pickle.dumps(Evil()), format=lzma.FORMAT_ALONE), "pickle-runs"),
        ("a.bin", b"\x1f\x8bno such thing", "pickle-unread"),
        ("a.pkl", gzip.compress(pickle.dumps(Evil()))[:-9], "pickle-unread"),
        ("a.pt", _torch()[:60] + b"\0\0\0\0" + _torch()[64:], "pickle-unread"),
        ("a.bin", b"\x00\x01\x02", None),
        ("a.txt", b"text", None),
        ("a.pkl", b"", None),
    ],
    ids=range(20),
)
def test_pickles_are_read_and_never_run(tmp_path: Path, name: str, content: bytes, rule: str | None) -> None:
    (tmp_path / name).write_bytes(content)
    assert rules(scanning.pickles(scanning.listed(tmp_path))) == ([rule] if rule else [])


def test_a_small_pickle_that_unpacks_to_anything_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["modelyard.scanning.pickles"], "LARGEST", 4000)
    many = pickle.dumps("x" * 9000)
    (tmp_path / "a.pkl").write_bytes(gzip.compress(many))
    with zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/data.pkl", many)
    assert rules(scanning.pickles(scanning.listed(tmp_path))) == ["pickle-unread", "pickle-unread"]


GOOD = "FROM python:3.12@sha256:0 AS build\nRUN true\nFROM build\nENV A=1 TOKEN_FILE=/run/t\nUSER 65532:0\n"
POD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  template:
    spec:
      securityContext: {runAsNonRoot: true}
      containers:
        - name: a
          image: a@sha256:0
          securityContext: {allowPrivilegeEscalation: false}
          resources: {limits: {memory: 1Gi}}
"""


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("Dockerfile", GOOD, []),
        ("Dockerfile", GOOD.replace("USER 65532:0", ""), ["docker-root"]),
        ("Dockerfile", GOOD.replace("65532:0", "root"), ["docker-root"]),
        ("Dockerfile", GOOD.replace("@sha256:0", ""), ["image-unpinned"]),
        ("Dockerfile", GOOD.replace(":3.12@sha256:0", ""), ["image-latest"]),
        ("Dockerfile", GOOD.replace("ENV A=1", "ENV A=1 DB_PASSWORD=x"), ["docker-secret"]),
        ("a.dockerfile", GOOD.replace("RUN true", "RUN curl -s x \\\n  | bash"), ["docker-piped"]),
        ("Containerfile", GOOD.replace("RUN true", "ADD https://x.example/a /a"), ["docker-add-remote"]),
        ("compose.yaml", "services: {a: {image: 'a:1@sha256:0'}}", []),
        ("compose.yaml", "services:\n  a:\n    build: .\n    privileged: true\n", ["privileged"]),
        ("compose.yaml", "services: {a: {build: ., cap_add: [ALL]}}", ["capabilities"]),
        (
            "compose.yaml",
            "services: {a: {build: ., volumes: ['/var/run/docker.sock:/s']}}",
            ["docker-socket"],
        ),
        ("compose.yaml", "services: {a: {build: ., network_mode: host}}", ["host-namespace"]),
        ("pod.yaml", POD, []),
        ("pod.yaml", POD.replace("runAsNonRoot: true", ""), ["may-be-root"]),
        (
            "pod.yaml",
            POD.replace("allowPrivilegeEscalation: false", "privileged: true"),
            ["may-escalate", "privileged"],
        ),
        ("pod.yaml", POD.replace("{memory: 1Gi}", "{}"), ["no-memory-limit"]),
        (
            "pod.yaml",
            POD.replace("      containers", "      hostPID: true\n      containers"),
            ["host-namespace"],
        ),
        ("pod.yaml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a}]}", []),
        ("pod.yaml", "a: [", []),
        ("pod.yaml", "a: 2026-99-99", []),
        ("pod.yaml", "apiVersion: v1\nkind: Odd\nspec: text", ["container-unread"]),
        (
            "compose.yaml",
            "services: {a: {build: ., privileged: true, cap_add: 1}}",
            ["container-unread", "privileged"],
        ),
        ("list.yaml", "- a\n- b\n", []),
    ],
)
def test_container_configuration(tmp_path: Path, name: str, text: str, expected: list[str]) -> None:
    (tmp_path / name).write_text(text)
    assert rules(scanning.containers(scanning.listed(tmp_path))) == expected


def test_what_is_allowed_is_set_aside_with_its_reason() -> None:
    weak = [
        Weakness(check="code", rule=r, level="warning", path=p, message=r)
        for r, p in (("B1", "a"), ("B1", "b/c"), ("B2", "a"))
    ]
    allow = [
        AllowSettings(rule="B1", path="b/*", reason="looked at", until=dt.date(2030, 1, 1)),
        AllowSettings(rule="B2", reason="over", until=dt.date(2020, 1, 1)),
        AllowSettings(rule="B9", reason="nothing there"),
    ]
    first = scanning.sorted_out([*weak, weak[0]], allow, {}, dt.date(2026, 1, 1))
    assert [(w.rule, w.path) for w in first.found] == [("B1", "a"), ("B2", "a")]
    assert [(a.weakness.path, a.reason) for a in first.allowed] == [("b/c", "looked at")]
    assert [note.partition(":")[0] for note in first.notes] == [
        "scan.allow of B2 in * ended on 2020-01-01",
        "scan.allow of B9 in * fits nothing",
    ]
    again = scanning.sorted_out(weak, allow, {first.found[0].fingerprint: "known"}, dt.date(2026, 1, 1))
    assert [w.rule for w in again.found] == ["B2"]


def test_the_command_says_no_accepts_and_writes_sarif(modelyard: Command, tmp_path: Path) -> None:
    project = tmp_path / "screening"
    assert modelyard("init", "screening", "--folder", project)[0] == 0
    code, output, complaint = modelyard("-C", project, "scan")
    assert code == 0, output + complaint
    assert "0 errors, 0 warnings" in output
    assert "held against no advisories" in output
    (project / "key.py").write_text(f'\n\nKEY = "{AWS}"\n')
    code, output, _ = modelyard("-C", project, "scan", "--json", "--sarif", tmp_path / "scan.sarif")
    assert code == 1
    [found] = json.loads(output)["found"]
    assert (found["path"], found["line"], found["level"]) == ("key.py", 3, "error")
    assert AWS not in output
    assert modelyard("-C", project, "scan", "--only", "pickles")[0] == 0
    assert modelyard("-C", project, "scan", "--accept", " ")[0] == 2
    assert modelyard("-C", project, "scan", "--accept", "a test key")[0] == 0
    assert modelyard("-C", project, "scan", "--only", "pickles", "--accept", "nothing more")[0] == 0
    (project / "key.py").write_text(f'KEY = "{AWS}"\n')
    assert modelyard("-C", project, "scan", "--sarif", tmp_path / "allowed.sarif")[0] == 0
    (project / "key.py").write_text('KEY = "AKIA" + ""\nPASSWORD = "another-secret-1"\n')
    assert modelyard("-C", project, "scan")[0] == 1
    assert modelyard("-C", project, "scan", "--fail-on", "error")[0] == 0
    plain, allowed = (
        json.loads((tmp_path / name).read_text())["runs"][0] for name in ("scan.sarif", "allowed.sarif")
    )
    [result] = plain["results"]
    assert plain["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "AWSKeyDetector"
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 3}
    [suppressed] = allowed["results"]
    assert suppressed["partialFingerprints"] == result["partialFingerprints"]
    assert "a test key" in suppressed["suppressions"][0]["justification"]
    (project / "scan.baseline.json").write_text("{")
    code, _, complaint = modelyard("-C", project, "scan")
    assert code == 2
    assert "scan.baseline.json" in complaint


def test_without_its_libraries_the_line_that_installs_them_is_said(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['detect_secrets'] = None;"
        f"from modelyard.cli.run import run; sys.exit(run(['-C', {str(tmp_path)!r}, 'scan', '--only', 'secrets']))"
    )
    (tmp_path / "modelyard.toml").write_text('[project]\nname = "a"\n')
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'modelyard[scan]'" in done.stderr
