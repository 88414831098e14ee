/* Messi's server on Linux: see messi_linux.h about the loop. */

#ifndef MESSI_LINUX_SERVER_H
#define MESSI_LINUX_SERVER_H

#include "messi_linux.h"
#include "messi_server.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A server on a socket. */
struct messi_linux_server_t {
    struct messi_server_t server;
    struct messi_linux_t linux_loop;
    int listener_fd;
    int timer_fd;
    /** Which client has which descriptor. */
    struct messi_server_client_t **by_fd_pp;
    size_t by_fd_size;
    /** When the server wants to be woken. UINT64_MAX: never. */
    uint64_t wake_ms;
    /** When to accept again, after the system had no descriptor. UINT64_MAX: it has. */
    uint64_t accept_ms;
    uint32_t accept_pause_ms;
};

/** As messi_server_init(). An empty host: all addresses of this machine. Port 0: any free one. */
int messi_linux_server_init(struct messi_linux_server_t *self_p, const struct messi_server_callbacks_t *callbacks_p,
                            const char *uri_p, void *clients_p, size_t client_size, int clients_max,
                            uint8_t *inputs_p, size_t input_size, uint8_t *message_p, size_t message_size,
                            int epoll_fd, messi_epoll_ctl_t epoll_ctl);

/**
 * Listens. Returns 0 if it does, and -1 if it does not: the host has no address here, or the port is taken. Calls no
 * callback. The host's name is resolved by getaddrinfo(), which blocks.
 */
int messi_linux_server_start(struct messi_linux_server_t *self_p);

/** The port it listens on, or -1. */
int messi_linux_server_port(const struct messi_linux_server_t *self_p);

/** Writes what is pending as far as it goes, and closes everything. Calls no callback. */
void messi_linux_server_stop(struct messi_linux_server_t *self_p);

/** Handles an event, if it is one of this server's descriptors; and then tells of clients that were lost before. */
void messi_linux_server_process(struct messi_linux_server_t *self_p, int fd, uint32_t events);

#ifdef __cplusplus
}
#endif

#endif
