/* Made by `messi generate_c_source`: change chat.proto, and make it again. */

#include <string.h>

#include "chat_server.h"

static void on_client_connected(struct messi_server_t *server_p, struct messi_server_client_t *client_p)
{
    struct chat_server_t *self_p = (struct chat_server_t *)server_p;

    if (self_p->on_client_connected != NULL) {
        self_p->on_client_connected(self_p, (struct chat_server_client_t *)client_p);
    }
}

static void on_client_disconnected(struct messi_server_t *server_p, struct messi_server_client_t *client_p)
{
    struct chat_server_t *self_p = (struct chat_server_t *)server_p;

    if (self_p->on_client_disconnected != NULL) {
        self_p->on_client_disconnected(self_p, (struct chat_server_client_t *)client_p);
    }
}

static int on_message(struct messi_server_t *server_p, struct messi_server_client_t *messi_client_p,
    const uint8_t *buf_p, size_t size)
{
    struct chat_server_t *self_p = (struct chat_server_t *)server_p;
    struct chat_server_client_t *client_p = (struct chat_server_client_t *)messi_client_p;
    struct chat_client_to_server_t *message_p = &self_p->input.message;
    struct messi_workspace_t workspace;

    messi_workspace_init(&workspace, self_p->input.workspace_p, self_p->input.workspace_size);

    if (messi_decode(chat_client_to_server_fields, message_p, &workspace, buf_p, size) != 0) {
        return messi_disconnect_reason_message_decode_error_t;
    }

    switch (message_p->which_messages) {
    case chat_client_to_server_enter_tag:
        if (self_p->on_enter != NULL) {
            self_p->on_enter(self_p, client_p, &message_p->messages.enter);
        }
        break;
    case chat_client_to_server_say_tag:
        if (self_p->on_say != NULL) {
            self_p->on_say(self_p, client_p, &message_p->messages.say);
        }
        break;
    default:
        break;
    }

    messi_release(chat_client_to_server_fields, message_p, &workspace);

    return MESSI_NO_REASON;
}

static const struct messi_server_callbacks_t callbacks = {
    on_client_connected,
    on_client_disconnected,
    on_message
};

int chat_server_init(
    struct chat_server_t *self_p,
    const char *server_uri_p,
    struct chat_server_client_t *clients_p,
    int clients_max,
    uint8_t *clients_input_bufs_p,
    size_t client_input_size,
    uint8_t *message_buf_p,
    size_t message_size,
    uint8_t *workspace_in_buf_p,
    size_t workspace_in_size,
    uint8_t *workspace_out_buf_p,
    size_t workspace_out_size,
    chat_server_on_client_connected_t on_client_connected_p,
    chat_server_on_client_disconnected_t on_client_disconnected_p,
    chat_server_on_enter_t on_enter,
    chat_server_on_say_t on_say,
    int epoll_fd,
    messi_epoll_ctl_t epoll_ctl)
{
    memset(self_p, 0, sizeof(*self_p));
    self_p->on_client_connected = on_client_connected_p;
    self_p->on_client_disconnected = on_client_disconnected_p;
    self_p->on_enter = on_enter;
    self_p->on_say = on_say;
    self_p->input.workspace_p = workspace_in_buf_p;
    self_p->input.workspace_size = workspace_in_size;
    messi_workspace_init(&self_p->output.workspace, workspace_out_buf_p, workspace_out_size);

    return messi_linux_server_init(&self_p->platform, &callbacks, server_uri_p, clients_p, sizeof(*clients_p),
        clients_max, clients_input_bufs_p, client_input_size, message_buf_p, message_size, epoll_fd, epoll_ctl);
}

int chat_server_start(struct chat_server_t *self_p)
{
    return messi_linux_server_start(&self_p->platform);
}

void chat_server_stop(struct chat_server_t *self_p)
{
    messi_linux_server_stop(&self_p->platform);
}

void chat_server_process(struct chat_server_t *self_p, int fd, uint32_t events)
{
    messi_linux_server_process(&self_p->platform, fd, events);
}

void chat_server_send(struct chat_server_t *self_p, struct chat_server_client_t *client_p)
{
    if (client_p != NULL) {
        messi_server_send(&self_p->platform.server, &client_p->client, chat_server_to_client_fields, &self_p->output.message);
    }
}

void chat_server_reply(struct chat_server_t *self_p)
{
    messi_server_send(&self_p->platform.server, NULL, chat_server_to_client_fields, &self_p->output.message);
}

void chat_server_broadcast(struct chat_server_t *self_p)
{
    messi_server_broadcast(&self_p->platform.server, chat_server_to_client_fields, &self_p->output.message);
}

void chat_server_disconnect(struct chat_server_t *self_p, struct chat_server_client_t *client_p)
{
    messi_server_disconnect(&self_p->platform.server, client_p != NULL ? &client_p->client : NULL);
}

enum messi_disconnect_reason_t chat_server_disconnect_reason(struct chat_server_t *self_p,
    struct chat_server_client_t *client_p)
{
    (void)self_p;

    return messi_server_client_reason(&client_p->client);
}

void *chat_server_alloc(struct chat_server_t *self_p, size_t size)
{
    return messi_workspace_alloc(&self_p->output.workspace, size);
}

void chat_server_new_output_message(struct chat_server_t *self_p)
{
    self_p->output.workspace.used = 0;
    memset(&self_p->output.message, 0, sizeof(self_p->output.message));
}

struct chat_welcome_t *chat_server_init_welcome(struct chat_server_t *self_p)
{
    chat_server_new_output_message(self_p);
    self_p->output.message.which_messages = chat_server_to_client_welcome_tag;

    return &self_p->output.message.messages.welcome;
}

struct chat_entered_t *chat_server_init_entered(struct chat_server_t *self_p)
{
    chat_server_new_output_message(self_p);
    self_p->output.message.which_messages = chat_server_to_client_entered_tag;

    return &self_p->output.message.messages.entered;
}

struct chat_said_t *chat_server_init_said(struct chat_server_t *self_p)
{
    chat_server_new_output_message(self_p);
    self_p->output.message.which_messages = chat_server_to_client_said_tag;

    return &self_p->output.message.messages.said;
}

struct chat_left_t *chat_server_init_left(struct chat_server_t *self_p)
{
    chat_server_new_output_message(self_p);
    self_p->output.message.which_messages = chat_server_to_client_left_tag;

    return &self_p->output.message.messages.left;
}
