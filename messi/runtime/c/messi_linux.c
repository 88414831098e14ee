/* For getaddrinfo() and accept4() in C99. */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "messi_linux.h"

/* What is thrown away of what a peer sent that is disconnected: so often so many bytes. */
#define DISCARDS 256
#define DISCARDED 4096u

int messi_epoll_ctl_default(int epoll_fd, int op, int fd, uint32_t events)
{
    struct epoll_event event;

    memset(&event, 0, sizeof(event));
    event.events = events;
    event.data.fd = fd;

    return epoll_ctl(epoll_fd, op, fd, &event);
}

int messi_make_non_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL, 0);

    if (flags < 0) {
        return -1;
    }

    return fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -1 : 0;
}

void messi_linux_init(struct messi_linux_t *self_p, int epoll_fd, messi_epoll_ctl_t epoll_ctl)
{
    self_p->epoll_fd = epoll_fd;
    self_p->epoll_ctl = (epoll_ctl != NULL ? epoll_ctl : messi_epoll_ctl_default);
}

int messi_linux_timer_open(struct messi_linux_t *self_p)
{
    int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

    if (timer_fd >= 0 && self_p->epoll_ctl(self_p->epoll_fd, EPOLL_CTL_ADD, timer_fd, EPOLLIN) < 0) {
        close(timer_fd);
        timer_fd = -1;
    }

    return timer_fd;
}

void messi_linux_timer_set(int timer_fd, uint64_t milliseconds)
{
    struct itimerspec timer;

    memset(&timer, 0, sizeof(timer));
    timer.it_value.tv_sec = (time_t)(milliseconds / 1000);
    timer.it_value.tv_nsec = (long)(milliseconds % 1000) * 1000000;

    /* Fails for no value of this range on a timer. */
    (void)timerfd_settime(timer_fd, 0, &timer, NULL);
}

bool messi_linux_timer_take(int timer_fd)
{
    uint64_t count;

    return read(timer_fd, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

void messi_linux_close(struct messi_linux_t *self_p, int *fd_p)
{
    if (*fd_p >= 0) {
        (void)self_p->epoll_ctl(self_p->epoll_fd, EPOLL_CTL_DEL, *fd_p, 0);
        close(*fd_p);
        *fd_p = -1;
    }
}

bool messi_linux_is_host(const char *host_p)
{
    struct in6_addr address;

    return strchr(host_p, ':') == NULL || inet_pton(AF_INET6, host_p, &address) == 1;
}

/* -------------------------------------------------------------------------------------------------------- transport */

ptrdiff_t messi_linux_read(struct messi_connection_t *self_p, void *buf_p, size_t size)
{
    ssize_t res;

    do {
        res = recv(self_p->fd, buf_p, size, 0);
    } while (res < 0 && errno == EINTR);

    if (res > 0) {
        return res;
    }

    return res < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : -1;
}

ptrdiff_t messi_linux_write(struct messi_connection_t *self_p, const void *buf_p, size_t size)
{
    ssize_t res;

    do {
        res = send(self_p->fd, buf_p, size, MSG_NOSIGNAL);
    } while (res < 0 && errno == EINTR);

    if (res >= 0) {
        return res;
    }

    /* Without memory for it now there may be some later. */
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM ? 0 : -1;
}

int messi_linux_watch(struct messi_connection_t *self_p, bool input, bool output)
{
    struct messi_linux_t *linux_p = (struct messi_linux_t *)self_p->platform_p;
    uint32_t events = (input ? (uint32_t)EPOLLIN : 0) | (output ? (uint32_t)EPOLLOUT : 0);

    return linux_p->epoll_ctl(linux_p->epoll_fd, EPOLL_CTL_MOD, self_p->fd, events);
}

void messi_linux_close_connection(struct messi_connection_t *self_p)
{
    uint8_t discarded[DISCARDED];
    int i;

    /* Closed with input that nobody has read, a socket throws away what the peer has not received yet. */
    if (self_p->fd >= 0 && shutdown(self_p->fd, SHUT_WR) == 0) {
        for (i = 0; i < DISCARDS && recv(self_p->fd, discarded, sizeof(discarded), 0) > 0; i++) {
        }
    }

    messi_linux_close((struct messi_linux_t *)self_p->platform_p, &self_p->fd);
}

/* ----------------------------------------------------------------------------------------------------------- client */

static void forget_addresses(struct messi_linux_client_t *self_p)
{
    if (self_p->addresses_p != NULL) {
        freeaddrinfo(self_p->addresses_p);
    }

    self_p->addresses_p = NULL;
    self_p->next_p = NULL;
}

static void resolve(struct messi_linux_client_t *self_p)
{
    struct addrinfo hints;
    char port[8];

    forget_addresses(self_p);
    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    snprintf(&port[0], sizeof(port), "%u", (unsigned)self_p->client.port & 0xffffu);

    if (getaddrinfo(&self_p->client.host[0], &port[0], &hints, &self_p->addresses_p) != 0) {
        self_p->addresses_p = NULL;
    }

    self_p->next_p = self_p->addresses_p;
}

/* Returns 0 when connecting to it has begun. */
static int connect_to(struct messi_linux_client_t *self_p, const struct addrinfo *address_p)
{
    struct messi_linux_t *linux_p = &self_p->linux_loop;
    int yes = 1;
    int fd = socket(address_p->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address_p->ai_protocol);

    if (fd < 0) {
        return -1;
    }

    /* A delay is no error. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));

    /* Connected or refused at once is told like all else, when there is room to write. */
    if ((connect(fd, address_p->ai_addr, address_p->ai_addrlen) != 0 && errno != EINPROGRESS && errno != EINTR)
        || linux_p->epoll_ctl(linux_p->epoll_fd, EPOLL_CTL_ADD, fd, EPOLLOUT) < 0) {
        close(fd);

        return -1;
    }

    self_p->client.connection.fd = fd;

    return 0;
}

static int client_connect(struct messi_client_t *client_p, bool is_first)
{
    struct messi_linux_client_t *self_p = (struct messi_linux_client_t *)client_p;
    int res = -1;

    if (is_first) {
        resolve(self_p);
    }

    while (res != 0 && self_p->next_p != NULL) {
        res = connect_to(self_p, self_p->next_p);
        self_p->next_p = self_p->next_p->ai_next;
    }

    return res;
}

static void client_set_timer(struct messi_client_t *client_p, uint32_t milliseconds)
{
    messi_linux_timer_set(((struct messi_linux_client_t *)client_p)->timer_fd, milliseconds);
}

static const struct messi_client_platform_t platform = {
    { messi_linux_read, messi_linux_write, messi_linux_watch, messi_linux_close_connection },
    client_connect,
    client_set_timer
};

int messi_linux_client_init(struct messi_linux_client_t *self_p, const struct messi_client_callbacks_t *callbacks_p,
                            const char *uri_p, uint8_t *input_p, size_t input_size, uint8_t *output_p,
                            size_t output_size, int epoll_fd, messi_epoll_ctl_t epoll_ctl)
{
    uint32_t seed = 0;

    self_p->timer_fd = -1;
    self_p->addresses_p = NULL;
    self_p->next_p = NULL;

    if (messi_client_init(&self_p->client, &platform, callbacks_p, uri_p, input_p, input_size, output_p, output_size)
            != 0
        || !messi_linux_is_host(&self_p->client.host[0])) {
        return -1;
    }

    messi_linux_init(&self_p->linux_loop, epoll_fd, epoll_ctl);
    self_p->client.connection.platform_p = &self_p->linux_loop;

    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed)) {
        seed = (uint32_t)getpid() * 2654435761u;
    }

    messi_client_set_seed(&self_p->client, seed);

    return 0;
}

