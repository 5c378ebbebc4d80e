"""Library code is handed the flags' values: only main.py and experiments read absl's FLAGS."""

import ast
from pathlib import Path

import pytest

import jaxgan

PACKAGE = Path(jaxgan.__file__).parent
# The command's own module hands them on.
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "main.py")


def lines_that_read_flags(source):
    """Where a module names FLAGS, or keeps what a DEFINE_... returns, which reads them, too."""
    tree = ast.parse(source)
    kept_by_nobody = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = []
    for node in ast.walk(tree):
        match node:
            case (
                ast.Name(id="FLAGS")
                | ast.Attribute(attr="FLAGS")
                | ast.alias(name="FLAGS")
                | ast.Constant(value="FLAGS")
            ):
                found.append(node.lineno)
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if (
                name.startswith("DEFINE_") and id(node) not in kept_by_nobody
            ):
                found.append(node.lineno)
    return found


@pytest.mark.parametrize(
    "module", MODULES, ids=[path.relative_to(PACKAGE).as_posix() for path in MODULES]
)
def test_no_module_but_main_reads_the_global_flags(module):
    assert not lines_that_read_flags(module.read_text())


@pytest.mark.parametrize(
    "source",
    [
        "from absl import flags\n\nFLAGS = flags.FLAGS",
        "from absl import flags\n\nprint(flags.FLAGS.steps)",
        "from jaxgan import main\n\nprint(main.FLAGS.steps)",
        "import absl\n\nfrom absl.flags import FLAGS as options",
        "from absl import flags\n\noptions = getattr(flags, 'FLAGS')",
        "from absl import flags\n\nSTEPS = flags.DEFINE_integer('steps', 1, 'Steps.')",
    ],
)
def test_every_way_to_read_them_is_found(source):
    assert set(lines_that_read_flags(source)) == {3}


def test_defining_flags_is_no_reading_of_them():
    source = "from absl import flags\n\nflags.DEFINE_integer('steps', 1, 'Steps.')"
    assert not lines_that_read_flags(source)
