# SPDX-License-Identifier: MIT
"""Models that people patch, against independent.py: the same rows merge, the
logits agree, and at r = 0 a patched model is the model itself."""

import copy

import numpy as np
import pytest
import tomerge

torch = pytest.importorskip("torch")

import independent  # noqa: E402
from independent import Layer  # noqa: E402

SCHEDULE = [6, 0, 5, 4]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(2)
    with torch.no_grad():
        yield


@torch.no_grad()
def lively(model):
    """Weights large enough to tell tokens apart."""
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.normal_(std=0.2)
        elif parameter.ndim == 1 and parameter.abs().max() < 1e-3:
            parameter.normal_(std=0.2)
        elif parameter.ndim == 1:  # scales
            parameter.uniform_(0.5, 1.5)
    return model.eval()


def judge(model, x, expected, call=lambda model, x: model(x), **choices):
    """Compares a patched model with logits and traces."""
    before = call(model, x)
    state = {name: sorted(vars(module))
             for name, module in model.named_modules()}
    tomerge.patch(model, trace_source=True, **choices)
    assert torch.equal(call(model, x), before)
    model.r = SCHEDULE
    found = call(model, x)
    logits, traces = expected
    for image, trace in enumerate(traces):
        assert model.merging.trace[image].tolist() == trace
    scale = logits.abs().max().item()
    assert (found - logits).abs().max().item() <= 1e-5 * max(scale, 1.0)
    assert (found - before).abs().max() > 1e-4  # merging does show
    copied = copy.deepcopy(model)
    assert torch.equal(call(copied, x), found)
    tomerge.unpatch(model)
    assert torch.equal(call(model, x), before)
    assert state == {name: sorted(vars(module))
                     for name, module in model.named_modules()}


def split(rows, heads, parts=3):
    """[1, rows, parts * heads * c] -> parts of [heads, rows, c]."""
    _, tokens, _ = rows.shape
    return rows.reshape(tokens, parts, heads, -1).permute(1, 2, 0, 3)


# ---- timm ------------------------------------------------------------------


def timm_model(name, **choices):
    timm = pytest.importorskip("timm")
    config = dict(img_size=48, patch_size=8, embed_dim=48, depth=4,
                  num_heads=3, num_classes=7)
    config.update(choices)
    return lively(timm.create_model(name, **config))


def timm_layer(block, table=None, turn=None, prefix=0):
    """A layer of timm's, old or new."""
    attention = block.attn

    def project(x):
        if attention.qkv is None:
            parts = [split(each(x), attention.num_heads, 1)[0] for each in
                     (attention.q_proj, attention.k_proj, attention.v_proj)]
        elif getattr(attention, "q_bias", None) is not None:
            bias = torch.cat([attention.q_bias, attention.k_bias,
                              attention.v_bias])
            parts = split(torch.nn.functional.linear(
                x, attention.qkv.weight, bias), attention.num_heads)
        else:
            parts = split(attention.qkv(x), attention.num_heads)
        q, k, v = parts
        if hasattr(attention, "q_norm"):
            q, k = attention.q_norm(q), attention.k_norm(k)
        return q, k, v

    def rotate(part, places):
        at = [[place - prefix for place in group]
              for group in places[prefix:]]
        angles = independent.mean_of(turn, at, turn.ndim - 2)
        sin, cos = angles.chunk(2, -1)
        moving = part[:, prefix:]
        if getattr(attention, "rotate_half", False):
            one, two = moving.chunk(2, -1)
            other = torch.cat([-two, one], -1)
        else:
            other = torch.stack([-moving[..., 1::2], moving[..., ::2]],
                                -1).flatten(-2)
        return torch.cat([part[:, :prefix], moving * cos + other * sin], 1)

    def scaled(part, number):
        scale = getattr(block, f"ls{number}", None)
        if scale is not None:
            return lambda x: scale(part(x))
        gamma = getattr(block, f"gamma_{number}", None)
        return (lambda x: gamma * part(x)) if gamma is not None else part

    def out(x):
        if hasattr(attention, "norm"):
            x = attention.norm(x)
        return attention.proj(x)

    return Layer(block.norm1, project, scaled(out, 1), block.norm2,
                 scaled(block.mlp, 2), rotate if turn is not None else None,
                 table)


