/* Says hello, prints the greeting, and ends. `client URI` */

#include <stdio.h>
#include <sys/epoll.h>

#include "hello_world_client.h"

static bool is_greeted;

static void on_connected(struct hello_world_client_t *self_p)
{
    hello_world_client_init_hello(self_p)->name = "world";
    hello_world_client_send(self_p);
}

static void on_greeting(struct hello_world_client_t *self_p, struct hello_world_greeting_t *message_p)
{
    (void)self_p;
    printf("%s\n", message_p->text);
    is_greeted = true;
}

int main(int argc, const char *argv[])
{
    static struct hello_world_client_t client;
    static uint8_t input[256];
    static uint8_t workspace[256];
    static uint8_t output[256];
    struct epoll_event event;
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    if (argc != 2
        || hello_world_client_init(&client, argv[1], input, sizeof(input), workspace, sizeof(workspace), output,
                                   sizeof(output), NULL, 0, on_connected, NULL, on_greeting, epoll_fd, NULL)
               != 0) {
        fprintf(stderr, "usage: %s tcp://HOST:PORT\n", argv[0]);

        return 2;
    }

    hello_world_client_start(&client);

    while (!is_greeted && epoll_wait(epoll_fd, &event, 1, -1) >= 0) {
        hello_world_client_process(&client, event.data.fd, event.events);
    }

    hello_world_client_stop(&client);

    return 0;
}
