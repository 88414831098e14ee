/*
 * The client of messi.h on a platform that is made up: a transport that takes and gives what the test says, and a clock
 * that goes when the test says. Real sockets are in linux.c.
 */

#include <pb_encode.h>

#include "bank.pb.h"
#include "messi.h"

#include "check.h"

#define INPUT_SIZE 256u
#define OUTPUT_SIZE 256u
#define WIRE_SIZE (4u << 20)

/* What a test does when a message arrives, or when it is connected or disconnected. */
typedef void (*action_t)(void);

static struct {
    struct messi_client_t client;
    uint8_t input[INPUT_SIZE];
    uint8_t output[OUTPUT_SIZE];
    /* The transport. */
    uint8_t arrived[WIRE_SIZE];
    size_t arrived_begin;
    size_t arrived_end;
    bool is_ended;
    uint8_t sent[WIRE_SIZE];
    size_t sent_size;
    size_t room;
    size_t write_max;
    bool is_unreachable;
    int reads;
    int writes;
    int closes;
    bool watches_input;
    bool watches_output;
    /* The platform. */
    int addresses;
    int attempts;
    uint32_t timer_ms;
    /* The user. */
    int connected;
    int disconnected;
    int reason;
    int messages;
    int answer;
    uint8_t message[INPUT_SIZE];
    size_t message_size;
    action_t on_connected;
    action_t on_disconnected;
    action_t on_message;
} it;

static uint8_t blob[17u << 20];

/* --------------------------------------------------------------------------------------------------------- platform */

static ptrdiff_t fake_read(struct messi_connection_t *connection_p, void *buf_p, size_t size)
{
    size_t there = it.arrived_end - it.arrived_begin;

    CHECK(connection_p->is_open);
    /* A socket that is asked for nothing says the end. */
    CHECK(size > 0);
    it.reads++;

    if (there == 0) {
        return it.is_ended ? -1 : 0;
    }

    size = (size < there ? size : there);
    memcpy(buf_p, &it.arrived[it.arrived_begin], size);
    it.arrived_begin += size;

    return (ptrdiff_t)size;
}

static ptrdiff_t fake_write(struct messi_connection_t *connection_p, const void *buf_p, size_t size)
{
    (void)connection_p;
    it.writes++;

    if (it.is_unreachable) {
        return -1;
    }

    size = (size < it.room ? size : it.room);
    size = (size < it.write_max ? size : it.write_max);
    CHECK(it.sent_size + size <= WIRE_SIZE);
    memcpy(&it.sent[it.sent_size], buf_p, size);
    it.sent_size += size;
    it.room -= size;

    return (ptrdiff_t)size;
}

static int fake_watch(struct messi_connection_t *connection_p, bool input, bool output)
{
    (void)connection_p;
    it.watches_input = input;
    it.watches_output = output;

    return 0;
}

static void fake_close(struct messi_connection_t *connection_p)
{
    (void)connection_p;
    it.closes++;
    it.watches_input = false;
    it.watches_output = false;
}

static int fake_connect(struct messi_client_t *client_p, bool is_first)
{
    static int next;

    (void)client_p;
    next = (is_first ? 1 : next + 1);

    if (next > it.addresses) {
        return -1;
    }

    it.attempts++;

    return 0;
}

static void fake_set_timer(struct messi_client_t *client_p, uint32_t milliseconds)
{
    (void)client_p;
    it.timer_ms = milliseconds;
}

static const struct messi_client_platform_t platform = {
    { fake_read, fake_write, fake_watch, fake_close },
    fake_connect,
    fake_set_timer
};

static void on_connected(struct messi_client_t *client_p)
{
    CHECK(client_p == &it.client);
    it.connected++;

    if (it.on_connected != NULL) {
        it.on_connected();
    }
}

static void on_disconnected(struct messi_client_t *client_p, enum messi_disconnect_reason_t reason)
{
    CHECK(client_p == &it.client);
    it.disconnected++;
    it.reason = (int)reason;

    if (it.on_disconnected != NULL) {
        it.on_disconnected();
    }
}

static int on_message(struct messi_client_t *client_p, const uint8_t *buf_p, size_t size)
{
    CHECK(client_p == &it.client);
    CHECK(size <= sizeof(it.message));
    it.messages++;
    memcpy(it.message, buf_p, size);
    it.message_size = size;

    if (it.on_message != NULL) {
        it.on_message();
    }

    return it.answer;
}

static const struct messi_client_callbacks_t callbacks = { on_connected, on_disconnected, on_message };

/* ------------------------------------------------------------------------------------------------------------ steps */

static void begin_with(size_t max_pending)
{
    memset(&it, 0, sizeof(it));
    it.addresses = 1;
    it.room = SIZE_MAX;
    it.write_max = SIZE_MAX;
    it.answer = MESSI_NO_REASON;
    it.reason = -1;
    CHECK_EQ(messi_client_init(&it.client, &platform, &callbacks, "tcp://server:4000", it.input, INPUT_SIZE, it.output,
                               OUTPUT_SIZE),
             0);
    messi_client_set_max_pending(&it.client, max_pending);
}

static void connect_it(void)
{
    messi_client_enter(&it.client);
    messi_client_connected(&it.client);
    messi_client_leave(&it.client);
}

