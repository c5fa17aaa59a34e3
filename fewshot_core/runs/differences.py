"""How the configurations of runs differ."""

from collections.abc import Mapping, Sequence
from typing import Any

from fewshot_core.errors import RunError
from fewshot_core.runs.folder import RunFolder


def differences(folders: Sequence[RunFolder]) -> dict[str, list[str]]:
    """Return what is not the same in all runs: the name of each value, and its text in each run.

    Compared are the request, the fingerprints of what it was made from, the versions of packages
    and whether images were made up. A value that a run does not have is "-".

    Raises:
        RunError: If the manifest of one of them is damaged.
    """
    values = [_configuration(folder) for folder in folders]
    names = dict.fromkeys(name for each in values for name in each)
    table = {name: [each.get(name, "-") for each in values] for name in names}
    return {name: texts for name, texts in table.items() if len(set(texts)) > 1}


def _configuration(folder: RunFolder) -> dict[str, str]:
    manifest = folder.manifest()
    found: dict[str, str] = {"kind": str(manifest.get("kind", "split"))}
    found |= _flat("", manifest["request"])
    for part in ("fingerprints", "packages"):
        content = manifest.get(part, {})
        if not isinstance(content, Mapping):
            raise RunError(f"{folder.run_id}: manifest.json: {part} is {content!r}")
        found |= _flat(f"{part}: ", content)
    for name in ("synthetic", "python"):
        found[name] = _text(manifest.get(name))
    return found


def _flat(prefix: str, values: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(f"{prefix}{name}.", value)
        else:
            found[f"{prefix}{name}"] = _text(value)
    return found


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
