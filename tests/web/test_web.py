"""The console and the API: who comes in, what they may do, what they are told."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard import registry
from modelyard.actions.token import create, revoke
from modelyard.errors import SettingsError
from modelyard.ports import Facts
from modelyard.project import Project, open_project
from modelyard.records.access import Role
from modelyard.testing import samples
from modelyard.web.api import WAYS
from modelyard.web.app import app
from modelyard.web.desk import Desk
from modelyard.web.listen import own_key, refuse_open_door
from modelyard.web.pages import PAGES

with warnings.catch_warnings():  # that another client than httpx will be wanted
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

KEY = "the-console's-own-key"
AT = "http://127.0.0.1:8100"
SETTINGS = """
[project]
name = "clinic"
[data.patients]
source = "data/patients.csv"
target = "diagnosis"
[models.screening]
code = "models/screening"
data = "patients"
[environments.test]
port = 8101
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "models" / "screening").mkdir(parents=True)
    (tmp_path / "models" / "screening" / "model.py").write_text("import modelyard\n")
    (tmp_path / "modelyard.toml").write_text(SETTINGS)
    return open_project(tmp_path, actor="ann")


@pytest.fixture
def client(project: Project) -> TestClient:
    return TestClient(app(Desk(project, KEY)), base_url=AT, follow_redirects=False)


def bearer(secret: str = KEY) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def signed_in(client: TestClient, secret: str = KEY) -> str:
    """What a form of the session brings along."""
    answer = client.post("/login", data={"token": secret})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/console").text)
    assert found
    return found[1]


@pytest.fixture
def token(project: Project) -> Callable[[Role], str]:
    """A secret of somebody with the role, in a yard that asks for one."""
    first = create(project, "root", roles=("admin",)).secret
    admin = Project(root=project.root, settings=project.settings, asserted="x", secret=first)
    return lambda role: create(admin, f"a {role}", roles=(role,)).secret


def every_way() -> list[tuple[str, str]]:
    ways = [(way.method, way.path) for way in WAYS] + [(method, path) for method, path, _ in PAGES]
    filled = {
        "model": "screening",
        "version": "1",
        "environment": "test",
        "job": "1",
        "alert": "1",
        "digest": "0" * 64,
    }
    return [(method, path.format(**filled)) for method, path in ways]


@pytest.mark.parametrize(("method", "path"), every_way())
def test_nothing_is_told_or_done_without_a_token(client: TestClient, method: str, path: str) -> None:
    for headers in ({}, bearer("wrong"), {"Authorization": "Basic eA=="}, {"Cookie": "modelyard_session=x"}):
        answer = client.request(method, path, headers=headers)
        if path.startswith("/console"):
            assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        else:
            assert answer.status_code == 401, (path, headers)
            assert answer.json()["error"]["code"] == "access_denied"
    with client.app.state.desk.open(KEY) as own, own.yard.read() as facts:  # type: ignore[attr-defined]
        assert facts.jobs.list() == []


