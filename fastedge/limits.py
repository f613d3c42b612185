"""Every bound of fastedge, each with its unit in its name. Configuration may lower or raise what `edge.toml` names."""

# --- the wire, both sides (RFC 9112) -------------------------------------------------------------------------------
header_bytes_max = 32 * 1024  # a whole head: request or status line and fields
header_count_max = 128
target_bytes_max = 8 * 1024
chunk_line_bytes_max = 256  # chunk size, extensions and CRLF
trailer_bytes_max = 8 * 1024
field_name_learned_bytes_max = 64  # a longer name is never interned
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

linger_bytes_max = 256 * 1024  # thrown away meanwhile
drained_body_bytes_max = 64 * 1024  # of an unread body that is read on for the sake of the connection
tunnel_idle_timeout_ms = 3_600_000  # without a byte in either direction of an upgraded connection

ready_hit_bytes_max = 8 * 1024  # of an answer that is kept as it was sent; a worker keeps 512 of them

# --- bodies in flight ------------------------------------------------------------------------------------------------
inline_body_bytes_max = 32 * 1024  # a body that is copied behind its head, to leave in one write

file_stretch_bytes_max = 4 * 1024 * 1024  # of a file sent before others have their turn
file_transport_poll_ms = 2  # between looks at a transport that has to send something else first

# --- origins ---------------------------------------------------------------------------------------------------------
origin_connect_timeout_ms = 1_000
origin_first_byte_timeout_ms = 10_000
origin_read_timeout_ms = 10_000
origin_idle_timeout_ms = 60_000
origin_connections_max = 256
origin_queue_max = 1024
origin_breaker_failures = 5  # in a row, before a server is left alone
origin_breaker_open_ms = 5_000
origin_attempts_max = 3  # connections tried for one request
replay_bytes_max = 64 * 1024  # of a request's body, kept until it is sure that it need not be sent again

# --- the cache (RFC 9111) --------------------------------------------------------------------------------------------
cache_ttl_s_max = 10 * 365 * 86_400  # a longer freshness lifetime is taken for this one
cache_variants_max = 64  # stored responses under one key that Vary tells apart
cache_vary_fields_max = 16  # names in one Vary; more are not stored
cache_heuristic_s_max = 86_400  # of a freshness lifetime that is a guess (RFC 9111 §4.2.2)
cache_key_parts_max = 32  # of one CacheRules
cache_tags_max = 128  # of one response; the rest is a response that is not stored
cache_tag_bytes_max = 1024
cache_collapse_wait_ms = 5_000  # how long a request waits for the head of a fetch that another one has started
cache_uncollapsed_s = 120  # for how long requests do not wait for a key whose last answer was not for sharing
cache_uncollapsed_keys_max = 16_384  # such keys that a worker remembers
cache_unkeyed_reported_max = 1_000  # of stages and what they read outside the key
cache_window_bytes_max = 1024 * 1024  # of a body that is not stored, held for the slowest of those who share its fetch
cache_sweep_max = 256  # stored responses that one eviction looks at before it gives up being fair
cache_heads_bytes_min = (
    8 * 1024 * 1024
)  # of a worker's own tier where there is a disk tier: what is on disk is known there
cache_memory_share = 8  # a stored body is at most one such part of cache.memory_mb
cache_purge_cells = 1 << 20  # of the table of purges: two names that share a cell are purged together
cache_purge_prefixes_max = 1024  # prefixes remembered one by one; older ones become a purge of everything before them
cache_purge_prefix_bytes_max = 512
cache_inspected_slots_max = 10_000  # stored responses looked at before others have their turn
cache_purge_request_items_max = 1024  # names in one POST /v1/purge
cache_inspected_bytes_max = 2 * 1024 * 1024  # of what one worker tells about one URL
cache_inspection_ms_max = 1_000  # for all workers to tell it

# --- ranges (RFC 9110 §14) -------------------------------------------------------------------------------------------
ranges_max = 16  # in one Range; with more it is as if there were none
range_overlaps_max = 2  # of them that overlap one asked before; with more it is as if there were none (§14.2)