static void begin_connected(size_t max_pending)
{
    begin_with(max_pending);
    messi_client_start(&it.client);
    connect_it();
    CHECK_EQ(it.connected, 1);
}

/* The platform's part of an event loop. */
static void turn(void)
{
    messi_client_enter(&it.client);

    if (it.watches_output && it.room > 0) {
        messi_client_output(&it.client);
    }

    if (it.watches_input && (it.arrived_begin < it.arrived_end || it.is_ended)) {
        messi_client_input(&it.client);
    }

    messi_client_leave(&it.client);
}

static void fire(void)
{
    CHECK(it.timer_ms > 0);
    it.timer_ms = 0;
    messi_client_enter(&it.client);
    messi_client_timeout(&it.client);
    messi_client_leave(&it.client);
}

static void arrive_bytes(const void *buf_p, size_t size)
{
    if (it.arrived_begin == it.arrived_end) {
        it.arrived_begin = 0;
        it.arrived_end = 0;
    }

    CHECK(it.arrived_end + size <= WIRE_SIZE);

    if (size > 0) {
        memcpy(&it.arrived[it.arrived_end], buf_p, size);
        it.arrived_end += size;
    }
}

static void arrive(uint8_t type, const void *payload_p, size_t size)
{
    struct messi_header_t header;

    messi_header_create(&header, type, (uint32_t)size);
    arrive_bytes(&header, sizeof(header));
    arrive_bytes(payload_p, size);
}

/* Sends a message whose frame has `size` bytes, at least 12. */
static void send_frame(size_t size)
{
    struct bank_client_to_server_t message;
    size_t data = size - 8;

    memset(&message, 0, sizeof(message));
    message.which_messages = bank_client_to_server_upload_req_tag;
    message.messages.upload_req.data.buf_p = blob;

    /* Two tags and two lengths, each of a size that depends on what it says. */
    for (;;) {
        size_t encoded;

        message.messages.upload_req.data.size = data;
        CHECK(pb_get_encoded_size(&encoded, bank_client_to_server_fields, &message));

        if (encoded + 4 == size) {
            break;
        }

        CHECK(encoded + 4 > size);
        data--;
    }

    messi_client_send(&it.client, bank_client_to_server_fields, &message);
}

static void send_20(void)
{
    send_frame(20);
}

/* How many frames were sent since, which all are whole. */
static int frames_sent(int type)
{
    size_t at = 0;
    int count = 0;

    while (at < it.sent_size) {
        size_t size = ((size_t)it.sent[at + 1] << 16) | ((size_t)it.sent[at + 2] << 8) | it.sent[at + 3];

        count += (it.sent[at] == type);
        at += 4 + size;
    }

    CHECK_EQ(at, it.sent_size);

    return count;
}

static void stop(void)
{
    messi_client_stop(&it.client);
}

static void stop_and_start(void)
{
    messi_client_stop(&it.client);
    messi_client_start(&it.client);
}

/* ------------------------------------------------------------------------------------------------ Messi's own list */

static void connect_and_disconnect(void)
{
    begin_with(0);
    messi_client_start(&it.client);
    /* Nothing is called by start itself. */
    CHECK_EQ(it.connected, 0);
    CHECK_EQ(it.attempts, 1);
    connect_it();
    CHECK_EQ(it.connected, 1);
    CHECK(messi_client_is_connected(&it.client));
    stop();
    CHECK_EQ(it.closes, 1);
    CHECK_EQ(it.disconnected, 0);
    CHECK_EQ(it.timer_ms, 0);
    CHECK(!messi_client_is_connected(&it.client));
}

static void fail_to_connect(void)
{
    messi_client_enter(&it.client);
    messi_client_connect_failed(&it.client);
    messi_client_leave(&it.client);
}

static void connect_successful_on_second_attempt(void)
{
    begin_with(0);
    messi_client_set_reconnect_delay(&it.client, 1000);
    messi_client_start(&it.client);
    fail_to_connect();
    CHECK_EQ(it.timer_ms, 1000);
    fire();
    CHECK_EQ(it.attempts, 2);
    connect_it();
    CHECK_EQ(it.connected, 1);
    CHECK_EQ(it.disconnected, 0);
}

static void keep_alive_ping_write_error_disconnect(void)
{
    begin_connected(0);
    it.is_unreachable = true;
    fire();
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.reason, messi_disconnect_reason_general_error_t);
}

static void server_disconnects(void)
{
    begin_connected(0);
    messi_client_set_reconnect_delay(&it.client, 1000);
    it.is_ended = true;
    turn();
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.reason, messi_disconnect_reason_connection_closed_t);
    CHECK_EQ(it.closes, 1);
    CHECK_EQ(it.timer_ms, 1000);
    it.is_ended = false;
    fire();
    connect_it();
    CHECK_EQ(it.connected, 2);
}

static void send_another_message_after_first_failed(void)
{
    begin_connected(0);
    send_frame(OUTPUT_SIZE + 1);
    send_20();
    CHECK_EQ(it.disconnected, 0);
    CHECK_EQ(it.closes, 1);
    CHECK_EQ(it.sent_size, 0);
    /* It is told soon, even if nothing else happens. */
    CHECK_EQ(it.timer_ms, 1);
    fire();
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.closes, 1);
}

