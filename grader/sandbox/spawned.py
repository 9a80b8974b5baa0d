"""The worker's side of the portable back end: `spawned PORT SUITE`, with the token on standard input."""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path

from grader.sandbox.preload import load_suite, warm_up
from grader.wire.frames import WORKER_CAPS, Channel
from grader.worker.service import serve


def end_with(descriptor: int) -> None:
    """End this process at the end of a pipe that the judge holds open while it lives: a loop reads no channel."""
    try:
        os.read(descriptor, 1)
    finally:
        os._exit(0)


def main(arguments: list[str]) -> None:
    """Connect, present the token, serve until the judge closes the channel or is gone."""
    token = sys.stdin.readline().strip()
    threading.Thread(target=end_with, args=(os.dup(0),), daemon=True).start()
    # Student code that asks for input gets its end at once.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    probes = load_suite(Path(arguments[1]))
    warm_up()
    connection = socket.create_connection(("127.0.0.1", int(arguments[0])))
    connection.sendall(token.encode())
    serve(Channel(connection, WORKER_CAPS), probes)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
