#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random calls of bipartite matching and merging through the Python package,
and by this program in NumPy and double precision, from the header's words:
the same map, ties included, and the same rows but for rounding.

    TOMERGE_LIBRARY=build/.libs/libtomerge.so PYTHONPATH=tomerge/python/src \\
        tests/differential/merges.py --count 10000

Metrics are small integers, on which dot and Euclidean similarity are exact and
ties are many, or normal numbers under cosine; there a call in which two of the
similarities that decide are nearer than f32 can tell is counted and left out.
Exits with 1 if anything differs.
"""
import argparse
import random
import sys

import numpy as np
import tomerge


def sides(method, tokens, protect, role):
    """Sources and destinations, ascending."""
    free = range(protect, tokens)
    if method == "alternating":
        return [i for i in free if i % 2 == 0], [i for i in free if i % 2]
    if method == "sequential":
        half = (len(free) + 1) // 2
        return list(free[:half]), list(free[half:])
    return ([i for i in free if role[i] == 0],
            [i for i in free if role[i] != 0])


def similarities(metric, similarity, rows, columns):
    a, b = metric[rows].astype(float), metric[columns].astype(float)
    if similarity == "euclidean":
        return -((a[:, None] - b[None]) ** 2).sum(-1)
    if similarity == "cosine":
        a /= np.linalg.norm(a, axis=1, keepdims=True)
        b /= np.linalg.norm(b, axis=1, keepdims=True)
    return a @ b.T


def near(scores, best, r, exact):
    """Could rounding have decided? Between destinations or at the r-th."""
    if exact or len(scores) == 0:
        return False
    if scores.shape[1] > 1:
        two = np.sort(scores, axis=1)[:, -2:]
        if (two[:, 1] - two[:, 0]).min() < 1e-5:
            return True
    ranked = np.sort(best)[::-1]
    return 0 < r < len(ranked) and ranked[r - 1] - ranked[r] < 1e-5


def by_hand(metric, r, method, similarity, protect, role):
    """For every token its row, grouped; None where rounding decides."""
    tokens = len(metric)
    sources, targets = sides(method, tokens, protect, role)
    most = len(sources) if method == "given" else (tokens - protect) // 2
    r = min(r, most, len(sources) if targets else 0)
    if r <= 0:
        return list(range(tokens))
    scores = similarities(metric, similarity, sources, targets)
    choice = scores.argmax(1)                       # among equals the first
    best = scores[np.arange(len(sources)), choice]
    if near(scores, best, r, similarity != "cosine"):
        return None
    ranked = sorted(range(len(sources)), key=lambda i: (-best[i], i))
    goes = {sources[i]: targets[choice[i]] for i in ranked[:r]}
    kept = (list(range(protect)) + [i for i in sources if i not in goes] +
            targets)
    place = {token: row for row, token in enumerate(kept)}
    return [place[goes.get(i, i)] for i in range(tokens)]


def combined(x, size, rows, count, combine):
    y, total = np.zeros((count, x.shape[1])), np.zeros(count)
    for row in range(count):
        group = np.flatnonzero(rows == row)
        part = x[group].astype(float)
        weight = size[group].astype(float)
        total[row] = weight.sum()
        if combine == "weighted":
            y[row] = weight @ part / weight.sum()
        elif combine == "mean":
            y[row] = part.mean(0)
        else:
            y[row] = part.sum(0) if combine == "sum" else part.max(0)
    return y, total


def one(rng):
    """'' if it is the same, 'near', or what is not."""
    numbers = np.random.RandomState(rng.randrange(1 << 31))
    tokens, channels = rng.randint(2, 90), rng.randint(1, 40)
    method = rng.choice(["alternating", "sequential", "given"])
    similarity = rng.choice(["cosine", "dot", "euclidean"])
    protect = rng.choice([0, 0, 1, 1, 2, 5])
    r = rng.randint(0, tokens)
    combine = rng.choice(["weighted", "mean", "sum", "max"])
    protect = min(protect, tokens - 1)
    role = np.zeros(tokens, np.uint8)
    if method == "given":
        role[numbers.randint(protect, tokens, rng.randint(1, tokens))] = \
            tomerge.Role.DESTINATION
    metric = (numbers.randn(tokens, channels) if similarity == "cosine" else
              numbers.randint(-2, 3, (tokens, channels))).astype(np.float32)
    x = numbers.randn(tokens, rng.randint(1, 20)).astype(np.float32)
    size = numbers.randint(1, 9, tokens).astype(np.float32)
    call = (f"{tokens} x {channels}, r {r}, {method}, {similarity}, protect "
            f"{protect}, {combine}")
    rows = by_hand(metric, r, method, similarity, protect, role)
    if rows is None:
        return "near"
    plan = tomerge.plan(metric, r, method=method, similarity=similarity,
                        protect=protect,
                        role=role if method == "given" else None)
    if not np.array_equal(plan.map, rows):
        return f"another map: {call}"
    found, sizes = plan.merge(x, size, combine=combine)
    wanted, total = combined(x, size, np.array(rows), max(rows) + 1, combine)
    if found.shape != wanted.shape or not np.array_equal(sizes, total):
        return f"other sizes: {call}"
    if not np.allclose(found, wanted, rtol=1e-5, atol=2.0 ** -20):
        return f"other rows: {call}"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    left_out, differences = 0, []
    for i in range(args.count):
        what = one(random.Random(args.seed * 1000003 + i))
        left_out += what == "near"
        if what not in ("", "near"):
            differences.append(f"call {i}: {what}")
    print("\n".join(differences[:20]))
    print(f"{args.count} calls, {left_out} decided by rounding and left out, "
          f"{len(differences)} differ")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
