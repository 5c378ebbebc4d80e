"""What a newcomer gets: the README's file of one's own, and a wheel that is complete."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from jaxgan import experiment as experiments
from jaxgan import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def own_gan():
    """The file in the README's section on a GAN of one's own."""
    section = README.partition("## Your own GAN")[2]
    return re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]


def test_the_readmes_own_gan_trains_as_it_stands(command, photos, tmp_path):
    source = own_gan()
    assert len(source.splitlines()) <= 80
    (tmp_path / "mine.py").write_text(source)
    run_dir = tmp_path / "run"
    flags = [f"--experiment={tmp_path / 'mine.py'}", f"--data=folder:{photos}"]
    flags += [f"--run_dir={run_dir}", "--steps=6", "--batch_size=4", "--width=2"]
    code, out, _ = command(*flags)
    assert code == main.DONE, out
    assert (run_dir / "samples" / "preview_00000006.png").exists()
    # The run keeps its own copy of the file: the original may go.
    (tmp_path / "mine.py").unlink()
    output = tmp_path / "grid.png"
    code, out, _ = command("--mode=sample", f"--run_dir={run_dir}", f"--output={output}")
    assert code == main.DONE and output.stat().st_size > 1000, out
    code, _, error = command("--mode=sample", f"--run_dir={run_dir}", "--output=grid.gif")
    assert code == main.MISTAKE and ".png" in error


def test_the_readme_begins_with_the_two_commands_and_names_every_experiment():
    block = re.search(r"```\w*\n(.*?)```", README, re.DOTALL)[1].strip().splitlines()
    assert block == [
        "pip install -e . && python -m jaxgan.main --experiment=srgan_div2k",
        "pip install -e '.[test]' && pytest",
    ]
    for name in experiments.available():
        assert f"`{name}`" in README


@pytest.mark.parametrize(
    ("broken", "message"),
    [("x = 1\n", "defines no function `experiment()`"), ("def experiment(): return 3\n", "int")],
)
def test_a_file_that_is_no_experiment_is_one_line(broken, message, command, tmp_path):
    (tmp_path / "mine.py").write_text(broken)
    code, _, error = command(f"--experiment={tmp_path / 'mine.py'}")
    assert code == main.MISTAKE and message in error and error.count("\n") == 1


def test_an_installed_wheel_has_every_experiment(tmp_path):
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", f"--outdir={tmp_path}"]
    done = subprocess.run([*build, str(ROOT)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    assert (site / "jaxgan" / "report.html").exists()
    # Outside the repository, from the wheel alone.
    environment = {**os.environ, "PYTHONPATH": str(site)}

    def run(*words):
        return subprocess.run(
            [sys.executable, *words],
            capture_output=True,
            text=True,
            timeout=100,
            cwd=tmp_path,
            env=environment,
        )

    where = run("-c", "import jaxgan; print(jaxgan.__file__)").stdout
    assert where.startswith(str(site))
    listed = run("-m", "jaxgan.main", "--list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == list(experiments.available())
    shown = run("-m", "jaxgan.main", "--experiment=srgan_div2k", "--help")
    assert shown.returncode == 0 and "--pretrain_steps" in shown.stdout


def test_importing_jaxgan_imports_no_tensorflow():
    program = "import sys, jaxgan.main; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=100).returncode == 0
