"""The sub-supernets of one edge, and passes through them, each made once whatever asks for it."""

from dataclasses import dataclass, field
from functools import cached_property

from fewshot_core.errors import MetricError
from fewshot_core.images.batches import Batch
from fewshot_core.metrics.curvature import Curvature, loss_curvature
from fewshot_core.metrics.gradients import Tensors, loss_gradients
from fewshot_core.metrics.per_sample import GradientProducts, weight_gradient_products
from fewshot_core.metrics.quantities import losses
from fewshot_core.nets import Supernet


class Probe:
    """A sub-supernet with one operation on the probed edge, and a batch.

    Metrics that are made of the same pass find it here. It is kept while the edge is scored: a
    gradient takes as much memory as the weights, 7 MB for each operation of the full supernet.

    Args:
        supernet: The sub-supernet, differentiable and with its batch norm set.
        batch: Images and labels on its device, or None for a metric without images.
    """

    def __init__(self, supernet: Supernet, batch: Batch | None = None) -> None:
        self.supernet = supernet
        self._batch = batch

    @property
    def batch(self) -> Batch:
        """The images and labels.

        Raises:
            MetricError: If there are none.
        """
        if self._batch is None:
            raise MetricError("expected a batch of images, got none: this metric needs images")
        return self._batch

    @cached_property
    def gradient(self) -> Tensors:
        """The gradient of the loss, for every probed weight by name."""
        if "curvature" in self.__dict__:
            return self.curvature.gradient
        return loss_gradients(self.supernet, self.batch)

    @cached_property
    def curvature(self) -> Curvature:
        """The gradient of the loss and its product with the Hessian, along the weights."""
        return loss_curvature(self.supernet, self.batch)

    @cached_property
    def samples(self) -> GradientProducts:
        """The inner products of the gradients of single images' losses."""
        return weight_gradient_products(self.supernet, self.batch.images, losses(self.batch))


@dataclass(frozen=True)
class Probes:
    """The probes of an edge by operation, each made when it is first asked for.

    Attributes:
        supernet: The supernet of the sub-space to split.
        edge: The probed edge.
        batch: Images and labels, or None.
    """

    supernet: Supernet
    edge: int
    batch: Batch | None
    _made: dict[int, Probe] = field(default_factory=dict)

    def __getitem__(self, operation: int) -> Probe:
        if operation not in self._made:
            sub_space = self.supernet.sub_space.keep(self.edge, [operation])
            self._made[operation] = Probe(self.supernet.restrict(sub_space), self.batch)
        return self._made[operation]
