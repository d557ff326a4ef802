#!/usr/bin/env bash
# A Slurm of one node on this machine, for the tests beside this file: slurmctld and slurmd from
# Debian's packages. Does nothing where one answers, and ends with 0 and a line that says why
# where none can be had: the tests are then skipped.
set -euo pipefail

conf=${SLURM_CONF:-/etc/slurm/slurm.conf}
state=/var/lib/slurm/grok

without() { echo "no Slurm for the tests: $*" >&2; exit 0; }

try() { "$@" >"$log" 2>&1 || without "$1 failed: $(tail -n 1 "$log")"; }

answers() { command -v sinfo >/dev/null && timeout 10 sinfo --noheader 2>/dev/null | grep -q idle; }

answers && exit 0
[ "$(id -u)" = 0 ] || without "only root can start one"
[ ! -e "$conf" ] || grep -q "$state" "$conf" || without "$conf is another's"
log=$(mktemp)
trap 'rm -f "$log"' EXIT

if ! { type slurmctld && type slurmd && type sbatch && type munged; } >/dev/null 2>&1; then
  command -v apt-get >/dev/null || without "apt-get is missing"
  export DEBIAN_FRONTEND=noninteractive
  try apt-get update
  try apt-get install --yes --no-install-recommends slurmctld slurmd slurm-client munge
fi

mkdir -p "$state" /run/munge "$(dirname "$conf")"
chown munge: /run/munge
host=$(hostname -s)
# Nothing of the kernel's control groups, so that it runs in a container. Two partitions, of which
# `urgent` preempts the other.
cat >"$conf" <<END
ClusterName=grok
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
StateSaveLocation=$state/ctld
SlurmdSpoolDir=$state/d
SlurmctldPidFile=$state/slurmctld.pid
SlurmdPidFile=$state/slurmd.pid
SlurmctldLogFile=$state/slurmctld.log
SlurmdLogFile=$state/slurmd.log
ReturnToService=2
JobRequeue=1
KillWait=10
SchedulerParameters=sched_interval=1,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=normal Nodes=$host Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=$host MaxTime=INFINITE State=UP PriorityTier=2
END
mkdir -p "$state/ctld" "$state/d"

pgrep -x munged >/dev/null || try runuser -u munge -- /usr/sbin/munged
pgrep -x slurmctld >/dev/null || try slurmctld
pgrep -x slurmd >/dev/null || try slurmd
for _ in $(seq 30); do
  answers && exit 0
  sleep 1
done
without "the node does not become idle: $(tail -n 1 "$state/slurmd.log")"