static void encode_error(void)
{
    begin_connected(0);
    send_frame(OUTPUT_SIZE);
    CHECK_EQ(it.sent_size, OUTPUT_SIZE);
    send_frame(OUTPUT_SIZE + 1);
    turn();
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.reason, messi_disconnect_reason_message_encode_error_t);
}

/* ------------------------------------------------------------------------------------------------- what is received */

static void many_frames_are_read_at_once(void)
{
    int i;

    begin_connected(0);
    it.reads = 0;

    for (i = 0; i < 50; i++) {
        arrive(MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER, "x", 1);
    }

    turn();
    CHECK_EQ(it.messages, 50);
    CHECK_EQ(it.reads, 1);
}

static void a_turn_is_bounded(void)
{
    int i;

    begin_connected(0);

    for (i = 0; i < 10000; i++) {
        arrive(MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER, "x", 1);
    }

    turn();
    CHECK(it.messages > 0 && it.messages < 1000);

    for (i = 0; i < 1000; i++) {
        turn();
    }

    CHECK_EQ(it.messages, 10000);
}

/* --------------------------------------------------------------------------------------- defects that stay away */

static void a_new_connection_begins_from_nothing(void)
{
    static const uint8_t part[] = { 2, 0, 0, 200, 'h', 'a', 'l', 'f' };

    begin_connected(0);
    fire();
    arrive_bytes(part, sizeof(part));
    turn();
    it.is_ended = true;
    turn();
    CHECK_EQ(it.disconnected, 1);
    it.is_ended = false;
    fire();
    connect_it();
    arrive(MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER, "whole", 5);
    turn();
    CHECK_EQ(it.messages, 1);
    CHECK_EQ(it.message_size, 5);
    /* Nobody has left the ping of the earlier one unanswered. */
    fire();
    CHECK_EQ(it.disconnected, 1);
}

static void a_server_that_was_slow_comes_back_as_new(void)
{
    int life;
    int pings;

    begin_connected(1000);

    for (life = 0; life < 2; life++) {
        it.room = 0;
        send_frame(200);
        send_frame(200);
        send_frame(200);

        for (pings = 0; pings < 4; pings++) {
            CHECK_EQ(it.disconnected, life);
            it.is_unreachable = (pings == 3);
            fire();
        }

        CHECK_EQ(it.reason, messi_disconnect_reason_general_error_t);
        it.is_unreachable = false;
        fire();
        connect_it();
        CHECK_EQ(it.connected, life + 2);
    }

    it.room = SIZE_MAX;
    send_20();
    CHECK_EQ(it.sent_size, 20);
}

static void what_follows_too_big_a_message_is_not_written_past_the_buffer(void)
{
    static const uint8_t header[] = { 2, 255, 255, 255 };

    begin_connected(0);
    arrive_bytes(header, sizeof(header));
    turn();
    CHECK_EQ(it.reason, messi_disconnect_reason_message_too_big_t);
    it.arrived_begin = it.arrived_end;
    fire();
    connect_it();
    /* Frames, and then so much that a length kept from before would take it past the buffer. */
    arrive(MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER, "x", 1);
    arrive(0, blob, INPUT_SIZE - 4);
    arrive(0, blob, INPUT_SIZE - 4);
    turn();
    CHECK_EQ(it.messages, 1);
    CHECK_EQ(it.disconnected, 1);
}

static void sending_while_disconnected_does_nothing(void)
{
    begin_with(0);
    send_20();
    messi_client_start(&it.client);
    send_20();
    connect_it();
    turn();
    CHECK_EQ(it.sent_size, 0);
    CHECK_EQ(it.disconnected, 0);
    CHECK_EQ(it.closes, 0);
    it.is_ended = true;
    turn();
    send_20();
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.closes, 1);
    it.is_ended = false;
    fire();
    connect_it();
    turn();
    CHECK_EQ(it.sent_size, 0);
    CHECK_EQ(it.connected, 2);
    CHECK_EQ(it.disconnected, 1);
}

static void stopped_in_a_callback_it_stays_stopped(void)
{
    int i;

    begin_connected(0);
    it.on_message = stop;

    /* More than is read at once. */
    for (i = 0; i < 100; i++) {
        arrive(MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER, "x", 1);
    }

    turn();
    CHECK_EQ(it.messages, 1);
    CHECK_EQ(it.timer_ms, 0);
    CHECK_EQ(it.disconnected, 0);

    begin_with(0);
    it.on_connected = stop;
    messi_client_start(&it.client);
    connect_it();
    CHECK_EQ(it.timer_ms, 0);

    begin_connected(0);
    it.on_disconnected = stop;
    it.is_ended = true;
    turn();
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.timer_ms, 0);
}

