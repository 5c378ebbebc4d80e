"""What XLA is told."""

import importlib.metadata

from jaxgan import xla_flags


def test_flags_are_added_once_and_the_users_stay(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.10.2")
    monkeypatch.setenv("XLA_FLAGS", "--xla_a=1")
    for _ in range(2):
        xla_flags.settle(deterministic=True)
    expected = f"--xla_a=1 --xla_gpu_deterministic_ops {xla_flags._CONVOLUTIONS}"
    assert xla_flags.os.environ["XLA_FLAGS"] == expected
    theirs = "--xla_cpu_experimental_ynn_fusion_type=reduce"
    monkeypatch.setenv("XLA_FLAGS", theirs)
    xla_flags.settle()
    assert xla_flags.os.environ["XLA_FLAGS"] == theirs


def test_a_version_that_may_not_know_a_flag_is_not_given_it(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.13.0.dev1")
    monkeypatch.setenv("XLA_FLAGS", "")
    xla_flags.settle()
    assert xla_flags.os.environ["XLA_FLAGS"] == ""
