"""SPDY/3.1 as kubectl speaks it to a node: streams of ports (``portforward.k8s.io``) and of commands (``exec``)."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import struct
import subprocess
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence

_DICTIONARY = zlib.decompress(
    base64.b85decode(
        "c-m!D+j84B5Y^POlu47cNqzv&Eg6F(=s2D6gL`r7blhYbclr#0D+)0PARwqqzP`Jl<SOlqBpw{><?Mx;OeS;Zqjt8ROeWJ6$cCQY"
        "^%0*ZexS#!0Rs^boyH&)ftgeaJY7B;QLa`p^gzrvdj_m>jkfI(Wu$Ef*;0h3dnzCWl>B7mPo*(#lMIHqazTHVB##Is)e3UuYz)pI"
        "@fe{6wZDEs7hq$)kUa(Z_HaJZ@xUDkdG^48ZR6?-E2j?0zdmqXQztF^W0HTIJ?=c6r;SV<n?jV7c?MgLQW4D&>5xjEE`#e*-^YGG"
        "(#yP)QIUw}gi-fWLzDN~rnWyt(mD$dR^)Mz@DlN0|L<dDA0I-I&rw-VI=Ri4E^K6INYTs(*>)1q3m@Eem(viiEUm_JUjEA-kLL8C"
        "VIE)!0RnX_Kn!TQjOjS*A*>VnDn**(Dru95=Ll_&e#fJl555huA=AeL`sO$-OHG=tW!TZatTpMJqjbBU?q;+3ui#k+D3!`SY14Mj"
        "`Y7X&YArcu?|!EkD6AhVdGy=e-TSlRRY4v@FsUcQ!e~W8aKUl^+`Ue+?g4x*jb5ij*pF7*g7bnGC4I`0*Cju%IInnF@v7pY;&nyL"
        "Yr#vwYr)S2;S0gvh=Plv5Jf49N)$pAwJ6R-@w(<^%|%V2D)xu7`PJBatO66W8;jHH(i}=I(186kE@H(CcI(#Au=jul7Adn6Sn-dt"
        "VSmD>0s1J=<}Z5~CNu(5T)VK)O#@b>a1n{YHZ?llVBBD(VIR^Y*)JiuP-6(Py6L=u4wC@dR>?#wpy+EHvs@T>D=oW*1-q4jUHO2|"
        "9eX=i{2F#OwCLg^d#56XTeF`*G0uNTA1uRW>~4UJ{S6JG)sV64pfmPCM*JD@_Sf4xwHoX_-bdKRvsLU&raRo3GjH2H`sfd+)yqtJ"
        "Z}j*goNdwii!=FuPi%_jjnsC8AF-ZZ1?^)tu7wYJjjKlQ5k|gjKWm>gur$bJeWO<U|HaE8F7u1SLH91dxTxRcMMiw~T?Y2kC4cn~"
        "<Ho1L"
    )
)
"""What both sides compress headers with, as the protocol has it."""
_SYN, _REPLY, _PING, _GOAWAY = 1, 2, 6, 7
_FIN = 1


class Session:
    """The server's side of one upgraded connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._lock = connection, threading.Lock()
        self._inflate = zlib.decompressobj(zdict=_DICTIONARY)
        self._deflate = zlib.compressobj(zdict=_DICTIONARY)

    def serve(
        self,
        opened: Callable[[int, Mapping[str, str]], None],
        heard: Callable[[int, bytes, bool], None],
    ) -> None:
        """Until the client goes."""
        with contextlib.suppress(OSError):
            while head := self._exactly(8):
                first, flags, length = (
                    struct.unpack(">IB", head[:5])[0],
                    head[4],
                    int.from_bytes(head[5:], "big"),
                )
                body = self._exactly(length) if length else b""
                if not first >> 31:
                    heard(first, body, bool(flags & _FIN))
                elif first & 0xFFFF == _SYN:
                    stream = struct.unpack(">I", body[:4])[0]
                    headers = self._headers(body[10:])
                    self._control(_REPLY, struct.pack(">I", stream) + self._block({}))
                    opened(stream, headers)
                    if flags & _FIN:
                        heard(stream, b"", True)
                elif first & 0xFFFF == _PING:
                    self._control(_PING, body)
                elif first & 0xFFFF == _GOAWAY:
                    return

    def send(self, stream: int, data: bytes, *, last: bool = False) -> None:
        with contextlib.suppress(OSError), self._lock:
            head = struct.pack(">I", stream) + bytes([_FIN if last else 0]) + len(data).to_bytes(3, "big")
            self._connection.sendall(head + data)

    def _control(self, kind: int, body: bytes) -> None:
        with self._lock:
            head = struct.pack(">HHB", 0x8003, kind, 0) + len(body).to_bytes(3, "big")
            self._connection.sendall(head + body)

    def _headers(self, block: bytes) -> dict[str, str]:
        text = self._inflate.decompress(block)
        (count,) = struct.unpack_from(">I", text)
        at, words = 4, []
        for _ in range(2 * count):
            (size,) = struct.unpack_from(">I", text, at)
            words.append(text[at + 4 : at + 4 + size].decode())
            at += 4 + size
        return dict(zip(words[::2], words[1::2], strict=True))

    def _block(self, headers: Mapping[str, str]) -> bytes:
        words = [word.encode() for pair in headers.items() for word in pair]
        text = struct.pack(">I", len(headers)) + b"".join(struct.pack(">I", len(w)) + w for w in words)
        return self._deflate.compress(text) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def _exactly(self, size: int) -> bytes:
        parts = b""
        while len(parts) < size:
            part = self._connection.recv(size - len(parts))
            if not part:
                return b""
            parts += part
        return parts


