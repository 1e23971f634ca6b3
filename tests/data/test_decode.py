"""Decoding: the same pixels for every kind of file."""

import io

import torch
from pictures import as_tensor, encoded, picture

from ltnas.data.decode import decode
from ltnas.data.listing import EncodedImage


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
