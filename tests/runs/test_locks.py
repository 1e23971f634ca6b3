"""Locks between processes, where they work, where they do not, and between users."""

import errno
import fcntl
import stat
from pathlib import Path

from composed import composed

from ltnas.data.long_tail import data_checksum
from ltnas.runs.locks import lock, shared_file
from ltnas.runs.once import once


def test_one_at_a_time(tmp_path):
    with shared_file(tmp_path / "locks" / "a") as first, (tmp_path / "locks" / "a").open() as other:
        assert lock(first, wait=False)
        assert not lock(other, wait=False)
        first.close()
        assert lock(other, wait=False)


def test_a_file_system_without_locks_is_told_and_gone_on_with(tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with shared_file(tmp_path / "a") as file:
        assert lock(file, wait=False)
    assert "a cannot be locked (No locks available): let no two" in capsys.readouterr().err


def test_other_users_can_lock_too(tmp_path, monkeypatch):
    with shared_file(tmp_path / "locks" / "a"):
        pass
    assert stat.S_IMODE((tmp_path / "locks").stat().st_mode) == 0o1777
    opened = Path.open

    def as_another_user(path, mode="r", *rest, **named):
        if mode != "rb":
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, mode, *rest, **named)

    monkeypatch.setattr(Path, "open", as_another_user)
    with shared_file(tmp_path / "locks" / "a") as file:
        assert lock(file, wait=False)


def test_what_has_finished_is_not_run_again(tmp_path):
    config = composed("search", "scheme=random", f"runs={tmp_path}", "resume=auto")
    calls = []

    def run(_):
        folder = tmp_path / f"search-{len(calls)}"
        calls.append(folder)
        folder.mkdir()
        return folder

    first = once(config, run, data_checksum)
    assert once(config, run, data_checksum) != first  # it left no result

    from ltnas.search import search

    found = once(config, search, data_checksum)
    assert once(config, run, data_checksum) == found
    assert len(calls) == 2
