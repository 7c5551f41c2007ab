"""What a service tells of its requests: lines, traces, spans."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from serving_parts import Running, free_port, plan_for, serve_numeric

from modelyard.predictions import read as read_log
from modelyard.records.service import Telling
from modelyard.wire.trace import Trace, read

PREDICT = "/models/screening/predict"
ROW = {"rows": [{"age": 50, "size": 3.5}]}
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def lines(running: Running, wanted: int, dataset: str = "modelyard.request") -> list[dict[str, Any]]:
    """The log's objects once there are so many of that kind; every line must be one."""
    until = time.monotonic() + 20
    while True:
        told = [json.loads(line) for line in running.log.read_text().splitlines()]
        found = [line for line in told if line["event.dataset"] == dataset]
        if len(found) >= wanted:
            return found
        assert time.monotonic() < until, told
        time.sleep(0.02)


def test_each_request_is_a_line_in_elastic_s_fields(tmp_path: Path, start: Callable[..., Running]) -> None:
    plan = plan_for(serve_numeric(tmp_path / "p"), workers=2, telling=Telling(form="ecs", requests="all"))
    running = start(plan)
    header = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "r-1"}
    assert running.ask("POST", PREDICT, ROW, header)[0] == 200
    assert running.ask("POST", PREDICT, {"rows": [{"age": "secret name"}]})[0] == 422
    assert running.ask("GET", '/no"such\npage'.replace("\n", "%0A") + "x" * 400)[0] == 404
    told = {line["http.response.status_code"]: line for line in lines(running, 3)}  # two workers, in no order
    good, refused, lost = told[200], told[422], told[404]
    assert (good["http.request.method"], good["url.path"]) == ("POST", PREDICT)
    assert (good["trace.id"], good["http.request.id"], good["event.outcome"]) == (TRACE, "r-1", "success")
    assert good["client.ip"] == "127.0.0.1"
    assert 0 < good["event.duration"] < 10e9
    assert (good["log.level"], refused["log.level"]) == ("info", "warn")
    assert refused["event.outcome"] == "failure"
    assert "trace.id" not in refused
    assert len(lost["url.path"]) == 200
    assert "secret" not in running.log.read_text()
    index = json.loads((Path(__file__).parent / "ecs_fields.json").read_text())
    for line in (good, refused, lost):
        assert line.keys() <= index.keys()
        for name, value in line.items():
            assert isinstance(value, {"keyword": str, "long": int, "date": str, "list": list}[index[name]]), (
                name
            )


def test_only_failed_requests_when_so_wanted_and_plain_lines_by_default(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    running = start(plan_for(serve_numeric(tmp_path / "p"), telling=Telling(requests="failed")))
    assert running.ask("POST", PREDICT, ROW)[0] == 200
    assert running.ask("POST", PREDICT, {"rows": 1})[0] == 400
    until = time.monotonic() + 20
    while not (said := running.log.read_text()):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert said.startswith(f"POST '{PREDICT}' 400 ")
    running.write(msgspec.structs.replace(running.plan, generation=2, telling=Telling()))
    running.wait(lambda s: s.generation == 2)
    assert running.ask("POST", PREDICT, {"rows": 1})[0] == 400
    time.sleep(0.2)
    assert running.log.read_text() == said


def test_a_prediction_is_logged_under_its_trace(tmp_path: Path, start: Callable[..., Running]) -> None:
    running = start(plan_for(serve_numeric(tmp_path / "p"), log=str(tmp_path / "log")))
    traced = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
    status, headers, _ = running.ask("POST", PREDICT, ROW, traced)
    assert (status, "x-request-id" in headers) == (200, False)
    status, headers, _ = running.ask("POST", PREDICT, ROW, traced | {"X-Request-Id": "mine"})
    assert (status, headers["x-request-id"]) == (200, "mine")
    assert running.ask("POST", PREDICT, ROW, {"traceparent": f"00-{'0' * 32}-{PARENT}-01"})[0] == 200
    running.stop()
    known = [i for frame in read_log(tmp_path / "log") for i in frame.client_ids]
    assert known == [TRACE, "mine", None]


@given(st.one_of(st.text(max_size=80), st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")))
def test_a_trace_is_read_or_it_is_none(header: str) -> None:
    found = read(header)
    if found is not None:
        version, trace, parent, flags = header.split("-")[:4]
        assert (version != "ff", int(trace, 16) > 0, int(parent, 16) > 0) == (True, True, True)
        assert found == Trace(trace, parent, bool(int(flags, 16) % 2))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f" 00-{TRACE}-{PARENT}-01",
    ],
)
def test_what_the_recommendation_forbids_is_no_trace(header: str | None) -> None:
    assert read(header) is None


def test_later_versions_may_say_more() -> None:
    assert read(f"01-{TRACE}-{PARENT}-01-more") == Trace(TRACE, PARENT, True)


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Any]]]:
    """What takes spans by OTLP, and the spans."""
    spans: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                named = {a.key: a.value.string_value for a in resource.resource.attributes}
                spans.extend((named, span) for scope in resource.scope_spans for span in scope.spans)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces", spans
    server.shutdown()
    thread.join()
    server.server_close()


def test_spans_join_the_caller_s_trace(
    collector: tuple[str, list[Any]], tmp_path: Path, start: Callable[..., Running]
) -> None:
    address, spans = collector
    telling = Telling(form="ecs", requests="all", traces=address, share=0.0)
    running = start(plan_for(serve_numeric(tmp_path / "p"), telling=telling))
    assert running.ask("POST", PREDICT, ROW, {"traceparent": f"00-{TRACE}-{PARENT}-01"})[0] == 200
    assert running.ask("POST", PREDICT, ROW, {"traceparent": f"00-{TRACE}-{PARENT}-00"})[0] == 200
    assert running.ask("POST", PREDICT, ROW)[0] == 200
    told = lines(running, 3)
    running.stop()  # what is left is sent before it ends
    [(resource, span)] = spans
    assert (resource["service.name"], resource["deployment.environment.name"]) == ("modelyard", "prod")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert told[0]["span.id"] == span.span_id.hex()
    assert {a.key: a.value.int_value or a.value.string_value for a in span.attributes} == {
        "http.request.method": "POST",
        "url.path": PREDICT,
        "http.response.status_code": 200,
    }
    assert 0 < span.end_time_unix_nano - span.start_time_unix_nano < 10e9
    assert told[2]["trace.id"] not in ("", TRACE)


def test_a_collector_that_is_down_stops_nothing(tmp_path: Path, start: Callable[..., Running]) -> None:
    telling = Telling(traces=f"http://127.0.0.1:{free_port()}/v1/traces")
    running = start(plan_for(serve_numeric(tmp_path / "p"), telling=telling))
    assert [running.ask("POST", PREDICT, ROW)[0] for _ in range(50)] == [200] * 50
    begun = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - begun < 9
