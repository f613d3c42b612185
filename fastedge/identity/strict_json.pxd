cpdef dict parse_object(bytes data)
