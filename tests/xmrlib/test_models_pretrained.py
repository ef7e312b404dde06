"""VGG-19 and the residual networks against torchvision: its weights fit, and its outputs come out."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from xmrlib import models

TORCHVISION = json.loads(
    Path(__file__).with_name("fixtures").joinpath("torchvision", "networks.json").read_text(encoding="utf-8")
)
NETWORKS = {"vgg19": models.vgg19} | {
    f"resnet{depth}": (lambda depth=depth: models.resnet(depth)) for depth in (18, 34, 50)
}
PARAMETERS = {"vgg19": 143_667_240, "resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032}


def on_meta(name):
    with torch.device("meta"):
        return NETWORKS[name]().eval()


@torch.no_grad()
def fill(model):
    """Made-up weights that are the same on every machine; numpy has promised never to change this generator."""
    block = torch.from_numpy(np.random.RandomState(0).uniform(-1, 1, 10_007).astype(np.float32))
    for name, weight in model.state_dict().items():
        if not weight.is_floating_point():
            continue
        flat, whole = weight.view(-1), weight.numel() // len(block)
        flat[: whole * len(block)].view(whole, len(block)).copy_(block)
        flat[whole * len(block) :].copy_(block[: weight.numel() - whole * len(block)])
        if weight.ndim > 1:
            weight *= (6 / weight[0].numel()) ** 0.5
        elif name.endswith("running_var"):
            weight.mul_(0.5).add_(1)
        else:
            weight.mul_(0.1).add_(float(name.endswith("weight")))
    return model.eval()


def pictures():
    return torch.from_numpy(np.random.RandomState(1).uniform(-2, 2, (2, 3, 96, 96)).astype(np.float32))


@pytest.mark.parametrize("name", NETWORKS)
def test_names_and_shapes_are_those_of_torchvision(name):
    """Protects the promise that a file of torchvision's weights loads: same names, same shapes, same order."""
    ours = [
        f"{key} {'x'.join(map(str, weight.shape))}".strip()
        for key, weight in on_meta(name).state_dict().items()
    ]
    assert ours == TORCHVISION[name]["weights"]


@pytest.mark.parametrize("name", NETWORKS)
def test_number_of_parameters_is_the_published_one(name):
    """Protects the counts that the notebook quotes."""
    assert sum(weight.numel() for weight in on_meta(name).parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_residual_networks_compute_what_torchvision_computes(name):
    """Same weights, same pictures, same logits. Other processors sum in another order: up to 1e-4 of the largest."""
    expected = torch.tensor(TORCHVISION[name]["output"])
    with torch.inference_mode():
        found = fill(NETWORKS[name]())(pictures())[:, :4]
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


def test_vgg_computes_what_torchvision_computes():
    """The convolutions, whose weights take 80 MB; the fully connected layers alone would take half a gigabyte."""
    network = on_meta("vgg19")
    maps = torch.nn.ModuleDict({"features": network.features}).to_empty(device="cpu")
    with torch.inference_mode():
        found = fill(maps)["features"](pictures()).mean(dim=(2, 3))[:, :4]
    expected = torch.tensor(TORCHVISION["vgg19"]["output"])
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize(("name", "dim"), [("vgg19", 4096), ("resnet18", 512), ("resnet50", 2048)])
def test_feature_is_what_the_last_layer_reads(name, dim):
    """Protects `embed`: its width, and that the class scores are one linear layer on top of it."""
    network = on_meta(name)
    embedded = network.embed(torch.empty(2, 3, 224, 224, device="meta"))
    last = network.classifier[-1] if name == "vgg19" else network.fc
    assert embedded.shape == (2, dim) == (2, last.in_features)
    assert isinstance(last, torch.nn.Linear)


def test_head_on_top_of_the_feature():
    """In evaluation mode the logits are the last layer of the feature, for other numbers of classes too."""
    network = fill(models.resnet(18, classes=7))
    with torch.inference_mode():
        torch.testing.assert_close(network(pictures()), network.fc(network.embed(pictures())))
        assert network(pictures()).shape == (2, 7)


@pytest.mark.parametrize("block", [models.Basic, models.Bottleneck])
def test_block_whose_convolutions_are_zero_passes_its_input(block):
    """The idea of the residual block: with nothing learnt, it is the identity (of what is not negative)."""
    same = block(16 * block.expansion, 16).eval()
    for name, weight in same.named_parameters():
        torch.nn.init.zeros_(weight) if "conv" in name else None
    x = torch.rand(2, 16 * block.expansion, 5, 5)
    torch.testing.assert_close(same(x), x)


def test_weights_survive_a_file(tmp_path):
    """The way in which a reader loads weights: `torch.save` there, `weights_only` here."""
    torch.manual_seed(0)
    there, here = models.resnet(18), models.resnet(18)
    torch.save(there.state_dict(), tmp_path / "weights.pth")
    here.load_state_dict(torch.load(tmp_path / "weights.pth", weights_only=True))
    with torch.inference_mode():
        torch.testing.assert_close(there.eval()(pictures()), here.eval()(pictures()))


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: models.resnet(20), "depth is 20"),
        (lambda: models.resnet(18, classes=0), "classes is 0"),
        (lambda: models.vgg19(0), "classes is 0"),
    ],
)
def test_bad_arguments_are_named(call, what):
    with pytest.raises(ValueError, match=what):
        call()
