/* load -p PORT -b BODY [-c CLIENTS] [-d SECONDS] [-w WARM] [-r CALLS_PER_SECOND] [-g SPREAD] [-t TIMEOUT] [-u PATH]
        [-s] [-H "Name: value"]... [-k KEYS]

   HTTP/1.1 clients on 127.0.0.1, each one call after the other on a connection that is kept. -s: the answers are streams
   of server-sent events, of which upstream.c marked the chunks with its time. -r: calls begin at that rate together,
   whether others are answered or not; how long one took is counted from when it should have begun. -g spreads the first
   calls over so many seconds. -k: a file of API keys, a line each, that calls take in turn. Prints a line when WARM seconds are over and measuring begins, and the figures, in
   milliseconds, as a second line of JSON. */
#define _GNU_SOURCE
#include "asked.h"
#include "clock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MARK " t=" /* before the 19 digits of a chunk's time */
#define MARKED (sizeof MARK - 1 + 19)
#define KEPT (MARKED - 1)
#define LATE 100000000ull /* ns on the way after which a chunk is a stall */

enum part { HEAD, LENGTH, SIZE, DATA, AFTER, TRAILER };

struct client {
    int fd, busy, begun, status, ended, closing, failed, writing;
    enum part part;
    size_t sent, left, head_length, tail_length;
    uint64_t start, last;
    const struct request *asked;
    char head[8192], tail[KEPT];
};

static int epoll;
static uint64_t from, until;
static struct client *all;
static struct histogram took, first, relayed;
static unsigned long calls, calls_in_all, chunks, bytes, refused, broken, expired, stalls;
static char reason[200];

static int measured(uint64_t t) { return t >= from && t < until; }

static void explain(const char *text, int number)
{
    if (!reason[0]) snprintf(reason, sizeof reason, "%s %d", text, number);
}

/* Connections */

static void hang_up(struct client *c)
{
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
}

static int watch(struct client *c, int action, int writing)
{
    struct epoll_event e = {.events = writing ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c};
    c->writing = writing;
    return !epoll_ctl(epoll, action, c->fd, &e);
}

static int dial(struct client *c)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(c->fd, (struct sockaddr *)&where, sizeof where) && errno != EINPROGRESS) return 0;
    return watch(c, EPOLL_CTL_ADD, 1);
}

static void done(struct client *c, int well)
{
    uint64_t t = now();
    c->busy = 0;
    calls_in_all++;
    c->failed = 1;
    if (well && (c->status < 200 || c->status > 299)) { refused++; explain("status", c->status); }
    else if (well && streams && !c->ended) { broken++; explain("a stream without its end, status", c->status); }
    else if (well) {
        c->failed = 0;
        if (measured(t)) { calls++; sample(&took, t - c->start); }
    }
    if (c->closing || !well) hang_up(c);
}

static void fail(struct client *c, const char *text, int number)
{
    if (!c->busy) { hang_up(c); return; }
    broken++;
    explain(text, number);
    done(c, 0);
}

static void push(struct client *c)
{
    while (c->busy && c->sent < c->asked->length) {
        ssize_t n = write(c->fd, c->asked->bytes + c->sent, c->asked->length - c->sent);
        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
            if (!c->writing) watch(c, EPOLL_CTL_MOD, 1);
            return;
        }
        if (n < 0) { fail(c, "writing failed with error", errno); return; }
        c->sent += (size_t)n;
    }
    if (c->busy && c->writing) watch(c, EPOLL_CTL_MOD, 0);
}

static void begin(struct client *c, uint64_t intended)
{
    c->start = intended;
    c->asked = next_request();
    c->last = now();
    c->busy = 1;
    c->begun = c->ended = c->closing = c->status = 0;
    c->sent = c->head_length = c->tail_length = c->left = 0;
    c->part = HEAD;
    if (c->fd < 0 && !dial(c)) { fail(c, "connecting failed with error", errno); return; }
    push(c);
}

/* Answers */

static void look_for_marks(const char *text, size_t length, uint64_t t)
{
    const char *end = text + length;
    for (const char *at = text; (at = memmem(at, (size_t)(end - at), MARK, 3)) && (size_t)(end - at) >= MARKED; at += MARKED) {
        uint64_t sent = 0;
        for (size_t i = 3; i < MARKED; i++) sent = sent * 10 + (uint64_t)(at[i] - '0');
        if (!measured(t) || sent > t) continue;
        chunks++;
        sample(&relayed, t - sent);
        if (t - sent > LATE) stalls++;
    }
}

/* Bytes of a body. The last of them are kept, one less than a mark has: with as many of the next ones they hold each
   mark that was cut in two, and no other. */
static void body(struct client *c, const char *data, size_t length, uint64_t t)
{
    if (!streams) return;
    char joined[2 * KEPT];
    size_t some = length < KEPT ? length : KEPT, both = c->tail_length + some;
    memcpy(joined, c->tail, c->tail_length);
    memcpy(joined + c->tail_length, data, some);
    look_for_marks(joined, both, t);
    look_for_marks(data, length, t);
    if (memmem(joined, both, "[DONE]", 6) || memmem(data, length, "[DONE]", 6)) c->ended = 1;
    const char *all_of_it = length > KEPT ? data : joined;
    size_t there = length > KEPT ? length : both;
    c->tail_length = there < KEPT ? there : KEPT;
    memcpy(c->tail, all_of_it + there - c->tail_length, c->tail_length);
}

