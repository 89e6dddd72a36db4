#!/bin/sh
# The first process of the emulated machine: runs the test files that the kernel's command line names (`tests=a,b`, by
# their path below dist/test, without the suffix), one after the other, and ends the machine. The console (ttyS0) is the
# log; ttyS1 takes one line of JSON for each result (resultLines.ts), and one for the end of each file.
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
  case $word in tests=*) tests=${word#tests=} ;; esac
done
cd /tunnelbore || exit 1
echo "export { resultLines as default } from '$PWD/dist/test/kernel/resultLines.js'" >/tmp/reporter.mjs
IFS=,
for file in $tests; do
  began=$(uptime)
  echo "--- $file"
  timeout -k 10 600 node \
    --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=/tmp/reporter.mjs --test-reporter-destination=/dev/ttyS1 \
    "dist/test/$file.js" </dev/null
  code=$?
  echo "--- $file: exit code $code after $(($(uptime) - began)) s of the machine's time"
  echo "{\"file\":\"$file\",\"exitCode\":$code}" >/dev/ttyS1
done
poweroff -f
