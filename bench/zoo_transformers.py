# SPDX-License-Identifier: MIT
"""transformers' part of bench/zoo.py: every class that looks at images with a
Vision Transformer, small, through its own configuration, saved by
save_pretrained with its image processor beside it."""
import json
import os
import shutil

import numpy as np
import torch

from zoo import judge, randomize, save
from zoo_library import Refused

SIDE, LAYERS = 32, 3
CASES = []


class Case:
    """One class in one configuration. `results` makes of a model and pixels
    what the library is to give, {"logits": ..}, or is None where the model has
    nothing that it gives: it has to be refused then."""

    def __init__(self, kind, name, make, results, processor=None, **other):
        self.kind, self.name, self.make = kind, name, make
        self.results, self.processor = results, processor
        self.side = other.pop("side", SIDE)         # of the pixels
        self.options = other.pop("options", {})     # to open with
        self.save = other.pop("save", None)         # how, if in another way
        assert not other, other

    def write(self, model, folder):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        path = os.path.join(folder, "model.safetensors")
        if self.save:
            path = self.save(model, folder) or path
        else:
            model.save_pretrained(folder)
        if self.processor:
            self.processor().save_pretrained(folder)
        return path


def case(*args, **other):
    CASES.append(Case(*args, **other))


# ---- what a model gives ------------------------------------------------------

def logits(m, x):
    return {"logits": m(x).logits}


def first(part=lambda m: m):
    return lambda m, x: {"features": part(m)(x).last_hidden_state[:, 0]}


def mean(part=lambda m: m, begin=0):
    return lambda m, x: {
        "features": part(m)(x).last_hidden_state[:, begin:].mean(1)}


def pooled(part=lambda m: m):
    return lambda m, x: {"features": part(m)(x).pooler_output}


def embedded(m, x):
    """What a pair of towers compares, and what its image tower gives."""
    y = m.get_image_features(x)
    return {"embedding": getattr(y, "pooler_output", y)}


def projected(m, x):
    return {"embedding": m(x).image_embeds}


# ---- how it is saved ---------------------------------------------------------

def new_names(model, folder):
    model.save_pretrained(folder, save_original_format=False)


def in_memory(model, folder):
    model.config.save_pretrained(folder)
    path = os.path.join(folder, "pytorch_model.bin")
    torch.save(model.state_dict(), path)
    return path


def behind(prefix):
    """As files published before the class dropped it from its names."""
    def save_it(model, folder):
        model.config.save_pretrained(folder)
        save({prefix + k: v for k, v in model.state_dict().items()},
             os.path.join(folder, "model.safetensors"))
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
            config = json.load(f)
        config["architectures"] = [type(model).__name__]
        with open(os.path.join(folder, "config.json"), "w",
                  encoding="utf-8") as f:
            json.dump(config, f)
    return save_it


# ---- comparing ---------------------------------------------------------------

def processor(name, **kw):
    """The one that works as Pillow does: the others round in another way."""
    import transformers
    return lambda: getattr(transformers, name + "ImageProcessorPil")(**kw)


def transform(made):
    def pixels(image):
        return np.asarray(made(image, return_tensors="np")["pixel_values"][0])
    return pixels


def expected(c, model, x):
    if not c.results:
        return None
    with torch.no_grad():
        return {kind: y[0].numpy() for kind, y in c.results(model, x).items()}


def compare(c, path, x, theirs, jury):
    """What differs, or None."""
    found = jury.library.describe(path, **c.options)
    if theirs is None:
        return "opens, and gives something of its own"
    if bool(found["classes"]) != ("logits" in theirs):
        return f"{found['classes']} classes"
    return jury.numbers(path, x[0].numpy(), theirs, **c.options)


def alone(c, path, x, theirs, beside, jury):
    """The same without what lies beside the weights: another result has to
    come with a guess. What does not, or None."""
    folder = os.path.dirname(path)
    for name in os.listdir(folder):
        if name.endswith(".json"):
            os.unlink(os.path.join(folder, name))
    try:
        facts = jury.library.facts(path, **c.options)
        why = jury.alone(beside, path) if beside else None
        if not why and not any(f[2] for f in facts.values()):
            why = compare(c, path, x, theirs, jury)
        return why
    except Refused:
        return None


def look(c, args, jury):
    model = randomize(c.make())
    path = c.write(model, os.path.join(args.folder, "transformers"))
    x = torch.randn(1, 3, c.side, c.side,
                    generator=torch.Generator().manual_seed(5))
    theirs, facts, refusal = expected(c, model, x), {}, None
    try:
        facts = jury.library.facts(path, **c.options)
        why = compare(c, path, x, theirs, jury)
        if not why and c.processor:
            why = jury.pixels(path, transform(c.processor()))
        if why:
            return "wrong", why
    except Refused as refused:
        refusal = refused
    silent = alone(c, path, x, theirs, facts, jury)
    if silent:
        return "silent", silent
    if refusal:
        raise refusal
    return "agree", ""


def visit(args, jury, counts):
    import transformers
    import zoo_transformers_classes as classes
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for fill in (classes.of_vit, classes.of_dino, classes.of_clip,
                 classes.of_siglip, classes.of_beit, classes.of_towers,
                 classes.of_others):
        fill(transformers)
    for c in [c for c in CASES if args.wanted(c.name)][::args.some]:
        judge(counts, "transformers", c.kind, c.name,
              lambda c=c: look(c, args, jury))
