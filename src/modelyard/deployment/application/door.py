"""How a test asks a service: HTTP as any client, bare bytes as none should, and gRPC."""

from __future__ import annotations

import contextlib
import http.client
import importlib
import json
import socket
import urllib.parse
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from modelyard.errors import ExtraMissing

_SECONDS = 20
_SERVICE = "inference.GRPCInferenceService"


class Reply(NamedTuple):
    """``body`` is decoded where it is JSON, else a text; ``content`` its bytes."""

    status: int
    body: Any
    content: bytes
    headers: Mapping[str, str]

    @property
    def refused(self) -> bool:
        return 400 <= self.status < 500


class Door:
    """A service at ``url``, and where it speaks gRPC; every request is a connection of its own."""

    def __init__(self, url: str, *, token: str | None = None, grpc: str | None = None) -> None:
        parts = urllib.parse.urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.token, self.grpc = token, grpc

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        return self.ask("GET", path, None, headers=headers)

    def post(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> Reply:
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return self.ask("POST", path, content, headers=headers)

    def ask(
        self, verb: str, path: str, body: bytes | None, *, headers: Mapping[str, str] | None = None
    ) -> Reply:
        sent = {"Content-Type": "application/json"}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        sent |= headers or {}
        connection = http.client.HTTPConnection(self.host, self.port, timeout=_SECONDS)
        try:
            connection.request(verb, path, body, {k: v for k, v in sent.items() if v})
            answer = connection.getresponse()
            content = answer.read()
            told = {k.lower(): v for k, v in answer.getheaders()}
            return Reply(answer.status, _decoded(content), content, told)
        finally:
            connection.close()

    def raw(self, content: bytes) -> int:
        """Send the bytes as they are; the status of what is answered, 0 when the connection was closed instead."""
        with socket.create_connection((self.host, self.port), timeout=_SECONDS) as connection:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused while it is sent
                connection.sendall(content)
            try:
                words = connection.recv(4096).split(b" ", 2)
            except ConnectionResetError:
                return 0
        return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0

    def line(self) -> bytes:
        """The header lines of a bare request that say to whom, and who asks."""
        who = f"Authorization: Bearer {self.token}\r\n" if self.token else ""
        return f"Host: {self.host}:{self.port}\r\n{who}".encode()

    def call(self, name: str, message: bytes, *, token: str | None) -> tuple[str, bytes]:
        """The status code's name and the answer of one gRPC call; ``ExtraMissing`` without the library."""
        try:
            grpc: Any = importlib.import_module("grpc")
        except ImportError:
            raise ExtraMissing("To test gRPC install 'grpcio': pip install 'modelyard[grpc]'.") from None
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        with grpc.insecure_channel(self.grpc) as channel:
            method = channel.unary_unary(f"/{_SERVICE}/{name}")
            try:
                return "OK", method(message, timeout=_SECONDS, metadata=metadata)
            except grpc.RpcError as error:
                return str(error.code().name), str(error.details()).encode()


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content) if content.strip() else None
    except ValueError:
        return content.decode(errors="replace")
