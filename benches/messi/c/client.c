/*
 * Sends ticks as fast as it can, or asks with so many questions under way.
 *
 *   client PORT SECONDS            ticks
 *   client PORT SECONDS WINDOW     asks; prints "COUNT SECONDS MEDIAN_NANOSECONDS"
 */
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>
#include "bench_client.h"

#define SIZE 4096
#define SAMPLES (1 << 22)

static uint8_t in_buf[SIZE], out_buf[SIZE], ws_in[SIZE], ws_out[SIZE];
static float samples[SAMPLES];
static unsigned long asked, answered;
static double sent_at[1024];
static double begin, seconds;
static int window;

static double now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);

    return at.tv_sec + at.tv_nsec * 1e-9;
}

static int by_size(const void *left_p, const void *right_p)
{
    float left = *(const float *)left_p, right = *(const float *)right_p;

    return (left > right) - (left < right);
}

static void ask(struct bench_client_t *self_p)
{
    struct bench_ask_t *ask_p = bench_client_init_ask(self_p);

    ask_p->number = asked;
    ask_p->price = 2;
    ask_p->time = 3;
    ask_p->kind = 300;
    sent_at[asked % 1024] = now();
    asked++;
    bench_client_send(self_p);
}

static void on_answer(struct bench_client_t *self_p, struct bench_answer_t *answer_p)
{
    double at = now();

    if (answer_p->number != answered) {
        fprintf(stderr, "out of order\n");
        exit(1);
    }

    samples[answered % SAMPLES] = (at - sent_at[answered % 1024]) * 1e9;
    answered++;

    if (at - begin > seconds) {
        size_t count = answered < SAMPLES ? answered : SAMPLES;

        qsort(samples, count, sizeof(samples[0]), by_size);
        printf("%lu %.9f %.0f\n", answered, at - begin, samples[count / 2]);
        exit(0);
    }

    ask(self_p);
}

static void flood(struct bench_client_t *self_p)
{
    int i, queued;

    for (unsigned long number = 0; now() - begin < seconds;) {
        for (i = 0; i < 256; i++) {
            struct bench_tick_t *tick_p = bench_client_init_tick(self_p);

            tick_p->number = number++;
            tick_p->price = 2;
            tick_p->time = 3;
            tick_p->kind = 300;
            bench_client_send(self_p);
        }

        /* It drops itself when the socket is full. */
        while (ioctl(self_p->server_fd, SIOCOUTQ, &queued) == 0 && queued > 500000) {
            sched_yield();
        }
    }

    while (ioctl(self_p->server_fd, SIOCOUTQ, &queued) == 0 && queued > 0) {
        sched_yield();
    }

    exit(0);
}

static void on_connected(struct bench_client_t *self_p)
{
    begin = now();

    if (window == 0) {
        flood(self_p);
    }

    for (int i = 0; i < window; i++) {
        ask(self_p);
    }
}

int main(int argc, const char *argv[])
{
    static struct bench_client_t client;
    struct epoll_event event;
    char uri[64];
    int epoll_fd = epoll_create1(0);

    if (argc < 3) {
        return 2;
    }

    signal(SIGPIPE, SIG_IGN);
    snprintf(uri, sizeof(uri), "tcp://127.0.0.1:%s", argv[1]);
    seconds = atof(argv[2]);
    window = argc > 3 ? atoi(argv[3]) : 0;

    if (bench_client_init(&client, uri, &in_buf[0], SIZE, &ws_in[0], SIZE, &out_buf[0], SIZE, &ws_out[0], SIZE,
                          on_connected, NULL, on_answer, epoll_fd, NULL) != 0) {
        return 1;
    }

    bench_client_start(&client);

    while (1) {
        if (epoll_wait(epoll_fd, &event, 1, -1) == 1) {
            bench_client_process(&client, event.data.fd, event.events);
        }
    }
}
