# SPDX-License-Identifier: MIT
"""libtomevit through ctypes, as far as bench/zoo.py needs it."""
import ctypes as c

import numpy as np

FIELDS = """dim depth heads mlp_dim patch image_size image_width classes tokens
prefix registers pos_prefix features""".split()
FLAGS = """class_token distilled qkv_bias patch_bias head_bias norm_pre qk_norm
layer_scale activation final_norm fc_norm pool zero_shot""".split()


class Message(c.Structure):
    _fields_ = [("text", c.c_char * 512)]


class Pixels(c.Structure):
    _fields_ = [("size", c.c_size_t), ("crop_pct", c.c_double),
                ("interpolation", c.c_int), ("crop_mode", c.c_int),
                ("mean", c.c_float * 3), ("std", c.c_float * 3),
                ("pixels", c.c_int), ("width", c.c_size_t),
                ("patch", c.c_size_t), ("max_patches", c.c_size_t),
                ("reserved", c.c_uint64 * 2)]


class Options(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("dtype", c.c_int),
                ("strict", c.c_int), ("image_size", c.c_size_t),
                ("head", c.c_char_p), ("text_embeddings", c.c_char_p),
                ("projection", c.c_size_t), ("reserved", c.c_uint64 * 7)]


class Image(c.Structure):
    _fields_ = [("data", c.c_void_p), ("format", c.c_int),
                ("height", c.c_size_t), ("width", c.c_size_t)]


class Output(c.Structure):
    _fields_ = [(name, c.c_void_p) for name in (
        "logits", "features", "map", "sizes", "rows", "layer_rows",
        "last_rows", "embedding")] + [("reserved", c.c_void_p * 5)]


class Fact(c.Structure):
    _fields_ = [("what", c.c_char_p), ("value", c.c_char_p),
                ("from_", c.c_char_p), ("guessed", c.c_int)]


EACH = c.CFUNCTYPE(None, c.c_void_p, c.POINTER(Fact))


class Refused(Exception):
    """A model that the library does not open, with its line."""


def pillow_rule():
    """Which enum tomevit_pixels the Pillow at hand is."""
    import PIL
    version = tuple(map(int, PIL.__version__.split(".")[:2]))
    return 2 if version >= (13, 0) else 1 if version >= (12, 2) else 0


class Library:
    def __init__(self, path, description):
        """`description`: offsets of the members used here, from a program
        that includes the header (bench/zoo.py makes it)."""
        self.lib, self.at = c.CDLL(path), description
        self.pillow = pillow_rule()
        self.lib.tomevit_describe.restype = c.c_void_p

    def options(self, **kw):
        options = Options()
        self.lib.tomevit_open_options_init(c.byref(options))
        for name, value in kw.items():
            setattr(options, name, value)
        return options

    def member(self, d, name):
        offset, size = self.at[name]
        text = c.string_at(d + offset, size)
        if name in ("family", "layout"):
            return text.split(b"\0")[0].decode()
        if name == "preprocessing":
            return Pixels.from_buffer_copy(text)
        if name == "norm_eps":
            return float(np.frombuffer(text, np.float32)[0])
        return int.from_bytes(text, "little")

    def read(self, d):
        return {name: self.member(d, name) for name in self.at
                if name != "sizeof"}

    def check(self, code, why):
        if code:
            raise Refused(why.text.decode("utf-8", "replace") or str(code))

    def describe(self, path, **kw):
        room = c.create_string_buffer(self.at["sizeof"][0])
        why, options = Message(), self.options(**kw)
        self.check(self.lib.tomevit_read_description(
            path.encode(), c.byref(options), room, c.byref(why)), why)
        return self.read(c.addressof(room))

    def facts(self, path, **kw):
        """{what: (value, from, guessed)}"""
        found, why, options = {}, Message(), self.options(**kw)

        def each(_, fact):
            f = fact.contents
            found[f.what.decode()] = (f.value.decode(), f.from_.decode(),
                                      bool(f.guessed))
        self.check(self.lib.tomevit_each_fact(
            path.encode(), c.byref(options), EACH(each), None,
            c.byref(why)), why)
        return found

    def crop(self, pixels, rgb):
        """The crop of an image [height, width, 3], normalised, [3, H, W]."""
        pixels.pixels = self.pillow
        out = np.empty((pixels.size, pixels.width or pixels.size, 3), np.uint8)
        height, width, _ = rgb.shape
        code = self.lib.tomevit_resize_crop(
            c.byref(pixels), rgb.ctypes.data_as(c.c_void_p),
            c.c_size_t(width), c.c_size_t(height), c.c_size_t(3 * width),
            out.ctypes.data_as(c.c_void_p))
        if code:
            raise Refused(f"tomevit_resize_crop: {code}")
        mean, std = (np.array(list(v), np.float32)
                     for v in (pixels.mean, pixels.std))
        return ((out / np.float32(255) - mean) / std).transpose(2, 0, 1)

    def run(self, path, x, **kw):
        """Description, and what the model makes of x [3, H, W]: "logits",
        "features", "embedding" of what there is."""
        model, context = c.c_void_p(), c.c_void_p()
        why, options = Message(), self.options(**kw)
        self.check(self.lib.tomevit_open(
            path.encode(), c.byref(options), c.byref(model), c.byref(why)),
            why)
        try:
            d = self.read(self.lib.tomevit_describe(model))
            self.check(self.lib.tomevit_context_create(
                model, c.c_size_t(1), 1, c.byref(context)), why)
            x = np.ascontiguousarray(x, np.float32)
            sides = d["image_size"], d["image_width"] or d["image_size"]
            if x.shape != (3, *sides):
                raise Refused(f"expects images of {sides}, "
                              f"the library's are of {x.shape[1:]}")
            image = Image(x.ctypes.data, 1)
            sizes = {"logits": d["classes"], "embedding": d["embedding"],
                     "features": d["features"]}
            made = {k: np.zeros(n, np.float32) for k, n in sizes.items() if n}
            output = Output(**{k: v.ctypes.data for k, v in made.items()})
            self.check(self.lib.tomevit_forward(
                context, None, c.c_size_t(1), c.byref(image),
                c.byref(output)), why)
            return d, made
        finally:
            self.lib.tomevit_context_free(context)
            self.lib.tomevit_close(model)


OFFSETS = r"""
#include <stdio.h>
#include <stddef.h>
#include <tomevit.h>
#define SHOW(m) printf("%s %zu %zu\n", #m, offsetof(tomevit_description, m), \
                       sizeof(((tomevit_description *)0)->m));
int main(void)
{
    printf("sizeof %zu 0\n", sizeof(tomevit_description));
    MEMBERS
    return 0;
}
"""
MEMBERS = FIELDS + FLAGS + ["family", "layout", "norm_eps", "embedding",
                            "preprocessing"]