def forward(connection: socket.socket, port_of: Callable[[int], int]) -> None:
    """Lead each pair of streams to a port; what breaks there is told on the error stream, as nodes do."""
    session = Session(connection)
    errors: dict[str, int] = {}
    ends: dict[int, socket.socket] = {}

    def opened(stream: int, headers: Mapping[str, str]) -> None:
        if headers["streamtype"] == "error":
            errors[headers["requestid"]] = stream
            return
        error = errors[headers["requestid"]]
        try:
            ends[stream] = end = socket.create_connection(
                ("127.0.0.1", port_of(int(headers["port"]))), timeout=5
            )
            end.settimeout(None)
        except OSError as problem:
            session.send(error, f"cannot connect: {problem}".encode(), last=True)
            session.send(stream, b"", last=True)
            return
        threading.Thread(target=_carry, args=(session, stream, error, end), daemon=True).start()

    def heard(stream: int, data: bytes, last: bool) -> None:
        if end := ends.get(stream):
            with contextlib.suppress(OSError):
                end.sendall(data)
                if last:
                    end.shutdown(socket.SHUT_WR)

    session.serve(opened, heard)
    for end in ends.values():
        end.close()


def _carry(session: Session, stream: int, error: int, end: socket.socket) -> None:
    said = b""
    try:
        while part := end.recv(1 << 16):
            session.send(stream, part)
    except OSError as problem:
        said = f"the connection broke: {problem}".encode()
    session.send(stream, b"", last=True)
    session.send(error, said, last=True)


def execute(connection: socket.socket, command: Sequence[str], streams: int) -> None:
    """Run it here, and say what it printed."""
    session, there = Session(connection), dict[str, int]()

    def opened(stream: int, headers: Mapping[str, str]) -> None:
        there[headers["streamtype"]] = stream
        if len(there) == streams:
            threading.Thread(target=run, daemon=True).start()

    def run() -> None:
        done = subprocess.run(command, capture_output=True)
        session.send(there["stdout"], done.stdout, last=True)
        if "stderr" in there:
            session.send(there["stderr"], done.stderr, last=True)
        status = {"metadata": {}, "status": "Success" if done.returncode == 0 else "Failure"}
        session.send(there["error"], json.dumps(status).encode(), last=True)

    session.serve(opened, lambda *_: None)
