/*
 * Messi on Linux with real sockets, epoll and timers: our client, our server, and bare sockets as their peers. What
 * needs time to pass is in client.c and server.c, where time is made up.
 */

#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <pb_encode.h>

#include "bank.pb.h"
#include "messi_linux.h"
#include "messi_linux_server.h"

#include "check.h"

#define SLOTS 4
#define INPUT_SIZE (12u << 20)
#define FRAME_SIZE (12u << 20)

/* Longer than anything here takes, even on a slow machine. */
#define DEADLINE_S 60.0

static int epoll_fd;
static uint8_t blob[FRAME_SIZE];

/* Calls of epoll_ctl that fail: those that add, from this one on, so many. */
static int adds;
static int failing_add = -1;
static int failing_adds;

static int failing_epoll_ctl(int fd, int op, int which, uint32_t events)
{
    if (op == EPOLL_CTL_ADD) {
        int add = adds++;

        if (failing_add >= 0 && add >= failing_add && add < failing_add + failing_adds) {
            return -1;
        }
    }

    return messi_epoll_ctl_default(fd, op, which, events);
}

typedef int (*getaddrinfo_t)(const char *node_p, const char *service_p, const struct addrinfo *hints_p,
                             struct addrinfo **addresses_pp);

/* The system's, which also knows of a name with two addresses. */
int getaddrinfo(const char *node_p, const char *service_p, const struct addrinfo *hints_p,
                struct addrinfo **addresses_pp)
{
    getaddrinfo_t real;
    void *symbol_p = dlsym(RTLD_NEXT, "getaddrinfo");
    int res;

    memcpy(&real, &symbol_p, sizeof(real));

    if (node_p == NULL || strcmp(node_p, "two.test") != 0) {
        return real(node_p, service_p, hints_p, addresses_pp);
    }

    res = real("127.0.0.2", service_p, hints_p, addresses_pp);

    return res != 0 ? res : real("127.0.0.1", service_p, hints_p, &(*addresses_pp)->ai_next);
}

/* ------------------------------------------------------------------------------------------------------- the client */

static struct {
    struct messi_linux_client_t linux_client;
    uint8_t *input_p;
    uint8_t *output_p;
    int connected;
    int disconnected;
    int reason;
    int messages;
    size_t message_size;
} client;

static void on_connected(struct messi_client_t *client_p)
{
    (void)client_p;
    client.connected++;
}

static void on_disconnected(struct messi_client_t *client_p, enum messi_disconnect_reason_t reason)
{
    (void)client_p;
    client.disconnected++;
    client.reason = (int)reason;
}

static int on_message(struct messi_client_t *client_p, const uint8_t *buf_p, size_t size)
{
    (void)client_p;
    (void)buf_p;
    client.messages++;
    client.message_size = size;

    return MESSI_NO_REASON;
}

static const struct messi_client_callbacks_t client_callbacks = { on_connected, on_disconnected, on_message };

static void begin_client(const char *host_p, int port)
{
    char uri[64];

    snprintf(uri, sizeof(uri), "tcp://%s:%d", host_p, port);
    client.input_p = (uint8_t *)malloc(INPUT_SIZE);
    client.output_p = (uint8_t *)malloc(FRAME_SIZE);
    CHECK_EQ(messi_linux_client_init(&client.linux_client, &client_callbacks, uri, client.input_p, INPUT_SIZE,
                                     client.output_p, FRAME_SIZE, epoll_fd, failing_epoll_ctl),
             0);
    messi_client_set_reconnect_delay(&client.linux_client.client, 20);
}

static void end_client(void)
{
    messi_linux_client_stop(&client.linux_client);
    free(client.input_p);
    free(client.output_p);
}

/* ------------------------------------------------------------------------------------------------------- the server */

static struct {
    struct messi_linux_server_t linux_server;
    struct messi_server_client_t clients[SLOTS];
    uint8_t *inputs_p;
    uint8_t *message_p;
    int connected;
    int disconnected;
    int reason;
    int messages;
    size_t message_size;
    int processed;
    void (*on_message)(struct messi_server_client_t *client_p);
} server;

