"""Presets: sets of hyperparameters with a name. They are data; any value can be overridden."""

from dataclasses import dataclass

from fewshot_core.registry import Registry
from fewshot_core.search.options import SearchOptions, TrainingOptions


@dataclass(frozen=True)
class Preset:
    """A set of hyperparameters.

    Attributes:
        name: Its name in every file and option.
        label: Its name in the app.
        description: What it is for, in one line.
        search: For searches.
        training: For the training of a supernet.
    """

    name: str
    label: str
    description: str
    search: SearchOptions
    training: TrainingOptions


PRESETS: Registry[Preset] = Registry("preset")

PRESETS.add(
    Preset(
        name="paper",
        label="Paper",
        description="Exactly Appendix A of the paper: for a GPU.",
        search=SearchOptions(),
        training=TrainingOptions(),
    )
)
PRESETS.add(
    Preset(
        name="quick",
        label="Quick",
        description="A small network on some of the images: eight sub-supernets of a split in "
        "half an hour on two CPU cores. The architecture's learning rate is raised so that it can "
        "move as far in fewer steps.",
        search=SearchOptions(
            epochs=20,
            channels=8,
            cells_per_stage=1,
            images=3_200,
            architecture_learning_rate=0.01,
        ),
        training=TrainingOptions(
            epochs=20, batch_size=64, channels=8, cells_per_stage=1, images=3_200
        ),
    )
)
PRESETS.add(
    Preset(
        name="smoke",
        label="Smoke test",
        description="Whether everything works, in seconds; its results mean nothing.",
        search=SearchOptions(
            epochs=2,
            batch_size=16,
            channels=2,
            cells_per_stage=1,
            images=64,
            architecture_learning_rate=0.01,
        ),
        training=TrainingOptions(epochs=2, batch_size=16, channels=2, cells_per_stage=1, images=64),
    )
)


def preset_of(options: SearchOptions | TrainingOptions) -> str | None:
    """Return the name of the preset that options are of, or None if they are of none."""
    for preset in PRESETS:
        if options in (preset.search, preset.training):
            return preset.name
    return None
