#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A long evaluation: does it slow down or grow?

    bench/endurance.py --build build --images 50000

Hard links of the demonstration's pictures stand for the images. While
`tomerge eval` goes through them, its processor time (which other programs do
not take from it, as they do of the clock) and its memory are read whenever its
journal has grown, and given for every tenth of the images.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time

BATCH = 32
TICKS = os.sysconf("SC_CLK_TCK")


def link_pictures(build, folder, count):
    drawn = os.path.join(folder, "drawn")
    subprocess.run([os.path.join(build, "data", "make-images"), drawn],
                   check=True, stdout=subprocess.DEVNULL)
    pictures = sorted(os.path.join(root, name)
                      for root, _, names in os.walk(drawn) for name in names)
    for i in range(count):
        picture = pictures[i % len(pictures)]
        place = os.path.join(folder, "pictures",
                             os.path.basename(os.path.dirname(picture)))
        os.makedirs(place, exist_ok=True)
        os.link(picture, os.path.join(place, f"{i:07d}-" +
                                      os.path.basename(picture)))
    return os.path.join(folder, "pictures")


def usage(pid):
    """Seconds of processor time and kB in memory."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    with open(f"/proc/{pid}/status") as file:
        kilobytes = [int(line.split()[1]) for line in file
                     if line.startswith("VmRSS")]
    return (int(fields[11]) + int(fields[12])) / TICKS, kilobytes[0]


def batches(journal, at):
    """Lines of the journal behind those counted before."""
    try:
        journal.seek(at[0])
        more = journal.read()
    except FileNotFoundError:
        return at
    return at[0] + len(more), at[1] + more.count(b"\n")


def watch(command, path):
    """[(images, seconds, kB)] as the journal grows."""
    seen, at = [], (0, 0)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while not os.path.exists(path) and process.poll() is None:
            time.sleep(0.05)
        with open(path, "rb") as journal:
            while process.poll() is None:
                before, at = at, batches(journal, at)
                if at != before:
                    try:
                        seen.append((BATCH * (at[1] - 1), *usage(process.pid)))
                    except (OSError, IndexError):
                        break  # it has just ended
                time.sleep(0.05)
        process.wait()
    if process.returncode:
        sys.exit(f"eval ended with {process.returncode}")
    return seen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--images", type=int, default=50000)
    parser.add_argument("--r", default="16")
    parser.add_argument("--folder", help="where pictures are linked")
    given = parser.parse_args()
    data = os.path.join(os.path.dirname(__file__), "..", "data")
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        journal = os.path.join(folder, "journal")
        pictures = link_pictures(given.build, folder, given.images)
        seen = watch([os.path.join(given.build, "src", "tomerge"), "eval", "-q",
                      "--model", os.path.join(data, "demo.safetensors"),
                      "--r", given.r, "--threads", "1", "--batch", str(BATCH),
                      "--resume", journal, pictures], journal)
    print("from     to       images a second of processor time   MB at most")
    rates = []
    for tenth in range(10):
        low, high = (given.images * t / 10 for t in (tenth, tenth + 1))
        part = [s for s in seen if low <= s[0] <= high]
        if len(part) < 2:
            sys.exit("too few readings: more images, please")
        rate = ((part[-1][0] - part[0][0]) / (part[-1][1] - part[0][1]))
        rates.append(rate)
        print(f"{part[0][0]:<8d} {part[-1][0]:<8d} {rate:<34.1f}  "
              f"{max(s[2] for s in part) / 1024:.1f}")
    print(f"last tenth over first: {rates[-1] / rates[0]:.4f}")


if __name__ == "__main__":
    main()
