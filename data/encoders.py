# SPDX-License-Identifier: MIT
"""Other encoders that train-demo trains on the same pictures: MobileLLM's
block (arXiv:2402.14905), Mega (arXiv:2209.10655), and Megalodon
(arXiv:2404.08801) as it may be read for images. Tensors are named as their
authors name them. Each has

    tokens(pixels, keep)   the mean of its patches, then the patches; `keep`
                           says which of them alone are shown
    config                 what tomerge reads from the checkpoint's metadata

An encoder that is shown a part of its patches counts each for as many as are
left out, as it will count tokens that have merged.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

BASE = 100.0  # of rotary positions on a grid


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x, x.shape[-1:], self.weight, 1e-5)


def picked(x, keep):
    """Rows `keep` [batch, n] of x [batch, rows, ...]."""
    if keep is None:
        return x
    return x.gather(1, keep[:, :, None].expand(-1, -1, x.shape[2]))


class Encoder(nn.Module):
    """What is around the layers. `cut` makes rows of an image's patches."""

    def __init__(self, config, cut, embed):
        super().__init__()
        self.config, self.cut = config, cut
        self.side = config["image"] // config["patch"]
        self.patch_embed = embed
        self.head = nn.Linear(config["dim"], config["classes"])

    def tokens(self, pixels, keep):
        x = self.rows(picked(self.cut(pixels), keep), keep)
        return torch.cat([x.mean(1, keepdim=True), x], 1)

    def forward(self, pixels):
        return self.head(self.tokens(pixels, None)[:, 0])


# ---- MobileLLM's block -------------------------------------------------------

class GroupedAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c, width = c, c["dim"] // c["heads"]
        self.q_proj = nn.Linear(c["dim"], c["dim"], bias=False)
        self.k_proj = nn.Linear(c["dim"], c["kv_heads"] * width, bias=False)
        self.v_proj = nn.Linear(c["dim"], c["kv_heads"] * width, bias=False)
        self.o_proj = nn.Linear(c["dim"], c["dim"], bias=False)

    def forward(self, x, turn):
        b, n, width = x.shape
        q, k, v = (f(x).view(b, n, -1, width // self.c["heads"])
                   .transpose(1, 2)
                   for f in (self.q_proj, self.k_proj, self.v_proj))
        y = F.scaled_dot_product_attention(rotated(q, turn), rotated(k, turn),
                                           v, enable_gqa=True)
        return self.o_proj(y.transpose(1, 2).reshape(b, n, width))


def rotated(x, turn):
    """A half of a head's channels by the row, the other by the column; of each
    the first half with the second."""
    cos, sin = turn
    a, b, c, d = x.chunk(4, -1)
    return x * cos + torch.cat([-b, a, -d, c], -1) * sin


class Gated(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c["dim"], c["hidden"], bias=False)
        self.up_proj = nn.Linear(c["dim"], c["hidden"], bias=False)
        self.down_proj = nn.Linear(c["hidden"], c["dim"], bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class MobileBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = RmsNorm(c["dim"])
        self.self_attn = GroupedAttention(c)
        self.post_attention_layernorm = RmsNorm(c["dim"])
        self.mlp = Gated(c)

    def forward(self, x, turn):
        x = x + self.self_attn(self.input_layernorm(x), turn)
        return x + self.mlp(self.post_attention_layernorm(x))


class FlatEmbed(nn.Module):
    """The convolution, of patches cut already."""

    def __init__(self, width, patch):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width, 3, patch, patch))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, patches):
        return F.linear(patches, self.weight.flatten(1), self.bias)


