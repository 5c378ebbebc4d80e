"""Optimiser steps that change nothing where something was not finite."""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.extend import core

from jaxgan.state import PyTree


def update(
    optimiser: optax.GradientTransformation,
    gradients: PyTree,
    state: PyTree,
    params: PyTree,
    finite: Array,
) -> tuple[PyTree, PyTree]:
    """`optimiser.update`, but the state stays what it was unless `finite`.

    Each leaf of the new state is chosen where it is made, and what the optimiser derives from it is
    derived from the choice. If it were chosen afterwards, XLA's CPU backend would make Adam's means
    twice, for the state and for the parameters, and copy the old ones to be able to.

    Args:
      optimiser: any whose update keeps the structure of its state.
      gradients: as `params`.
      state: the optimiser's.
      params: what it moves.
      finite: bool [].

    Returns:
      The updates, which mean nothing unless `finite`, and the state.
    """
    traced, shapes = jax.make_jaxpr(optimiser.update, return_shape=True)(gradients, state, params)
    before = jax.tree.leaves(state)
    chosen = _evaluate(traced, jax.tree.leaves((gradients, state, params)), before, finite)
    return jax.tree.unflatten(jax.tree.structure(shapes), chosen)


def _evaluate(
    traced: core.ClosedJaxpr, inputs: Sequence[Array], before: Sequence[Array], finite: Array
) -> list[Array]:
    """A jaxpr's outputs, of which the last are `before` unless `finite`."""
    jaxpr, choose = traced.jaxpr, partial(jnp.where, finite)
    count = len(jaxpr.outvars) - len(before)
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*traced.consts, *inputs], strict=True))
    leaf_of = {
        variable: leaf
        for leaf, variable in enumerate(jaxpr.outvars[count:])
        if not isinstance(variable, core.Literal) and variable not in values
    }

    def read(atom):
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    for equation in jaxpr.eqns:
        params = equation.primitive.get_bind_params(equation.params)
        new = equation.primitive.bind(*map(read, equation.invars), **params)
        new = new if equation.primitive.multiple_results else [new]
        for variable, value in zip(equation.outvars, new, strict=True):
            leaf = leaf_of.get(variable)
            values[variable] = value if leaf is None else choose(value, before[leaf])
    outputs = list(map(read, jaxpr.outvars))
    for leaf in sorted(set(range(len(before))) - set(leaf_of.values())):
        outputs[count + leaf] = choose(outputs[count + leaf], before[leaf])
    return outputs