# --- the disk tier (fastedge/disk) ------------------------------------------------------------------------------------
disk_share = 8  # a stored body is at most one such part of cache.disk_mb
disk_slots_per_mb = 128  # of the shared index, so many responses fit whatever their size
disk_slots_min = 4096
disk_slots_max = 1 << 26
disk_threads = 4  # of each worker
disk_jobs_max = 512  # waiting for a thread; beyond that a request does without the disk
disk_write_full_bytes = 1024 * 1024  # of one response, taken and not yet written: then the origin is held back
disk_write_patience_ms = 3_000  # for so long; a slower disk stores it not, and is left alone for a while
disk_write_bytes_max = 4 * 1024 * 1024  # of one response, taken and not yet written; a slower disk stores it not
disk_read_bytes = 64 * 1024  # read at once when a record is loaded
disk_load_now_max = 4  # variants of a key that are loaded on the loop, where they are in memory
disk_window_bytes = 256 * 1024  # read at once of a body that is sent or followed
disk_follow_poll_ms = 2  # how often a growing record is looked at; no system call
disk_leader_check_ms = 100  # how often one looks whether its writer lives
disk_open_files_max = 1024  # of bodies on disk, for each worker; more are opened again when they are sent
disk_open_idle_ms = 1_000  # not sent for so long, a body gives up its file: a deleted one takes room till then
disk_evict_batch_max = 64  # responses evicted at once
disk_retry_ms = 1_000  # after an error of the disk, before it is written to again
disk_warning_ms = 60_000  # between two warnings of one cause
disk_verified_max = 65_536  # larger bodies that a worker remembers to have checked
disk_close_timeout_ms = 2_000

# --- policies --------------------------------------------------------------------------------------------------------
stages_max = 256
conditions_max = 64

# --- configuration (fastedge/config) ---------------------------------------------------------------------------------
config_bytes_max = 1024 * 1024  # edge.toml
policy_bytes_max = 1024 * 1024  # one policy file
table_bytes_max = 256 * 1024 * 1024  # one redirect table
key_bytes_max = 1024 * 1024  # one secret, PEM file or JWK Set, from a file or the environment
certificates_bytes_max = 4 * 1024 * 1024  # one tls_ca_file
geo_bytes_max = 256 * 1024 * 1024  # one [geo] database
sources_bytes_max = 1024 * 1024 * 1024  # all files of a configuration together
config_problems_max = 100  # reported at once; the rest are counted
config_known_names_max = 20  # listed where an unknown one was found
config_shown_chars_max = 60  # of a value that a message repeats
config_name_chars_max = 64  # of an origin, a key or a table
config_path_bytes_max = 4096
unix_path_bytes_max = 107  # sun_path without its closing NUL
origins_max = 1024
origin_servers_max = 64
keys_max = 256
tables_max = 64
sites_max = 1024
site_hosts_max = 1024
listeners_max = 64
trusted_proxies_max = 1024
workers_max = 256
timeout_ms_max = 24 * 3600 * 1000
client_connections_asked_max = 1_000_000  # of server.connections_max
origin_connections_asked_max = 65_535
origin_queue_asked_max = 1_000_000
origin_breaker_failures_asked_max = 10_000
request_body_mb_asked_max = 1024 * 1024
drain_timeout_ms = 30_000  # for requests in flight when a worker is told to stop
cache_memory_mb = 256  # a worker's own tier
cache_memory_mb_max = 1024 * 1024
cache_disk_mb = 4096  # the tier that all workers share
cache_disk_mb_max = 64 * 1024 * 1024
policy_error_chars_max = 200  # of the text of an exception that a policy raised

