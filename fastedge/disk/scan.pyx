"""Reads what is on disk into the index, names and sizes alone, without the interpreter's lock: a million files are looked
at beside the traffic."""

from libc.errno cimport errno
from libc.stdint cimport uint64_t
from libc.string cimport strlen

import os
from typing import NamedTuple

from fastedge._core.diskindex cimport DiskIndex

cdef extern from "dirent.h" nogil:
    ctypedef struct DIR
    struct dirent:
        char d_name[256]
    DIR* opendir(const char*)
    dirent* readdir(DIR*)
    int closedir(DIR*)
    int dirfd(DIR*)

cdef extern from *:
    """
    #include <fcntl.h>
    #include <sys/stat.h>
    static long long fe_file_size(int folder, const char* name) {
        struct stat status;
        if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) || !S_ISREG(status.st_mode)) return -1;
        return status.st_size;
    }
    """
    long long fe_file_size(int folder, const char* name) noexcept nogil

cdef enum:
    NAME_BYTES = 49     # 32 digits, a dash, 16 digits
    OTHERS_MAX = 100_000
    TRIES = 100         # for the lock of a bucket

Found = NamedTuple("Found", [("records", int), ("surplus", list), ("others", list)])


def scan_folder(bytes path not None, DiskIndex index not None):
    """Puts the records of one folder, named by the first two digits of theirs, into the index: how many there are, the names for which it has no room, and those that
    are no record's. Raises OSError."""
    cdef const char* name = path
    cdef const char* prefix = name + len(path) - 2
    cdef DIR* folder
    cdef dirent* entry
    cdef int added
    cdef long long records = 0
    cdef list surplus = [], others = []
    with nogil:
        folder = opendir(name)
    if folder is NULL:
        raise OSError(errno, os.strerror(errno), os.fsdecode(path))
    try:
        while True:
            with nogil:
                entry = _next_other(folder, prefix, index, &records, &added)
            if entry is NULL:
                return Found(records, surplus, others)
            text = os.fsdecode(<bytes> entry.d_name)
            if added == 0:
                surplus.append(text)
            elif text not in (".", "..") and len(others) < OTHERS_MAX:
                others.append(text)
    finally:
        closedir(folder)


cdef dirent* _next_other(DIR* folder, const char* prefix, DiskIndex index, long long* records, int* added) noexcept nogil:
    """The next entry that is not simply a record with room for it (`added` is 0: no room), or NULL."""
    cdef dirent* entry
    cdef uint64_t high, low, vary
    cdef long long size
    cdef int _
    while True:
        entry = readdir(folder)
        if entry is NULL:
            return NULL
        added[0] = -1
        if not _read_name(entry.d_name, prefix, &high, &low, &vary):
            return entry
        size = fe_file_size(dirfd(folder), entry.d_name)
        if size < 0:
            return entry
        for _ in range(TRIES):
            added[0] = index.add(high, low, vary, (size + 4095) // 4096 * 4096)
            if added[0] >= 0:
                break
        if added[0] <= 0:
            added[0] = 0
            return entry
        records[0] += 1


cdef bint _read_name(const char* name, const char* prefix, uint64_t* high, uint64_t* low, uint64_t* vary) noexcept nogil:
    return (
        strlen(name) == NAME_BYTES and name[32] == c"-" and name[0] == prefix[0] and name[1] == prefix[1]
        and _number(name, high) and _number(name + 16, low) and _number(name + 33, vary)
    )


cdef bint _number(const char* digits, uint64_t* value) noexcept nogil:
    cdef int i
    value[0] = 0
    for i in range(16):
        if c"0" <= digits[i] <= c"9":
            value[0] = value[0] << 4 | (digits[i] - c"0")
        elif c"a" <= digits[i] <= c"f":
            value[0] = value[0] << 4 | (digits[i] - c"a" + 10)
        else:
            return False
    return True
