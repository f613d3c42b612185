"""docs/keys.md says what the code does."""

from pathlib import Path

from fastedge import limits

TEXT = " ".join((Path(__file__).parents[1] / "docs" / "keys.md").read_text().split())


def test_docs_have_the_bounds_of_the_code() -> None:
    assert f"from {limits.keys_lifetime_s_min} s (less only" in TEXT
    assert limits.keys_lifetime_s_max == 86_400
    assert "to a day" in TEXT
    assert limits.key_file_bytes_max == 1 << 20
    assert f"at most 1 MiB and {limits.jwk_set_fetched_keys_max} keys" in TEXT
    assert f"There is one such fetch in {limits.keys_early_s} s" in TEXT
    assert limits.keys_wait_ms == 2_000
    assert "two seconds at most" in TEXT
    assert (
        f"after {limits.keys_retry_s_min} s, {2 * limits.keys_retry_s_min} s, … {limits.keys_retry_s_max // 60} min"
        in TEXT
    )
    assert f"waited for {limits.keys_start_timeout_ms // 1000} s at most" in TEXT
