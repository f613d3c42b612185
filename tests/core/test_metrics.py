"""Counters in shared memory: layout, increments, histograms, slots that outlive their workers."""

import ctypes
import mmap
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge._core import metrics
from fastedge._core.metrics import TABLE, Metrics, read_all, read_worker, row_cell
from fastedge.limits import metrics_origins_max

ROWS = {row.name: row for row in TABLE}


def mapping(workers=2):
    buffer = bytearray(metrics.mapping_bytes(workers))
    metrics.initialise(buffer, workers)
    return buffer


def total(buffer, name, origin=0):
    return read_all(buffer)[row_cell(ROWS[name], origin)]


def buckets(buffer, name="request_duration", origin=0):
    first = row_cell(ROWS[name], origin)
    return read_all(buffer)[first : first + len(metrics.bucket_bounds_us()) + 1]


def test_cells_of_all_rows_are_different():
    width = len(metrics.bucket_bounds_us()) + 2
    cells = []
    for row in TABLE:
        for origin in (0, 1, metrics_origins_max) if row.scope == "origin" else (0,):
            first = row_cell(row, origin)
            cells += range(first, first + (width if row.kind == "histogram" else 1))
    assert len(set(cells)) == len(cells)
    assert max(cells) < (metrics.mapping_bytes(1) - 64) // 16


def test_slots_begin_on_cache_lines():
    assert (metrics.mapping_bytes(3) - metrics.mapping_bytes(2)) % 64 == 0
    assert (metrics.mapping_bytes(1) - 2 * (metrics.mapping_bytes(2) - metrics.mapping_bytes(1))) == 64


def test_two_slots_are_summed():
    buffer = mapping()
    Metrics(buffer, 0).count("bytes_in", 5)
    Metrics(buffer, 1).count("bytes_in", 7)
    Metrics(buffer, 2).count("bytes_in", 11)
    assert total(buffer, "bytes_in") == 23
    assert Metrics(buffer, 1).value("bytes_in") == 7


@pytest.mark.parametrize("status", [101, 200, 304, 404, 503])
def test_request_counts_class_and_status(status):
    buffer = mapping()
    Metrics(buffer, 0).request(status, 100, 2000, 30)
    assert total(buffer, f"requests_{status // 100}xx") == 1
    assert total(buffer, f"status_{status}") == 1
    assert total(buffer, "bytes_in") == 100
    assert total(buffer, "bytes_out") == 2000
    assert sum(buckets(buffer)) == 1


def test_request_with_rare_status_is_in_its_class_alone():
    buffer = mapping()
    Metrics(buffer, 0).request(418, 0, 0, 0)
    assert total(buffer, "requests_4xx") == 1
    assert sum(total(buffer, f"status_{status}") for status in metrics.STATUSES) == 0


@pytest.mark.parametrize("status", [-1, 0, 99, 600, 2**31 - 1])
def test_request_without_an_answer_is_aborted(status):
    buffer = mapping()
    Metrics(buffer, 0).request(status, 1, 0, 5)
    assert total(buffer, "requests_aborted") == 1


@pytest.mark.parametrize(
    ("status", "reason", "name"),
    [
        (400, "bare_lf", "syntax"),
        (400, "what llhttp will say tomorrow", "syntax"),
        (400, "several_content_lengths", "framing"),
        (400, "content_length_can_t_be_present_with_transfer_en", "framing"),
        (400, "trailer_field", "framing"),
        (400, "chunk_size", "framing"),
        (400, "no_host", "host"),
        (400, "target_contradicts_host", "host"),
        (400, "target_form", "target"),
        (400, "dot_segment", "target"),
        (400, "forwarding_contradiction", "forwarding"),
        (408, "header_timeout", "timeout"),
        (413, "body_too_long", "too_large"),
        (414, "target_too_long", "too_large"),
        (421, "unclaimed_host", "misdirected"),
        (431, "head_too_long", "too_large"),
        (501, "method", "unsupported"),
        (503, "connections", "overload"),
        (418, "teapot", "syntax"),
        (599, "unheard_of", "overload"),
    ],
)
def test_refusal_is_counted_by_class_of_reason(status, reason, name):
    buffer = mapping()
    Metrics(buffer, 0).refusal(status, reason, 10, 20)
    refused = {row.name: total(buffer, row.name) for row in TABLE if row.name.startswith("refused_")}
    assert {key for key, value in refused.items() if value} == {f"refused_{name}"}
    assert total(buffer, f"requests_{status // 100}xx") == 1
    assert sum(buckets(buffer)) == 0


@given(st.integers(-5, 2**40))
def test_bucket_holds_the_durations_between_its_bounds(us):
    bounds = metrics.bucket_bounds_us()
    index = metrics.bucket_index(us)
    assert index == len(bounds) or us < bounds[index]
    assert index == 0 or us >= bounds[index - 1]


def test_bucket_bounds_ascend_with_four_to_a_power_of_two():
    bounds = metrics.bucket_bounds_us()
    assert bounds[:6] == [16, 20, 24, 28, 32, 40]
    assert bounds == sorted(set(bounds))
    assert bounds[-1] == 2**26
    assert all(1 << exponent in bounds for exponent in metrics.BOUNDS_LOG2_US)


def test_histogram_sums_microseconds():
    buffer = mapping()
    worker = Metrics(buffer, 0)
    for us in (1, 100, 10**9):
        worker.observe_us("request_duration", us)
    assert worker.value("request_duration") == 10**9 + 101
    assert buckets(buffer)[0] == buckets(buffer)[-1] == 1


