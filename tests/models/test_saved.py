"""Images for loaded networks are prepared as the training data were."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image
from trained import saved_network

import ltnas
from ltnas.data.augment import Normalisation
from ltnas.data.decode import decode_image
from ltnas.errors import UserError
from ltnas.models.network import Network
from ltnas.models.saved import network_bytes
from ltnas.space.genotype import load_genotype

MEAN, STD = (0.1, 0.5, 0.7), (0.2, 0.3, 0.4)


@pytest.fixture(scope="module")
def network():
    network = Network(load_genotype("darts_v1")[0], 2, 3, 2, auxiliary=False)
    network.preprocessing = {"mean": [*MEAN], "std": [*STD], "image_size": 8, "classes": ["a", "b"]}
    return network.eval()


@pytest.fixture(scope="module")
def photo():
    pixels = torch.arange(3 * 20 * 30, dtype=torch.float64).mul(0.37).sin().add(1).mul(127).byte()
    return Image.fromarray(pixels.view(20, 30, 3).numpy())


def test_an_image_is_prepared_as_one_of_the_training(network, photo, tmp_path):
    path = tmp_path / "photo.png"
    photo.save(path)
    pixels = decode_image("photo", str(path), 8)
    wanted = Normalisation(MEAN, STD).standardise_bytes(pixels[None])
    for image in (photo, path, str(path)):
        prepared = ltnas.prepare(network, image)
        assert prepared.shape == (1, 3, 8, 8)
        assert torch.equal(prepared, wanted)
    assert network(prepared).shape == (1, 2)


def test_of_an_image_that_is_stored_larger_the_network_sees_the_central_square(network, photo):
    network = copy.deepcopy(network)
    network.preprocessing = {**network.preprocessing, "stored_size": 12}
    pixels = decode_image("photo", photo, 12)[:, 2:10, 2:10]
    wanted = Normalisation(MEAN, STD).standardise_bytes(pixels[None])
    assert torch.equal(ltnas.prepare(network, photo), wanted)


def test_pixels_of_the_right_size_are_normalised_alone(network):
    prepared = ltnas.prepare(network, Image.new("RGB", (8, 8), (255, 0, 51)))
    expected = [(1 - 0.1) / 0.2, (0 - 0.5) / 0.3, (0.2 - 0.7) / 0.4]
    assert prepared.mean((0, 2, 3)).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr"])
@pytest.mark.parametrize("size", [(8, 8), (1, 50), (3, 5), (64, 48)])
def test_any_mode_and_size(network, photo, mode, size):
    image = photo.convert("RGBA" if mode == "LA" else "RGB").convert(mode).resize(size)
    prepared = ltnas.prepare(network, image)
    assert prepared.shape == (1, 3, 8, 8)
    assert prepared.isfinite().all()
    if mode in ("1", "L", "LA"):  # grey: all channels have the same pixels
        grey = prepared[0] * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
        assert torch.allclose(grey[0], grey[1], atol=1e-6)
        assert torch.allclose(grey[0], grey[2], atol=1e-6)


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_more_than_eight_bits_are_refused(network, mode):
    with pytest.raises(UserError, match=rf"image given cannot be read \(its mode {mode} has more"):
        ltnas.prepare(network, Image.new(mode, (8, 8)))


def test_a_file_that_is_no_image_is_refused(network, tmp_path):
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(UserError, match=r"a\.png cannot be read \(no image format is recognised"):
        ltnas.prepare(network, tmp_path / "a.png")
    with pytest.raises(UserError, match=r"b\.png cannot be read \(.*No such file"):
        ltnas.prepare(network, tmp_path / "b.png")


def test_the_package_has_no_other_names():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ltnas.nothing


def test_a_network_in_one_file_is_that_of_its_folder(tmp_path):
    folder = saved_network(tmp_path / "run")
    path = tmp_path / "network.safetensors"
    path.write_bytes(network_bytes(folder))
    one, other = ltnas.load_network(folder), ltnas.load_network(path)
    assert one.preprocessing == other.preprocessing
    assert one.prior == other.prior == [0.6, 0.3, 0.1]
    images = torch.zeros(2, 3, 8, 8)
    assert torch.equal(one(images), other(images))
    # A file made of such a file is the same.
    assert network_bytes(path) == path.read_bytes()


def test_weights_without_a_description_are_refused(tmp_path):
    folder = saved_network(tmp_path / "run")
    with pytest.raises(UserError, match="holds a damaged network"):
        ltnas.load_network(folder / "network.safetensors")


def test_images_of_16_bits_are_scaled_as_those_of_the_training(network):
    deep = Image.fromarray(np.full((8, 8), 1500, np.uint16))
    with pytest.raises(UserError, match="more than 8 bits"):
        ltnas.prepare(network, deep)
    network.preprocessing["grey_range"] = [1000, 2000]
    try:
        prepared = ltnas.prepare(network, deep)
    finally:
        del network.preprocessing["grey_range"]
    expected = [(128 / 255 - mean) / std for mean, std in zip(MEAN, STD, strict=True)]
    assert prepared.mean((0, 2, 3)).tolist() == pytest.approx(expected, rel=1e-4)
