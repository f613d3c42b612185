/* A load generator for HTTP/1.1 with keep-alive. Closed loop: each connection sends, awaits the whole answer, and sends
 * again. Open loop (--rate): requests fall due by the clock, whether or not earlier ones were answered, and latency
 * counts from when a request was due, not from when a free connection was found for it: no coordinated omission.
 * It must never call an answer good that it has not read to its end, and it never follows, retries or forgives.
 *
 *   loadgen --connect HOST:PORT --requests FILE [--connections 64] (--count N | --seconds S)
 *           [--rate R [--arrival poisson|uniform] [--seed N]] [--spin 1] [--status 200] [--body N]
 *           [--numbers N [--shuffle 1]]
 *
 * --spin never sleeps: whoever sends to a sleeper pays for waking it, which on a virtual machine is more than the send.
 * --numbers writes 0 to N - 1, in turn or by chance, over the first ######## of each request: millions of targets.
 * FILE holds rendered requests, each behind its length as 4 little-endian bytes, and is gone through in a circle.
 * Prints one JSON object; times are in microseconds. */
#define _GNU_SOURCE
#include "answer.h"
#include "histogram.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 16384, EVENTS_MAX = 256, RECEIVE_BYTES = 65536, NUMBER_DIGITS = 8 };
static const int64_t SECOND_NS = 1000000000, SILENCE_NS_MAX = 10 * SECOND_NS;

typedef struct { char *bytes, *number; size_t length; } Rendered;
typedef struct { int fd; int busy; int64_t due_ns; Answer answer; } Connection;

static struct {
    struct sockaddr_in address;
    const char *requests_file;
    int connections, status, poisson, spin, shuffle;
    int64_t count, body_bytes, numbers;
    double seconds, rate;
    uint64_t seed;
} options = {.connections = 64, .status = 200, .poisson = 1, .body_bytes = -1, .seed = 1};

static struct { int64_t answered, errors, status_mismatches, body_mismatches, reconnects; } tally;
static Histogram latencies;
static Connection connections[CONNECTIONS_MAX];
static int idle_ring[CONNECTIONS_MAX], idle_head, idle_count, busy_count, poll_fd;
static Rendered *requests;
static size_t request_count, request_next;
static int64_t started_ns, ended_ns, deadline_ns, next_due_ns, issued, progress_ns;

static void refuse(const char *what) {
    fprintf(stderr, "loadgen: %s\n", what);
    exit(2);
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* ---- what is sent ---- */

static void read_requests(void) {
    int fd = open(options.requests_file, O_RDONLY);
    struct stat facts;
    if (fd < 0 || fstat(fd, &facts) || facts.st_size < 5) refuse("the file of requests cannot be read");
    size_t size = (size_t)facts.st_size;
    char *bytes = malloc(size);
    requests = malloc(size / 4 * sizeof *requests);
    if (!bytes || !requests || read(fd, bytes, size) != (ssize_t)size) refuse("the file of requests cannot be read");
    close(fd);
    for (size_t at = 0; at < size;) {
        uint32_t length;
        if (size - at < 4) refuse("the file of requests ends within a length");
        memcpy(&length, bytes + at, 4);
        if (!length || length > size - at - 4) refuse("the file of requests ends within a request");
        char *number = options.numbers ? memmem(bytes + at + 4, length, "########", NUMBER_DIGITS) : NULL;
        if (options.numbers && !number) refuse("a request has no ######## for its number");
        requests[request_count++] = (Rendered){bytes + at + 4, number, length};
        at += 4 + length;
    }
}

/* xorshift64*: arrivals must be the same in every round of a comparison, so the seed is an option. */
static double random_unit(void) {
    options.seed ^= options.seed >> 12;
    options.seed ^= options.seed << 25;
    options.seed ^= options.seed >> 27;
    return ((double)((options.seed * 2685821657736338717ULL) >> 11) + 1) / 9007199254740993.0;
}

static void plan_next_arrival(void) {
    double gap = (double)SECOND_NS / options.rate;
    next_due_ns += (int64_t)(options.poisson ? -log(random_unit()) * gap : gap);
}

static void write_number(char *digits) {
    int64_t number = (options.shuffle ? (int64_t)(random_unit() * (double)options.numbers) : issued) % options.numbers;
    for (int i = NUMBER_DIGITS; i-- > 0; number /= 10) digits[i] = (char)('0' + number % 10);
}

/* ---- connections ---- */

static int open_connection(int index) {
    Connection *connection = &connections[index];
    int on = 1;
    connection->busy = 0;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) return -1;
    if (connect(connection->fd, (struct sockaddr *)&options.address, sizeof options.address)) {
        close(connection->fd);
        connection->fd = -1;
        return -1;
    }
    fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)index};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, connection->fd, &event);
    idle_ring[(idle_head + idle_count++) % CONNECTIONS_MAX] = index;
    return 0;
}

