# SPDX-License-Identifier: MIT
"""What a forward pass leaves in a patched model harms no other pass: threads,
forks, copies, layers that run again, classes with a way of their own."""

import copy
import os
import threading

import pytest
import tomerge

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from timm.models.vision_transformer import VisionTransformer  # noqa: E402
from torch.optim.swa_utils import AveragedModel  # noqa: E402

from models import images, small  # noqa: E402


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(1)


def merging(kind=VisionTransformer, r=5, **choices):
    model = tomerge.patch(small(kind, **choices), trace_source=True)
    model.r = r
    return model


class OwnPass(VisionTransformer):
    """Runs its blocks without what VisionTransformer does before them."""

    def forward_features(self, x, **keywords):
        x = self.patch_embed(x)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1)
        x = x + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class OwnPool(OwnPass):
    """And takes a mean of its own, as code for masked autoencoders does."""

    def forward_features(self, x, **keywords):
        return super().forward_features(x)[:, 1:].mean(1)

    def forward_head(self, x, pre_logits=False):
        return self.head(x)


@torch.no_grad()
def test_a_subclass_twice():
    plain, model, x = merging(), merging(OwnPass), images()
    model.load_state_dict(plain.state_dict())
    expected = plain(x)
    for _ in range(2):
        assert torch.equal(model(x), expected)
        assert model.merging.tokens == [32, 27, 22, 17]


@torch.no_grad()
def test_a_subclass_with_a_mean_of_its_own():
    reference = merging(global_pool="avg", fc_norm=False)
    model, x = merging(OwnPool), images()
    model.load_state_dict(reference.state_dict())
    for _ in range(2):
        torch.testing.assert_close(model(x), reference(x))


@torch.no_grad()
def test_an_empty_batch():
    model = merging()
    found = model(images(0))
    assert found.shape == (0, 7)
    assert model.merging.tokens == [32, 27, 22, 17]
    assert model.merging.trace.shape == (0, 37)
    assert torch.equal(model(images(1)), model(images(1))) is False


@torch.no_grad()
def test_one_image_as_in_a_batch():
    """Also one whose keys are all the same to cosine: it loses r too."""
    model, x = merging(), images(2)
    x[1] = torch.nan
    model(x)
    together = model.merging.trace
    for i in range(2):
        model(x[i:i + 1])
        assert (model.merging.trace == together[i]).all()


def test_threads_share_a_model():
    model = merging()
    batches = [images(2) for _ in range(4)]
    with torch.no_grad():
        expected = []
        for x in batches:
            logits = model(x)
            expected.append((logits, model.merging.trace))
    failures = []

    def run(number):
        for _ in range(20):
            with torch.no_grad():
                logits = model(batches[number])
            if not (torch.equal(logits, expected[number][0]) and
                    (model.merging.trace == expected[number][1]).all()):
                failures.append(number)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@torch.no_grad()
def test_passes_in_turns():
    """Layers of two passes, one of each in turn, in one thread."""
    model, batches = merging(), [images(2), images(2)]
    expected = [model.forward_features(x) for x in batches]
    rows = [model._pos_embed(model.patch_embed(x)) for x in batches]
    for block in model.blocks:
        rows = [block(x) for x in rows]
    for x, features in zip(rows, expected):
        assert torch.equal(model.norm(x), features)


@torch.no_grad()
def test_heads_after_two_passes():
    """Each weighs its own rows."""
    model = merging(global_pool="avg", class_token=False)
    batches = [images(2), images(2)]
    expected = [model(x) for x in batches]
    features = [model.forward_features(x) for x in batches]
    for rows, logits in zip(features, expected):
        assert torch.equal(model.forward_head(rows), logits)
    model(images(3))
    with pytest.raises(RuntimeError, match="another forward pass"):
        model.forward_head(features[0] * 1)


@torch.no_grad()
def test_rows_from_elsewhere():
    model = merging()
    with pytest.raises(RuntimeError, match="layer 2 .* did not return"):
        model.blocks[2](torch.randn(2, 37, 48))
    x = model.blocks[0](torch.randn(2, 37, 48))
    with pytest.raises(RuntimeError, match="layer 1 .* did not return"):
        model.blocks[1](torch.cat([x, x[:, :1]], 1))
    # Hooks may return a tensor of their own.
    hook = model.blocks[0].register_forward_hook(lambda m, i, y: y * 1)
    x = images()
    found = model(x)
    hook.remove()
    assert torch.equal(found, model(x))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_process():
    """After a team of threads, where OpenMP would hang in a child."""
    metric, results = torch.randn(4, 197, 64), []
    expected = tomerge.plan(metric, 16, threads=2).map
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        found = tomerge.plan(metric, 16, threads=2).map
        os.write(writing, b"same" if (found == expected).all() else b"other")
        os._exit(0)
    os.close(writing)
    timer = threading.Timer(30, os.kill, (child, 9))
    timer.start()
    results = os.read(reading, 8)
    timer.cancel()
    os.waitpid(child, 0)
    os.close(reading)
    assert results == b"same"


def train(model, x):
    model.train()
    model(x).square().sum().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters()}


def test_copies_after_a_training_step():
    model, x = merging(), images()
    average = AveragedModel(model)
    train(model, x)
    average.update_parameters(model)
    other = copy.deepcopy(model)
    assert not model.merging.size.requires_grad
    with torch.no_grad():
        assert torch.equal(other.eval()(x), model.eval()(x))
        assert torch.equal(average.eval()(x), model(x))
    assert AveragedModel(model).module.merging.tokens == []


def test_checkpointing():
    """Layers that run again in the backward pass merge as they did."""
    model, x = merging(), images()
    expected = train(model, x)
    tokens = model.merging.tokens
    model.zero_grad()
    model.set_grad_checkpointing()
    model.train()
    losses = [model(x), model(images())]  # a second pass in between
    losses[0].square().sum().backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name])
    assert model.merging.tokens == tokens


def test_checkpointing_of_the_old_kind():
    model = merging()
    x = torch.randn(2, 37, 48, requires_grad=True)
    for block in model.blocks:
        x = torch.utils.checkpoint.checkpoint(block, x, use_reentrant=True)
    with pytest.raises(RuntimeError, match="use_reentrant=False"):
        x.sum().backward()
