"""The fingerprint of what a table was read from."""

from collections.abc import Iterable
from pathlib import Path

from fewshot_core.datafolder import canonical_json, file_fingerprint, text_fingerprint


def fingerprint_input(path: Path) -> str:
    """Return the SHA-256 of a file, or for a folder what ``fingerprint_files`` returns."""
    if path.is_file():
        return file_fingerprint(path)
    return fingerprint_files(file for file in path.iterdir() if file.is_file())


def fingerprint_files(files: Iterable[Path]) -> str:
    """Return the SHA-256 of the names of files and the SHA-256 of each."""
    return text_fingerprint(canonical_json({file.name: file_fingerprint(file) for file in files}))
