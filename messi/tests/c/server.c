/*
 * The server of messi_server.h on a platform that is made up: transports that take and give what the test says, and a
 * clock that goes when the test says. Real sockets are in linux.c.
 */

#include <pb_encode.h>

#include "bank.pb.h"
#include "messi_server.h"

#include "check.h"

#define SLOTS 3
#define INPUT_SIZE 128u
#define MESSAGE_SIZE 2048u
#define WIRE_SIZE (256u << 10)

typedef void (*action_t)(struct messi_server_client_t *client_p);

/* The far end of one client. */
struct peer_t {
    uint8_t arrived[WIRE_SIZE];
    size_t arrived_begin;
    size_t arrived_end;
    bool is_ended;
    uint8_t sent[WIRE_SIZE];
    size_t sent_size;
    size_t room;
    bool is_unreachable;
    int writes;
    int closes;
    bool watches_input;
    bool watches_output;
};

static struct {
    struct messi_server_t server;
    struct messi_server_client_t clients[SLOTS];
    uint8_t inputs[SLOTS][INPUT_SIZE];
    uint8_t message_buf[MESSAGE_SIZE];
    struct peer_t peers[SLOTS];
    uint64_t now_ms;
    uint64_t timer_ms;
    /* The user. */
    int connected;
    int disconnected;
    int reasons[SLOTS];
    int messages;
    int answer;
    char order[64];
    action_t on_connected;
    action_t on_disconnected;
    action_t on_message;
} it;

static uint8_t blob[64u << 10];

/* --------------------------------------------------------------------------------------------------------- platform */

static struct peer_t *peer_of(struct messi_connection_t *connection_p)
{
    return &it.peers[(struct messi_server_client_t *)connection_p - &it.clients[0]];
}

static ptrdiff_t fake_read(struct messi_connection_t *connection_p, void *buf_p, size_t size)
{
    struct peer_t *peer_p = peer_of(connection_p);
    size_t there = peer_p->arrived_end - peer_p->arrived_begin;

    CHECK(connection_p->is_open);
    CHECK(size > 0);

    if (there == 0) {
        return peer_p->is_ended ? -1 : 0;
    }

    size = (size < there ? size : there);
    memcpy(buf_p, &peer_p->arrived[peer_p->arrived_begin], size);
    peer_p->arrived_begin += size;

    return (ptrdiff_t)size;
}

static ptrdiff_t fake_write(struct messi_connection_t *connection_p, const void *buf_p, size_t size)
{
    struct peer_t *peer_p = peer_of(connection_p);
    size_t length = strlen(it.order);

    peer_p->writes++;

    if (length + 1 < sizeof(it.order)) {
        it.order[length] = (char)('0' + (peer_p - &it.peers[0]));
    }

    if (peer_p->is_unreachable) {
        return -1;
    }

    size = (size < peer_p->room ? size : peer_p->room);
    CHECK(peer_p->sent_size + size <= WIRE_SIZE);
    memcpy(&peer_p->sent[peer_p->sent_size], buf_p, size);
    peer_p->sent_size += size;
    peer_p->room -= size;

    return (ptrdiff_t)size;
}

static int fake_watch(struct messi_connection_t *connection_p, bool input, bool output)
{
    peer_of(connection_p)->watches_input = input;
    peer_of(connection_p)->watches_output = output;

    return 0;
}

static void fake_close(struct messi_connection_t *connection_p)
{
    peer_of(connection_p)->closes++;
    peer_of(connection_p)->watches_input = false;
    peer_of(connection_p)->watches_output = false;
    connection_p->fd = -1;
}

static uint64_t fake_now(struct messi_server_t *server_p)
{
    (void)server_p;

    return it.now_ms;
}

static void fake_set_timer(struct messi_server_t *server_p, uint64_t at_ms)
{
    (void)server_p;
    it.timer_ms = at_ms;
}

static const struct messi_server_platform_t platform = {
    { fake_read, fake_write, fake_watch, fake_close },
    fake_now,
    fake_set_timer
};

static void on_client_connected(struct messi_server_t *server_p, struct messi_server_client_t *client_p)
{
    CHECK(server_p == &it.server);
    it.connected++;

    if (it.on_connected != NULL) {
        it.on_connected(client_p);
    }
}

static void on_client_disconnected(struct messi_server_t *server_p, struct messi_server_client_t *client_p)
{
    CHECK(server_p == &it.server);
    it.disconnected++;
    it.reasons[client_p - &it.clients[0]] = (int)messi_server_client_reason(client_p);

    if (it.on_disconnected != NULL) {
        it.on_disconnected(client_p);
    }
}

static int on_message(struct messi_server_t *server_p, struct messi_server_client_t *client_p, const uint8_t *buf_p,
                      size_t size)
{
    (void)buf_p;
    (void)size;
    CHECK(server_p == &it.server);
    it.messages++;

    if (it.on_message != NULL) {
        it.on_message(client_p);
    }

    return it.answer;
}

