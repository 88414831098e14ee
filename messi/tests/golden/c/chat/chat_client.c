/* Made by `messi generate_c_source`: change chat.proto, and make it again. */

#include <string.h>

#include "chat_client.h"

static void on_connected(struct messi_client_t *client_p)
{
    struct chat_client_t *self_p = (struct chat_client_t *)client_p;

    if (self_p->on_connected != NULL) {
        self_p->on_connected(self_p);
    }
}

static void on_disconnected(struct messi_client_t *client_p, enum messi_disconnect_reason_t reason)
{
    struct chat_client_t *self_p = (struct chat_client_t *)client_p;

    if (self_p->on_disconnected != NULL) {
        self_p->on_disconnected(self_p, reason);
    }
}

static int on_message(struct messi_client_t *client_p, const uint8_t *buf_p, size_t size)
{
    struct chat_client_t *self_p = (struct chat_client_t *)client_p;
    struct chat_server_to_client_t *message_p = &self_p->input.message;
    struct messi_workspace_t workspace;

    messi_workspace_init(&workspace, self_p->input.workspace_p, self_p->input.workspace_size);

    if (messi_decode(chat_server_to_client_fields, message_p, &workspace, buf_p, size) != 0) {
        return messi_disconnect_reason_message_decode_error_t;
    }

    switch (message_p->which_messages) {
    case chat_server_to_client_welcome_tag:
        if (self_p->on_welcome != NULL) {
            self_p->on_welcome(self_p, &message_p->messages.welcome);
        }
        break;
    case chat_server_to_client_entered_tag:
        if (self_p->on_entered != NULL) {
            self_p->on_entered(self_p, &message_p->messages.entered);
        }
        break;
    case chat_server_to_client_said_tag:
        if (self_p->on_said != NULL) {
            self_p->on_said(self_p, &message_p->messages.said);
        }
        break;
    case chat_server_to_client_left_tag:
        if (self_p->on_left != NULL) {
            self_p->on_left(self_p, &message_p->messages.left);
        }
        break;
    default:
        break;
    }

    messi_release(chat_server_to_client_fields, message_p, &workspace);

    return MESSI_NO_REASON;
}

static const struct messi_client_callbacks_t callbacks = { on_connected, on_disconnected, on_message };

int chat_client_init(
    struct chat_client_t *self_p,
    const char *server_uri_p,
    uint8_t *encoded_in_buf_p,
    size_t encoded_in_size,
    uint8_t *workspace_in_buf_p,
    size_t workspace_in_size,
    uint8_t *encoded_out_buf_p,
    size_t encoded_out_size,
    uint8_t *workspace_out_buf_p,
    size_t workspace_out_size,
    chat_client_on_connected_t on_connected_p,
    chat_client_on_disconnected_t on_disconnected_p,
    chat_client_on_welcome_t on_welcome,
    chat_client_on_entered_t on_entered,
    chat_client_on_said_t on_said,
    chat_client_on_left_t on_left,
    int epoll_fd,
    messi_epoll_ctl_t epoll_ctl)
{
    memset(self_p, 0, sizeof(*self_p));
    self_p->on_connected = on_connected_p;
    self_p->on_disconnected = on_disconnected_p;
    self_p->on_welcome = on_welcome;
    self_p->on_entered = on_entered;
    self_p->on_said = on_said;
    self_p->on_left = on_left;
    self_p->input.workspace_p = workspace_in_buf_p;
    self_p->input.workspace_size = workspace_in_size;
    messi_workspace_init(&self_p->output.workspace, workspace_out_buf_p, workspace_out_size);

    return messi_linux_client_init(&self_p->platform, &callbacks, server_uri_p, encoded_in_buf_p, encoded_in_size,
        encoded_out_buf_p, encoded_out_size, epoll_fd, epoll_ctl);
}

void chat_client_start(struct chat_client_t *self_p)
{
    messi_linux_client_start(&self_p->platform);
}

void chat_client_stop(struct chat_client_t *self_p)
{
    messi_linux_client_stop(&self_p->platform);
}

void chat_client_process(struct chat_client_t *self_p, int fd, uint32_t events)
{
    messi_linux_client_process(&self_p->platform, fd, events);
}

void chat_client_send(struct chat_client_t *self_p)
{
    messi_client_send(&self_p->platform.client, chat_client_to_server_fields, &self_p->output.message);
}

void *chat_client_alloc(struct chat_client_t *self_p, size_t size)
{
    return messi_workspace_alloc(&self_p->output.workspace, size);
}

void chat_client_new_output_message(struct chat_client_t *self_p)
{
    self_p->output.workspace.used = 0;
    memset(&self_p->output.message, 0, sizeof(self_p->output.message));
}

struct chat_enter_t *chat_client_init_enter(struct chat_client_t *self_p)
{
    chat_client_new_output_message(self_p);
    self_p->output.message.which_messages = chat_client_to_server_enter_tag;

    return &self_p->output.message.messages.enter;
}

struct chat_say_t *chat_client_init_say(struct chat_client_t *self_p)
{
    chat_client_new_output_message(self_p);
    self_p->output.message.which_messages = chat_client_to_server_say_tag;

    return &self_p->output.message.messages.say;
}
