/*
 * The async framework's calls that are used, declared as it declares them, on a loop that is made up: fake.c. The
 * framework itself is in no package.
 */

#ifndef ASYNC_CORE_H
#define ASYNC_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct async_t {
    struct async_timer_t *timers_p;
    uint64_t now_ms;
};

typedef void (*async_timer_timeout_t)(void *obj_p);

struct async_timer_t {
    struct async_t *async_p;
    async_timer_timeout_t on_timeout;
    void *obj_p;
    unsigned int initial_ms;
    unsigned int repeat_ms;
    /* The fake's. */
    bool is_running;
    uint64_t at_ms;
    struct async_timer_t *next_p;
};

void async_timer_init(struct async_timer_t *self_p, async_timer_timeout_t on_timeout, void *obj_p,
                      unsigned int initial_ms, unsigned int repeat_ms, struct async_t *async_p);
void async_timer_start(struct async_timer_t *self_p);
void async_timer_stop(struct async_timer_t *self_p);
void async_timer_set_initial(struct async_timer_t *self_p, unsigned int initial_ms);

#endif
