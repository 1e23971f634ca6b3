"""Paths are accepted wherever a configuration has the text of one."""

from pathlib import Path

from omegaconf import OmegaConf

from ltnas import config as c
from ltnas.runs.fingerprint import fingerprint
from ltnas.runs.folder import RunFolder
from ltnas.runs.settings import write_settings
from ltnas.space.genotype import load_genotype


def test_paths_are_those_texts(tmp_path):
    places = {"genotype": "runs/search", "runs": "runs", "resume": "runs/old"}
    data = c.Data("folder", Path("photos"), cache=Path("cache"))
    assert data == c.Data("folder", "photos", cache="cache")
    config = c.RetrainConfig(data=data, **{key: Path(path) for key, path in places.items()})
    assert config == c.RetrainConfig(data=data, **places)
    assert fingerprint(config) == fingerprint(c.RetrainConfig(data=data, **places))


def test_settings_of_paths_can_be_written(tmp_path):
    data = c.Data("folder", tmp_path)
    folder = RunFolder(tmp_path)
    write_settings(folder, c.RetrainConfig(genotype=tmp_path, runs=tmp_path, data=data))
    written = OmegaConf.load(tmp_path / "config.yaml")
    assert written.genotype == written.runs == written.data.root == str(tmp_path)


def test_a_genotype_is_loaded_from_a_path(tmp_path):
    genotype, content = load_genotype("darts_v2")
    RunFolder(tmp_path).write_json("genotype.json", genotype.to_json())
    assert load_genotype(tmp_path)[0] == genotype
    assert load_genotype(Path("darts_v2")) == (genotype, content)
