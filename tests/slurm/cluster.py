"""A real SLURM on one machine: munge, slurmctld and several slurmd, without systemd, cgroups or a line in /etc.

Everything lies in one folder (configuration, keys, sockets, state, logs) and listens on free ports of this machine, so that
two clusters stand beside each other and beside an installed one. Needs root, and Debian's packages (`install`).

    eval "$(python tests/slurm/cluster.py up DIR)"
    python tests/slurm/cluster.py down DIR
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
EXPIRE_S = 8  # of a credential, and how long a requeued job waits before it starts again (120 by default)
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "squeue", "scontrol", "sinfo")
CONFIGURATION = """\
ClusterName=hoi
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire={expire_s}
CredType=cred/munge
MpiDefault=none
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmdSpoolDir={folder}/spool.%n
StateSaveLocation={folder}/state
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,batch_sched_delay=0,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
MinJobAge=300
KillWait=2
OverTimeLimit=0
SlurmdTimeout={lost_s}
SlurmctldTimeout=10
GresTypes=gpu
{nodes}
PartitionName=work Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10
"""


def missing() -> str | None:
    """Why no cluster can be brought up here; None if one can."""
    if os.geteuid() != 0:
        return "a SLURM of our own needs root"
    absent = [name for name in PROGRAMS if _program(name) is None]
    if absent and shutil.which("apt-get") is None:
        return f"no {', '.join(absent)}, and no apt-get to install Debian's packages {', '.join(PACKAGES)}"
    return None


def install() -> None:
    """Debian's packages, if they are not there."""
    if all(_program(name) for name in PROGRAMS):
        return
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
        subprocess.run(["apt-get", "--quiet", *words], env=environment, check=True, capture_output=True, timeout=600)


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/bin")


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, found together so that no two are the same."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports



