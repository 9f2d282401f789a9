# SPDX-License-Identifier: MIT
"""Schedules and a measurement."""

from __future__ import annotations

import time
from typing import Any, Union

import torch

from ... import schedule


def parse_r(num_layers: int, r: Union[int, tuple, list]) -> list[int]:
    """r for every layer: a number, ``(r, inflection)`` with an inflection
    from -1 (merges early) to 1, or a list for the first layers."""
    return schedule(num_layers, r)


def benchmark(model: torch.nn.Module, device: Any = "cpu",
              input_size: tuple = (3, 224, 224), batch_size: int = 64,
              runs: int = 40, throw_out: float = 0.25, use_fp16: bool = False,
              verbose: bool = False) -> float:
    """Images a second, over ``runs`` batches of random images of which the
    first ``throw_out`` do not count."""
    device = torch.device("cuda", device) if isinstance(
        device, int) else torch.device(device)
    model = model.eval().to(device)
    x = torch.rand(batch_size, *input_size, device=device)
    if use_fp16:
        model, x = model.half(), x.half()
    skipped, start = int(runs * throw_out), None
    with torch.no_grad():
        for run in range(runs):
            if run == skipped:
                _wait(device)
                start = time.perf_counter()
            model(x)
    _wait(device)
    seconds = time.perf_counter() - start
    throughput = batch_size * (runs - skipped) / seconds
    if verbose:
        print(f"Throughput: {throughput:.2f} im/s")
    return throughput


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
