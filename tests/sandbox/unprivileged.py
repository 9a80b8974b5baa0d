"""Run by test_unprivileged as an ordinary user: what workers may do then, as JSON on standard output."""

import json
import os
import socket
import sys
from pathlib import Path

from benches import Bench

from grader.model import Raised, Values


def told(observation):
    if isinstance(observation, Values):
        return observation.values["out"]
    if isinstance(observation, Raised):
        return observation.kind
    return type(observation).__name__


def main(root):
    bench = Bench("linux", Path(root))
    try:
        found = {"uid": os.getuid(), "honest": told(bench.run("add", 1, 2))}
        found["protections"] = dict(bench.sandbox.protections)
        found["raises"] = told(bench.run("raises"))
        found["hole"] = told(bench.run("hole"))
        found["memory"] = told(bench.run("much_memory"))
        found["segfault"] = told(bench.run("segfaults"))
        found["outside"] = told(bench.run("reads", "/etc/passwd", fresh=True))
        found["listing"] = told(bench.run("listing", "/"))
        found["write"] = told(bench.run("writes_beside_itself"))
        found["scratch"] = [told(bench.run("writes", "log.txt")), told(bench.run("listing", "."))]
        found["filled"] = told(bench.run("fills", 8 << 20, 20))
        found["escape"] = told(bench.run("leaves_its_root", fresh=True))
        found["environment"] = told(bench.run("environment"))
        found["place"] = told(bench.run("temporary"))
        found["fresh"] = told(bench.run("listing", ".", fresh=True))
        found["descriptors"] = told(bench.run("descriptors"))
        with socket.create_server(("127.0.0.1", 0)) as server:
            found["network"] = told(bench.run("connects", server.getsockname()[1]))
        found["forks"] = told(bench.run("forks"))
        found["mode_before"] = Path(root).stat().st_mode
        bench.run("opens_its_root_to_all")
        found["mode"] = Path(root).stat().st_mode
        found["signal"] = told(bench.run("signals", os.getpid()))
        found["again"] = told(bench.run("add", 3, 4))
    finally:
        bench.close()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
