# SPDX-License-Identifier: MIT
# A stage of .ci/run that is asked for by name: how many lines of each reader
# that is fuzzed its corpus reaches, by clang's coverage. Sourced by .ci/run.

# readers TARGET: the files that read what tests/fuzz/fuzz_TARGET is about. The
# corpus of one target need not reach what is another's.
readers() {
    c=vit/containers
    case $1 in
    archive) echo src/folders/shards.c src/folders/archive.c ;;
    counts) echo vit/methods/counts.c ;;
    gguf) echo $c/gguf.c $c/gguf_metadata.c vit/checkpoint/config_mmproj.c ;;
    image) echo src/images/image.c src/images/image_exif.c \
        src/images/image_format.c src/images/image_jpeg.c \
        src/images/image_png.c src/images/image_png_chunks.c \
        src/images/image_turn.c src/images/image_webp.c ;;
    journal) echo src/base/begun.c src/bytes/byte_journal.c \
        src/evaluation/join.c src/evaluation/journal.c \
        src/evaluation/journal_line.c ;;
    list) echo src/folders/listed.c src/folders/pairs.c \
        src/folders/real_labels.c src/folders/valid_labels.c ;;
    merging) echo vit/methods/read.c vit/methods/text.c vit/methods/options.c ;;
    model) echo vit/bytes/describe.c vit/bytes/open.c \
        vit/checkpoint/config_open_clip.c vit/checkpoint/config_timm.c \
        vit/checkpoint/configs.c vit/checkpoint/neighbour.c \
        vit/checkpoint/neighbours.c vit/checkpoint/preprocessor.c \
        vit/text/tower_config.c vit/text/tower_names.c \
        vit/text/tower_read.c ;;
    npy) echo src/embeddings/npy_read.c ;;
    npz) echo $c/npz.c $c/npy.c $c/zip.c $c/zip_inflate.c ;;
    options) echo src/base/args.c src/session/merging_args.c \
        src/session/merging_method.c src/session/method_file.c \
        src/session/method_list.c src/session/method_text.c \
        src/session/schedule_file.c ;;
    packed) echo src/bytes/packed.c src/bytes/range_coder.c ;;
    safetensors) echo $c/safetensors.c $c/safetensors_header.c $c/json.c \
        vit/checkpoint/config_own.c vit/checkpoint/metadata.c ;;
    shards) echo $c/shards.c ;;
    tokenizer) echo vit/text/tokenizer.c vit/text/tokenizer_bpe.c \
        vit/text/tokenizer_json.c vit/text/tokenizer_model.c \
        vit/text/tokenizer_open.c vit/text/byte_pairs.c vit/text/charsmap.c \
        vit/text/clean.c vit/text/clip_words.c vit/text/json_list.c \
        vit/text/specials.c vit/text/unigram.c vit/text/vocabulary.c ;;
    torch) echo $c/torch.c $c/torch_stream.c $c/torch_zip.c $c/pickle.c \
        $c/pickle_names.c $c/pickle_stack.c $c/unwrap.c ;;
    esac
}

# reached TARGET: a line about each of its files, and one of them all. Compilers
# that are called from elsewhere write other beginnings of paths.
reached() {
    program=build-coverage/tests/fuzz/fuzz_$1
    counts=$logs/coverage/$1
    LLVM_PROFILE_FILE=$counts.raw srcdir=$PWD "$program" >"$counts.log" 2>&1 &&
        llvm-profdata merge -o "$counts.data" "$counts.raw" &&
        llvm-cov show "$program" -instr-profile="$counts.data" \
            >"$counts.lines" &&
        llvm-cov export -format=lcov "$program" \
            -instr-profile="$counts.data" >"$counts.lcov" || return 1
    awk -v target="$1" -v wanted="$(readers "$1" | tr '\n' ' ')" '
        function say(part, all, what) {
            printf "%s: %.1f %% of %d lines: %s\n", target,
                100 * part / all, all, what }
        BEGIN { FS = "[:,]"; count = split(wanted, names, " ") }
        $1 == "SF" {
            file = ""
            for (i = 1; i <= count; i++)
                if (substr("/" $2, length($2) - length(names[i]) + 1) == \
                    "/" names[i])
                    file = names[i] }
        $1 == "DA" && file != "" { all[file]++; part[file] += $3 > 0 }
        END {
            for (i = 1; i <= count; i++) {
                if (!all[names[i]])
                    exit 1
                say(part[names[i]], all[names[i]], names[i])
                parts += part[names[i]]
                lines += all[names[i]] }
            say(parts, lines, "all of it") }' "$counts.lcov"
}

# Fails where a reader's corpus reaches less than nine lines of ten. Which they
# are is then in NAME.lines beside the log.
coverage() {
    (BUILD=build-coverage CC=clang
     CFLAGS="-O1 -g -fprofile-instr-generate -fcoverage-mapping"
     CONFIGURE_FLAGS=--disable-shared
     export CC CFLAGS
     configure_build) || return 1
    targets=$(ls tests/fuzz/fuzz_*.c | sed 's/.*fuzz_//; s/\.c$//')
    mkdir -p "$logs/coverage" &&
        make -C build-coverage -j"$JOBS" &&
        make -C build-coverage -j"$JOBS" \
            $(printf 'tests/fuzz/fuzz_%s ' $targets) || return 1
    low=
    for target in $targets; do
        test -n "$(readers "$target")" || continue
        reached "$target" >"$logs/coverage/$target.reached" || return 1
        cat "$logs/coverage/$target.reached"
        awk '/all of it$/ { exit $2 >= 90 }' "$logs/coverage/$target.reached" &&
            low="$low $target"
    done
    test -z "$low" && return 0
    echo "under 90 %:$low"
    return 1
}