static void started_again_in_a_callback_it_begins_anew(void)
{
    begin_connected(0);
    it.on_message = stop_and_start;
    arrive(MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER, "x", 1);
    arrive(MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER, "y", 1);
    turn();
    CHECK_EQ(it.messages, 1);
    CHECK_EQ(it.attempts, 2);
    it.arrived_begin = it.arrived_end;
    it.on_message = NULL;
    connect_it();
    CHECK_EQ(it.connected, 2);
    arrive(MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER, "z", 1);
    turn();
    CHECK_EQ(it.messages, 2);
    CHECK_EQ(it.message[0], 'z');
    CHECK_EQ(it.disconnected, 0);

    /* An answer that ends the connection is about the one that is gone. */
    it.on_message = stop_and_start;
    it.answer = messi_disconnect_reason_message_decode_error_t;
    arrive(MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER, "x", 1);
    turn();
    connect_it();
    CHECK_EQ(it.connected, 3);
    CHECK_EQ(it.disconnected, 0);
}

static void started_twice_it_connects_once(void)
{
    begin_with(0);
    messi_client_start(&it.client);
    messi_client_start(&it.client);
    CHECK_EQ(it.attempts, 1);
    connect_it();
    messi_client_start(&it.client);
    CHECK_EQ(it.attempts, 1);
    stop();
    stop();
    CHECK_EQ(it.closes, 1);
}

static void send_too_large(void)
{
    send_frame(OUTPUT_SIZE + 1);
}

static void the_first_reason_is_the_reason(void)
{
    begin_connected(0);
    it.on_message = send_too_large;
    it.answer = messi_disconnect_reason_message_decode_error_t;
    arrive(MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER, "x", 1);
    turn();
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.reason, messi_disconnect_reason_message_encode_error_t);
}

static void what_arrived_before_a_write_failed_is_delivered(void)
{
    begin_connected(0);
    arrive(MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER, "last", 4);
    it.is_ended = true;
    it.is_unreachable = true;
    send_20();
    turn();
    turn();
    CHECK_EQ(it.messages, 1);
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.reason, messi_disconnect_reason_connection_closed_t);
}

/* ----------------------------------------------------------------------------------------------------------- output */

static void send_five(void)
{
    int i;

    for (i = 0; i < 5; i++) {
        send_frame(30);
    }
}

static void frames_of_a_callback_are_written_at_once(void)
{
    begin_connected(0);
    it.on_message = send_five;
    arrive(MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER, "x", 1);
    turn();
    CHECK_EQ(it.writes, 1);
    CHECK_EQ(it.sent_size, 150);
    CHECK_EQ(frames_sent(MESSI_MESSAGE_TYPE_CLIENT_TO_SERVER_USER), 5);
}

static void send_hundred(void)
{
    int i;

    for (i = 0; i < 100; i++) {
        send_frame(30);
    }
}

static void a_callback_may_send_more_than_the_buffer_takes(void)
{
    begin_connected(0);
    it.on_message = send_hundred;
    arrive(MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER, "x", 1);
    turn();
    CHECK_EQ(frames_sent(MESSI_MESSAGE_TYPE_CLIENT_TO_SERVER_USER), 100);
    CHECK(it.writes <= 14);
    CHECK_EQ(it.disconnected, 0);
}

static void what_is_pending_is_sent_in_order_whatever_the_pieces(void)
{
    static const size_t pieces[] = { 1, 3, 7, 100, 1000 };
    size_t i;

    for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        size_t sent = 0;
        int frames;

        begin_connected(100000);
        it.room = 0;
        it.write_max = pieces[i];

        for (frames = 0; frames < 115; frames++) {
            size_t size = 12 + (size_t)frames;

            memset(blob, frames, size);
            it.room = (frames % 3 == 0 ? 17 : 0);
            send_frame(size);
            sent += size;
            turn();
        }

        it.room = SIZE_MAX;

        while (it.watches_output) {
            turn();
        }

        CHECK_EQ(it.sent_size, sent);
        CHECK_EQ(frames_sent(MESSI_MESSAGE_TYPE_CLIENT_TO_SERVER_USER), 115);
        sent = 0;

        for (frames = 0; frames < 115; frames++) {
            sent += 12 + (size_t)frames;
            CHECK_EQ(it.sent[sent - 1], frames);
        }

        CHECK_EQ(messi_client_pending(&it.client), 0);
        CHECK_EQ(it.disconnected, 0);
        stop();
    }
}

static void without_malloc_the_output_buffer_is_all_there_is(void)
{
    begin_connected(0);
    it.room = 0;
    send_frame(100);
    send_frame(100);
    CHECK_EQ(messi_client_pending(&it.client), 200);
    CHECK(it.client.connection.output.buf_p == it.output);
    it.room = 150;
    turn();
    CHECK_EQ(messi_client_pending(&it.client), 50);
    /* There is room again, if what is left is moved. */
    send_frame(150);
    CHECK_EQ(messi_client_pending(&it.client), 200);
    CHECK(it.client.connection.output.buf_p == it.output);
    send_frame(57);
    turn();
    CHECK_EQ(it.reason, messi_disconnect_reason_slow_consumer_t);

    /* A ping that finds no room is not missed. */
    begin_connected(0);
    it.room = 0;
    send_frame(OUTPUT_SIZE - 2);
    fire();
    CHECK_EQ(messi_client_pending(&it.client), OUTPUT_SIZE - 2);
    CHECK(it.client.connection.output.buf_p == it.output);
    CHECK_EQ(it.disconnected, 0);

    begin_connected(0);
    it.room = 0;
    send_frame(100);
    send_frame(OUTPUT_SIZE + 1);
    turn();
    CHECK_EQ(it.reason, messi_disconnect_reason_message_encode_error_t);
}

