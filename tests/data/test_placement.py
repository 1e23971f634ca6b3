"""Placement of images: the same batches from the device, from memory and from a file."""

import pytest
import torch

from ltnas import config as c
from ltnas.data import placement
from ltnas.data.augment import Normalisation, PlainView
from ltnas.data.images import LabelledImages
from ltnas.data.placement import OnDevice, OnHost, ahead, chosen_placement, place
from ltnas.data.stored_images import StoredImages
from ltnas.data.stream import Stream

CPU = torch.device("cpu")


@pytest.fixture
def data(tmp_path):
    """Every second of 80 images of a file, in reverse order."""
    images = torch.randint(0, 256, (80, 3, 6, 6), generator=torch.Generator().manual_seed(0))
    path = tmp_path / "images"
    path.write_bytes(b"header" + images.byte().numpy().tobytes())
    everything = LabelledImages(StoredImages(path, 6, (80, 3, 6, 6)), torch.arange(80) % 3)
    return everything.select(torch.arange(79, 0, -2))


def stream(images, **settings):
    view = PlainView(Normalisation((0.5,) * 3, (0.25,) * 3), 1, True)
    return Stream(images, torch.arange(3, 33), 7, (view, view), seed=1, number=0, **settings)


@pytest.mark.parametrize("mix", [None, c.Mixup(alpha=0.4)])
@pytest.mark.parametrize("ranks", [1, 2])
def test_both_placements_give_the_same_batches(data, mix, ranks):
    for rank in range(ranks):
        settings = {"mix": mix, "rank": rank, "ranks": ranks}
        device, host = (
            list(stream(place(data, CPU, kind), **settings)) for kind in ("device", "host")
        )
        assert len(device) == len(host) == 4
        for first, second in zip(device, host, strict=True):
            tensors = zip(first.tensors(), second.tensors(), strict=True)
            assert all(torch.equal(one, other) for one, other in tensors)


def test_images_on_the_host_are_not_copied_and_those_on_the_device_are(data):
    on_host, on_device = place(data, CPU, "host"), place(data, CPU, "device")
    assert isinstance(on_host, OnHost)
    assert on_host.data is data
    assert isinstance(on_device, OnDevice)
    assert torch.equal(on_device.images, data.images)
    assert torch.equal(on_device.labels, data.labels)


def test_images_are_copied_part_by_part(data, monkeypatch):
    monkeypatch.setattr("ltnas.data.images.PART_BYTES", 700)  # an image has 108 bytes
    on_device = place(data, CPU, "device")
    assert torch.equal(on_device.images, data.images)


def test_images_in_memory_are_taken_as_they_are():
    images = LabelledImages(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.tensor([0, 1]))
    assert place(images, CPU, "device").images is images.stored


def test_a_placement_that_there_is_not(data):
    with pytest.raises(ValueError, match="disk is not a placement"):
        place(data, CPU, "disk")


def test_images_are_placed_on_the_device_while_they_take_half_of_it(data, monkeypatch):
    needed = 2 * 40 * 3 * 6 * 6
    monkeypatch.setattr(placement, "available_memory", lambda device: 2 * needed)
    assert chosen_placement("auto", [data, data], CPU) == "device"
    monkeypatch.setattr(placement, "available_memory", lambda device: 2 * needed - 1)
    assert chosen_placement("auto", [data, data], CPU) == "host"
    assert chosen_placement("device", [data, data], CPU) == "device"
    assert chosen_placement("host", [], CPU) == "host"


def test_results_come_in_order_and_are_computed_a_few_items_ahead():
    begun = []

    def double(item):
        begun.append(item)
        return 2 * item

    results = ahead(double, iter(range(10)))
    assert next(results) == 0
    assert max(begun) <= placement.AHEAD
    assert list(results) == [2 * item for item in range(1, 10)]
    assert begun == list(range(10))


def test_an_error_of_reading_ahead_reaches_the_reader():
    results = ahead(lambda item: 1 // item, [1, 0, 1])
    with pytest.raises(ZeroDivisionError):
        list(results)
