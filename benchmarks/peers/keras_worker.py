"""The peer in Keras 3, trained as its tutorials train: `predict` and `train_on_batch`.

    python -m benchmarks.peers.keras_worker --subject_dir=DIR --backend=tensorflow

Real and fake go through the critic as one batch of twice the size, whose mean loss is doubled: the
same gradients, as long as the critic has no batch statistics. `--style=train_step` (TensorFlow
only) is what Keras recommends for games that are not two plain losses: a step of one's own under
`tf.GradientTape`, with one forward pass of the generator a round.

Keras's Adam adds epsilon before the correction of the bias, optax after it: with epsilon 1e-8 this
shows only where gradients are that small.
"""

import importlib.metadata
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.peers.exchange import Round, Subject
from benchmarks.peers.worker import Peer, parser, serve

PLAYERS = ("generator", "critic")


class KerasPeer:
    """The game's networks and optimisers; the styles of training are made of it."""

    def __init__(self, subject: Subject, backend: str):
        import keras

        from benchmarks.peers.keras_networks import make_network

        keras.utils.set_random_seed(0)
        self.keras, self.subject, self.about = keras, subject, subject.about
        self.versions = {
            name: importlib.metadata.version(name) for name in dict.fromkeys(("keras", backend))
        }
        self.rounds = subject.steps()[0]
        side = self.rounds[0]["low"].shape[1] if "low" in self.rounds[0] else 0
        self.networks = {
            player: make_network(self.about["networks"][player], side) for player in PLAYERS
        }
        self.optimisers = {}
        for player in PLAYERS:
            adam = self.about["players"][player]
            self.optimisers[player] = keras.optimizers.Adam(
                adam["learning_rate"], adam["b1"], adam["b2"], epsilon=adam["eps"]
            )
            self.optimisers[player].build(self.networks[player].trainable_variables)

    def reset(self) -> None:
        from benchmarks.peers.keras_networks import load_weights

        for player in PLAYERS:
            blocks = self.about["networks"][player].get("blocks", 0)
            self.networks[player].trainable = True
            load_weights(self.networks[player], self.subject.params(player), blocks)
            learning_rate = self.optimisers[player].learning_rate
            for variable in self.optimisers[player].variables:
                if variable is not learning_rate:
                    variable.assign(np.zeros(variable.shape, variable.dtype))

    def weights(self, player: str) -> list[np.ndarray]:
        model = self.networks[player]
        trainable = [v for layer in model.layers for v in layer.variables if _is_parameter(v)]
        return [np.array(variable) for variable in trainable]


