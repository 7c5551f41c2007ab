"""Where a service listens, and where it must not."""

from __future__ import annotations

import ipaddress
import socket

from modelyard.errors import PortTaken, SettingsError
from modelyard.records.service import ServicePlan

_BACKLOG = 4096


def refuse_open_door(plan: ServicePlan) -> None:
    """``SettingsError`` for a plan that would listen beyond loopback to anybody, or without workers."""
    if not plan.guarded and not is_loopback(plan.host):
        raise SettingsError(
            f"The service of {plan.environment} would listen on {plan.host} without a token: "
            "make one with 'modelyard token', or listen on 127.0.0.1."
        )
    if plan.workers < 1:
        raise SettingsError(
            f"The service of {plan.environment} has {plan.workers} workers; give it one at least."
        )


def listeners(plan: ServicePlan) -> list[socket.socket]:
    """One listening socket a worker slot; ``PortTaken`` when another program has the port."""
    try:
        family, _, _, _, address = socket.getaddrinfo(plan.host, plan.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:  # SO_REUSEPORT alone would share another's port silently
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
        if plan.grpc_port is not None:
            _probe_grpc(plan, family)
        return [_listener(family, address) for _ in range(plan.workers)]
    except socket.gaierror as error:
        raise SettingsError(f"{plan.host} is no address of this machine: {error.strerror}.") from None
    except OSError as error:
        raise PortTaken(
            f"Port {plan.port} on {plan.host} cannot be used for {plan.environment} ({error.strerror}): end the "
            "program that listens there, or choose another port."
        ) from None


def _probe_grpc(plan: ServicePlan, family: int) -> None:
    """gRPC's own sockets would share another program's port as silently."""
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((plan.host, plan.grpc_port))
    except OSError as error:
        raise PortTaken(
            f"Port {plan.grpc_port} on {plan.host} cannot be used for gRPC ({error.strerror}): end the program that "
            "listens there, or choose another grpc_port."
        ) from None


def _listener(family: int, address: object) -> socket.socket:
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.bind(address)  # type: ignore[arg-type]
    sock.listen(_BACKLOG)
    sock.setblocking(False)
    return sock


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
