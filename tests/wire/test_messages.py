"""Messages between the command line and the judges: whole, in order, and never cut."""

import os
import socket

import pytest

from grader.wire.messages import MAX_MESSAGE, PacketPort, PipePort


@pytest.fixture
def packets():
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (left, right):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    yield PacketPort(left), PacketPort(right)
    left.close()
    right.close()


needs_packets = pytest.mark.skipif(not hasattr(socket, "SOCK_SEQPACKET"), reason="no such sockets here")


@needs_packets
def test_packets_stay_whole(packets):
    left, right = packets
    messages = [{"say": "result", "n": n, "text": "é" * 100 * n} for n in range(20)]
    for message in messages:
        left.send(message)
        assert right.receive() == message


@needs_packets
def test_what_would_be_cut_is_not_sent(packets):
    left, right = packets
    with pytest.raises(ValueError, match="too long"):
        left.send({"text": "x" * MAX_MESSAGE})
    left.send({"text": "x" * (MAX_MESSAGE - 100)})
    assert len(right.receive()["text"]) == MAX_MESSAGE - 100


@needs_packets
def test_the_end_is_none(packets):
    left, right = packets
    left.socket.close()
    assert right.receive() is None


def test_lines_over_a_pipe():
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as source, os.fdopen(writer, "wb") as target:
        port = PipePort(source, target)
        message = {"text": "two\nlines \u2028 and é"}
        port.send(message)
        port.send({"n": 1})
        assert port.receive() == message
        assert port.receive() == {"n": 1}
        target.write(b'{"torn": ')
        target.close()
        assert port.receive() is None
