"""The probe of the corpus of attacks: it runs one of them in a worker, as a submission's code would run."""

import ctypes
import json
import os
import socket
import struct
import sys
import time

import torch

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def attempt(modules, code, world):
    """{"goal": what was reached, "answer": what is to be sent}; an exception is a refusal."""
    given = {"world": world, "m": modules["m"], "goal": None, "answer": None, **HELPERS}
    exec(compile(code, modules["m"].__file__, "exec"), given)
    return {"goal": str(given["goal"] or "")[:80], "answer": given["answer"]}


def call(number, *arguments):
    found = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return found


def done(number, *arguments):
    call(number, *arguments)
    return True


def address(data):
    kept.append(ctypes.create_string_buffer(data))
    return ctypes.addressof(kept[-1])


def exists(action):
    try:
        action()
    except OSError:
        return False
    return True


def raw(data):
    view = memoryview(data)
    while view:
        view = view[os.write(3, view) :]


def send(tree, tensors=(), kind="answer", id=None):
    if id is None:
        frame = sys._getframe()
        while not hasattr(frame.f_locals.get("frame"), "kind"):
            frame = frame.f_back
        id = frame.f_locals["frame"].id
    header = json.dumps({"id": id, "kind": kind, "tree": tree, "tensors": list(tensors)}).encode()
    raw(struct.pack("<4sIQ", b"GRD1", len(header), 0) + header)


def hang():
    time.sleep(1e6)


kept = []
HELPERS = {f.__name__: f for f in (call, done, address, exists, raw, send, hang)}
HELPERS |= {"ctypes": ctypes, "os": os, "socket": socket, "sys": sys, "time": time, "torch": torch}
