"""Certificates: shown, renewed, asked of clients, refused."""

from __future__ import annotations

import datetime as dt
import hashlib
import http.client
import ipaddress
import json
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from serving_parts import Running, free_port, plan_for, serve_numeric

from modelyard.records.service import Tls

PREDICT = "/models/screening/predict"
ROW = json.dumps({"rows": [{"age": 50, "size": 3.5}]})
Key = ec.EllipticCurvePrivateKey


class Authority:
    """One that vouches for certificates."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}.pem"
        made = _signed(self.name, self.name, self.key, self.key, ca=True)
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, passphrase: bytes | None = None) -> Tls:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = _signed(subject, self.name, key, self.key, ca=False)
        (self.folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        how = (
            serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        )
        (self.folder / "key.pem").write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
        )
        return Tls(certificate=str(self.folder / "cert.pem"), key=str(self.folder / "key.pem"))


def _signed(subject: x509.Name, issuer: x509.Name, key: Key, by: Key, *, ca: bool) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(now - dt.timedelta(hours=1)).not_valid_after(now + dt.timedelta(days=1))
    made = made.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if not ca:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return made.sign(by, hashes.SHA256())


def ask(running: Running, context: ssl.SSLContext) -> tuple[int, bytes, str]:
    """The status and body of a prediction, and the name that the service showed."""
    connection = http.client.HTTPSConnection("127.0.0.1", running.plan.port, context=context, timeout=10)
    try:
        connection.connect()
        shown = connection.sock.getpeercert()  # type: ignore[union-attr]
        connection.request("POST", PREDICT, ROW)
        reply = connection.getresponse()
        return reply.status, reply.read(), shown["subject"][0][0][1]
    finally:
        connection.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_a_service_with_a_certificate_speaks_nothing_else_and_takes_a_renewed_one(
    tmp_path: Path, authority: Authority, start: Callable[..., Running]
) -> None:
    tls, port = authority.issue("first"), free_port()
    running = start(plan_for(serve_numeric(tmp_path / "p"), tls=tls, grpc_port=port, workers=2))
    trusting = ssl.create_default_context(cafile=str(authority.file))
    status, body, shown = ask(running, trusting)
    assert (status, json.loads(body)["prediction"], shown) == (200, ["malignant"], "first")
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(running, ssl.create_default_context())
    old = ssl.create_default_context(cafile=str(authority.file))
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        ask(running, old)
    with socket.create_connection(("127.0.0.1", running.plan.port), timeout=10) as plain:
        plain.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        assert not plain.recv(1 << 16).startswith(b"HTTP")
    _live(port, authority)
    (tmp_path / "cert.pem").write_text("nonsense")
    _shown(running, lambda: b"certificate before it stays" in running.log.read_bytes())
    assert ask(running, trusting)[2] == "first"
    authority.issue("second")
    _shown(running, lambda: {ask(running, trusting)[2] for _ in range(8)} == {"second"})
    _live(port, authority)
    assert b"Traceback" not in running.log.read_bytes()


def _live(port: int, authority: Authority) -> None:
    credentials = grpc.ssl_channel_credentials(authority.file.read_bytes())
    with grpc.secure_channel(f"localhost:{port}", credentials) as channel:
        live = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
        assert live(b"", timeout=10) == b"\x08\x01"


def _shown(running: Running, true: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until, running.log.read_text()
        time.sleep(0.05)


def test_clients_without_a_certificate_of_theirs_are_not_let_in(
    tmp_path: Path, authority: Authority, start: Callable[..., Running]
) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "o").mkdir()
    theirs, others = Authority(tmp_path / "c", "clients"), Authority(tmp_path / "o", "others")
    tls = msgspec.structs.replace(authority.issue("service"), clients=str(theirs.file))
    running = start(plan_for(serve_numeric(tmp_path / "p"), tls=tls, host="0.0.0.0"))
    known = ssl.create_default_context(cafile=str(authority.file))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(running, known)
    stranger = others.issue("stranger")
    known.load_cert_chain(stranger.certificate, stranger.key)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(running, known)
    client = theirs.issue("client")
    known = ssl.create_default_context(cafile=str(authority.file))
    known.load_cert_chain(client.certificate, client.key)
    assert ask(running, known)[0] == 200
    assert b"Traceback" not in running.log.read_bytes()


def test_tokens_are_asked_for_inside(
    tmp_path: Path, authority: Authority, start: Callable[..., Running]
) -> None:
    digest = hashlib.sha256(b"secret").hexdigest()
    plan = plan_for(serve_numeric(tmp_path / "p"), tls=authority.issue("service"), token_sha256=(digest,))
    running = start(plan)
    assert ask(running, ssl.create_default_context(cafile=str(authority.file)))[0] == 401


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("missing", "cannot be read: No such file"),
        ("swapped", "no certificate and its private key"),
        ("passphrase", "without a passphrase"),
        ("clients", "holds no certificates"),
    ],
)
def test_files_that_are_no_certificate_are_named(
    damage: str, said: str, tmp_path: Path, authority: Authority, start: Callable[..., Running]
) -> None:
    tls = authority.issue("service", passphrase=b"secret" if damage == "passphrase" else None)
    if damage == "missing":
        tls = msgspec.structs.replace(tls, key=str(tmp_path / "nowhere.pem"))
    elif damage == "swapped":
        tls = msgspec.structs.replace(tls, certificate=tls.key, key=tls.certificate)
    elif damage == "clients":
        (tmp_path / "empty.pem").write_text("")
        tls = msgspec.structs.replace(tls, clients=str(tmp_path / "empty.pem"))
    running = start(plan_for(serve_numeric(tmp_path / "p"), tls=tls), await_generation=False)
    state = running.wait(lambda s: s.error is not None)
    assert said in str(state.error)


def test_a_plan_with_a_bad_certificate_leaves_the_one_before(
    tmp_path: Path, authority: Authority, start: Callable[..., Running]
) -> None:
    tls = authority.issue("service")
    plan = plan_for(serve_numeric(tmp_path / "p"), tls=tls)
    running = start(plan)
    (tmp_path / "bad.pem").write_text("nonsense")
    bad = msgspec.structs.replace(tls, certificate=str(tmp_path / "bad.pem"))
    running.write(msgspec.structs.replace(plan, generation=2, tls=bad))
    running.wait(lambda s: s.failed_generation == 2)
    assert ask(running, ssl.create_default_context(cafile=str(authority.file)))[0] == 200
