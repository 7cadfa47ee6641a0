from __future__ import annotations

from ecotone.cli.progress import describe, line_reporter


def test_a_line_tells_what_how_far_how_fast_and_how_long():
    text = describe(300, 1000, "embedding", 200, 10.0)
    assert text == "embedding  300 of 1,000  20.0/s  35 s left"
    assert describe(0, None, "fusing", 0, 3.0) == "fusing"
    assert describe(50, None, "reading", 50, 10.0) == "reading  50  5.0/s"
    assert describe(1, 7201, "x", 1, 1.0).endswith("2 h 00 min left")
    assert describe(0, 100, "x", 0, 0.0) == "x  0 of 100"


def test_lines_come_every_ten_seconds_and_a_new_task_starts_its_own_rate():
    now = [0.0]
    lines: list[str] = []
    report = line_reporter(lines.append, lambda: now[0])
    for second in range(0, 31):
        now[0] = float(second)
        report(second * 2, 100, "reading")
    assert len(lines) == 3
    assert lines[0] == "reading  20 of 100  2.0/s  40 s left"
    now[0] = 45.0
    report(500, 1000, "embedding")  # resumed: the 500 were done before
    now[0] = 56.0
    report(511, 1000, "embedding")
    assert lines[-1].startswith("embedding  511 of 1,000  1.0/s")


def test_a_short_task_says_nothing():
    lines: list[str] = []
    report = line_reporter(lines.append, lambda: 1.0)
    report(1, 2, "x")
    report(2, 2, "x")
    assert lines == []