@pytest.mark.parametrize("name, choices, prefix", [
    ("deit_small_patch16_224", {}, 1),
    ("deit_small_distilled_patch16_224", {}, 2),
    ("vit_base_patch16_clip_224", {}, 1),
    ("vit_small_patch14_reg4_dinov2", {}, 5),
    ("vit_base_patch16_siglip_224", {}, 0),
])
def test_timm_vit(name, choices, prefix):
    model = timm_model(name, **choices)
    x = torch.randn(2, 3, 48, 48)
    embedded = model.norm_pre(model._pos_embed(model.patch_embed(x)))
    layers = [timm_layer(block) for block in model.blocks]

    def head(rows):
        return model.forward_head(model.norm(rows))

    judge(model, x, independent.run(layers, embedded, SCHEDULE, prefix, head))


@pytest.mark.parametrize("metric", ["queries", "values", "input"])
def test_metrics(metric):
    model = timm_model("deit_small_patch16_224")
    x = torch.randn(2, 3, 48, 48)
    judge(model, x, independent.run(
        [timm_layer(block) for block in model.blocks],
        model._pos_embed(model.patch_embed(x)), SCHEDULE, 1,
        lambda rows: model.forward_head(model.norm(rows)), metric=metric),
        metric=metric)


@pytest.mark.parametrize("name, choices", [
    ("eva02_tiny_patch14_224", {}),
    ("eva02_tiny_patch14_224", dict(positions="mean")),
    ("eva02_tiny_patch14_224", dict(metric="keys-unrotated")),
    ("vit_small_patch16_dinov3", {}),
    ("vit_small_patch16_dinov3", dict(positions="mean")),
    ("vit_pe_core_tiny_patch16_384", {}),
    ("vit_small_patch16_rope_224", {}),
    ("vit_small_patch16_rope_mixed_224", {}),
    ("vit_small_patch16_rope_mixed_224", dict(positions="mean")),
    ("vit_medium_patch16_rope_reg1_gap_256", {}),
    ("eva_giant_patch14_224", {}),
])
def test_timm_rotary(name, choices):
    try:
        model = timm_model(name)
    except RuntimeError as error:
        pytest.skip(f"this version of timm: {error}")
    x = torch.randn(2, 3, 48, 48)
    rows, turns = model._pos_embed(model.patch_embed(x))
    prefix = model.num_prefix_tokens
    layers = []
    for number, block in enumerate(model.blocks):
        turn = turns
        if turn is not None and turn.ndim == 4:
            turn = turn[number]
        layers.append(timm_layer(block, turn=turn, prefix=prefix))

    def head(rows):
        return model.forward_head(model.norm(rows))

    judge(model, x, independent.run(layers, model.norm_pre(rows), SCHEDULE,
                                    prefix, head, **choices), **choices)


@pytest.mark.parametrize("positions", ["destination", "mean"])
@pytest.mark.parametrize("shared", [False, True])
def test_timm_beit(shared, positions):
    kind = pytest.importorskip("timm.models.beit").Beit
    model = lively(kind(img_size=48, patch_size=8, embed_dim=48, depth=4,
                        num_heads=3, num_classes=7, init_values=0.1,
                        use_rel_pos_bias=not shared,
                        use_shared_rel_pos_bias=shared))
    x = torch.randn(2, 3, 48, 48)
    rows = torch.cat([model.cls_token.expand(2, -1, -1),
                      model.patch_embed(x)], 1)
    rows = rows + model.pos_embed
    tables = [model.rel_pos_bias() if shared
              else block.attn._get_rel_pos_bias()[0]
              for block in model.blocks]
    layers = [timm_layer(block, table)
              for block, table in zip(model.blocks, tables)]

    def head(rows):
        return model.forward_head(model.norm(rows))

    judge(model, x, independent.run(layers, rows, SCHEDULE, 1, head,
                                    positions=positions), positions=positions)


