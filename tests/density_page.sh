#!/bin/sh
# SPDX-License-Identifier: MIT
# density: its page, whatever files are called; several ways of merging side by
# side; parts, and what join makes of their journals.
. "${srcdir:-.}/tests/guard.sh"
. "${srcdir:-.}/tests/command.sh"

bytes=$srcdir/tests/fixtures/bytes
case $bytes in /*) ;; *) bytes=$build/$bytes ;; esac
model=$bytes/gelu.safetensors
mkdir -p many/a many/b
for i in 1 2 3 4 5 6 7 8 9; do
    "$fixture" image "many/a/<b>$i\"'&.png" 4 4 $i
    "$fixture" image many/b/$i.png $((i + 2)) 9 $((i + 20))
done

# ---- the page

# count FILE TEXT NUMBER
count() {
    got=$(grep -oF -- "$2" "$1" | wc -l)
    test "$got" -eq "$3" || fail "$1: '$2' $got times, not $3"
}
run 0 density -q --model "$model" many --csv many.csv --html page.html
count page.html 'src="data:image/png;base64,' 24
count page.html '<figure>' 24
count page.html '://' 0
says page.html '&lt;b&gt;1&quot;&#39;&amp;.png'
grep -qE '<script|@import|url\(|<b>[1-9]"' page.html &&
    fail "a name became markup, or something is outside"
if tool xmllint; then
    xmllint --noout page.html 2>err || { fail "not well-formed:"; cat err; }
elif tool python3 && python3 -c 'import xml.dom.minidom' 2>/dev/null; then
    python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' \
        page.html 2>err || { fail "not well-formed:"; cat err; }
fi
# The strips are the ranks: the first picture's bits, and the last's.
grep -o '<figcaption><b>[0-9.]*' page.html | sed 's/.*>//' >strip
awk -F, 'NR > 1 { n++; b[n] = $4 }
    END { for (i = 1; i <= 12; i++) printf "%.3f\n", b[i]
          for (i = n; i > n - 12; i--) printf "%.3f\n", b[i] }' many.csv >wanted
cmp -s strip wanted || { fail "not the ranks:"; paste strip wanted; }
# The first of them has the pixels of the file.
sed -n 2p many.csv | cut -d, -f2 >first
grep -oE 'base64,[A-Za-z0-9+/=]*' page.html | head -n 1 | cut -c8- |
    base64 -d >first.png
case $(cat first) in
*a/*) "$fixture" same first.png "many/$(sed 's/^"//; s/"$//; s/""/"/g' first)" ||
    fail "another picture than $(cat first)" ;;
esac
run 0 density -q --model "$model" many/b/1.png --html one.html
count one.html '<figure>' 2
run 0 density -q --model "$model" many --html -
cp out page
count page '<figure>' 24
echo before >none.html
printf 'no picture' >none.png
run 1 density -q --model "$model" none.png --html none.html
test "$(cat none.html)" = before || fail "a page of nothing"
run 2 density -q --model "$model" many --html x --json x
says err "both write to 'x'"

# ---- ways of merging

run 0 density -q --model "$model" many --merge 0,4:2,4:4,8:2,2:2 --csv ways.csv \
    --json ways.json --html ways.html
cmp -s many.csv ways.csv || fail "other numbers beside other ways"
lines ways.csv 19
number() { # number FILE KEY
    holds "$1" "$2" && cat values
}
at=0
for way in "" "--window 4 --group 2" "--window 4 --group 4" \
    "--window 8 --group 2" "--window 2 --group 2"; do
    run 0 density -q --model "$model" many $way --json one.json
    number one.json bits_per_byte.mean >one
    number ways.json merging.$at.bits_per_byte.mean >several
    cmp -s one several || fail "'$way' by itself: $(cat one several)"
    number one.json gmacs >one
    number ways.json merging.$at.gmacs >several
    cmp -s one several || fail "GMACs of '$way': $(cat one several)"
    at=$((at + 1))
done
# What is more is the difference of the means, and the first's is none.
holds ways.json merging.0.bits_per_byte.mean merging.2.bits_per_byte.mean \
    merging.2.more.mean merging.2.more.standard_error
awk '{ v[NR] = $1 } END { d = v[2] - v[1] - v[3]
    exit !(d < 1e-7 && d > -1e-7 && v[4] > 0) }' values ||
    fail "more is not the difference: $(cat values)"
count ways.html 'class="point ' 10
says ways.html ">4:2</text>"
run 0 density -q --model "$model" many --merge 4:2,0 --csv first.csv
run 0 density -q --model "$model" many --window 4 --group 2 --csv alone.csv
cmp -s first.csv alone.csv || fail "ranks are not by the first way"
for list in 4:3 4 :2 0,,0 4:2:2 0,0,0,0,0,0,0,0,0 4:1 4:0 ""; do
    run 2 density -q --model "$model" many --merge "$list"
done
run 2 density -q --model "$model" many --merge 0 --window 4 --group 2
says err "--merge takes the place of --window and --group"

# ---- journals of several ways, parts, and join

run 0 density -q --model "$model" many --merge 0,4:2 --resume journal
lines journal 19
size=$(wc -c <journal)
for part in 2 5 8; do
    head -c $((size * part / 9)) journal >cut
    run 0 density -q --model "$model" many --merge 0,4:2 --resume cut
    # But for the command that it was begun by, whose file has another name.
    sed 1d cut >rest
    sed 1d journal | cmp -s - rest || fail "another journal ($part)"
done
run 1 density -q --model "$model" many --merge 0,8:2 --resume journal
says err "it is about"
for k in 1 2 3; do
    run 0 density -q --model "$model" many --merge 0,4:2 --part $k/3 \
        --resume part.$k
done
lines part.2 7
run 0 join part.3 part.1 part.2 --csv joined.csv --json joined.json \
    --html joined.html
cmp -s many.csv joined.csv || fail "other numbers by parts"
number ways.json merging.1.bits_per_byte.mean >one
number joined.json merging.1.bits_per_byte.mean >several
cmp -s one several || fail "other means by parts"
grep -o '<figcaption><b>[0-9.]*' joined.html | sed 's/.*>//' | cmp -s - strip ||
    fail "another strip by parts"
run 0 density -q --model "$model" many --part 2/3 --json part.json
number part.json images >one
test "$(cat one)" = 6 || fail "a third of 18 is not $(cat one)"
run 1 join part.1 part.3 --csv none.csv
says err "images 7 to 12 of 18 are in no journal"
run 1 join part.1 part.2 part.2 part.3
says err "are both of image"
head -n 4 part.2 >short
run 1 join part.1 short part.3
says err "short: it is not finished, 3 of 6 images are done"
run 0 density -q --model "$model" many --part 2/3 --resume other
run 2 join part.1 other part.3
says err "other was begun with --merge \"0\", not \"0,4:2\""
run 0 density -q --model "$model" many --merge 0,4:2 --part 2/3 \
    --resume another --dtype bf16
run 2 join part.1 another part.3
says err "another was begun with"
{ cat part.2; echo "[1,2,3]"; } >long
run 1 join part.1 long part.3
says err "long: picture 7 is none of this run's"
{ head -n 3 part.2; echo "[1,2]"; } >odd
run 1 join part.1 odd part.3
says err "odd: picture 3 is none of this run's"
run 1 join many.csv
says err "it is not a journal of tomerge"
run 2 join part.1 part.2 part.3 --per-class x
says err "density has none"
run 2 join part.1 part.2 part.3 --svg x
run 0 density --model "$model" many/b/1.png --part 1/2
says err "there is no image in this part"
exit $status
