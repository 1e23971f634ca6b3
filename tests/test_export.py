"""`python -m ltnas.export`: its file and its comparison."""

import onnxruntime
import pytest
import torch
from composed import refusal, settings
from trained import saved_network

import ltnas.export
from ltnas import load_network
from ltnas.deployment.exported import PixelClassifier
from ltnas.errors import UserError
from ltnas.export import export
from ltnas.space.genotype import load_genotype


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return saved_network(tmp_path / "run")


def exported(*words):
    return export(settings("export", "run=run", *words))


def test_a_file_beside_the_network_and_its_comparison(run, capsys):
    path = exported("format=safetensors")
    assert path.name == "exported.safetensors"
    assert (run / path.name).exists()
    out = capsys.readouterr().out
    assert out.startswith("safetensors: images of 8 x 8 pixels, 3 classes,")
    assert out.endswith("largest difference from the network's logits: 0\n")
    # A file is a run for all commands: it can be exported again.
    again = export(settings("export", f"run={path}", "format=torch_export"))
    assert again.name == "exported.pt2"
    program = torch.export.load(run / again.name).module()
    pixels = torch.full((5, 3, 8, 8), 77, dtype=torch.uint8)
    assert program(pixels).shape == (5, 3)
    assert load_network(run / path.name).preprocessing["image_size"] == 8


def test_a_file_that_computes_something_else_is_not_written(run, monkeypatch):
    monkeypatch.setattr(ltnas.export, "largest_difference", lambda *arguments: float("nan"))
    with pytest.raises(UserError, match="is not written: its logits would differ by nan"):
        exported("format=safetensors", "out=a.safetensors")
    assert not (run.parent / "a.safetensors").exists()


def test_a_broad_network_is_exported_with_batches_of_any_size(tmp_path, capsys):
    genotype = load_genotype("bnasv2_clr_v1")[0].to_json()
    run = saved_network(
        tmp_path / "broad", genotype=genotype, cells=2, enhancement_cells=1, size=16
    )
    path = export(settings("export", f"run={run}"))
    assert path == run / "exported.onnx"
    assert capsys.readouterr().out.startswith("onnx: images of 16 x 16 pixels, 3 classes,")
    network = load_network(run)
    pixels = torch.randint(0, 256, (5, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    (logits,) = onnxruntime.InferenceSession(path).run(None, {"pixels": pixels.byte().numpy()})
    with torch.no_grad():
        expected = PixelClassifier(network)(pixels.byte())
    torch.testing.assert_close(torch.from_numpy(logits), expected, rtol=1e-4, atol=1e-4)


def test_a_missing_package_is_told_before_anything_is_written(run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"onnxscript is not installed: pip install 'ltnas\[exp"):
        exported("out=a.onnx")
    assert not (run.parent / "a.onnx").exists()


def test_refusals_of_a_command_line_are_one_line(run):
    assert refusal("export").startswith("run= is missing: add run=FOLDER")
    message = refusal("export", "run=run", "format=torchscript")
    assert message == (
        "format=torchscript is not known: choose one of onnx, torch_export, safetensors"
    )
    with pytest.raises(UserError, match="nothing has no trained network"):
        export(settings("export", "run=nothing"))
    (run / "other.safetensors").write_bytes((run / "network.safetensors").read_bytes())
    with pytest.raises(UserError, match=r"other\.safetensors holds a damaged network"):
        export(settings("export", "run=run/other.safetensors"))


def test_as_a_program(run, ltnas):
    done = ltnas("export", "run=run", "format=safetensors", "out=oaks.safetensors")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "oaks.safetensors"
    assert len(done.stdout.splitlines()) == 2
