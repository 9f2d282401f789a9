# SPDX-License-Identifier: MIT
"""Finding libtomevit, its prototypes, its structs as far as they are needed.

The library is looked for where the environment variable TOMEVIT_LIBRARY says,
beside this file (a wheel carries it), beside libtomerge, then where the system
has it. It is loaded when the first model is opened.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import os
import sys
from ctypes import (POINTER, Structure, byref, c_char, c_char_p, c_double,
                    c_float, c_int, c_size_t, c_uint64, c_void_p)

from ._library import Error, library_path
from ._version import __version__

_ENDING = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
#: What the package's own build calls the library it puts beside this file.
CARRIED = "_libtomevit" + _ENDING

#: TOMEVIT_EMODEL: readable, but not a model that runs here, or not so.
EMODEL = -5


class Message(Structure):
    """tomevit_message."""

    _fields_ = [("text", c_char * 512)]


class OpenOptions(Structure):
    """tomevit_open_options. ``room`` is for what later libraries add."""

    _fields_ = [("struct_size", c_size_t), ("dtype", c_int),
                ("strict", c_int), ("image_size", c_size_t),
                ("head", c_char_p), ("text_embeddings", c_char_p),
                ("projection", c_size_t), ("text_rows", c_void_p),
                ("text_count", c_size_t), ("text_width", c_size_t),
                ("image_width", c_size_t), ("max_patches", c_size_t),
                ("room", c_uint64 * 32)]


class Preprocessing(Structure):
    """tomevit_preprocessing."""

    _fields_ = [("size", c_size_t), ("crop_pct", c_double),
                ("interpolation", c_int), ("crop_mode", c_int),
                ("mean", c_float * 3), ("std", c_float * 3),
                ("pixels", c_int), ("width", c_size_t),
                ("patch", c_size_t), ("max_patches", c_size_t),
                ("room", c_uint64 * 3)]


class Matching(Structure):
    """The first fields of the tomerge_options in a tomevit_merging."""

    _fields_ = [("struct_size", c_size_t), ("method", c_int),
                ("similarity", c_int), ("protect", c_size_t),
                ("stride", c_size_t), ("seed", c_uint64)]


class Merging(Structure):
    """tomevit_merging. What follows ``matching`` lies behind as many bytes as
    that says it has: see :func:`merging_tail`."""

    _fields_ = [("struct_size", c_size_t), ("r", c_void_p),
                ("matching", Matching), ("room", c_uint64 * 64)]


class MergingTail(Structure):
    """The rest of tomevit_merging."""

    _fields_ = [("combine", c_int), ("metric", c_int), ("prop_attn", c_int),
                ("rope_merge", c_int)]


def merging_tail(merging: Merging) -> MergingTail:
    offset = Merging.matching.offset + merging.matching.struct_size
    return MergingTail.from_buffer(merging, offset)


class Image(Structure):
    """tomevit_image."""

    _fields_ = [("data", c_void_p), ("format", c_int), ("height", c_size_t),
                ("width", c_size_t)]


class Output(Structure):
    """tomevit_output."""

    _fields_ = [(name, c_void_p) for name in (
        "logits", "features", "map", "sizes", "rows", "layer_rows",
        "last_rows", "embedding")] + [("room", c_void_p * 16)]


_OPEN = POINTER(OpenOptions)
_WHY = POINTER(Message)
_PROTOTYPES = {
    "tomevit_version_string": (c_char_p, ()),
    "tomevit_strerror": (c_char_p, (c_int,)),
    "tomevit_dtype_from_name": (c_int, (c_char_p, POINTER(c_int))),
    "tomevit_metric_from_name": (c_int, (c_char_p, POINTER(c_int))),
    "tomevit_rope_merge_from_name": (c_int, (c_char_p, POINTER(c_int))),
    "tomevit_open_options_init": (None, (_OPEN,)),
    "tomevit_read_description": (c_int, (c_char_p, _OPEN, c_void_p, _WHY)),
    "tomevit_open": (c_int, (c_char_p, _OPEN, POINTER(c_void_p), _WHY)),
    "tomevit_close": (None, (c_void_p,)),
    "tomevit_describe": (c_void_p, (c_void_p,)),
    "tomevit_description_number": (
        c_int, (c_void_p, c_char_p, POINTER(c_double))),
    "tomevit_class_name": (c_char_p, (c_void_p, c_size_t)),
    "tomevit_cpu": (c_char_p, (c_void_p,)),
    "tomevit_context_create": (
        c_int, (c_void_p, c_size_t, c_int, POINTER(c_void_p))),
    "tomevit_context_free": (None, (c_void_p,)),
    "tomevit_merging_init": (None, (POINTER(Merging),)),
    "tomevit_merging_read": (
        c_int, (c_char_p, c_void_p, POINTER(Merging), c_void_p, c_void_p,
                _WHY)),
    "tomevit_schedule_tokens": (
        c_int, (c_void_p, POINTER(Merging), c_void_p)),
    "tomevit_forward": (
        c_int, (c_void_p, POINTER(Merging), c_size_t, POINTER(Image),
                POINTER(Output))),
    "tomevit_crop_sides": (
        c_int, (POINTER(Preprocessing), c_size_t, c_size_t,
                POINTER(c_size_t), POINTER(c_size_t))),
    "tomevit_resize_crop": (
        c_int, (POINTER(Preprocessing), c_void_p, c_size_t, c_size_t,
                c_size_t, c_void_p)),
}


def _candidates() -> list[str]:
    named = os.environ.get("TOMEVIT_LIBRARY")
    if named:
        return [named]
    here = os.path.dirname(os.path.abspath(__file__))
    return [os.path.join(here, CARRIED),
            os.path.join(os.path.dirname(library_path), "libtomevit" + _ENDING),
            ctypes.util.find_library("tomevit") or "libtomevit.so.1"]


@functools.lru_cache(maxsize=None)
def library() -> ctypes.CDLL:
    """libtomevit; ImportError if there is none of this version."""
    failures = []
    for path in _candidates():
        try:
            found = ctypes.CDLL(path)
            for name, (result, arguments) in _PROTOTYPES.items():
                function = getattr(found, name)
                function.restype = result
                function.argtypes = arguments
        except (OSError, AttributeError) as error:
            failures.append(f"  {path}: {error}")
            continue
        version = found.tomevit_version_string().decode()
        if version.split(".")[:2] == __version__.split(".")[:2]:
            return found
        failures.append(f"  {path}: version {version}, this package needs "
                        f"{__version__}")
    raise ImportError("libtomevit was not found; tried\n" +
                      "\n".join(failures))


def check(code: int, what: str, why: Message | None = None) -> None:
    """Raises :class:`Error`, or OSError or MemoryError, for a code below 0."""
    if code == 0:
        return
    text = why.text.decode(errors="replace") if why is not None else ""
    text = text or f"{what}: {library().tomevit_strerror(code).decode()}"
    if code == -3:
        raise OSError(text)
    if code == -2:
        raise MemoryError(text)
    raise Error(code, text)


def one_thread() -> None:
    """In a child process whose parent has formed a team of threads."""
    try:
        library().omp_set_num_threads(1)
    except AttributeError:
        pass


__all__ = ["EMODEL", "Image", "Merging", "Message", "OpenOptions", "Output",
           "Preprocessing", "byref", "check", "library", "merging_tail",
           "one_thread"]
