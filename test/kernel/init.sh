#!/bin/sh
# The first process of the emulated machine: runs the file of tests that the kernel's command line names (`test=lab/x`, by
# its path below dist/test, without the suffix), and ends the machine. The console (ttyS0) is the log; ttyS1 takes one
# line of JSON for each result (resultLines.ts), and one for the end.
export PATH=/usr/bin:/usr/sbin HOME=/root TUNNELBORE_LAB_WIREGUARD=kernel

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
# devtmpfs holds devices only; wg reads a preshared key from /dev/stdin.
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
mkdir /run/netns

uptime() {
  read -r up _ </proc/uptime
  echo "${up%.*}"
}

# The kernel loads what else is wanted through /sbin/modprobe; nobody asks for these before they are looked for.
modprobe wireguard
modprobe sch_netem
ip link set lo up
echo "--- up after $(uptime) s"

for word in $(cat /proc/cmdline); do
  case $word in test=*) test=${word#test=} ;; esac
done
cd /tunnelbore || exit 1
echo "export { resultLines as default } from '$PWD/dist/test/kernel/resultLines.js'" >/tmp/reporter.mjs
timeout -k 10 600 node \
  --test-reporter=spec --test-reporter-destination=stdout \
  --test-reporter=/tmp/reporter.mjs --test-reporter-destination=/dev/ttyS1 \
  "dist/test/$test.js" </dev/null
code=$?
echo "--- $test: exit code $code after $(uptime) s of the machine's time"
echo "{\"exitCode\":$code}" >/dev/ttyS1
poweroff -f
