"""Theory of operation of the start of a run.

`import torch` is the dearest thing that a run does. One process does it and becomes two before it holds a secret: the
zygote goes on with the suite's probes and nothing else, its first fork becomes the judge parent and loads what workers
must never see. The judge ends when the zygote does, so the zygote stays until the judge has said what it has to say.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import traceback

from grader.sandbox.launch import LIBRARIES, ZYGOTE_ENVIRONMENT


def main(arguments: list[str]) -> None:
    """`start PORT_FD JUDGES_CONTROL_FD CONTROL_FD PID [plain]`; never returns.

    PID is the command line's, so that a list of processes shows which run each belongs to. `plain`: workers are held
    back by nothing and keep the environment.
    """
    # Nothing that is created while torch is imported is garbage; looking for some takes a tenth of the import.
    gc.disable()
    import torch  # noqa: F401 - before the fork, for both

    import grader.worker.loading  # noqa: F401

    gc.freeze()
    port, judges_control, control = (int(number) for number in arguments[:3])
    parent = os.getpid()
    judge = os.fork()
    if judge == 0:
        os.close(control)
        _become_judge(port, judges_control, parent)
    os.close(port)
    os.close(judges_control)
    _become_zygote(control, judge, plain="plain" in arguments)


def _become_judge(port: int, control: int, parent: int) -> None:
    """Never returns."""
    from grader.sandbox.confine import PR_SET_PDEATHSIG, prctl

    code = 3
    try:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            os.dup2(2, 1)
            from grader.judge.main import main as judge

            code = judge(["linux", str(port), str(control)])
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(code)


def _become_zygote(control: int, judge: int, *, plain: bool) -> None:
    """Never returns."""
    code = 3
    try:
        os.chdir("/")
        if not plain:
            os.environ["PATH"] = ZYGOTE_ENVIRONMENT["PATH"]
            for name in set(os.environ) - {*ZYGOTE_ENVIRONMENT, LIBRARIES}:
                del os.environ[name]
        from grader.sandbox.zygote import run

        run(socket.socket(fileno=control), None, frozenset({judge}), unconfined=plain)
        code = 0
    except BaseException:
        traceback.print_exc()
        os.closerange(3, 1 << 16)
    finally:
        os.waitpid(judge, 0)
        _leave(code)


def _leave(code: int) -> None:
    """End this process at once: taking torch apart in good order takes half a second."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
