"""The Open Inference Protocol over gRPC (extra ``grpc``): another way into the same queues.

gRPC's threads read messages; what they ask is put into the worker's loop and waits there with all else.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from typing import Any

from modelyard.errors import ExtraMissing, PortTaken
from modelyard.records.service import ServicePlan
from modelyard.serving.limits import Limits
from modelyard.serving.service import Service
from modelyard.serving.tls import Certificate
from modelyard.wire import inference_grpc
from modelyard.wire.heads import Head
from modelyard.wire.problem import Problem
from modelyard.wire.reading import Framed, Reading

_SERVICE = "inference.GRPCInferenceService"
_THREADS = 16
_LONGEST = 60.0
"""Seconds that a call without a deadline of its own waits."""
_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "RESOURCE_EXHAUSTED",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Door:
    """A gRPC server of one worker; the kernel divides connections among the workers' ports of one number."""

    def __init__(
        self, plan: ServicePlan, service: Service, loop: Any, limits: Limits, certificate: Certificate | None
    ) -> None:
        """Binds the port, and answers from ``open`` on; ``ExtraMissing``, ``PortTaken``."""
        try:
            self._grpc: Any = importlib.import_module("grpc")
        except ImportError:
            raise ExtraMissing("To serve gRPC install 'grpcio': pip install 'modelyard[grpc]'.") from None
        self._service, self._loop = service, loop
        self._server = self._grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="grpc"),
            options=[
                ("grpc.so_reuseport", 1),
                ("grpc.max_receive_message_length", limits.body),
                ("grpc.max_send_message_length", -1),
            ],
            maximum_concurrent_rpcs=limits.pending,
        )
        calls: dict[str, Callable[[bytes, Any], bytes]] = {
            "ServerLive": lambda _, __: inference_grpc.yes(True),
            "ServerReady": self._ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._metadata,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._infer,
        }
        handlers = {
            name: self._grpc.unary_unary_rpc_method_handler(self._guarded(name, call))
            for name, call in calls.items()
        }
        handler = self._grpc.method_handlers_generic_handler(_SERVICE, handlers)
        self._server.add_generic_rpc_handlers((handler,))
        host = f"[{plan.host}]" if ":" in plan.host else plan.host
        try:
            place = f"{host}:{plan.grpc_port}"
            if certificate is None:
                bound = self._server.add_insecure_port(place)
            else:
                bound = self._server.add_secure_port(place, self._credentials(certificate))
        except RuntimeError:
            bound = 0
        if not bound:
            raise PortTaken(
                f"Port {plan.grpc_port} on {plan.host} cannot be used for gRPC: end the program that listens there, "
                "or choose another grpc_port."
            )

    def _credentials(self, certificate: Certificate) -> Any:
        """Asked at each handshake, so that a renewed certificate is shown at once."""
        grpc, known = self._grpc, [certificate.pems()]

        def configuration() -> Any:
            key, chain, clients = known[-1]
            return grpc.ssl_server_certificate_configuration([(key, chain)], clients)

        def newest() -> Any:
            if certificate.pems() == known[-1]:
                return None
            known[:] = [certificate.pems()]
            return configuration()

        return grpc.dynamic_ssl_server_credentials(
            configuration(), newest, require_client_authentication=certificate.clients
        )

    def open(self) -> None:
        self._server.start()

    def close(self, seconds: float) -> None:
        """No new calls; those that are under way have so long."""
        self._server.stop(seconds)

    def _guarded(self, name: str, call: Callable[[bytes, Any], bytes]) -> Callable[[bytes, Any], bytes]:
        def answer(content: bytes, context: Any) -> bytes:
            try:
                if name not in ("ServerLive", "ServerReady"):
                    self._service.admit(_head(context))
                return call(content, context)
            except Problem as problem:
                code = getattr(self._grpc.StatusCode, _CODES.get(problem.status, "INTERNAL"))
                said = problem.message
            context.abort(code, said)
            raise AssertionError("abort raises")

        return answer

    def _within(self, ask: Callable[[], bytes]) -> bytes:
        """What the loop's thread says."""
        done: Future[bytes] = Future()

        def run() -> None:
            try:
                done.set_result(ask())
            except Exception as error:
                done.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return done.result(_LONGEST)

    def _ready(self, _: bytes, __: Any) -> bytes:
        return self._within(lambda: inference_grpc.yes(self._service.ready))

    def _model_ready(self, content: bytes, _: Any) -> bytes:
        named = inference_grpc.read_named(content)

        def ask() -> bytes:
            try:
                self._service.model(named.name, named.version or None)
            except Problem:
                return inference_grpc.yes(False)
            return inference_grpc.yes(True)

        return self._within(ask)

    def _metadata(self, _: bytes, __: Any) -> bytes:
        from modelyard.serving.pages import version

        return inference_grpc.server_metadata("modelyard", version())

    def _model_metadata(self, content: bytes, _: Any) -> bytes:
        named = inference_grpc.read_named(content)
        return self._within(
            lambda: inference_grpc.model_metadata(
                self._service.model(named.name, named.version or None).live.metadata()
            )
        )

    def _infer(self, content: bytes, context: Any) -> bytes:
        named = inference_grpc.read_named(content)
        call: Any = _Call(content)

        def ask() -> None:
            try:
                self._service.call(named, _head(context))(call)
            except Problem as problem:
                call.refused(problem)
            except Exception as error:
                call.refused(Problem(500, f"The service failed: {type(error).__name__}: {error}"))

        self._loop.call_soon_threadsafe(ask)
        left = context.time_remaining()
        try:
            answer: bytes = call.done.result(_LONGEST if left is None else min(left, _LONGEST))
            return answer
        except Late:
            call.gone = True
            raise Problem(504, "No answer within the call's deadline.") from None


def _head(context: Any) -> Head:
    headers = {str(k).lower(): v for k, v in context.invocation_metadata() if isinstance(v, str)}
    headers.pop("content-length", None)
    return Head(method="POST", path=f"/{_SERVICE}", headers=headers, version="1.1", keep_alive=True)


class _Call:
    """A call that waits, as a queue takes it."""

    parts = None
    reply = None

    def __init__(self, content: bytes) -> None:
        self.body: bytes | Reading = content
        self.size = len(content)
        self.client_id: str | None = None
        self.gone = False
        self.done: Future[bytes] = Future()

    def answered(self, body: bytes) -> None:
        self.done.set_result(body)

    def replied(self, framed: Framed) -> None:
        self.done.set_result(framed.body)

    def refused(self, problem: Problem) -> None:
        if not self.done.done():
            self.done.set_exception(problem)

    def send(self) -> None: ...
