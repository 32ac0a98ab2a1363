/* upstream PORT: a chat completion at once, or a stream of them at the pace that the request names.

   A body with "stream":true is answered with server-sent events: "pace-10x100" anywhere in it asks for 100 chunks,
   one every 10 ms, the default. Each chunk carries the time at which it was sent, which load.c reads again. */
#define _GNU_SOURCE
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

#define MOST 16384 /* connections */
#define ROOM 65536 /* bytes of a request */

struct connection {
    int fd, chunks, sent, place; /* place: in the heap of streams, 0 without one */
    size_t length, waiting, capacity;
    uint64_t due, interval;
    char *unsent, request[ROOM + 1];
};

static struct connection *connections[MOST], *heap[MOST + 1];
static int epoll, streams;

static const char JSON[] =
    "{\"id\":\"chatcmpl-C8kQ2nV4sT6wY1zB3dF5hJ7mP9rX\",\"object\":\"chat.completion\",\"created\":1790000000,"
    "\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
    "\"Lyon lies where the Saone meets the Rhone. It is known for its silk, its kitchens and its old town.\","
    "\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":46,"
    "\"completion_tokens\":24,\"total_tokens\":70,\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
    "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0,\"accepted_prediction_tokens\":0,"
    "\"rejected_prediction_tokens\":0}},\"service_tier\":\"default\",\"system_fingerprint\":\"fp_0123456789\"}";
static const char COMMON[] = "x-request-id: req_00112233445566778899aabbccddeeff\r\nopenai-processing-ms: 9\r\n"
                             "openai-version: 2020-10-01\r\n";
static const char CHUNK[] =
    "data: {\"id\":\"chatcmpl-C8kQ2nV4sT6wY1zB3dF5hJ7mP9rX\",\"object\":\"chat.completion.chunk\","
    "\"created\":1790000000,\"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\","
    "\"system_fingerprint\":\"fp_0123456789\",\"choices\":[";

/* Streams in the order in which their next chunk is due: a binary heap, from 1. */

static void put(int place, struct connection *c) { heap[place] = c; c->place = place; }

static void settle(int place)
{
    struct connection *c = heap[place];
    for (; place > 1 && heap[place / 2]->due > c->due; place /= 2) put(place, heap[place / 2]);
    for (int child; (child = place * 2) <= streams; place = child) {
        if (child < streams && heap[child + 1]->due < heap[child]->due) child++;
        if (heap[child]->due >= c->due) break;
        put(place, heap[child]);
    }
    put(place, c);
}

static void add(struct connection *c) { heap[++streams] = c; settle(streams); }

static void take_out(struct connection *c)
{
    int place = c->place;
    struct connection *last = heap[streams--];
    if (last != c) { put(place, last); settle(place); }
    c->place = 0;
}

/* What is sent */

static void drop(struct connection *c)
{
    if (c->place) take_out(c);
    connections[c->fd] = NULL;
    close(c->fd);
    free(c->unsent);
    free(c);
}

static void watch(struct connection *c, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.fd = c->fd};
    epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
}

/* Whether the connection is still there. */
static int flush(struct connection *c)
{
    size_t done = 0;
    while (done < c->waiting) {
        ssize_t n = write(c->fd, c->unsent + done, c->waiting - done);
        if (n < 0 && errno == EAGAIN) break;
        if (n < 0) { drop(c); return 0; }
        done += (size_t)n;
    }
    memmove(c->unsent, c->unsent + done, c->waiting -= done);
    watch(c, c->waiting ? EPOLLIN | EPOLLOUT : EPOLLIN);
    return 1;
}

static int answer(struct connection *c, const char *bytes, size_t length)
{
    if (!c->waiting) {
        ssize_t n = write(c->fd, bytes, length);
        if (n == (ssize_t)length) return 1;
        if (n < 0 && errno != EAGAIN) { drop(c); return 0; }
        if (n > 0) { bytes += n; length -= (size_t)n; }
    }
    if (c->waiting + length > c->capacity)
        c->unsent = realloc(c->unsent, c->capacity = (c->waiting + length) * 2);
    memcpy(c->unsent + c->waiting, bytes, length);
    c->waiting += length;
    return flush(c);
}

/* An HTTP chunk around what is at `text`, in place: there are 8 bytes before it. */
static char *framed(char *text, int length, size_t *all)
{
    char size[9];
    int n = snprintf(size, sizeof size, "%x\r\n", length);
    memcpy(text - n, size, (size_t)n);
    memcpy(text + length, "\r\n", 2);
    *all = (size_t)(n + length + 2);
    return text - n;
}

/* Whether the connection is still there. */
static int send_chunk(struct connection *c)
{
    char room[2048], *text = room + 8;
    size_t all;
    int n;
    if (c->sent == 0)
        n = sprintf(text, "%s{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},"
                    "\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n", CHUNK);
    else
        n = sprintf(text, "%s{\"index\":0,\"delta\":{\"content\":\" t=%019llu\"},\"logprobs\":null,"
                    "\"finish_reason\":null}],\"usage\":null}\n\n", CHUNK, (unsigned long long)now());
    char *bytes = framed(text, n, &all);
    c->sent++;
    return answer(c, bytes, all);
}

