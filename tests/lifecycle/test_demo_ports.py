"""Demos side by side."""

import socket

from modelyard.pipelines.demo import _free_ports


def test_two_demos_at_once_take_other_ports() -> None:
    with socket.socket() as one, socket.socket() as other:
        assert _free_ports(3, one) != _free_ports(3, other)