class Mobile(Encoder):
    """Every block runs `share` times, one after another."""

    def __init__(self, config, cut):
        super().__init__(config, cut, FlatEmbed(config["dim"],
                                                config["patch"]))
        self.layers = nn.ModuleList(MobileBlock(config)
                                    for _ in range(config["depth"]))
        self.norm = RmsNorm(config["dim"])
        bands = config["dim"] // config["heads"] // 4
        rate = BASE ** (-torch.arange(bands) / bands)
        angle = torch.arange(self.side)[:, None] * rate
        rows = angle[:, None].expand(self.side, self.side, bands)
        columns = rows.transpose(0, 1)
        angle = torch.cat([rows, rows, columns, columns], 2).flatten(0, 1)
        self.register_buffer("turn", torch.stack([angle.cos(), angle.sin()]),
                             persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.05)
        runs = config["depth"] * config["share"]
        for block in self.layers:
            for last in (block.self_attn.o_proj, block.mlp.down_proj):
                nn.init.trunc_normal_(last.weight,
                                      std=0.05 / math.sqrt(2 * runs))

    def patches(self):
        return self.patch_embed

    def rows(self, x, keep):
        x = self.patch_embed(x)
        turn = (self.turn if keep is None else self.turn[:, keep][:, :, None])
        for block in self.layers:
            for _ in range(self.config["share"]):
                x = block(x, turn)
        return self.norm(x)


# ---- Mega and Megalodon ------------------------------------------------------

class Ema(nn.Module):
    """Damped moving averages of every channel in two directions, the second of
    which begins one row later. Over rows that are places of a sequence, each
    of which counts `weight` times."""

    def __init__(self, width, states, turning):
        super().__init__()
        self.width, self.states, self.turning = width, states, turning
        self.alpha = nn.Parameter(torch.randn(2 * width, states, 1) * 0.2)
        self.delta = nn.Parameter(torch.randn(2 * width, states, 1) * 0.2)
        if turning:
            rate = torch.exp(-torch.arange(1, width + 1) *
                             (math.log(width) / width))
            rate = torch.cat([rate[torch.randperm(width)] for _ in range(2)])
            self.theta = nn.Parameter(
                torch.log(rate / (1 - rate)).view(-1, 1, 1))
            gamma = torch.randn(2 * width, states, 2)
            gamma[..., 1] = 0
            self.gamma = nn.Parameter(gamma)
            self.omega = nn.Parameter(nn.init.trunc_normal_(
                torch.empty(width, 1), std=0.25, a=-1, b=1))
        else:
            sign = torch.tensor([1.0, -1.0]).repeat(states)[:states, None]
            self.beta = nn.Parameter(
                torch.randn(2 * width, states, 1) * 0.02 + sign)
            self.gamma = nn.Parameter(torch.randn(2 * width, states))
            self.omega = nn.Parameter(torch.randn(width))

    def kernels(self, n):
        """[2, width, n]"""
        a, e = self.alpha.sigmoid()[..., 0], self.delta.sigmoid()[..., 0]
        time = torch.arange(n, device=a.device)
        decay = (1 - a * e).log()[..., None] * time
        scale = self.states ** -0.5
        if not self.turning:
            weight = a * self.beta[..., 0] * self.gamma * scale
            k = (weight[..., None] * decay.exp()).sum(1)
        else:
            turn = self.theta.sigmoid()[..., 0] * (2 * math.pi / self.states)
            turn = turn * torch.arange(1, self.states + 1, device=a.device)
            angle = turn[..., None] * time
            real, imag = (a[..., None] * self.gamma * scale).unbind(-1)
            k = ((real[..., None] * angle.cos() -
                  imag[..., None] * angle.sin()) * decay.exp()).sum(1)
        return k.view(2, self.width, n)

    def forward(self, x, places, total):
        """x [batch, n, width] at places [n] of `total`."""
        ahead, back = self.kernels(total)
        gap = places[:, None] - places
        k = torch.where(gap >= 0, ahead[:, gap.clamp(min=0)],
                        back[:, (-gap - 1).clamp(min=0)])
        y = torch.bmm(k * (total / len(places)), x.permute(2, 1, 0))
        return y.permute(2, 1, 0) + x * self.omega.view(-1)


