"""Folders of the stages of a training."""

import shutil

import pytest

from ltnas import config as c
from ltnas.errors import UserError
from ltnas.runs.folder import RunFolder
from ltnas.training.stages import stages

CONFIG = c.RetrainConfig(genotype="darts_v2", crt=c.ClassifierStage(1, 0.1, fresh=True))


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "retrain"
    path.mkdir()
    return RunFolder(path)


def test_a_stage_has_a_folder_in_that_of_the_run(folder):
    for _ in range(2):  # a resumed run finds it there
        assert [stage.folder.path for stage in stages(CONFIG, folder)] == [
            folder.path,
            folder.path / "crt",
        ]
    assert (folder.path / "crt").is_dir()


def test_a_deleted_run_folder_is_told(folder):
    shutil.rmtree(folder.path)
    with pytest.raises(UserError, match="retrain was deleted while this command worked in it"):
        stages(CONFIG, folder)


def test_a_file_in_the_place_of_the_folder_is_told(folder):
    (folder.path / "crt").touch()
    with pytest.raises(UserError, match=r"crt cannot be created \(File exists\): mend that, then"):
        stages(CONFIG, folder)