static void on_client_connected(struct messi_server_t *server_p, struct messi_server_client_t *client_p)
{
    (void)server_p;
    (void)client_p;
    server.connected++;
}

static void on_client_disconnected(struct messi_server_t *server_p, struct messi_server_client_t *client_p)
{
    (void)server_p;
    server.disconnected++;
    server.reason = (int)messi_server_client_reason(client_p);
}

static int on_client_message(struct messi_server_t *server_p, struct messi_server_client_t *client_p,
                             const uint8_t *buf_p, size_t size)
{
    (void)server_p;
    (void)buf_p;
    server.messages++;
    server.message_size = size;

    if (server.on_message != NULL) {
        server.on_message(client_p);
    }

    return MESSI_NO_REASON;
}

static const struct messi_server_callbacks_t server_callbacks = {
    on_client_connected,
    on_client_disconnected,
    on_client_message
};

static void init_server(const char *host_p, int port)
{
    char uri[64];

    snprintf(uri, sizeof(uri), "tcp://%s:%d", host_p, port);
    server.inputs_p = (uint8_t *)malloc(SLOTS * (size_t)INPUT_SIZE);
    server.message_p = (uint8_t *)malloc(FRAME_SIZE);
    CHECK_EQ(messi_linux_server_init(&server.linux_server, &server_callbacks, uri, server.clients,
                                     sizeof(server.clients[0]), SLOTS, server.inputs_p, INPUT_SIZE, server.message_p,
                                     FRAME_SIZE, epoll_fd, failing_epoll_ctl),
             0);
}

static int begin_server(const char *host_p)
{
    init_server(host_p, 0);
    CHECK_EQ(messi_linux_server_start(&server.linux_server), 0);
    CHECK(messi_linux_server_port(&server.linux_server) > 0);

    return messi_linux_server_port(&server.linux_server);
}

static void end_server(void)
{
    messi_linux_server_stop(&server.linux_server);
    free(server.inputs_p);
    free(server.message_p);
}

/* ------------------------------------------------------------------------------------------------------------ steps */

static double now_s(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);

    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* One wait of the loop. Events of both, so that each sees the other's. */
static void turn(void)
{
    struct epoll_event events[8];
    int count = epoll_wait(epoll_fd, events, 8, 10);
    int i;

    for (i = 0; i < count; i++) {
        if (client.input_p != NULL) {
            messi_linux_client_process(&client.linux_client, events[i].data.fd, events[i].events);
        }

        if (server.inputs_p != NULL) {
            server.processed++;
            messi_linux_server_process(&server.linux_server, events[i].data.fd, events[i].events);
        }
    }
}

/* Waits for what the system does by itself, without a turn of the loop. */
static void wait_for(int fd, short events)
{
    struct pollfd it = { fd, events, 0 };

    CHECK_EQ(poll(&it, 1, (int)(DEADLINE_S * 1000)), 1);
}

#define UNTIL(condition)                                                                      \
    do {                                                                                      \
        double deadline_ = now_s() + DEADLINE_S;                                              \
                                                                                              \
        while (!(condition)) {                                                                \
            turn();                                                                           \
                                                                                              \
            if (now_s() > deadline_) {                                                        \
                fprintf(stderr, "%s:%d: never: %s\n", __FILE__, __LINE__, #condition);        \
                exit(1);                                                                      \
            }                                                                                 \
        }                                                                                     \
    } while (0)

static int open_fds(void)
{
    DIR *dir_p = opendir("/proc/self/fd");
    int count = 0;

    CHECK(dir_p != NULL);

    while (readdir(dir_p) != NULL) {
        count++;
    }

    closedir(dir_p);

    return count;
}

static struct sockaddr_in address_of(int port)
{
    struct sockaddr_in address;

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)port);

    return address;
}

