"""Downloads a TFDS set and writes it as array_record files: `python -m jaxgan.data.prepare NAME`.

The only part of jaxgan that needs TensorFlow, which may live in an environment of its own.
"""

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from jaxgan.data import prepared
from jaxgan.errors import UserError


def prepare(name: str, data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Prepares a TFDS set so that `--data=NAME` reads it; does nothing where that is done already.

    Args:
      name: of a set that TFDS knows, such as 'mnist' or 'emnist/letters'.
      data_dir: where to; TFDS's own default when None.

    Returns:
      The folder it lies in.

    Raises:
      UserError: TensorFlow is not installed, TFDS knows no such set, it cannot be fetched, or it is
        there in a format that needs TensorFlow to be read.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise UserError("preparing needs TensorFlow: pip install 'jaxgan[prepare]'")

    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(
            prepared.full_name(prepared.set_and_feature(name)[0]),
            data_dir=prepared.data_root(data_dir),
            file_format="array_record",
        )
    except tfds.core.DatasetNotFoundError as error:
        raise UserError(
            f"TFDS knows no set '{name}': see tensorflow.org/datasets/catalog"
        ) from error
    try:
        builder.download_and_prepare(file_format="array_record")
    except (
        tfds.download.DownloadError,
        tfds.core.download.download_manager.NonMatchingChecksumError,
        tfds.core.download.extractor.ExtractError,
        OSError,  # no network, or a full disk
    ) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"TFDS could not prepare {name}: {reason}; the hosts of the sets are busy at times, "
            "so try again later"
        ) from error
    folder = Path(builder.data_dir)
    if not prepared.is_prepared(name, data_dir):
        raise UserError(
            f"{folder} was there already, in a format that only TensorFlow reads; "
            "move it away and run this again, or choose another --data_dir"
        )
    return folder


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m jaxgan.data.prepare", description=__doc__)
    parser.add_argument("name", help="a TFDS set, such as mnist or emnist/letters")
    parser.add_argument("--data_dir", help="where to, instead of ~/tensorflow_datasets")
    arguments = parser.parse_args(argv)
    try:
        folder = prepare(arguments.name, arguments.data_dir)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.name} is ready in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
