"""The configuration of the test cluster: one node with eight pretended GPUs, accounting on, everything on loopback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

USER = "tester"
CLUSTER = "testcluster"
PARTITION = "batch"
ACCOUNT = "research"


@dataclass(frozen=True)
class Ports:
    """The loopback ports of the daemons."""

    controller: int
    node: int
    accounting: int
    ssh: int


def slurm_conf(base: Path, ports: Ports, host: str, changes: Mapping[str, str | None]) -> str:
    """slurm.conf; `changes` sets or, with None, removes parameters of it."""
    values: dict[str, str | None] = {
        "ClusterName": CLUSTER,
        "SlurmctldHost": f"{host}(127.0.0.1)",
        "SlurmUser": USER,
        "SlurmdUser": USER,
        "AuthType": "auth/munge",
        "AuthInfo": f"socket={base}/run/munge.sock",
        "CredType": "cred/munge",
        "SlurmctldPort": str(ports.controller),
        "SlurmdPort": str(ports.node),
        "CommunicationParameters": "NoCtldInAddrAny,NoInAddrAny",
        "StateSaveLocation": f"{base}/state/controller",
        "SlurmdSpoolDir": f"{base}/state/node",
        "SlurmctldPidFile": f"{base}/run/slurmctld.pid",
        "SlurmdPidFile": f"{base}/run/slurmd.pid",
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "JobAcctGatherType": "jobacct_gather/none",
        "SwitchType": "switch/none",
        "MpiDefault": "none",
        "ReturnToService": "2",
        "SchedulerType": "sched/backfill",
        "SchedulerParameters": "batch_sched_delay=0,sched_interval=2,bf_interval=2",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_Core",
        "KillWait": "5",
        "MinJobAge": "300",
        "OverTimeLimit": "0",
        "InactiveLimit": "0",
        "GresTypes": "gpu",
        "PlugStackConfig": f"{base}/etc/plugstack.conf",
        "AccountingStorageType": "accounting_storage/slurmdbd",
        "AccountingStorageHost": "127.0.0.1",
        "AccountingStoragePort": str(ports.accounting),
        # Debian 12's Slurm 22.05 takes the munge socket of the accounting link from here.
        "AccountingStoragePass": f"{base}/run/munge.sock",
        "AccountingStorageEnforce": "associations",
        "DependencyParameters": "kill_invalid_depend",
        **changes,
    }
    lines = [f"{name}={value}" for name, value in values.items() if value is not None and "\n" not in value]
    node = f"NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 Gres=gpu:8 State=UNKNOWN"
    partition = f"PartitionName={PARTITION} Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4"
    return "\n".join([*lines, changes.get("node") or node, changes.get("partition") or partition]) + "\n"


def slurmdbd_conf(base: Path, ports: Ports, host: str) -> str:
    """slurmdbd.conf."""
    return f"""AuthType=auth/munge
AuthInfo=socket={base}/run/munge.sock
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={ports.accounting}
SlurmUser={USER}
PidFile={base}/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StoragePort=0
StorageUser={USER}
StoragePass=unused
StorageLoc=accounting
"""


def my_cnf(base: Path) -> str:
    """MariaDB's configuration: a socket, no port."""
    return f"""[mysqld]
datadir={base}/db
socket={base}/run/mysql.sock
pid-file={base}/run/mysql.pid
skip-networking
tmpdir={base}/run
innodb_buffer_pool_size=64M
innodb_lock_wait_timeout=900
innodb_flush_log_at_trx_commit=2
log-error={base}/log/mysql.log
"""


def sshd_config(base: Path, ports: Ports, path: str) -> str:
    """sshd_config: keys only, one host key per common type."""
    return f"""Port {ports.ssh}
ListenAddress 127.0.0.1
HostKey {base}/ssh/host_ed25519
PidFile none
AuthorizedKeysFile {base}/ssh/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
MaxStartups 100
MaxSessions 100
SetEnv SLURM_CONF={base}/etc/slurm.conf PATH={path}
Subsystem sftp internal-sftp
"""


def ssh_config(base: Path, ports: Ports, alias: str) -> str:
    """The client's side: an alias with port, key and known hosts of its own."""
    return f"""Host {alias}
  HostName 127.0.0.1
  Port {ports.ssh}
  User {USER}
  IdentityFile {base}/ssh/client_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile {base}/ssh/known_hosts
  StrictHostKeyChecking yes
"""
