"""The surfaces beside the native one and V2: MLflow's, KServe's V1, files, and the rarer native forms."""

from __future__ import annotations

import gzip
import io
import json
import random
import zlib
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from serving_parts import Running

PREDICT = "/models/screening/predict"
ROWS = [{"age": 50, "size": 3.5}, {"age": 10, "size": 1.5}]
LISTS = [[50, 3.5], [10, 1.5]]
COLUMNS = {"age": [50, 10], "size": [3.5, 1.5]}
STREAM = "application/vnd.apache.arrow.stream"
FILE = "application/vnd.apache.arrow.file"
PARQUET = "application/vnd.apache.parquet"


@pytest.fixture(scope="module")
def native(service: Running) -> dict[str, Any]:
    """What the native form of the two rows is answered."""
    status, answer = service.json("POST", PREDICT, {"rows": ROWS})
    assert status == 200
    return answer


@pytest.mark.parametrize(
    "body",
    [
        {"input": ROWS},
        {"input": LISTS},
        {"input": COLUMNS},
        {"columns": COLUMNS},
        {"rows": LISTS},
        {"rows": COLUMNS},
    ],
)
def test_the_rarer_native_forms_are_answered_like_rows(
    service: Running, native: dict[str, Any], body: object
) -> None:
    status, answer = service.json("POST", PREDICT, body)
    assert status == 200, answer
    assert {**answer, "request_id": 0} == {**native, "request_id": 0}


def test_one_row_may_be_a_plain_object(service: Running, native: dict[str, Any]) -> None:
    status, answer = service.json("POST", PREDICT, {"input": ROWS[0]})
    assert (status, answer["probability"]) == (200, native["probability"][:1])


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"input": [{"age": 50, "siez": 3.5}]}, 422, "size"),
        ({"input": [{"age": 500, "size": 3.5}]}, 422, "500"),
        ({"columns": {"age": [50, 10], "size": [1.0]}}, 400, "length"),
        ({"columns": {"age": [50]}}, 422, "size"),
        ({"columns": {"age": 50, "size": 1.0}}, 400, "rows"),
        ({"input": [[50]]}, 400, "rows"),
        ({"input": []}, 400, "no rows"),
        ({"input": ROWS, "more": 1}, 400, "alone"),
        ({"input": 3}, 400, "rows"),
    ],
)
def test_a_rarer_form_that_does_not_fit_is_refused(
    service: Running, body: object, status: int, said: str
) -> None:
    got, answer = service.json("POST", PREDICT, body)
    assert got == status, answer
    assert said in answer["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["size", "age"], "index": [0, 1], "data": [[3.5, 50], [1.5, 10]]}},
        {"dataframe_split": {"columns": ["size", "more", "age"], "data": [[3.5, "x", 50], [1.5, "y", 10]]}},
        {"dataframe_split": {"data": LISTS}},
        {"dataframe_records": ROWS, "params": {}},
        {"instances": ROWS},
        {"instances": LISTS},
        {"inputs": COLUMNS},
        {"inputs": {"age": [[50], [10]], "size": [[3.5], [1.5]]}},
        {"inputs": LISTS},
    ],
)
def test_mlflows_forms_are_answered_with_probabilities(
    service: Running, native: dict[str, Any], body: object
) -> None:
    status, headers, content = service.ask("POST", "/models/screening/invocations", body)
    assert status == 200, content
    assert json.loads(content) == {"predictions": native["probability"]}
    assert headers["modelyard-request-id"]


def test_mlflow_takes_csv_and_missing_values_as_pandas_writes_them(service: Running) -> None:
    text = "age,smokes,city,seen,more\n40,true,Bern,2024-01-02,x\n,False,Basel,2024-01-03,y\n"
    status, _, content = service.ask(
        "POST", "/models/costs/invocations", text.encode(), {"Content-Type": "text/csv; charset=utf-8"}
    )
    assert status == 200, content
    frame = pd.read_csv(io.StringIO(text)).drop(columns="more")
    split = json.dumps({"dataframe_split": frame.to_dict(orient="split")})
    assert "NaN" in split
    status, _, again = service.ask("POST", "/models/costs/invocations", split.encode())
    assert (status, again) == (200, content)


