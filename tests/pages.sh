#!/bin/sh
# SPDX-License-Identifier: MIT
# sweep --svg and --html: well-formed whatever files and classes are called,
# nothing outside of them, and the numbers of the report.
. "${srcdir:-.}/tests/guard.sh"
. "${srcdir:-.}/tests/command.sh"

subcommand=sweep
evil='<img src=x onerror=alert(1)>&"'"'"
names='{"num_heads": "3", "class_names": "[\"<img src=x onerror=alert(1)>&\\\"'"'"'\", \"two\", \"three\"]"}'
"$fixture" model "m<&.safetensors" 3 "$names" || fail "no model"
model="--model m<&.safetensors --quiet"
n=0
for class in "$evil" two three; do
    mkdir -p "set/$class"
    for i in 1 2 3 4 5; do
        n=$((n + 1))
        "$fixture" image "set/$class/<b>$i\"'&.png" $((30 + 9 * n)) \
            $((90 - 4 * n)) $n || fail "no image"
    done
done
bad=$(printf 'set/two/\377\001\302.png')
if ! cp "set/two/<b>1\"'&.png" "$bad" 2>/dev/null; then
    echo "$name: not tried: names that are not UTF-8"
fi

if tool xmllint; then
    well_formed() { xmllint --noout "$1" 2>err || { fail "$1:"; cat err; }; }
elif tool python3 && python3 -c 'import xml.dom.minidom' 2>/dev/null; then
    well_formed() {
        python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' \
            "$1" 2>err || { fail "$1:"; cat err; }
    }
else
    echo "$name: not tried: well-formedness (neither xmllint nor python3)"
    well_formed() { :; }
fi
# count FILE TEXT NUMBER
count() {
    got=$(grep -oF -- "$2" "$1" | wc -l)
    test "$got" = "$3" || fail "$1: '$2' $got times, not $3"
}

run 0 $model set --r 0,2,6:-1 --svg s.svg --html s.html --csv s.csv
for file in s.svg s.html; do
    well_formed $file
    count $file 'class="point ' 6
    count $file '>r=6:-1</text>' 2
    count $file '://' "$(grep -o 'xmlns="http://www.w3.org/2000/svg"' $file |
        wc -l)"
    grep -oE '(href|src|style)="[^"]{8}' $file |
        grep -vE '"(data:ima|text-ali)' && fail "$file refers to the outside"
    grep -qiE '<script|@import|url\(|<link[^>]*href="[^d]' $file &&
        fail "$file refers to something outside, or has a script"
done
# All that is loaded is in the page.
count s.html 'src="data:image/png;base64,' "$(grep -o '<img ' s.html | wc -l)"
grep -qE '<img src|<b>[0-9]|</title><b' s.html && fail "a name became markup"
says s.html '&lt;img src=x onerror=alert(1)&gt;&amp;&quot;&#39;'
says s.html '<code>tomerge sweep --model &#39;m&lt;&amp;.safetensors&#39;'
says s.svg '<title>m&lt;&amp;</title>'
count s.html '<tr class="p' 3
# What hovering shows, and the table, are the report's numbers.
number() { awk -F, -v name="$1" -v row="$2" -v format="$3" '
    NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i }
    NR == row + 1 { printf format, $at }' s.csv; }
for row in 1 2 3; do
    for file in s.svg s.html; do
        count $file ": top-1 $(number top1 $row %.2f) % (95 %: $(number \
            top1_interval.low $row %.1f)-$(number top1_interval.high $row \
            %.1f)), top-5" $(awk -F, -v c="$(number top1 $row %s)" 'NR == 1 {
            for (i = 1; i <= NF; i++) if ($i == "top1") at = i }
            NR > 1 && $at == c { n += 2 } END { print n }' s.csv)
    done
    says s.html "<td>$(number images_per_second.forward $row %.1f)</td>"
done
# The first picture is the crop of an image: it can be read.
grep -oE 'base64,[A-Za-z0-9+/=]*' s.html | head -n 1 | cut -c8- |
    base64 -d >crop.png
"$tomerge" inspect >/dev/null || fail "no demonstration"
"$tomerge" classify --model "m<&.safetensors" crop.png >out 2>err ||
    { fail "the first picture:"; cat err; }
says s.html 'all schedules saw the same images'

# To standard output, one schedule, no image, and where it cannot be written.
run 0 $model set --r 0 --html -
cp out one.html
well_formed one.html
count one.html 'class="point ' 2
run 0 $model set --r 0,2 --svg -
well_formed out
mkdir -p none/a none/b none/c
for class in a b c; do
    echo junk >none/$class/1.png
done
printf 'a\t0\nb\t1\nc\t2\n' >map
run 1 $model none --class-map map --r 0,2 --svg n.svg --html n.html
says err "none of the 3 images could be used"
well_formed n.svg
well_formed n.html
count n.svg 'class="point ' 0
run 1 $model set --html nowhere/x
says err "nowhere/x: No such file or directory"
run 2 $model set --html x --svg x
says err "both write to 'x'"
if test -c /dev/full; then
    run 1 $model set --html /dev/full
    says err "/dev/full: No space left on device"
fi
exit $status
