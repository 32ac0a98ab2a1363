/* The clock that both programs read, and histograms of it. Linux alone; one thread each. */
#ifndef CLOCK_H
#define CLOCK_H
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND 1000000000ull

/* Both sides of a relayed chunk read it: the difference is how long the chunk was on its way. */
static inline uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* How many samples fell into each bucket: 64 buckets to each power of two, so a quantile is right within 1.6 %. */
#define STEPS 64
struct histogram {
    uint64_t count, largest, buckets[64 * STEPS];
};

static inline void sample(struct histogram *h, uint64_t nanoseconds)
{
    uint64_t v = nanoseconds < STEPS ? STEPS : nanoseconds;
    int power = 63 - __builtin_clzll(v);
    h->buckets[power * STEPS + (int)((v >> (power - 6)) - STEPS)]++;
    h->count++;
    if (nanoseconds > h->largest) h->largest = nanoseconds;
}

/* Milliseconds at the upper edge of the bucket where the quantile lies; 0 without samples. */
static inline double quantile(const struct histogram *h, double q)
{
    uint64_t wanted = (uint64_t)(q * (double)h->count), seen = 0;
    for (int i = 0; i < 64 * STEPS; i++) {
        seen += h->buckets[i];
        if (h->buckets[i] && seen > wanted) {
            double edge = (double)(1ull << (i / STEPS)) * (1 + (double)(i % STEPS + 1) / STEPS);
            return (edge < (double)h->largest ? edge : (double)h->largest) / 1e6;
        }
    }
    return (double)h->largest / 1e6;
}

static inline void print_histogram(const char *name, const struct histogram *h)
{
    printf(", \"%s\": {\"count\": %llu, \"p50\": %.4f, \"p90\": %.4f, \"p99\": %.4f, \"p999\": %.4f, \"max\": %.4f}",
           name, (unsigned long long)h->count, quantile(h, .5), quantile(h, .9), quantile(h, .99),
           quantile(h, .999), (double)h->largest / 1e6);
}
#endif
