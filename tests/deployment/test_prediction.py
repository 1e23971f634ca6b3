"""Predictions for image files agree with the network, one image at a time."""

import copy

import pytest
import torch
from PIL import Image
from trained import saved_network

import ltnas
from ltnas.deployment.prediction import predictions


@pytest.fixture(scope="module", params=[None, 12])
def network(request, tmp_path_factory):
    """Networks whose training stored images in their own size, and larger."""
    folder = saved_network(tmp_path_factory.mktemp("run"), stored=request.param)
    return ltnas.load_network(folder)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Seven images of several sizes, with two broken files among them."""
    folder = tmp_path_factory.mktemp("photos")
    generator = torch.Generator().manual_seed(0)
    paths = []
    for number in range(7):
        pixels = torch.randint(0, 256, (20 + number, 30, 3), generator=generator).byte()
        paths.append(folder / f"{number}.png")
        Image.fromarray(pixels.numpy()).save(paths[-1])
    broken = [folder / "text.png", folder / "cut.png"]
    broken[0].write_text("no image")
    broken[1].write_bytes(paths[0].read_bytes()[:200])
    return [str(path) for path in (*paths[:2], *broken, *paths[2:])]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 64])
def test_predictions_are_those_of_each_image_alone(network, files, batch_size):
    shift = torch.tensor([0.1, 0.5, -0.2]).double()
    found = list(predictions(network, files, shift=shift, top=2, batch_size=batch_size))
    assert [one.path for one in found] == files
    for one in found:
        if one.error:
            assert one.path.endswith(("text.png", "cut.png"))
            assert "cannot be read" in one.error
            assert one.classes == one.probabilities == ()
            continue
        with torch.no_grad():
            logits = network(ltnas.prepare(network, one.path))[0].double()
        expected = (logits + shift).softmax(0)
        order = expected.argsort(descending=True)[:2].tolist()
        names = network.preprocessing["classes"]
        assert one.classes == tuple(names[label] for label in order)
        assert one.probabilities == pytest.approx(expected[order].tolist(), abs=1e-6)
    assert sum(bool(one.error) for one in found) == 2


def test_more_classes_than_there_are(network, files):
    shift = torch.zeros(3).double()
    (one,) = predictions(network, files[:1], shift=shift, top=9, batch_size=4)
    assert sorted(one.classes) == ["[red]", "newt", "oak"]
    assert sum(one.probabilities) == pytest.approx(1)
    assert list(one.probabilities) == sorted(one.probabilities, reverse=True)


def test_logits_are_divided_by_the_temperature_before_the_shift(network, files):
    network = copy.deepcopy(network)
    network.temperature = 0.25
    shift = torch.tensor([0.1, 0.5, -0.2]).double()
    (one,) = predictions(network, files[:1], shift=shift, top=3, batch_size=4)
    with torch.no_grad():
        logits = network(ltnas.prepare(network, files[0]))[0].double()
    expected = (logits / 0.25 + shift).softmax(0).sort(descending=True).values
    assert one.probabilities == pytest.approx(expected.tolist(), abs=1e-6)
