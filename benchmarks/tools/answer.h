/* Reads one HTTP/1.1 answer as it arrives and says when it is whole (RFC 9112 sections 6 and 7). It judges framing
 * only, keeps no body, and must never take bytes for an answer that nobody asked for: what follows a whole one is wrong. */
#pragma once
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ANSWER_HEAD_BYTES_MAX = 16384 };
enum { ANSWER_MORE, ANSWER_COMPLETE, ANSWER_BROKEN };
typedef enum { HEAD, BODY, UNTIL_CLOSE, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILERS, WHOLE } Phase;

typedef struct {
    Phase phase;
    int status, closes, chunked;
    int64_t length, left, body_bytes;
    size_t held;
    char line[ANSWER_HEAD_BYTES_MAX + 1];
} Answer;

static inline void answer_begin(Answer *answer) {
    answer->phase = HEAD;
    answer->status = answer->closes = answer->chunked = 0;
    answer->left = answer->body_bytes = 0;
    answer->length = -1;
    answer->held = 0;
}

static inline int answer_at_close(Answer *answer) {
    answer->closes = 1;
    return answer->phase == UNTIL_CLOSE;
}

static inline void answer_field(Answer *answer, const char *line, const char *end) {
    size_t length = (size_t)(end - line);
    if (length > 15 && !strncasecmp(line, "content-length:", 15))
        answer->length = strtol(line + 15, NULL, 10);
    else if (length > 18 && !strncasecmp(line, "transfer-encoding:", 18))
        answer->chunked = memmem(line, length, "chunked", 7) != NULL;
    else if (length > 11 && !strncasecmp(line, "connection:", 11))
        answer->closes = memmem(line, length, "close", 5) != NULL;
}

/* `end` stands after the empty line. */
static inline int answer_head(Answer *answer, const char *head, const char *end) {
    if (end - head < 16 || memcmp(head, "HTTP/1.", 7)) return -1;
    answer->status = atoi(head + 9);
    if (answer->status < 100 || answer->status > 599) return -1;
    const char *line = memchr(head, '\n', (size_t)(end - head)) + 1;
    while (line < end - 2) {
        const char *line_end = memchr(line, '\n', (size_t)(end - line));
        int letter = line[0] | 0x20;
        if (letter == 'c' || letter == 't') answer_field(answer, line, line_end);
        line = line_end + 1;
    }
    if (answer->status < 200) { answer_begin(answer); return 0; }
    if (answer->status == 204 || answer->status == 304) answer->phase = WHOLE;
    else if (answer->chunked) answer->phase = CHUNK_SIZE;
    else if (answer->length >= 0) answer->phase = answer->length ? BODY : WHOLE;
    else answer->phase = UNTIL_CLOSE;
    answer->left = answer->length;
    return 0;
}

static inline const char *answer_mark(const Answer *answer) {
    return answer->phase == HEAD ? "\r\n\r\n" : "\r\n";
}

/* Collects a line (or a head) that may come in pieces; gives how many of the bytes belong to it, -1 if it is too long. */
static inline ssize_t answer_collect(Answer *answer, const char *bytes, size_t length, int *found) {
    const char *mark = answer_mark(answer);
    size_t before = answer->held, room = ANSWER_HEAD_BYTES_MAX - before, take = length < room ? length : room;
    memcpy(answer->line + before, bytes, take);
    size_t mark_length = strlen(mark), from = before >= mark_length ? before - mark_length + 1 : 0;
    char *at = memmem(answer->line + from, before + take - from, mark, mark_length);
    *found = at != NULL;
    if (!at && take < length) return -1;
    answer->held = at ? (size_t)(at - answer->line) + mark_length : before + take;
    answer->line[answer->held] = 0;
    return (ssize_t)(answer->held - before);
}

static inline int answer_chunk_line(Answer *answer) {
    char *end;
    answer->left = strtol(answer->line, &end, 16);
    if (end == answer->line || answer->left < 0 || (*end != '\r' && *end != ';')) return -1;
    answer->phase = answer->left ? CHUNK_DATA : TRAILERS;
    return 0;
}

static inline int answer_line(Answer *answer) {
    size_t length = answer->held;
    answer->held = 0;
    switch (answer->phase) {
        case HEAD: return answer_head(answer, answer->line, answer->line + length);
        case CHUNK_SIZE: return answer_chunk_line(answer);
        case CHUNK_END: answer->phase = CHUNK_SIZE; return length == 2 ? 0 : -1;
        default: if (length == 2) answer->phase = WHOLE; return 0;
    }
}

static inline size_t answer_body(Answer *answer, size_t length) {
    if (answer->phase == UNTIL_CLOSE) { answer->body_bytes += (int64_t)length; return length; }
    int64_t take = (int64_t)length < answer->left ? (int64_t)length : answer->left;
    answer->left -= take;
    answer->body_bytes += take;
    if (!answer->left) answer->phase = answer->phase == CHUNK_DATA ? CHUNK_END : WHOLE;
    return (size_t)take;
}

static inline int answer_feed(Answer *answer, const char *bytes, size_t length) {
    for (size_t at = 0; at < length;) {
        if (answer->phase == WHOLE) return ANSWER_BROKEN;
        if (answer->phase == BODY || answer->phase == CHUNK_DATA || answer->phase == UNTIL_CLOSE) {
            at += answer_body(answer, length - at);
            continue;
        }
        int found;
        ssize_t taken = answer_collect(answer, bytes + at, length - at, &found);
        if (taken < 0 || (found && answer_line(answer))) return ANSWER_BROKEN;
        at += (size_t)taken;
    }
    return answer->phase == WHOLE ? ANSWER_COMPLETE : ANSWER_MORE;
}
