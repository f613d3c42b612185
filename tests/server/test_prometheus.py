"""What /metrics says, read by prometheus_client's own parser."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fastedge._core import metrics
from fastedge._core.metrics import TABLE, Metrics
from fastedge.limits import metrics_origins_max
from fastedge.server.prometheus import CONTENT_TYPE, render


@pytest.fixture
def buffer():
    mapping = bytearray(metrics.mapping_bytes(2))
    metrics.initialise(mapping, 2)
    return mapping


def scrape(buffer, origins=()):
    """{(sample name, labels): value}, and the families' types by name."""
    samples, kinds = {}, {}
    for family in text_string_to_metric_families(render(buffer, origins).decode()):
        kinds[family.name] = family.type
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in samples
            samples[key] = sample.value
    return samples, kinds


def value(buffer, name, origins=(), **labels):
    return scrape(buffer, origins)[0][name, tuple(sorted(labels.items()))]


def test_every_row_is_scraped_with_its_type(buffer):
    samples, kinds = scrape(buffer, ["eu"])
    for row in TABLE:
        if row.kind == "state":
            assert row.metric == ""
            continue
        labels = {**row.labels, **({"origin": "eu"} if row.scope == "origin" else {})}
        assert kinds[row.metric.removesuffix("_total")] == row.kind
        name = row.metric + ("_count" if row.kind == "histogram" else "")
        assert samples[name, tuple(sorted(labels.items()))] == 0


def test_names_follow_the_conventions():
    for row in TABLE:
        if row.kind != "state":
            assert row.metric.startswith("fastedge_")
            assert (row.kind == "counter") == row.metric.endswith("_total")
            assert row.kind != "histogram" or row.metric.endswith("_seconds")
            assert row.help.endswith(".")


def test_rows_of_one_metric_stand_together_with_one_help():
    helps, seen = {}, []
    for row in TABLE:
        if row.kind != "state":
            assert helps.setdefault(row.metric, (row.help, row.kind, row.scope)) == (row.help, row.kind, row.scope)
            if not seen or seen[-1] != row.metric:
                seen.append(row.metric)
    assert len(seen) == len(set(seen))


def test_workers_are_summed(buffer):
    Metrics(buffer, 0).request(200, 10, 20, 5)
    Metrics(buffer, 1).request(204, 10, 20, 5)
    assert value(buffer, "fastedge_requests_total", status="2xx") == 2
    assert value(buffer, "fastedge_responses_total", status="204") == 1
    assert value(buffer, "fastedge_client_bytes_total", direction="out") == 40


def test_gauge_goes_down(buffer):
    worker = Metrics(buffer, 0)
    worker.count("connections_open", 3)
    worker.count("connections_open", -2)
    assert value(buffer, "fastedge_client_connections_open") == 1


def test_histogram_is_cumulative_and_exact_at_its_bounds(buffer):
    worker = Metrics(buffer, 0)
    durations = [0, 63, 64, 127, 128, 1023, 1024, 1500, 10**6, 2**26 - 1, 2**26, 10**9]
    for us in durations:
        worker.observe_us("request_duration", us)
    samples, _ = scrape(buffer)
    bounds = {}
    for (name, labels), count in samples.items():
        if name == "fastedge_request_duration_seconds_bucket":
            bounds[float(dict(labels)["le"])] = count
    assert list(bounds) == sorted(bounds)
    assert bounds.pop(float("inf")) == len(durations)
    assert len(bounds) == len(metrics.BOUNDS_LOG2_US)
    for bound, count in bounds.items():
        assert count == sum(us < bound * 1e6 for us in durations)
    assert value(buffer, "fastedge_request_duration_seconds_count") == len(durations)
    assert value(buffer, "fastedge_request_duration_seconds_sum") == pytest.approx(sum(durations) / 1e6)


def test_bounds_are_written_exactly(buffer):
    text = render(buffer, ()).decode()
    assert 'fastedge_request_duration_seconds_bucket{le="0.000064"} 0' in text
    assert 'fastedge_request_duration_seconds_bucket{le="0.001024"} 0' in text
    assert 'fastedge_request_duration_seconds_bucket{le="67.108864"} 0' in text
    assert "fastedge_request_duration_seconds_sum 0\n" in text


def test_origins_have_their_names(buffer):
    worker = Metrics(buffer, 1)
    worker.count("origin_failed_timeout", origin=1)
    worker.observe_us("origin_first_byte", 100, origin=0)
    assert value(buffer, "fastedge_origin_failures_total", ["eu", "us"], origin="us", kind="timeout") == 1
    assert value(buffer, "fastedge_origin_failures_total", ["eu", "us"], origin="eu", kind="timeout") == 0
    assert value(buffer, "fastedge_origin_first_byte_seconds_bucket", ["eu", "us"], origin="eu", le="0.000128") == 1


def test_origins_beyond_the_bound_are_one(buffer):
    names = [f"origin-{i}" for i in range(metrics_origins_max + 5)]
    for index in range(len(names)):
        Metrics(buffer, 0).count("origin_requests", origin=index)
    assert value(buffer, "fastedge_origin_requests_total", names, origin="(other)") == 5
    assert value(buffer, "fastedge_origin_requests_total", names, origin=names[metrics_origins_max - 1]) == 1


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "größe", "a\\nb"])
def test_label_values_are_escaped(buffer, name):
    assert value(buffer, "fastedge_origin_requests_total", [name], origin=name) == 0


def test_text_is_the_announced_format(buffer):
    assert CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"
    text = render(buffer, ["eu"]).decode()
    assert text.endswith("\n")
    assert "\n\n" not in text
