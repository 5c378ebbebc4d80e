"""A seal: size and SHA-256 of each file in a directory, to know later that nothing changed."""

import hashlib
import json
from pathlib import Path

SEAL = "seal.json"


def write_seal(directory: Path) -> None:
    """Seals all files that are in `directory` and below it now; later ones are not looked at."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    seal = {
        path.relative_to(directory).as_posix(): [path.stat().st_size, _sha256(path)]
        for path in files
    }
    (directory / SEAL).write_text(json.dumps(seal))


def find_damage(directory: Path) -> str | None:
    """What is not as it was sealed, in a few words with the file's name; None if all is well."""
    try:
        seal = json.loads((directory / SEAL).read_text())
        for name, (size, digest) in seal.items():
            path = directory / name
            if not path.is_file():
                return f"{directory.name}/{name} is missing"
            if path.stat().st_size != size:
                found = path.stat().st_size
                return f"{directory.name}/{name} has {found} bytes instead of {size}"
            if _sha256(path) != digest:
                return f"{directory.name}/{name} is not what was written"
    except FileNotFoundError:
        return f"{directory.name}/{SEAL} is missing"
    except OSError as error:
        return f"{directory.name} cannot be read: {error.strerror}"
    except (ValueError, TypeError, AttributeError):
        return f"{directory.name}/{SEAL} is not what was written"
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
