#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How an evaluation grows with ranks, on one machine: a forward of known cost
that takes no CPU (bench_ranks.c), so that what is seen is all the rest.

In a build folder, --with-mpi:

    make bench/bench_ranks tests/fixture
    python3 ../bench/ranks.py [--images N] [--cost MS] [--ranks 1,2,4,8]

Prints for each number of ranks the wall time that the report gives, what
forwards alone would take, and the share of time outside them. Then, of a folder
of ten times as many images, what does not become less with more ranks: listing
them, and what rank 0 does with what it is told of each, which is a run that
finds all in its journals."""

import argparse
import json
import os
import resource
import shutil
import subprocess
import tempfile

HERE = os.getcwd()
COMMAND = os.path.join(HERE, "bench/bench_ranks")
FIXTURE = os.path.join(HERE, "tests/fixture")
OPEN_MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_rmaps_base_oversubscribe": "1",
            "OMPI_MCA_btl": "self,vader", "OMP_WAIT_POLICY": "passive"}


def make_set(folder, count):
    """`count` names of one small picture, in three classes; file systems have
    limits on the names of a file."""
    for label in "abc":
        os.makedirs(f"{folder}/{label}")
    for i in range(count):
        if i % 30000 == 0:
            shutil.copy("1.png", f"{folder}.png")
        os.link(f"{folder}.png", f"{folder}/{'abc'[i % 3]}/{i:08}.png")
        if i % 30000 == 29999:
            os.remove(f"{folder}.png")


def evaluate(folder, ranks, cost, *more):
    """The report; seconds of CPU and bytes of the largest process."""
    launcher = ["mpirun", "-n", str(ranks)] if ranks else []
    words = [COMMAND, "eval", "--model", "plain.safetensors", "--threads", "1",
             "--quiet", "--r", "4", "--json", "report.json", *more, folder]
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        subprocess.run(launcher + words, check=True,
                       env={**os.environ, **OPEN_MPI, "FORWARD_MS": str(cost)},
                       stdout=subprocess.DEVNULL)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        os.write(write, json.dumps([used.ru_utime + used.ru_stime,
                                    used.ru_maxrss * 1024]).encode())
        os._exit(0)
    os.close(write)
    text = os.read(read, 1000)
    os.waitpid(child, 0)
    os.close(read)
    with open("report.json", encoding="utf8") as file:
        return json.load(file), *json.loads(text)


def grow(images, cost, ranks):
    make_set("set", images)
    print(f"{images} images of {cost:g} ms, batches of 32")
    print("ranks  seconds  forwards alone  outside them")
    for n in ranks:
        report, _, _ = evaluate("set", n, cost)
        wall, own = report["seconds"]["wall"], images * cost / 1000 / n
        print(f"{n:5}  {wall:7.2f}  {own:14.2f}  {100 * (1 - own / wall):10.1f} %",
              flush=True)


def stay(images):
    make_set("few", 3)
    make_set("large", images)
    few = evaluate("few", 0, 0, "--limit", "1")
    none = evaluate("large", 0, 0, "--limit", "1")
    evaluate("large", 2, 0, "--resume", "j")
    bytes_ = sum(os.path.getsize(f"j.{k}") for k in range(2))
    # Rank 0 as one that finds all done: the same command by one rank.
    known = evaluate("large", 1, 0, "--resume", "j")
    assert known[0]["images"] == images
    print(f"{images} images, of each:")
    print(f"  listing         {(none[1] - few[1]) / images * 1e6:6.1f} us, "
          f"{(none[2] - few[2]) / images:6.0f} bytes")
    print(f"  told to rank 0  {(known[1] - none[1]) / images * 1e6:6.1f} us, "
          f"{(known[2] - none[2]) / images:6.0f} bytes")
    print(f"  journal         {bytes_ / images:6.0f} bytes")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("--images", type=int, default=4000)
    arguments.add_argument("--cost", type=float, default=5)
    arguments.add_argument("--ranks", default="1,2,4,8")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        subprocess.run([FIXTURE, "model", "plain.safetensors", "3",
                        '{"num_heads": "3"}'], check=True)
        subprocess.run([FIXTURE, "image", "1.png", "40", "40", "1"], check=True)
        grow(given.images, given.cost, [int(n) for n in given.ranks.split(",")])
        stay(10 * given.images)
        os.chdir(HERE)


if __name__ == "__main__":
    main()