static void large_frames_follow_each_other_in_one_buffer(void)
{
    static uint8_t output[65536];
    size_t i;
    int frame;

    begin_with(0);
    CHECK_EQ(messi_client_init(&it.client, &platform, &callbacks, "tcp://server:4000", it.input, INPUT_SIZE, output,
                               sizeof(output)),
             0);
    messi_client_start(&it.client);
    connect_it();
    it.room = 0;

    for (frame = 0; frame < 3; frame++) {
        /* Of the last one a part finds room, and the rest moves to the front of the buffer that it is in. */
        it.room = (frame == 2 ? 130000 : 0);

        for (i = 0; i < 60000; i++) {
            blob[i] = (uint8_t)(i * 7 + (size_t)frame);
        }

        send_frame(60000);
    }

    it.room = SIZE_MAX;
    turn();
    CHECK_EQ(it.sent_size, 180000);

    for (frame = 0; frame < 3; frame++) {
        for (i = 100; i < 60000; i++) {
            /* The data are the end of the frame. */
            CHECK_EQ(it.sent[60000 * (size_t)frame + i], (uint8_t)((i - 12) * 7 + (size_t)frame));
        }
    }
}

static void read_more(void)
{
    send_frame(100);
}

static void a_server_that_does_not_read_is_not_read_from(void)
{
    int i;

    begin_connected(1000);
    it.room = 0;
    it.on_message = read_more;

    /* More than is read at once. */
    for (i = 0; i < 100; i++) {
        arrive(MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER, "x", 1);
    }

    turn();
    CHECK_EQ(it.messages, 6);
    CHECK(!it.watches_input);
    turn();
    CHECK_EQ(it.messages, 6);
    CHECK_EQ(it.disconnected, 0);
    /* One less than half: what was read already goes on without anything new to read. */
    it.room = 200;
    turn();
    CHECK_EQ(it.messages, 8);
    it.room = SIZE_MAX;

    for (i = 0; i < 50; i++) {
        turn();
    }

    CHECK_EQ(it.messages, 100);
    CHECK(it.watches_input);
    CHECK(!it.watches_output);
    CHECK_EQ(it.disconnected, 0);
}

static void what_was_left_is_looked_at_although_a_send_made_the_room(void)
{
    int i;

    begin_connected(1000);
    it.room = 0;
    it.on_message = read_more;

    for (i = 0; i < 10; i++) {
        arrive(MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER, "x", 1);
    }

    turn();
    CHECK_EQ(it.messages, 6);
    it.on_message = NULL;
    it.room = SIZE_MAX;
    /* Finds no room, writes all of it, and is the only event: nothing arrives any more. */
    messi_client_enter(&it.client);
    send_frame(200);
    messi_client_leave(&it.client);

    for (i = 0; i < 3; i++) {
        turn();
    }

    CHECK_EQ(it.messages, 10);
}

static void a_message_larger_than_a_header_can_say_is_not_sent(void)
{
    static uint8_t output[(17u << 20)];

    begin_with(0);
    CHECK_EQ(messi_client_init(&it.client, &platform, &callbacks, "tcp://server:4000", it.input, INPUT_SIZE, output,
                               sizeof(output)),
             0);
    messi_client_start(&it.client);
    connect_it();
    it.room = 0;
    send_frame((1u << 24) - 1 + 4);
    CHECK_EQ(messi_client_pending(&it.client), (1u << 24) - 1 + 4);
    CHECK_EQ(output[1], 255);
    CHECK_EQ(output[2], 255);
    CHECK_EQ(output[3], 255);
    stop();
    messi_client_start(&it.client);
    connect_it();
    send_frame((1u << 24) + 4);
    turn();
    CHECK_EQ(it.disconnected, 1);
    CHECK_EQ(it.reason, messi_disconnect_reason_message_encode_error_t);
    CHECK_EQ(it.sent_size, 0);
}

/* ------------------------------------------------------------------------------------------------------------ wires */

static void begin_connected_with(enum messi_wire_t wire, size_t max_pending)
{
    begin_with(max_pending);
    CHECK_EQ(messi_client_set_wire(&it.client, wire), 0);
    messi_client_start(&it.client);
    connect_it();
}

/* A message whose payload has `size` bytes, which is none of those where a length within needs a byte more. */
static void send_payload(size_t size)
{
    struct bank_client_to_server_t message;
    size_t encoded;
    size_t data = (size > 16 ? size - 16 : 0);

    memset(&message, 0, sizeof(message));
    message.which_messages = bank_client_to_server_upload_req_tag;
    message.messages.upload_req.data.buf_p = blob;

    do {
        message.messages.upload_req.data.size = data++;
        CHECK(pb_get_encoded_size(&encoded, bank_client_to_server_fields, &message));
        CHECK(encoded <= size);
    } while (encoded < size);

    messi_client_send(&it.client, bank_client_to_server_fields, &message);
}

