# SPDX-License-Identifier: MIT
# For tests of evals in several processes, whose report has to be that of one:
# full.*, with the names of $counts. Sourced after guard.sh, before command.sh.

# outputs NAME: the options that write an eval's results to files of that name
outputs() {
    echo "--json $1.json --predictions $1.csv --per-class $1.classes
        --confusion $1.confusion"
}
# whole NAME: they are those of one process
whole() {
    holds full.json $counts
    cp values wanted
    holds $1.json $counts
    cmp -s values wanted || { fail "$1: another report:"; diff wanted values; }
    for kind in csv classes confusion; do
        cmp -s $1.$kind full.$kind || fail "$1: another $kind"
    done
}
