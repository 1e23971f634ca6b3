"""Published genotypes: costs of the networks that the authors' code builds, and literals."""

import pytest
import torch
from torch import nn

from ltnas.config import RetrainConfig
from ltnas.models.build import describe_network, described_network
from ltnas.models.cost import multiply_accumulates, parameter_counts
from ltnas.models.network import Network
from ltnas.space.genotype import Edge, load_genotype, published_names

# Parameters without the auxiliary classifier, and multiply-accumulates of a 32 x 32 image, with 36
# channels, 20 cells and 10 classes.
CIFAR = {
    "darts_v1": (3_169_414, 500_987_520),
    "darts_v2": (3_349_342, 528_359_040),
    "pc_darts_cifar": (3_634_678, 556_670_592),
    "pc_darts_image": (3_721_510, 570_466_944),
    "pdarts": (3_433_798, 532_174_464),
    "drnas_cifar10": (4_099_294, 635_135_616),
    "drnas_imagenet": (4_048_750, 617_938_560),
    "darts_minus_0": (3_454_318, 546_551_424),
    "darts_minus_1": (3_634_246, 573_922_944),
    "darts_minus_2": (3_739_222, 592_115_328),
    "darts_minus_3": (3_437_038, 541_243_008),
    "darts_minus_4": (3_446_110, 553_131_648),
    "msrdarts": (4_007_710, 620_012_160),
    "fairdarts_a": (2_360_782, 371_455_200),
    "fairdarts_b": (3_407_878, 536_487_552),
    "fairdarts_c": (2_598_814, 399_987_936),
    "fairdarts_d": (3_365_542, 532_506_240),
    "fairdarts_e": (2_643_742, 414_696_672),
    "fairdarts_f": (3_151_054, 497_614_464),
    "fairdarts_g": (2_899_054, 453_376_224),
    "gdas_v1": (3_368_782, 519_428_736),
}

# The same with 48 channels, 6 convolution cells and 2 enhancement cells.
BROAD = {
    "bnasv2_clr_v1": (3_338_074, 504_273_696),
    "bnasv2_clr_v2": (3_174_874, 467_139_360),
}

# The same with 48 channels, 14 cells, 1000 classes and images of 224 x 224.
IMAGENET = {
    "darts_v1": (4_510_432, 505_864_704),
    "darts_v2": (4_718_752, 529_911_552),
    "pc_darts_cifar": (5_270_560, 571_137_408),
    "pc_darts_image": (5_342_464, 581_627_328),
    "pdarts": (4_944_352, 542_819_328),
    "drnas_cifar10": (5_738_464, 633_832_320),
    "drnas_imagenet": (5_726_368, 624_405_504),
    "msrdarts": (5_671_744, 622_890_816),
}
IMAGENET_PARAMETERS = {
    "darts_minus_0": 4_860_256,
    "darts_minus_1": 5_068_576,
    "darts_minus_2": 5_210_080,
    "darts_minus_3": 4_847_968,
    "darts_minus_4": 4_804_768,
}

# Parameters without the auxiliary classifier by (channels, cells), 10 classes.
SMALL_SIZES = ((16, 8), (16, 5), (36, 8), (16, 20))
SMALL = {
    "darts_v1": (232_890, 123_098, 1_094_950, 671_034),
    "darts_v2": (246_106, 129_706, 1_154_926, 710_682),
    "pc_darts_cifar": (335_738, 222_362, 1_527_958, 788_218),
    "pdarts": (292_026, 180_442, 1_343_206, 737_338),
    "drnas_cifar10": (360_410, 225_418, 1_616_590, 899_354),
    "fairdarts_a": (207_258, 128_250, 951_598, 511_002),
    "fairdarts_b": (278_970, 163_802, 1_285_030, 738_618),
    "msrdarts": (360_090, 229_914, 1_628_830, 879_770),
}


def network(name, channels, cells, classes, stem="cifar", auxiliary=True):
    return Network(load_genotype(name)[0], channels, cells, classes, auxiliary, stem)


def shapes(*arguments, **options):
    """A network of shapes without numbers."""
    with torch.device("meta"):
        return network(*arguments, **options)


def counted_macs(model, size):
    """Multiply-accumulates of convolutions and linear layers for one image, layer by layer."""
    macs = []

    def count(module, inputs, output):
        macs.append(output.numel() * module.weight[0].numel())

    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, size, size))
    return sum(macs)


@pytest.mark.parametrize("name", CIFAR)
def test_cifar_networks_have_the_counts_of_the_authors_code(name):
    parameters, macs = CIFAR[name]
    model = network(name, 36, 20, 10)
    assert parameter_counts(model) == {"parameters": parameters, "auxiliary_parameters": 476_426}
    assert counted_macs(model, 32) == macs


@pytest.mark.parametrize("name", BROAD)
def test_broad_networks_have_the_counts_of_the_authors_code(name):
    parameters, macs = BROAD[name]
    config = RetrainConfig(genotype=name, channels=48, cells=6, auxiliary=0.0)
    description = describe_network(config, load_genotype(name)[0], 32)
    with torch.device("meta"):
        model = described_network(description, 10, name)
    assert parameter_counts(model) == {"parameters": parameters, "auxiliary_parameters": 0}
    assert multiply_accumulates(model, 32) == macs


@pytest.mark.parametrize("name", IMAGENET)
def test_imagenet_networks_have_the_counts_of_the_authors_code(name):
    parameters, macs = IMAGENET[name]
    model = network(name, 48, 14, 1000, "imagenet")
    assert parameter_counts(model) == {"parameters": parameters, "auxiliary_parameters": 1_260_776}
    assert counted_macs(model, 224) == macs


