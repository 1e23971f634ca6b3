"""Messages of one line for configuration files that cannot be read."""

from __future__ import annotations

import traceback
from pathlib import Path


def unreadable_file(error: BaseException) -> str | None:
    """Return one line for a configuration file that is not YAML in UTF-8; None for other errors."""
    import yaml

    path = _file_being_read(error)
    if path is None:
        return None
    match error:
        case UnicodeDecodeError():
            return _not_utf8(path)
        case yaml.MarkedYAMLError():
            return _not_yaml(path, error)
        case yaml.YAMLError():  # a character that YAML forbids
            return f"{path} is not YAML ({' '.join(str(error).split())}): correct it"
        case OSError():
            return f"{path} cannot be read ({error.strerror or error}): correct or remove it"
        case _:
            return None


def _file_being_read(error: BaseException) -> Path | None:
    """Return the file that Hydra was reading when it failed, from the frames of the error."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "load_config" and "full_path" in frame.f_locals:
            return Path(frame.f_locals["full_path"])
    return None


def _not_utf8(path: Path) -> str:
    """Return the message for a file in another encoding."""
    data = path.read_bytes()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"0x{data[error.start]:02x}"
        return f"{path}, line {line}: byte {byte} is not UTF-8: save the file in UTF-8"
    return f"{path} is not UTF-8: save the file in UTF-8"


def _not_yaml(path: Path, error: BaseException) -> str:
    """Return the message for a mistake in the syntax of a file."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = f"{path}, line {mark.line + 1}" if mark is not None else str(path)
    problem = " ".join(str(getattr(error, "problem", None) or error).split())
    if "'\\t'" in problem:
        return f"{where}: a tab stands where YAML allows blanks only: replace it by blanks"
    return f"{where} is not YAML ({problem}): correct it"
