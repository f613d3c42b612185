"""Who is asking: tokens, keys, passwords, signed URLs, as pure decisions. Never reads a clock, a file or a socket."""