static const struct messi_server_callbacks_t callbacks = { on_client_connected, on_client_disconnected, on_message };

/* ------------------------------------------------------------------------------------------------------------ steps */

/* Returns which slot it is, or -1. */
static int connect_one(void)
{
    struct messi_server_client_t *client_p;
    int index = -1;

    messi_server_enter(&it.server);
    client_p = messi_server_take(&it.server);

    if (client_p != NULL) {
        index = (int)(client_p - &it.clients[0]);
        memset(&it.peers[index], 0, sizeof(it.peers[index]));
        it.peers[index].room = SIZE_MAX;
        it.peers[index].watches_input = true;
        client_p->connection.fd = index;
        messi_server_connected(&it.server, client_p);
    }

    messi_server_leave(&it.server);

    return index;
}

static void begin_with(enum messi_wire_t wire, int clients)
{
    int i;

    memset(&it, 0, sizeof(it));
    it.answer = MESSI_NO_REASON;
    it.now_ms = 1000000;
    it.timer_ms = UINT64_MAX;
    CHECK_EQ(messi_server_init(&it.server, &platform, NULL, &callbacks, "tcp://:4000", it.clients,
                               sizeof(it.clients[0]), SLOTS, &it.inputs[0][0], INPUT_SIZE, it.message_buf,
                               MESSAGE_SIZE),
             0);
    messi_server_set_max_pending(&it.server, 10000);
    CHECK_EQ(messi_server_set_wire(&it.server, wire), 0);
    messi_server_start(&it.server);

    for (i = 0; i < clients; i++) {
        CHECK_EQ(connect_one(), i);
    }

    CHECK_EQ(it.connected, clients);
}

static void begin(int clients)
{
    begin_with(MESSI_WIRE_V2, clients);
}

static void turn(int index)
{
    messi_server_enter(&it.server);

    if (it.peers[index].watches_output && it.peers[index].room > 0) {
        messi_server_output(&it.server, &it.clients[index]);
    }

    if (it.peers[index].watches_input
        && (it.peers[index].arrived_begin < it.peers[index].arrived_end || it.peers[index].is_ended)) {
        messi_server_input(&it.server, &it.clients[index]);
    }

    messi_server_leave(&it.server);
}

/* Lets time pass, with all timeouts in it. */
static void pass(uint64_t milliseconds)
{
    uint64_t end_ms = it.now_ms + milliseconds;

    while (it.timer_ms <= end_ms) {
        it.now_ms = (it.timer_ms > it.now_ms ? it.timer_ms : it.now_ms);
        it.timer_ms = UINT64_MAX;
        messi_server_enter(&it.server);
        messi_server_timeout(&it.server);
        messi_server_leave(&it.server);
    }

    it.now_ms = end_ms;
}

static void arrive_bytes(int index, const void *buf_p, size_t size)
{
    struct peer_t *peer_p = &it.peers[index];

    CHECK(peer_p->arrived_end + size <= WIRE_SIZE);

    if (size > 0) {
        memcpy(&peer_p->arrived[peer_p->arrived_end], buf_p, size);
        peer_p->arrived_end += size;
    }
}

static void arrive(int index, uint8_t type, const void *payload_p, size_t size)
{
    struct messi_header_t header;

    messi_header_create(&header, type, (uint32_t)size);
    arrive_bytes(index, &header, sizeof(header));
    arrive_bytes(index, payload_p, size);
}

static void ping(int index)
{
    arrive(index, MESSI_MESSAGE_TYPE_PING, NULL, 0);
    turn(index);
}

static void say(int index)
{
    arrive(index, MESSI_MESSAGE_TYPE_CLIENT_TO_SERVER_USER, "x", 1);
    turn(index);
}

/* A message whose frame has 8 bytes more. What it is does not matter here. */
static const struct bank_client_to_server_t *message_of(size_t size)
{
    static struct bank_client_to_server_t message;

    memset(&message, 0, sizeof(message));
    message.which_messages = bank_client_to_server_upload_req_tag;
    message.messages.upload_req.data.buf_p = blob;
    message.messages.upload_req.data.size = size;

    return &message;
}

static void send_to(struct messi_server_client_t *client_p, size_t size)
{
    messi_server_send(&it.server, client_p, bank_client_to_server_fields, message_of(size));
}

static void broadcast(size_t size)
{
    messi_server_broadcast(&it.server, bank_client_to_server_fields, message_of(size));
}

static void reply(struct messi_server_client_t *client_p)
{
    (void)client_p;
    send_to(NULL, 92);
}