@pytest.mark.parametrize(
    ("body", "kind", "status", "code", "said"),
    [
        (b"{", "application/json", 400, "BAD_REQUEST", "JSON"),
        (b'{"rows": []}', "application/json", 400, "BAD_REQUEST", "exactly one"),
        (b'{"inputs": [], "instances": []}', "application/json", 400, "BAD_REQUEST", "exactly one"),
        (b'{"inputs": [[1, Infinity]]}', "application/json", 400, "BAD_REQUEST", "JSON"),
        (b'{"inputs": [[NaN, 1e999]]}', "application/json", 400, "BAD_REQUEST", "float64"),
        (b'{"inputs": [[1, 2]], "params": {"k": 1}}', "application/json", 400, "BAD_REQUEST", "params"),
        (b'{"inputs": [[1, 2]], "other": 1}', "application/json", 400, "BAD_REQUEST", "other"),
        (b'{"inputs": [[1]]}', "application/json", 400, "BAD_REQUEST", "row 0"),
        (b'{"inputs": {"age": [1], "size": []}}', "application/json", 400, "BAD_REQUEST", "values"),
        (b'{"instances": [{"age": 1}]}', "application/json", 400, "BAD_REQUEST", "size"),
        (b'{"instances": [{"age": 1, "size": 2}, 3]}', "application/json", 400, "BAD_REQUEST", "row 1"),
        (b'{"dataframe_split": {"data": []}}', "application/json", 400, "BAD_REQUEST", "no rows"),
        (b'{"dataframe_split": [1]}', "application/json", 400, "BAD_REQUEST", "columns"),
        (b'{"inputs": [[500, 2]]}', "application/json", 400, "INVALID_PARAMETER_VALUE", "500"),
        (b'{"inputs": [["x", 2]]}', "application/json", 400, "INVALID_PARAMETER_VALUE", "age"),
        (b"age,size\n1,2,3\n", "text/csv", 400, "BAD_REQUEST", "row 0"),
        (b"age,age\n1,2\n", "text/csv", 400, "BAD_REQUEST", "twice"),
        (b"age,size\n", "text/csv", 400, "BAD_REQUEST", "no rows"),
        (b"age,size\n1,inf\n", "text/csv", 400, "BAD_REQUEST", "inf"),
        (b"age,size\n1_0,2\n", "text/csv", 400, "INVALID_PARAMETER_VALUE", "age"),
        (b"age,size\n\xff,2\n", "text/csv", 400, "BAD_REQUEST", "UTF-8"),
        (b'age,size\n"1,2\n', "text/csv", 400, "BAD_REQUEST", "CSV"),
        (b"<x/>", "text/xml", 415, "BAD_REQUEST", "text/xml"),
        (b"[" * 100_000, "application/json", 400, "BAD_REQUEST", "nested"),
        (b"[" * 100_000 + b"NaN", "application/json", 400, "BAD_REQUEST", "nested"),
    ],
)
def test_mlflow_is_refused_in_its_own_form(
    service: Running, body: bytes, kind: str, status: int, code: str, said: str
) -> None:
    got, _, content = service.ask("POST", "/models/screening/invocations", body, {"Content-Type": kind})
    answer = json.loads(content)
    assert (got, answer["error_code"]) == (status, code), answer
    assert said in answer["message"]


def test_invocations_without_a_name_are_for_a_service_of_one_model(service: Running) -> None:
    status, answer = service.json("POST", "/invocations", {"inputs": LISTS})
    assert status == 404
    assert "costs, screening" in answer["message"]


@pytest.mark.parametrize("body", [{"instances": ROWS}, {"instances": LISTS}, {"inputs": COLUMNS}])
def test_v1_answers_the_predictions(service: Running, native: dict[str, Any], body: object) -> None:
    status, answer = service.json("POST", "/v1/models/screening:predict", body)
    assert (status, answer) == (200, {"predictions": native["prediction"]})


