cdef bytes hit_lines(bytes cdn_id, long long age_s, long long ttl_s)
cdef bytes forward_lines(bytes cdn_id, str why, int status, bint collapsed, bint kept, str detail, long long age_s)