static void older_wires_may_fill_the_buffers_and_no_more(void)
{
    static const uint8_t type[] = { 0, 0, 0, 2 };
    static const uint8_t sizes[][4] = { { 0, 0, 0, INPUT_SIZE - 8 }, { 0, 0, 0, INPUT_SIZE - 8 + 1 },
                                        { 1, 0, 0, 0 },              { 255, 255, 255, 255 } };
    size_t i;

    for (i = 0; i < 4; i++) {
        begin_connected_with(MESSI_WIRE_V1B, 0);
        arrive_bytes(type, 4);
        arrive_bytes(sizes[i], 4);
        arrive_bytes(blob, i == 0 ? INPUT_SIZE - 8 : 0);
        turn();
        CHECK_EQ(it.messages, i == 0);
        CHECK_EQ(it.reason, i == 0 ? -1 : (int)messi_disconnect_reason_message_too_big_t);
    }

    begin_connected_with(MESSI_WIRE_V1B, 0);
    send_payload(OUTPUT_SIZE - 8);
    CHECK_EQ(it.sent_size, OUTPUT_SIZE);
    send_payload(OUTPUT_SIZE - 8 + 1);
    turn();
    CHECK_EQ(it.reason, messi_disconnect_reason_message_encode_error_t);

    /* Behind another one it is slow if it would fit alone. */
    for (i = 0; i < 2; i++) {
        begin_connected_with(MESSI_WIRE_V1B, 0);
        it.room = 0;
        send_payload(20);
        send_payload(OUTPUT_SIZE - 8 + i);
        turn();
        CHECK_EQ(it.reason, i == 0 ? messi_disconnect_reason_slow_consumer_t
                                   : messi_disconnect_reason_message_encode_error_t);
    }

    /* With less room than for a header, too. */
    for (i = 1; i < 8; i++) {
        begin_connected_with(MESSI_WIRE_V1B, 0);
        it.room = 0;
        send_payload(OUTPUT_SIZE - 8 - i);
        send_payload(7);
        turn();
        CHECK_EQ(it.reason, messi_disconnect_reason_slow_consumer_t);
    }

    /* And a ping that finds no room is not missed. */
    begin_connected_with(MESSI_WIRE_V1A, 0);
    it.room = 0;
    send_payload(OUTPUT_SIZE - 8 - 7);
    fire();
    CHECK_EQ(messi_client_pending(&it.client), OUTPUT_SIZE - 7);
    CHECK_EQ(it.disconnected, 0);
}

static void older_wires_carry_more_than_16_mib(void)
{
    static uint8_t output[(17u << 20)];

    begin_with(0);
    CHECK_EQ(messi_client_init(&it.client, &platform, &callbacks, "tcp://server:4000", it.input, INPUT_SIZE, output,
                               sizeof(output)),
             0);
    CHECK_EQ(messi_client_set_wire(&it.client, MESSI_WIRE_V1A), 0);
    messi_client_start(&it.client);
    connect_it();
    it.room = 0;
    send_payload((1u << 24) + 5);
    CHECK_EQ(messi_client_pending(&it.client), (1u << 24) + 5 + 8);
    CHECK(memcmp(output, "\0\0\0\1\1\0\0\5", 8) == 0);
}

static void wires_that_cannot_be_are_refused(void)
{
    begin_with(0);
#ifndef MESSI_NO_V1
    CHECK_EQ(messi_client_set_wire(&it.client, MESSI_WIRE_V1A), 0);
    it.client.connection.input.size = 7;
    CHECK_EQ(messi_client_set_wire(&it.client, MESSI_WIRE_V1B), -1);
    it.client.connection.input.size = 8;
    CHECK_EQ(messi_client_set_wire(&it.client, MESSI_WIRE_V1B), 0);
    it.client.connection.output.fixed_size = 7;
    CHECK_EQ(messi_client_set_wire(&it.client, MESSI_WIRE_V1B), -1);
    CHECK_EQ(messi_client_set_wire(&it.client, MESSI_WIRE_V2), 0);
    it.client.connection.output.fixed_size = 8;
    CHECK_EQ(messi_client_set_wire(&it.client, MESSI_WIRE_V1B), 0);
#else
    CHECK_EQ(messi_client_set_wire(&it.client, MESSI_WIRE_V1A), -1);
    CHECK_EQ(messi_client_set_wire(&it.client, MESSI_WIRE_V1B), -1);
#endif
    CHECK_EQ(messi_client_set_wire(&it.client, MESSI_WIRE_V2), 0);
    CHECK_EQ(messi_client_set_wire(&it.client, MESSI_WIRE_AUTO), -1);
    CHECK_EQ(messi_client_set_wire(&it.client, MESSI_WIRE_AUTO_V1A), -1);
    CHECK_EQ(messi_client_set_wire(&it.client, (enum messi_wire_t)-1), -1);
    messi_client_start(&it.client);
    CHECK_EQ(messi_client_set_wire(&it.client, MESSI_WIRE_V2), -1);
    connect_it();
    CHECK_EQ(messi_client_set_wire(&it.client, MESSI_WIRE_V2), -1);
    stop();
    CHECK_EQ(messi_client_set_wire(&it.client, MESSI_WIRE_V2), 0);
}

static void stop_writes_what_is_pending(void)
{
    begin_connected(0);
    it.room = 0;
    send_20();
    it.room = SIZE_MAX;
    stop();
    CHECK_EQ(it.sent_size, 20);
}