def test_negative_duration_of_a_clock_gone_wrong_leaves_the_sum_alone():
    buffer = mapping()
    worker = Metrics(buffer, 0)
    worker.observe_us("request_duration", -7)
    assert worker.value("request_duration") == 0
    assert buckets(buffer)[0] == 1


def test_origins_count_apart():
    buffer = mapping()
    worker = Metrics(buffer, 0)
    worker.count("origin_requests", origin=0)
    worker.count("origin_requests", 3, origin=metrics_origins_max - 1)
    worker.observe_us("origin_first_byte", 50, origin=1)
    assert total(buffer, "origin_requests", 0) == 1
    assert total(buffer, "origin_requests", metrics_origins_max - 1) == 3
    assert sum(buckets(buffer, "origin_first_byte", 1)) == 1
    assert sum(buckets(buffer, "origin_first_byte", 0)) == 0


@pytest.mark.parametrize("origin", [-1, metrics_origins_max, 10_000])
def test_origin_beyond_the_bound_shares_the_last_block(origin):
    buffer = mapping()
    Metrics(buffer, 0).count("origin_retries", origin=origin)
    assert total(buffer, "origin_retries", metrics_origins_max) == 1


def test_origins_keep_their_index_over_a_reload():
    assert metrics.extend_origins(("eu", "us"), ["asia", "us", "asia"]) == ("eu", "us", "asia")


def test_successor_keeps_counters_and_resets_gauges():
    buffer = mapping()
    first = Metrics(buffer, 0)
    first.begin(100, 1, 5)
    first.count("connections_accepted", 9)
    first.count("connections_open", 4)
    first.count("origin_connections_open", 2, origin=metrics_origins_max)
    first.set("marker", 3)
    second = Metrics(buffer, 0)
    second.begin(101, 2, 6)
    assert total(buffer, "connections_accepted") == 9
    assert total(buffer, "connections_open") == 0
    assert total(buffer, "origin_connections_open", metrics_origins_max) == 0
    assert read_worker(buffer, 0) == (101, 2, 6, 0)


def test_retired_slot_has_nobody():
    buffer = mapping()
    worker = Metrics(buffer, 1)
    worker.begin(100, 1, 5)
    worker.count("connections_open")
    worker.retire()
    assert read_worker(buffer, 1).pid == 0
    assert total(buffer, "connections_open") == 0


def test_state_is_never_summed():
    buffer = mapping()
    Metrics(buffer, 0).begin(100, 1, 5)
    assert sum(read_all(buffer)) == 0


def test_supervisor_sees_heartbeat_and_marker():
    buffer = mapping()
    worker = Metrics(buffer, 0)
    worker.begin(7, 1, 1000)
    worker.beat(2000)
    ctypes.c_longlong.from_address(worker.address_of("marker")).value = 12
    state = read_worker(buffer, 0)
    assert (state.heartbeat_ns, state.marker) == (2000, 12)


@pytest.mark.parametrize("name", ["request_duration", "heartbeat_ns"])
def test_count_of_what_does_not_count_is_refused(name):
    with pytest.raises(ValueError, match="does not count"):
        Metrics(mapping(), 0).count(name)


def test_observe_of_a_counter_is_refused():
    with pytest.raises(ValueError, match="not a histogram"):
        Metrics(mapping(), 0).observe_us("bytes_in", 1)


@pytest.mark.parametrize("slot", [-1, 3])
def test_slot_out_of_range_is_refused(slot):
    with pytest.raises(ValueError, match="no slot"):
        Metrics(mapping(), slot)
    with pytest.raises(ValueError, match="no slot"):
        read_worker(mapping(), slot)


def test_foreign_buffers_are_refused():
    buffer = mapping()
    with pytest.raises(ValueError, match="no metrics mapping"):
        read_all(bytes(64))
    with pytest.raises(ValueError, match="no metrics mapping"):
        read_all(b"")
    with pytest.raises(ValueError, match="cut short"):
        read_all(bytes(buffer[:-8]))
    buffer[8] = 99
    with pytest.raises(ValueError, match="another version"):
        Metrics(buffer, 0)


def test_buffer_that_is_too_small_cannot_be_initialised():
    with pytest.raises(ValueError, match="need"):
        metrics.initialise(bytearray(64), 1)
    with pytest.raises(ValueError, match="need"):
        metrics.initialise(bytearray(64), 0)


def test_readonly_buffer_cannot_be_counted_in_but_read():
    buffer = bytes(mapping())
    assert sum(read_all(buffer)) == 0
    with pytest.raises((BufferError, TypeError)):
        Metrics(buffer, 0)


WORKER = """
import mmap, sys
from fastedge._core.metrics import Metrics
worker = Metrics(mmap.mmap(int(sys.argv[1]), int(sys.argv[2])), int(sys.argv[3]))
for _ in range(20_000):
    worker.count("bytes_in")
    worker.request(200, 0, 1, 10)
"""


def test_two_processes_lose_no_increment():
    size = metrics.mapping_bytes(2)
    fd = os.memfd_create("metrics")
    os.truncate(fd, size)
    shared = mmap.mmap(fd, size)
    metrics.initialise(shared, 2)
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(fd), str(size), str(slot)], pass_fds=[fd])
        for slot in (0, 1)
    ]
    assert [worker.wait(30) for worker in workers] == [0, 0]
    os.close(fd)
    assert total(shared, "bytes_in") == 40_000
    assert total(shared, "requests_2xx") == 40_000
    assert sum(buckets(shared)) == 40_000