class Cluster:
    """One cluster in a folder: nodes n1, n2, ... on this machine, each with `cpus` CPUs, memory and one fake GPU.

    A node that has not answered for `lost_s` seconds is taken for lost.
    """

    def __init__(
        self, folder: Path, nodes: int = 2, cpus: int = 4, memory_mb: int = 16000, lost_s: int = 10
    ) -> None:
        self.folder, self.nodes = folder.resolve(), [f"n{i + 1}" for i in range(nodes)]
        self.cpus, self.memory_mb, self.lost_s = cpus, memory_mb, lost_s
        self.configuration = self.folder / "slurm.conf"
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        self.environment = os.environ | {"SLURM_CONF": str(self.configuration), "PATH": path}

    def __enter__(self) -> "Cluster":
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def up(self) -> None:
        """Write the configuration and start the daemons; ready when all nodes are idle."""
        self._configure()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        files = {"socket": "munge.socket", "key-file": "munge.key", "pid-file": "munged.pid"}
        files |= {"log-file": "munged.log", "seed-file": "munge.seed"}
        self._daemon("munged", "--force", *(f"--{flag}={self.folder / name}" for flag, name in files.items()))
        self.start_controller()
        for node in self.nodes:
            self.start_node(node)
        self.wait_idle()

    def down(self) -> None:
        """End every daemon that this folder knows of, and what jobs left behind."""
        with suppress(OSError, subprocess.SubprocessError):
            self.command("scancel", "--user=root")
        for name in (*(f"slurmd.{n}" for n in self.nodes), "slurmctld", "munged"):
            self._end(name, signal.SIGTERM)

    def start_controller(self) -> None:
        """Start slurmctld; it goes on from its saved state."""
        self._daemon("slurmctld")

    def stop_controller(self) -> None:
        """End slurmctld as a reboot of its machine would; jobs run on."""
        self._end("slurmctld", signal.SIGTERM)

    def start_node(self, node: str) -> None:
        """Start a node's slurmd."""
        self._daemon("slurmd", "-N", node)

    def lose_node(self, node: str) -> None:
        """The node's machine is gone: its slurmd and all that runs on it are killed at once."""
        running = [job for job, _, on, _ in self.jobs("--states=running") if on == node]
        self._end(f"slurmd.{node}", signal.SIGKILL)
        for pid in self._processes_of(running):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def command(self, *words: str) -> str:
        """The output of one of SLURM's commands."""
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    def jobs(self, *words: str) -> list[list[str]]:
        """Jobs as rows: id, state, node, comment (rule and wildcards)."""
        rows = self.command("squeue", "--noheader", "--format=%i|%T|%N|%k", *words).splitlines()
        return [row.split("|", 3) for row in rows]

    def restarts(self, job: str) -> int:
        """How often a job was put back into the queue."""
        return int(self.command("scontrol", "show", "job", job).partition("Restarts=")[2].split()[0])

    def wait_idle(self, seconds: float = 60) -> None:
        """Until every node is ready."""
        self.wait(lambda: self.command("sinfo", "-h", "-N", "-p", "work", "-t", "idle", "-o", "%N").split(),
                  lambda ready: len(set(ready)) == len(self.nodes), seconds)  # fmt: skip

    def wait(self, ask, good, seconds: float = 300):
        """What `ask` gives, as soon as it is good; a command that fails is asked again."""
        end, found = time.monotonic() + seconds, None
        while True:
            with suppress(subprocess.CalledProcessError):
                found = ask()
                if good(found):
                    return found
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds} s, but {found!r} at the end; logs in {self.folder}")
            time.sleep(0.3)

    def _processes_of(self, jobs: list[str]) -> list[int]:
        """What runs for some jobs of this cluster: their steps' daemons, and all that these started."""
        ours, found = str(self.folder).encode(), []
        marks = [f"SLURM_JOB_ID={job}\0".encode() for job in jobs]
        titles = [f"slurmstepd: [{job}.".encode() for job in jobs]
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                environment, title = (entry / "environ").read_bytes() + b"\0", (entry / "cmdline").read_bytes()
                its = any(mark in environment for mark in marks) or any(title.startswith(t) for t in titles)
                if its and ours in environment:
                    found.append(int(entry.name))
        return found

    def _configure(self) -> None:
        """slurm.conf and gres.conf; a fake GPU is a character device of its own."""
        for name in ("state", *(f"spool.{n}" for n in self.nodes)):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        port, *ports = _free_ports(1 + len(self.nodes))
        host = socket.gethostname().split(".")[0]
        size = f"CPUs={self.cpus} RealMemory={self.memory_mb} Gres=gpu:1 State=UNKNOWN"
        lines = [
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={p} {size}"
            for node, p in zip(self.nodes, ports, strict=True)
        ]
        places = {"host": host, "port": port, "folder": self.folder, "nodes": "\n".join(lines)}
        text = CONFIGURATION.format(**places, expire_s=EXPIRE_S, lost_s=self.lost_s)
        self.configuration.write_text(text)
        wrapper = self.folder / "bin/srun"  # Snakemake's job steps drop SLURM_CONF from their environment
        wrapper.parent.mkdir(exist_ok=True)
        wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={self.configuration} exec {_program("srun")} "$@"\n')
        wrapper.chmod(0o755)
        device = self.folder / "gpu0"
        if not device.exists():
            os.mknod(device, 0o20666, os.makedev(1, 3))  # as /dev/null
        (self.folder / "gres.conf").write_text(f"Name=gpu File={device}\n")

    def _daemon(self, name: str, *words: str) -> None:
        program = _program(name)
        assert program is not None, f"{name} is not installed"
        done = subprocess.run([program, *words], env=self.environment, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stdout}{done.stderr}; logs in {self.folder}")

    def _end(self, name: str, with_signal: int) -> None:
        """Signal the daemon of a pid file, and wait until it is gone."""
        path = self.folder / f"{name}.pid"
        if not path.exists() or not path.read_text().strip():
            return
        pid = int(path.read_text())
        with suppress(ProcessLookupError):
            os.kill(pid, with_signal)
        for _ in range(100):
            if not Path(f"/proc/{pid}").exists() or Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                break
            time.sleep(0.1)
        path.unlink(missing_ok=True)


def main() -> None:
    """up DIR, or down DIR."""
    word, folder = sys.argv[1:]
    cluster = Cluster(Path(folder))
    if word == "up":
        install()
        cluster.up()
        sys.stdout.write(f'export SLURM_CONF={cluster.configuration} PATH={cluster.folder}/bin:"$PATH"\n')
    else:
        cluster.down()


if __name__ == "__main__":
    main()
