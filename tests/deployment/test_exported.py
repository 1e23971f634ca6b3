"""Exported networks compute what the network computes, and say what they are."""

import io
import json

import onnx
import onnxruntime
import pytest
import torch
from trained import saved_network

from ltnas import config as c
from ltnas.deployment.exported import (
    FORMATS,
    PixelClassifier,
    description,
    largest_difference,
)
from ltnas.models.saved import load_network, normalisation
from ltnas.space.genotype import load_genotype

BROAD = {
    **{"genotype": load_genotype("bnasv2_clr_v1")[0].to_json(), "enhancement_cells": 1},
    "cells": 2,
}
NETWORKS = {
    "onnx": {
        **{"genotype": load_genotype("fairdarts_a")[0].to_json(), "stem": "imagenet", "size": 32},
        **{"branch_depth": 1, "classifier": {"kind": "cosine", "scale": 16.0}, "auxiliary": True},
    },
    "torch_export": {**BROAD, "size": 16, "stored": 19},
    "safetensors": {"branch_depth": 0, "auxiliary": True, "size": 32},
}
"""Networks with something of everything: operations, stems, branches, classifiers, broad cells."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return saved_network(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def in_onnx(run):
    """Content of the ONNX file of a network."""
    return FORMATS["onnx"].encode(run, load_network(run))


def test_formats_are_those_of_the_configuration():
    assert set(FORMATS) == set(c.EXPORT_FORMATS)


@pytest.mark.parametrize("stored", [None, 8, 11, 12])
def test_preprocessing_is_that_of_the_training(tmp_path, stored):
    network = load_network(saved_network(tmp_path, stored=stored))
    side = stored or 8
    shape = (2, 3, side, side)
    pixels = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(1)).byte()
    with torch.no_grad():
        expected = network(normalisation(network).standardise_bytes(pixels))
        assert torch.allclose(PixelClassifier(network)(pixels), expected, atol=1e-6)


def test_logits_are_divided_by_the_temperature(run):
    network = load_network(run)
    pixels = torch.randint(0, 256, (2, 3, *[network.preprocessing["image_size"]] * 2)).byte()
    plain = PixelClassifier(network)(pixels)
    network.temperature = 2.0
    torch.testing.assert_close(PixelClassifier(network)(pixels), plain / 2)


CASES = [
    *((format_name, NETWORKS[format_name]) for format_name in FORMATS),
    pytest.param("onnx", {**BROAD, "size": 32, "branch_depth": 1, "auxiliary": True}, id="broad"),
]


@pytest.mark.parametrize(("format_name", "description"), CASES)
def test_files_agree_with_the_network(tmp_path, format_name, description):
    run = saved_network(tmp_path / "run", **description)
    network = load_network(run)
    path = tmp_path / "file"
    path.write_bytes(FORMATS[format_name].encode(run, network))
    assert largest_difference(path, format_name, network) < 1e-5
    # Another network differs, so that the comparison can fail.
    with torch.no_grad():
        network.classifier.weight.neg_()
    assert largest_difference(path, format_name, network) > 1e-2


def test_batches_of_any_size_by_onnx_runtime(in_onnx):
    session = onnxruntime.InferenceSession(in_onnx)
    (given,), (returned,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("pixels", "tensor(uint8)", ["batch", 3, 8, 8])
    assert (returned.name, returned.shape) == ("logits", ["batch", 3])
    pixels = torch.randint(0, 256, (7, 3, 8, 8), generator=torch.Generator().manual_seed(1)).byte()
    (together,) = session.run(None, {"pixels": pixels.numpy()})
    alone = [session.run(None, {"pixels": one[None].numpy()})[0] for one in pixels]
    assert torch.allclose(torch.from_numpy(together), torch.cat([*map(torch.tensor, alone)]))


def test_the_range_of_grey_values_of_the_training_is_told(run):
    network = load_network(run)
    network.preprocessing = {**network.preprocessing, "grey_range": [7, 65_534]}
    assert json.loads(description(network)["grey_range"]) == [7, 65_534]


def test_metadata_is_in_every_file(tmp_path, run, in_onnx):
    network = load_network(run)
    known = description(network)
    assert json.loads(known["classes"]) == ["newt", "oak", "[red]"]
    assert json.loads(known["class_prior"]) == [0.6, 0.3, 0.1]
    assert known["image_size"] == "8"
    assert known["grey_range"] == "null"

    model = onnx.load_from_string(in_onnx)
    assert {entry.key: entry.value for entry in model.metadata_props} == known

    found = dict.fromkeys(known, "")
    content = FORMATS["torch_export"].encode(run, network)
    torch.export.load(io.BytesIO(content), extra_files=found)
    assert found == known

    path = tmp_path / "one.safetensors"
    path.write_bytes(FORMATS["safetensors"].encode(run, network))
    loaded = load_network(path)
    assert loaded.preprocessing == network.preprocessing
    assert loaded.prior == network.prior
