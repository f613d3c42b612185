"""A shared cache's decisions (RFC 9111). Pure: what came, and when, is an argument; nothing here holds a response."""
