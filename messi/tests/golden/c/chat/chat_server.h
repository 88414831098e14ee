/*
 * The server of chat.proto. Made by `messi generate_c_source`: change chat.proto, and make it again.
 *
 * The functions here may be called from every callback, except process. What is asked about a client that is not
 * connected does nothing.
 *
 * chat_server_send(), chat_server_reply() and chat_server_broadcast() send what the last init function
 * prepared, and may do so several times. Strings and the like that a message points to are the caller's, or from
 * chat_server_alloc(), and need to live until it is sent. What a received message points to lives until the
 * callback returns. A message that cannot be encoded, or not into message_buf, is not sent.
 *
 * Memory: the structs, the buffers given to chat_server_init(), and malloc for what a client does not read at once, up
 * to 1 MiB for each. More or less of that is chosen by messi_server_set_max_pending(), which takes
 * `&self_p->platform.server`, as do messi_server_set_wire() for clients of Messi before 0.12,
 * messi_server_set_any_traffic() and messi_server_set_strict(). See messi_server.h.
 */

#ifndef CHAT_SERVER_H
#define CHAT_SERVER_H

#include "messi_linux_server.h"
#include "chat.pb.h"

#ifdef __cplusplus
extern "C" {
#endif

struct chat_server_t;
struct chat_server_client_t;

/** A client connected. */
typedef void (*chat_server_on_client_connected_t)(struct chat_server_t *self_p,
    struct chat_server_client_t *client_p);

/** A client is disconnected; chat_server_disconnect_reason() tells why. Its slot is free when this returns. */
typedef void (*chat_server_on_client_disconnected_t)(struct chat_server_t *self_p,
    struct chat_server_client_t *client_p);

/** The message enter was received. */
typedef void (*chat_server_on_enter_t)(struct chat_server_t *self_p,
    struct chat_server_client_t *client_p, struct chat_enter_t *message_p);

/** The message say was received. */
typedef void (*chat_server_on_say_t)(struct chat_server_t *self_p,
    struct chat_server_client_t *client_p, struct chat_say_t *message_p);

/** A slot for a client. Its members are private. */
struct chat_server_client_t {
    struct messi_server_client_t client;
};

/** A server. Its members are private, except `platform.server` for the functions of messi_server.h. */
struct chat_server_t {
    struct messi_linux_server_t platform;
    chat_server_on_client_connected_t on_client_connected;
    chat_server_on_client_disconnected_t on_client_disconnected;
    chat_server_on_enter_t on_enter;
    chat_server_on_say_t on_say;
    struct {
        struct chat_client_to_server_t message;
        uint8_t *workspace_p;
        size_t workspace_size;
    } input;
    struct {
        struct chat_server_to_client_t message;
        struct messi_workspace_t workspace;
    } output;
};

/**
 * Initializes a server. Each callback may be NULL.
 *
 * clients: slots for as many clients as there may be; one more is accepted and closed.
 * clients_input_bufs: `clients_max` times `client_input_size` bytes for what is received, each at least the largest
 * message and its header; with more, many are read at a time.
 * message_buf: for what is sent, at least the largest message and its header.
 * workspace_in: for what received messages point to. NULL: malloc.
 * workspace_out: for chat_server_alloc(). May be NULL.
 * epoll_ctl: instead of messi_epoll_ctl_default(), or NULL.
 *
 * Returns 0, or -1 if the URI is not `tcp://<host>:<port>`, there is no slot, or a buffer is too small for a header.
 * The host is a name, an IPv4 address, an IPv6 address in brackets, or empty for all addresses of this machine.
 * Everybody who reaches the address may connect, and nothing is hidden: on other networks than one's own, put a tunnel
 * around it.
 */
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
    chat_server_on_client_connected_t on_client_connected,
    chat_server_on_client_disconnected_t on_client_disconnected,
    chat_server_on_enter_t on_enter,
    chat_server_on_say_t on_say,
    int epoll_fd,
    messi_epoll_ctl_t epoll_ctl);

/** Listens. Returns 0 if it does, and -1 if it cannot: the host has no address here, or the port is taken. */
int chat_server_start(struct chat_server_t *self_p);

/** Disconnects all and listens no more, until it is started again. Calls no callback. */
void chat_server_stop(struct chat_server_t *self_p);

/**
 * Handles the events of a descriptor if it is this server's. Every descriptor may be given: an earlier disconnection is
 * told with the next one. Not to be called from a callback.
 */
void chat_server_process(struct chat_server_t *self_p, int fd, uint32_t events);

/** Sends the message that was prepared to a client. */
void chat_server_send(struct chat_server_t *self_p, struct chat_server_client_t *client_p);

/** Sends the message that was prepared to the client whose message callback is running, if one is. */
void chat_server_reply(struct chat_server_t *self_p);

/** Sends the message that was prepared to all clients. */
void chat_server_broadcast(struct chat_server_t *self_p);

/**
 * Disconnects a client. NULL: the one whose message callback is running, if one is. Nothing is received from it any
 * more, and it may take a second to read what was sent before. on_client_disconnected comes with the end.
 */
void chat_server_disconnect(struct chat_server_t *self_p, struct chat_server_client_t *client_p);

/** Why a client was disconnected, in on_client_disconnected and until its slot is taken again. */
enum messi_disconnect_reason_t chat_server_disconnect_reason(struct chat_server_t *self_p,
    struct chat_server_client_t *client_p);

/**
 * Zeroed memory out of workspace_out for what the prepared message points to, or NULL if none is left. The next init
 * function takes all of it back.
 */
void *chat_server_alloc(struct chat_server_t *self_p, size_t size);

/** Prepares an empty message, as all init functions do. */
void chat_server_new_output_message(struct chat_server_t *self_p);

/** Prepares the message welcome. */
struct chat_welcome_t *chat_server_init_welcome(struct chat_server_t *self_p);

/** Prepares the message entered. */
struct chat_entered_t *chat_server_init_entered(struct chat_server_t *self_p);

/** Prepares the message said. */
struct chat_said_t *chat_server_init_said(struct chat_server_t *self_p);

/** Prepares the message left. */
struct chat_left_t *chat_server_init_left(struct chat_server_t *self_p);

#ifdef __cplusplus
}
#endif

#endif
