# SPDX-License-Identifier: MIT
"""open_clip's part of bench/zoo.py: every pair of an architecture and its
pretrained weights whose image tower is a Vision Transformer."""
import copy
import json
import os

import torch

from zoo import judge, randomize, save, save_shapes

OTHERS = ("RN", "convnext", "fastvit", "resnet", "swin", "mobileclip_s",
          "MobileCLIP-S", "MobileCLIP2-S")
LAYERS = 2                      # of open_clip's own towers, to be quick
BYTES = 4.5                     # a parameter takes, in f32 and beside it


def is_vit(arch, config):
    name = config["vision_cfg"].get("timm_model_name", "")
    return not any(arch.startswith(o) or o in name for o in OTHERS)


def tower_of(config, **vision):
    from open_clip.model import _build_vision_tower
    return _build_vision_tower(config["embed_dim"],
                               {**config["vision_cfg"], **vision},
                               config.get("quick_gelu", False))


def write(config, pre, tower, folder, keep):
    tensors = {"visual." + k: v for k, v in tower.state_dict().items()}
    tensors["logit_scale"] = torch.zeros(())
    if "init_logit_bias" in config:
        tensors["logit_bias"] = torch.zeros(())
    path = os.path.join(folder, "open_clip_model.safetensors")
    keep(tensors, path)
    with open(os.path.join(folder, "open_clip_config.json"), "w",
              encoding="utf-8") as f:
        json.dump({"model_cfg": config, "preprocess_cfg": pre}, f)
    return path


def settings(arch, tag, size):
    import open_clip
    from open_clip.transform import PreprocessCfg, merge_preprocess_dict
    said = open_clip.get_pretrained_cfg(arch, tag)
    said = {k: said[k] for k in ("mean", "std", "interpolation",
                                 "resize_mode") if said.get(k)}
    return merge_preprocess_dict(PreprocessCfg(size=size), said)


def answer(config, pre, folder):
    """A tower with random weights saved, an image, and what it makes of it.
    The tower is gone when ours takes the memory."""
    tower = randomize(tower_of(config))
    path = write(config, pre, tower, folder, save)
    side = pre["size"] if isinstance(pre["size"], int) else pre["size"][0]
    x = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        y = tower(x)
    return path, x, (y[0] if isinstance(y, tuple) else y)[0].numpy()


def compute(config, pre, folder, jury):
    config = copy.deepcopy(config)
    if "timm_model_name" not in config["vision_cfg"]:
        config["vision_cfg"]["layers"] = LAYERS
    path, x, y = answer(config, pre, folder)
    found = jury.library.describe(path)
    if found["classes"]:
        return f"{found['classes']} classes of a tower that has none"
    try:
        return jury.numbers(path, x[0].numpy(), {"embedding": y}, projection=1)
    except Exception as e:
        if "expected a projection" not in str(e):
            raise
        return jury.numbers(path, x[0].numpy(), {"features": y})


class Pair:
    def __init__(self, arch, tag, config, args, jury, done):
        self.arch, self.tag, self.config = arch, tag, config
        self.args, self.jury, self.done = args, jury, done

    def look(self):
        from open_clip.transform import PreprocessCfg, image_transform_v2
        folder = self.args.folder
        with torch.device("meta"):
            tower = tower_of(self.config)
        pre = settings(self.arch, self.tag,
                       self.config["vision_cfg"]["image_size"])
        path = write(self.config, pre, tower, folder, save_shapes)
        facts = self.jury.library.facts(path)
        why = self.jury.pixels(path, image_transform_v2(
            PreprocessCfg(**pre), is_train=False))
        if why:
            return "wrong", why
        os.unlink(os.path.join(folder, "open_clip_config.json"))
        silent = self.jury.alone(facts, path)
        if not self.args.description:
            if self.arch not in self.done:
                self.done[self.arch] = self.numbers(tower, pre)
            if self.done[self.arch]:
                return "wrong", self.done[self.arch]
        return ("silent", silent) if silent else ("agree", "")


    def numbers(self, tower, pre):
        params = sum(p.numel() for p in tower.parameters())
        if ("timm_model_name" in self.config["vision_cfg"] and
                params * BYTES > self.args.memory * 1e9):
            print(f"no numbers of open_clip {self.arch}: "
                  f"{params / 1e9:.2f} billion parameters", flush=True)
            return None
        return compute(self.config, pre, self.args.folder, self.jury)


def visit(args, jury, counts):
    import logging
    import open_clip
    logging.disable(logging.WARNING)
    done, pairs = {}, []
    for arch, tag in open_clip.list_pretrained():
        config = open_clip.get_model_config(arch)
        if is_vit(arch, config) and args.wanted(f"{arch} {tag}"):
            pairs.append((arch, tag, config))
    for arch, tag, config in pairs[::args.some]:
        kind = "timm" if "timm_model_name" in config["vision_cfg"] else "own"
        judge(counts, "open_clip", kind, f"{arch} {tag}",
              Pair(arch, tag, config, args, jury, done).look)
