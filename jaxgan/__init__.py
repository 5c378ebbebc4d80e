"""jaxgan: a training engine for generative adversarial networks in JAX and Flax."""

import time

__version__ = "0.1.0"

# The time to the first step counts from here: before any import that is worth measuring.
STARTED = time.monotonic()