@pytest.mark.parametrize("name", [
    "naflexvit_base_patch16_gap", "naflexvit_base_patch16_map",
    "naflexvit_so150m2_patch16_reg1_map"])
def test_timm_naflex(name):
    timm = pytest.importorskip("timm")
    try:
        model = lively(timm.create_model(
            name, embed_dim=48, depth=4, num_heads=3, patch_size=8,
            num_classes=7))
    except RuntimeError as error:
        pytest.skip(f"this version of timm: {error}")
    x = torch.randn(2, 3, 48, 48)
    rows = model._forward_embeds(x, None, None, None)["patches"]
    layers = [timm_layer(block) for block in model.blocks]

    def head(rows):
        return model.forward_head(model.norm(rows))

    judge(model, x, independent.run(layers, rows, SCHEDULE,
                                    model.num_prefix_tokens, head))


# ---- torchvision and open_clip -----------------------------------------------


def multihead_layer(layer):
    attention = getattr(layer, "self_attention", None) or layer.attn

    def project(x):
        return split(torch.nn.functional.linear(
            x, attention.in_proj_weight, attention.in_proj_bias),
            attention.num_heads)

    return Layer(layer.ln_1, project, attention.out_proj, layer.ln_2,
                 layer.mlp)


def test_torchvision():
    torchvision = pytest.importorskip("torchvision")
    model = lively(torchvision.models.VisionTransformer(
        image_size=48, patch_size=8, num_layers=4, num_heads=3,
        hidden_dim=48, mlp_dim=96, num_classes=7))
    x = torch.randn(2, 3, 48, 48)
    rows = torch.cat([model.class_token.expand(2, -1, -1),
                      model._process_input(x)], 1)
    layers = [multihead_layer(layer) for layer in model.encoder.layers]

    def head(rows):
        return model.heads(model.encoder.ln(rows)[:, 0])

    judge(model, x, independent.run(
        layers, rows + model.encoder.pos_embedding, SCHEDULE, 1, head))


@pytest.mark.parametrize("pool", ["tok", "avg"])
def test_open_clip(pool):
    open_clip = pytest.importorskip("open_clip")
    model = lively(open_clip.CLIP(
        embed_dim=16,
        vision_cfg=dict(image_size=48, patch_size=8, width=48, layers=4,
                        head_width=16, pool_type=pool),
        text_cfg=dict(width=16, heads=2, layers=1, vocab_size=64,
                      context_length=8)))
    visual, x = model.visual, torch.randn(2, 3, 48, 48)
    layers = [multihead_layer(layer)
              for layer in visual.transformer.resblocks]

    def head(rows):
        return visual._pool(rows)[0] @ visual.proj

    judge(model, x, independent.run(layers, visual._embeds(x), SCHEDULE, 1,
                                    head),
          lambda model, x: model.encode_image(x))


# ---- transformers -------------------------------------------------------------


def hugging(kind, config, **choices):
    transformers = pytest.importorskip("transformers")
    sizes = dict(image_size=48, patch_size=8, hidden_size=48,
                 num_hidden_layers=4, num_attention_heads=3,
                 intermediate_size=96, num_labels=7)
    sizes.update(choices)
    return lively(getattr(transformers, kind)(
        getattr(transformers, config)(**sizes)))


