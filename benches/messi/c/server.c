/*
 * Counts ticks, and answers what it is asked.
 *
 *   server PORT        prints "COUNT SECONDS" for the ticks of each client that leaves, from first to last
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include "bench_server.h"

#define SLOTS 4
#define SIZE 4096

static struct bench_server_client_t slots[SLOTS];
static uint8_t in_bufs[SLOTS][SIZE], out_buf[SIZE], ws_in[SIZE], ws_out[SIZE];
static unsigned long count;
static double first, last;

static double now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);

    return at.tv_sec + at.tv_nsec * 1e-9;
}

static void on_tick(struct bench_server_t *self_p, struct bench_server_client_t *client_p, struct bench_tick_t *tick_p)
{
    (void)self_p;
    (void)client_p;

    if (count == 0) {
        first = now();
    }

    if (tick_p->number != count) {
        fprintf(stderr, "out of order\n");
        exit(1);
    }

    count++;

    /* A clock for every message would be measured, too. */
    if (count % 1024 == 0) {
        last = now();
    }
}

static void on_ask(struct bench_server_t *self_p, struct bench_server_client_t *client_p, struct bench_ask_t *ask_p)
{
    struct bench_answer_t *answer_p = bench_server_init_answer(self_p);

    (void)client_p;
    answer_p->number = ask_p->number;
    answer_p->price = ask_p->price;
    answer_p->time = ask_p->time;
    answer_p->kind = ask_p->kind;
    bench_server_reply(self_p);
}

static void on_disconnected(struct bench_server_t *self_p, struct bench_server_client_t *client_p)
{
    (void)self_p;
    (void)client_p;
    printf("%lu %.9f\n", count - count % 1024, last - first);
    fflush(stdout);
    count = 0;
}

int main(int argc, const char *argv[])
{
    static struct bench_server_t server;
    struct epoll_event event;
    char uri[64];
    int epoll_fd = epoll_create1(0);

    signal(SIGPIPE, SIG_IGN);
    snprintf(uri, sizeof(uri), "tcp://127.0.0.1:%s", argc > 1 ? argv[1] : "0");

    if (bench_server_init(&server, uri, &slots[0], SLOTS, &in_bufs[0][0], SIZE, &out_buf[0], SIZE, &ws_in[0], SIZE,
                          &ws_out[0], SIZE, NULL, on_disconnected, on_tick, on_ask, epoll_fd, NULL) != 0
        || bench_server_start(&server) != 0) {
        return 1;
    }

    printf("READY\n");
    fflush(stdout);

    while (1) {
        if (epoll_wait(epoll_fd, &event, 1, -1) == 1) {
            bench_server_process(&server, event.data.fd, event.events);
        }
    }
}