static int frames_sent(int index, int type)
{
    const struct peer_t *peer_p = &it.peers[index];
    size_t at = 0;
    int count = 0;

    while (at < peer_p->sent_size) {
        count += (peer_p->sent[at] == type);
        at += 4 + (((size_t)peer_p->sent[at + 1] << 16) | ((size_t)peer_p->sent[at + 2] << 8) | peer_p->sent[at + 3]);
    }

    CHECK_EQ(at, peer_p->sent_size);

    return count;
}

static void stop(struct messi_server_client_t *client_p)
{
    (void)client_p;
    messi_server_stop(&it.server);
}

static void stop_and_start(struct messi_server_client_t *client_p)
{
    (void)client_p;
    messi_server_stop(&it.server);
    messi_server_start(&it.server);
}

static void disconnect(struct messi_server_client_t *client_p)
{
    messi_server_disconnect(&it.server, client_p);
}

static void disconnect_current(struct messi_server_client_t *client_p)
{
    (void)client_p;
    messi_server_disconnect(&it.server, NULL);
}

/* Nobody is lost or connected twice, and nothing goes on for ever. */
static void check_all_slots_can_be_used(void)
{
    int i;

    it.on_connected = NULL;
    it.on_disconnected = NULL;
    it.on_message = NULL;
    it.answer = MESSI_NO_REASON;

    for (i = 0; i < SLOTS; i++) {
        it.peers[i].is_ended = true;
        it.peers[i].arrived_begin = it.peers[i].arrived_end;
        it.peers[i].room = SIZE_MAX;
        turn(i);
        turn(i);
    }

    for (i = 0; i < SLOTS; i++) {
        CHECK(connect_one() >= 0);
    }

    CHECK_EQ(connect_one(), -1);
    it.connected = 0;
    broadcast(10);

    for (i = 0; i < SLOTS; i++) {
        CHECK_EQ(frames_sent(i, MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER), 1);
    }
}

/* ------------------------------------------------------------------------------------------------ Messi's own list */

static void connect_and_disconnect_clients(void)
{
    begin(3);
    it.peers[1].is_ended = true;
    turn(1);
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.reasons[1], messi_disconnect_reason_connection_closed_t);
    it.peers[0].is_ended = true;
    turn(0);
    CHECK_EQ(it.disconnected, 2);
    messi_server_stop(&it.server);
    CHECK_EQ(it.disconnected, 2);
    CHECK_EQ(it.peers[2].closes, 1);
    CHECK_EQ(it.timer_ms, UINT64_MAX);
}

static void broadcast_message(void)
{
    begin(3);
    broadcast(92);
    CHECK(strcmp(it.order, "210") == 0);
    CHECK_EQ(it.peers[0].sent_size, 100);
    CHECK_EQ(it.peers[1].sent_size, 100);
    CHECK_EQ(it.peers[2].sent_size, 100);
}

static void broadcast_message_one_client_fails(void)
{
    begin(3);
    it.peers[1].is_unreachable = true;
    it.peers[1].is_ended = true;
    broadcast(92);
    CHECK_EQ(it.peers[0].sent_size, 100);
    CHECK_EQ(it.peers[2].sent_size, 100);
    turn(1);
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.reasons[1], messi_disconnect_reason_connection_closed_t);
}

static void each_client_has_a_patience_of_its_own(void)
{
    begin(2);
    pass(2900);
    ping(0);
    CHECK_EQ(frames_sent(0, MESSI_MESSAGE_TYPE_PONG), 1);
    pass(99);
    CHECK_EQ(it.disconnected, 0);
    pass(1);
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.reasons[1], messi_disconnect_reason_keep_alive_timeout_t);
    pass(2799);
    CHECK_EQ(it.disconnected, 1);
    pass(101);
    CHECK_EQ(it.disconnected, 2);
    CHECK_EQ(it.reasons[0], messi_disconnect_reason_keep_alive_timeout_t);
}

/* Whoever waits for a time that is over waits for nothing, and is woken for nothing. */
static void no_timer_is_left_of_one_that_is_gone(void)
{
    begin(1);
    it.now_ms = it.timer_ms;
    it.timer_ms = UINT64_MAX;
    messi_server_enter(&it.server);
    messi_server_timeout(&it.server);
    messi_server_leave(&it.server);
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.timer_ms, UINT64_MAX);
}

static void too_many_clients(void)
{
    begin(3);
    CHECK_EQ(connect_one(), -1);
    CHECK_EQ(it.connected, 3);
    it.peers[1].is_ended = true;
    turn(1);
    CHECK_EQ(connect_one(), 1);
    CHECK_EQ(it.connected, 4);
}

static void partial_message_read_from_multiple_clients_and_send(void)
{
    static const uint8_t frame[] = { 1, 0, 0, 5, 'h', 'e', 'l', 'l', 'o' };
    size_t i;
    int index;

    begin(3);
    it.on_message = reply;

    for (i = 0; i < sizeof(frame); i++) {
        CHECK_EQ(it.messages, 0);

        for (index = 0; index < 3; index++) {
            arrive_bytes(index, &frame[i], 1);
            turn(index);
        }
    }

    CHECK_EQ(it.messages, 3);
    CHECK_EQ(it.peers[2].sent_size, 100);
}

