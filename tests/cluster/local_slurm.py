"""A SLURM of several nodes on this machine, for tests: real daemons, loopback only, one folder.

Nothing in /etc, /var or /run is read or written. Two nodes have CPUs alone, one has a make-believe
GPU; all run their jobs here and share memory, cores and files. Needs root: slurmd starts jobs as
the user who submitted them. Memory is watched by SLURM's own polling, without cgroups.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

ACCOUNT = "demo_lab"
NODES = {"cpu": ("c1", "c2"), "gpu": ("g1",)}
GPU_MODEL = "a100"
CPUS, MEMORY_MB = 16, 64_000


def free_ports(number: int) -> list[int]:
    """Ports of loopback that nothing listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def wait_until(what: str, true: Callable[[], object], seconds: float = 60) -> None:
    """Poll until `true()` holds; TimeoutError that says what did not happen."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"after {seconds:g} s still not: {what}")
        time.sleep(0.2)


class LocalSlurm:
    """The daemons, their records, and the ways in which they can be disturbed."""

    def __init__(self, folder: Path) -> None:
        """Write keys and configuration into `folder`; `start` starts the daemons."""
        self.folder = folder
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("etc", "run", "log", "state", "spool", "bin"):
            (folder / name).mkdir(parents=True, mode=0o755)
        self.conf = folder / "etc" / "slurm.conf"
        self.host = socket.gethostname().partition(".")[0]
        self._munge = f"{folder}/run/munge.socket"
        ports = free_ports(3 + sum(map(len, NODES.values())))
        self._database_port, self._dbd_port, self._controller_port, *self._node_ports = ports
        self._write_configuration()
        # Inside a job the SLURM plugin drops SLURM_CONF before it calls srun, which would then look
        # for /etc/slurm: this srun, first on the PATH that jobs inherit, knows its configuration.
        srun = folder / "bin" / "srun"
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={self.conf} exec {shutil.which("srun")} "$@"\n')
        srun.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which SLURM's commands, and Snakemake, find this cluster."""
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        return os.environ | {"SLURM_CONF": str(self.conf), "PATH": path}

    # ---- start and stop -------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything, in the order in which each needs the one before."""
        self._start("munged", "--foreground", *self._munge_options())
        self._ready("munged", "munge", "--no-input", f"--socket={self._munge}")
        self._start_database()
        self._start("slurmdbd", "-D")
        self._ready("slurmdbd", "sacctmgr", "--noheader", "show", "cluster")
        for record in (
            "cluster test",
            f"account {ACCOUNT} cluster=test",
            f"user root account={ACCOUNT} cluster=test",
        ):
            self.command("sacctmgr", "--immediate", "add", *record.split())
        self.start_controller()
        for node in self.nodes:
            self.start_node(node)
        self.wait_for_nodes()

    def stop(self) -> None:
        """Cancel every job and stop every daemon, the last started first."""
        if self._alive("slurmctld"):
            self.command("scancel", "--user=root", check=False)
            with contextlib.suppress(TimeoutError):
                wait_until("no job left", lambda: not self._job_processes(), 15)
        for process in self._job_processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for name in reversed(list(self.daemons)):
            self._stop(name)

    def start_controller(self) -> None:
        """Start slurmctld; it continues from its state files."""
        self._start("slurmctld", "-D")
        self._ready("slurmctld", "scontrol", "ping")

    def stop_controller(self) -> None:
        """Stop slurmctld as an administrator does: it writes down what it knows."""
        self._stop("slurmctld")

    def start_node(self, node: str) -> None:
        """Start the slurmd of one node."""
        (self.folder / "spool" / node).mkdir(exist_ok=True)
        self._start(f"slurmd.{node}", "-D", "-N", node)

    def kill_node(self, node: str) -> None:
        """End a node as a power cut would: its slurmd and all of its jobs' processes."""
        self._stop(f"slurmd.{node}", signal.SIGKILL)
        for process in self._job_processes(node):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def wait_for_nodes(self) -> None:
        """Wait until every node can take jobs."""
        wait_until(
            "all nodes up",
            lambda: (
                set(self.command("sinfo", "-h", "-N", "-o", "%T").split())
                <= {"idle", "mixed", "allocated", "completing"}
            ),
        )

    # ---- what SLURM knows -----------------------------------------------------------------------

    @property
    def nodes(self) -> list[str]:
        """The names of all nodes."""
        return [node for group in NODES.values() for node in group]

    def command(self, *words: str, check: bool = True) -> str:
        """The output of one of SLURM's commands."""
        run = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        if check and run.returncode:
            raise RuntimeError(f"{' '.join(words)}: {run.stderr or run.stdout}")
        return run.stdout

    def records(self, workdir: Path) -> list[dict[str, str]]:
        """The accounting records of all jobs submitted from `workdir`, oldest first."""
        fields = "JobIDRaw,Comment,State,Partition,Account,AllocTRES,ReqMem,TimelimitRaw,NodeList"
        names = [*fields.split(","), "Submit", "WorkDir"]
        options = ("--allocations", "--duplicates", "--noheader", "--parsable2", "--allusers")
        since = ("--starttime", "now-1day", f"--format={','.join(names)}")
        lines = self.command("sacct", *options, *since).splitlines()
        rows = [dict(zip(names, line.split("|"), strict=True)) for line in lines]
        return sorted(
            (row for row in rows if row["WorkDir"] == str(workdir)),
            key=lambda row: (row["Submit"], int(row["JobIDRaw"])),
        )

    # ---- within ---------------------------------------------------------------------------------

    def _munge_options(self) -> list[str]:
        return [
            f"--key-file={self.folder}/etc/munge.key",
            f"--socket={self._munge}",
            f"--pid-file={self.folder}/run/munged.pid",
            f"--log-file={self.folder}/log/munged.log",
            f"--seed-file={self.folder}/state/munged.seed",
        ]

    def _start(self, name: str, *options: str) -> None:
        program = name.partition(".")[0]
        with (self.folder / "log" / f"{name}.out").open("ab") as output:
            self.daemons[name] = subprocess.Popen(
                [shutil.which(program) or program, *options],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        daemon = self.daemons.pop(name)
        daemon.send_signal(how)
        try:
            daemon.wait(timeout=15)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def _alive(self, name: str) -> bool:
        return name in self.daemons and self.daemons[name].poll() is None

    def _ready(self, name: str, *question: str) -> None:
        """Wait until a daemon answers; fail with its last output if it does not."""

        def answers() -> bool:
            if not self._alive(name):
                raise RuntimeError(f"{name} has ended")
            run = subprocess.run(
                question, env=self.environment, capture_output=True, timeout=30, check=False
            )
            return run.returncode == 0

        try:
            wait_until(f"{name} answers", answers)
        except (RuntimeError, TimeoutError) as error:
            said = (self.folder / "log" / f"{name}.out").read_text()[-2000:]
            raise RuntimeError(f"{error}; it said: {said}") from error

    def _start_database(self) -> None:
        data, where = f"--datadir={self.folder}/state/db", f"--socket={self.folder}/run/db.socket"
        new = ("--auth-root-authentication-method=normal", "--skip-test-db", "--user=root")
        self.command("mariadb-install-db", "--no-defaults", data, *new)
        # Small buffers and no flush to disk: the records live as long as the tests.
        frugal = ("--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0")
        frugal += ("--innodb-lock-wait-timeout=900", "--innodb-flush-method=nosync")
        frugal += ("--skip-name-resolve",)
        listen = ("--bind-address=127.0.0.1", f"--port={self._database_port}")
        self._start("mariadbd", "--no-defaults", "--user=root", data, where, *listen, *frugal)
        client = ("mariadb", "--no-defaults", "-uroot", where, "-e")
        self._ready("mariadbd", *client, "select 1")
        create = (
            "create database jobs; create user slurm@'127.0.0.1' identified by 'slurm'; "
            "grant all on jobs.* to slurm@'127.0.0.1'"
        )
        self.command(*client, create)

    def _job_processes(self, node: str | None = None) -> list[psutil.Process]:
        """The processes of this cluster's jobs (on one node), slurmstepd included."""
        found = {}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                variables = process.environ()
                if not variables.get("SLURMD_NODENAME") or process.pid == os.getpid():
                    continue
                inherited = f"{self.folder}/bin" in variables.get("PATH", "")
                if inherited and node in (None, variables["SLURMD_NODENAME"]):
                    steps = [p for p in process.parents() if p.name().startswith("slurmstepd")]
                    found |= {p.pid: p for p in [process, *steps]}
        return list(found.values())

    def _write_configuration(self) -> None:
        etc = self.folder / "etc"
        for name, mode, text in (
            ("munge.key", 0o400, secrets.token_hex(64)),
            ("slurmdbd.conf", 0o600, self._slurmdbd_conf()),
            ("slurm.conf", 0o644, self._slurm_conf()),
            # /dev/null stands for a GPU: SLURM counts it, and nothing opens it.
            ("gres.conf", 0o644, f"NodeName=g1 Name=gpu Type={GPU_MODEL} File=/dev/null\n"),
            ("plugstack.conf", 0o644, ""),
        ):
            (etc / name).write_text(text)
            (etc / name).chmod(mode)

    def _slurmdbd_conf(self) -> str:
        return f"""\
AuthType=auth/munge
AuthInfo=socket={self._munge}
DbdHost={self.host}
DbdAddr=127.0.0.1
DbdPort={self._dbd_port}
SlurmUser=root
LogFile={self.folder}/log/slurmdbd.log
PidFile={self.folder}/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={self._database_port}
StorageUser=slurm
StoragePass=slurm
StorageLoc=jobs
"""

    def _slurm_conf(self) -> str:
        text = f"""\
ClusterName=test
SlurmctldHost={self.host}(127.0.0.1)
SlurmctldPort={self._controller_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={self._munge}
StateSaveLocation={self.folder}/state
SlurmdSpoolDir={self.folder}/spool/%n
SlurmctldPidFile={self.folder}/run/slurmctld.pid
SlurmdPidFile={self.folder}/run/slurmd.%n.pid
SlurmctldLogFile={self.folder}/log/slurmctld.log
SlurmdLogFile={self.folder}/log/slurmd.%n.log
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={self._dbd_port}
AccountingStoragePass={self._munge}
AccountingStoreFlags=job_comment
AccountingStorageTRES=gres/gpu,gres/gpu:{GPU_MODEL}
GresTypes=gpu
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
# A step over its memory is killed within a second or two, as cgroups would do at once.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill,UsePss
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
# Nodes may claim more than the machine has.
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=2,batch_sched_delay=0,sched_min_interval=0
MinJobAge=3600
KillWait=2
ReturnToService=2
# A node that is silent for so long is taken for dead.
SlurmdTimeout=15
DebugFlags=NO_CONF_HASH
"""
        ports = iter(self._node_ports)
        for partition, nodes in NODES.items():
            gres = f" Gres=gpu:{GPU_MODEL}:1" if partition == "gpu" else ""
            for node in nodes:
                text += (
                    f"NodeName={node} NodeHostname={self.host} NodeAddr=127.0.0.1 "
                    f"Port={next(ports)} CPUs={CPUS} RealMemory={MEMORY_MB}{gres} State=UNKNOWN\n"
                )
            text += (
                f"PartitionName={partition} Nodes={','.join(nodes)} MaxTime=1-0 DefaultTime=10 "
                f"Default={'YES' if partition == 'cpu' else 'NO'} State=UP\n"
            )
        return text