static void read_head(struct client *c)
{
    c->head[c->head_length] = 0;
    c->status = c->head_length > 12 ? atoi(c->head + 9) : 0;
    c->closing = strcasestr(c->head, "\r\nconnection: close") != NULL;
    char *length = strcasestr(c->head, "\r\ncontent-length:");
    if (strcasestr(c->head, "\r\ntransfer-encoding:")) c->part = SIZE;
    else if (length) { c->part = LENGTH; c->left = strtoul(length + 17, NULL, 10); }
    else { fail(c, "an answer without a length, status", c->status); return; }
    c->head_length = 0;
    if (c->part == LENGTH && !c->left) done(c, 1);
}

static void feed(struct client *c, const char *data, size_t length, uint64_t t)
{
    if (measured(t)) bytes += length;
    c->last = t;
    if (!c->begun) {
        c->begun = 1;
        if (measured(t)) sample(&first, t - c->start);
    }
    while (length && c->busy) {
        if (c->part == LENGTH || c->part == DATA) {
            size_t some = length < c->left ? length : c->left;
            body(c, data, some, t);
            data += some; length -= some; c->left -= some;
            if (c->left) continue;
            if (c->part == LENGTH) done(c, 1);
            else c->part = AFTER;
            continue;
        }
        char byte = *data++;
        length--;
        if (c->head_length + 1 < sizeof c->head) c->head[c->head_length++] = byte;
        if (byte != '\n') continue; /* of the head, of a chunk's size, or of the trailers */
        if (c->part == HEAD) {
            if (c->head_length >= 4 && !memcmp(c->head + c->head_length - 4, "\r\n\r\n", 4)) read_head(c);
            continue;
        }
        size_t size = strtoul(c->head, NULL, 16);
        int empty = c->head_length <= 2;
        c->head_length = 0;
        memset(c->head, 0, 3);
        if (c->part == AFTER) c->part = SIZE;
        else if (c->part == TRAILER && empty) done(c, 1);
        else if (c->part == SIZE) { c->left = size; c->part = size ? DATA : TRAILER; }
    }
}

static void receive(struct client *c)
{
    static char room[1 << 18];
    ssize_t n = read(c->fd, room, sizeof room);
    if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
    if (n < 0) fail(c, "reading failed with error", errno);
    else if (n == 0) fail(c, "closed before the end, status", c->status);
    else if (c->busy) feed(c, room, (size_t)n, now());
}

/* Who calls when */

static void give_up_on(uint64_t t)
{
    for (int i = 0; i < clients; i++)
        if (all[i].busy && t > all[i].last && t - all[i].last > (uint64_t)timeout * SECOND) {
            expired++;
            explain("nothing came for seconds:", timeout);
            done(&all[i], 0);
        }
}

/* Those whose call is due and who are free, in turn. Gives when the next call is due. */
static uint64_t begin_due(uint64_t t)
{
    static double due;
    static int next;
    if (due == 0) due = (double)t;
    for (int tried = 0; (uint64_t)due <= t && tried < clients; tried++) {
        struct client *c = &all[next = (next + 1) % clients];
        if (c->busy) continue;
        begin(c, (uint64_t)due);
        due += SECOND / rate;
        tried = 0;
    }
    return (uint64_t)due;
}

/* Those whose turn to join has come, and those whose last call failed, who come again after a while. */
static void begin_idle(uint64_t t, uint64_t began)
{
    for (int i = 0; i < clients && t - began >= spread * SECOND * i / clients; i++)
        if (!all[i].busy) begin(&all[i], now());
}

static void run(uint64_t began)
{
    struct epoll_event found[256];
    uint64_t looked = began, joined = 0;
    int told = 0;
    for (uint64_t t; (t = now()) < until;) {
        uint64_t wake = t + SECOND / 500;
        if (!told && t >= from) { told = 1; printf("measuring\n"); fflush(stdout); }
        if (t - looked > SECOND) { give_up_on(t); looked = t; }
        if (rate > 0) {
            uint64_t due = begin_due(t);
            if (due > t && due < wake) wake = due;
        } else if (t - joined > SECOND / 500) {
            begin_idle(t, began);
            joined = t;
        }
        struct timespec wait = {(time_t)((wake - t) / SECOND), (long)((wake - t) % SECOND)};
        int n = epoll_pwait2(epoll, found, 256, &wait, NULL);
        for (int i = 0; i < n; i++) {
            struct client *c = found[i].data.ptr;
            if (c->fd >= 0 && (found[i].events & EPOLLOUT)) push(c);
            if (c->fd >= 0 && (found[i].events & ~(uint32_t)EPOLLOUT)) receive(c);
            if (rate <= 0 && !c->busy && !c->failed) begin(c, now());
        }
    }
}

int main(int count, char **words)
{
    read_options(count, words);
    signal(SIGPIPE, SIG_IGN);
    prepare();
    epoll = epoll_create1(0);
    all = calloc((size_t)clients, sizeof *all);
    for (int i = 0; i < clients; i++) all[i].fd = -1;
    uint64_t began = now();
    from = began + (uint64_t)(warm * SECOND);
    until = from + (uint64_t)(seconds * SECOND);
    run(began);
    printf("{\"seconds\": %.3f, \"calls\": %lu, \"calls_in_all\": %lu, \"chunks\": %lu, \"bytes\": %lu, \"refused\": %lu, "
           "\"broken\": %lu, \"expired\": %lu, \"stalls\": %lu, \"reason\": \"%s\"", seconds, calls, calls_in_all, chunks,
           bytes, refused, broken, expired, stalls, reason);
    print_histogram("took", &took);
    print_histogram("first", &first);
    print_histogram("relayed", &relayed);
    printf("}\n");
    return 0;
}