void messi_linux_client_start(struct messi_linux_client_t *self_p)
{
    if (self_p->timer_fd < 0) {
        self_p->timer_fd = messi_linux_timer_open(&self_p->linux_loop);

        if (self_p->timer_fd >= 0) {
            messi_client_start(&self_p->client);
        }
    }
}

bool messi_linux_client_is_started(const struct messi_linux_client_t *self_p)
{
    return self_p->timer_fd >= 0;
}

void messi_linux_client_stop(struct messi_linux_client_t *self_p)
{
    if (self_p->timer_fd >= 0) {
        messi_client_stop(&self_p->client);
        messi_linux_close(&self_p->linux_loop, &self_p->timer_fd);
        forget_addresses(self_p);
    }
}

/* There is news of an attempt, or there was of an earlier descriptor with the same number. */
static void connect_ended(struct messi_linux_client_t *self_p)
{
    struct sockaddr_storage peer;
    socklen_t peer_size = sizeof(peer);
    int fd = self_p->client.connection.fd;
    int error = 0;
    socklen_t error_size = sizeof(error);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size) != 0 || error != 0) {
        messi_client_connect_failed(&self_p->client);
    } else if (getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0) {
        forget_addresses(self_p);
        messi_client_connected(&self_p->client);
    }
}

void messi_linux_client_process(struct messi_linux_client_t *self_p, int fd, uint32_t events)
{
    struct messi_client_t *client_p = &self_p->client;

    messi_client_enter(client_p);

    if (fd >= 0 && fd == self_p->timer_fd) {
        if (messi_linux_timer_take(fd)) {
            messi_client_timeout(client_p);
        }
    } else if (fd >= 0 && fd == client_p->connection.fd) {
        if (client_p->state == messi_client_state_connecting_t) {
            connect_ended(self_p);
        } else {
            /* An error is found by writing if nothing is read. */
            if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
                messi_client_output(client_p);
            }

            if ((events & ~(uint32_t)EPOLLOUT) != 0) {
                messi_client_input(client_p);
            }
        }
    }

    messi_client_leave(client_p);
}
