"""The ``ssh`` target against a real sshd: the kit, lost connections, and what a server refuses."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "serving"))

from serving_parts import GOLDEN, plan_for, serve_numeric
from ssh_parts import HOST, SSHD, sshd

from modelyard.deployment import Door, Subject, application_tests
from modelyard.deployment.connection import Connection
from modelyard.deployment.keeper import Systemd
from modelyard.deployment.remote import Request
from modelyard.deployment.ssh import ROOMS, Server, SshTarget
from modelyard.errors import PortTaken, ServiceDown, StoreDown
from modelyard.infra import ROOMS as SERVED
from modelyard.infra import needed
from modelyard.predictor import verify
from modelyard.records.service import ServicePlan
from modelyard.records.tested import Golden
from modelyard.testing.target import TargetKit

pytestmark = pytest.mark.skipif(not Path(SSHD).exists(), reason="there is no sshd; install openssh-server")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with sshd(tmp_path_factory.mktemp("sshd") / "keys") as file:
        yield file


def target_for(config: Path, folder: Path, **more: str) -> SshTarget:
    given = {"manager": "process", "environment": sys.prefix} | more
    server = Server(connection=Connection(host=HOST, config=config), folder=str(folder), **given)  # type: ignore[arg-type]
    return SshTarget(server, rooms=(*SERVED, *ROOMS), requirements=needed)


@pytest.fixture
def plan(tmp_path: Path) -> ServicePlan:
    return plan_for(serve_numeric(tmp_path / "p7", version=7), generation=1)


@pytest.fixture
def newer(tmp_path: Path, plan: ServicePlan) -> ServicePlan:
    model = serve_numeric(tmp_path / "p8", version=8, shift=0.5)
    return msgspec.structs.replace(plan, generation=2, models=(model,))


@pytest.fixture
def broken(tmp_path: Path, plan: ServicePlan) -> ServicePlan:
    model = serve_numeric(tmp_path / "p9", version=9)
    (tmp_path / "p9" / "model" / "model.onnx").write_bytes(b"not what the manifest lists")
    return msgspec.structs.replace(plan, generation=3, models=(model,))


@pytest.fixture
def target(config: Path, tmp_path: Path, plan: ServicePlan) -> Iterator[SshTarget]:
    target = target_for(config, tmp_path / "server")
    yield target
    target.stop(plan.environment)


class TestSshTarget(TargetKit):
    pass


def answers(plan: ServicePlan) -> bool:
    try:
        return Door(f"http://127.0.0.1:{plan.port}").get("/v2/health/ready").status == 200
    except OSError:
        return False


def test_a_connection_lost_before_the_answer_arrived_takes_the_plan_back(
    target: SshTarget, plan: ServicePlan, newer: ServicePlan
) -> None:
    target.apply(plan, timeout=30)
    there = target._sent(newer)
    words = target._connection.words()
    client = subprocess.Popen(
        [*words, target._program("apply")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(msgspec.json.encode(Request(plan=there, asked=newer)) + b"\n")
        client.stdin.flush()
        assert b'"generation":2' in client.stdout.readline()
        client.kill()
    until = time.monotonic() + 20
    while (state := target.state(plan.environment)) and state.generation != 1 and time.monotonic() < until:
        assert answers(plan)
        time.sleep(0.05)
    assert state is not None
    assert (state.generation, state.models) == (1, ("screening/prod/7",))
    assert target.apply(newer, timeout=30).generation == 2
    assert target.plan(plan.environment) == newer


def test_a_transfer_that_broke_off_leaves_nothing_that_counts(
    target: SshTarget, plan: ServicePlan, newer: ServicePlan, tmp_path: Path
) -> None:
    target.apply(plan, timeout=30)
    packages = tmp_path / "server" / "packages"
    before = sorted(packages.iterdir())
    words = target._connection.words()
    script = f"mkdir {packages}/x.part-1 && cd {packages}/x.part-1 && tar -xzf -"
    done = subprocess.run([*words, script], input=b"\x1f\x8b\x08no archive", capture_output=True)
    assert done.returncode
    assert target.apply(newer, timeout=30).generation == 2
    assert len(sorted(packages.glob("[!x]*"))) == len(before) + 1
    assert not list(packages.glob("[!x]*.part-*"))


def test_a_port_of_the_server_that_is_taken(target: SshTarget, plan: ServicePlan) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = msgspec.structs.replace(plan, port=other.getsockname()[1])
        with pytest.raises(PortTaken, match="cannot be used"):
            target.apply(taken, timeout=30)
    assert target.state(plan.environment) is None


def test_two_deployments_at_once_are_one_after_the_other(
    config: Path, target: SshTarget, plan: ServicePlan, newer: ServicePlan, tmp_path: Path
) -> None:
    target.apply(plan, timeout=30)
    failed: list[Exception] = []

    def deploy(wanted: ServicePlan) -> None:
        try:
            target_for(config, tmp_path / "server").apply(wanted, timeout=30)
        except Exception as error:
            failed.append(error)

    again = msgspec.structs.replace(plan, generation=3)
    both = [threading.Thread(target=deploy, args=(wanted,)) for wanted in (newer, again)]
    for one in both:
        one.start()
    while any(one.is_alive() for one in both):
        assert answers(plan)
    assert failed == []
    state = target.state(plan.environment)
    assert state is not None
    assert state.generation in (2, 3)
    assert target.apply(newer, timeout=30).generation == 2


def test_a_candidate_runs_there_and_is_asked_from_here(target: SshTarget, plan: ServicePlan) -> None:
    spoken = msgspec.structs.replace(plan, grpc_port=1)
    [model] = plan.models
    with target.candidate(spoken, timeout=30) as candidate:
        door = Door(candidate.url, grpc=candidate.grpc)
        golden = msgspec.json.decode((Path(model.folder) / "golden.json").read_bytes(), type=Golden)
        assert golden.rows == GOLDEN["rows"]
        manifest = verify(Path(model.folder), model.package)
        about = Subject(door, manifest, model.package, golden, ())
        outcomes = list(application_tests(about, ["integration", "functional", "robustness"]))
        assert [o for o in outcomes if not o.passed] == []
        assert "grpc" in {o.name for o in outcomes}
        assert 10 < candidate.memory_mb() < 2000
        url = candidate.url
    with pytest.raises(OSError):
        Door(url).get("/health")
    assert target.state(plan.environment) is None


def test_what_its_processes_print_is_told(target: SshTarget, plan: ServicePlan) -> None:
    assert target.logs(plan.environment) == ""
    told = msgspec.structs.replace(plan, telling=msgspec.structs.replace(plan.telling, requests="all"))
    target.apply(told, timeout=30)
    Door(f"http://127.0.0.1:{plan.port}").post("/models/screening/predict", {"rows": GOLDEN["rows"]})
    until = time.monotonic() + 10
    while "/models/screening/predict" not in target.logs(plan.environment) and time.monotonic() < until:
        time.sleep(0.1)
    assert "/models/screening/predict" in target.logs(plan.environment, lines=5)


def test_what_a_server_prints_for_people_is_not_taken_for_an_answer(
    plan: ServicePlan, tmp_path: Path
) -> None:
    noisy = 'ForceCommand echo Welcome; echo; eval "$SSH_ORIGINAL_COMMAND"\n'
    with sshd(tmp_path / "keys", noisy) as config:
        target = target_for(config, tmp_path / "server")
        assert target.state(plan.environment) is None
        assert target.apply(plan, timeout=30).generation == 1
        try:
            assert target.plan(plan.environment) == plan
            with target.candidate(plan, timeout=30) as candidate:
                assert candidate.memory_mb() > 1
        finally:
            target.stop(plan.environment)


def test_who_is_not_let_in_is_told_why(config: Path, plan: ServicePlan, tmp_path: Path) -> None:
    text = config.read_text().replace(f"IdentityFile {config.parent}/user\n", "")
    (tmp_path / "config").write_text(text)
    stranger = Connection(host=HOST, config=tmp_path / "config", key=config.parent / "stranger")
    server = Server(connection=stranger, folder=str(tmp_path / "server"), manager="process")
    target = SshTarget(server, rooms=SERVED, requirements=needed)
    with pytest.raises(ServiceDown, match="Permission denied"):
        target.apply(plan, timeout=5)
    with pytest.raises(ServiceDown, match="Permission denied"):
        target.state(plan.environment)
    (tmp_path / "known").write_text("")
    (tmp_path / "config").write_text(
        config.read_text().replace(f"{config.parent}/known", f"{tmp_path}/known")
    )
    unknown = Connection(host=HOST, config=tmp_path / "config")
    with pytest.raises(ServiceDown, match="Host key verification failed"):
        unknown.run("true", timeout=10)
    nobody = Connection(host="127.0.0.1", port=1)
    with pytest.raises(ServiceDown, match="refused"):
        nobody.run("true", timeout=10)


def test_a_folder_that_cannot_be_written(config: Path, plan: ServicePlan) -> None:
    with pytest.raises(StoreDown, match="On yard-server: "):
        target_for(config, Path("/proc/nowhere")).apply(plan, timeout=5)


def test_a_disk_that_is_full_leaves_what_answers(
    config: Path, plan: ServicePlan, newer: ServicePlan, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if subprocess.run(words, capture_output=True).returncode:
        pytest.skip("no small disk can be made here")
    target = target_for(config, disk / "yard")
    try:
        target.apply(plan, timeout=30)
        filling = disk / "filling"
        with filling.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 65536):
                pass
        with pytest.raises(StoreDown, match="No space left"):
            target.apply(newer, timeout=30)
        assert answers(plan)
        filling.unlink()
        assert target.apply(newer, timeout=30).generation == 2
    finally:
        target.stop(plan.environment)
        subprocess.run(["umount", "-l", str(disk)], check=False)


def test_systemd_is_said_to_be_missing_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", "/home/Ann Lee/100%/library")
    keeper = Systemd("screening-prod", units=tmp_path / "units")
    with pytest.raises(ServiceDown, match="There is no systemd here"):
        keeper.start(["/usr/bin/python3", "-m", "modelyard.serving"], tmp_path / "service.log")
    unit = (tmp_path / "units" / "modelyard-screening-prod.service").read_text()
    assert "ExecStart=/usr/bin/python3 -m modelyard.serving\n" in unit
    assert f"StandardOutput=append:{tmp_path}/service.log" in unit
    assert "Restart=always" in unit
    assert 'Environment="PYTHONPATH=/home/Ann Lee/100%%/library"\n' in unit