static void send_message(void)
{
    begin(2);
    send_to(&it.clients[1], 92);
    CHECK_EQ(it.peers[0].sent_size, 0);
    CHECK_EQ(it.peers[1].sent_size, 100);
    CHECK_EQ(it.peers[1].sent[0], MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER);
}

static void send_another_message_after_first_failed(void)
{
    int i;

    begin(1);
    it.peers[0].room = 0;

    for (i = 0; i < 200; i++) {
        send_to(&it.clients[0], 92);
    }

    /* Outside of process it is told by the next timeout, which comes at once. */
    CHECK_EQ(it.disconnected, 0);
    CHECK_EQ(it.peers[0].closes, 1);
    pass(0);
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.reasons[0], messi_disconnect_reason_slow_consumer_t);
}

static void reply_with_no_current_client(void)
{
    begin(1);
    reply(NULL);
    say(0);
    reply(NULL);
    CHECK_EQ(it.peers[0].sent_size, 0);
    it.on_connected = reply;
    connect_one();
    CHECK_EQ(it.peers[1].sent_size, 0);
}

static void disconnect_client_fia(void)
{
    begin(3);
    disconnect(&it.clients[1]);
    CHECK_EQ(it.peers[1].closes, 1);
    CHECK_EQ(it.disconnected, 0);
    turn(0);
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.reasons[1], messi_disconnect_reason_requested_t);
}

static void disconnect_current_client(void)
{
    begin(2);
    it.on_message = disconnect_current;
    arrive(0, MESSI_MESSAGE_TYPE_CLIENT_TO_SERVER_USER, "x", 1);
    say(0);
    CHECK_EQ(it.messages, 1);
    CHECK_EQ(it.disconnected, 1);
    disconnect_current(NULL);
    turn(1);
    CHECK_EQ(it.disconnected, 1);
}

static void output_buffering(void)
{
    int i;

    begin(2);
    it.peers[0].room = 30;

    for (i = 0; i < 10; i++) {
        memset(blob, i, 92);
        send_to(&it.clients[0], 92);
        broadcast(92);
    }

    CHECK_EQ(it.peers[0].sent_size, 30);
    CHECK_EQ(messi_server_client_pending(&it.clients[0]), 1970);
    CHECK(it.peers[0].watches_output);
    CHECK_EQ(it.peers[1].sent_size, 1000);
    it.peers[0].room = 500;
    turn(0);
    CHECK(it.peers[0].watches_output);
    it.peers[0].room = SIZE_MAX;
    turn(0);
    CHECK(!it.peers[0].watches_output);
    CHECK(it.peers[0].watches_input);
    CHECK_EQ(it.peers[0].sent_size, 2000);

    for (i = 0; i < 20; i++) {
        CHECK_EQ(it.peers[0].sent[100 * i + 99], i / 2);
    }

    messi_server_stop(&it.server);
}

/* ------------------------------------------------------------------------------------------------- what is received */

static void a_new_connection_begins_from_nothing(void)
{
    static const uint8_t part[] = { 1, 0, 0, 100, 'h', 'a', 'l', 'f' };
    int i;

    begin(0);

    for (i = 0; i < SLOTS + 1; i++) {
        int index = connect_one();

        arrive_bytes(index, part, sizeof(part));
        turn(index);
        it.peers[index].room = 0;
        send_to(&it.clients[index], 92);
        it.peers[index].is_ended = true;
        turn(index);
    }

    CHECK_EQ(it.disconnected, SLOTS + 1);
    CHECK_EQ(connect_one(), 1);
    CHECK_EQ(messi_server_client_pending(&it.clients[1]), 0);
    say(1);
    CHECK_EQ(it.messages, 1);
    CHECK_EQ(it.peers[1].sent_size, 0);
}

static void a_pause_ends_with_its_connection(void)
{
    int i;

    begin(1);
    it.peers[0].room = 0;

    for (i = 0; i < 5; i++) {
        send_to(&it.clients[0], 1192);
    }

    it.peers[0].is_unreachable = true;
    disconnect(&it.clients[0]);
    pass(0);
    CHECK_EQ(it.disconnected, 1);

    /* The last one comes to its place. */
    for (i = 0; i < SLOTS; i++) {
        connect_one();
    }

    pass(3000);
    CHECK_EQ(it.disconnected, 1 + SLOTS);
    CHECK_EQ(it.reasons[0], messi_disconnect_reason_keep_alive_timeout_t);
}

/* ------------------------------------------------------------------------------------------------------------ wires */

