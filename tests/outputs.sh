#!/bin/sh
# SPDX-License-Identifier: MIT
# What is written: no input is written over, no two outputs are one file, and
# what was there before stays until the new content is whole.
. "${srcdir:-.}/tests/guard.sh"
. "${srcdir:-.}/tests/command.sh"

"$fixture" model plain.safetensors 3 '{"num_heads": "3"}' || fail "no model"
for class in a b c; do
    mkdir -p set/$class
    "$fixture" image set/$class/1.png 40 40 7 || fail "no image"
    "$fixture" image set/$class/2.png 50 40 8 || fail "no image"
done
"$fixture" image cat.png 60 60 9 || fail "no image"
model="--model plain.safetensors"
printf '0\n1\n2\n' >valid
printf 'a\t0\nb\t1\nc\t2\n' >map
printf '2,1\n' >plan
echo keep=0.5 >own
echo '{"prune_kept_num": "None", "merge_kept_num": [9, 8]}' >counts
echo '[[0]]' >real.json
echo '{"num_heads": 3}' >config.json
ln -s plain.safetensors link.safetensors
ln plain.safetensors twin.safetensors
cp plain.safetensors other.safetensors
mkfifo fifo
ln set/a/1.png picture.twin
mkdir folder
ln plain.safetensors folder/model.safetensors
set_of_files() {
    find . -type f ! -name err ! -name out ! -name before ! -name after | sort |
        xargs cksum
}
set_of_files >before

# keeps TEXT ARGUMENT...: refused as wrong usage, and no file has changed
keeps() {
    text=$1
    shift
    run 2 "$@"
    says err "$text"
    set_of_files | grep -v -e ' \./part\.' -e ' \./sum$' >after
    cmp -s before after || { fail "$*: a file changed"; diff before after; }
}

# ---- an input, by any of its names

for option in --json --csv --predictions --per-class --confusion; do
    keeps "$option: 'plain.safetensors' is the input 'plain.safetensors'" \
        eval $model set $option plain.safetensors
done
keeps "is the input" eval $model set --json ./plain.safetensors
keeps "is the input" eval $model set --json link.safetensors
keeps "is the input" eval $model set --json twin.safetensors
keeps "is the input" eval --model folder set --json plain.safetensors
keeps "is the input './config.json'" eval --model ./plain.safetensors set \
    --json config.json
keeps "is the input 'set/a/1.png'" eval $model set --json set/a/1.png
keeps "is the input 'set/a/1.png'" sweep $model set --html picture.twin
keeps "is the input 'valid'" eval $model set --valid-labels valid --csv valid
keeps "is the input 'map'" eval $model set --class-map map --csv map
keeps "is the input 'real.json'" eval $model set --real-labels real.json \
    --json real.json
keeps "is the input 'plan'" eval $model set --schedule @plan --json plan
keeps "is the input 'own'" sweep $model set --method 'tome,topk[@own]' \
    --csv own
keeps "is the input 'own'" eval $model set --method topk[@own] --csv own
keeps "is the input 'counts'" sweep $model set \
    --method 'tome,diffrate[file=counts]' --csv counts
keeps "is the input 'counts'" eval $model set --method diffrate \
    --method-options file=counts --json counts
keeps "is the input" eval $model --head twin.safetensors set \
    --csv twin.safetensors
keeps "is the input" sweep $model set --svg plain.safetensors
keeps "is the input" sweep $model set --html plain.safetensors
keeps "is the input" sweep $model --model other.safetensors set \
    --csv other.safetensors
keeps "is the input" tune $model set --max-drop 1 -o plain.safetensors
keeps "is the input" tune $model set --max-drop 1 --json set/b/2.png
keeps "is the input" convert plain.safetensors -o twin.safetensors
keeps "is the input" convert folder -o plain.safetensors
keeps "is the input" visualize $model cat.png -o ./cat.png
keeps "is the input" visualize $model cat.png -o cat2.png --json cat.png
keeps "is the input 'cat.png'" classify $model cat.png --json cat.png
keeps "is the input 'set/c/1.png'" classify $model set --csv set/c/1.png
keeps "is the input" bench $model --json plain.safetensors
keeps "is the input" inspect plain.safetensors --json plain.safetensors
keeps "is not a regular file" convert plain.safetensors -o fifo

# A model in several files is all of them.
"$fixture" model part.safetensors 3 '{"num_heads": "3"}'
{
    printf '{"weight_map":{'
    grep -ao '"[a-z0-9_.]*":{"dtype"' part.safetensors | cut -d: -f1 |
        sed 's/$/:"part.safetensors"/' | paste -sd, -
    printf '}}'
} >part.safetensors.index.json
run 0 inspect part.safetensors.index.json
for file in part.safetensors part.safetensors.index.json; do
    cksum $file >sum
    run 2 eval --model part.safetensors.index.json set --json $file
    says err "is the input '$file'"
    cksum $file | cmp -s - sum || fail "$file was written over"
done

# ---- two outputs

keeps "both write to" eval $model set --json x --csv ./x
mkdir d
ln -s d e
keeps "both write to" eval $model set --json d/x --predictions e/x
: >x
ln x y
run 2 sweep $model set --svg x --html y
says err "both write to 'x'"
rm x y
run 0 eval $model set --json /dev/null --csv /dev/null
run 0 sweep $model set --json d/x --csv d/y

# ---- what was there stays if the run fails

