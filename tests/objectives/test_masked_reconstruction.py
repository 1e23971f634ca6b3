"""Masked reconstruction beside its formulas in plain PyTorch, and what reaches its loss."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ltnas import config as c
from ltnas.data.augment import Normalisation, PlainView
from ltnas.data.patch_mask import PatchMask
from ltnas.data.stream import Batch
from ltnas.objectives.build import build_objective, build_views
from ltnas.objectives.masked_reconstruction import Decoder, masked_error
from ltnas.space.layout import StateShape

SHAPES = [StateShape(5, 0), StateShape(6, 1), StateShape(7, 2)]
CLASSES = 3


class Encoder(nn.Module):
    """Model of three resolutions."""

    feature_size = 7

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 5, 3, padding=1)
        self.second = nn.Conv2d(5, 6, 2, stride=2)
        self.third = nn.Conv2d(6, 7, 2, stride=2)
        self.classifier = nn.Linear(7, CLASSES)

    def last_states(self, images):
        fine = self.first(images).relu()
        middle = self.second(fine).relu()
        return [fine, middle, self.third(middle)]


def made(decoder="hierarchical", seed=0):
    """An encoder, an objective, and a batch of images and masks, in float64."""
    torch.manual_seed(seed)
    config = c.MaskedReconstruction(decoder=decoder, decoder_channels=4, patch=2)
    encoder = Encoder().double()
    objective = build_objective(
        config, 7, torch.ones(CLASSES), c.LinearClassifier(), states=SHAPES
    ).double()
    images = torch.randn(6, 3, 8, 8, dtype=torch.float64)
    mask = PatchMask(8, 8, 2, 0.5)
    masks = mask(images, torch.rand(6, mask.draws)).double()
    return encoder, objective, Batch((images, masks), torch.arange(6) % CLASSES)


def batch_norm(x, weight, bias):
    mean, variance = x.mean((0, 2, 3), True), x.var((0, 2, 3), unbiased=False, keepdim=True)
    scaled = (x - mean) / (variance + 1e-5).sqrt()
    return scaled * weight.view(1, -1, 1, 1) + bias.view(1, -1, 1, 1)


def reference(encoder, decoder, images, mask, scales):
    """Loss of a batch, pixel by pixel, by the tensors of the decoder in the order of its layers."""
    parts = iter(list(decoder.parameters()))
    laterals = [(next(parts), next(parts)) for _ in range(scales)]
    levels = [(next(parts), next(parts), next(parts)) for _ in range(3)]
    weight, bias = next(parts), next(parts)
    assert next(parts, None) is None
    hidden = images.clone()
    hidden[mask.expand_as(images) == 1] = 0
    states = list(reversed(encoder.last_states(hidden)))
    x = None
    for number, (kernel, scale, shift) in enumerate(levels):
        if x is not None:
            x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        if number < scales:
            lateral = F.conv2d(states[number], *laterals[number])
            x = lateral if x is None else x + lateral
        x = batch_norm(F.conv2d(x, kernel, padding=1), scale, shift).relu()
    predicted = F.conv2d(x, weight, bias)
    total, count = 0.0, 0
    for image in range(len(images)):
        for row in range(8):
            for column in range(8):
                if mask[image, 0, row, column] == 1:
                    difference = predicted[image, :, row, column] - images[image, :, row, column]
                    total, count = total + (difference**2).sum(), count + 3
    return total / count


@pytest.mark.parametrize(("decoder", "scales"), [("hierarchical", 3), ("single_scale", 1)])
def test_loss_and_gradients_are_those_of_the_formula(decoder, scales):
    encoder, objective, batch = made(decoder)
    parameters = [
        *(value for name, value in encoder.named_parameters() if "classifier" not in name),
        *objective.parameters(),
    ]
    found = objective(encoder, batch).objective
    wanted = reference(encoder, objective.decoder, *batch.views, scales)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    gradients, expected = (torch.autograd.grad(loss, parameters) for loss in (found, wanted))
    for a, b in zip(gradients, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)
    assert all(gradient.abs().sum() > 0 for gradient in expected if gradient.dim() == 4)


def test_the_error_of_visible_pixels_has_no_gradient():
    _, _, batch = made()
    images, mask = batch.views
    predicted = torch.randn_like(images).requires_grad_()
    (gradient,) = torch.autograd.grad(masked_error(predicted, images, mask), predicted)
    hidden = mask.expand_as(images) == 1
    assert gradient[~hidden].eq(0).all()
    assert gradient[hidden].ne(0).all()
    wanted = 2 * (predicted - images)[hidden] / hidden.sum()
    torch.testing.assert_close(gradient[hidden], wanted.detach())


def test_the_encoder_does_not_see_masked_pixels():
    encoder, objective, batch = made()
    images, mask = batch.views
    other = torch.where(mask.bool(), torch.randn_like(images), images)
    seen = []
    encoder.first.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    losses = [objective(encoder, batch._replace(views=(x, mask))) for x in (images, other)]
    assert seen[0].equal(seen[1])
    assert not losses[0].objective.equal(losses[1].objective)
    assert losses[0].logits.equal(losses[1].logits)


def test_a_perfect_reconstruction_has_no_error():
    _, _, batch = made()
    images, mask = batch.views
    assert float(masked_error(images, images, mask)) == 0
    assert float(masked_error(images + 2, images, mask)) == pytest.approx(4)


def test_labels_reach_the_probe_alone():
    encoder, objective, batch = made()
    first = objective(encoder, batch)
    second = objective(encoder, batch._replace(labels=batch.labels.flip(0) * 0))
    assert first.objective.equal(second.objective)
    assert not first.probe.equal(second.probe)
    parameters = {**dict(encoder.named_parameters()), **dict(objective.named_parameters())}
    found = torch.autograd.grad(first.probe, list(parameters.values()), allow_unused=True)
    reached = {name for name, value in zip(parameters, found, strict=True) if value is not None}
    assert reached == {"classifier.weight", "classifier.bias"}
    found = torch.autograd.grad(first.objective, list(parameters.values()), allow_unused=True)
    missed = {name for name, value in zip(parameters, found, strict=True) if value is None}
    assert missed == {"classifier.weight", "classifier.bias"}
    assert objective.probes
    assert first.logits.shape == (6, CLASSES)
    assert not first.logits.requires_grad


def test_the_decoders_differ_in_the_states_that_they_see_and_in_nothing_else():
    (_, many, _), (_, one, _) = made(), made("single_scale")
    shapes = [
        {name: value.shape for name, value in objective.state_dict().items()}
        for objective in (many, one)
    ]
    further = {
        f"decoder.laterals.{number}.{name}" for number in (1, 2) for name in ("weight", "bias")
    }
    assert shapes[0].keys() - shapes[1].keys() == further
    assert shapes[1].items() <= shapes[0].items()
    encoder, single, batch = made("single_scale")
    states = encoder.last_states(batch.views[0])
    assert single.decoder(states).equal(single.decoder(states[-1:]))


def test_a_decoder_ends_at_the_size_of_the_images_without_a_state_of_that_size():
    decoder = Decoder([StateShape(6, 2), StateShape(7, 3)], 4)
    states = [torch.randn(2, 6, 4, 4), torch.randn(2, 7, 2, 2)]
    assert decoder(states).shape == (2, 3, 16, 16)


def test_the_loss_is_in_full_precision_under_autocast():
    encoder, objective, batch = made()
    encoder, objective = encoder.float(), objective.float()
    batch = batch._replace(views=tuple(view.float() for view in batch.views))
    with torch.autocast("cpu", torch.bfloat16):
        assert objective(encoder, batch).objective.dtype == torch.float32


def test_views_are_the_augmented_image_and_the_mask():
    normalisation = Normalisation((0.5,) * 3, (0.25,) * 3)
    config = c.MaskedReconstruction(mask_ratio=0.25, patch=2)
    views = build_views(config, c.Data("digits"), normalisation, size=(8, 12))
    assert views == (
        PlainView(normalisation, padding=4, flip=True),
        PatchMask(8, 12, patch=2, ratio=0.25),
    )


def test_a_decoder_that_is_none_is_refused():
    config = c.MaskedReconstruction()
    config.decoder = "pyramid"
    with pytest.raises(ValueError, match="pyramid is no decoder"):
        build_objective(config, 7, torch.ones(CLASSES), c.LinearClassifier(), states=SHAPES)