static void check_sent(int index, size_t *at_p, const void *buf_p, size_t size)
{
    CHECK(*at_p + size <= it.peers[index].sent_size);
    CHECK(memcmp(&it.peers[index].sent[*at_p], buf_p, size) == 0);
    *at_p += size;
}

static void each_client_hears_its_own_wire(void)
{
    /* The same message, as each of them reads it. */
    static const uint8_t v1b[] = { 0, 0, 0, 2, 0, 0, 0, 7, 0x22, 5, 0x0a, 3, 'a', 'b', 'c' };
    static const uint8_t v2[] = { 2, 0, 0, 7, 0x22, 5, 0x0a, 3, 'a', 'b', 'c' };
    static const uint8_t zero[] = { 0 };
    static const uint8_t three[] = { 3 };
    size_t at = 0;

    begin_with(MESSI_WIRE_AUTO, 3);
    memcpy(blob, "abc", 3);
    broadcast(3);
    CHECK(!it.peers[0].watches_output);
    CHECK(it.peers[0].watches_input);
    turn(0);
    CHECK(strcmp(it.order, "") == 0);
    arrive_bytes(0, zero, 1);
    turn(0);
    arrive_bytes(1, three, 1);
    turn(1);
    broadcast(3);
    CHECK_EQ(it.peers[0].sent_size, 30);
    check_sent(0, &at, v1b, 15);
    check_sent(0, &at, v1b, 15);
    at = 0;
    CHECK_EQ(it.peers[1].sent_size, 22);
    check_sent(1, &at, v2, 11);
    check_sent(1, &at, v2, 11);
    CHECK_EQ(it.peers[2].sent_size, 0);
    /* Who comes to the same place begins from nothing. */
    it.peers[0].is_ended = true;
    turn(0);
    CHECK_EQ(connect_one(), 0);
    send_to(&it.clients[0], 3);
    CHECK_EQ(it.peers[0].sent_size, 0);
    arrive_bytes(0, three, 1);
    turn(0);
    at = 0;
    CHECK_EQ(it.peers[0].sent_size, 11);
    check_sent(0, &at, v2, 11);
    messi_server_stop(&it.server);
    CHECK_EQ(it.peers[2].sent_size, 0);
}

static void large_frames_wait_for_the_first_byte_too(void)
{
    static uint8_t message[50000];

    begin_with(MESSI_WIRE_AUTO, 1);
    it.server.message_p = message;
    it.server.message_size = sizeof(message);
    send_to(&it.clients[0], 40000);
    CHECK(messi_server_client_pending(&it.clients[0]) > 40000);
    CHECK_EQ(it.peers[0].sent_size, 0);
    messi_server_stop(&it.server);
}

static void disconnected_before_its_first_byte_it_is_gone_at_once(void)
{
    begin_with(MESSI_WIRE_AUTO, 1);
    send_to(&it.clients[0], 92);
    disconnect(&it.clients[0]);
    pass(0);
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.reasons[0], messi_disconnect_reason_requested_t);
    CHECK_EQ(it.peers[0].sent_size, 0);
}

/* A payload of 16 MiB is one byte more than v2 can say; a server that may have to speak v2 does not send it. */
static void the_largest_message_is_that_of_the_wire(void)
{
    static const enum messi_wire_t wires[] = {
        MESSI_WIRE_V2, MESSI_WIRE_V1B, MESSI_WIRE_V1A, MESSI_WIRE_AUTO, MESSI_WIRE_AUTO_V1A,
    };
    static uint8_t data[1u << 24];
    static uint8_t message[(1u << 24) + 100];
    struct bank_client_to_server_t upload;
    size_t i;
    size_t size;

    for (i = 0; i < sizeof(wires) / sizeof(wires[0]); i++) {
        bool is_v1 = (wires[i] == MESSI_WIRE_V1B || wires[i] == MESSI_WIRE_V1A);

        begin_with(wires[i], 1);
        it.server.message_p = message;
        it.server.message_size = sizeof(message);
        it.peers[0].room = 0;
        upload = *message_of(0);
        upload.messages.upload_req.data.buf_p = data;
        upload.messages.upload_req.data.size = (1u << 24) - 1 - 10;
        messi_server_send(&it.server, &it.clients[0], bank_client_to_server_fields, &upload);
        size = messi_server_client_pending(&it.clients[0]);
        CHECK_EQ(size, (1u << 24) - 1 + (wires[i] == MESSI_WIRE_V2 ? 4 : 8));
        messi_server_stop(&it.server);
        messi_server_start(&it.server);
        connect_one();
        it.peers[0].room = 0;
        upload.messages.upload_req.data.size++;
        messi_server_send(&it.server, &it.clients[0], bank_client_to_server_fields, &upload);
        size = messi_server_client_pending(&it.clients[0]);
        CHECK_EQ(size, is_v1 ? (1u << 24) + 8 : 0);
        messi_server_stop(&it.server);
    }
}

