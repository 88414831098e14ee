/* A guest: says what is typed, and prints what it hears. `client URI NAME` */

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "chat_client.h"

static struct chat_client_t client;
static const char *name_p;

static void hear(const char *who_p, const char *between_p, const char *text_p)
{
    char line[1024];
    char *at_p;

    snprintf(line, sizeof(line), "%s%s%s", who_p, between_p, text_p);

    /* Whatever others send must not move the cursor, or worse. */
    for (at_p = line; *at_p != '\0'; at_p++) {
        if (iscntrl((unsigned char)*at_p)) {
            *at_p = ' ';
        }
    }

    printf("%s | %s\n", name_p, line);
    fflush(stdout);
}

static void on_connected(struct chat_client_t *self_p)
{
    chat_client_init_enter(self_p)->name = name_p;
    chat_client_send(self_p);
}

static void on_disconnected(struct chat_client_t *self_p, enum messi_disconnect_reason_t reason)
{
    (void)self_p;
    hear("(", messi_disconnect_reason_string(reason), " Connecting again.)");
}

static void on_welcome(struct chat_client_t *self_p, struct chat_welcome_t *message_p)
{
    size_t i;

    (void)self_p;

    for (i = 0; i < message_p->guests_count; i++) {
        hear(message_p->guests[i], " is here", "");
    }
}

static void on_entered(struct chat_client_t *self_p, struct chat_entered_t *message_p)
{
    (void)self_p;
    hear(message_p->name, " is here", "");
}

static void on_said(struct chat_client_t *self_p, struct chat_said_t *message_p)
{
    (void)self_p;
    hear(message_p->name, ": ", message_p->text);
}

static void on_left(struct chat_client_t *self_p, struct chat_left_t *message_p)
{
    (void)self_p;
    hear(message_p->name, " has left", "");
}

/* Says each line that is complete. Returns false at the end of what is typed. */
static bool say(void)
{
    static char line[1000];
    static size_t size;
    ssize_t res = read(STDIN_FILENO, &line[size], sizeof(line) - 1 - size);
    char *end_p;

    if (res <= 0) {
        return false;
    }

    size += (size_t)res;
    line[size] = '\0';

    while ((end_p = strchr(line, '\n')) != NULL || size == sizeof(line) - 1) {
        size_t length = (end_p != NULL ? (size_t)(end_p - line) + 1 : size);

        if (end_p != NULL) {
            *end_p = '\0';
        }

        chat_client_init_say(&client)->text = line;
        chat_client_send(&client);
        size -= length;
        memmove(line, &line[length], size + 1);
    }

    return true;
}

int main(int argc, const char *argv[])
{
    /* Frames of up to 4096 bytes, several at a time. What is in them comes from malloc. */
    static uint8_t input[16384];
    static uint8_t output[16384];
    struct epoll_event event;
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    bool is_typing = true;

    if (argc != 3 || epoll_fd < 0) {
        fprintf(stderr, "usage: %s tcp://HOST:PORT NAME\n", argv[0]);

        return 2;
    }

    name_p = argv[2];

    if (chat_client_init(&client, argv[1], input, sizeof(input), NULL, 0, output, sizeof(output), NULL, 0, on_connected,
                         on_disconnected, on_welcome, on_entered, on_said, on_left, epoll_fd, NULL)
        != 0) {
        fprintf(stderr, "%s is not tcp://HOST:PORT\n", argv[1]);

        return 2;
    }

    if (messi_epoll_ctl_default(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN) != 0) {
        fprintf(stderr, "what is typed must come from a terminal or a pipe\n");

        return 2;
    }

    chat_client_start(&client);

    while (is_typing && epoll_wait(epoll_fd, &event, 1, -1) >= 0) {
        if (event.data.fd == STDIN_FILENO) {
            is_typing = say();
        } else {
            chat_client_process(&client, event.data.fd, event.events);
        }
    }

    chat_client_stop(&client);

    return 0;
}
