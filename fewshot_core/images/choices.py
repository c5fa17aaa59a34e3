"""What a user without images can do."""

from fewshot_core.datasets import Dataset

_ARCHIVES = {
    "cifar10": "cifar-10-python.tar.gz, its folder cifar-10-batches-py, or train-*.parquet",
    "cifar100": "cifar-100-python.tar.gz, its folder cifar-100-python, or train-*.parquet",
    "ImageNet16-120": "train_data_batch_1 to train_data_batch_10 and val_data",
}

NOT_FREE = (
    "ImageNet16-120 cannot be downloaded freely: register at image-net.org, take the 16x16 "
    "downsampled ImageNet (Chrabaszcz et al., 2017) in its Python format"
)


def how_to_get(dataset: Dataset) -> str:
    """Return a text that names every way to come by images of a data set."""
    name = dataset.name
    choices = [
        f"put {_ARCHIVES[name]} into images/{name}/ of the data folder",
        f"name a folder that has them: fewshot images register {name} PATH",
    ]
    if name == "ImageNet16-120":
        choices.insert(0, NOT_FREE)
    else:
        choices.append(f"download them: fewshot images download {name}")
    choices.append("use 'synthetic', made-up images")
    return "You can " + "; or ".join(choices) + "."