static void wires_that_cannot_be_are_refused(void)
{
    begin(0);
    CHECK_EQ(messi_server_set_wire(&it.server, MESSI_WIRE_V1B), -1);
    messi_server_stop(&it.server);
    CHECK_EQ(messi_server_set_wire(&it.server, MESSI_WIRE_AUTO_V1A), 0);
    CHECK_EQ(messi_server_set_wire(&it.server, (enum messi_wire_t)(MESSI_WIRE_AUTO_V1A + 1)), -1);
    CHECK_EQ(messi_server_set_wire(&it.server, (enum messi_wire_t)-1), -1);
    it.server.input_size = 7;
    CHECK_EQ(messi_server_set_wire(&it.server, MESSI_WIRE_V1B), -1);
    CHECK_EQ(messi_server_set_wire(&it.server, MESSI_WIRE_AUTO), -1);
    CHECK_EQ(messi_server_set_wire(&it.server, MESSI_WIRE_V2), 0);
    it.server.input_size = 8;
    CHECK_EQ(messi_server_set_wire(&it.server, MESSI_WIRE_V1B), 0);
    it.server.message_size = 7;
    CHECK_EQ(messi_server_set_wire(&it.server, MESSI_WIRE_V1A), -1);
    CHECK_EQ(messi_server_set_wire(&it.server, MESSI_WIRE_AUTO), -1);
    CHECK_EQ(messi_server_set_wire(&it.server, MESSI_WIRE_V2), 0);
}

/* ------------------------------------------------------------------------------------------ stopping in all places */

static void stopped_and_started_again_it_is_as_new(void)
{
    begin(3);
    messi_server_stop(&it.server);
    messi_server_start(&it.server);
    check_all_slots_can_be_used();
    messi_server_stop(&it.server);
    messi_server_stop(&it.server);
    messi_server_start(&it.server);
    messi_server_start(&it.server);
    check_all_slots_can_be_used();
}

static void stopped_in_any_callback_it_stays_stopped(void)
{
    begin(3);
    it.on_message = stop;
    arrive(0, MESSI_MESSAGE_TYPE_CLIENT_TO_SERVER_USER, "x", 1);
    say(0);
    CHECK_EQ(it.messages, 1);
    CHECK_EQ(it.timer_ms, UINT64_MAX);
    CHECK_EQ(it.disconnected, 0);
    CHECK_EQ(connect_one(), -1);

    begin(2);
    it.on_connected = stop;
    connect_one();
    CHECK_EQ(it.timer_ms, UINT64_MAX);
    CHECK_EQ(connect_one(), -1);

    begin(3);
    it.on_disconnected = stop;
    disconnect(&it.clients[0]);
    disconnect(&it.clients[1]);
    pass(0);
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.timer_ms, UINT64_MAX);
    messi_server_start(&it.server);
    check_all_slots_can_be_used();
}

static void started_again_in_any_callback_it_is_as_new(void)
{
    begin(3);
    it.on_message = stop_and_start;
    arrive(0, MESSI_MESSAGE_TYPE_CLIENT_TO_SERVER_USER, "x", 1);
    it.answer = messi_disconnect_reason_message_decode_error_t;
    say(0);
    CHECK_EQ(it.messages, 1);
    CHECK_EQ(it.disconnected, 0);
    check_all_slots_can_be_used();

    begin(2);
    it.on_connected = stop_and_start;
    connect_one();
    check_all_slots_can_be_used();

    begin(3);
    it.on_disconnected = stop_and_start;
    disconnect(&it.clients[0]);
    disconnect(&it.clients[1]);
    pass(0);
    CHECK_EQ(it.disconnected, 1);
    check_all_slots_can_be_used();
}

static void meddle(struct messi_server_client_t *client_p)
{
    int i;

    (void)client_p;

    for (i = 0; i < SLOTS; i++) {
        send_to(&it.clients[i], 92);
        disconnect(&it.clients[i]);
        send_to(&it.clients[i], 92);
        disconnect(&it.clients[i]);
    }

    broadcast(92);
    reply(NULL);
}

static void whatever_is_asked_of_whomever_is_safe(void)
{
    begin(3);
    it.on_message = meddle;
    it.on_disconnected = meddle;
    say(1);
    CHECK_EQ(it.disconnected, 3);
    CHECK_EQ(it.peers[0].sent_size, 100);
    CHECK_EQ(it.peers[1].sent_size, 100);
    CHECK_EQ(it.peers[2].sent_size, 100);
    meddle(NULL);
    check_all_slots_can_be_used();
    it.on_connected = meddle;
    messi_server_stop(&it.server);
    meddle(NULL);
    messi_server_start(&it.server);
    connect_one();
    connect_one();
    pass(10000);
    check_all_slots_can_be_used();
}

