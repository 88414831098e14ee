/* For getaddrinfo() and accept4() in C99. */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "messi_linux_server.h"

#define BACKLOG 128

/* Those that wait longer are accepted after the others' input. */
#define ACCEPTS_PER_TURN 64

/* The pause when the system has no descriptor, doubling. Without one the listener would be ready all the time. */
#define ACCEPT_PAUSE_MIN_MS 10u
#define ACCEPT_PAUSE_MAX_MS 1000u

static struct messi_linux_server_t *of(struct messi_server_t *server_p)
{
    return (struct messi_linux_server_t *)server_p;
}

/* ------------------------------------------------------------------------------------------------------------- time */

static uint64_t server_now(struct messi_server_t *server_p)
{
    struct timespec time;

    (void)server_p;
    clock_gettime(CLOCK_MONOTONIC, &time);

    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void set_timer(struct messi_linux_server_t *self_p)
{
    uint64_t at_ms = (self_p->wake_ms < self_p->accept_ms ? self_p->wake_ms : self_p->accept_ms);
    uint64_t now_ms;

    if (at_ms == UINT64_MAX) {
        messi_linux_timer_set(self_p->timer_fd, 0);
    } else {
        now_ms = server_now(&self_p->server);
        messi_linux_timer_set(self_p->timer_fd, at_ms > now_ms ? at_ms - now_ms : 1);
    }
}

static void server_set_timer(struct messi_server_t *server_p, uint64_t at_ms)
{
    of(server_p)->wake_ms = at_ms;
    set_timer(of(server_p));
}

/* ------------------------------------------------------------------------------------------------------ descriptors */

static struct messi_server_client_t *find(struct messi_linux_server_t *self_p, int fd)
{
    return fd >= 0 && (size_t)fd < self_p->by_fd_size ? self_p->by_fd_pp[fd] : NULL;
}

/* Descriptors are small numbers. */
static int note(struct messi_linux_server_t *self_p, int fd, struct messi_server_client_t *client_p)
{
    size_t size = self_p->by_fd_size;

    if ((size_t)fd >= size) {
        struct messi_server_client_t **by_fd_pp;

        size = 2 * (size_t)fd + 16;
        by_fd_pp = (struct messi_server_client_t **)realloc(self_p->by_fd_pp, size * sizeof(*by_fd_pp));

        if (by_fd_pp == NULL) {
            return -1;
        }

        memset(&by_fd_pp[self_p->by_fd_size], 0, (size - self_p->by_fd_size) * sizeof(*by_fd_pp));
        self_p->by_fd_pp = by_fd_pp;
        self_p->by_fd_size = size;
    }

    self_p->by_fd_pp[fd] = client_p;

    return 0;
}

static void server_close(struct messi_connection_t *connection_p)
{
    struct messi_linux_server_t *self_p = of(((struct messi_server_client_t *)connection_p)->server_p);

    if (connection_p->fd >= 0) {
        self_p->by_fd_pp[connection_p->fd] = NULL;
    }

    messi_linux_close_connection(connection_p);
}

static const struct messi_server_platform_t platform = {
    { messi_linux_read, messi_linux_write, messi_linux_watch, server_close },
    server_now,
    server_set_timer
};

/* -------------------------------------------------------------------------------------------------------- listening */

int messi_linux_server_init(struct messi_linux_server_t *self_p, const struct messi_server_callbacks_t *callbacks_p,
                            const char *uri_p, void *clients_p, size_t client_size, int clients_max,
                            uint8_t *inputs_p, size_t input_size, uint8_t *message_p, size_t message_size,
                            int epoll_fd, messi_epoll_ctl_t epoll_ctl)
{
    self_p->listener_fd = -1;
    self_p->timer_fd = -1;
    self_p->by_fd_pp = NULL;
    self_p->by_fd_size = 0;

    if (messi_server_init(&self_p->server, &platform, &self_p->linux_loop, callbacks_p, uri_p, clients_p, client_size,
                          clients_max, inputs_p, input_size, message_p, message_size)
            != 0
        || !messi_linux_is_host(&self_p->server.host[0])) {
        return -1;
    }

    messi_linux_init(&self_p->linux_loop, epoll_fd, epoll_ctl);

    return 0;
}

/* Returns a listener or -1. */
static int listen_at(struct messi_linux_server_t *self_p, const struct addrinfo *address_p)
{
    struct messi_linux_t *linux_p = &self_p->linux_loop;
    int yes = 1;
    int no = 0;
    int fd = socket(address_p->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address_p->ai_protocol);

    if (fd < 0) {
        return -1;
    }

    if (address_p->ai_family == AF_INET6) {
        /* All addresses are those of IPv4, too. */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    }

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0
        || bind(fd, address_p->ai_addr, address_p->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0
        || linux_p->epoll_ctl(linux_p->epoll_fd, EPOLL_CTL_ADD, fd, EPOLLIN) < 0) {
        close(fd);

        return -1;
    }

    return fd;
}

/* Of all addresses of this machine, those of IPv6 are the ones that are everybody's. */
static int listen_at_family(struct messi_linux_server_t *self_p, int family)
{
    const char *host_p = &self_p->server.host[0];
    struct addrinfo hints;
    struct addrinfo *addresses_p;
    struct addrinfo *address_p;
    char port[8];
    int fd = -1;

    memset(&hints, 0, sizeof(hints));
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    snprintf(&port[0], sizeof(port), "%u", (unsigned)self_p->server.port & 0xffffu);

    if (getaddrinfo(*host_p != '\0' ? host_p : NULL, &port[0], &hints, &addresses_p) != 0) {
        return -1;
    }

    for (address_p = addresses_p; address_p != NULL && fd < 0; address_p = address_p->ai_next) {
        fd = listen_at(self_p, address_p);
    }

    freeaddrinfo(addresses_p);

    return fd;
}

int messi_linux_server_start(struct messi_linux_server_t *self_p)
{
    if (self_p->listener_fd >= 0) {
        return 0;
    }

    self_p->timer_fd = messi_linux_timer_open(&self_p->linux_loop);

    if (self_p->timer_fd < 0) {
        return -1;
    }

    if (self_p->server.host[0] == '\0') {
        self_p->listener_fd = listen_at_family(self_p, AF_INET6);
    }

    if (self_p->listener_fd < 0) {
        self_p->listener_fd = listen_at_family(self_p, AF_UNSPEC);
    }

    if (self_p->listener_fd < 0) {
        messi_linux_close(&self_p->linux_loop, &self_p->timer_fd);

        return -1;
    }

    self_p->wake_ms = UINT64_MAX;
    self_p->accept_ms = UINT64_MAX;
    self_p->accept_pause_ms = ACCEPT_PAUSE_MIN_MS;
    messi_server_start(&self_p->server);

    return 0;
}

int messi_linux_server_port(const struct messi_linux_server_t *self_p)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t size = sizeof(address);

    memset(&address, 0, sizeof(address));

    if (self_p->listener_fd < 0 || getsockname(self_p->listener_fd, &address.any, &size) != 0) {
        return -1;
    }

    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

void messi_linux_server_stop(struct messi_linux_server_t *self_p)
{
    if (self_p->listener_fd < 0) {
        return;
    }

    messi_server_stop(&self_p->server);
    messi_linux_close(&self_p->linux_loop, &self_p->listener_fd);
    messi_linux_close(&self_p->linux_loop, &self_p->timer_fd);
    free(self_p->by_fd_pp);
    self_p->by_fd_pp = NULL;
    self_p->by_fd_size = 0;
}

/* -------------------------------------------------------------------------------------------------------- accepting */

static void pause_accepting(struct messi_linux_server_t *self_p)
{
    struct messi_linux_t *linux_p = &self_p->linux_loop;

    (void)linux_p->epoll_ctl(linux_p->epoll_fd, EPOLL_CTL_MOD, self_p->listener_fd, 0);
    self_p->accept_ms = server_now(&self_p->server) + self_p->accept_pause_ms;
    self_p->accept_pause_ms *= 2;

    if (self_p->accept_pause_ms > ACCEPT_PAUSE_MAX_MS) {
        self_p->accept_pause_ms = ACCEPT_PAUSE_MAX_MS;
    }

    set_timer(self_p);
}

static void resume_accepting(struct messi_linux_server_t *self_p)
{
    struct messi_linux_t *linux_p = &self_p->linux_loop;

    if (self_p->accept_ms <= server_now(&self_p->server)) {
        self_p->accept_ms = UINT64_MAX;
        (void)linux_p->epoll_ctl(linux_p->epoll_fd, EPOLL_CTL_MOD, self_p->listener_fd, EPOLLIN);
    }
}

static void add_client(struct messi_linux_server_t *self_p, int fd)
{
    struct messi_linux_t *linux_p = &self_p->linux_loop;
    struct messi_server_client_t *client_p = messi_server_take(&self_p->server);
    int yes = 1;

    /* One too many. */
    if (client_p == NULL) {
        close(fd);

        return;
    }

    /* A delay is no error. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));

    if (note(self_p, fd, client_p) != 0) {
        close(fd);
        messi_server_give_back(&self_p->server, client_p);
    } else if (linux_p->epoll_ctl(linux_p->epoll_fd, EPOLL_CTL_ADD, fd, EPOLLIN) < 0) {
        self_p->by_fd_pp[fd] = NULL;
        close(fd);
        messi_server_give_back(&self_p->server, client_p);
    } else {
        client_p->connection.fd = fd;
        messi_server_connected(&self_p->server, client_p);
    }
}

static void accept_clients(struct messi_linux_server_t *self_p)
{
    int listener_fd = self_p->listener_fd;
    uint32_t life = self_p->server.life;
    int i;

    for (i = 0; i < ACCEPTS_PER_TURN && self_p->server.life == life; i++) {
        int fd = accept4(listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            self_p->accept_pause_ms = ACCEPT_PAUSE_MIN_MS;
            add_client(self_p, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(self_p);
            break;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        }
        /* All else is about one that went away before it was accepted. */
    }
}

static void on_client_event(struct messi_linux_server_t *self_p, struct messi_server_client_t *client_p,
                            uint32_t events)
{
    /* An error is found by writing if nothing is read. */
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
        messi_server_output(&self_p->server, client_p);
    }

    if ((events & ~(uint32_t)EPOLLOUT) != 0) {
        messi_server_input(&self_p->server, client_p);
    }
}

void messi_linux_server_process(struct messi_linux_server_t *self_p, int fd, uint32_t events)
{
    struct messi_server_client_t *client_p = find(self_p, fd);

    messi_server_enter(&self_p->server);

    if (client_p != NULL) {
        on_client_event(self_p, client_p, events);
    } else if (fd >= 0 && fd == self_p->listener_fd) {
        if (self_p->accept_ms == UINT64_MAX) {
            accept_clients(self_p);
        }
    } else if (fd >= 0 && fd == self_p->timer_fd) {
        if (messi_linux_timer_take(fd)) {
            resume_accepting(self_p);
            self_p->wake_ms = UINT64_MAX;
            messi_server_timeout(&self_p->server);
            set_timer(self_p);
        }
    }

    messi_server_leave(&self_p->server);
}
