"""Who is asking: tokens and keys, as pure decisions. Never reads a clock, a file or a socket."""