static void slots_that_are_free_longest_are_taken_first(void)
{
    begin(2);
    it.peers[0].is_ended = true;
    turn(0);
    CHECK_EQ(connect_one(), 2);
    CHECK_EQ(connect_one(), 0);
}

/* ----------------------------------------------------------------------------------------------------------- output */

static void reply_ten_times(struct messi_server_client_t *client_p)
{
    int i;

    for (i = 0; i < 10; i++) {
        reply(client_p);
    }
}

static void frames_of_one_turn_are_written_at_once(void)
{
    int i;

    begin(1);
    it.on_message = reply_ten_times;

    for (i = 0; i < 5; i++) {
        arrive(0, MESSI_MESSAGE_TYPE_CLIENT_TO_SERVER_USER, "x", 1);
    }

    turn(0);
    CHECK_EQ(it.peers[0].sent_size, 5000);
    CHECK_EQ(it.peers[0].writes, 1);
    CHECK_EQ(messi_server_client_pending(&it.clients[0]), 0);
}

static void reply_five_hundred_times(struct messi_server_client_t *client_p)
{
    int i;

    for (i = 0; i < 500; i++) {
        reply(client_p);
        CHECK(client_p->connection.output.size <= 32768);
    }
}

static void what_is_gathered_stays_little_and_is_not_slow(void)
{
    begin(1);
    it.on_message = reply_five_hundred_times;
    say(0);
    CHECK_EQ(it.disconnected, 0);
    CHECK_EQ(it.peers[0].sent_size, 50000);

    begin(1);
    messi_server_set_max_pending(&it.server, 1u << 20);
    it.on_message = reply_five_hundred_times;
    say(0);
    CHECK_EQ(it.peers[0].sent_size, 50000);
    CHECK(it.peers[0].writes <= 5);
}

static void what_is_pending_moves_up_before_it_takes_more_memory(void)
{
    size_t size;

    begin(1);
    it.peers[0].room = 0;
    send_to(&it.clients[0], 492);
    send_to(&it.clients[0], 392);
    size = it.clients[0].connection.output.size;
    it.peers[0].room = 600;
    turn(0);
    send_to(&it.clients[0], 492);
    CHECK_EQ(it.clients[0].connection.output.size, size);
    messi_server_stop(&it.server);
}

static void memory_grows_in_few_steps_and_for_all_that_is_pending(void)
{
    size_t size = 0;
    int steps = 0;

    begin(1);
    it.peers[0].room = 0;

    while (messi_server_client_pending(&it.clients[0]) + 20 <= 10000) {
        send_to(&it.clients[0], 12);
        steps += (it.clients[0].connection.output.size != size);
        size = it.clients[0].connection.output.size;
    }

    CHECK_EQ(size, 10000);
    /* 1024, 2048, 4096, 8192, and what may be pending. */
    CHECK_EQ(steps, 5);
    messi_server_stop(&it.server);

    /* Twice as much is too little for the second one, and enough for it alone. */
    begin(1);
    it.peers[0].room = 0;
    send_to(&it.clients[0], 990);
    send_to(&it.clients[0], 1990);
    CHECK_EQ(messi_server_client_pending(&it.clients[0]), 3000);
    CHECK(it.clients[0].connection.output.size >= 3000);
    it.peers[0].room = SIZE_MAX;
    turn(0);
    CHECK_EQ(frames_sent(0, MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER), 2);
}

static void reply_and_disconnect(struct messi_server_client_t *client_p)
{
    reply_ten_times(client_p);
    disconnect(client_p);
    reply_ten_times(client_p);
}

static void what_was_sent_before_a_disconnect_may_be_read(void)
{
    /* What comes of the message afterwards is no reason any more. */
    static const int answers[] = { MESSI_NO_REASON, messi_disconnect_reason_message_decode_error_t };
    int i;

    for (i = 0; i < 2; i++) {
        begin(1);
        it.on_message = reply_and_disconnect;
        it.answer = answers[i];
        it.peers[0].room = 100;
        /* Both are there at once, and nothing comes in after the disconnect. */
        arrive(0, MESSI_MESSAGE_TYPE_CLIENT_TO_SERVER_USER, "x", 1);
        say(0);
        CHECK_EQ(it.messages, 1);
        CHECK_EQ(it.peers[0].closes, 0);
        CHECK_EQ(it.disconnected, 0);
        CHECK(!it.peers[0].watches_input);
        say(0);
        CHECK_EQ(it.messages, 1);
        it.peers[0].room = SIZE_MAX;
        turn(0);
        CHECK_EQ(it.peers[0].sent_size, 1000);
        CHECK_EQ(it.peers[0].closes, 1);
        CHECK_EQ(it.disconnected, 1);
        CHECK_EQ(it.reasons[0], messi_disconnect_reason_requested_t);
    }

    /* One that does not is gone after a second. */
    begin(1);
    it.on_message = reply_and_disconnect;
    it.peers[0].room = 100;
    say(0);
    pass(900);
    CHECK_EQ(it.disconnected, 0);
    pass(200);
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.peers[0].closes, 1);
    CHECK_EQ(it.reasons[0], messi_disconnect_reason_requested_t);

    /* And one that cannot at once. */
    begin(1);
    it.on_message = reply_and_disconnect;
    it.peers[0].is_unreachable = true;
    say(0);
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.reasons[0], messi_disconnect_reason_requested_t);
}

