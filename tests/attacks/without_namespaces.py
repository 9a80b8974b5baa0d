"""Runs Python with the given arguments as an engine would without privileges: no name spaces, nothing to be gained."""

import ctypes
import os
import struct
import sys

from grader.sandbox import confine, seccomp, system_calls

column = list(seccomp.ARCHITECTURES).index(os.uname().machine)
program = [
    (seccomp.LOAD, 0, 0, seccomp.NUMBER),
    (seccomp.EQUAL, 0, 1, system_calls.numbers(system_calls.REFUSED, column)["unshare"]),
    (seccomp.RETURN, 0, 0, seccomp.REFUSE),
    (seccomp.RETURN, 0, 0, seccomp.ALLOW),
]
raw = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
header = struct.pack("@HP", len(program), ctypes.addressof(raw))
confine.prctl(confine.PR_SET_NO_NEW_PRIVS, 1)
number = seccomp.ARCHITECTURES[os.uname().machine][1]
if confine.libc.syscall(number, seccomp.SET_MODE_FILTER, 0, header) != 0:
    sys.exit("the filter could not be set")
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