# --- who the client is -----------------------------------------------------------------------------------------------
forwarded_elements_max = 32  # hops walked in X-Forwarded-For or Forwarded, from the right
# --- geo -------------------------------------------------------------------------------------------------------------
geo_ranges_max = 16_000_000  # for each address family
geo_tree_visits_max = 64_000_000  # steps through an MMDB's search tree before it is called corrupt
geo_records_max = 16_000_000  # different places and networks in one table
geo_data_steps_max = 1_000_000_000  # values of an MMDB's records that are read or skipped, before it is called corrupt
geo_texts_bytes_max = 256 * 1024 * 1024  # names of cities and organizations in one table
geo_text_bytes_max = 255  # one of them; its length is one byte
geo_source_bytes_max = 256
geo_overrides_max = 100_000  # rows of [geo] overrides
geo_look_ms = 500  # how often the supervisor looks whether a file of [geo] has changed
geo_compile_timeout_ms = 60_000
# --- tokens and keys (RFC 7519, RFC 8725) ----------------------------------------------------------------------------
token_bytes_max = 8 * 1024  # a compact JWS; a longer one is refused before any work
json_depth_max = 17  # arrays and objects inside one another: a token's header and claims, a JWK Set
token_headers_learned_max = 64  # encoded headers that a verifier knows by heart
token_leeway_s_max = 600
token_trace_chars_max = 60  # of what a token says, for `explain`
token_claim_field_bytes_max = 4 * 1024  # a claim as a field towards the origin
token_cache_entries_max = 1_000_000  # for each bound JwtAuth of a worker
token_cache_mb_max = 64  # tokens and their claims, for each bound JwtAuth of a worker
token_refusals_max = 1024  # tokens that were refused, and why, for each bound JwtAuth of a worker
token_refusals_kb_max = 1024
require_values_max = 1024  # in one rule about a claim
token_cache_sweep_max = 256  # entries that one insertion looks at before it gives up being fair
secret_bytes_min = 32  # as long as the shortest hash (RFC 7518 §3.2)
rsa_key_bits_min = 2048  # RFC 7518 §3.3
rsa_key_bits_max = 8192  # a check's cost grows with the square,
rsa_exponent_bits_max = 64  # and with this
key_file_bytes_max = 1024 * 1024
jwk_set_keys_max = 1024  # in a file or a variable
jwk_set_fetched_keys_max = 100  # in one from a URL: workers read it on their loop, 0.2 ms a key

# --- other credentials (identity/api_keys, passwords, signed_url) -----------------------------------------------------
credentials_max = 64  # sections of edge.toml
credentials_bytes_max = 16 * 1024 * 1024  # one file of API keys or users
credential_name_chars_max = 128  # a consumer or a user
api_keys_max = 100_000  # in one file
api_key_chars_min = 22  # 128 bits in base64url
api_key_bytes_max = 512  # a longer one is refused before any work
api_key_salt_bytes_min = 16
users_max = 100_000  # in one file
basic_credentials_bytes_max = 1024  # name and password in base64; more is refused before any work
password_memory_kib_max = 64 * 1024  # of one check
password_work_kib_max = 256 * 1024  # memory times passes of one check: up to a second
password_queue_max = 64  # checks that wait, for each bound BasicAuth of a worker; beyond it, 503
password_remember_s = 300
password_remember_s_max = 86_400
password_remembered_max = 10_000  # right ones, for each bound BasicAuth of a worker
password_refused_s = 10  # for how long a wrong one is refused without another check
password_refused_max = 1_000
signed_url_keys_max = 64
signed_url_key_id_chars_max = 64
signed_url_parameters_max = 64  # that one SignedUrl names
signed_url_expires_s_max = 7 * 86_400  # how far ahead an expiry may lie, unless the stage says otherwise
signed_url_expires_asked_s_max = 10 * 365 * 86_400

# --- keys that are fetched (supervisor, keydesk) ---------------------------------------------------------------------
url_chars_max = 2048  # of a provider's address
keys_refresh_s = 600  # the lifetime of a set whose response names none
keys_lifetime_s_min = 60  # a shorter lifetime that a response names is taken for this one
keys_lifetime_s_max = 86_400
keys_keep_s = 86_400  # from the last good fetch, while the provider is down
keys_keep_s_max = 30 * 86_400
keys_timeout_ms = 5_000  # one fetch: discovery, connecting, TLS, head and body
keys_timeout_ms_max = 60_000
keys_retry_s_min = 5  # after a failed fetch; then doubled
keys_retry_s_max = 300
keys_retry_without_s_max = 30  # while there are no keys, and nobody is let in
keys_early_s = 30  # between two fetches that an unknown `kid` asks for, for each name over the whole host
keys_start_timeout_ms = 5_000  # for the first fetch of all names, before the workers start
keys_wait_ms = 2_000  # how long a request with an unknown `kid` waits
keys_waiters_max = 1_024  # such requests, for each name and worker; more are answered at once

