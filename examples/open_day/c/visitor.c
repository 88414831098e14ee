/* A visitor: brings what is typed, and stays for the day. `visitor URI NAME` */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "open_day_client.h"

#define LINES_MAX 64

static const char *name_p;
static const char *lines[LINES_MAX];
static size_t lines_count;
static uint64_t measured;
static uint64_t denied;
static bool is_over;
static bool is_right;

static void on_connected(struct open_day_client_t *self_p)
{
    struct open_day_bring_t *bring_p = open_day_client_init_bring(self_p);

    bring_p->name = name_p;
    bring_p->lines_count = lines_count;
    bring_p->lines = lines;
    open_day_client_send(self_p);
}

static void on_measured(struct open_day_client_t *self_p, struct open_day_measured_t *message_p)
{
    (void)self_p;
    (void)message_p;
    measured++;
}

static void on_denied(struct open_day_client_t *self_p, struct open_day_denied_t *message_p)
{
    (void)self_p;
    (void)message_p;
    denied++;
}

static void on_day(struct open_day_client_t *self_p, struct open_day_day_t *message_p)
{
    (void)self_p;
    printf("%s | %" PRIu64 " readings, %" PRIu64 " garbled; %" PRIu64 " orders, %" PRIu64 " refused, %" PRIu64
           " done\n",
           name_p, message_p->readings, message_p->garbled, message_p->orders, message_p->refused, message_p->done);
    is_right = (measured == message_p->readings && denied == message_p->refused);
    is_over = true;
}

/* What is typed, until its end: a line has at most 63 bytes. */
static void read_lines(void)
{
    static char typed[LINES_MAX][64];

    while (lines_count < LINES_MAX && fgets(typed[lines_count], sizeof(typed[0]), stdin) != NULL) {
        typed[lines_count][strcspn(typed[lines_count], "\n")] = '\0';
        lines[lines_count] = typed[lines_count];
        lines_count++;
    }
}

int main(int argc, const char *argv[])
{
    static struct open_day_client_t client;
    static uint8_t input[4096];
    static uint8_t workspace[8192];
    static uint8_t output[8192];
    struct epoll_event event;
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    if (argc != 3
        || open_day_client_init(&client, argv[1], input, sizeof(input), workspace, sizeof(workspace), output,
                                sizeof(output), NULL, 0, on_connected, NULL, on_measured, on_denied, on_day, epoll_fd,
                                NULL)
               != 0) {
        fprintf(stderr, "usage: %s tcp://HOST:PORT NAME\n", argv[0]);

        return 2;
    }

    name_p = argv[2];
    read_lines();
    open_day_client_start(&client);

    while (!is_over && epoll_wait(epoll_fd, &event, 1, -1) >= 0) {
        open_day_client_process(&client, event.data.fd, event.events);
    }

    open_day_client_stop(&client);

    return (is_right ? 0 : 1);
}
