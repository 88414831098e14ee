/* The room: repeats to all guests what one of them says. `server URI` */

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "chat_server.h"

#define GUESTS_MAX 10
#define NAME_SIZE 64

static struct chat_server_t server;
static struct chat_server_client_t clients[GUESTS_MAX];
/* The name of the guest in each slot. Empty: it has not come in. */
static char names[GUESTS_MAX][NAME_SIZE];

static char *name_of(struct chat_server_client_t *client_p)
{
    return names[client_p - &clients[0]];
}

/* Sends what is prepared to all who have come in. */
static void tell_all(struct chat_server_t *self_p)
{
    int i;

    for (i = 0; i < GUESTS_MAX; i++) {
        if (names[i][0] != '\0') {
            chat_server_send(self_p, &clients[i]);
        }
    }
}

static void on_client_disconnected(struct chat_server_t *self_p, struct chat_server_client_t *client_p)
{
    char name[NAME_SIZE];

    strcpy(name, name_of(client_p));
    name_of(client_p)[0] = '\0';

    if (name[0] != '\0') {
        chat_server_init_left(self_p)->name = name;
        tell_all(self_p);
    }
}

static void on_enter(struct chat_server_t *self_p, struct chat_server_client_t *client_p,
                     struct chat_enter_t *message_p)
{
    struct chat_welcome_t *welcome_p = chat_server_init_welcome(self_p);
    int i;

    /* What the message points to, out of workspace_out. */
    welcome_p->guests = chat_server_alloc(self_p, GUESTS_MAX * sizeof(welcome_p->guests[0]));

    for (i = 0; i < GUESTS_MAX && welcome_p->guests != NULL; i++) {
        if (names[i][0] != '\0' && &clients[i] != client_p) {
            welcome_p->guests[welcome_p->guests_count++] = names[i];
        }
    }

    chat_server_reply(self_p);
    snprintf(name_of(client_p), NAME_SIZE, "%s", message_p->name);
    chat_server_init_entered(self_p)->name = name_of(client_p);
    tell_all(self_p);
}

static void on_say(struct chat_server_t *self_p, struct chat_server_client_t *client_p, struct chat_say_t *message_p)
{
    struct chat_said_t *said_p = chat_server_init_said(self_p);

    if (name_of(client_p)[0] != '\0') {
        said_p->name = name_of(client_p);
        said_p->text = message_p->text;
        tell_all(self_p);
    }
}

int main(int argc, const char *argv[])
{
    /* Frames of up to 4096 bytes; what is in them fits, too. */
    static uint8_t inputs[GUESTS_MAX][4096];
    static uint8_t message[4096];
    static uint8_t workspace_in[8192];
    static uint8_t workspace_out[1024];
    struct epoll_event event;
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    if (argc != 2 || epoll_fd < 0) {
        fprintf(stderr, "usage: %s tcp://HOST:PORT\n", argv[0]);

        return 2;
    }

    if (chat_server_init(&server, argv[1], clients, GUESTS_MAX, &inputs[0][0], sizeof(inputs[0]), message,
                         sizeof(message), workspace_in, sizeof(workspace_in), workspace_out, sizeof(workspace_out),
                         NULL, on_client_disconnected, on_enter, on_say, epoll_fd, NULL)
            != 0
        || chat_server_start(&server) != 0) {
        fprintf(stderr, "cannot listen at %s\n", argv[1]);

        return 2;
    }

    printf("the room is open at port %d; end it with Ctrl-C\n", messi_linux_server_port(&server.platform));
    fflush(stdout);

    while (epoll_wait(epoll_fd, &event, 1, -1) >= 0) {
        chat_server_process(&server, event.data.fd, event.events);
    }

    return 0;
}
