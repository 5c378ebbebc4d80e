"""The README's plot of losses: FID against steps, of runs that trained for as long as each other.

    pip install -e '.[docs]'
    python docs/losses.py docs/losses.png runs/bce runs/lsgan runs/hinge

What any run did after the shortest one's training time is left out, evaluations not counted. Prints
the rows of the README's table: the steps in that time, and the FID after them.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogFormatter

from jaxgan.report_figures import Series, read_metrics
from jaxgan.run_directory import read_config, read_stamps


def clock(metrics: dict[str, Series]) -> Series:
    """Seconds of training at each step that was logged."""
    pace = metrics["train/ms_per_step"]
    lengths = np.diff(pace.steps, prepend=0)
    return Series(pace.steps, list(np.cumsum(lengths * np.array(pace.values) / 1000)))


def draw(output: Path, run_dirs: list[Path]) -> None:
    """Draws the plot and prints the table."""
    runs = [read_metrics(run_dir / "metrics.jsonl") for run_dir in run_dirs]
    clocks = [clock(metrics) for metrics in runs]
    limit = min(seconds.values[-1] for seconds in clocks)
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    print("| loss | steps | ms a step | FID |\n|---|---|---|---|")
    for mark, run_dir, metrics, seconds in zip("osD^v<>PX", run_dirs, runs, clocks, strict=False):
        config, fid = read_config(run_dir), metrics["eval/fid"]
        assert config is not None
        spent = np.interp(fid.steps, seconds.steps, seconds.values, left=0.0)
        kept = spent <= limit
        steps, values = np.array(fid.steps)[kept], np.array(fid.values)[kept]
        name = config["flags"]["loss"]
        if config["flags"]["n_critic"] > 1:
            name += f", n_critic {config['flags']['n_critic']}"
        # Step 0 is noise; its FID would squeeze the rest.
        axes.plot(steps[1:], values[1:], marker=mark, markersize=4, label=name)
        pace = 1000 * seconds.values[-1] / seconds.steps[-1]
        print(f"| `{name}` | {steps[-1]} | {pace:.0f} | {values[-1]:.2f} |")
    stamps = [read_stamps(run_dir)["fid"] for run_dir in run_dirs]
    if len({stamp.sha256 for stamp in stamps}) > 1:
        sys.exit("these runs were measured with different feature networks and do not compare")
    stamp = stamps[0]
    axes.set(xlabel="step", ylabel=f"FID, {stamp.features.partition(',')[0]}", yscale="log")
    axes.set_title(f"{Path(stamp.data['where']).name}, {limit / 60:.1f} minutes each", fontsize=10)
    for choose in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        choose(LogFormatter(minor_thresholds=(2, 0.5)))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(output, dpi=110)
    print(f"\n{limit:.0f} s of training each; {stamp}")


if __name__ == "__main__":
    draw(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
