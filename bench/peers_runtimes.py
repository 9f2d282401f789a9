# SPDX-License-Identifier: MIT
"""Other runtimes: a title, the number types they have, and run(pixels). What
one needs is imported when it is made: ImportError leaves it out."""
import os
import subprocess
import sys
import tempfile

import numpy as np

from peers_models import image_size, int8_model, onnx_model, torch_model


class OnnxRuntime:
    title, dtypes = "ONNX Runtime", ("f32", "int8")

    def __init__(self, arch, batch, threads, dtype):
        import onnxruntime as ort
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.graph_optimization_level = \
            ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        if dtype == "int8":
            with tempfile.TemporaryDirectory() as folder:
                model = int8_model(arch, batch, folder, static=False)
        else:
            model = onnx_model(arch, batch).SerializeToString()
        self.session = ort.InferenceSession(model, options,
                                            ["CPUExecutionProvider"])
        self.version = ort.__version__

    def run(self, pixels):
        self.session.run(None, {"pixels": pixels})


class OpenVino:
    """With one stream, or a batch in halves at the same time, which may be
    faster."""
    title, dtypes = "OpenVINO", ("f32", "bf16", "int8")
    streams = 1

    def __init__(self, arch, batch, threads, dtype):
        import openvino as ov
        core = ov.Core()
        if batch % self.streams:
            raise ImportError(f"{batch} images are not for two streams")
        batch //= self.streams
        if dtype == "bf16" and "BF16" not in core.get_property(
                "CPU", "OPTIMIZATION_CAPABILITIES"):
            raise ImportError("this CPU has no bf16 it would use")
        if dtype == "int8":
            with tempfile.TemporaryDirectory() as folder:
                model = int8_model(arch, batch, folder, static=True)
        else:
            model = onnx_model(arch, batch).SerializeToString()
        compiled = core.compile_model(core.read_model(model), "CPU", {
            "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": self.streams,
            "INFERENCE_PRECISION_HINT": "bf16" if dtype == "bf16" else "f32"})
        self.requests = [compiled.create_infer_request()
                         for _ in range(self.streams)]
        self.version = ov.__version__.split("-")[0]

    def run(self, pixels):
        parts = np.split(pixels, self.streams)
        for request, part in zip(self.requests, parts):
            request.start_async({"pixels": part}, share_inputs=True)
        for request in self.requests:
            request.wait()


class OpenVinoStreams(OpenVino):
    title, streams = "OpenVINO (2 streams)", 2


class Torch:
    title, dtypes = "PyTorch eager", ("f32", "bf16", "int8")
    mode = None            # of torch.compile

    def __init__(self, arch, batch, threads, dtype):
        import torch
        torch.set_num_threads(threads)
        self.torch, self.dtype = torch, torch.float32
        model = torch_model(arch)
        if dtype == "bf16":
            self.dtype = torch.bfloat16
            model = model.to(torch.bfloat16)
        elif dtype == "int8":
            model = torch.ao.quantization.quantize_dynamic(
                model, {torch.nn.Linear}, dtype=torch.qint8)
        if self.mode:
            from torch._inductor import config
            config.freezing = True      # weights are packed beforehand
            model = torch.compile(model, mode=self.mode)
        self.model = model
        self.version = torch.__version__.split("+")[0]

    def run(self, pixels):
        with self.torch.inference_mode():
            self.model(self.torch.from_numpy(pixels).to(self.dtype))


class TorchCompiled(Torch):
    title, dtypes, mode = "PyTorch compiled", ("f32", "bf16"), "default"


class TorchAutotuned(TorchCompiled):
    """Tries several kernels for each product, which takes minutes."""
    title, mode = "PyTorch max-autotune", "max-autotune"


class Mnn:
    """Products in f32; "low" precision is for other CPUs."""
    title, dtypes = "MNN", ("f32",)

    def __init__(self, arch, batch, threads, dtype):
        import MNN
        import onnx
        self.mnn = MNN
        with tempfile.TemporaryDirectory() as folder:
            model = onnx_model(arch, batch)
            source = os.path.join(folder, "model.onnx")
            path = os.path.join(folder, "model.mnn")
            onnx.save(model, source)
            subprocess.run([sys.executable, "-m", "MNN.tools.mnnconvert",
                            "-f", "ONNX", "--modelFile", source,
                            "--MNNModel", path, "--bizCode", "bench"],
                           check=True, capture_output=True)
            runtime = MNN.nn.create_runtime_manager(({
                "backend": "CPU", "numThread": threads,
                "precision": "high"},))
            self.net = MNN.nn.load_module_from_file(
                path, ["pixels"], [model.graph.output[0].name],
                runtime_manager=runtime)
        self.version = MNN.version()

    def run(self, pixels):
        expr = self.mnn.expr
        self.net.forward(expr.const(pixels, list(pixels.shape),
                                    expr.NCHW)).read()


class Ncnn:
    """One image at a time: it has no batches of them."""
    title, dtypes = "ncnn", ("f32", "bf16")

    def __init__(self, arch, batch, threads, dtype):
        import ncnn
        import pnnx
        import torch
        self.ncnn, self.net = ncnn, ncnn.Net()
        option = self.net.opt
        option.num_threads = threads
        option.use_bf16_storage = dtype == "bf16"
        option.use_fp16_packed = option.use_fp16_storage = False
        option.use_fp16_arithmetic = False
        with tempfile.TemporaryDirectory() as folder:
            pixels = torch.zeros(1, 3, *image_size(arch))
            path = os.path.join(folder, "model.pt")
            torch.jit.trace(torch_model(arch), pixels).save(path)
            shape = ",".join(map(str, pixels.shape))
            subprocess.run([pnnx.EXEC_PATH, path, f"inputshape=[{shape}]",
                            "fp16=0"], check=True, capture_output=True)
            if self.net.load_param(os.path.join(folder, "model.ncnn.param")) \
                    or self.net.load_model(
                        os.path.join(folder, "model.ncnn.bin")):
                raise ImportError("ncnn cannot run what pnnx wrote")
        self.version = ncnn.__version__

    def run(self, pixels):
        for image in pixels:
            extractor = self.net.create_extractor()
            extractor.input("in0", self.ncnn.Mat(image))
            if extractor.extract("out0")[0]:
                raise RuntimeError("ncnn failed")


PEERS = {"onnxruntime": OnnxRuntime, "openvino": OpenVino,
         "openvino-streams": OpenVinoStreams, "torch": Torch,
         "torch-compiled": TorchCompiled, "torch-autotune": TorchAutotuned,
         "mnn": Mnn, "ncnn": Ncnn}
