#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random texts by tokenizers of Gemma's kind, which SigLIP 2 has, and by the
tokenizers library: the same numbers.

    tests/differential/texts.py --fixture build/tests/fixture --count 10000
    tests/differential/texts.py --fixture build/tests/fixture --pieces 256000

The tokenizer is made up, as Gemma's own is not free to ship: byte pairs with a
fallback to bytes, all ways of cutting a piece in two as merges in the order of
the pieces, and added tokens for runs of newlines and blanks and for tags. With
--pieces 256000 its file is as large as Gemma's. Needs the package tokenizers.
Exits with 1 if anything differs.
"""
import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer

BLANK = "\u2581"
ENDS = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
TAGS = (["<2mass>", "[@BOS@]", "<table>", "</table>", "<h1>"] +
        [f"<unused{i}>" for i in range(20)] +
        ["\n" * i for i in range(1, 32)] + [BLANK * i for i in range(2, 32)])
LETTERS = [chr(c) for a, b in ((0x21, 0x7e), (0xa1, 0x17f), (0x391, 0x3c9),
                               (0x410, 0x44f), (0x5d0, 0x5ea), (0x905, 0x939),
                               (0x3041, 0x3093), (0x4e00, 0x4f00),
                               (0x1f600, 0x1f640)) for c in range(a, b + 1)]
# What is no piece anywhere: marks, controls, other planes, joiners.
RARE = ["\u0301", "\u200d", "\ufe0f", "\x01", "\x7f", "\x85", "\u00ad",
        "\ufeff", "\ufffd", "\U0001f9d1", "\U00020000", "\U0010ffff", "\u0e01",
        "\ud7a3", "\u2028", "\u00a0", "\u3000", "\t", "\r", "\x0b"]


def pieces(rng, count):
    """In the order of their numbers."""
    made = ENDS + TAGS + [f"<0x{i:02X}>" for i in range(256)]
    known = set(made)
    grown = [BLANK] + LETTERS
    known.update(grown)
    common = [BLANK] + [chr(c) for c in range(0x61, 0x7b)]
    while len(made) + len(grown) < count:
        near = min(len(grown), 2000 if rng.random() < 0.7 else 10 ** 9)
        a = rng.choice(common) if rng.random() < 0.3 else grown[
            rng.randrange(near)]
        piece = a + grown[rng.randrange(near)]
        if piece not in known and len(piece) <= 16:
            known.add(piece)
            grown.append(piece)
    # Characters are the least likely and come last.
    return made + grown[1 + len(LETTERS):] + grown[:1 + len(LETTERS)]


def merges(words):
    """[transformers, convert_slow_tokenizer.py: GemmaSentencePieceExtractor]"""
    first = len(ENDS) + len(TAGS) + 256
    grown, found = {w: i for i, w in enumerate(words) if i >= first}, []
    for word in grown:
        cuts = [(word[:i], word[i:]) for i in range(1, len(word))
                if word[:i] in grown and word[i:] in grown]
        found += sorted(cuts, key=lambda c: (grown[c[0]], grown[c[1]]))
    return found


def tokenizer(rng, count, pairs, lower):
    words = pieces(rng, count)
    cuts = merges(words)
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": BLANK}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": i, "content": w, "single_word": False, "lstrip": False,
             "rstrip": False, "normalized": False, "special": i < len(ENDS)}
            for i, w in enumerate(words[:len(ENDS) + len(TAGS)])],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Lowercase"}, replace]} if lower else replace,
        "pre_tokenizer": {"type": "Split", "pattern": {"String": " "},
                          "behavior": "MergedWithPrevious", "invert": False},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "<eos>", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<eos>": {"id": "<eos>", "ids": [1],
                                         "tokens": ["<eos>"]}}},
        "decoder": None,
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>",
                  "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True,
                  "byte_fallback": True, "ignore_merges": False,
                  "vocab": {w: i for i, w in enumerate(words)},
                  "merges": [list(c) if pairs else " ".join(c)
                             for c in cuts]}}


def text(rng, words):
    """A few of: pieces as they are and in capitals, runs, tags, what is
    rare, any characters."""
    out = []
    for _ in range(rng.randrange(1, 24)):
        kind = rng.random()
        if kind < 0.55:
            piece = words[rng.randrange(len(words))].replace(BLANK, " ")
            out.append(piece.upper() if rng.random() < 0.1 else piece)
        elif kind < 0.65:
            out.append(rng.choice(" \n\t" + BLANK) * rng.randrange(1, 40))
        elif kind < 0.7:
            out.append(rng.choice(TAGS + ENDS))
        elif kind < 0.8:
            out.append(rng.choice(RARE) * rng.randrange(1, 4))
        elif kind < 0.9:
            out.append("".join(rng.choice(LETTERS)
                               for _ in range(rng.randrange(1, 30))))
        else:
            c = rng.randrange(1, 0x110000)
            out.append("?" if 0xd800 <= c < 0xe000 else chr(c))
    return "".join(out)


def compare(args, rng, pairs, lower, folder):
    path = os.path.join(folder, "tokenizer.json")
    made = tokenizer(rng, args.pieces, pairs, lower)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(made, file, ensure_ascii=not pairs,
                  indent=None if pairs else 2)
    theirs = Tokenizer.from_file(path)
    words = list(made["model"]["vocab"])
    texts = ["", " ", "  ", " a", BLANK] + [
        text(rng, words) for _ in range(args.count // 2)]
    listed = os.path.join(folder, "texts.json")
    with open(listed, "w", encoding="utf-8") as file:
        json.dump(texts, file)
    lines = subprocess.run([args.fixture, "tokens", path, listed], check=True,
                           stdout=subprocess.PIPE).stdout.decode().split("\n")
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    differ = 0
    for text_, line in zip(texts, lines[:-1]):
        want = theirs.encode(text_, add_special_tokens=False).ids
        if [int(i) for i in line.split()] != want:
            differ += 1
            if differ < 4:
                print(f"{text_!r}: {line}, not {want}")
    print(f"{len(texts)} texts, {len(words)} pieces, "
          f"{len(made['model']['merges'])} merges, "
          f"{os.path.getsize(path) / 1e6:.1f} MB, at most {memory} MB of "
          f"memory: {differ} differ")
    return differ or len(lines) != len(texts) + 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fixture", required=True)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--pieces", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng, failed = random.Random(args.seed), 0
    for pairs, lower in ((True, False), (False, True)):
        with tempfile.TemporaryDirectory() as folder:
            failed |= compare(args, rng, pairs, lower, folder)
    sys.exit(bool(failed))


main()
