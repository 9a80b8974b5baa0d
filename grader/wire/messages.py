"""Messages between the command line and the judge: JSON objects, one at a time.

`PacketPort` uses a SOCK_SEQPACKET socket, whose messages stay whole when several judges write to it at once; `PipePort`
uses lines on standard input and output, for systems without such sockets, where there is only one judge.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import IO, Protocol

MAX_MESSAGE = 1 << 18


class Port(Protocol):
    """One end of the conversation."""

    def send(self, message: Mapping[str, object]) -> None:
        """Send one message."""
        ...

    def receive(self) -> dict[str, object] | None:
        """The next message; None when the other end is gone."""
        ...

    def fileno(self) -> int:
        """The descriptor to wait on."""
        ...


class PacketPort:
    """Whole messages over a socket that several processes may share."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock

    def send(self, message: Mapping[str, object]) -> None:
        """One packet. Raises ValueError for one that the reader would have to cut."""
        raw = json.dumps(message).encode()
        if len(raw) > MAX_MESSAGE:
            raise ValueError(f"a message of {len(raw)} bytes is too long, {MAX_MESSAGE} are allowed")
        self.socket.sendall(raw)

    def receive(self) -> dict[str, object] | None:
        """One packet, or None at the end."""
        try:
            raw = self.socket.recv(MAX_MESSAGE)
        except ConnectionError:
            return None
        return json.loads(raw) if raw else None

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self.socket.fileno()


class PipePort:
    """One message per line."""

    def __init__(self, source: IO[bytes], target: IO[bytes]) -> None:
        self._source = source
        self._target = target

    def send(self, message: Mapping[str, object]) -> None:
        """One line."""
        self._target.write(json.dumps(message).encode() + b"\n")
        self._target.flush()

    def receive(self) -> dict[str, object] | None:
        """One line, or None at the end."""
        line = self._source.readline()
        return json.loads(line) if line.endswith(b"\n") else None

    def fileno(self) -> int:
        """The descriptor that is read."""
        return self._source.fileno()
