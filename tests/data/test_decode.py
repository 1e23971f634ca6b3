"""Images that Pillow warns of are read without a word."""

import warnings

import pytest
from PIL import Image

from ltnas.data.decode import decode_image


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
    assert pixels[:, 0, 0].tolist() == [40, 50, 60]


def test_warnings_that_a_user_asks_for_are_given(large):
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with pytest.raises(Image.DecompressionBombWarning):
            decode_image("large", large, None)
