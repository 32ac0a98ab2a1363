/* What load.c is asked to do, and the requests that it sends. */
#ifndef ASKED_H
#define ASKED_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct request {
    char *bytes;
    size_t length;
};

static int port, clients = 1, streams, timeout = 60, requests;
static double seconds = 3, warm = 1, rate, spread;
static const char *path = "/v1/chat/completions", *body_file, *key_file;
static char headers[4096];
static struct request *request;

static void read_options(int count, char **words)
{
    for (int option; (option = getopt(count, words, "p:b:c:d:w:r:g:t:u:sH:k:")) != -1;) switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'b': body_file = optarg; break;
        case 'c': clients = atoi(optarg); break;
        case 'd': seconds = atof(optarg); break;
        case 'w': warm = atof(optarg); break;
        case 'r': rate = atof(optarg); break;
        case 'g': spread = atof(optarg); break;
        case 't': timeout = atoi(optarg); break;
        case 'u': path = optarg; break;
        case 's': streams = 1; break;
        case 'H': snprintf(headers + strlen(headers), sizeof headers - strlen(headers), "%s\r\n", optarg); break;
        case 'k': key_file = optarg; break;
        default: exit(2);
    }
    if (port && body_file && clients > 0) return;
    fprintf(stderr, "load: -p PORT and -b BODY are needed\n");
    exit(2);
}

static char *content(const char *name, size_t *length)
{
    FILE *file = fopen(name, "rb");
    if (!file) { perror(name); exit(1); }
    static const size_t most = 1 << 22;
    char *text = calloc(1, most + 1);
    *length = fread(text, 1, most, file);
    fclose(file);
    return text;
}

/* The same request with `more` headers. */
static void add(const char *more, const char *body, size_t length)
{
    request = realloc(request, sizeof *request * (size_t)(requests + 1));
    struct request *made = &request[requests++];
    made->bytes = malloc(length + strlen(headers) + strlen(more) + 1024);
    int head = sprintf(made->bytes, "POST %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-type: application/json\r\n%s%s"
                       "content-length: %zu\r\n\r\n", path, port, headers, more, length);
    memcpy(made->bytes + head, body, length);
    made->length = (size_t)head + length;
}

static void prepare(void)
{
    size_t length, ignored;
    char *body = content(body_file, &length);
    if (key_file)
        for (char *key = strtok(content(key_file, &ignored), "\n"); key; key = strtok(NULL, "\n")) {
            char more[512];
            snprintf(more, sizeof more, "authorization: Bearer %s\r\n", key);
            add(more, body, length);
        }
    else add("", body, length);
}

static const struct request *next_request(void)
{
    static int turn;
    return &request[turn++ % requests];
}
#endif
