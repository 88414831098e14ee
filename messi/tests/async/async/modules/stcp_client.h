/* The async framework's TCP client, declared as it declares it, on a network that is made up: fake.c. */

#ifndef ASYNC_STCP_CLIENT_H
#define ASYNC_STCP_CLIENT_H

#include <async/core.h>

#define FAKE_WIRE_SIZE 65536u

struct async_ssl_context_t;
struct async_stcp_client_t;

typedef void (*async_stcp_client_connected_t)(struct async_stcp_client_t *self_p, int res);
typedef void (*async_stcp_client_disconnected_t)(struct async_stcp_client_t *self_p);
typedef void (*async_stcp_client_input_t)(struct async_stcp_client_t *self_p);

struct async_stcp_client_t {
    async_stcp_client_connected_t on_connected;
    async_stcp_client_disconnected_t on_disconnected;
    async_stcp_client_input_t on_input;
    /* The fake's. */
    char host[64];
    int port;
    int connects;
    int disconnects;
    bool is_connecting;
    bool is_connected;
    bool ends_at_write;
    uint8_t arrived[FAKE_WIRE_SIZE];
    size_t arrived_begin;
    size_t arrived_end;
    uint8_t sent[FAKE_WIRE_SIZE];
    size_t sent_size;
};

void async_stcp_client_init(struct async_stcp_client_t *self_p, struct async_ssl_context_t *ssl_context_p,
                            async_stcp_client_connected_t on_connected,
                            async_stcp_client_disconnected_t on_disconnected, async_stcp_client_input_t on_input,
                            struct async_t *async_p);
void async_stcp_client_connect(struct async_stcp_client_t *self_p, const char *host_p, int port);
void async_stcp_client_disconnect(struct async_stcp_client_t *self_p);
void async_stcp_client_write(struct async_stcp_client_t *self_p, const void *buf_p, size_t size);
size_t async_stcp_client_read(struct async_stcp_client_t *self_p, void *buf_p, size_t size);

#endif
