"""Rooted trees and their order conditions, without any array library.

A tree is the sorted tuple of its subtrees, so the single vertex is `()`. A Runge-Kutta method has order p if
b . Phi(tree) = 1 / gamma(tree) for every tree with at most p vertices, and a continuous extension b(theta)
has order p if b(theta) . Phi(tree) = theta^|tree| / gamma(tree) for the same trees and every theta.

Source: Butcher, Numerical Methods for Ordinary Differential Equations (3rd ed., 2016), section 3; Hairer, Norsett,
Wanner, Solving Ordinary Differential Equations I (2nd ed.), II.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

Tree = tuple[Any, ...]
Row = tuple[float, ...]
HIGHEST_ORDER = 10  # 1,205 trees; one order more has as many again and half of that
_HOLDS = 1e-12  # of a condition's size: rounding of coefficients that were given to 16 digits


@cache
def trees_of_order(order: int) -> tuple[Tree, ...]:
    """All rooted trees with `order` vertices: 1, 1, 2, 4, 9, 20, 48, 115, 286, ..."""
    return tuple(sorted(_forests(order - 1, order - 1), key=repr))


@cache
def _forests(vertices: int, largest: int) -> tuple[Tree, ...]:
    """All sorted tuples of trees with `vertices` vertices in sum and at most `largest` in one tree."""
    if vertices == 0:
        return ((),)
    found: set[Tree] = set()
    for size in range(1, min(vertices, largest) + 1):
        for tree in trees_of_order(size):
            for rest in _forests(vertices - size, size):
                found.add(tuple(sorted((tree, *rest), key=repr)))
    return tuple(found)


@cache
def vertices(tree: Tree) -> int:
    """|tree|, the number of vertices."""
    return 1 + sum(vertices(child) for child in tree)


@cache
def gamma(tree: Tree) -> int:
    """The density of a tree: |tree| times the densities of its subtrees."""
    return vertices(tree) * math.prod(gamma(child) for child in tree)


def elementary_weights(a: Sequence[Row], trees: Sequence[Tree]) -> list[Row]:
    """Phi of each tree, one number a stage: Phi_i(tree) is the product over the subtrees of (A Phi(subtree))_i.

    The rows of `a` may end at the diagonal.
    """
    known: dict[Tree, Row] = {}

    def slope(tree: Tree) -> Row:
        """A Phi(tree)."""
        if tree not in known:
            values = phi(tree)
            known[tree] = tuple(sum(w * x for w, x in zip(row, values, strict=False)) for row in a)
        return known[tree]

    def phi(tree: Tree) -> Row:
        values = [1.0] * len(a)
        for child in tree:
            values = [value * x for value, x in zip(values, slope(child), strict=True)]
        return tuple(values)

    return [phi(tree) for tree in trees]


def order_residuals(a: Sequence[Row], b: Row, order: int, theta: float = 1.0) -> list[float]:
    """Residuals b . Phi(tree) - theta^order / gamma(tree) for every tree with exactly `order` vertices."""
    trees = trees_of_order(order)
    weights = elementary_weights(a, trees)
    return [
        math.fsum(w * x for w, x in zip(b, phi, strict=True)) - theta**order / gamma(tree)
        for tree, phi in zip(trees, weights, strict=True)
    ]


def order_of(a: Sequence[Row], b: Row, at_most: int = HIGHEST_ORDER) -> int:
    """The order of the weights b: the largest p whose conditions, and all lower ones, hold; 0 if b sums to no 1.

    Args:
        at_most: where to stop looking.
    """
    return next((p - 1 for p in range(1, at_most + 1) if not _holds(a, b, p)), at_most)


def dense_order_of(a: Sequence[Row], coefficients: Sequence[Row], at_most: int) -> int:
    """The uniform order of b_i(theta) = sum_k coefficients[i][k] theta^(k + 1), as `order_of`, but at most the degree.

    The conditions hold for every theta if they hold for the coefficients of each power of it.
    """
    powers = [tuple(row[k] for row in coefficients) for k in range(len(coefficients[0]))]
    at_most = min(at_most, len(powers))
    for p in range(1, at_most + 1):
        if not all(_holds(a, weights, p, float(k == p)) for k, weights in enumerate(powers, 1)):
            return p - 1
    return at_most


def _holds(a: Sequence[Row], b: Row, order: int, share: float = 1.0) -> bool:
    """Whether b . Phi(tree) = share / gamma(tree) for all trees of the order, up to rounding."""
    trees = trees_of_order(order)
    for tree, phi in zip(trees, elementary_weights(a, trees), strict=True):
        terms = [w * x for w, x in zip(b, phi, strict=True)]
        size = math.fsum(map(abs, terms))
        if not abs(math.fsum(terms) - share / gamma(tree)) <= _HOLDS * max(1.0, size):
            return False
    return True