def test_v1_lists_models_and_refuses_in_its_own_form(service: Running) -> None:
    assert service.json("GET", "/v1/models") == (200, {"models": ["costs", "screening"]})
    assert service.json("GET", "/v1/models/costs") == (200, {"name": "costs", "ready": True})
    for path, body, status in (
        ("/v1/models/nobody:predict", {"instances": ROWS}, 404),
        ("/v1/models/screening:predict", {"rows": ROWS}, 400),
        ("/v1/models/screening:predict", {"instances": [{"age": 500, "size": 1}]}, 400),
        ("/v1/models/screening:predict", b"\xff", 400),
    ):
        got, answer = service.json("POST", path, body)
        assert got == status
        assert list(answer) == ["error"]


def _table() -> pa.Table:
    return pa.table({"more": ["x", "y"], "size": [3.5, 1.5], "age": pa.array([50, 10], pa.int16())})


def _packed(table: pa.Table, kind: str, compression: str | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    if kind == PARQUET:
        pq.write_table(table, sink, compression=compression or "snappy")
    else:
        new = pa.ipc.new_stream if kind == STREAM else pa.ipc.new_file
        with new(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
            writer.write_table(table)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("kind", [STREAM, FILE, PARQUET])
def test_arrow_and_parquet_are_answered_in_json_or_in_kind(
    service: Running, native: dict[str, Any], kind: str
) -> None:
    body = _packed(_table(), kind)
    status, _, content = service.ask("POST", PREDICT, body, {"Content-Type": kind})
    assert status == 200, content
    assert {**json.loads(content), "request_id": 0} == {**native, "request_id": 0}
    status, headers, content = service.ask("POST", PREDICT, body, {"Content-Type": kind, "Accept": kind})
    assert (status, headers["content-type"]) == (200, kind)
    read = {STREAM: pa.ipc.open_stream, FILE: pa.ipc.open_file}.get(kind)
    table = read(content).read_all() if read else pq.read_table(io.BytesIO(content))
    assert table.column("prediction").to_pylist() == native["prediction"]
    assert table.column("probability_malignant").to_pylist() == [p[1] for p in native["probability"]]


def test_every_kind_of_column_goes_through_arrow(service: Running) -> None:
    rows = [
        {"age": 40, "smokes": True, "city": "Bern", "seen": "2024-01-02"},
        {"age": None, "smokes": False, "city": "Basel", "seen": "2024-01-03"},
    ]
    _, native = service.json("POST", "/models/costs/predict", {"rows": rows})
    frame = pd.DataFrame(rows)
    table = pa.Table.from_pandas(frame).set_column(
        3, "seen", pa.array(pd.to_datetime(frame["seen"]).dt.date.tolist())
    )
    encoded = table.set_column(2, "city", table.column("city").dictionary_encode())
    for given, kind in ((table, STREAM), (encoded, STREAM), (table, PARQUET), (encoded, PARQUET)):
        status, _, content = service.ask(
            "POST", "/models/costs/predict", _packed(given, kind), {"Content-Type": kind}
        )
        assert status == 200, content
        assert json.loads(content)["prediction"] == native["prediction"]


def _many(rows: int) -> pa.Table:
    return pa.table({"age": [1] * rows, "size": [1.0] * rows})


@pytest.mark.parametrize(
    ("body", "kind", "status", "said"),
    [
        (b"", STREAM, 400, "table"),
        (b"junk" * 40, STREAM, 400, "table"),
        (b"junk" * 40, FILE, 400, "table"),
        (b"junk" * 40, PARQUET, 400, "table"),
        (_packed(_table(), STREAM)[:300], STREAM, 400, "table"),
        (_packed(_table(), PARQUET)[:-20], PARQUET, 400, "table"),
        (_packed(_table(), STREAM, "zstd"), STREAM, 415, "compressed"),
        (_packed(_table(), FILE, "lz4"), FILE, 415, "compressed"),
        (_packed(_table(), PARQUET, "zstd"), PARQUET, 415, "ZSTD"),
        (_packed(_many(20_000), PARQUET), PARQUET, 413, "20000"),
        (_packed(_many(20_000), STREAM), STREAM, 413, "10000"),
        (_packed(_table().drop_columns("age"), STREAM), STREAM, 400, "'age'"),
        (_packed(pa.table({"age": [[1]], "size": [1.0]}), STREAM), STREAM, 400, "list"),
        (_packed(pa.table({"age": [1], "size": [float("inf")]}), STREAM), STREAM, 400, "infinite"),
        (_packed(pa.table({"age": [500], "size": [1.0]}), STREAM), STREAM, 400, "500"),
        (_packed(pa.table({"age": [None], "size": [1.0]}), STREAM), STREAM, 400, "age"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    service: Running, body: bytes, kind: str, status: int, said: str
) -> None:
    got, _, content = service.ask("POST", PREDICT, body, {"Content-Type": kind})
    assert got == status, content
    assert said in json.loads(content)["error"]["message"]
    assert service.json("POST", PREDICT, {"rows": ROWS})[0] == 200


def test_damaged_files_end_no_worker(service: Running) -> None:
    """Bytes of good files changed at random; among them are some that end the process that reads them."""
    draw = random.Random(11)
    state = service.state()
    seeds = [(_packed(_table(), kind), kind) for kind in (STREAM, FILE, PARQUET, PARQUET)]
    for _ in range(200):
        seed, kind = draw.choice(seeds)
        body = bytearray(seed)
        for _ in range(draw.choice((1, 2, 8))):
            body[draw.randrange(len(body))] = draw.randrange(256)
        status, _, content = service.ask("POST", PREDICT, bytes(body), {"Content-Type": kind})
        assert status in (200, 400, 413, 415, 422), content
    assert service.state() == state
    assert service.json("POST", PREDICT, {"rows": ROWS})[0] == 200


def test_v2_texts_that_are_no_utf8_are_refused(service: Running) -> None:
    good = json.dumps(
        {"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP64", "data": [1.0, 2.0]}]}
    ).encode()
    for body in (good.replace(b"FP64", b"F\xff64"), good.replace(b"1.0", b'"\xff"')):
        status, answer = service.json("POST", "/v2/models/screening/infer", body)
        assert (status, list(answer)) == (400, ["error"])


def test_a_compressed_request_is_read_and_a_reply_compressed_when_that_alone_is_asked(
    service: Running, native: dict[str, Any]
) -> None:
    packed = gzip.compress(json.dumps({"instances": ROWS}).encode())
    status, headers, content = service.ask(
        "POST",
        "/v1/models/screening:predict",
        packed,
        {"Content-Encoding": "gzip", "Accept-Encoding": "deflate"},
    )
    assert (status, headers["content-encoding"]) == (200, "deflate")
    assert json.loads(zlib.decompress(content)) == {"predictions": native["prediction"]}
    _, headers, content = service.ask("POST", PREDICT, {"rows": ROWS}, {"Accept-Encoding": "gzip"})
    assert json.loads(gzip.decompress(content))["prediction"] == native["prediction"]
    _, headers, _ = service.ask("POST", PREDICT, {"rows": ROWS}, {"Accept-Encoding": "gzip, deflate, br"})
    assert "content-encoding" not in headers


def test_statistics_and_configuration_are_told(service: Running) -> None:
    before = service.json("GET", "/v2/models/screening/stats")[1]["model_stats"][0]
    assert service.json("POST", PREDICT, {"rows": ROWS})[0] == 200
    after = service.json("GET", "/v2/models/screening/versions/7/stats")[1]["model_stats"][0]
    assert after["inference_count"] == before["inference_count"] + 2
    assert after["execution_count"] == before["execution_count"] + 1
    success = after["inference_stats"]["success"]
    assert success["count"] == before["inference_stats"]["success"]["count"] + 1
    told = service.json("GET", "/v2/models/stats")[1]["model_stats"]
    assert [m["name"] for m in told] == ["costs", "screening"]
    config = service.json("GET", "/v2/models/costs/config")[1]
    assert config["input"][0] == {"name": "age", "data_type": "TYPE_INT64", "dims": [-1]}
    assert service.json("GET", "/v2/models/nobody/stats")[0] == 404