def make_sampler(generator: Any) -> Any:
    """What `predict` runs: a generator that normalises by its batch's statistics.

    `predict` on the generator would use running averages, and on a functional model made of
    `generator(latent, training=True)` too: a call's own `training` wins over the recorded one.
    """
    import keras

    class Sampler(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            # A network that is no attribute would be a constant to the JAX backend.
            self.generator = generator

        def call(self, latent: Any, training: Any = None) -> Any:
            return self.generator(latent, training=True)

    return Sampler()


class TrainOnBatch(KerasPeer):
    """The loop of the tutorials: `predict` makes a fake for the critic, the game another."""

    shares_fake = False

    def __init__(self, subject: Subject, backend: str):
        super().__init__(subject, backend)
        keras = self.keras
        generator, critic = (self.networks[player] for player in PLAYERS)
        latent = keras.Input((self.about["networks"]["generator"]["inputs"],))
        self.sampler = make_sampler(generator)

        def doubled(labels: Any, logits: Any) -> Any:
            return 2.0 * keras.ops.mean(keras.losses.binary_crossentropy(labels, logits, True))

        critic.compile(self.optimisers["critic"], doubled)
        critic.trainable = False
        self.game = keras.Model(latent, critic(generator(latent)))
        self.game.compile(
            self.optimisers["generator"], keras.losses.BinaryCrossentropy(from_logits=True)
        )
        size = self.about["batch_size"]
        self.ones = np.ones((size, 1), np.float32)
        self.labels = np.concatenate([self.ones, 0 * self.ones])

    def checked_step(self, rounds: list[Round], turned: Callable[[str], None]) -> dict[str, float]:
        # What `train_on_batch` reports is a mean over all calls since the last reset.
        self.networks["critic"].reset_metrics()
        self.game.reset_metrics()
        (given,) = rounds
        critic_loss, generator_loss = self.step(given["real"], given["latent"], turned)
        return {"critic": float(critic_loss), "generator": float(generator_loss)}

    def timed_step(self) -> None:
        given = self.rounds[0]
        latent = np.random.standard_normal(given["latent"].shape).astype(np.float32)
        self.step(given["real"], latent, lambda phase: None)

    def step(
        self, real: np.ndarray, latent: np.ndarray, turned: Callable[[str], None]
    ) -> tuple[Any, Any]:
        """One step; `train_on_batch` waits for the device, since it returns numbers."""
        fake = self.sampler.predict(latent, batch_size=len(latent), verbose=0)
        losses = {}
        for phase in self.about["phases"]:
            player = phase["name"]
            losses[player] = (
                self.move_critic(real, fake) if player == "critic" else self.move_generator(latent)
            )
            turned(player)
        return losses["critic"], losses["generator"]

    def move_critic(self, real: np.ndarray, fake: np.ndarray) -> Any:
        """One update of the critic; gives its loss."""
        critic = self.networks["critic"]
        # Keras notes what is trainable when it first traces, and the JAX backend at every call.
        critic.trainable = True
        return critic.train_on_batch(np.concatenate([real, fake]), self.labels)

    def move_generator(self, latent: np.ndarray) -> Any:
        """One update of the generator through the critic as it is; gives its loss."""
        self.networks["critic"].trainable = False
        return self.game.train_on_batch(latent, self.ones)


class TrainStep(KerasPeer):
    """A step of one's own under `tf.GradientTape`, compiled whole by `tf.function`."""

    shares_fake = True

    def __init__(self, subject: Subject, backend: str):
        super().__init__(subject, backend)
        import tensorflow

        self.tf = tensorflow
        self.compiled = tensorflow.function(self.step)
        self.data = self.place(self.rounds)

    def place(self, rounds: list[Round]) -> list[dict[str, Any]]:
        """The rounds as tensors."""
        return [
            {name: self.tf.constant(array) for name, array in given.items()} for given in rounds
        ]

    def checked_step(self, rounds: list[Round], turned: Callable[[str], None]) -> dict[str, float]:
        placed = self.place(rounds)
        variables = [
            variable
            for player in PLAYERS
            for variable in (*self.networks[player].variables, *self.optimisers[player].variables)
        ]

        def kept() -> list[np.ndarray]:
            return [np.array(variable) for variable in variables]

        def put_back(arrays: list[np.ndarray]) -> None:
            for variable, array in zip(variables, arrays, strict=True):
                variable.assign(array)

        before = kept()
        critic_loss, generator_loss = self.compiled(placed, PLAYERS, False)
        # Nothing can be observed inside a compiled step: its phases are taken once more, each from
        # what it sees, and what one moves is added to what those before it moved.
        now = before
        for phase in self.about["phases"]:
            seen = before if self.about["simultaneous"] else now
            put_back(seen)
            self.compiled(placed, (phase["name"],), False)
            now = [
                last if np.array_equal(new, old) else new
                for new, old, last in zip(kept(), seen, now, strict=True)
            ]
            put_back(now)
            turned(phase["name"])
        return {"critic": float(critic_loss), "generator": float(generator_loss)}

    def timed_step(self) -> None:
        critic_loss, _ = self.compiled(self.data, PLAYERS, True)
        critic_loss.numpy()

    def step(
        self, rounds: list[dict[str, Any]], playing: tuple[str, ...], fresh: bool
    ) -> tuple[Any, Any]:
        """The critic's turn in every round and the generator's in the last; gives their losses.

        Where the generator comes first, the critic's turn is on the fakes that were there before.

        With `fresh` it draws latents and mixtures itself instead of reading them.
        """
        tf = self.tf
        generator = self.networks["generator"]
        generator_first = self.about["phases"][0]["name"] == "generator"
        critic_loss = generator_loss = tf.zeros(())
        for number, given in enumerate(rounds):
            if fresh:
                given = {**given, **self.draw(given)}
            with tf.GradientTape() as generator_tape:
                inputs = given["low"] if "low" in given else given["latent"]
                fake = generator(inputs, training=True)
                if "critic" in playing and not generator_first:
                    with generator_tape.stop_recording():
                        critic_loss = self.critic_turn(given, fake)
                moves = "generator" in playing and number == len(rounds) - 1
                if moves:
                    generator_loss = self.generator_loss(given, fake)
            if moves:
                variables = generator.trainable_variables
                gradients = generator_tape.gradient(
                    generator_loss, [variable.value for variable in variables]
                )
                self.optimisers["generator"].apply_gradients(zip(gradients, variables, strict=True))
            if "critic" in playing and generator_first:
                critic_loss = self.critic_turn(given, fake)
        return critic_loss, generator_loss

    def draw(self, given: dict[str, Any]) -> dict[str, Any]:
        """New random numbers in place of a round's."""
        random = self.tf.random
        drawn = {}
        if "latent" in given:
            drawn["latent"] = random.normal(given["latent"].shape)
        if "mix" in given:
            drawn["mix"] = random.uniform(given["mix"].shape)
        return drawn

    def critic_turn(self, given: dict[str, Any], fake: Any) -> Any:
        """One update of the critic; gives its loss."""
        tf, critic = self.tf, self.networks["critic"]
        real = given["high"] if "high" in given else given["real"]
        variables = critic.trainable_variables
        with tf.GradientTape() as tape:
            real_logits, fake_logits = critic(real, training=True), critic(fake, training=True)
            if self.about["loss"] == "bce":
                loss = self.opinion(real_logits, 1.0) + self.opinion(fake_logits, 0.0)
            else:
                mixed = given["mix"] * real + (1 - given["mix"]) * fake
                with tf.GradientTape() as inner:
                    inner.watch(mixed)
                    total = tf.reduce_sum(critic(mixed, training=True))
                slope = inner.gradient(total, mixed)
                norm = tf.sqrt(tf.reduce_sum(slope**2, axis=(1, 2, 3)))
                loss = tf.reduce_mean(fake_logits) - tf.reduce_mean(real_logits)
                weight = self.about["weights"]["gradient_penalty"]
                loss += weight * tf.reduce_mean((norm - 1) ** 2)
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        self.optimisers["critic"].apply_gradients(zip(gradients, variables, strict=True))
        return loss

    def generator_loss(self, given: dict[str, Any], fake: Any) -> Any:
        """Through the critic as it is."""
        logits = self.networks["critic"](fake, training=True)
        if self.about["loss"] != "bce":
            return -self.tf.reduce_mean(logits)
        opinion = self.opinion(logits, 1.0)
        if "high" not in given:
            return opinion
        content = self.tf.reduce_mean((fake - given["high"]) ** 2)
        return content + self.about["weights"]["adversarial"] * opinion

    def opinion(self, logits: Any, label: float) -> Any:
        """The mean binary cross-entropy of logits with one label."""
        labels = self.tf.fill(self.tf.shape(logits), label)
        return self.tf.reduce_mean(
            self.tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
        )


def _is_parameter(variable: Any) -> bool:
    return "moving_" not in variable.name and "seed" not in variable.name


def main() -> int:
    """Parses the arguments and serves."""
    arguments = parser(__doc__)
    arguments.add_argument("--backend", choices=["tensorflow", "jax"], default="tensorflow")
    arguments.add_argument(
        "--style", choices=["train_on_batch", "train_step"], default="train_on_batch"
    )
    chosen = arguments.parse_args()
    os.environ["KERAS_BACKEND"] = chosen.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

    def build(subject: Subject) -> Peer:
        if chosen.style == "train_on_batch":
            if subject.about["loss"] != "bce" or "high" in subject.steps()[0][0]:
                raise RuntimeError(f"{subject.about['name']} is not two plain losses")
            return TrainOnBatch(subject, chosen.backend)
        if chosen.backend != "tensorflow":
            raise RuntimeError("--style=train_step is written for --backend=tensorflow")
        return TrainStep(subject, chosen.backend)

    return serve(build, chosen.subject_dir)


if __name__ == "__main__":
    sys.exit(main())
