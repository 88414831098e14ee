/* Greets whoever says hello. `server URI` */

#include <stdio.h>
#include <sys/epoll.h>

#include "hello_world_server.h"

static void on_hello(struct hello_world_server_t *self_p, struct hello_world_server_client_t *client_p,
                     struct hello_world_hello_t *message_p)
{
    char text[128];

    (void)client_p;
    snprintf(text, sizeof(text), "Hello, %s!", message_p->name);
    hello_world_server_init_greeting(self_p)->text = text;
    hello_world_server_reply(self_p);
}

int main(int argc, const char *argv[])
{
    static struct hello_world_server_t server;
    static struct hello_world_server_client_t clients[10];
    static uint8_t inputs[10][256];
    static uint8_t message[256];
    static uint8_t workspace[256];
    struct epoll_event event;
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    if (argc != 2
        || hello_world_server_init(&server, argv[1], clients, 10, &inputs[0][0], sizeof(inputs[0]), message,
                                   sizeof(message), workspace, sizeof(workspace), NULL, 0, NULL, NULL, on_hello,
                                   epoll_fd, NULL)
               != 0
        || hello_world_server_start(&server) != 0) {
        fprintf(stderr, "usage: %s tcp://HOST:PORT, of this machine and free\n", argv[0]);

        return 2;
    }

    printf("listening at port %d\n", messi_linux_server_port(&server.platform));
    fflush(stdout);

    while (epoll_wait(epoll_fd, &event, 1, -1) >= 0) {
        hello_world_server_process(&server, event.data.fd, event.events);
    }

    return 0;
}