/* ------------------------------------------------------------------------------------------------------- connecting */

static void an_attempt_to_connect_ends_after_five_seconds(void)
{
    begin_with(0);
    messi_client_start(&it.client);
    CHECK_EQ(it.timer_ms, 5000);
    fire();
    CHECK_EQ(it.closes, 1);
    CHECK(it.timer_ms <= 101);
    fire();
    CHECK_EQ(it.attempts, 2);
    CHECK_EQ(it.timer_ms, 5000);
}

static void all_addresses_are_tried(void)
{
    begin_with(0);
    it.addresses = 3;
    messi_client_start(&it.client);
    fail_to_connect();
    CHECK_EQ(it.attempts, 2);
    CHECK_EQ(it.timer_ms, 5000);
    fire();
    CHECK_EQ(it.attempts, 3);
    connect_it();
    CHECK_EQ(it.connected, 1);
}

static void pauses_double_to_thirty_seconds_with_full_jitter(void)
{
    uint32_t limit = 100;
    uint32_t largest = 0;
    uint32_t smallest = UINT32_MAX;
    int i;

    begin_with(0);
    messi_client_start(&it.client);

    for (i = 0; i < 300; i++) {
        fail_to_connect();
        CHECK(it.timer_ms >= 1 && it.timer_ms <= limit);

        if (i > 10) {
            largest = (it.timer_ms > largest ? it.timer_ms : largest);
            smallest = (it.timer_ms < smallest ? it.timer_ms : smallest);
        }

        limit = (2 * limit < 30000 ? 2 * limit : 30000);
        fire();
    }

    CHECK(largest > 25000);
    CHECK(smallest < 5000);
}

/* No timer at all is what a pause of nothing would be, and the client would never come again. */
static void every_pause_ends(void)
{
    uint32_t longest = 0;
    uint32_t seed;

    for (seed = 0; seed < 3000; seed++) {
        begin_with(0);
        messi_client_set_seed(&it.client, seed);
        messi_client_start(&it.client);
        fail_to_connect();
        CHECK(it.timer_ms > 0);
        CHECK(it.timer_ms <= 100);
        longest = (it.timer_ms > longest ? it.timer_ms : longest);
    }

    CHECK_EQ(longest, 100);
}

static void seeds_make_different_pauses(void)
{
    uint32_t pauses[2][10];
    int seed;
    int i;

    for (seed = 0; seed < 2; seed++) {
        begin_with(0);
        messi_client_set_seed(&it.client, (uint32_t)seed);
        messi_client_start(&it.client);

        for (i = 0; i < 10; i++) {
            fail_to_connect();
            pauses[seed][i] = it.timer_ms;
            fire();
        }
    }

    CHECK(memcmp(pauses[0], pauses[1], sizeof(pauses[0])) != 0);
}

static void only_a_healthy_connection_makes_pauses_short_again(void)
{
    int i;

    begin_with(0);
    messi_client_start(&it.client);

    for (i = 0; i < 20; i++) {
        fail_to_connect();
        fire();
    }

    connect_it();

    for (i = 0; i < 4; i++) {
        fire();
        arrive(MESSI_MESSAGE_TYPE_PONG, NULL, 0);
        turn();
    }

    CHECK_EQ(it.client.backoff_ms, 30000);
    it.is_ended = true;
    turn();
    CHECK_EQ(it.client.backoff_ms, 30000);
    it.is_ended = false;
    fire();
    connect_it();

    for (i = 0; i < 5; i++) {
        fire();
        arrive(MESSI_MESSAGE_TYPE_PONG, NULL, 0);
        turn();
    }

    it.is_ended = true;
    turn();
    CHECK(it.timer_ms <= 100);
    CHECK_EQ(it.disconnected, 2);

    /* That one was, and those after it are not. */
    for (i = 0; i < 20; i++) {
        fire();
        connect_it();
        turn();
    }

    CHECK_EQ(it.disconnected, 22);
    CHECK_EQ(it.client.backoff_ms, 30000);
}

static void wrong_arguments_are_refused(void)
{
    static const struct {
        const char *uri_p;
        size_t input_size;
        size_t output_size;
    } wrong[] = {
        { "tcp://:4000", 256, 256 },   { "tcp://server:0", 256, 256 }, { "tcp://server", 256, 256 },
        { "tcp://server:4000", 3, 256 }, { "tcp://server:4000", 256, 3 },
    };
    size_t i;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        begin_with(0);
        CHECK_EQ(messi_client_init(&it.client, &platform, &callbacks, wrong[i].uri_p, it.input, wrong[i].input_size,
                                   it.output, wrong[i].output_size),
                 -1);
    }
}

/* ------------------------------------------------------------------------------------------------------------ words */