def test_a_training_is_asked_for_and_followed(client: TestClient) -> None:
    headers = bearer() | {"Idempotency-Key": "monday"}
    answer = client.post("/models/screening/train", headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (202, "/jobs/1")
    assert answer.json() == {"status": "ok", "job": 1, "state": "queued", "href": "/jobs/1"}
    assert client.post("/models/screening/train", headers=headers).json()["job"] == 1
    job = client.get("/jobs/1", headers=bearer()).json()
    assert (job["by"], job["asked"]["kind"], job["asked"]["models"]) == ("ann", "build", ["screening"])
    assert len(job["asked"]["snapshot"]) == 64
    assert client.get("/jobs/1/log", headers=bearer()).json() == {"state": "queued", "pieces": []}
    assert client.post("/jobs/1/cancel", headers=bearer()).json()["state"] == "cancelled"
    assert client.post("/jobs/1/retry", headers=bearer()).json()["state"] == "queued"
    assert [j["id"] for j in client.get("/jobs", headers=bearer()).json()] == [1]


@pytest.fixture
def filled(project: Project) -> Project:
    """Five versions, the second live in test, the third called ``best``."""

    def add(facts: Facts) -> None:
        for number in range(1, 6):
            registry.register(
                facts,
                package=samples.package(f"r{number}"),
                dataset="patients@1",
                environments=("test",),
                by="ann",
                now=samples.NOON,
                metrics={"roc_auc": number / 10},
            )
        registry.alias(
            facts,
            model="screening",
            version=3,
            name="best",
            environments=("test",),
            by="ann",
            now=samples.NOON,
        )
        release = registry.begin(
            facts, environment="test", model="screening", version=2, by="ann", now=samples.NOON
        )
        registry.succeed(facts, release.id, samples.NOON)

    project.yard.once("fill", "ann", add, type(None))
    return project


@pytest.mark.usefixtures("filled")
def test_versions_are_found_and_resolved(client: TestClient) -> None:
    def numbers(query: str) -> list[int]:
        answer = client.get(f"/models/screening/versions?{query}", headers=bearer())
        assert answer.status_code == 200, answer.text
        return [one["number"] for one in answer.json()]

    assert numbers("") == [1, 2, 3, 4, 5]
    assert numbers("limit=2") == [1, 2]
    assert numbers("limit=2&after=2") == [3, 4]
    assert numbers("after=5") == []
    assert numbers("where=metrics.roc_auc > 0.25") == [3, 4, 5]
    assert numbers("where=metrics.roc_auc > 0.25&after=3&limit=1") == [4]
    assert numbers("where=live.test") == [2]
    for name, number in (("4", 4), ("latest", 5), ("test", 2), ("best", 3)):
        answer = client.get(f"/models/screening/versions/{name}", headers=bearer())
        assert answer.json()["number"] == number, answer.text


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/models/screening/versions/6", 404),
        ("/models/screening/versions/0", 404),
        ("/models/screening/versions/99999999999999999999999", 404),
        ("/models/screening/versions/nothing", 404),
        ("/models/screening/versions/..%2F..", 404),
        ("/models/screening/versions/a%20b", 400),
        ("/models/screening/versions/%00", 400),
        ("/models/nobody/versions/latest", 404),
        ("/models/No%27body/versions/latest", 400),
        ("/models/screening/versions?limit=1001", 400),
        ("/models/screening/versions?after=-1", 400),
        ("/models/screening/versions?where=metrics.", 400),
        ("/models/screening/versions?where=version%20=%20'1'%20or", 400),
        ("/models/screening/versions?where=tags.team%20=%20'x'", 404),
        ("/models/screening/versions?where=" + "(" * 2001, 400),
        ("/models/screening/versions?where=" + "(" * 1999, 400),
    ],
)
def test_what_names_no_version_is_told_so(client: TestClient, path: str, code: int) -> None:
    answer = client.get(path, headers=bearer())
    assert answer.status_code == code, answer.text
    assert answer.json()["error"]["message"]


def test_a_tested_package_is_registered_once(built: Path) -> None:
    client = TestClient(app(Desk(open_project(built, actor="ann"), KEY)), base_url=AT)
    before = client.get("/models/screening/versions/latest", headers=bearer()).json()
    for sealed in ("run", before["package"]):
        answer = client.post("/models/screening/versions", headers=bearer(), json={"package": sealed})
        assert (answer.status_code, answer.headers["location"]) == (201, "/models/screening/versions/1")
        assert answer.json() == before
    for content in (
        b"",
        b"[]",
        b"{}",
        b'{"package": 3}',
        b'{"package": ""}',
        b'{"package": "run", "by": "me"}',
    ):
        answer = client.post("/models/screening/versions", headers=bearer(), content=content)
        assert answer.status_code == 400, content
    for sealed, code in (("0" * 64, 404), ("9", 404), ("a b", 400), ("x" * 65, 400)):
        answer = client.post("/models/screening/versions", headers=bearer(), json={"package": sealed})
        assert answer.status_code == code, answer.text
    assert len(client.get("/models/screening/versions", headers=bearer()).json()) == 1


