"""Protocol buffers: what is written is read back, and no bytes make the reader run beyond them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.records.schema import Column, Schema
from modelyard.wire import inference_grpc, protobuf
from modelyard.wire.problem import Problem

SCHEMA = Schema(columns=(Column(name="a", kind="integer"), Column(name="b", kind="string")))
values = st.one_of(st.integers(0, 2**64 - 1), st.binary(max_size=300))


@given(st.lists(st.tuples(st.integers(1, 2**20), values), max_size=8))
def test_fields_are_read_as_they_were_written(given_: list[tuple[int, int | bytes]]) -> None:
    content = b"".join(protobuf.field(number, value) for number, value in given_)
    assert list(protobuf.fields(content)) == given_


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_packed_integers_are_read_as_they_were_written(numbers: list[int]) -> None:
    [(_, value)] = protobuf.fields(protobuf.packed(3, numbers))
    assert [protobuf.signed(v) for v in protobuf.integers(value)] == numbers


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    for read in (
        lambda: list(protobuf.fields(content)),
        lambda: inference_grpc.read_named(content),
        lambda: inference_grpc.read_call(content, SCHEMA, outputs=("prediction",)),
    ):
        with contextlib.suppress(Problem):
            read()


@pytest.mark.parametrize("content", [b"\x0a", b"\x0a\x05ab", b"\x80" * 11, b"\x0b", b"\x09\x00", b"\x0d\x00"])
def test_what_is_cut_off_or_of_no_kind_is_refused(content: bytes) -> None:
    with pytest.raises(Problem):
        list(protobuf.fields(content))
