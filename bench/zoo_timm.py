# SPDX-License-Identifier: MIT
"""timm's part of bench/zoo.py: every pretrained tag of its modules of Vision
Transformers."""
import json
import os

import torch

from zoo import SAME, judge, randomize, save, save_shapes

MODULES = """vision_transformer deit eva beit naflexvit cait volo tnt xcit
vitamin vision_transformer_hybrid vision_transformer_relpos
vision_transformer_sam qwen3_vit deepseek_vit gemma4_vit""".split()


def make(tag, **kw):
    import timm
    return timm.create_model(tag, pretrained=False, **kw)


def write(model, tensors, folder, args=None, keep=save):
    from timm.models._hub import save_config_for_hf
    path = os.path.join(folder, "model.safetensors")
    keep(tensors, path)
    save_config_for_hf(model, os.path.join(folder, "config.json"),
                       model_args=args)
    return path


def data_config(model):
    """timm gives vitamin_xlarge_336 the settings of vitamin_xlarge_256, whose
    images it then refuses: of a model for one size, this counts."""
    from timm.data import resolve_model_data_config
    config = resolve_model_data_config(model)
    made = getattr(getattr(model, "patch_embed", None), "img_size", None)
    if made and model.pretrained_cfg.get("fixed_input_size"):
        config["input_size"] = (3, *made)
    return config


def results(model, x):
    """Logits, or what the head would see."""
    with torch.no_grad():
        if getattr(model, "num_classes", 0):
            return {"logits": model(x)[0].numpy()}
        out = model(x)
    if hasattr(out, "ndim") and out.ndim == 3:
        out = out.mean(1)   # the rows for a language model; ours is their mean
    if isinstance(out, (tuple, list)) or out.ndim != 2:
        raise RuntimeError(f"gives {type(out).__name__} of other shape")
    return {"features": out[0].numpy()}


def small(tag):
    """The model with two layers if it can be had so, and the arguments; with
    one of each kind between two where the middle ones have fewer keys."""
    if "_sapiens2" in tag:
        heads = make(tag, depth=1, num_kv_heads=1).blocks[0].attn.num_heads
        args = {"depth": 3, "num_kv_heads": (heads, heads // 2, heads)}
        return make(tag, **args), args
    for args in ({"depth": 2}, {"depths": (2, 2, 2, 2)}, None):
        try:
            return make(tag, **(args or {})), args
        except TypeError:
            continue
    raise RuntimeError("cannot be made")


def compute(tag, folder, jury):
    model, args = small(tag)
    randomize(model)
    path = write(model, model.state_dict(), folder, args)
    side = model.pretrained_cfg["input_size"][1:]
    embed = getattr(model, "patch_embed", None)
    if (getattr(embed, "img_size", None) and
            getattr(embed, "strict_img_size", True)):
        side = embed.img_size
    x = torch.randn(1, 3, *side, generator=torch.Generator().manual_seed(5))
    return jury.numbers(path, x[0].numpy(), results(model, x))


class Tag:
    def __init__(self, tag, args, jury, done):
        self.tag, self.args, self.jury, self.done = tag, args, jury, done

    def look(self):
        from timm.data import create_transform, resolve_model_data_config
        folder, library = self.args.folder, self.jury.library
        try:
            with torch.device("meta"):
                model = make(self.tag)
        except (RuntimeError, NotImplementedError):
            model = make(self.tag)
        model.eval()
        path = write(model, model.state_dict(), folder, keep=save_shapes)
        found = library.describe(path)
        facts = library.facts(path)
        transform = create_transform(**data_config(model), is_training=False)
        why = self.jury.pixels(path, transform)
        if why:
            return "wrong", why
        os.unlink(os.path.join(folder, "config.json"))
        silent = self.jury.alone(facts, path)
        if not self.args.description:
            key = (self.tag.split(".")[0], bool(found["classes"]),
                   tuple(found[name] for name in SAME))
            if key not in self.done:
                self.done[key] = compute(self.tag, folder, self.jury)
            if self.done[key]:
                return "wrong", self.done[key]
        return ("silent", silent) if silent else ("agree", "")


def visit(args, jury, counts):
    import logging
    import timm
    from timm.models import _registry as registry
    logging.disable(logging.WARNING)
    tags = [t for t in timm.list_models(pretrained=True)
            if registry._model_to_module[t.split(".")[0]] in MODULES and
            args.wanted(t)]
    done = {}
    for tag in tags[::args.some]:
        kind = registry._model_to_module[tag.split(".")[0]]
        judge(counts, "timm", kind, tag, Tag(tag, args, jury, done).look)
