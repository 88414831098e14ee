/* What the bank's server and client have in common. The scenario is in tests/interop/README.md. */

#ifndef BANK_H
#define BANK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "messi.h"

#define UPLOAD_SIZE 60000u
#define UPLOAD_SEED 11u
#define DOWNLOAD_SIZE 1000000u
#define DOWNLOAD_SEED 7u
#define DEPOSITS 100u
#define AUDITS 3u

/* The largest frames, which servers and clients take. */
#define TO_SERVER_MAX (128u << 10)
#define TO_CLIENT_MAX (2u << 20)

static inline uint32_t fnv(const uint8_t *buf_p, size_t size)
{
    uint32_t hash = 2166136261u;
    size_t i;

    for (i = 0; i < size; i++) {
        hash = (hash ^ buf_p[i]) * 16777619u;
    }

    return hash;
}

static inline void fill(uint8_t *buf_p, size_t size, uint32_t seed)
{
    size_t i;

    for (i = 0; i < size; i++) {
        buf_p[i] = (uint8_t)(seed + 31u * i);
    }
}

static inline void reverse(char *to_p, const char *from_p)
{
    size_t size = strlen(from_p);
    size_t i;

    for (i = 0; i < size; i++) {
        to_p[i] = from_p[size - 1 - i];
    }

    to_p[size] = '\0';
}

/* The framing, as for the other peers: `WIRE=v1a`, `WIRE=v1b`; for servers also `WIRE=auto` and `WIRE=auto-v1a`. */
static inline enum messi_wire_t wire(void)
{
    static const char *const names[] = { "v2", "v1b", "v1a", "auto", "auto-v1a" };
    const char *name_p = getenv("WIRE");
    int i;

    for (i = 0; name_p != NULL && i < 5; i++) {
        if (strcmp(name_p, names[i]) == 0) {
            return (enum messi_wire_t)i;
        }
    }

    return MESSI_WIRE_V2;
}

static inline double now_s(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);

    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* The first thing that is not as it should be. */
static char problem[200];

#define EXPECT(condition)                                                                    \
    do {                                                                                     \
        if (!(condition) && problem[0] == '\0') {                                            \
            snprintf(problem, sizeof(problem), "%s:%d: not: %s", __FILE__, __LINE__, #condition); \
        }                                                                                    \
    } while (0)

static inline int verdict(const char *who_p)
{
    if (problem[0] == '\0') {
        printf("PASS %s\n", who_p);
    } else {
        printf("FAIL %s: %s\n", who_p, problem);
    }

    return problem[0] == '\0' ? 0 : 1;
}

#endif
