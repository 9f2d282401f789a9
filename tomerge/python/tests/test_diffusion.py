# SPDX-License-Identifier: MIT
"""Merging around a diffusion model's attention. A module with blocks named as
diffusers names them stands in for a pipeline's network; what it should give is
computed by loops of torch, which know the published rules alone."""

import copy
import threading

import pytest
import tomerge

torch = pytest.importorskip("torch")
nn = torch.nn

DIM, HEADS = 24, 3


class Attention(nn.Module):
    def __init__(self, context=DIM):
        super().__init__()
        self.to_q, self.to_out = nn.Linear(DIM, DIM), nn.Linear(DIM, DIM)
        self.to_k, self.to_v = nn.Linear(context, DIM), nn.Linear(context, DIM)
        self.seen = []

    def forward(self, hidden_states, encoder_hidden_states=None,
                attention_mask=None):
        other = (hidden_states if encoder_hidden_states is None
                 else encoder_hidden_states)
        self.seen.append(hidden_states.shape[1])
        q, k, v = (layer(x).unflatten(2, (HEADS, -1)).transpose(1, 2)
                   for layer, x in ((self.to_q, hidden_states),
                                    (self.to_k, other), (self.to_v, other)))
        out = nn.functional.scaled_dot_product_attention(
            q, k, v, attn_mask=attention_mask)
        return self.to_out(out.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.attn1, self.attn2 = Attention(), Attention(10)

    def forward(self, hidden_states, encoder_hidden_states=None, mask=None):
        x = hidden_states
        x = self.attn1(self.norm1(x), attention_mask=mask) + x
        return self.attn2(self.norm2(x), encoder_hidden_states) + x


class Network(nn.Module):
    """At the size of its input, and at half of it."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(4, DIM, 3, padding=1)
        self.down = nn.Conv2d(DIM, DIM, 3, stride=2, padding=1)
        self.high = nn.ModuleList([Block(), Block()])
        self.low = Block()

    def forward(self, sample, texts, mask=None):
        x = self.first(sample)
        for block in self.high:
            x = self.on(block, x, texts, mask)
        return x, self.on(self.low, self.down(x), texts)

    @staticmethod
    def on(block, x, texts, mask=None):
        rows = x.flatten(2).transpose(1, 2)
        rows = block(rows, encoder_hidden_states=texts, mask=mask)
        return rows.transpose(1, 2).unflatten(2, x.shape[2:])


@pytest.fixture
def network():
    torch.manual_seed(4)
    return Network().eval()


@pytest.fixture
def given():
    torch.manual_seed(5)
    return torch.randn(2, 4, 9, 8), torch.randn(2, 5, 10)


def merged_rows(x, by, h, w, r):
    """One image: groups of tokens under tiles of 2 x 2, top left ones."""
    to = [i * w + j for i in range(0, h - 1, 2) for j in range(0, w - 1, 2)]
    rest = [t for t in range(h * w) if t not in to]
    unit = by / by.norm(dim=1, keepdim=True)
    best, where = (unit[rest] @ unit[to].T).max(1)
    going = best.argsort(descending=True)[:r].tolist()
    groups = {t: [t] for t in to}
    for i in going:
        groups[to[where[i]]].append(rest[i])
    groups.update({t: [t] for n, t in enumerate(rest) if n not in going})
    return list(groups.values())


def expected(block, x, texts, r):
    """The block with merging around attn1, x [batch, c, h, w]."""
    h, w = x.shape[2:]
    rows = x.flatten(2).transpose(1, 2)
    normed, out = block.norm1(rows), torch.empty_like(rows)
    for i in range(len(rows)):
        groups = merged_rows(normed[i], rows[i], h, w, r)
        short = torch.stack([normed[i][group].mean(0) for group in groups])
        short = block.attn1(short[None])[0]
        for row, group in zip(short, groups):
            out[i, group] = row
    rows = rows + out
    rows = block.attn2(block.norm2(rows), texts) + rows
    return rows.transpose(1, 2).unflatten(2, x.shape[2:])


@torch.no_grad()
@pytest.mark.parametrize("low", [False, True])
def test_the_published_rules(network, given, low):
    sample, texts = given
    x = network.first(sample)
    for block in network.high:
        x = expected(block, x, texts, 36)
    small = (expected(network.low, network.down(x), texts, 10) if low else
             network.on(network.low, network.down(x), texts))
    assert tomerge.patch_diffusion(network, 0.5,
                                   max_downsample=2 if low else 1) is network
    for block in (*network.high, network.low):
        block.attn1.seen.clear()
    found = network(sample, texts)
    assert network.high[1].attn1.seen == [36]
    assert network.low.attn1.seen == [10 if low else 20]
    for a, b in zip(found, (x, small)):
        assert (a - b).abs().max() <= 1e-5 * b.abs().max()


@torch.no_grad()
def test_in_and_out_again(network, given):
    before = network(*given)
    keys = sorted(network.state_dict())
    tomerge.patch_diffusion(network, 0.0)
    assert all(map(torch.equal, network(*given), before))
    tomerge.patch_diffusion(network, 0.7)
    merged = network(*given)
    assert not torch.equal(merged[0], before[0])
    assert all(map(torch.equal, network(sample=given[0], texts=given[1]),
                   merged))
    copied = copy.deepcopy(network)
    nn.init.zeros_(network.high[0].attn1.to_out.weight)  # not the copy's
    assert all(map(torch.equal, copied(*given), merged))
    assert sorted(network.state_dict()) == keys
    tomerge.unpatch(copied)
    assert all(map(torch.equal, copied(*given), before))


@torch.no_grad()
def test_drawn_destinations(network, given):
    fixed = tomerge.patch_diffusion(network, 0.5)(*given)[0]
    drawn = [tomerge.patch_diffusion(network, 0.5, seed=seed)(*given)[0]
             for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], fixed)
    assert not torch.equal(network(*given)[0], drawn[2])  # of the next pass


def test_gradients_and_threads(network, given):
    tomerge.patch_diffusion(network, 0.5)
    wanted = [output.detach() for output in network(*given)]
    network(*given)[0].sum().backward()
    assert network.high[0].attn1.to_q.weight.grad.abs().sum() > 0
    found = {}

    def work(i):
        found[i] = network(*given)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 3
    assert all(torch.equal(output[0], wanted[0]) for output in found.values())


def test_refused(network, given):
    for wrong in ({"ratio": 1.0}, {"ratio": -0.1}, {"sy": 1, "sx": 1},
                  {"sy": 0}, {"seed": -1}):
        with pytest.raises(ValueError):
            tomerge.patch_diffusion(network, **wrong)
    with pytest.raises(TypeError, match="attn1"):
        tomerge.patch_diffusion(nn.Linear(3, 3))
    with pytest.raises(TypeError, match="torch module"):
        tomerge.patch_diffusion("unet")
    tomerge.patch_diffusion(network)
    with pytest.raises(ValueError, match="attention_mask"):
        network(*given, mask=torch.zeros(72, 72))
    with pytest.raises(ValueError, match="height, width"):
        network(given[0][0], given[1])
    with pytest.raises(RuntimeError, match="outside"):
        network.high[0](torch.randn(2, 72, DIM), given[1])
    network(*given)  # and goes on
