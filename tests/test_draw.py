"""`python -m ltnas.draw`: genotypes of all kinds as pictures."""

import subprocess
import sys

import pytest
from composed import refusal, settings

from ltnas.draw import draw_genotype
from ltnas.errors import UserError

STARTS = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}


def drawn(*words):
    return draw_genotype(settings("draw", *words))


@pytest.mark.parametrize("ending", STARTS)
def test_the_ending_decides_the_format(tmp_path, ending):
    path = drawn("genotype=bnasv2_clr_v1", f"out={tmp_path / 'new' / f'cell.{ending.upper()}'}")
    content = path.read_bytes()
    assert content.startswith(STARTS[ending])
    # Equal genotypes give equal files.
    drawn("genotype=bnasv2_clr_v1", f"out={path}")
    assert path.read_bytes() == content


def test_texts_of_other_code_are_drawn(tmp_path):
    text = tmp_path / "log.txt"
    text.write_text(
        "genotype = Genotype(normal=[('max_pool_3x3', 0), ('sep_conv_5x5', 1)], normal_concat=[2], "
        "reduce=[('avg_pool_3x3', 0), ('avg_pool_3x3', 1)], reduce_concat=range(2, 3))"
    )
    picture = drawn(f"genotype={text}", f"out={tmp_path / 'cell.svg'}").read_text()
    # Legends are drawn as outlines, and each keeps its text as a comment.
    for name in ("max pool 3x3", "sep conv 5x5", "avg pool 3x3"):
        assert name in picture
    assert "dil conv" not in picture


def test_refusals_of_a_command_line_are_one_line(tmp_path):
    assert refusal("draw").startswith("genotype= is missing: add genotype=darts_v2")
    assert refusal("draw", "genotype=a", "out=a.jpg").startswith("out=a.jpg does not end in .svg")
    with pytest.raises(UserError, match="genotype=nothing has no genotype"):
        drawn("genotype=nothing")
    (tmp_path / "a.svg").mkdir()
    with pytest.raises(UserError, match="is a folder: write out=FOLDER/FILE"):
        drawn("genotype=darts_v1", f"out={tmp_path / 'a.svg'}")


def test_as_a_program_without_torch(tmp_path):
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('loaded', *{'torch', 'lightning'} & set(sys.modules)))\n"
        "import runpy\n"
        "sys.argv[1:] = ['genotype=darts_v2']\n"
        "runpy.run_module('ltnas.draw', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["cell.svg", "loaded"]
    assert (tmp_path / "cell.svg").exists()
