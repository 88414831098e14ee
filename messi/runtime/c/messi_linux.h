/*
 * Messi on Linux: sockets, epoll and timerfd for messi.h, and a client of them.
 *
 * The user's loop waits with epoll_wait() and gives every event to the process functions, each of which leaves alone
 * what is not its own. They must not be called from callbacks; everything else may be.
 */

#ifndef MESSI_LINUX_H
#define MESSI_LINUX_H

#include "messi.h"

#ifdef __cplusplus
extern "C" {
#endif

struct addrinfo;

/** Adds, changes and removes descriptors of an epoll instance; returns 0, or a negative number if it cannot. */
typedef int (*messi_epoll_ctl_t)(int epoll_fd, int op, int fd, uint32_t events);

/** Calls epoll_ctl(), with `fd` as the event's data. */
int messi_epoll_ctl_default(int epoll_fd, int op, int fd, uint32_t events);

/** Returns 0, or -1 if it cannot. */
int messi_make_non_blocking(int fd);

/** Where events are waited for. */
struct messi_linux_t {
    int epoll_fd;
    messi_epoll_ctl_t epoll_ctl;
};

/** `epoll_ctl` NULL: messi_epoll_ctl_default(). */
void messi_linux_init(struct messi_linux_t *self_p, int epoll_fd, messi_epoll_ctl_t epoll_ctl);

/** A timer that epoll tells of, or -1. */
int messi_linux_timer_open(struct messi_linux_t *self_p);

/** Rings once after so many milliseconds. 0: not at all. */
void messi_linux_timer_set(int timer_fd, uint64_t milliseconds);

/** Whether it has rung; it has not any more. */
bool messi_linux_timer_take(int timer_fd);

/** Removes a descriptor from epoll, closes it and makes it -1. Nothing if it is that already. */
void messi_linux_close(struct messi_linux_t *self_p, int *fd_p);

/** Whether an address is none because it only looks like one of IPv6. */
bool messi_linux_is_host(const char *host_p);

/** The functions of a `struct messi_transport_t` for sockets; `platform_p` is a `struct messi_linux_t`. */
ptrdiff_t messi_linux_read(struct messi_connection_t *self_p, void *buf_p, size_t size);
ptrdiff_t messi_linux_write(struct messi_connection_t *self_p, const void *buf_p, size_t size);
int messi_linux_watch(struct messi_connection_t *self_p, bool input, bool output);
void messi_linux_close_connection(struct messi_connection_t *self_p);

/** A client on a socket. */
struct messi_linux_client_t {
    struct messi_client_t client;
    struct messi_linux_t linux_loop;
    int timer_fd;
    /** What the host's name was resolved to, and what of it is tried next. */
    struct addrinfo *addresses_p;
    struct addrinfo *next_p;
};

/** As messi_client_init(). */
int messi_linux_client_init(struct messi_linux_client_t *self_p, const struct messi_client_callbacks_t *callbacks_p,
                            const char *uri_p, uint8_t *input_p, size_t input_size, uint8_t *output_p,
                            size_t output_size, int epoll_fd, messi_epoll_ctl_t epoll_ctl);

/**
 * Begins to connect, and keeps on connecting until it is stopped. Calls no callback: those come from process. The
 * host's name is resolved here and at every attempt, by getaddrinfo(), which blocks; addresses are not resolved. All
 * addresses of a name are tried, one after the other.
 *
 * If the system has no timer for it, it stays stopped, which messi_linux_client_is_started() tells.
 */
void messi_linux_client_start(struct messi_linux_client_t *self_p);

/** Whether it is started and not stopped since. */
bool messi_linux_client_is_started(const struct messi_linux_client_t *self_p);

/** Writes what is pending as far as it goes, and closes everything. Calls no callback. */
void messi_linux_client_stop(struct messi_linux_client_t *self_p);

/** Handles an event, if it is one of this client's descriptors; and then tells of a connection that was lost before. */
void messi_linux_client_process(struct messi_linux_client_t *self_p, int fd, uint32_t events);

#ifdef __cplusplus
}
#endif

#endif