# --- revocations (RFC 7519 §4.1.7) -----------------------------------------------------------------------------------
revocations_entries_max = 1_000_000  # in force on a host; 64 bytes each
revocations_asked_max = 16_000_000
revocations_bytes_max = 1024 * 1024 * 1024  # [revocations] file
revocations_journal_bytes_min = 16 * 1024 * 1024  # a journal that is twice as long as when it was new is made anew
revocation_request_items_max = 10_000  # in one POST /v1/revocations
revocations_errors_max = 20  # told of one file
revocation_name_bytes_max = 8 * 1024  # of a jti or a sub: no token holds a longer one

# --- redirect tables (routing) ---------------------------------------------------------------------------------------
redirect_rows_max = 1_000_000
redirect_patterns_max = 1_000  # rows with a `*` inside: they are tried one after the other
redirect_wildcards_max = 9  # in one source: `$1` to `$9`
redirect_source_bytes_max = 2 * 1024
redirect_pattern_bytes_max = 256
redirect_target_bytes_max = 2 * 1024
redirect_location_bytes_max = 16 * 1024  # with what is carried over; a longer one is no redirect
redirect_table_bytes_max = 1024 * 1024 * 1024  # texts of one table in memory
redirect_errors_max = 20  # told of one file
redirect_chain_max = 20  # redirects on end that clients follow

# --- experiments (routing) -------------------------------------------------------------------------------------------
experiment_buckets = 10_000
experiment_variants_max = 64
experiment_name_bytes_max = 64
experiment_key_bytes_max = 4 * 1024  # of a cookie or a claim; a longer one is as good as none
experiment_cookie_max_age_s = 90 * 86_400
experiment_sticky_max = 8  # things that one experiment may know a visitor by
experiment_layer_ranges_max = 256  # experiments in one layer
experiment_targets_max = 1024  # values of one kind that a target names
experiment_override_bytes_max = 512  # of a signed override; a longer one is not looked at
experiment_override_s_max = 90 * 86_400  # for how long one may be signed
experiment_settings_max = 1024  # experiments in one [experiments] file
experiment_settings_bytes_max = 1024 * 1024  # [experiments] file
experiment_settings_check_ms = 2_000  # between looks at it
experiment_exposure_window_s = 86_400  # in which a visitor is exposed to a variant once
experiment_visitors_remembered_max = 1 << 18  # (visitor, variant) in a window and on a host; more count again
experiment_srm_check_ms = 10_000  # between checks of the ratios
experiment_srm_exposures_min = 1_000  # fewer say nothing about a ratio
experiment_srm_expected_min = 5  # of each variant, as the chi-squared test wants it
experiment_srm_p_max = 0.001  # a less likely split is no accident

