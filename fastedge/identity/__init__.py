"""Who is asking: tokens, keys, passwords and signed URLs, as pure decisions. Never reads a clock, a file or a socket."""
