#!/bin/busybox sh
# shellcheck shell=dash
# The guest's first process. The kernel talks on ttyS0, the script of boot.sh
# (/run.sh) has ttyS1 to itself, its exit status goes to ttyS2.
export PATH=/usr/bin:/usr/sbin:/bin HOME=/home TERM=dumb
/bin/busybox mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
ln -sf /proc/self/fd /dev/fd
hostname guest

stty -F /dev/ttyS1 raw -echo
stty -F /dev/ttyS2 raw -echo
cd /home || :
# In a session of its own, so that what it leaves behind can be ended.
setsid sh /run.sh </dev/null >/dev/ttyS1 2>&1
status=$?
[ "$status" = 0 ] || dmesg >/dev/ttyS0
echo "$status" >/dev/ttyS2
poweroff -f
