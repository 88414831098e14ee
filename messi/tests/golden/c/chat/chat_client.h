/*
 * The client of chat.proto. Made by `messi generate_c_source`: change chat.proto, and make it again.
 *
 * Start it once; it connects, and connects again whenever it is disconnected, until it is stopped. The functions here
 * may be called from every callback, except process.
 *
 * chat_client_send() sends what the last init function prepared, and may do so several times. While it is not
 * connected nothing is sent. Strings and the like that a message points to are the caller's, or from
 * chat_client_alloc(), and need to live until it is sent. What a received message points to lives until the
 * callback returns.
 *
 * Memory: this struct, the buffers given to chat_client_init(), and malloc for what the server does not read at
 * once, up to 1 MiB. More or less of that is chosen by messi_client_set_max_pending(), and when to connect again by
 * messi_client_set_reconnect_delay(); both take `&self_p->platform.client`, as do messi_client_set_wire() for servers
 * of Messi before 0.12, messi_client_set_any_traffic() and messi_client_set_strict(). See messi.h.
 *
 * A fixed ceiling: compiled with MESSI_PB_NO_MALLOC defined, this struct and those buffers are all the memory there is.
 * What the server does not read at once then has to fit encoded_out.
 */

#ifndef CHAT_CLIENT_H
#define CHAT_CLIENT_H

#include "messi_linux.h"
#include "chat.pb.h"

#ifdef __cplusplus
extern "C" {
#endif

struct chat_client_t;

/** Connected: messages can be sent. */
typedef void (*chat_client_on_connected_t)(struct chat_client_t *self_p);

/** Disconnected, after on_connected. It connects again by itself. */
typedef void (*chat_client_on_disconnected_t)(struct chat_client_t *self_p,
    enum messi_disconnect_reason_t disconnect_reason);

/** The message welcome was received. */
typedef void (*chat_client_on_welcome_t)(struct chat_client_t *self_p,
    struct chat_welcome_t *message_p);

/** The message entered was received. */
typedef void (*chat_client_on_entered_t)(struct chat_client_t *self_p,
    struct chat_entered_t *message_p);

/** The message said was received. */
typedef void (*chat_client_on_said_t)(struct chat_client_t *self_p,
    struct chat_said_t *message_p);

/** The message left was received. */
typedef void (*chat_client_on_left_t)(struct chat_client_t *self_p,
    struct chat_left_t *message_p);

/** A client. Its members are private, except `platform.client` for the functions of messi.h. */
struct chat_client_t {
    struct messi_linux_client_t platform;
    chat_client_on_connected_t on_connected;
    chat_client_on_disconnected_t on_disconnected;
    chat_client_on_welcome_t on_welcome;
    chat_client_on_entered_t on_entered;
    chat_client_on_said_t on_said;
    chat_client_on_left_t on_left;
    struct {
        struct chat_server_to_client_t message;
        uint8_t *workspace_p;
        size_t workspace_size;
    } input;
    struct {
        struct chat_client_to_server_t message;
        struct messi_workspace_t workspace;
    } output;
};

/**
 * Initializes a client. Each callback may be NULL.
 *
 * encoded_in: for what is received, at least the largest message and its header; with more, many are read at a time.
 * workspace_in: for what received messages point to. NULL: malloc.
 * encoded_out: for what is sent, at least the largest message and its header; with more, many are written at a time.
 * workspace_out: for chat_client_alloc(). May be NULL.
 * epoll_ctl: instead of messi_epoll_ctl_default(), or NULL.
 *
 * Returns 0, or -1 if the URI is not `tcp://<host>:<port>`, or a buffer is too small for a header. The host is a name,
 * an IPv4 address, or an IPv6 address in brackets.
 */
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
    chat_client_on_connected_t on_connected,
    chat_client_on_disconnected_t on_disconnected,
    chat_client_on_welcome_t on_welcome,
    chat_client_on_entered_t on_entered,
    chat_client_on_said_t on_said,
    chat_client_on_left_t on_left,
    int epoll_fd,
    messi_epoll_ctl_t epoll_ctl);

/**
 * Begins to connect. Calls no callback: those come from process. Nothing if it is started already. A host's name is
 * resolved here and before every further attempt, which blocks; an address is not. See messi_linux_client_start().
 */
void chat_client_start(struct chat_client_t *self_p);

/** Disconnects, and does not connect again until it is started. Calls no callback. */
void chat_client_stop(struct chat_client_t *self_p);

/**
 * Handles the events of a descriptor if it is this client's. Every descriptor may be given: an earlier disconnection is
 * told with the next one. Not to be called from a callback.
 */
void chat_client_process(struct chat_client_t *self_p, int fd, uint32_t events);

/** Sends the message that was prepared, if it is connected. One that cannot be encoded disconnects. */
void chat_client_send(struct chat_client_t *self_p);

/**
 * Zeroed memory out of workspace_out for what the prepared message points to, or NULL if none is left. The next init
 * function takes all of it back.
 */
void *chat_client_alloc(struct chat_client_t *self_p, size_t size);

/** Prepares an empty message, as all init functions do. */
void chat_client_new_output_message(struct chat_client_t *self_p);

/** Prepares the message enter. */
struct chat_enter_t *chat_client_init_enter(struct chat_client_t *self_p);

/** Prepares the message say. */
struct chat_say_t *chat_client_init_say(struct chat_client_t *self_p);

#ifdef __cplusplus
}
#endif

#endif
