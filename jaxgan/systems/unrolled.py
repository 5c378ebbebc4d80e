"""Looking ahead: what a player would become after some updates, differentiably."""

from collections.abc import Callable

import jax
from jax import Array

from jaxgan.moves import update_player
from jaxgan.state import Player, PlayerSpec, PyTree


def unroll(
    spec: PlayerSpec,
    player: Player,
    loss: Callable[[Player, Array], tuple[Array, PyTree]],
    steps: int,
) -> Player:
    """The player after `steps` updates by its own optimiser, as a function that can be
    differentiated.

    The surrogate of unrolled GANs (Metz et al., arXiv 1611.02163, equations 7 to 10): a generator's
    loss against the critic that this returns has, beside the usual gradient, the one through what
    the critic's updates make of the fakes (its second term, a derivative of second order). The
    updates are the optimiser's own, moments and all, on the same batch each time.

    An optimiser that divides by a root (Adam, RMSProp) needs an `eps_root` above 0 here: where a
    gradient is exactly 0 the root's derivative is infinite.

    Args:
      spec: how the player is trained.
      player: as it is; it is not changed.
      loss: `(player, number of the update) -> (loss, variables after it)`.
      steps: how many updates; 0 gives the player back.
    """

    def one(player: Player, number: Array) -> tuple[Player, None]:
        def of_params(params: PyTree) -> tuple[Array, PyTree]:
            return loss(player.replace(params=params), number)

        gradients, variables = jax.grad(of_params, has_aux=True)(player.params)
        return update_player(spec, player, gradients, variables), None

    if steps == 0:
        return player
    # A loop, so that many updates compile once; each is kept for the way back.
    return jax.lax.scan(one, player, jax.numpy.arange(steps))[0]
