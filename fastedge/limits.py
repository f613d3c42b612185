"""Every bound of fastedge, each with its unit in its name. Configuration may lower or raise what `edge.toml` names."""

# --- the wire, both sides (RFC 9112) -------------------------------------------------------------------------------
header_bytes_max = 32 * 1024  # a whole head: request or status line and fields
header_count_max = 128
target_bytes_max = 8 * 1024
chunk_line_bytes_max = 256  # chunk size, extensions and CRLF
trailer_bytes_max = 8 * 1024
field_names_learned_max = 2048  # spellings of field names that are interned; others are made anew
leading_crlf_max = 2  # empty lines tolerated before a request line (RFC 9112 §2.2)
informational_max = 16  # 1xx responses before a final one

# --- clients ---------------------------------------------------------------------------------------------------------
client_header_timeout_ms = 10_000  # from a request's first byte to the end of its head
client_idle_timeout_ms = 75_000  # between requests on a kept connection
client_body_timeout_ms = 30_000  # without one more byte of a request's body
client_send_timeout_ms = 60_000  # without one more byte of a response taken
client_connections_max = 50_000  # for each worker
request_body_mb_max = 1024
linger_timeout_ms = 2_000  # reading on after a refusal, so that the client can see it
pipelined_bytes_max = 64 * 1024  # held of requests that arrived behind one still being answered

# --- bodies in flight ------------------------------------------------------------------------------------------------
body_buffer_bytes_max = 256 * 1024  # on either side of a proxied body before its source is paused

inline_body_bytes_max = 32 * 1024  # a body that is copied behind its head, to leave in one write

# --- origins ---------------------------------------------------------------------------------------------------------
origin_connect_timeout_ms = 1_000
origin_first_byte_timeout_ms = 10_000
origin_read_timeout_ms = 10_000
origin_idle_timeout_ms = 60_000
origin_connections_max = 256
origin_queue_max = 1024
origin_breaker_failures = 5  # in a row, before a server is left alone
origin_breaker_open_ms = 5_000

# --- policies --------------------------------------------------------------------------------------------------------
stages_max = 256
conditions_max = 64

# --- seeing it: metrics and the access log ---------------------------------------------------------------------------
metrics_origins_max = 64  # origins with counters of their own; the others share one more set
log_line_bytes_max = 4096  # PIPE_BUF on Linux: a write of this much to a pipe is never torn
log_path_bytes_max = 800  # of a line, escapes counted, as are the four below
log_query_bytes_max = 450
log_host_bytes_max = 255
log_text_bytes_max = 224  # user agent, referrer, an error in words
log_map_bytes_max = 280  # notes, variants
log_name_bytes_max = 80  # method, site, origin, error, …
log_batch_bytes = 64 * 1024  # lines gathered before they are handed to the writer
log_buffer_bytes_max = 1024 * 1024  # gathered when nobody takes them; further lines are dropped
log_queue_bytes_max = 16 * 1024 * 1024  # waiting to be written, for each worker
log_flush_ms = 200  # how long a line may wait for its batch to fill
log_retry_ms = 1_000  # between attempts to write to a broken log
log_close_timeout_ms = 2_000