static void reopen(int index) {
    close(connections[index].fd);
    tally.reconnects++;
    if (open_connection(index)) tally.errors++;
}

static void finish(Connection *connection) {
    connection->busy = 0;
    busy_count--;
}

static void fail(int index) {
    tally.errors++;
    finish(&connections[index]);
    reopen(index);
}

static int send_all(int fd, Rendered request) {
    for (size_t at = 0; at < request.length;) {
        ssize_t sent = send(fd, request.bytes + at, request.length - at, MSG_NOSIGNAL);
        if (sent >= 0) { at += (size_t)sent; continue; }
        if (errno != EAGAIN) return -1;
        struct pollfd writable = {.fd = fd, .events = POLLOUT};
        if (poll(&writable, 1, 1000) != 1) return -1;
    }
    return 0;
}

static void issue(int index, int64_t due_ns) {
    Connection *connection = &connections[index];
    connection->busy = 1;
    connection->due_ns = due_ns;
    answer_begin(&connection->answer);
    busy_count++;
    Rendered request = requests[request_next];
    request_next = request_next + 1 == request_count ? 0 : request_next + 1;
    if (request.number) write_number(request.number);
    issued++;
    if (send_all(connection->fd, request)) fail(index);
}

static int take_idle(void) {
    int index = idle_ring[idle_head];
    idle_head = (idle_head + 1) % CONNECTIONS_MAX;
    idle_count--;
    return index;
}

/* A server may close a connection that idles (RFC 9112 section 9.5): it leaves the ring before it is opened anew. */
static void replace_idle(int index) {
    for (int i = 0; i < idle_count; i++) {
        int at = (idle_head + i) % CONNECTIONS_MAX;
        if (idle_ring[at] != index) continue;
        idle_ring[at] = idle_ring[(idle_head + --idle_count) % CONNECTIONS_MAX];
        break;
    }
    reopen(index);
}

/* ---- what comes back ---- */

static void judge(int index) {
    Connection *connection = &connections[index];
    Answer *answer = &connection->answer;
    ended_ns = progress_ns = now_ns();
    tally.answered++;
    tally.status_mismatches += answer->status != options.status;
    tally.body_mismatches += options.body_bytes >= 0 && answer->body_bytes != options.body_bytes;
    histogram_add(&latencies, (uint64_t)(ended_ns - connection->due_ns));
    finish(connection);
    if (answer->closes) reopen(index);
    else idle_ring[(idle_head + idle_count++) % CONNECTIONS_MAX] = index;
}

static void receive(int index) {
    static char bytes[RECEIVE_BYTES];
    Connection *connection = &connections[index];
    ssize_t length = recv(connection->fd, bytes, sizeof bytes, 0);
    if (length < 0 && errno == EAGAIN) return;
    if (!connection->busy) { replace_idle(index); return; }
    if (length <= 0) {
        if (length == 0 && answer_at_close(&connection->answer)) judge(index);
        else fail(index);
        return;
    }
    int outcome = answer_feed(&connection->answer, bytes, (size_t)length);
    if (outcome == ANSWER_COMPLETE) judge(index);
    else if (outcome == ANSWER_BROKEN) fail(index);
}

/* ---- the two loops are one: they differ in when a request is due ---- */

static int more_to_issue(int64_t now) {
    if (options.count && issued >= options.count) return 0;
    return options.rate > 0 ? next_due_ns < deadline_ns : now < deadline_ns;
}

static void issue_due(void) {
    int64_t now = now_ns();
    while (idle_count && more_to_issue(now)) {
        if (options.rate <= 0) { issue(take_idle(), now = now_ns()); continue; }
        if (next_due_ns > now) return;
        issue(take_idle(), next_due_ns);
        plan_next_arrival();
        now = now_ns();
    }
}

