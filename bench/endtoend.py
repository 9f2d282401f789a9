#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Images on disk to predictions: `tomerge eval` beside what people run today.

The same checkpoint, images and threads, each way in a process of its own, in
turns: PyTorch with timm's transforms and a DataLoader, as timm's validation
script has it, eager and compiled; OpenVINO on the same graph, converted
beforehand, with images opened and resized by Pillow and the rest done by its
own preprocessing; tomerge. Prints images/s of the whole (start included), the
time until the first predictions are there, the most memory that the processes
of a way held together, and the share of first classes that equal the first
way's. Ways whose packages are not installed are left out, by name. Needs timm
and torch; openvino for its own.

    bench/endtoend.py --tomerge build/src/tomerge --model FILE \\
        --name vit_tiny_patch16_224 FOLDER
"""
import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

WORKERS = 2                     # of a DataLoader; half of validate.py's
ENDINGS = (".jpeg", ".jpg", ".png", ".webp")


# ---- what each way runs: prints "path,class" a line ---------------------------

def images_of(folder):
    found = [os.path.join(path, name) for path, _, names in os.walk(folder)
             for name in names if name.lower().endswith(ENDINGS)]
    return sorted(found)


def say(paths, classes):
    for path, one in zip(paths, classes):
        print(f"{path},{int(one)}")
    sys.stdout.flush()


def timm_model(args):
    import timm
    import torch
    torch.set_num_threads(args.threads)
    model = timm.create_model(args.name, checkpoint_path=args.model).eval()
    return model, timm.data.resolve_model_data_config(model)


class Folder:
    """What a DataLoader takes images from."""

    def __init__(self, paths, transform):
        self.paths, self.transform = paths, transform

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        from PIL import Image
        return self.transform(Image.open(self.paths[i]).convert("RGB")), i


def run_torch(args, compiled=False):
    import timm
    import torch
    model, config = timm_model(args)
    paths = images_of(args.folder)
    data = Folder(paths, timm.data.create_transform(**config))
    if compiled:
        model = torch.compile(model)
    with torch.inference_mode():
        for pixels, index in torch.utils.data.DataLoader(
                data, batch_size=args.batch, num_workers=WORKERS):
            classes = model(pixels).argmax(1)
            say([paths[i] for i in index], classes)


def run_compiled(args):
    run_torch(args, compiled=True)


def convert(args):
    """The graph as OpenVINO keeps it, taking bytes, and how images are cut."""
    import openvino as ov
    import torch
    model, config = timm_model(args)
    size = config["input_size"][-1]
    graph = ov.convert_model(model,
                             example_input=torch.zeros(1, 3, size, size))
    graph.reshape([1, 3, size, size])
    steps = ov.preprocess.PrePostProcessor(graph)
    steps.input().tensor().set_element_type(ov.Type.u8) \
        .set_layout(ov.Layout("NHWC")).set_shape([1, size, size, 3])
    steps.input().model().set_layout(ov.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(ov.Type.f32) \
        .mean([255 * x for x in config["mean"]]) \
        .scale([255 * x for x in config["std"]])
    ov.save_model(steps.build(), args.graph, compress_to_fp16=False)
    with open(args.graph + ".json", "w", encoding="ascii") as file:
        json.dump({"size": size, "crop_pct": config["crop_pct"]}, file)


def crop(path, config):
    """Bytes of an image as the model takes it, by Pillow: OpenVINO's own
    resize has no antialiasing, and so other predictions."""
    import numpy as np
    from PIL import Image
    image = Image.open(path).convert("RGB")
    size = config["size"]
    side = int(size / config["crop_pct"])
    scale = side / min(image.size)
    wide, high = (max(side, int(x * scale)) for x in image.size)
    image = image.resize((wide, high), Image.BICUBIC)
    left, top = round((wide - size) / 2), round((high - size) / 2)
    return np.asarray(image.crop((left, top, left + size, top + size)))[None]


def run_openvino(args):
    import openvino as ov
    from concurrent.futures import ThreadPoolExecutor
    with open(args.graph + ".json", encoding="ascii") as file:
        config = json.load(file)
    compiled = ov.Core().compile_model(args.graph, "CPU", {
        "INFERENCE_NUM_THREADS": args.threads,
        "PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"})
    paths = images_of(args.folder)
    queue = ov.AsyncInferQueue(compiled)
    queue.set_callback(lambda request, path: say(
        [path], [request.get_output_tensor().data.argmax()]))
    with ThreadPoolExecutor(WORKERS) as pool:
        for path, pixels in zip(paths, pool.map(
                lambda path: crop(path, config), paths)):
            queue.start_async(pixels, userdata=path)
    queue.wait_all()


WAYS = {"torch": ("PyTorch eager, timm", "timm", run_torch),
        "torch-compiled": ("PyTorch compiled, timm", "timm", run_compiled),
        "openvino": ("OpenVINO", "openvino", run_openvino)}
BEFORE = {"openvino": convert}  # what a way needs once, outside the time


# ---- measuring a process and its children -------------------------------------

def tree(root):
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="latin-1") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry))
    found, left = [], [root]
    while left:
        found.append(left.pop())
        left += children.get(found[-1], [])
    return found


def memory(root):
    """Bytes that the processes hold, what they share counted once."""
    total = 0
    for process in tree(root):
        try:
            with open(f"/proc/{process}/smaps_rollup", encoding="ascii") as f:
                total += sum(int(line.split()[1]) * 1024 for line in f
                             if line.startswith("Pss:"))
        except OSError:
            continue
    return total


def watch(process, most):
    while process.poll() is None:
        most[0] = max(most[0], memory(process.pid))
        time.sleep(0.1)


def measure(command, parse):
    """{seconds, first, memory, classes} of a command that prints a line for
    each image."""
    start, first, classes, most = time.perf_counter(), None, {}, [0]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL) as process:
        watcher = threading.Thread(target=watch, args=(process, most))
        watcher.start()
        for line in process.stdout:
            found = parse(line)
            if found:
                first = first or time.perf_counter() - start
                classes[found[0]] = found[1]
        process.wait()
        watcher.join()
    if process.returncode or not classes:
        raise SystemExit(f"failed: {' '.join(command)}")
    return {"seconds": time.perf_counter() - start, "first": first,
            "memory": most[0], "classes": classes}


def ours(args, r, dtype):
    command = [args.tomerge, "eval", "--model", args.model, "--threads",
               str(args.threads), "--batch", str(args.batch), "--r", str(r),
               "--dtype", dtype, "--predictions", "-", args.folder]

    def parse(line):
        cells = line.rstrip("\n").split(",")
        if cells[0] == "file":
            return None
        return os.path.join(args.folder, cells[0]), int(cells[2])
    return command, parse


def theirs(args, way):
    command = [sys.executable, os.path.abspath(__file__), "--way", way,
               "--model", args.model, "--name", args.name, "--graph",
               args.graph, "--threads", str(args.threads), "--batch",
               str(args.batch), args.folder]

    def parse(line):
        path, _, one = line.rstrip("\n").rpartition(",")
        return (path, int(one)) if path else None
    return command, parse


def commands(args):
    found = {}
    for way in filter(None, args.ways.split(",")):
        title, needs, _ = WAYS[way]
        if importlib.util.find_spec(needs) is None:
            print(f"{title}: left out ({needs} is not installed)")
            continue
        found[title] = theirs(args, way)
        if way in BEFORE:
            subprocess.run(found[title][0] + ["--prepare"], check=True,
                           stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
    for dtype in args.dtypes.split(","):
        for r in args.r.split(","):
            found[f"tomerge {dtype} r={r}"] = ours(args, r, dtype)
    return found


def table(results):
    first = next(iter(results.values()))[0]["classes"]
    print("| | images/s | best | first predictions, s | memory, MB | as the"
          " first row, % |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, runs in results.items():
        rates = [len(run["classes"]) / run["seconds"] for run in runs]
        same = sum(runs[0]["classes"].get(path) == one
                   for path, one in first.items())
        print(f"| {name} | {statistics.median(rates):.1f} | {max(rates):.1f} | "
              f"{statistics.median(run['first'] for run in runs):.2f} | "
              f"{max(run['memory'] for run in runs) / 1e6:.0f} | "
              f"{100 * same / len(first):.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument("--tomerge", default="build/src/tomerge")
    parser.add_argument("--model", required=True, help="a checkpoint of timm's")
    parser.add_argument("--name", default="vit_tiny_patch16_224",
                        help="its name in timm")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--r", default="0,13")
    parser.add_argument("--dtypes", default="f32")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--ways", default=",".join(WAYS),
                        help="what to compare with (default: %(default)s)")
    for hidden in ("--way", "--graph"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--prepare", action="store_true",
                        help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        (BEFORE[args.way] if args.prepare else WAYS[args.way][2])(args)
        return
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        args.graph = os.path.join(folder, "graph.xml")
        asked = commands(args)
        for _ in range(args.turns):
            for name, (command, parse) in asked.items():
                results.setdefault(name, []).append(measure(command, parse))
    table(results)


if __name__ == "__main__":
    main()
