# SPDX-License-Identifier: MIT
"""One class of transformers in one configuration: how it is saved, and what it
gives."""
import json
import os
import shutil

import torch

from zoo import save

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


def of_patches(results, patch=8):
    """The same of a model that takes rows of patches, channels last."""
    def results_of(m, x):
        n, _, h, w = x.shape
        rows = x.unfold(2, patch, patch).unfold(3, patch, patch)
        rows = rows.permute(0, 2, 3, 4, 5, 1).reshape(n, -1, 3 * patch ** 2)
        grid = torch.tensor([[h // patch, w // patch]] * n)
        there = torch.ones(rows.shape[:2], dtype=torch.long)

        def call(tower):
            return lambda _: tower(pixel_values=rows, spatial_shapes=grid,
                                   pixel_attention_mask=there)
        return results(_Called(m, call), x)
    return results_of


def of_soft(part=lambda m: m, patch=8):
    """The mean of what Gemma 4's tower gives for squares of patches, of rows of
    patches with their columns and rows."""
    def results_of(m, x):
        n, _, h, w = x.shape
        rows = x.unfold(2, patch, patch).unfold(3, patch, patch)
        rows = rows.permute(0, 2, 3, 4, 5, 1).reshape(n, -1, 3 * patch ** 2)
        wide = w // patch
        places = torch.tensor([[i % wide, i // wide]
                               for i in range(rows.shape[1])])
        y = part(m)(rows, places[None].expand(n, -1, -1)).last_hidden_state
        return {"features": y.reshape(n, -1, y.shape[-1]).mean(1)}
    return results_of


class _Called:
    """A model, or a part of it, that is called in another way."""

    def __init__(self, model, call):
        self._model, self._call = model, call

    def __getattr__(self, name):
        return _Called(getattr(self._model, name), self._call)

    def __call__(self, x):
        return self._call(self._model)(x)


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


def processor(name, **kw):
    """The one that works as Pillow does: the others round in another way."""
    import transformers
    return lambda: getattr(transformers, name + "ImageProcessorPil")(**kw)
