"""A real Slurm of one node, in a folder of its own: munged, slurmctld and slurmd, ended by their process ids.

Where sbatch is missing, root may install it from Debian's packages. The node has a GPU for the scheduler only.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("sbatch", "slurmctld", "slurmd", "munged")
START_SECONDS = 90.0
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,defer_batch
ReturnToService=2
SlurmdParameters=config_overrides
MpiDefault=none
SlurmUser={user}
SlurmdUser=root
StateSaveLocation={folder}/controller
SlurmdSpoolDir={folder}/node
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldTimeout=30
SlurmdTimeout=20
MessageTimeout=10
KillWait=2
MinJobAge=30
MailProg=/bin/true
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=4000 Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE OverSubscribe=FORCE:1 State=UP
PartitionName=gpus Nodes={host} MaxTime=INFINITE State=UP
"""


class Missing(Exception):
    """There is no Slurm, and none can be had; the reason."""


def require_programs() -> None:
    """Raises Missing where Slurm is not here and cannot be installed."""
    if absent := _absent():
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise Missing(
                f"no Slurm here ({', '.join(absent)}), and only root can install Debian's slurm-wlm and munge"
            )
        packages = ["-y", "--no-install-recommends", "slurm-wlm", "munge"]
        for command in (["apt-get", "-q", "update"], ["apt-get", "-q", "install", *packages]):
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(command, env=environment, capture_output=True, timeout=300, check=False)
        if absent := _absent():
            raise Missing(f"slurm-wlm and munge cannot be installed here: {', '.join(absent)} missing")
    if os.geteuid() != 0:
        raise Missing("a Slurm of our own needs root")


def _absent() -> list[str]:
    return [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class Slurm:
    """Use as a context manager. Raises Missing when it does not come up, with the end of its logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.node = socket.gethostname().partition(".")[0]
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": _path()}
        self._started: list[str] = []

    def __enter__(self) -> Slurm:
        try:
            self._lay_out()
            self.start("munged")
            self.start("slurmctld")
            self.start("slurmd")
            self._wait_until_idle()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            self.run("scancel", "--user", pwd.getpwuid(os.geteuid()).pw_name)
        for name in ("slurmd", "slurmctld", "munged"):
            self.stop(name, signal.SIGKILL)

    def run(self, *command: object, check: bool = True) -> str:
        """One of Slurm's own commands; its output."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(
            list(map(str, command)), env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0 or not check, f"{command}: {done.stderr}"
        return done.stdout

    def start(self, name: str) -> None:
        """One of the daemons."""
        folder = self.folder
        command = [name]
        if name == "munged":
            command += ["--force", f"--key-file={folder}/munge.key", f"--socket={folder}/munge.socket"]
            command += [f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log"]
            command += [f"--seed-file={folder}/munge.seed", "--num-threads=2"]
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise Missing(f"{name} does not start here: {done.stderr[-500:]}")

    def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        """End one of the daemons by its process id, and wait until it is gone."""
        path = self.folder / f"{name}.pid"
        with contextlib.suppress(OSError, ValueError):
            process = int(path.read_text())
            os.kill(process, number)
            deadline = time.monotonic() + 60
            while Path(f"/proc/{process}").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            os.kill(process, signal.SIGKILL)
        path.unlink(missing_ok=True)

    def _lay_out(self) -> None:
        folder = self.folder
        for name in ("controller", "node"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "munge.key").write_bytes(secrets.token_bytes(128))
        (folder / "munge.key").chmod(0o400)
        host = self.node
        text = CONFIGURATION.format(
            host=host,
            folder=folder,
            user=pwd.getpwuid(os.geteuid()).pw_name,
            controller_port=_free_port(),
            node_port=_free_port(),
        )
        (folder / "slurm.conf").write_text(text)
        (folder / "gres.conf").write_text(f"NodeName={host} Name=gpu File=/dev/null\n")
        (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n" if _has_cgroup_plugin() else "")

    def _wait_until_idle(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            state = self.run("sinfo", "-h", "-o", "%T", "-p", "main", check=False).strip()
            if state == "idle":
                return
            time.sleep(0.2)
        logs = "\n".join((self.folder / f"{name}.log").read_text()[-800:] for name in ("slurmctld", "slurmd"))
        raise Missing(f"Slurm was started and its node is {state or 'unknown'}: {logs}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _has_cgroup_plugin() -> bool:
    version = subprocess.run(["sbatch", "--version"], capture_output=True, text=True, check=False).stdout
    return version.startswith("slurm 2") and version.split()[-1] >= "23.11"
