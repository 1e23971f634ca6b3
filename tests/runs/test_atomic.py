"""Advice for files that could not be written fits the command and the error."""

import errno
import os
import shutil

import pytest

from ltnas import report as module
from ltnas.errors import UserError
from ltnas.runs.atomic import atomically


def failure(path, number, *advice):
    with pytest.raises(UserError) as caught, atomically(path, *advice):
        raise OSError(number, os.strerror(number))
    return str(caught.value)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk(tmp_path, number):
    path = tmp_path / "a"
    start = f"{path} could not be written ({os.strerror(number)}): make room, then "
    assert failure(path, number) == (
        f"{start}go on with resume=auto; what was saved before is whole"
    )
    assert failure(path, number, "run the report again") == f"{start}run the report again"


def test_a_folder_that_cannot_be_written(tmp_path):
    message = failure(tmp_path / "a", errno.EACCES, "run the report again")
    assert message == (
        f"{tmp_path}/a could not be written (Permission denied): make {tmp_path} writable, then "
        "run the report again"
    )


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_folder_that_was_deleted(tmp_path, when):
    folder = tmp_path / "run"
    if when == "meanwhile":
        folder.mkdir()

    def write():
        with atomically(folder / "a") as partial:
            if when == "before":
                folder.mkdir()  # as Lightning does before it writes a checkpoint
            else:
                shutil.rmtree(folder)
            partial.write_text("x")

    with pytest.raises(UserError) as caught:
        write()
    assert str(caught.value) == (
        f"{folder} was deleted while this command worked in it: start it again"
    )
    assert not folder.exists()


def test_a_report_to_a_full_disk(tmp_path, monkeypatch):
    (tmp_path / "runs" / "a").mkdir(parents=True)
    (tmp_path / "runs" / "a" / "fingerprint.json").write_text('{"version": 2, "command": "search"}')
    out = tmp_path / "out"
    out.mkdir()
    (out / f".report.md.{os.getpid()}.partial").symlink_to("/dev/full")
    with pytest.raises(UserError) as caught:
        module.report([tmp_path / "runs"], out)
    assert str(caught.value) == (
        f"{out}/report.md could not be written (No space left on device): make room, then run "
        "the report again"
    )
