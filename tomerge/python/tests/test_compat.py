# SPDX-License-Identifier: MIT
"""Code written for the paper's own implementation runs on tomerge.compat.tome,
with that implementation's results."""

import golden
import numpy as np
import pytest
import tomerge

torch = pytest.importorskip("torch")

import tomerge.compat.tome as tome  # noqa: E402
from tomerge.compat.tome.merge import (  # noqa: E402
    bipartite_soft_matching, kth_bipartite_soft_matching, merge_source,
    merge_wavg, random_bipartite_soft_matching)
from tomerge.compat.tome.utils import benchmark, parse_r  # noqa: E402


def tensors(case):
    return {name: torch.from_numpy(value.copy())
            for name, value in golden.load(case["file"]).items()}


@pytest.mark.parametrize("case", golden.index("merge"),
                         ids=lambda case: case["file"])
def test_reference_s_results(case):
    """In its own order of rows, with a class token or without."""
    data = tensors(case)
    merge, unmerge = bipartite_soft_matching(
        data["metric"], case["r"], bool(case["class_token"]),
        bool(case["distill_token"]))
    close = dict(rtol=1e-5, atol=1e-6)
    x, size = merge_wavg(merge, data["x"], data["size"].reshape(
        *data["size"].shape[:2], 1))
    torch.testing.assert_close(x, data["merged"], **close)
    torch.testing.assert_close(size.reshape(size.shape[:2]), data[
        "merged_size"].reshape(size.shape[:2]), **close)
    x, _ = merge_wavg(merge, data["x"])
    torch.testing.assert_close(x, data["merged_unit"], **close)
    assert torch.equal(merge(data["x"], mode="amax"), data["amax"])
    source = merge_source(merge, data["x"])
    assert torch.equal(source.argmax(1), data["group"].long())
    assert torch.equal(unmerge(merge(data["group"][..., None].float(),
                                     mode="mean"))[..., 0],
                       data["group"].float())


@pytest.mark.parametrize("case", golden.index("kth"),
                         ids=lambda case: case["file"])
def test_every_kth(case):
    data = tensors(case)
    merge, _ = kth_bipartite_soft_matching(data["metric"], case["k"])
    x, _ = merge_wavg(merge, data["x"])
    torch.testing.assert_close(x, data["merged"], rtol=1e-5, atol=1e-6)


def test_at_random():
    metric = torch.randn(2, 12, 8)
    merge, unmerge = random_bipartite_soft_matching(metric, 5)
    assert merge(metric).shape == (2, 7, 8)
    assert unmerge(merge(metric)).shape == (2, 12, 8)
    x, size = merge_wavg(merge, metric)
    assert (size.sum(1) == 12).all()


def test_nothing():
    x = torch.randn(2, 6, 4)
    for merge, unmerge in (bipartite_soft_matching(x, 0),
                           bipartite_soft_matching(x[:, :1], 3),
                           kth_bipartite_soft_matching(x, 1),
                           random_bipartite_soft_matching(x, 0)):
        assert merge(x) is x and unmerge(x) is x


def test_schedules():
    assert parse_r(4, 3) == [3, 3, 3, 3]
    assert parse_r(3, (8, -1.0)) == [16, 8, 0]
    assert parse_r(3, [5]) == [5, 0, 0]


@pytest.mark.parametrize("pool", ["token", "avg"])
def test_a_session_of_its_readme(pool):
    """Patch, set r, run, look at the sources, draw them, measure."""
    pytest.importorskip("timm")
    Image = pytest.importorskip("PIL.Image")
    from models import small

    torch.manual_seed(1)
    model = small(global_pool=pool)
    tome.patch.timm(model, trace_source=True)
    model.r = 6
    with torch.no_grad():
        assert model(torch.randn(1, 3, 48, 48)).shape == (1, 7)
    info = model._tome_info
    assert info["r"] == [6] * 4 and info["class_token"]
    assert not info["distill_token"] and info["prop_attn"]
    source, size = info["source"], info["size"]
    assert source.shape == (1, 13, 37) and size.shape[:2] == (1, 13)
    assert (source.sum(1) == 1).all()  # each token is in one row
    assert torch.equal(source.sum(2), size[..., 0].float())
    image = Image.fromarray(np.random.default_rng(1).integers(
        0, 255, (48, 48, 3), np.uint8))
    drawn = tome.vis.make_visualization(image, source, patch_size=8,
                                        class_token=True)
    assert drawn.size == image.size
    # The inside of a patch is the mean of its row.
    row = int(source[0].argmax(0)[1])
    patches = [i - 1 for i in source[0, row].nonzero()[:, 0].tolist()]
    pixels = np.asarray(image, float).reshape(6, 8, 6, 8, 3)
    mean = np.mean([pixels[i // 6, :, i % 6] for i in patches], (0, 1, 2))
    assert np.abs(np.asarray(drawn, float)[4, 4] - mean).max() <= 1
    info["prop_attn"] = False
    assert not model.merging.prop_attn
    assert benchmark(model, "cpu", (3, 48, 48), batch_size=2, runs=4) > 0
    with pytest.raises(KeyError):
        info["size"] = None


def test_swag():
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(1)
    model = torchvision.models.VisionTransformer(
        image_size=48, patch_size=8, num_layers=2, num_heads=3,
        hidden_dim=48, mlp_dim=96, num_classes=7).eval()
    tome.patch.swag(model, trace_source=True)
    model.r = 4
    with torch.no_grad():
        model(torch.randn(1, 3, 48, 48))
    assert model._tome_info["source"].shape == (1, 29, 37)


@pytest.mark.parametrize("case", golden.index("model"),
                         ids=lambda case: case["weights"])
def test_models(case):
    vit = pytest.importorskip("timm.models.vision_transformer")
    deit = pytest.importorskip("timm.models.deit")
    config = dict(case["config"])
    kind = (deit.VisionTransformerDistilled if config.pop("distilled", False)
            else vit.VisionTransformer)
    model = kind(**config).eval()
    model.load_state_dict({name: torch.from_numpy(value.copy()) for name, value
                           in golden.load(case["weights"]).items()})
    io = golden.load(case["io"])
    tome.patch.timm(model, trace_source=True)
    for j, run in enumerate(case["runs"]):
        model._tome_info["prop_attn"] = run["prop_attn"]
        pair = isinstance(run["r"], list) and len(run["r"]) == 2
        model.r = tuple(run["r"]) if pair else run["r"]
        with torch.no_grad():
            np.testing.assert_allclose(
                model(torch.from_numpy(io["x"].copy())), io[f"logits_{j}"],
                rtol=1e-5, atol=2e-6)
        if f"group_{j}" in io:
            source = model._tome_info["source"]
            assert np.array_equal(source.argmax(1), io[f"group_{j}"])