@pytest.mark.parametrize("name", ["pdarts", "fairdarts_a"])
def test_multiply_accumulates_of_cifar_networks(name):
    assert multiply_accumulates(shapes(name, 36, 20, 10), 32) == CIFAR[name][1]


@pytest.mark.parametrize("name", ["darts_v2", "pc_darts_image"])
def test_multiply_accumulates_of_imagenet_networks(name):
    model = shapes(name, 48, 14, 1000, "imagenet")
    assert multiply_accumulates(model, 224) == IMAGENET[name][1]


def test_counting_leaves_the_network_as_it_was():
    model = network("darts_v2", 4, 3, 10).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    multiply_accumulates(model, 32)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("name", IMAGENET_PARAMETERS)
def test_imagenet_networks_have_the_parameters_of_the_authors_code(name):
    counts = parameter_counts(shapes(name, 48, 14, 1000, "imagenet"))
    assert counts == {
        "parameters": IMAGENET_PARAMETERS[name],
        "auxiliary_parameters": 1_260_776,
    }


@pytest.mark.parametrize(
    ("name", "official", "pools"),
    [
        ("snas_mild", 2_663_542, 5),
        ("snas_moderate", 2_848_222, 2),
        ("snas_aggressive", 2_313_622, 0),
    ],
)
def test_snas_normalises_its_pools_and_we_do_not(name, official, pools):
    """A scale and a shift for each of the 72 and 144 channels of the two reduction cells."""
    model = shapes(name, 36, 20, 10)
    reduce = load_genotype(name)[0].cell("reduce")
    assert sum("pool" in edge.operation for edge in reduce.edges) == pools
    counts = parameter_counts(model)
    assert counts["parameters"] + pools * 2 * (72 + 144) == official
    assert counts["auxiliary_parameters"] == 476_426


@pytest.mark.parametrize("name", SMALL)
def test_small_networks_have_the_counts_of_the_authors_code(name):
    counts = [
        parameter_counts(shapes(name, channels, cells, 10, auxiliary=False))["parameters"]
        for channels, cells in SMALL_SIZES
    ]
    assert tuple(counts) == SMALL[name]


def test_a_small_auxiliary_classifier_is_counted_apart():
    counts = parameter_counts(shapes("darts_v2", 16, 8, 10))
    assert counts == {"parameters": 246_106, "auxiliary_parameters": 435_466}


def test_every_published_network_is_counted_here():
    counted = {*CIFAR, *BROAD, "snas_mild", "snas_moderate", "snas_aggressive"}
    assert set(published_names()) == counted


def test_darts_v2_is_literal():
    genotype = load_genotype("darts_v2")[0]
    assert genotype.cell("normal").edges == (
        Edge("sep_conv_3x3", 2, 0),
        Edge("sep_conv_3x3", 2, 1),
        Edge("sep_conv_3x3", 3, 0),
        Edge("sep_conv_3x3", 3, 1),
        Edge("sep_conv_3x3", 4, 1),
        Edge("skip_connect", 4, 0),
        Edge("skip_connect", 5, 0),
        Edge("dil_conv_3x3", 5, 2),
    )
    assert genotype.cell("reduce").edges == (
        Edge("max_pool_3x3", 2, 0),
        Edge("max_pool_3x3", 2, 1),
        Edge("skip_connect", 3, 2),
        Edge("max_pool_3x3", 3, 1),
        Edge("max_pool_3x3", 4, 0),
        Edge("skip_connect", 4, 2),
        Edge("skip_connect", 5, 2),
        Edge("max_pool_3x3", 5, 1),
    )
    assert genotype.cell("normal").concat == genotype.cell("reduce").concat == (2, 3, 4, 5)


def test_fairdarts_a_is_literal():
    genotype = load_genotype("fairdarts_a")[0]
    assert genotype.cell("normal").edges == (
        Edge("sep_conv_3x3", 2, 0),
        Edge("sep_conv_5x5", 2, 1),
        Edge("max_pool_3x3", 4, 0),
        Edge("sep_conv_3x3", 5, 0),
    )
    assert genotype.cell("normal").concat == (2, 4, 5)  # node 3 has no input
    assert genotype.cell("reduce").edges == (
        Edge("max_pool_3x3", 2, 0),
        Edge("avg_pool_3x3", 2, 1),
        Edge("avg_pool_3x3", 3, 0),
        Edge("dil_conv_5x5", 3, 1),
        Edge("avg_pool_3x3", 4, 0),
        Edge("sep_conv_5x5", 4, 1),
        Edge("skip_connect", 5, 0),
        Edge("skip_connect", 5, 1),
    )
    assert genotype.cell("reduce").concat == (2, 3, 4, 5)


def test_gdas_is_the_copy_of_fairdarts():
    """The authors' later literal ends with source 1; no count can tell the two apart."""
    assert load_genotype("gdas_v1")[0].cell("reduce").edges[-1] == Edge("sep_conv_5x5", 5, 2)


@pytest.mark.parametrize(
    "name", sorted(set(CIFAR) - {f"fairdarts_{letter}" for letter in "abcefg"})
)
def test_every_node_has_two_inputs_but_in_fairdarts(name):
    genotype = load_genotype(name)[0]
    for cell in (genotype.cell("normal"), genotype.cell("reduce")):
        assert [edge.node for edge in cell.edges] == [2, 2, 3, 3, 4, 4, 5, 5]
        assert cell.concat == (2, 3, 4, 5)