static void stop_writes_what_is_pending(void)
{
    begin(1);
    it.peers[0].room = 0;
    send_to(&it.clients[0], 92);
    it.peers[0].room = SIZE_MAX;
    messi_server_stop(&it.server);
    CHECK_EQ(it.peers[0].sent_size, 100);
}

static void a_message_that_does_not_fit_is_not_sent(void)
{
    begin(1);
    send_to(&it.clients[0], MESSAGE_SIZE);
    broadcast(MESSAGE_SIZE);
    send_to(&it.clients[0], 92);
    turn(0);
    CHECK_EQ(it.peers[0].sent_size, 100);
    CHECK_EQ(it.disconnected, 0);
}

static void answers_take_no_memory_once_they_are_read(void)
{
    begin(1);
    it.peers[0].room = 0;

    while (messi_server_client_pending(&it.clients[0]) < 9000) {
        send_to(&it.clients[0], 1000);
    }

    CHECK(it.clients[0].connection.output.size <= 10000);
    it.peers[0].room = SIZE_MAX;
    turn(0);
    CHECK_EQ(it.clients[0].connection.output.size, 0);
    CHECK(it.clients[0].connection.output.buf_p == NULL);
}

static void wrong_arguments_are_refused(void)
{
    begin(0);
    CHECK_EQ(messi_server_init(&it.server, &platform, NULL, &callbacks, "tcp://4000", it.clients,
                               sizeof(it.clients[0]), SLOTS, &it.inputs[0][0], INPUT_SIZE, it.message_buf, 4),
             -1);
    CHECK_EQ(messi_server_init(&it.server, &platform, NULL, &callbacks, "tcp://:4000", it.clients,
                               sizeof(it.clients[0]), 0, &it.inputs[0][0], INPUT_SIZE, it.message_buf, 4),
             -1);
    CHECK_EQ(messi_server_init(&it.server, &platform, NULL, &callbacks, "tcp://:4000", it.clients,
                               sizeof(it.clients[0]), SLOTS, &it.inputs[0][0], 3, it.message_buf, 4),
             -1);
    CHECK_EQ(messi_server_init(&it.server, &platform, NULL, &callbacks, "tcp://:4000", it.clients,
                               sizeof(it.clients[0]), SLOTS, &it.inputs[0][0], INPUT_SIZE, it.message_buf, 3),
             -1);
}

static const struct test_t tests[] = {
    TEST(connect_and_disconnect_clients),
    TEST(broadcast_message),
    TEST(broadcast_message_one_client_fails),
    TEST(each_client_has_a_patience_of_its_own),
    TEST(no_timer_is_left_of_one_that_is_gone),
    TEST(too_many_clients),
    TEST(partial_message_read_from_multiple_clients_and_send),
    TEST(send_message),
    TEST(send_another_message_after_first_failed),
    TEST(reply_with_no_current_client),
    TEST(disconnect_client_fia),
    TEST(disconnect_current_client),
    TEST(output_buffering),
    TEST(a_new_connection_begins_from_nothing),
    TEST(a_pause_ends_with_its_connection),
    TEST(each_client_hears_its_own_wire),
    TEST(large_frames_wait_for_the_first_byte_too),
    TEST(disconnected_before_its_first_byte_it_is_gone_at_once),
    TEST(the_largest_message_is_that_of_the_wire),
    TEST(wires_that_cannot_be_are_refused),
    TEST(stopped_and_started_again_it_is_as_new),
    TEST(stopped_in_any_callback_it_stays_stopped),
    TEST(started_again_in_any_callback_it_is_as_new),
    TEST(whatever_is_asked_of_whomever_is_safe),
    TEST(slots_that_are_free_longest_are_taken_first),
    TEST(frames_of_one_turn_are_written_at_once),
    TEST(what_is_gathered_stays_little_and_is_not_slow),
    TEST(what_is_pending_moves_up_before_it_takes_more_memory),
    TEST(memory_grows_in_few_steps_and_for_all_that_is_pending),
    TEST(what_was_sent_before_a_disconnect_may_be_read),
    TEST(stop_writes_what_is_pending),
    TEST(a_message_that_does_not_fit_is_not_sent),
    TEST(answers_take_no_memory_once_they_are_read),
    TEST(wrong_arguments_are_refused),
};

int main(int argc, const char *argv[])
{
    return run_test(tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