# stays FILE: as it was, with nothing beside it
stays() {
    test "$(cat "$1")" = old || fail "$1 is lost"
    for part in "$1".*; do
        test ! -e "$part" || fail "$part is left"
    done
}
cp -r set bad
echo junk >bad/a/1.png
mkdir none none/a none/b none/c
for class in a b c; do echo junk >none/$class/1.png; done
for file in j c p k f s h o; do echo old >$file; done
all="--json j --csv c --per-class k --confusion f"
run 1 eval --model missing.safetensors set $all --predictions p
run 1 eval $model missing $all --predictions p
run 1 eval $model none $all --predictions p
says err "none of the 3 images could be used"
run 1 sweep $model none $all --svg s --html h
run 1 classify $model none/a/1.png --json j
run 1 classify $model missing.png --csv c
run 1 tune $model none --max-drop 1 --json j -o o
run 1 tune $model set --target-gmacs 0.0000001 --json j -o o
run 1 visualize $model none/a/1.png --json j -o o
run 1 convert none/a/1.png -o o
run 2 bench --arch deit_tiny_patch16_224 --schedule 1,1,1,1,1,1,1,1,1,1,1,1,1 \
    --json j
for file in j c p k f s h o; do stays $file; done

# All of it comes if the run ends well, or with images refused.
run 3 eval $model bad $all --predictions p
run 0 sweep $model set --svg s --html h
run 0 visualize $model cat.png -o o
test "$(head -c 3 o)" != old || fail "the picture was not written"
echo old >o
run 0 tune $model set --max-drop 100 --rounds 0 -o o
for file in j c p k f s h o; do
    test "$(cat $file)" != old || fail "$file was not written"
done
test "$(ls -d ./*.part* 2>/dev/null)" = "" || fail "parts are left"

# ---- killed, and ended by a second signal

mkdir many many/a many/b many/c
i=1000
while test $i -lt 1800; do
    for class in a b c; do ln -s ../../set/$class/1.png many/$class/$i.png; done
    i=$((i + 1))
done
mkfifo pipe
# begin FILE...: a run that hangs on a pipe that nobody reads
begin() {
    for file in j c k f; do echo old >$file; done
    exec 3<>pipe
    "$tomerge" eval $model many --batch 2 --cache-mem 20K --predictions pipe \
        $all >out 2>err 3<&- &
    pid=$!
    read -r first <&3
}
begin
kill -9 $pid
wait $pid 2>/dev/null
exec 3<&-
for file in j c k f; do
    test "$(cat $file)" = old || fail "kill -9: $file is lost"
done
rm -f ./*.part
begin
# Until the pipe is full and it waits for a reader that does not come.
busy=
while used=$(cut -d' ' -f14,15 /proc/$pid/stat) && test "$used" != "$busy"; do
    busy=$used
    sleep 0.5
done
kill -TERM $pid
sleep 0.2
kill -TERM $pid
wait $pid 2>/dev/null
test $? = 143 || fail "a second signal does not end it"
exec 3<&-
for file in j c k f; do stays $file; done

# The first one, SIGHUP as well, leaves a report that says it is partial. Of what
# is ignored when a shell begins, as under nohup, its commands do not hear.
signals="INT TERM HUP"
if sh -c 'kill -s HUP $$' 2>/dev/null; then
    echo "$name: not tried: SIGHUP (it is ignored here)"
    signals="INT TERM"
fi
for signal in $signals; do
    begin
    kill -s $signal $pid
    test $signal != HUP || kill -s $signal $pid
    cat <&3 >drained &
    drain=$!
    wait $pid
    got=$?
    kill $drain
    wait $drain 2>/dev/null
    exec 3<&-
    test $got = 3 || fail "$signal: exit status $got"
    holds j partial images
    says values true
    grep -q ',yes,' c || fail "$signal: the CSV is not marked partial"
    for file in k f; do
        test "$(head -n 1 $file)" != old || fail "$signal: $file is old"
    done
done
# Under nohup it goes on.
(trap '' HUP
 exec "$tomerge" eval $model many --batch 2 --predictions pipe --json j) \
    >out 2>err &
pid=$!
exec 3<pipe
read -r first <&3
kill -HUP $pid
cat <&3 >drained
wait $pid || fail "SIGHUP ends what ignores it"
exec 3<&-
holds j partial
says values false

# A pipe that nobody opens does not outlast Ctrl-C.
"$tomerge" eval $model set --predictions pipe >out 2>err &
pid=$!
sleep 0.5
kill -TERM $pid
wait $pid
test $? = 1 || fail "waiting for a reader: $?"
says err "pipe: "

# ---- links, permissions, places where nothing can be renamed

echo old >real.txt
chmod 640 real.txt
ln -s real.txt soft
run 0 eval $model set --json soft
test -h soft || fail "a link was replaced"
holds real.txt top1
test "$(ls -l real.txt | cut -c 1-10)" = -rw-r----- || fail "other permissions"
ln -s fresh dangling
run 0 eval $model set --json dangling
holds fresh top1
run 1 eval $model set --json d
says err "d: Is a directory"
if test "$(id -u)" != 0; then
    echo old >fixed
    chmod 400 fixed
    run 1 eval $model set --json fixed
    says err "fixed: Permission denied"
    test "$(cat fixed)" = old || fail "a read-only file was replaced"
    mkdir shut
    echo old >shut/open
    chmod 500 shut
    run 0 eval $model set --json shut/open
    holds shut/open top1
    chmod 700 shut
else
    echo "$name: not tried: what may not be written (root may)"
fi
: >mounted
: >over
if unshare -m sh -c 'mount --bind over mounted' 2>/dev/null; then
    unshare -m sh -c 'mount --bind over mounted && shift && exec "$@"' sh - \
        "$tomerge" eval $model set --json mounted >out 2>err ||
        fail "a mounted file: $(cat err)"
    holds over top1
    stays_alone=$(ls mounted* over*)
    test "$stays_alone" = "$(printf 'mounted\nover')" || fail "parts are left"
else
    echo "$name: not tried: a file that is mounted (no leave to mount one)"
fi
exit $status
