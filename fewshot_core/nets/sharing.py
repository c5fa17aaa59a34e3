"""Copies of modules that have the same tensors."""

from typing import TypeVar

from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def share(module: Module) -> Module:
    """Return a copy of a module, and of the modules inside it, with the same tensors.

    Parameters and buffers are the same objects; settings are copied, so that changing one of the
    copy's changes nothing in the original. Hooks are not copied.
    """
    twin = object.__new__(type(module))
    vars(twin).update(vars(module))
    vars(twin).update(vars(nn.Module()))
    twin.training = module.training
    twin._parameters.update(module._parameters)
    twin._buffers.update(module._buffers)
    for name, child in module.named_children():
        twin.add_module(name, share(child))
    return twin