static int send_end(struct connection *c)
{
    char room[4096], *text = room + 8;
    size_t all;
    int n = sprintf(text, "%s{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":null}\n\n"
                    "%s],\"usage\":{\"prompt_tokens\":46,\"completion_tokens\":%d,\"total_tokens\":%d,"
                    "\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},\"completion_tokens_details\":"
                    "{\"reasoning_tokens\":0,\"audio_tokens\":0,\"accepted_prediction_tokens\":0,"
                    "\"rejected_prediction_tokens\":0}}}\n\ndata: [DONE]\n\n", CHUNK, CHUNK, c->chunks, c->chunks + 46);
    char *bytes = framed(text, n, &all);
    memcpy(bytes + all, "0\r\n\r\n", 5);
    return answer(c, bytes, all + 5);
}

/* What is asked */

/* The length of the first request that is there whole, 0 before. */
static size_t whole(struct connection *c, char **body)
{
    c->request[c->length] = 0;
    char *end = strstr(c->request, "\r\n\r\n");
    if (!end) return 0;
    *body = end + 4;
    size_t head = (size_t)(*body - c->request), content = 0;
    char *length = strcasestr(c->request, "\r\ncontent-length:");
    if (length && length < end) content = strtoul(length + 17, NULL, 10);
    else {
        char *encoding = strcasestr(c->request, "\r\ntransfer-encoding:");
        if (encoding && encoding < end) {
            char *last = strstr(*body, "0\r\n\r\n");
            if (!last) return 0;
            content = (size_t)(last + 5 - *body);
        }
    }
    return head + content <= c->length ? head + content : 0;
}

static int begin_stream(struct connection *c, const char *body)
{
    char head[1024];
    int interval = 10, chunks = 100;
    const char *pace = strstr(body, "pace-");
    if (pace) sscanf(pace, "pace-%dx%d", &interval, &chunks);
    c->interval = (uint64_t)interval * 1000000ull;
    c->chunks = chunks;
    c->sent = 0;
    int n = sprintf(head, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n%s"
                    "transfer-encoding: chunked\r\n\r\n", COMMON);
    if (!answer(c, head, (size_t)n) || !send_chunk(c)) return 0;
    c->due = now() + c->interval;
    add(c);
    return 1;
}

static int begin_answer(struct connection *c)
{
    char all[4096];
    int n = sprintf(all, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n%scontent-length: %zu\r\n\r\n%s", COMMON,
                    sizeof JSON - 1, JSON);
    return answer(c, all, (size_t)n);
}

static int listed(struct connection *c)
{
    static const char models[] = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 27\r\n\r\n"
                                 "{\"object\":\"list\",\"data\":[]}";
    return answer(c, models, sizeof models - 1);
}

/* One request at a time: what follows a stream waits for its end. */
static void serve(struct connection *c)
{
    char *body;
    for (size_t all; !c->place && (all = whole(c, &body));) {
        char after = c->request[all];
        c->request[all] = 0;
        int get = !strncmp(c->request, "GET ", 4);
        int stream = strstr(body, "\"stream\":true") || strstr(body, "\"stream\": true");
        int there = get ? listed(c) : stream ? begin_stream(c, body) : begin_answer(c);
        if (!there) return;
        c->request[all] = after;
        memmove(c->request, c->request + all, c->length -= all);
    }
}

static void receive(struct connection *c)
{
    ssize_t n = read(c->fd, c->request + c->length, ROOM - c->length);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) { drop(c); return; }
    c->length += (size_t)n;
    serve(c);
}

static void welcome(int listener)
{
    for (int fd, on = 1; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        if (fd >= MOST) { close(fd); continue; }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        connections[fd] = calloc(1, sizeof(struct connection));
        connections[fd]->fd = fd;
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
    }
}

static void send_due(void)
{
    while (streams && heap[1]->due <= now()) {
        struct connection *c = heap[1];
        if (c->sent <= c->chunks) {
            c->due += c->interval; /* by the clock, not by when we came to it: the pace holds on a busy machine */
            settle(1);
            send_chunk(c);
        } else {
            take_out(c);
            if (send_end(c)) serve(c);
        }
    }
}

int main(int count, char **words)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(count > 1 ? atoi(words[1]) : 9000)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&where, sizeof where) || listen(listener, 4096)) { perror("upstream"); return 1; }
    signal(SIGPIPE, SIG_IGN);
    epoll = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, found[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        uint64_t t = now(), wait = streams ? (heap[1]->due > t ? heap[1]->due - t : 0) : SECOND;
        struct timespec timeout = {(time_t)(wait / SECOND), (long)(wait % SECOND)};
        int n = epoll_pwait2(epoll, found, 256, &timeout, NULL);
        for (int i = 0; i < n; i++) {
            int fd = found[i].data.fd;
            if (fd == listener) { welcome(listener); continue; }
            if (connections[fd] && (found[i].events & EPOLLOUT) && !flush(connections[fd])) continue;
            if (connections[fd] && (found[i].events & ~(uint32_t)EPOLLOUT)) receive(connections[fd]);
        }
        send_due();
    }
}