def test_wrong_questions_are_told_so(client: TestClient) -> None:
    for method, path, code in (
        ("GET", "/jobs/7", 404),
        ("GET", "/jobs/seven", 404),
        ("GET", "/jobs/99999999999999999999", 404),
        ("GET", "/jobs/1/log?after=x", 400),
        ("GET", "/jobs?limit=-1", 400),
        ("GET", "/models/nobody/versions", 404),
        ("POST", "/models/nobody/train", 404),
        ("GET", "/windows/nowhere/screening", 404),
        ("GET", "/nothing", 404),
        ("PUT", "/jobs", 405),
        ("GET", "/models/screening/readiness", 404),
    ):
        answer = client.request(method, path, headers=bearer())
        assert answer.status_code == code, (path, answer.text)
        assert answer.json()["error"]["message"]
    client.post("/models/screening/train", headers=bearer())
    assert client.post("/jobs/1/retry", headers=bearer()).status_code == 400
    assert client.post("/models/screening/train", headers=bearer(), json={"C": 1}).status_code == 400
    assert client.post("/models/screening/train", headers=bearer(), content=b"x" * 70_000).status_code == 413
    csrf = signed_in(client)
    assert csrf
    another = client.get("/jobs/1", headers=bearer()).json()["asked"]["snapshot"]
    for digest in ("0" * 64, another, "0" * 64 + "%0A", "../../etc/passwd", "x"):
        for kind in ("reports", "windows"):
            assert client.get(f"/console/{kind}/{digest}").status_code == 404, (kind, digest)
    assert client.get("/models", headers=bearer()).json()[0]["live"]["version"] is None


def test_roles_count_here_as_elsewhere(client: TestClient, token: Callable[[Role], str]) -> None:
    viewer, developer = token("viewer"), token("developer")
    assert client.get("/models", headers=bearer()).status_code == 401, "the key opens no yard that asks"
    assert client.get("/models", headers=bearer(viewer)).status_code == 200
    answer = client.post("/models/screening/versions", headers=bearer(viewer), json={"package": "run"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "access_denied")
    answer = client.post("/models/screening/train", headers=bearer(viewer))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "access_denied")
    assert client.post("/models/screening/train", headers=bearer(developer)).status_code == 202
    assert client.post("/jobs/1/cancel", headers=bearer(viewer)).status_code == 403
    assert client.get("/jobs/1", headers=bearer(viewer)).json()["by"] == "a developer"
    assert client.post("/login", data={"token": KEY}).status_code == 401


def test_a_token_that_is_revoked_ends_its_sessions(client: TestClient, token: Callable[[Role], str]) -> None:
    secret = token("developer")
    signed_in(client, secret)
    assert client.get("/console").status_code == 200
    with client.app.state.desk.open(token("admin")) as admin:  # type: ignore[attr-defined]
        with admin.yard.read() as facts:
            [found] = [t for t in facts.tokens.list() if "developer" in t.roles]
        revoke(admin, found.id)
    assert client.get("/console").headers["location"] == "/login"


