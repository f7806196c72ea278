"""What a container may use, as control groups of both versions tell it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlgit.tracking.machine import cgroup


@pytest.fixture
def unified(tmp_path: Path) -> Path:
    """A machine with version 2, and a process in `/job/step`."""
    (tmp_path / "mountinfo").write_text(f"30 23 0:26 / {tmp_path}/fs rw,nosuid shared:4 - cgroup2 cgroup2 rw\n")
    (tmp_path / "cgroup").write_text("0::/job/step\n")
    (tmp_path / "fs/job/step").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def divided(tmp_path: Path) -> Path:
    """A machine with version 1, seen from inside a container that has its own folders mounted."""
    (tmp_path / "mountinfo").write_text(
        f"32 31 0:29 /docker/abc {tmp_path}/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
        f"35 31 0:32 /docker/abc {tmp_path}/memory rw,relatime - cgroup cgroup rw,memory\n"
    )
    (tmp_path / "cgroup").write_text("4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n")
    for name in ("cpu", "memory"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_the_narrowest_limit_on_the_way_up_holds(unified: Path):
    (unified / "fs/job/step/cpu.max").write_text("max 100000\n")
    (unified / "fs/job/cpu.max").write_text("150000 100000\n")
    (unified / "fs/job/step/memory.max").write_text("max\n")
    (unified / "fs/job/memory.max").write_text("1073741824\n")
    group = cgroup.own(unified)

    assert group.cpus() == 1.5
    assert group.memory_limit() == 1 << 30


def test_pages_that_would_be_given_up_at_once_do_not_count_as_used(unified: Path):
    (unified / "fs/job/step/memory.current").write_text("1000\n")
    (unified / "fs/job/step/memory.stat").write_text("anon 600\nfile 400\ninactive_file 300\n")

    assert cgroup.own(unified).memory_used() == 700


def test_waiting_and_being_killed_are_counted(unified: Path):
    (unified / "fs/job/step/cpu.stat").write_text("usage_usec 5\nnr_periods 200\nnr_throttled 50\n")
    (unified / "fs/job/step/memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    group = cgroup.own(unified)

    assert group.throttled() == (200, 50)
    assert group.oom_kills() == 2


def test_version_1_says_the_same_in_other_files(divided: Path):
    (divided / "cpu/cpu.cfs_quota_us").write_text("200000\n")
    (divided / "cpu/cpu.cfs_period_us").write_text("100000\n")
    (divided / "cpu/cpu.stat").write_text("nr_periods 10\nnr_throttled 1\nthrottled_time 5\n")
    (divided / "memory/memory.limit_in_bytes").write_text("2147483648\n")
    (divided / "memory/memory.usage_in_bytes").write_text("900\n")
    (divided / "memory/memory.stat").write_text("inactive_file 1\ntotal_inactive_file 100\n")
    group = cgroup.own(divided)

    assert group.cpus() == 2
    assert group.throttled() == (10, 1)
    assert group.memory_limit() == 2 << 30
    assert group.memory_used() == 800


def test_no_limit_is_none_in_both_versions(divided: Path):
    (divided / "cpu/cpu.cfs_quota_us").write_text("-1\n")
    (divided / "cpu/cpu.cfs_period_us").write_text("100000\n")
    (divided / "memory/memory.limit_in_bytes").write_text("9223372036854771712\n")
    group = cgroup.own(divided)

    assert group.cpus() is None
    assert group.memory_limit() is None


@pytest.mark.parametrize("content", ["", "garbage", "0::/../../etc\n", "\xff\n", "0::\n7:\n"])
def test_what_cannot_be_read_sets_no_limit(tmp_path: Path, content: str):
    (tmp_path / "cgroup").write_text(content, encoding="latin-1")
    (tmp_path / "mountinfo").write_text(f"1 2 0:1 / {tmp_path} rw - cgroup2\nshort\n - \n")
    (tmp_path / "cpu.max").write_text("much more\n")
    group = cgroup.own(tmp_path)

    assert group.cpus() is None
    assert group.memory_limit() is None
    assert group.throttled() is None


def test_a_process_may_use_no_more_processors_than_its_group(unified: Path):
    (unified / "fs/job/step/cpu.max").write_text("50000 100000\n")

    assert cgroup.usable_cpus(cgroup.own(unified)) == 0.5
    assert cgroup.usable_cpus(cgroup.Group({})) >= 1
