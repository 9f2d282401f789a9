# SPDX-License-Identifier: MIT
"""Models of libtomevit: a checkpoint as it was published, NumPy in and out."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from ctypes import byref, c_double, c_int, c_size_t, c_void_p
from typing import Any, NamedTuple, Optional, Sequence, Union

import numpy as np

from . import _arrays
from ._arguments import count
from ._arrays import address
from ._archives import Members
from ._folders import class_folders, class_of, classes_of, imagenet
from ._images import batches, is_path, listed, name_of, pixels, walk
from ._library import COMBINES, METHODS, SIMILARITIES, number_of
from ._schedule import Schedule, schedule
from ._vit import (EMODEL, Image, Merging, Message, OpenOptions, Output,
                   Preprocessing, check, library, merging_tail, one_thread)

_NUMBERS = ("dim", "depth", "heads", "mlp_dim", "patch", "image_size",
            "image_width", "max_patches", "classes", "tokens", "prefix", "registers", "features",
            "embedding", "class_token", "distilled", "pool", "parameters")
_PIXELS = ("size", "width", "crop_pct", "interpolation", "crop_mode", "pixels",
           "patch", "max_patches")
_OUTPUTS = {"logits": np.float32, "features": np.float32,
            "embedding": np.float32, "last_rows": np.float32,
            "map": np.int32, "sizes": np.float32, "rows": np.uintp}


class Classes(NamedTuple):
    """What images show: the most probable classes, the first first."""

    index: np.ndarray        #: [n, topk], int32
    probability: np.ndarray  #: [n, topk], float32
    names: list              #: of each: n lists of topk names, or None


class Tokens(NamedTuple):
    """The rows that the last layer leaves of each image."""

    rows: np.ndarray         #: [n, most, dim], zeros past an image's own
    sizes: np.ndarray        #: [n, most]: tokens each stands for; 0 past them
    map: np.ndarray          #: [n, tokens], int32: the row of every token, -1
                             #: if it was dropped, or the image has fewer


class Evaluation(NamedTuple):
    """How a model does on labelled images."""

    images: int
    top1: float              #: percent
    top5: float
    labels: np.ndarray       #: [images], int32
    predicted: Classes       #: five classes of each, or as many as there are
    files: list              #: what was given for each
    refused: list            #: (what was given, why) of those that cannot be
                             #: used
    seconds: float           #: with decoding
    forward: float           #: of them in the model


class Model:
    """A Vision Transformer from a file, with merging inside.

    ::

        model = tomerge.Model("model.safetensors")
        model.eval("imagenet/val", r=13).top1
        model.classify(["cat.jpg", array], r=8).names
        model.embed("pictures/", r=8)              # [n, features]

    Args:
        path: a checkpoint of any kind the command takes (``.safetensors``,
            ``.pth``, ``.npz``, ``.gguf``, ...), or a folder with one in it.
        dtype: "f32", "bf16" or "int8": what weights are multiplied in.
        head, text_embeddings: files that a model without a head gets one from.
        image_size: for other images than it was trained on: a side, or
            (height, width); 0: those.
        max_patches: images keep their proportions, each as large as it can be
            with so many patches, instead of image_size (NaFlex); of one with
            fewer, r goes in proportion. 0: as the file says.
        strict: refuse a model of which something had to be guessed.
        batch: images in one forward pass.
        threads: as many as OMP_NUM_THREADS or the CPUs, if not given.

    Images are paths, uint8 arrays [height, width, 3], images of Pillow's, or a
    list of these, an array of several, or the path of a folder, of an archive
    (tar, also compressed, or zip; "a-{00..11}.tar" is several), or of a list of
    paths (.txt, one a line); they are resized and cropped as the model's library does it (paths are read by Pillow). A
    float32 array [n, 3, height, width] is taken as normalised already; with
    max_patches a list of them, [3, height, width], may be of several sizes.

    ``r`` is a number for every layer, ``(r, inflection)`` or a list; by default
    nothing merges. ``method``, ``similarity``, ``combine``, ``metric``,
    ``prop_attn`` and ``rope_merge`` are as for the command; ``merging`` is the
    path of a file that says all of it, such as the command's ``tune`` writes for
    ``--method @FILE``, any method of the command included. Results are the same bits for any
    batch and number of threads. The interpreter is free while the model works;
    calls on one model from several threads take turns.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"], *,
                 dtype: str = "f32",
                 head: Union[str, "os.PathLike[str]", None] = None,
                 text_embeddings: Union[str, "os.PathLike[str]", None] = None,
                 image_size: Union[int, Sequence[int]] = 0,
                 max_patches: int = 0, strict: bool = False, batch: int = 32,
                 threads: Optional[int] = None) -> None:
        self._handle = c_void_p()
        self._contexts: dict = {}
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._library = library()
        self.path = _checkpoint(os.fspath(path))
        self.batch = count(batch, "batch")
        if self.batch < 1:
            raise ValueError("batch: expected at least 1, found 0")
        self._wanted_threads = threads
        self._team(1)  # threads are checked now
        self._open(dtype, head, text_embeddings, image_size, max_patches,
                   strict)
        numbers = {name: int(self._number(name)) for name in _NUMBERS}
        #: Its shape: dim, depth, heads, tokens, prefix, features, classes, ...
        self.description = numbers
        self.classes: int = numbers["classes"]
        self.preprocessing = self._preprocessing()
        self.class_names = self._class_names()

    # ---- opening ----

    def _open(self, dtype: str, head: Any, texts: Any, image_size: Any,
              max_patches: Any, strict: bool) -> None:
        lib, options, why = self._library, OpenOptions(), Message()
        lib.tomevit_open_options_init(byref(options))
        number = c_int()
        if lib.tomevit_dtype_from_name(str(dtype).encode(), byref(number)):
            raise ValueError(f"dtype: expected f32, bf16 or int8, found "
                             f"{dtype!r}")
        options.dtype, options.strict = number.value, int(bool(strict))
        sides = (tuple(image_size) if isinstance(image_size, (tuple, list))
                 else (image_size, 0))
        if len(sides) != 2:
            raise ValueError(f"image_size: expected a side, or a height and a "
                             f"width, found {image_size!r}")
        options.image_size = count(sides[0], "image_size")
        options.image_width = count(sides[1], "image_size")
        options.max_patches = count(max_patches, "max_patches")
        if options.image_size and options.max_patches:
            raise ValueError("max_patches takes the place of image_size")
        options.head = os.fsencode(head) if head is not None else None
        options.text_embeddings = (os.fsencode(texts) if texts is not None
                                   else None)
        name = os.fsencode(self.path)
        # A projection to the space of texts' embeddings, where there is one.
        space = ctypes.create_string_buffer(1 << 14)
        options.projection = 1
        if lib.tomevit_read_description(name, byref(options), space,
                                        byref(why)) == EMODEL:
            options.projection = 0
        if self._team(2) == 1:
            one_thread()
        check(lib.tomevit_open(name, byref(options), byref(self._handle),
                               byref(why)), self.path, why)

    def _number(self, name: str) -> float:
        value = c_double()
        check(self._library.tomevit_description_number(
            self._library.tomevit_describe(self._handle), name.encode(),
            byref(value)), name)
        return value.value

    def _preprocessing(self) -> dict:
        """size, width, crop_pct, interpolation, crop_mode, mean, std,
        max_patches."""
        known = {name: self._number(name) for name in _PIXELS}
        pre = self._pre = Preprocessing()
        pre.size, pre.crop_pct = int(known["size"]), known["crop_pct"]
        if known["width"] != known["size"]:
            pre.width = int(known["width"])
        pre.patch, pre.max_patches = (int(known["patch"]),
                                      int(known["max_patches"]))
        pre.interpolation = int(known["interpolation"])
        pre.crop_mode, pre.pixels = int(known["crop_mode"]), int(
            known["pixels"])
        for i in range(3):
            pre.mean[i] = self._number(f"mean{i}")
            pre.std[i] = self._number(f"std{i}")
        return {"size": pre.size, "width": pre.width or pre.size,
                "crop_pct": pre.crop_pct,
                "interpolation": ("bicubic", "bilinear")[pre.interpolation],
                "crop_mode": ("center", "squash", "border")[
                    pre.crop_mode], "max_patches": pre.max_patches,
                "mean": tuple(pre.mean), "std": tuple(pre.std)}

    def _class_names(self) -> Optional[list]:
        names = [self._library.tomevit_class_name(self._handle, i)
                 for i in range(self.classes)]
        if names and all(name is not None for name in names):
            return [name.decode(errors="replace") for name in names]
        return imagenet()[1] if self.classes == 1000 else None

    def close(self) -> None:
        """Gives its memory back; it cannot be used any more."""
        with self._lock:
            if self._process == os.getpid():
                for context in self._contexts.values():
                    self._library.tomevit_context_free(context)
                self._library.tomevit_close(self._handle)
            self._contexts, self._handle = {}, c_void_p()

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *unused: Any) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.close()

    def __repr__(self) -> str:
        d = self.description
        return (f"<tomerge.Model {os.path.basename(self.path)}: {d['depth']} "
                f"layers of {d['dim']}, {d['tokens']} tokens, {self.classes} "
                f"classes>")

    # ---- forward ----

    def _team(self, sequences: int) -> int:
        return _arrays.threads_for(self._wanted_threads, None, sequences)

    def _context(self, images: int) -> c_void_p:
        """Memory of a batch; one for a child of fork, which has one thread."""
        if not self._handle:
            raise ValueError("the model is closed")
        threads = self._team(1 << 30)
        key = threads, images > 1
        if key not in self._contexts:
            context = c_void_p()
            check(self._library.tomevit_context_create(
                self._handle, self.batch if images > 1 else 1, threads,
                byref(context)), "memory for a batch")
            self._contexts[key] = context
        return self._contexts[key]

    def _merging(self, r: Schedule, merging: Any = None,
                 **named: Any) -> tuple:
        if merging is None:
            return self._named(r, **named)
        if named or not (isinstance(r, int) and r == 0):
            raise ValueError("merging: the file says how tokens merge, so that "
                             f"{next(iter(named), 'r')} is not for it")
        return self._read(os.fspath(merging))

    def _read(self, path: str) -> tuple:
        """What the command's tune wrote, for this model."""
        if not self._handle:
            raise ValueError("the model is closed")
        depth, why, merging = self.description["depth"], Message(), Merging()
        r, left = np.zeros(depth, np.uintp), np.empty(depth, np.uintp)
        layers = np.zeros((depth, 8), np.uint64)  # tomevit_layer_merging
        model = self._library.tomevit_describe(self._handle)
        check(self._library.tomevit_merging_read(
            os.fsencode(path), model, byref(merging), address(r),
            address(layers), byref(why)), path, why)
        check(self._library.tomevit_schedule_tokens(
            model, byref(merging), address(left)), path)
        return merging, (r, layers), left

    def _named(self, r: Schedule, method: str = "alternating",
                 similarity: str = "cosine", combine: str = "weighted",
                 metric: str = "K", prop_attn: bool = True,
                 rope_merge: str = "mean") -> tuple:
        merging, number, rope = Merging(), c_int(), c_int()
        if not self._handle:
            raise ValueError("the model is closed")
        self._library.tomevit_merging_init(byref(merging))
        layers = np.array(schedule(self.description["depth"], r), np.uintp)
        merging.r = address(layers)
        merging.matching.method = number_of(METHODS, method, "method")
        merging.matching.similarity = number_of(SIMILARITIES, similarity,
                                                "similarity")
        if self._library.tomevit_metric_from_name(str(metric).encode(),
                                                  byref(number)):
            raise ValueError(f"metric: expected K, Q, V or X, found {metric!r}")
        if self._library.tomevit_rope_merge_from_name(
                str(rope_merge).encode(), byref(rope)):
            raise ValueError("rope_merge: expected destination, centroid or "
                             f"mean, found {rope_merge!r}")
        tail = merging_tail(merging)
        tail.rope_merge = rope.value
        tail.combine = number_of(COMBINES, combine, "combine")
        tail.metric, tail.prop_attn = number.value, int(bool(prop_attn))
        left = np.empty(self.description["depth"], np.uintp)
        check(self._library.tomevit_schedule_tokens(
            self._library.tomevit_describe(self._handle), byref(merging),
            address(left)), f"merging with r={r!r}, method={method!r}")
        return merging, layers, left

    def _shapes(self) -> dict:
        d = self.description
        return {"logits": (d["classes"],), "features": (d["features"],),
                "embedding": (d["embedding"],), "rows": (),
                "last_rows": (d["tokens"], d["dim"]),
                "map": (d["tokens"],), "sizes": (d["tokens"],)}

    def _forward(self, crops: Sequence[np.ndarray], merging: Merging,
                 wanted: Sequence[str]) -> dict:
        """One batch: crops as uint8 or normalised."""
        n, shapes = len(crops), self._shapes()
        got = {name: np.zeros((n,) + shapes[name], _OUTPUTS[name])
               for name in wanted}
        images = (Image * n)(*[
            Image(address(crop), int(crop.dtype != np.uint8),
                  *(crop.shape[1:] if crop.dtype != np.uint8
                    else crop.shape[:2])) for crop in crops])
        output = Output(**{name: address(got[name]) for name in wanted})
        with self._lock:
            check(self._library.tomevit_forward(
                self._context(n), byref(merging), n, images, byref(output)),
                "the forward pass")
        return got

    def crop(self, picture: Any) -> np.ndarray:
        """One image as the model takes it: uint8 [height, width, 3]."""
        rgb, across, down = pixels(picture), c_size_t(), c_size_t()
        height, width = rgb.shape[:2]
        what = f"an image of {width} x {height}"
        check(self._library.tomevit_crop_sides(
            byref(self._pre), width, height, byref(across), byref(down)), what)
        out = np.empty((down.value, across.value, 3), np.uint8)
        check(self._library.tomevit_resize_crop(
            byref(self._pre), address(rgb), width, height, 3 * width,
            address(out)), what)
        return out

    def _fits(self, shape: tuple) -> bool:
        """Whether the model takes normalised pixels of this shape."""
        patch, most = int(self._pre.patch), int(self._pre.max_patches)
        size = int(self._pre.size)
        if not most:
            return shape == (3, size, int(self._pre.width) or size)
        return (len(shape) == 3 and shape[0] == 3 and all(
            side and side % patch == 0 for side in shape[1:]) and
            shape[1] // patch * (shape[2] // patch) <= most)

    def _crop_or_normalised(self, picture: Any) -> np.ndarray:
        size, width = int(self._pre.size), int(self._pre.width)
        if isinstance(picture, np.ndarray) and picture.dtype == np.float32:
            if not self._fits(picture.shape):
                most, patch = int(self._pre.max_patches), int(self._pre.patch)
                shape = (f"[3, height, width] of at most {most} patches of "
                         f"{patch} x {patch}" if most
                         else f"[3, {size}, {width or size}]")
                raise ValueError(f"images: expected normalised float32 "
                                 f"{shape}, found {picture.shape}")
            return np.ascontiguousarray(picture)
        return self.crop(picture)

    def _run(self, images: Any, wanted: Sequence[str], merging: tuple) -> dict:
        """All images, batch by batch; decoding goes ahead of the model."""
        parts: list = []
        pictures = listed(images)
        if not len(pictures):
            shapes = self._shapes()
            return {name: np.zeros((0,) + shapes[name], _OUTPUTS[name])
                    for name in wanted}
        if isinstance(pictures, Members) and pictures.refused:
            raise OSError(": ".join(pictures.refused[0]))
        for crops in batches(pictures, lambda _, x: self._crop_or_normalised(x),
                             self.batch, self._team(1 << 30)):
            parts.append(self._forward(crops, merging[0], wanted))
        return {name: np.concatenate([part[name] for part in parts])
                for name in wanted}

    # ---- what it is for ----

    def logits(self, images: Any, r: Schedule = 0,
               **merging: Any) -> np.ndarray:
        """[n, classes], float32."""
        if not self.classes:
            raise ValueError(f"{self.path}: the model has no head, it only "
                             "gives features: see head and text_embeddings")
        return self._run(images, ["logits"], self._merging(
            r, **merging))["logits"]

    def classify(self, images: Any, r: Schedule = 0, *, topk: int = 5,
                 **merging: Any) -> Classes:
        """The ``topk`` most probable classes of each image."""
        return self._classes(self.logits(images, r, **merging), topk)

    def _classes(self, logits: np.ndarray, topk: int) -> Classes:
        if not np.isfinite(logits).all():
            raise ValueError(f"image {_first_bad(logits)}: the model's answer "
                             "is not finite")
        best = np.argsort(-logits, axis=1, kind="stable")[:, :topk]
        shares = np.exp(logits.astype(np.float64) -
                        logits.max(1, keepdims=True, initial=-np.inf))
        shares /= shares.sum(1, keepdims=True)
        names = [[self.class_names[i] if self.class_names else None
                  for i in row] for row in best]
        return Classes(best.astype(np.int32), np.take_along_axis(
            shares, best, 1).astype(np.float32), names)

    def embed(self, images: Any, r: Schedule = 0, *,
              embedding: str = "pooled", normalise: bool = False,
              **merging: Any) -> np.ndarray:
        """[n, width], float32: what the command's ``embed`` writes.

        ``embedding`` is "pooled" (what the head sees), "class" (the class
        token) or "projected" (CLIP and SigLIP: in the space of texts').
        """
        d = self.description
        if embedding == "projected" and not d["embedding"]:
            raise ValueError(f"{self.path}: the model has no projection")
        if embedding == "class" and not d["class_token"]:
            raise ValueError(f"{self.path}: the model has no class token")
        source = {"pooled": "features", "projected": "embedding",
                  "class": "features" if d["pool"] == 0 else "last_rows"}
        if embedding not in source:
            raise ValueError("embedding: expected pooled, class or projected, "
                             f"found {embedding!r}")
        got = self._run(images, [source[embedding]],
                        self._merging(r, **merging))[source[embedding]]
        got = got[:, 0] if source[embedding] == "last_rows" else got
        if not np.isfinite(got).all():
            raise ValueError(f"image {_first_bad(got)}: its embedding is not "
                             "finite")
        if not normalise:
            return got
        length = np.sqrt((got.astype(np.float64) ** 2).sum(1, keepdims=True))
        if not length.all():
            raise ValueError(f"image {int(np.argmin(length))}: its embedding "
                             "is zero and has no direction")
        return (got / length).astype(np.float32)

    def tokens(self, images: Any, r: Schedule = 0,
               **merging: Any) -> Tokens:
        """The last layer's rows, normed, with their sizes and the map: row
        ``map[i, t]`` of image i is the one that its token t went to."""
        got = self._run(images, ["last_rows", "sizes", "map", "rows"],
                        self._merging(r, **merging))
        most = int(got["rows"].max(initial=0))
        return Tokens(got["last_rows"][:, :most].copy(),
                      got["sizes"][:, :most].copy(), got["map"])

    def eval(self, images: Any, labels: Optional[Sequence[int]] = None,
             r: Schedule = 0, **merging: Any) -> Evaluation:
        """Accuracy on a folder or an archive of class folders, WebDataset's
        shards, a list of paths by the folder that each is in, or images with
        labels.

        Folders are classes as for the command: by WordNet ids, the model's
        class names, whole numbers, or in sorted order if they are as many as
        the classes; files of .cls and .json in an archive are labels. Files
        that cannot be read are left out and named in ``refused``.
        """
        if not self.classes:
            raise ValueError(f"{self.path}: the model has no head, it only "
                             "gives features: see head and text_embeddings")
        files, wanted = self._labelled(images, labels)
        prepared = self._merging(r, **merging)
        began, forward = time.perf_counter(), 0.0
        kept: list = []
        refused = list(files.refused) if isinstance(files, Members) else []
        parts: list = [np.zeros((0, self.classes), np.float32)]

        def crop(index: int, image: Any) -> Any:
            if wanted[index] < 0:  # no class is said of it
                return index, None
            try:
                return index, self._crop_or_normalised(image)
            except (OSError, SyntaxError) as error:
                return index, str(error)

        for batch in batches(files, crop, self.batch, self._team(1 << 30)):
            good = [(i, c) for i, c in batch if isinstance(c, np.ndarray)]
            refused += [(name_of(files, i), c) for i, c in batch
                        if isinstance(c, str)]
            if good:
                start = time.perf_counter()
                logits = self._forward([c for _, c in good], prepared[0],
                                       ["logits"])["logits"]
                forward += time.perf_counter() - start
                kept += [i for i, _ in good]
                parts.append(logits)
        logits = np.concatenate(parts)
        fine = np.isfinite(logits).all(1)
        refused += [(name_of(files, i), "the model's answer is not finite")
                    for i, ok in zip(kept, fine) if not ok]
        kept = [i for i, ok in zip(kept, fine) if ok]
        found = self._classes(logits[fine], 5)
        truth = np.array([wanted[i] for i in kept], np.int32)
        hit = found.index == truth[:, None]
        share = [100.0 * float(h.mean()) if len(kept) else float("nan")
                 for h in (hit[:, :1].any(1), hit.any(1))]
        return Evaluation(len(kept), share[0], share[1], truth, found,
                          [name_of(files, i) for i in kept], refused,
                          time.perf_counter() - began, forward)

    def _labelled(self, images: Any, labels: Any) -> tuple[Any, list]:
        """Images and the class of each, -1 for one that nothing says."""
        if labels is None and is_path(images) and os.path.isdir(images):
            return self._in_folders(os.fspath(images))
        pictures = listed(images)
        if labels is not None:
            wanted = [count(label, "labels") for label in labels]
            if len(wanted) != len(pictures):
                raise ValueError(f"labels: expected one for each of "
                                 f"{len(pictures)} images, found {len(wanted)}")
            if wanted and max(wanted) >= self.classes:
                raise ValueError(f"labels: {max(wanted)}: the model has "
                                 f"{self.classes} classes")
            return pictures, wanted
        if isinstance(pictures, Members):
            said = pictures.labels()
            if said is not None:
                return pictures, self._by_labels(pictures, said)
            folders = pictures.folders()
        elif len(pictures) and all(map(is_path, pictures)):
            folders = [os.path.basename(os.path.dirname(os.fspath(path)))
                       or None for path in pictures]
        else:
            folders = [None]
        if not any(folders):
            raise ValueError("eval: expected class folders, files in them, or "
                             "images and their labels")
        return pictures, self._by_folders("eval", folders)

    def _by_labels(self, images: Members, said: list) -> list:
        wanted = []
        for i, text in enumerate(said):
            try:
                wanted.append(-1 if text is None else class_of(
                    text, self.classes, self.class_names))
            except ValueError as error:
                raise ValueError(f"{images.name(i)}: {error}") from None
        return wanted

    def _by_folders(self, where: str, folders: Sequence[Any]) -> list:
        names = sorted({folder for folder in folders if folder is not None})
        try:
            classes = classes_of(names, self.classes, self.class_names)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        of = dict(zip(names, classes))
        return [-1 if folder is None else of[folder] for folder in folders]

    def _in_folders(self, folder: str) -> tuple[list, list]:
        found = [(name, walk(os.path.join(folder, name)))
                 for name in class_folders(folder)]
        if not any(files for _, files in found):
            raise ValueError(f"{folder}: no images in its class folders")
        classes = self._by_folders(folder, [name for name, _ in found])
        return ([file for _, files in found for file in files],
                [of for of, (_, files) in zip(classes, found) for _ in files])


def _first_bad(rows: np.ndarray) -> int:
    return int(np.argmin(np.isfinite(rows).all(1)))


def _checkpoint(path: str) -> str:
    """A folder stands for the one checkpoint in it."""
    if not os.path.isdir(path):
        return path
    endings = (".safetensors", ".pth", ".pt", ".bin", ".npz", ".gguf")
    names = sorted(os.listdir(path))
    found = [n for n in names if n.endswith(".index.json")] or [
        n for n in names if n.endswith(endings)]
    if len(found) != 1:
        raise ValueError(f"{path}: expected one checkpoint in this folder, "
                         f"found {', '.join(found) or 'none'}")
    return os.path.join(path, found[0])
