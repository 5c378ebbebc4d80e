"""Made-up results, in the form in which `benchmarks.run` writes them."""

import statistics


def summary(values, each="groups"):
    return {
        "median": statistics.median(values),
        "spread": max(values) - min(values),
        each: list(values),
    }


def peer(own, theirs, **more):
    pairs = [t / o for o, t in zip(own, theirs, strict=True)]
    ratio = summary(pairs, "pairs")
    return {"milliseconds": summary(theirs), "ratio": ratio, "idle_cpu_share": 0, **more}


def result(own=(100, 102, 98), plain=(400, 412, 390), kind="cpu-2-cores-one", **changes):
    """A result with the system `digits`; `changes` replace what a system holds."""
    system = {
        "flags": ["--experiment=digits"],
        "milliseconds": summary(own),
        "images_per_step": 8,
        "images_per_second": 8000 / statistics.median(own),
        "gflops": 120.0,
        "gflop": 12.0,
        "share_of_matmul": summary([80 / value for value in own]),
        "executables": 5,
        "after_step_2": 0,
        "steps": {
            "critic + generator": {
                "flops": 1000,
                "temporary_bytes": 10_000,
                "collectives": {"all-reduce": 2},
            }
        },
        "peers": {"plain flax": peer(own, plain)},
        **changes,
    }
    machine = {
        "kind": kind,
        "cores": "2",
        "processor": "One",
        "device": "cpu cpu",
        "jax": "0.10.2",
    }
    ceilings = {"matmul_gflops": summary([150.0]), "copy_gigabytes_per_second": summary([30.0])}
    return {
        "machine": machine,
        "commit": "abc",
        "ceilings": ceilings,
        "systems": {"digits": system},
    }