static void uris(void)
{
    static const struct {
        const char *uri_p;
        const char *host_p;
        int port;
    } good[] = {
        { "tcp://127.0.0.1:6000", "127.0.0.1", 6000 }, { "tcp://:6000", "", 6000 },
        { "tcp://123.123.123.123:1", "123.123.123.123", 1 }, { "tcp://localhost:65535", "localhost", 65535 },
        { "tcp://a-b_c.example.org:0", "a-b_c.example.org", 0 }, { "tcp://[::1]:80", "::1", 80 },
        { "tcp://[fe80::1:2]:80", "fe80::1:2", 80 }, { "tcp://[::ffff:1.2.3.4]:80", "::ffff:1.2.3.4", 80 },
    };
    static const char *bad[] = {
        "", "tcp:/127.0.0.1:6000", "udp://127.0.0.1:6000", "tcp://127.0.0.1", "tcp://", "tcp://host:", "tcp://host:x",
        "tcp://host:80x", "tcp://host:-1", "tcp://host:65536", "tcp://host:99999999999999999999", "tcp://::1:80",
        "tcp://[::1:80", "tcp://[]:80", "tcp://[host]:80", "tcp://[a:1]:80", "tcp://ho st:80", "tcp://host/:80", "tcp://a@b:80",
        "TCP://host:80", " tcp://host:80",
    };
    char host[64];
    int port;
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        port = -1;
        CHECK_EQ(messi_parse_tcp_uri(good[i].uri_p, host, sizeof(host), &port), 0);
        CHECK(strcmp(host, good[i].host_p) == 0);
        CHECK_EQ(port, good[i].port);
        CHECK_EQ(messi_parse_tcp_uri(good[i].uri_p, host, strlen(good[i].host_p) + 1, &port), 0);
        /* The host's buffer is too small. */
        CHECK_EQ(messi_parse_tcp_uri(good[i].uri_p, host, strlen(good[i].host_p), &port), -1);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_EQ(messi_parse_tcp_uri(bad[i], host, sizeof(host), &port), -1);
    }
}

static void a_number_that_is_no_reason_has_words_too(void)
{
    CHECK(strcmp(messi_disconnect_reason_string((enum messi_disconnect_reason_t)11), "*** Unknown ***") == 0);
}

static void workspaces(void)
{
    uint8_t buf[64];
    struct messi_workspace_t workspace;
    uint8_t *first_p;
    uint8_t *second_p;

    memset(buf, 255, sizeof(buf));
    messi_workspace_init(&workspace, &buf[1], sizeof(buf) - 1);
    first_p = (uint8_t *)messi_workspace_alloc(&workspace, 3);
    second_p = (uint8_t *)messi_workspace_alloc(&workspace, 16);
    CHECK(first_p != NULL && second_p != NULL);
    CHECK_EQ((uintptr_t)first_p % 8, 0);
    CHECK_EQ((uintptr_t)second_p % 8, 0);
    CHECK(second_p >= first_p + 3);
    CHECK_EQ(first_p[2] + second_p[0] + second_p[15], 0);
    CHECK(messi_workspace_alloc(&workspace, 64) == NULL);
    CHECK(messi_workspace_alloc(&workspace, SIZE_MAX) == NULL);
    CHECK(messi_workspace_alloc(&workspace, 16) != NULL);
    messi_workspace_init(&workspace, NULL, 0);
    CHECK(messi_workspace_alloc(&workspace, 1) == NULL);
}

static const struct test_t tests[] = {
    TEST(connect_and_disconnect),
    TEST(connect_successful_on_second_attempt),
    TEST(keep_alive_ping_write_error_disconnect),
    TEST(server_disconnects),
    TEST(send_another_message_after_first_failed),
    TEST(encode_error),
    TEST(many_frames_are_read_at_once),
    TEST(a_turn_is_bounded),
    TEST(a_new_connection_begins_from_nothing),
    TEST(a_server_that_was_slow_comes_back_as_new),
    TEST(what_follows_too_big_a_message_is_not_written_past_the_buffer),
    TEST(sending_while_disconnected_does_nothing),
    TEST(stopped_in_a_callback_it_stays_stopped),
    TEST(started_again_in_a_callback_it_begins_anew),
    TEST(started_twice_it_connects_once),
    TEST(the_first_reason_is_the_reason),
    TEST(what_arrived_before_a_write_failed_is_delivered),
    TEST(frames_of_a_callback_are_written_at_once),
    TEST(a_callback_may_send_more_than_the_buffer_takes),
    TEST(what_is_pending_is_sent_in_order_whatever_the_pieces),
    TEST(without_malloc_the_output_buffer_is_all_there_is),
    TEST(large_frames_follow_each_other_in_one_buffer),
    TEST(a_server_that_does_not_read_is_not_read_from),
    TEST(what_was_left_is_looked_at_although_a_send_made_the_room),
    TEST(a_message_larger_than_a_header_can_say_is_not_sent),
    TEST(older_wires_may_fill_the_buffers_and_no_more),
    TEST(older_wires_carry_more_than_16_mib),
    TEST(wires_that_cannot_be_are_refused),
    TEST(stop_writes_what_is_pending),
    TEST(an_attempt_to_connect_ends_after_five_seconds),
    TEST(all_addresses_are_tried),
    TEST(pauses_double_to_thirty_seconds_with_full_jitter),
    TEST(every_pause_ends),
    TEST(seeds_make_different_pauses),
    TEST(only_a_healthy_connection_makes_pauses_short_again),
    TEST(wrong_arguments_are_refused),
    TEST(uris),
    TEST(a_number_that_is_no_reason_has_words_too),
    TEST(workspaces),
};

int main(int argc, const char *argv[])
{
    return run_test(tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
