#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "fake.h"

void async_timer_init(struct async_timer_t *self_p, async_timer_timeout_t on_timeout, void *obj_p,
                      unsigned int initial_ms, unsigned int repeat_ms, struct async_t *async_p)
{
    memset(self_p, 0, sizeof(*self_p));
    self_p->async_p = async_p;
    self_p->on_timeout = on_timeout;
    self_p->obj_p = obj_p;
    self_p->initial_ms = initial_ms;
    self_p->repeat_ms = repeat_ms;
    self_p->next_p = async_p->timers_p;
    async_p->timers_p = self_p;
}

void async_timer_start(struct async_timer_t *self_p)
{
    assert(!self_p->is_running);
    self_p->is_running = true;
    self_p->at_ms = self_p->async_p->now_ms + self_p->initial_ms;
}

void async_timer_stop(struct async_timer_t *self_p)
{
    self_p->is_running = false;
}

void async_timer_set_initial(struct async_timer_t *self_p, unsigned int initial_ms)
{
    self_p->initial_ms = initial_ms;
}

void fake_pass(struct async_t *self_p, unsigned int milliseconds)
{
    uint64_t end_ms = self_p->now_ms + milliseconds;

    for (;;) {
        struct async_timer_t *next_p = NULL;
        struct async_timer_t *timer_p;

        for (timer_p = self_p->timers_p; timer_p != NULL; timer_p = timer_p->next_p) {
            if (timer_p->is_running && timer_p->at_ms <= end_ms
                && (next_p == NULL || timer_p->at_ms < next_p->at_ms)) {
                next_p = timer_p;
            }
        }

        if (next_p == NULL) {
            break;
        }

        self_p->now_ms = next_p->at_ms;
        next_p->is_running = (next_p->repeat_ms > 0);
        next_p->at_ms += next_p->repeat_ms;
        next_p->on_timeout(next_p->obj_p);
    }

    self_p->now_ms = end_ms;
}

void async_stcp_client_init(struct async_stcp_client_t *self_p, struct async_ssl_context_t *ssl_context_p,
                            async_stcp_client_connected_t on_connected,
                            async_stcp_client_disconnected_t on_disconnected, async_stcp_client_input_t on_input,
                            struct async_t *async_p)
{
    (void)ssl_context_p;
    (void)async_p;
    memset(self_p, 0, sizeof(*self_p));
    self_p->on_connected = on_connected;
    self_p->on_disconnected = on_disconnected;
    self_p->on_input = on_input;
}

void async_stcp_client_connect(struct async_stcp_client_t *self_p, const char *host_p, int port)
{
    assert(!self_p->is_connecting && !self_p->is_connected);
    snprintf(self_p->host, sizeof(self_p->host), "%s", host_p);
    self_p->port = port;
    self_p->connects++;
    self_p->is_connecting = true;
}

void async_stcp_client_disconnect(struct async_stcp_client_t *self_p)
{
    assert(self_p->is_connecting || self_p->is_connected);
    self_p->disconnects++;
    self_p->is_connecting = false;
    self_p->is_connected = false;
    self_p->arrived_begin = 0;
    self_p->arrived_end = 0;
}

void async_stcp_client_write(struct async_stcp_client_t *self_p, const void *buf_p, size_t size)
{
    assert(self_p->is_connected && self_p->sent_size + size <= FAKE_WIRE_SIZE);
    memcpy(&self_p->sent[self_p->sent_size], buf_p, size);
    self_p->sent_size += size;

    if (self_p->ends_at_write) {
        fake_disconnected(self_p);
    }
}

size_t async_stcp_client_read(struct async_stcp_client_t *self_p, void *buf_p, size_t size)
{
    size_t there = self_p->arrived_end - self_p->arrived_begin;

    size = (size < there ? size : there);
    memcpy(buf_p, &self_p->arrived[self_p->arrived_begin], size);
    self_p->arrived_begin += size;

    return size;
}

void fake_connected(struct async_stcp_client_t *self_p, int res)
{
    self_p->is_connecting = false;
    self_p->is_connected = (res == 0);
    self_p->on_connected(self_p, res);
}

void fake_disconnected(struct async_stcp_client_t *self_p)
{
    self_p->is_connected = false;
    self_p->on_disconnected(self_p);
}

void fake_arrive(struct async_stcp_client_t *self_p, const void *buf_p, size_t size)
{
    assert(self_p->arrived_end + size <= FAKE_WIRE_SIZE);
    memcpy(&self_p->arrived[self_p->arrived_end], buf_p, size);
    self_p->arrived_end += size;
}

void fake_input(struct async_stcp_client_t *self_p)
{
    self_p->on_input(self_p);
}
