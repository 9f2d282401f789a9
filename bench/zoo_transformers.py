# SPDX-License-Identifier: MIT
"""transformers' part of bench/zoo.py: every class that looks at images with a
Vision Transformer, small, through its own configuration, saved by
save_pretrained with its image processor beside it."""
import os

import numpy as np
import torch

import zoo_transformers_classes as classes
from zoo import judge, randomize
from zoo_library import Refused
from zoo_transformers_case import CASES


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
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for fill in (classes.of_vit, classes.of_dino, classes.of_clip,
                 classes.of_siglip, classes.of_beit, classes.of_towers,
                 classes.of_others):
        fill(transformers)
    for c in [c for c in CASES if args.wanted(c.name)][::args.some]:
        judge(counts, "transformers", c.kind, c.name,
              lambda c=c: look(c, args, jury))