/* A bare client, which does not block once it is connected. */
static int peer_connect(int port)
{
    struct sockaddr_in address = address_of(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    CHECK_EQ(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_EQ(messi_make_non_blocking(fd), 0);

    return fd;
}

/* A bare server. Returns its listener. */
static int peer_listen(int *port_p, int backlog)
{
    struct sockaddr_in address = address_of(0);
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_EQ(listen(fd, backlog), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    CHECK_EQ(messi_make_non_blocking(fd), 0);
    *port_p = ntohs(address.sin_port);

    return fd;
}

static int peer_accept(int listener_fd)
{
    int fd = -1;

    UNTIL((fd = accept4(listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);

    return fd;
}

/* Whether the end has come; reads what comes before it. */
static bool peer_sees_end(int fd, size_t *size_p)
{
    static uint8_t buf[65536];
    ssize_t res;

    while ((res = recv(fd, buf, sizeof(buf), 0)) > 0) {
        *size_p += (size_t)res;
    }

    return res == 0 || (errno != EAGAIN && errno != EINTR);
}

static const struct bank_client_to_server_t *message_of(size_t size)
{
    static struct bank_client_to_server_t message;

    memset(&message, 0, sizeof(message));
    message.which_messages = bank_client_to_server_upload_req_tag;
    message.messages.upload_req.data.buf_p = blob;
    message.messages.upload_req.data.size = size;

    return &message;
}

static void client_send(size_t size)
{
    messi_client_send(&client.linux_client.client, bank_client_to_server_fields, message_of(size));
}

static void server_send(struct messi_server_client_t *client_p, size_t size)
{
    messi_server_send(&server.linux_server.server, client_p, bank_client_to_server_fields, message_of(size));
}

static void server_broadcast(size_t size)
{
    messi_server_broadcast(&server.linux_server.server, bank_client_to_server_fields, message_of(size));
}

static void begin(void)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    CHECK(epoll_fd >= 0);
}

/* ---------------------------------------------------------------------------------------------------------- talking */

static void answer(struct messi_server_client_t *client_p)
{
    (void)client_p;
    server_send(NULL, server.message_size);
}

static void talk(const char *server_host_p, const char *client_host_p)
{
    int port;
    int i;

    begin();
    server.on_message = answer;
    port = begin_server(server_host_p);
    begin_client(client_host_p, port);
    messi_linux_client_start(&client.linux_client);
    /* Nothing is called by start itself. */
    CHECK_EQ(client.connected, 0);
    UNTIL(client.connected == 1 && server.connected == 1);

    for (i = 1; i <= 100; i++) {
        client_send(10);
    }

    UNTIL(client.messages == 100);
    messi_linux_client_stop(&client.linux_client);
    UNTIL(server.disconnected == 1);
    CHECK_EQ(server.reason, messi_disconnect_reason_connection_closed_t);
    CHECK_EQ(client.disconnected, 0);
    end_client();
    end_server();
}

static void by_address(void)
{
    talk("127.0.0.1", "127.0.0.1");
}

static void by_name(void)
{
    talk("127.0.0.1", "localhost");
}

/* At the first of them nobody listens. */
static void all_addresses_of_a_name_are_tried(void)
{
    talk("127.0.0.1", "two.test");
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 address;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has;

    memset(&address, 0, sizeof(address));
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    has = (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    close(fd);

    return has;
}

static void by_ipv6(void)
{
    if (has_ipv6()) {
        talk("[::1]", "[::1]");
    } else {
        fprintf(stderr, "skipped: this machine has no IPv6\n");
    }
}

static void at_all_addresses(void)
{
    talk("", "127.0.0.1");
}

static void small_frames_do_not_wait(void)
{
    socklen_t size = sizeof(int);
    int no_delay = 0;
    int port;

    begin();
    port = begin_server("127.0.0.1");
    begin_client("127.0.0.1", port);
    messi_linux_client_start(&client.linux_client);
    UNTIL(client.connected == 1 && server.connected == 1);
    CHECK_EQ(getsockopt(client.linux_client.client.connection.fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
    CHECK(no_delay != 0);
    no_delay = 0;
    CHECK_EQ(getsockopt(server.clients[0].connection.fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
    CHECK(no_delay != 0);
    end_client();
    end_server();
}

static void large_messages_arrive_both_ways(void)
{
    int port;

    begin();
    server.on_message = answer;
    port = begin_server("127.0.0.1");
    messi_server_set_max_pending(&server.linux_server.server, FRAME_SIZE);
    begin_client("127.0.0.1", port);
    messi_linux_client_start(&client.linux_client);
    UNTIL(client.connected == 1);
    /* More than a socket takes: with one write only this would be the end. */
    client_send(10u << 20);
    UNTIL(client.messages == 1);
    CHECK(client.message_size > (10u << 20));
    CHECK_EQ(client.disconnected + server.disconnected, 0);
    end_client();
    end_server();
}

/* -------------------------------------------------------------------------------------------------- what goes wrong */

static void it_connects_when_the_server_comes(void)
{
    int port;
    int listener_fd = peer_listen(&port, 8);
    int fd;

    close(listener_fd);
    begin();
    begin_client("127.0.0.1", port);
    messi_linux_client_start(&client.linux_client);
    turn();
    turn();
    CHECK_EQ(client.connected + client.disconnected, 0);
    init_server("127.0.0.1", port);
    UNTIL(messi_linux_server_start(&server.linux_server) == 0);
    UNTIL(client.connected == 1 && server.connected == 1);
    /* And again. */
    messi_linux_server_stop(&server.linux_server);
    UNTIL(client.disconnected == 1);
    CHECK_EQ(client.reason, messi_disconnect_reason_connection_closed_t);
    CHECK_EQ(messi_linux_server_start(&server.linux_server), 0);
    UNTIL(client.connected == 2 && server.connected == 2);
    fd = peer_connect(port);
    UNTIL(server.connected == 3);
    close(fd);
    end_client();
    end_server();
}

static void no_signal_kills_it(void)
{
    int port;
    int listener_fd = peer_listen(&port, 8);
    int fd;

    begin();
    begin_client("127.0.0.1", port);
    messi_linux_client_start(&client.linux_client);
    UNTIL(client.connected == 1);
    fd = peer_accept(listener_fd);
    close(fd);
    /* The first makes the peer say that it is gone, the others find that out. */
    client_send(10);
    wait_for(client.linux_client.client.connection.fd, 0);
    client_send(10);
    client_send(10);
    UNTIL(client.disconnected == 1);
    CHECK_EQ(client.reason, messi_disconnect_reason_connection_closed_t);
    end_client();
    close(listener_fd);
}

static void an_event_of_an_earlier_descriptor_is_no_connection(void)
{
    struct sockaddr_in address;
    int port;
    int listener_fd = peer_listen(&port, 0);
    int fds[8];
    int i;

    address = address_of(port);
    begin();

    /* With its queue full a listener answers nobody. */
    for (i = 0; i < 8; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fds[i], (struct sockaddr *)&address, sizeof(address));
    }

    wait_for(fds[0], POLLOUT);
    begin_client("127.0.0.1", port);
    messi_linux_client_start(&client.linux_client);
    CHECK(client.linux_client.client.connection.fd >= 0);
    messi_linux_client_process(&client.linux_client, client.linux_client.client.connection.fd, EPOLLOUT);
    CHECK_EQ(client.connected, 0);
    CHECK_EQ(client.linux_client.client.state, messi_client_state_connecting_t);

    for (i = 0; i < 8; i++) {
        close(fds[i]);
    }

    end_client();
    close(listener_fd);
}

static void events_of_others_do_no_harm(void)
{
    int port;
    int fd;

    begin();
    port = begin_server("127.0.0.1");
    begin_client("127.0.0.1", port);

    for (fd = -2; fd < 100; fd++) {
        messi_linux_client_process(&client.linux_client, fd, EPOLLIN | EPOLLOUT | EPOLLHUP);
    }

    messi_linux_client_start(&client.linux_client);
    UNTIL(client.connected == 1 && server.connected == 1);

    for (fd = -2; fd < 100; fd++) {
        messi_linux_client_process(&client.linux_client, fd, EPOLLIN | EPOLLOUT);
        messi_linux_server_process(&server.linux_server, fd, EPOLLIN | EPOLLOUT);
    }

    messi_linux_server_process(&server.linux_server, 1 << 30, EPOLLIN);
    CHECK_EQ(client.disconnected + server.disconnected, 0);
    messi_linux_client_stop(&client.linux_client);
    messi_linux_server_stop(&server.linux_server);

    for (fd = -2; fd < 100; fd++) {
        messi_linux_client_process(&client.linux_client, fd, EPOLLIN | EPOLLOUT | EPOLLHUP);
        messi_linux_server_process(&server.linux_server, fd, EPOLLIN | EPOLLOUT | EPOLLHUP);
    }

    CHECK_EQ(client.disconnected + server.disconnected, 0);
    end_client();
    end_server();
}

static void too_many_clients(void)
{
    int fds[SLOTS + 1];
    size_t size = 0;
    int port;
    int i;

    begin();
    port = begin_server("127.0.0.1");

    for (i = 0; i <= SLOTS; i++) {
        fds[i] = peer_connect(port);
    }

    UNTIL(peer_sees_end(fds[SLOTS], &size));
    CHECK_EQ(size, 0);
    CHECK_EQ(server.connected, SLOTS);
    CHECK_EQ(server.disconnected, 0);
    close(fds[1]);
    close(fds[SLOTS]);
    UNTIL(server.disconnected == 1);
    fds[1] = peer_connect(port);
    UNTIL(server.connected == SLOTS + 1);

    for (i = 0; i < SLOTS; i++) {
        close(fds[i]);
    }

    end_server();
}

static void an_answer_arrives_although_the_client_is_disconnected(void)
{
    static const uint8_t frames[] = { 1, 0, 0, 1, 'x', 1, 0, 0, 1, 'y', 1, 0, 0, 1, 'z' };
    size_t size = 0;
    int port;
    int fd;
    int i;

    begin();
    port = begin_server("127.0.0.1");
    messi_server_set_max_pending(&server.linux_server.server, FRAME_SIZE);
    fd = peer_connect(port);
    UNTIL(server.connected == 1);
    server_send(&server.clients[0], 4u << 20);

    /* Nobody reads these any more. */
    for (i = 0; i < 10; i++) {
        CHECK_EQ(send(fd, frames, sizeof(frames), MSG_NOSIGNAL), (ssize_t)sizeof(frames));
    }

    wait_for(server.clients[0].connection.fd, POLLIN);
    messi_server_disconnect(&server.linux_server.server, &server.clients[0]);
    UNTIL(peer_sees_end(fd, &size));
    CHECK(size > (4u << 20));
    CHECK_EQ(server.messages, 0);
    UNTIL(server.disconnected == 1);
    CHECK_EQ(server.reason, messi_disconnect_reason_requested_t);
    close(fd);
    end_server();
}

static void a_client_that_never_reads_is_cut_and_the_others_do_not_notice(void)
{
    static const uint8_t ping[] = { 3, 0, 0, 0 };
    size_t size = 0;
    int port;
    int slow_fd;
    int fd;
    int sends;

    begin();
    port = begin_server("127.0.0.1");
    slow_fd = peer_connect(port);
    fd = peer_connect(port);
    UNTIL(server.connected == 2);

    for (sends = 0; server.disconnected == 0; sends++) {
        server_broadcast(65536);
        CHECK(messi_server_client_pending(&server.clients[0]) <= MESSI_MAX_PENDING);
        CHECK(messi_server_client_pending(&server.clients[1]) <= MESSI_MAX_PENDING);
        CHECK(server.clients[0].connection.output.size <= MESSI_MAX_PENDING);
        (void)send(fd, ping, sizeof(ping), MSG_NOSIGNAL);
        CHECK(!peer_sees_end(fd, &size));
        turn();
        CHECK(sends < 10000);
    }

    CHECK_EQ(server.disconnected, 1);
    CHECK_EQ(server.reason, messi_disconnect_reason_slow_consumer_t);
    CHECK_EQ(messi_server_client_reason(&server.clients[0]), messi_disconnect_reason_slow_consumer_t);
    close(slow_fd);
    close(fd);
    end_server();
}

/* ------------------------------------------------------------------------------------------------------ descriptors */

static void no_descriptor_is_left(void)
{
    int before;
    int port;
    int i;

    begin();
    before = open_fds();

    for (i = 0; i < 50; i++) {
        port = begin_server("127.0.0.1");
        begin_client("127.0.0.1", port);
        messi_linux_client_start(&client.linux_client);

        if (i % 2 == 0) {
            UNTIL(client.connected == i / 2 + 1 && server.connected == i / 2 + 1);
        }

        end_client();
        end_server();
        CHECK_EQ(open_fds(), before);
    }
}

static void whichever_add_to_epoll_fails_no_descriptor_is_left(void)
{
    int before;
    int port = 0;
    int fd;

    begin();
    before = open_fds();

    /* The server's timer, then its listener. */
    for (failing_add = 0; failing_add < 2; failing_add++) {
        adds = 0;
        failing_adds = 1;
        init_server("127.0.0.1", 0);
        CHECK_EQ(messi_linux_server_start(&server.linux_server), -1);
        CHECK_EQ(messi_linux_server_port(&server.linux_server), -1);
        CHECK_EQ(open_fds(), before);
        end_server();
    }

    /* Then a client. */
    failing_add = 2;
    adds = 0;
    port = begin_server("127.0.0.1");
    fd = peer_connect(port);
    UNTIL(adds == 3);
    CHECK_EQ(server.connected, 0);
    CHECK_EQ(open_fds(), before + 3);
    close(fd);
    fd = peer_connect(port);
    UNTIL(server.connected == 1);
    close(fd);
    UNTIL(server.disconnected == 1);

    /* The client's timer, and then its socket. */
    before = open_fds();
    begin_client("127.0.0.1", port);
    failing_add = 0;
    adds = 0;
    messi_linux_client_start(&client.linux_client);
    CHECK(!messi_linux_client_is_started(&client.linux_client));
    CHECK_EQ(open_fds(), before);
    failing_add = 2;
    failing_adds = 3;
    messi_linux_client_start(&client.linux_client);
    CHECK(messi_linux_client_is_started(&client.linux_client));
    /* Some of the failures may be the server's, of a connection that the client has given up. */
    UNTIL(adds > 5 && messi_client_is_connected(&client.linux_client.client));
    end_client();
    UNTIL(open_fds() == before);
    end_server();
}

static void a_port_that_is_taken_is_an_error(void)
{
    int port;
    int listener_fd = peer_listen(&port, 8);
    int before;

    begin();
    before = open_fds();
    init_server("127.0.0.1", port);
    CHECK_EQ(messi_linux_server_start(&server.linux_server), -1);
    CHECK_EQ(open_fds(), before);
    close(listener_fd);
    CHECK_EQ(messi_linux_server_start(&server.linux_server), 0);
    CHECK_EQ(messi_linux_server_start(&server.linux_server), 0);
    end_server();
}

static void without_descriptors_the_server_pauses_and_recovers(void)
{
    struct rlimit limit;
    struct rlimit all;
    double end;
    int port;
    int fds[3];

    begin();
    port = begin_server("127.0.0.1");
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &all), 0);

    fds[0] = peer_connect(port);
    UNTIL(server.connected == 1);
    fds[1] = peer_connect(port);
    fds[2] = peer_connect(port);
    limit = all;
    limit.rlim_cur = (rlim_t)fds[2] + 1;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    server.processed = 0;

    for (end = now_s() + 0.5; now_s() < end;) {
        turn();
    }

    /* A listener that is always ready would be an event in every turn. */
    CHECK(server.processed < 20);
    CHECK_EQ(server.connected, 1);
    /* The first is silent, and leaves its descriptor to the second, although nothing else is left to wake up for. */
    UNTIL(server.disconnected == 1);
    UNTIL(server.connected == 2);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &all), 0);
    UNTIL(server.connected == 3);
    close(fds[2]);
    close(fds[0]);
    close(fds[1]);
    end_server();
}

static void addresses_that_are_none_are_refused(void)
{
    static const char *wrong[] = { "tcp://[1::2::3]:1", "tcp://[::12345]:1", "tcp://[:::]:1", "localhost:1" };
    size_t i;

    begin();
    begin_client("127.0.0.1", 1);
    init_server("127.0.0.1", 0);

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK_EQ(messi_linux_client_init(&client.linux_client, &client_callbacks, wrong[i], client.input_p, INPUT_SIZE,
                                         client.output_p, FRAME_SIZE, epoll_fd, NULL),
                 -1);
        CHECK_EQ(messi_linux_server_init(&server.linux_server, &server_callbacks, wrong[i], server.clients,
                                         sizeof(server.clients[0]), SLOTS, server.inputs_p, INPUT_SIZE,
                                         server.message_p, FRAME_SIZE, epoll_fd, NULL),
                 -1);
    }

    end_client();
    end_server();
}

/* The timers in true time: a ping after two seconds, and the end after two more. */
static void a_silent_server_is_found(void)
{
    uint8_t byte = 0;
    double connected_s;
    int port;
    int listener_fd = peer_listen(&port, 8);
    int fd;

    begin();
    begin_client("127.0.0.1", port);
    messi_linux_client_start(&client.linux_client);
    UNTIL(client.connected == 1);
    connected_s = now_s();
    fd = peer_accept(listener_fd);
    UNTIL(recv(fd, &byte, 1, 0) == 1);
    CHECK_EQ(byte, MESSI_MESSAGE_TYPE_PING);
    CHECK(now_s() - connected_s >= 1.9);
    UNTIL(client.disconnected == 1);
    CHECK_EQ(client.reason, messi_disconnect_reason_keep_alive_timeout_t);
    CHECK(now_s() - connected_s >= 3.9);
    close(fd);
    end_client();
    close(listener_fd);
}

static void a_silent_client_is_found(void)
{
    double connected_s;
    double end_s;
    size_t size = 0;
    int port;
    int fd;

    begin();
    port = begin_server("127.0.0.1");
    fd = peer_connect(port);
    connected_s = now_s();
    UNTIL(peer_sees_end(fd, &size));
    CHECK(now_s() - connected_s >= 2.9);
    UNTIL(server.disconnected == 1);
    CHECK_EQ(server.reason, messi_disconnect_reason_keep_alive_timeout_t);
    CHECK_EQ(size, 0);
    close(fd);

    /* Then there is nothing to wake up for. */
    server.processed = 0;

    for (end_s = now_s() + 0.3; now_s() < end_s;) {
        turn();
    }

    CHECK(server.processed <= 1);
    end_server();
}

static const struct test_t tests[] = {
    TEST(by_address),
    TEST(by_name),
    TEST(all_addresses_of_a_name_are_tried),
    TEST(by_ipv6),
    TEST(at_all_addresses),
    TEST(small_frames_do_not_wait),
    TEST(large_messages_arrive_both_ways),
    TEST(it_connects_when_the_server_comes),
    TEST(no_signal_kills_it),
    TEST(an_event_of_an_earlier_descriptor_is_no_connection),
    TEST(events_of_others_do_no_harm),
    TEST(too_many_clients),
    TEST(an_answer_arrives_although_the_client_is_disconnected),
    TEST(a_client_that_never_reads_is_cut_and_the_others_do_not_notice),
    TEST(no_descriptor_is_left),
    TEST(whichever_add_to_epoll_fails_no_descriptor_is_left),
    TEST(a_port_that_is_taken_is_an_error),
    TEST(without_descriptors_the_server_pauses_and_recovers),
    TEST(addresses_that_are_none_are_refused),
    TEST(a_silent_server_is_found),
    TEST(a_silent_client_is_found),
};

int main(int argc, const char *argv[])
{
    return run_test(tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