static struct timespec wait_at_most(void) {
    if (options.spin) return (struct timespec){0};
    int64_t wait = SECOND_NS / 10, now = now_ns();
    if (options.rate > 0 && idle_count && more_to_issue(now) && next_due_ns - now < wait) wait = next_due_ns - now;
    if (wait < 0) wait = 0;
    return (struct timespec){.tv_sec = wait / SECOND_NS, .tv_nsec = wait % SECOND_NS};
}

static void run(void) {
    struct epoll_event events[EVENTS_MAX];
    started_ns = ended_ns = progress_ns = next_due_ns = now_ns();
    deadline_ns = options.seconds > 0 ? started_ns + (int64_t)(options.seconds * SECOND_NS) : INT64_MAX;
    if (options.rate > 0) plan_next_arrival();
    while (busy_count || (more_to_issue(now_ns()) && idle_count + busy_count)) {
        issue_due();
        struct timespec wait = wait_at_most();
        int ready = epoll_pwait2(poll_fd, events, EVENTS_MAX, &wait, NULL);
        if (options.spin && !ready) sched_yield();
        for (int i = 0; i < ready; i++) receive((int)events[i].data.u32);
        if (busy_count && now_ns() - progress_ns > SILENCE_NS_MAX) break;
        if (!busy_count) progress_ns = now_ns();
    }
}

static int64_t count_unsent(void) {
    int64_t unsent = 0;
    if (options.rate <= 0) return options.count ? options.count - issued : 0;
    for (; next_due_ns < deadline_ns && (!options.count || issued + unsent < options.count); unsent++)
        plan_next_arrival();
    return unsent;
}

static void report(void) {
    int64_t unsent = count_unsent();
    printf("{\"requests\": %ld, \"errors\": %ld, ", tally.answered, tally.errors + busy_count);
    printf("\"status_mismatches\": %ld, \"body_mismatches\": %ld, ", tally.status_mismatches, tally.body_mismatches);
    printf("\"unsent\": %ld, \"reconnects\": %ld, \"seconds\": %.6f, ", unsent, tally.reconnects,
           (double)(ended_ns - started_ns) / 1e9);
    histogram_print(&latencies);
    puts("}");
}

/* ---- options ---- */

static void parse_address(const char *text) {
    char host[64];
    const char *colon = strrchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof host) refuse("--connect HOST:PORT");
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = 0;
    options.address.sin_family = AF_INET;
    options.address.sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, host, &options.address.sin_addr) != 1) refuse("--connect needs an IPv4 address");
}

static void parse_option(const char *name, const char *value) {
    if (!strcmp(name, "--connect")) parse_address(value);
    else if (!strcmp(name, "--requests")) options.requests_file = value;
    else if (!strcmp(name, "--connections")) options.connections = atoi(value);
    else if (!strcmp(name, "--count")) options.count = atol(value);
    else if (!strcmp(name, "--seconds")) options.seconds = atof(value);
    else if (!strcmp(name, "--rate")) options.rate = atof(value);
    else if (!strcmp(name, "--arrival")) options.poisson = strcmp(value, "uniform") != 0;
    else if (!strcmp(name, "--seed")) options.seed = strtoul(value, NULL, 10) | 1;
    else if (!strcmp(name, "--numbers")) options.numbers = atol(value);
    else if (!strcmp(name, "--shuffle")) options.shuffle = atoi(value);
    else if (!strcmp(name, "--spin")) options.spin = atoi(value);
    else if (!strcmp(name, "--status")) options.status = atoi(value);
    else if (!strcmp(name, "--body")) options.body_bytes = atol(value);
    else refuse("unknown option");
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc) refuse("an option has no value");
        parse_option(argv[i], argv[i + 1]);
    }
    if (!options.address.sin_port || !options.requests_file) refuse("--connect and --requests are needed");
    if (options.count <= 0 && options.seconds <= 0) refuse("--count or --seconds is needed");
    if (options.numbers < 0 || options.numbers > 100000000) refuse("--numbers is out of range");
    if (options.connections < 1 || options.connections > CONNECTIONS_MAX) refuse("--connections is out of range");
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    prctl(PR_SET_TIMERSLACK, 1UL); /* the default of 50 us would be most of the latency that is to be measured */
    read_requests();
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < options.connections; i++)
        if (open_connection(i)) refuse("cannot connect");
    run();
    report();
}
