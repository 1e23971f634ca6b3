"""Decoding: the same pixels for every kind of file."""

import io
import warnings

import numpy as np
import pytest
import torch
from pictures import as_tensor, encoded, picture
from PIL import Image

from ltnas.data import decode as decoding
from ltnas.data.decode import decode, decode_image
from ltnas.data.listing import EncodedImage
from ltnas.data.rgb import DeepImage
from ltnas.errors import UserError


def test_decode_keeps_the_order_of_many_images(monkeypatch):
    monkeypatch.setattr("ltnas.data.decode.PART", 15)
    items = [
        EncodedImage(str(number), lambda number=number: io.BytesIO(encoded(picture(number))))
        for number in range(40)
    ]
    expected = torch.stack([as_tensor(picture(number)) for number in range(40)])
    pieces = list(decode(items, None, "error"))
    assert [len(piece.images) for piece in pieces] == [15, 15, 10]
    assert torch.equal(torch.cat([piece.images for piece in pieces]), expected)


def test_the_message_on_bytes_that_are_no_image_has_no_address():
    with pytest.raises(UserError) as error:
        decode_image("x.parquet row 3", io.BytesIO(b"no image"), 8)
    assert str(error.value) == (
        "image x.parquet row 3 cannot be read (no image format is recognised): replace or remove it"
    )


def flat_jpeg(size, colour):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "jpeg")
    return buffer.getvalue()


def test_large_photographs_are_decoded_at_a_part_of_their_size(monkeypatch):
    sizes = []
    real = decoding.upright
    monkeypatch.setattr(decoding, "upright", lambda image: sizes.append(image.size) or real(image))
    for size in ((1600, 800), (100, 80)):
        pixels = decode_image("photo", io.BytesIO(flat_jpeg(size, (200, 100, 50))), 32)
        assert pixels.shape == (3, 32, 32)
        # JPEG rounds colours.
        assert (pixels.float() - torch.tensor([200.0, 100, 50]).view(3, 1, 1)).abs().max() < 3
    assert sizes == [(200, 100), (100, 80)]  # 1/8, which is more than twice 32, and the whole


def test_small_details_of_a_large_photograph_are_averaged_as_in_the_whole():
    wave = np.sin(np.arange(800) / 90)
    pixels = (127 + 120 * np.outer(wave, wave[::-1]))[..., None].repeat(3, 2).astype(np.uint8)
    content = encoded(pixels, "jpeg")
    drafted = decode_image("photo", io.BytesIO(content), 32).float()
    whole = decode_image("photo", Image.open(io.BytesIO(content)).copy(), 32).float()
    assert (drafted - whole).abs().mean() < 1
    assert not torch.equal(drafted, whole)


def test_an_image_that_cannot_be_opened_is_named():
    def missing():
        raise FileNotFoundError("gone")

    with pytest.raises(UserError, match=r"^image x cannot be read \(gone\)"):
        list(decode([EncodedImage("x", missing)], None, "error"))
    (piece,) = decode([EncodedImage("x", missing)], None, "skip")
    assert piece.skipped == ("x",)


def test_deep_images_are_never_skipped():
    image = Image.fromarray(np.zeros((2, 2), np.uint16))
    with pytest.raises(DeepImage):
        list(decode([EncodedImage("x", lambda: image)], None, "skip"))
    (piece,) = decode([EncodedImage("x", lambda: image)], None, "skip", (0, 9))
    assert piece.images.shape == (1, 3, 2, 2)


@pytest.fixture
def large(tmp_path, monkeypatch):
    """An image with more pixels than Pillow takes for harmless, and fewer than it refuses."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.new("L", (12, 12), 200).save(tmp_path / "large.png")
    return tmp_path / "large.png"


@pytest.fixture
def transparent(tmp_path):
    """A palette image whose transparency is a byte for each colour."""
    image = Image.new("P", (4, 4), 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "transparent.png", transparency=bytes([0, 128]))
    return tmp_path / "transparent.png"


def test_a_large_image_is_read_in_silence(large):
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(large).close()
    with warnings.catch_warnings(record=True) as caught:
        pixels = decode_image("large", large, None)
    assert caught == []
    assert pixels.unique().tolist() == [200]


def test_a_transparent_palette_is_read_in_silence(transparent):
    with pytest.warns(UserWarning, match="Transparency"):
        Image.open(transparent).convert("RGB")
    with warnings.catch_warnings(record=True) as caught:
        pixels = decode_image("transparent", transparent, None)
    assert caught == []
    assert pixels[:, 0, 0].tolist() == [147, 152, 157]  # half white


def test_warnings_that_a_user_asks_for_are_given(large):
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with pytest.raises(Image.DecompressionBombWarning):
            decode_image("large", large, None)