def test_pages_of_other_sites_change_and_read_nothing(client: TestClient) -> None:
    csrf = signed_in(client)
    build = "/console/models/screening/build"
    for data, headers in (
        ({}, {}),
        ({"csrf": "guessed"}, {}),
        ({"csrf": csrf}, {"Sec-Fetch-Site": "cross-site"}),
        ({"csrf": csrf}, {"Sec-Fetch-Site": "same-site"}),
    ):
        assert client.post(build, data=data, headers=headers).status_code == 403
    for name in ("evil.example", "evil.example:8100", "127.0.0.1:9999", "127.0.0.1.evil.example:8100", ""):
        assert client.get("/console", headers={"Host": name}).status_code == 421
        assert client.post(build, data={"csrf": csrf}, headers={"Host": name}).status_code == 421
    assert client.post("/models/screening/train").status_code == 403, "a cookie alone asks for nothing"
    assert client.get("/jobs").json() == []
    answer = client.post(build, data={"csrf": csrf}, headers={"Sec-Fetch-Site": "same-origin"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/jobs/1")


def test_an_invitation_opens_one_session(client: TestClient) -> None:
    code = client.app.state.desk.sessions.invite()  # type: ignore[attr-defined]
    assert client.get(f"/login?once={code}").headers["location"] == "/console"
    client.cookies.clear()
    assert client.get(f"/login?once={code}").status_code == 401
    assert client.get("/login?once=guessed").status_code == 401


def test_what_is_no_good_login_is_told_on_its_page(project: Project, client: TestClient) -> None:
    for content, code in (
        (b"&".join([b"a=1"] * 60), 400),
        (b"\xff\xfe", 400),
        (b"token=\xff", 400),
        (b"", 200),
    ):
        answer = client.post("/login", content=content)
        assert (answer.status_code, "Sign in" in answer.text) == (code, True), content
    (project.root / "modelyard.toml").write_text("[project")
    answer = client.post("/login", data={"token": KEY})
    assert (answer.status_code, "modelyard.toml" in answer.text) == (400, True)
    (project.root / "modelyard.toml").unlink()
    assert client.post("/login", data={"token": KEY}).status_code == 400
    assert client.get("/models", headers=bearer()).json()["error"]["code"] == "settings"


def test_leaving_ends_the_session(client: TestClient) -> None:
    csrf = signed_in(client)
    name = client.cookies["modelyard_session"]
    assert client.post("/console/leave", data={"csrf": csrf}).headers["location"] == "/login"
    client.cookies.set("modelyard_session", name)
    assert client.get("/console").headers["location"] == "/login"


def test_what_is_shown_is_text(project: Project, client: TestClient) -> None:
    from modelyard import jobs
    from modelyard.project import now
    from modelyard.records.job import Asked

    evil = "<script>alert(1)</script>"
    asked = Asked(kind="build", models=("screening",))
    project.yard.mark(
        evil,
        lambda f: f.jobs.say(jobs.queue.queued(f, asked, by=evil, due=now(), now=now()).id, f"{evil}\n"),
    )
    signed_in(client)
    for page in ("/console", "/console/jobs", "/console/jobs/1", "/console/models/screening"):
        answer = client.get(page)
        assert "<script" not in answer.text
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
    assert "&lt;script&gt;" in client.get("/console/jobs/1").text


def test_alerts_are_shown_silenced_and_said_to_be_over(project: Project, client: TestClient) -> None:
    project.yard.mark("ann", lambda f: [f.alerts.put(samples.alert(n, column=f"<b>{n}")) for n in (1, 2)])
    csrf = signed_in(client)
    assert "2 open alerts" in client.get("/console").text
    assert "&lt;b&gt;1" in client.get("/console/alerts").text
    for what in ("1/silence", "2/resolve"):
        assert client.post(f"/console/alerts/{what}", data={"csrf": csrf}).status_code == 303
    [alert] = client.get("/alerts", headers=bearer()).json()
    assert (alert["id"], alert["by"]) == (1, "ann")
    assert alert["silenced"]
    assert "silent until" in client.get("/console/alerts").text
    assert len(client.get("/alerts?over=1", headers=bearer()).json()) == 2


def test_the_api_is_described(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    there = {(m.upper(), path) for path, methods in described["paths"].items() for m in methods}
    assert there == {(way.method, way.path) for way in WAYS}
    assert "Job" in described["components"]["schemas"]


def test_settings_that_changed_count_at_once(project: Project, client: TestClient) -> None:
    assert len(client.get("/models", headers=bearer()).json()) == 1
    (project.root / "modelyard.toml").write_text(SETTINGS + "[environments.prod]\nport = 8102\n")
    assert len(client.get("/models", headers=bearer()).json()) == 2


def test_beyond_loopback_the_yard_must_ask_for_tokens(
    project: Project, request: pytest.FixtureRequest
) -> None:
    text = SETTINGS + '[console]\nhost = "0.0.0.0"\n'
    (project.root / "modelyard.toml").write_text(text)
    wide = open_project(project.root, actor="ann")
    with pytest.raises(SettingsError, match="asks nobody for a token"):
        refuse_open_door(wide)
    request.getfixturevalue("token")
    refuse_open_door(wide)


def test_the_key_is_its_owner_s_alone_and_stays(tmp_path: Path) -> None:
    key = own_key(tmp_path)
    assert len(key) > 40
    assert own_key(tmp_path) == key
    [file] = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
