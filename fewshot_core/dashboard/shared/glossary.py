"""The terms of the workbench, each explained once: the source of the app's help texts."""

from collections.abc import Mapping

GLOSSARY: Mapping[str, str] = {
    "search space": "All architectures that can be built: one operation for each of its decisions, "
    "such as the edges of a cell. Tables, splits and runs belong to one search space.",
    "supernet": "One network that contains all architectures of a search space; they share its "
    "weights.",
    "sub-supernet": "The part of a supernet that contains only the architectures of one sub-space.",
    "sub-space": "A set of architectures: those that use only the operations enabled for each "
    "decision, such as an edge.",
    "splitting tree": "The steps of a split: each node divides the operations of one edge, or "
    "other decision, into groups, and each leaf is a sub-space.",
    "information gain": "How informative a split is about where the top architectures are, in "
    "bits: the entropy of being in the top, minus its size-weighted mean over the sub-spaces.",
    "partition": "A split into any labelled groups, which need not be products of operation sets. "
    "Its information gain is at most the entropy of being in the top: the bound.",
    "best tree": "The splitting tree with the largest information gain among all trees of the same "
    "shape, found exactly from the table.",
    "random trees": "Splitting trees of the same shape whose nodes group their operations "
    "uniformly at random: the baseline of every comparison.",
    "percentile": "The share of random trees with a smaller information gain, in percent; ties "
    "count half.",
    "top 1%": "The best architectures of the space, in NAS-Bench-201 those at least as accurate "
    "as the one at rank 157 of 15,625; ties are included. The share can be changed.",
    "benchmark accuracy": "The accuracy of an architecture trained by itself, from a table. "
    "Validation and test accuracy are on different scales and are never mixed.",
    "supernet accuracy": "The validation accuracy of an architecture with the shared weights of a "
    "supernet, measured during a search.",
    "proxy": "A cheap stand-in for benchmark accuracy, such as the supernet accuracy; a good proxy "
    "ranks architectures alike.",
    "estimate": "What a supernet, a zero-cost metric or a short training says about an "
    "architecture before it is trained; larger is better.",
    "Kendall's tau": "How alike two rankings are: pairs of architectures in the same order minus "
    "those in opposite order, as a share of all pairs without ties; 1 is the same order, 0 chance.",
    "tie": "A node at which several groupings are equally good, or the scores do not distinguish "
    "the operations. The choice is then arbitrary and marked.",
    "keep k": "Discard all but k sub-spaces, chosen by their mean accuracy or another rule, and "
    "look for the best architecture in those.",
    "milestone": "An epoch at which successive halving discards the sub-supernets with the lowest "
    "validation accuracy.",
    "regret": "The accuracy of the best architecture found in any sub-supernet minus that of the "
    "selected one, in percentage points.",
    "cost": "The epochs trained by all sub-supernets together, in units of one full run.",
    "limit of the cost": "The most that an architecture may cost (parameters, FLOPs, latency): "
    "only architectures within it count, on every page, also for what is top.",
    "Pareto front": "The architectures that no other one dominates: none is at least as good in "
    "accuracy and cost, and better in one of them.",
    "hypervolume": "The area that a Pareto front dominates, as a share of the rectangle between "
    "the worst and the ideal point of the whole space; larger is better.",
    "untrained weights": "The random initialisation of a supernet, given by a seed.",
    "trained weights": "Weights of a supernet from a checkpoint, in place of its random "
    "initialisation.",
    "synthetic images": "Generated images with one pattern per class, used where a data set is not "
    "installed. Results made with them say so, and say nothing about the real data set.",
    "reduced scale": "Settings smaller than the paper's (fewer channels, cells, images or epochs), "
    "so that a run takes minutes; its numbers are not the paper's.",
    "demo": "Results of our own runs that come with the workbench, so that the app opens full.",
}
"""The meaning of each term, in one or two sentences."""


def explain(*terms: str) -> str:
    """Explain terms of the glossary, one in a paragraph: a help text, in Markdown."""
    return "\n\n".join(f"**{term}**: {GLOSSARY[term]}" for term in terms)
