"""Files of systems and notebooks between images."""

import pytest

from ltnas.data.sources.litter import files_below, is_litter, notes_on_litter


@pytest.mark.parametrize("name", ["._0.png", ".git", "__MACOSX", "Thumbs.db", "desktop.ini"])
def test_litter_is_known_by_its_name(name):
    assert is_litter(name)
    assert not is_litter(f"a{name}x")


def test_everything_below_a_folder_of_litter_is_litter(tmp_path):
    names = ("b.png", "a/c.png", "a/.d.png", ".x/e.png", "a/__MACOSX/deep/f.png")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    kept, litter = files_below(tmp_path)
    assert kept == [tmp_path / "a" / "c.png", tmp_path / "b.png"]
    assert litter == sorted(tmp_path / name for name in names[2:])


def test_one_note_counts_them(tmp_path):
    files = [tmp_path / name for name in ("d", "c", "b", "a")]
    assert notes_on_litter([]) == ()
    assert notes_on_litter(files[:1]) == ("1 hidden or system file was left out: d",)
    assert notes_on_litter(files) == ("4 hidden or system files were left out: a, b, c, ...",)
