/* A histogram of nanoseconds with 128 buckets an octave: any value is known to better than 1 %, in constant space.
 * benchmarks/histogram.py has the same buckets and must agree. */
#pragma once
#include <stdint.h>
#include <stdio.h>

enum { SUB_BUCKETS = 128, SUB_BITS = 7, BUCKETS = SUB_BUCKETS * (64 - SUB_BITS + 1) };

typedef struct { int64_t counts[BUCKETS], total; uint64_t max; } Histogram;

static inline int histogram_index(uint64_t value) {
    if (value < SUB_BUCKETS) return (int)value;
    int shift = 63 - __builtin_clzll(value) - SUB_BITS;
    return shift * SUB_BUCKETS + (int)(value >> shift);
}

/* The largest value that falls into the bucket. */
static inline uint64_t histogram_top(int index) {
    if (index < 2 * SUB_BUCKETS) return (uint64_t)index;
    int shift = index / SUB_BUCKETS - 1;
    return (((uint64_t)(index - shift * SUB_BUCKETS) + 1) << shift) - 1;
}

static inline void histogram_add(Histogram *histogram, uint64_t value) {
    histogram->counts[histogram_index(value)]++;
    histogram->total++;
    if (value > histogram->max) histogram->max = value;
}

static inline uint64_t histogram_percentile(const Histogram *histogram, double percent) {
    int64_t seen = 0;
    for (int i = 0; i < BUCKETS; i++) {
        seen += histogram->counts[i];
        if (!histogram->counts[i] || (double)seen < (double)histogram->total * percent / 100) continue;
        uint64_t top = histogram_top(i);
        return top < histogram->max ? top : histogram->max;
    }
    return 0;
}

static inline void histogram_print(const Histogram *histogram) {
    static const struct { const char *name; double percent; } asked[] = {
        {"p50_us", 50}, {"p90_us", 90}, {"p99_us", 99}, {"p999_us", 99.9}};
    for (unsigned i = 0; i < sizeof asked / sizeof *asked; i++)
        printf("\"%s\": %.3f, ", asked[i].name, (double)histogram_percentile(histogram, asked[i].percent) / 1e3);
    printf("\"max_us\": %.3f, \"histogram\": [", (double)histogram->max / 1e3);
    for (int i = 0, first = 1; i < BUCKETS; i++) {
        if (!histogram->counts[i]) continue;
        printf("%s[%d, %ld]", first ? "" : ", ", i, histogram->counts[i]);
        first = 0;
    }
    printf("]");
}