# --- personal pages (html) --------------------------------------------------------------------------------------------
html_bytes_max = 2 * 1024 * 1024  # a larger page is left alone
html_depth_max = 512  # elements inside one another; from there on nothing is personalised
html_rules_max = 64  # slots of one policy
html_found_max = 256  # elements of one page that slots ask for; further ones are left alone
html_marks_max = 1024  # placeholders, comment pairs and ESI tags of one page; further ones are left alone
html_ancestors_max = 100_000  # elements looked at because they are around others; then selectors match no more
html_problems_max = 100  # told of one page
html_name_bytes_max = 64  # of a slot
html_selector_bytes_max = 512
html_compounds_max = 8  # of one selector
esi_depth_max = 16  # ESI tags inside one another
esi_expression_terms_max = 64
esi_expression_bytes_max = 1024
esi_url_bytes_max = 2 * 1024  # of an Include or an esi:include
esi_variable_bytes_max = 2 * 1024  # of a cookie, a field or a query; a longer one is none
html_value_bytes_max = 256 * 1024  # of one slot; a longer value is none
html_pages_share = 8  # compiled pages take at most one such part of cache.memory_mb
html_pages_bytes_min = 8 * 1024 * 1024  # and so much where there is little or no memory tier
fragments_asked_max = 64  # from URLs, in all pages inside of one another that answer one request
fragments_depth_max = 3  # pages and fragments inside one another
reply_pieces_max = 60  # of a page that goes to the socket as it is; of more the body is joined first
collected_bytes_max = 64 * 1024 * 1024  # of pages and fragments that arrive at a worker; further ones are left alone
edge_errors_max = 16  # told of one reply
edge_error_name_bytes_max = 128  # of a URL in it
personal_values_max = 1024  # that one source names
fragments_bytes_max = 16 * 1024 * 1024  # one [fragments] file
fragments_max = 64  # sections of edge.toml
fragments_in_table_max = 10_000
fragment_wait_ms = 500  # for an Include or an esi:include, unless the stage says otherwise
fragment_wait_ms_max = 30_000
gzip_stored_bytes_max = 512  # of a value that goes into a gzip stream as it is; longer ones are compressed

# --- a worker --------------------------------------------------------------------------------------------------------
step_threads = 2  # of each worker, for what a stage waits for: password checks
step_niceness = 10  # of these threads, beyond the loop's
tick_ms = 50  # how exact time-outs are
fragment_wait_spans_ms = (50, 100, 200, 300, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 30_000)  # a queue each
listen_backlog = 4096  # connections that wait to be accepted
stage_errors_logged_a_second_max = 10
stage_error_chars_max = 500  # of what a stage's exception says
# --- seeing it: metrics and the access log ---------------------------------------------------------------------------
metrics_origins_max = 64  # origins with counters of their own; the others share one more set
metrics_experiments_max = 64  # experiments whose exposures are counted
log_line_bytes_max = 4096  # PIPE_BUF on Linux: a write of this much to a pipe is never torn
log_path_bytes_max = 800  # of a line's path, escapes counted, as in the five below
log_query_bytes_max = 450  # query
log_host_bytes_max = 255  # host
log_text_bytes_max = 224  # user agent, referrer, an error in words
log_map_bytes_max = 280  # notes, variants
log_name_bytes_max = 80  # method, site, origin, error, …
log_batch_bytes = 512 * 1024  # lines gathered before they are handed to the writer, if the tick has not come before
log_buffer_bytes_max = 1024 * 1024  # gathered when nobody takes them; further lines are dropped
log_queue_bytes_max = 16 * 1024 * 1024  # waiting to be written, for each worker
log_retry_ms = 1_000  # between attempts to write to a broken log
log_close_timeout_ms = 2_000

# --- processes (supervisor, control, worker_process, admin) -----------------------------------------------------------
supervisor_tick_ms = 250  # how often the workers are looked at
supervisor_gap_ms_max = 2_000  # a longer sleep of the supervisor itself proves nothing against a worker
worker_stuck_ms = 5_000  # without a sign of life from a worker's loop
worker_start_timeout_ms = 30_000  # from spawning a worker to its first accept
worker_settle_ms = 10_000  # a worker that has served for so long did not fail at once
worker_backoff_ms_min = 100  # before a worker is spawned again that failed at once twice in a row; then doubled
worker_backoff_ms_max = 10_000
worker_kill_grace_ms = 2_000  # beyond drain_timeout_ms, for a worker to end by itself
reload_timeout_ms = 30_000  # for all workers to prepare, and again to commit
tidy_delay_ms = 2_000  # after a reload, before the old generation is looked for as garbage
control_message_bytes_max = 4 * 1024 * 1024  # one message between the supervisor and a worker
control_read_bytes_max = 64 * 1024  # at once
admin_connections_max = 64
admin_body_bytes_max = 2 * 1024 * 1024  # of a request to the admin listener
log_close_timeout_ms = 2_000  # writing what is left when a worker ends
