"""What the wheel carries of the top of the repository, so that an installed app finds it."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGED = ("app.py", "pages", ".streamlit/config.toml", "data/demo", "docs", "CITATION.cff")


class PackageTheApp(BuildHookInterface):
    """Put the app into ``fewshot_core/workbench/``, where ``data_folder.app_folder`` looks."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files; an editable installation uses them where they are."""
        if version != "editable":
            for path in PACKAGED:
                build_data["force_include"][path] = f"fewshot_core/workbench/{path}"