def hugging_layer(layer, turn=None, prefix=0):
    attention = getattr(layer, "attention", None) or layer.self_attn
    norms = {"layernorm_before": "layernorm_after", "norm1": "norm2",
             "layer_norm1": "layer_norm2"}
    first = next(name for name in norms if hasattr(layer, name))
    out = getattr(attention, "o_proj", None) or attention.out_proj

    def project(x):
        return [split(each(x), 3, 1)[0] for each in (
            attention.q_proj, attention.k_proj, attention.v_proj)]

    def rotate(part, places):
        at = [[place - prefix for place in group]
              for group in places[prefix:]]
        cos, sin = (independent.mean_of(table, at, 0) for table in turn)
        one, two = part[:, prefix:].chunk(2, -1)
        return torch.cat([part[:, :prefix], part[:, prefix:] * cos
                          + torch.cat([-two, one], -1) * sin], 1)

    def scaled(part, number):
        scale = getattr(layer, f"layer_scale{number}", None)
        return part if scale is None else lambda x: scale(part(x))

    return Layer(getattr(layer, first), project, scaled(out, 1),
                 getattr(layer, norms[first]), scaled(layer.mlp, 2),
                 rotate if turn is not None else None)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("name, prefix, inner, layers", [
    ("ViT", 1, "vit", "layers"), ("DeiT", 2, "deit", "layers"),
    ("Dinov2", 1, "dinov2", "encoder.layer"),
    ("Dinov2WithRegisters", 5, "dinov2_with_registers", "encoder.layer"),
])
def test_transformers_classifiers(name, prefix, inner, layers,
                                  implementation):
    model = hugging(f"{name}ForImageClassification", f"{name}Config")
    model.set_attn_implementation(implementation)
    base = getattr(model, inner)
    x = torch.randn(2, 3, 48, 48)
    parts = [hugging_layer(layer) for layer in base.get_submodule(layers)]

    def head(rows):
        rows = base.layernorm(rows)
        if "Dinov2" not in name:
            return model.classifier(rows[:, 0])
        return model.classifier(torch.cat(
            [rows[:, 0], rows[:, prefix:].mean(1)], -1))

    judge(model, x, independent.run(parts, base.embeddings(x), SCHEDULE,
                                    prefix, head),
          lambda model, x: model(x).logits)


def test_transformers_dinov3():
    model = hugging("DINOv3ViTModel", "DINOv3ViTConfig",
                    num_register_tokens=4)
    x = torch.randn(2, 3, 48, 48)
    turn = [table.reshape(36, -1) for table in model.rope_embeddings(x)]
    parts = [hugging_layer(layer, turn, 5) for layer in model.model.layer]
    judge(model, x, independent.run(parts, model.embeddings(x), SCHEDULE, 5,
                                    model.norm),
          lambda model, x: model(x).last_hidden_state)


@pytest.mark.parametrize("name, prefix", [("CLIP", 1), ("Siglip", 0)])
def test_transformers_of_images_and_text(name, prefix):
    transformers = pytest.importorskip("transformers")
    vision = dict(image_size=48, patch_size=8, hidden_size=48,
                  num_hidden_layers=4, num_attention_heads=3,
                  intermediate_size=96)
    text = dict(hidden_size=48, num_hidden_layers=1, num_attention_heads=3,
                intermediate_size=96, vocab_size=99)
    config = getattr(transformers, f"{name}Config")(
        vision_config=vision, text_config=text)
    model = lively(getattr(transformers, f"{name}Model")(config))
    base, x = model.vision_model, torch.randn(2, 3, 48, 48)
    parts = [hugging_layer(layer) for layer in base.encoder.layers]
    rows = base.embeddings(x)
    if prefix:
        rows = base.pre_layrnorm(rows)

    def head(rows):
        if prefix == 0:
            return base.head(base.post_layernorm(rows))
        return model.visual_projection(base.post_layernorm(rows[:, 0]))

    def call(model, x):
        found = model.get_image_features(pixel_values=x)
        return getattr(found, "pooler_output", found)

    judge(model, x, independent.run(parts, rows, SCHEDULE, prefix, head),
          call)


def test_transformers_masked_autoencoder():
    """Its decoder wants a row for every token that was not masked."""
    model = hugging("ViTMAEForPreTraining", "ViTMAEConfig",
                    decoder_hidden_size=32, decoder_num_attention_heads=2,
                    decoder_num_hidden_layers=1, decoder_intermediate_size=32,
                    mask_ratio=0.25)
    x, noise = torch.randn(2, 3, 48, 48), torch.rand(2, 36)
    rows, _, _ = model.vit.embeddings(x, noise=noise)
    parts = [hugging_layer(layer) for layer in model.vit.layers]
    judge(model.vit, x, independent.run(parts, rows, SCHEDULE, 1,
                                        model.vit.layernorm),
          lambda model, x: model(x, noise=noise).last_hidden_state)
    tomerge.patch(model).r = SCHEDULE
    assert model(x, noise=noise).logits.shape == (2, 36, 192)
