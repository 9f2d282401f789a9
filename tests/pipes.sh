#!/bin/sh
# SPDX-License-Identifier: MIT
# Lists that come through a pipe are read; a pipe that nobody writes to is
# waited for until the first signal, not the second. A mapped file whose bytes
# are gone ends the command with a line.
. "${srcdir:-.}/tests/guard.sh"
. "${srcdir:-.}/tests/command.sh"

"$fixture" model m.safetensors 3 '{"num_heads": "3"}' || fail "no model"
mkdir set
for i in 1 2 3; do
    "$fixture" image set/$i.png 40 $((30 + i)) $i || fail "no image"
done
printf '1.png,0\n2.png,1\n3.png,2\n' >labels
mkfifo pipe

cat labels >pipe &
run 0 eval --model m.safetensors set --labels pipe --json piped.json
wait
run 0 eval --model m.safetensors set --labels labels --json read.json
holds piped.json images top1
cp values piped
holds read.json images top1
cmp -s piped values || fail "labels through a pipe are others"

# ends SIGNAL STATUS ARGUMENT...: waits for the pipe until the signal
ends() {
    signal=$1
    expected=$2
    shift 2
    timeout -s KILL 60 "$tomerge" "$@" >out 2>err </dev/null &
    timer=$!
    command=
    while test -z "$command" && kill -0 $timer 2>/dev/null; do
        command=$(pgrep -P $timer)
    done
    sleep 1
    kill -"$signal" $command
    wait $timer
    got=$?
    test $got = "$expected" ||
        fail "SIG$signal: exit status $got instead of $expected"
}
if command -v pgrep >/dev/null && command -v timeout >/dev/null; then
    ends TERM 1 eval --model m.safetensors set --labels pipe
    says err "pipe: Interrupted system call"
    # Arguments are read before there is work to end cleanly.
    ends INT 130 eval --model m.safetensors set --schedule @pipe
    ends BUS 1 eval --model m.safetensors set --labels pipe
    says err "a file became shorter while it was read, or its disk failed"
    lines err 1
else
    echo "pgrep or timeout is missing: signals are not tried"
fi
exit $status
