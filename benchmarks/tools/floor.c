/* The floor: epoll, recv, one fixed answer, send. What no HTTP server on this machine can go below, and the fast
 * origin behind every edge that is measured. It must never grow a feature that the plain path pays for.
 *
 *   floor --listen 127.0.0.1:9001 [--body 1024] [--field 'name: value']... [--stall-every N --stall-ms M]
 *
 * It looks for the empty line that ends a request's head (RFC 9112 section 2.1) and ignores bodies. Of requests that
 * arrive pipelined, each is answered. Date is rewritten once a second (RFC 9110 section 6.6.1), as real servers do.
 * --stall-* makes it a server that stands still now and then: the tests of the load generator need one. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_BYTES_MAX = 32768, DESCRIPTORS_MAX = 65536, EVENTS_MAX = 256, FIELDS_MAX = 16 };

typedef struct {
    char *unsent;       /* the rest of an answer that the socket did not take; NULL on the plain path */
    size_t unsent_bytes;
    int matched;        /* how many bytes of CR LF CR LF the last recv ended with */
} Client;

typedef struct {
    char *bytes;
    size_t length;
    size_t date_offset;
    time_t date;
} Answer;

static Client clients[DESCRIPTORS_MAX];
static Answer answer;
static long stall_every, stall_ms, served;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void refresh_date(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec == answer.date) return;
    answer.date = now.tv_sec;
    struct tm utc;
    char text[30];
    gmtime_r(&answer.date, &utc);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    memcpy(answer.bytes + answer.date_offset, text, 29);
}

static void render_answer(size_t body_bytes, const char **fields, int field_count) {
    char head[8192];
    int at = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nDate: ");
    answer.date_offset = (size_t)at;
    at += snprintf(head + at, sizeof head - (size_t)at,
                   "%-29s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %zu\r\n", "", body_bytes);
    for (int i = 0; i < field_count; i++) {
        at += snprintf(head + at, sizeof head - (size_t)at, "%s\r\n", fields[i]);
        if ((size_t)at >= sizeof head - 2) { fputs("floor: the fields are too long\n", stderr); exit(2); }
    }
    at += snprintf(head + at, sizeof head - (size_t)at, "\r\n");
    answer.length = (size_t)at + body_bytes;
    answer.bytes = malloc(answer.length);
    if (!answer.bytes) die("malloc");
    memcpy(answer.bytes, head, (size_t)at);
    memset(answer.bytes + at, 'x', body_bytes);
    refresh_date();
}

static int listen_on(const char *address) {
    char host[64];
    const char *colon = strrchr(address, ':');
    if (!colon || (size_t)(colon - address) >= sizeof host) { fputs("floor: --listen HOST:PORT\n", stderr); exit(2); }
    memcpy(host, address, (size_t)(colon - address));
    host[colon - address] = 0;
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
    if (inet_pton(AF_INET, host, &where.sin_addr) != 1) {
        fputs("floor: an IPv4 address is needed\n", stderr);
        exit(2);
    }
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&where, sizeof where)) die("bind");
    if (listen(listener, 4096)) die("listen");
    return listener;
}

static void close_client(int poll, int fd) {
    epoll_ctl(poll, EPOLL_CTL_DEL, fd, NULL);
    free(clients[fd].unsent);
    close(fd);
}

static void accept_all(int poll, int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;
        if (fd < 0) return;
        if (fd >= DESCRIPTORS_MAX) { close(fd); continue; }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        clients[fd] = (Client){0};
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fd};
        epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
    }
}

/* How many heads end in these bytes. The common case, one whole request a recv, is one comparison. */
static int count_requests(Client *client, const char *bytes, ssize_t length) {
    if (client->matched == 0 && length >= 4 && memcmp(bytes + length - 4, "\r\n\r\n", 4) == 0
        && memmem(bytes, (size_t)length - 1, "\r\n\r\n", 4) == NULL)
        return 1;
    int found = 0, matched = client->matched;
    for (ssize_t i = 0; i < length; i++) {
        char expected = matched & 1 ? '\n' : '\r';
        matched = bytes[i] == expected ? matched + 1 : bytes[i] == '\r';
        if (matched == 4) { found++; matched = 0; }
    }
    client->matched = matched;
    return found;
}

static void stall_if_due(void) {
    if (stall_every && ++served % stall_every == 0) usleep((useconds_t)stall_ms * 1000);
}

/* 0: done or waiting for EPOLLOUT; -1: the client is gone. */
static int send_bytes(int poll, int fd, const char *bytes, size_t length) {
    Client *client = &clients[fd];
    ssize_t sent = client->unsent ? 0 : send(fd, bytes, length, MSG_NOSIGNAL);
    if (sent == (ssize_t)length) return 0;
    if (sent < 0 && errno != EAGAIN) return -1;
    if (sent < 0) sent = 0;
    size_t rest = length - (size_t)sent;
    client->unsent = realloc(client->unsent, client->unsent_bytes + rest);
    if (!client->unsent) die("realloc");
    memcpy(client->unsent + client->unsent_bytes, bytes + sent, rest);
    client->unsent_bytes += rest;
    struct epoll_event event = {.events = EPOLLOUT | EPOLLRDHUP, .data.fd = fd};
    epoll_ctl(poll, EPOLL_CTL_MOD, fd, &event);
    return 0;
}

static int flush_unsent(int poll, int fd) {
    Client *client = &clients[fd];
    ssize_t sent = send(fd, client->unsent, client->unsent_bytes, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN ? 0 : -1;
    client->unsent_bytes -= (size_t)sent;
    memmove(client->unsent, client->unsent + sent, client->unsent_bytes);
    if (client->unsent_bytes) return 0;
    free(client->unsent);
    client->unsent = NULL;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fd};
    return epoll_ctl(poll, EPOLL_CTL_MOD, fd, &event);
}

static int serve(int poll, int fd) {
    char bytes[HEAD_BYTES_MAX];
    ssize_t length = recv(fd, bytes, sizeof bytes, 0);
    if (length <= 0) return length < 0 && errno == EAGAIN ? 0 : -1;
    for (int left = count_requests(&clients[fd], bytes, length); left > 0; left--) {
        stall_if_due();
        if (send_bytes(poll, fd, answer.bytes, answer.length)) return -1;
    }
    return 0;
}

static void run(int listener) {
    int poll = epoll_create1(0);
    struct epoll_event first = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS_MAX];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &first);
    for (;;) {
        int ready = epoll_wait(poll, events, EVENTS_MAX, -1);
        refresh_date();
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) { accept_all(poll, listener); continue; }
            int gone = events[i].events & EPOLLOUT ? flush_unsent(poll, fd) : serve(poll, fd);
            if (gone) close_client(poll, fd);
        }
    }
}

int main(int argc, char **argv) {
    const char *address = "127.0.0.1:9001", *fields[FIELDS_MAX];
    size_t body_bytes = 1024;
    int field_count = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--listen")) address = argv[i + 1];
        else if (!strcmp(argv[i], "--body")) body_bytes = strtoul(argv[i + 1], NULL, 10);
        else if (!strcmp(argv[i], "--field") && field_count < FIELDS_MAX) fields[field_count++] = argv[i + 1];
        else if (!strcmp(argv[i], "--stall-every")) stall_every = atol(argv[i + 1]);
        else if (!strcmp(argv[i], "--stall-ms")) stall_ms = atol(argv[i + 1]);
        else { fprintf(stderr, "floor: unknown option %s\n", argv[i]); return 2; }
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    render_answer(body_bytes, fields, field_count);
    run(listen_on(address));
}
