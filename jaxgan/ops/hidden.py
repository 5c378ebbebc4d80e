"""A critic's last hidden layer, found without the critic's help."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
from jax import Array

from jaxgan.errors import UserError


def last_hidden(call: Callable[[], Any]) -> tuple[Any, Array]:
    """What `call()` gives, and what went into the last layer with a `kernel` that it ran.

    In a critic that ends in a dense layer or a convolution, as all usual ones do, these are the
    last hidden layer's features. Layers inside a lifted loop (`nn.scan`, `nn.remat`) are not seen.

    Args:
      call: runs a linen module; inside another module's `__call__` or in `apply`.

    Returns:
      The result, and the features `[batch, ...]`.

    Raises:
      UserError: no layer with a kernel was run.
    """
    seen: list[Array] = []

    def note(
        run: Callable[..., Any],
        args: tuple,
        kwargs: dict[str, Any],
        context: nn.module.InterceptorContext,
    ) -> Any:
        result = run(*args, **kwargs)
        if context.method_name == "__call__" and context.module.has_variable("params", "kernel"):
            seen.append(args[0])
        return result

    with nn.intercept_methods(note):
        result = call()
    if not seen:
        raise UserError(
            "the critic has no layer with a `kernel` whose input could be its features; leave "
            "--feature_matching and --minibatch_discrimination alone"
        )
    return result, seen[-1]