class Named(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-5)

    def forward(self, x):
        return self.norm(x)


class RelativeBias(nn.Module):
    def __init__(self, places):
        super().__init__()
        self.rel_pos_bias = nn.Parameter(torch.randn(2 * places - 1) * 0.02)
        self.places = places

    def forward(self, at):
        return self.rel_pos_bias[self.places - 1 + at - at[:, None]]


class MegaLayer(nn.Module):
    def __init__(self, c, places):
        super().__init__()
        self.c, d, z, v = c, c["dim"], c["z"], c["v"]
        self.norm, self.move = Named(d), Ema(d, c["h"], False)
        self.v_proj = nn.Linear(d, v)
        self.mx_proj = nn.Linear(d, z + v + 2 * d)
        self.h_proj = nn.Linear(v, d)
        self.gamma = nn.Parameter(torch.randn(2, z) * 0.02)
        self.beta = nn.Parameter(torch.zeros(2, z))
        self.rel_pos_bias = RelativeBias(places)

    def forward(self, x, at, total):
        c = self.c
        y = self.norm(x)
        value = F.silu(self.v_proj(y))
        mixed = self.mx_proj(F.silu(self.move(y, at, total)))
        u, z, r, h = mixed.split([c["dim"], c["z"], c["v"], c["dim"]], 2)
        q, k = (F.silu(z) * self.gamma[i] + self.beta[i] for i in (0, 1))
        score = q @ k.transpose(1, 2) / total + self.rel_pos_bias(at)
        a = 0.5 * (1 + torch.erf((score - 0.707107) /
                                 (0.282095 * math.sqrt(2))))
        a = a * (total / len(at))
        h = F.silu(h + self.h_proj(a @ value * F.silu(r)))
        return x + u.sigmoid() * (h - x)


class MegaFfn(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm = Named(c["dim"])
        self.fc1 = nn.Linear(c["dim"], c["ffn"])
        self.fc2 = nn.Linear(c["ffn"], c["dim"])

    def forward(self, x):
        return x + self.fc2(F.silu(self.fc1(self.norm(x))))


class MegaBlock(nn.Module):
    def __init__(self, c, places):
        super().__init__()
        self.mega_layer, self.nffn = MegaLayer(c, places), MegaFfn(c)

    def forward(self, x, at, total):
        return self.nffn(self.mega_layer(x, at, total))


class GroupNorm(nn.Module):
    """Over all rows of an image; weights are less one."""

    def __init__(self, width, groups):
        super().__init__()
        self.groups = groups
        self.weight = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return F.group_norm(x.transpose(1, 2), self.groups, self.weight + 1,
                            self.bias, 1e-5).transpose(1, 2)


class LessOne(nn.Module):
    """RMSNorm, or with a bias LayerNorm, of weights less one."""

    def __init__(self, width, bias):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, x):
        if self.bias is None:
            return F.rms_norm(x, x.shape[-1:], self.weight + 1, 1e-5)
        return F.layer_norm(x, x.shape[-1:], self.weight + 1, self.bias, 1e-5)


class MegalodonLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c, d, z, v = c, c["dim"], c["z"], c["v"]
        self.timenorm = GroupNorm(d, c["groups"])
        self.cema, self.rmsnorm = Ema(d, c["h"], True), LessOne(d, False)
        self.wv, self.wz = nn.Linear(d, v), nn.Linear(d, z)
        self.wr, self.wh1 = nn.Linear(d, v), nn.Linear(d, d)
        self.wh2 = nn.Linear(v, d, bias=False)
        # Attention starts with scores of up to 9: sharp enough to learn from.
        self.gamma = nn.Parameter(torch.full((2, z), 2.0))
        self.beta = nn.Parameter(torch.zeros(2, z))

    def forward(self, x, at, total):
        c, (b, n, _) = self.c, x.shape
        each = c["z"] // c["heads"]
        y = self.timenorm(x)
        mixed = self.rmsnorm(self.cema(y, at, total))
        z = F.rms_norm(self.wz(mixed).view(b, n, -1, each), (each,),
                       eps=1e-5).flatten(2)
        q, k = (z * (self.gamma[i] + 1) / math.sqrt(each) + self.beta[i]
                for i in (0, 1))
        rate = c["rope_base"] ** (-torch.arange(each // 2) / (each // 2))
        angle = (at[:, None] * rate)[:, None]

        def turned(t):
            e, o = t.view(b, n, -1, each // 2, 2).unbind(-1)
            return torch.stack([e * angle.cos() - o * angle.sin(),
                                e * angle.sin() + o * angle.cos()],
                               -1).flatten(3).transpose(1, 2)

        value = F.silu(self.wv(y)).view(b, n, c["heads"], -1).transpose(1, 2)
        o = F.scaled_dot_product_attention(turned(q), turned(k), value,
                                           scale=1.0)
        o = o.transpose(1, 2).reshape(b, n, -1)
        return x + self.wh1(mixed) + self.wh2(o * F.silu(self.wr(mixed)))


class MegalodonFfn(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm = LessOne(c["dim"], True)
        self.fc1 = nn.Linear(c["dim"], c["ffn"], bias=False)
        self.fc2 = nn.Linear(c["ffn"], c["dim"], bias=False)

    def forward(self, x):
        return self.fc2(F.silu(self.fc1(self.norm(x))))


class MegalodonBlock(nn.Module):
    """The FFN adds to the block's input: two hops at once."""

    def __init__(self, c, places):
        super().__init__()
        self.mega, self.nffn = MegalodonLayer(c), MegalodonFfn(c)

    def forward(self, x, at, total):
        return x + self.nffn(self.mega(x, at, total))


class SameRows(nn.Module):
    def __init__(self, embed):
        super().__init__()
        self.pemb = nn.Module()
        self.pemb.proj = embed

    def forward(self, patches):
        return self.pemb.proj(patches)


class Mega(Encoder):
    """Mega, or Megalodon by config["kind"]. All images of a batch are shown
    the same patches: their moving averages then share a kernel."""

    def __init__(self, config, cut, positions):
        d = config["dim"]
        super().__init__(config, cut,
                         SameRows(FlatEmbed(d, config["patch"])))
        self.places = self.side * self.side
        self.pos_embed = nn.Parameter(positions)
        mega = config["kind"] == "mega"
        block = MegaBlock if mega else MegalodonBlock
        self.blocks = nn.ModuleList(block(config, self.places)
                                    for _ in range(config["depth"]))
        self.final_norm = Named(d) if mega else GroupNorm(d, config["groups"])
        self.out_proj = nn.Sequential()
        if mega:
            self.out_proj.add_module("fc", nn.Linear(d, d))
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.05)
                nn.init.zeros_(module.bias) if module.bias is not None else 0

    def patches(self):
        return self.patch_embed.pemb.proj

    def rows(self, x, keep):
        at = torch.arange(self.places) if keep is None else keep[0]
        x = self.patch_embed(x) + self.pos_embed[:, at]
        for block in self.blocks:
            x = block(x, at, self.places)
        x = self.final_norm(x)
        return F.silu(self.out_proj.fc(x)) if len(self.out_proj) else x


def make(kind, image, patch, classes, cut, positions):
    """An encoder of about half a million parameters."""
    config = {"kind": kind, "image": image, "patch": patch,
              "classes": classes, "depth": 4, "dim": 96}
    if kind == "mobile":
        config.update(share=2, heads=3, kv_heads=1, hidden=256, base=BASE,
                      eps=1e-5, places2d=True)
        return Mobile(config, cut)
    config.update(z=48, v=192, ffn=192 if kind == "mega" else 240, h=16,
                  heads=1 if kind == "mega" else 3, groups=8, chunk=0,
                  swiglu=False, attention="laplace", rope_base=10000.0)
    return Mega(config, cut, positions)
