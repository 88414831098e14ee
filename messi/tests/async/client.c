/* The bank's client, generated for the async framework, on a loop and a network that are made up. */

#include "bank_client.h"
#include "fake.h"

#include "check.h"

static struct async_t async;
static struct bank_client_t client;
static struct async_stcp_client_t *stcp_p;
static uint8_t input[256];
static uint8_t output[256];
static int connected;
static int disconnected;
static int reason;
static int shouts;
static char text[64];
static void (*on_shout)(void);

static void on_connected(struct bank_client_t *self_p)
{
    CHECK(self_p == &client);
    connected++;
}

static void on_disconnected(struct bank_client_t *self_p, enum messi_disconnect_reason_t disconnect_reason)
{
    CHECK(self_p == &client);
    disconnected++;
    reason = (int)disconnect_reason;
}

static void on_shout_ind(struct bank_client_t *self_p, struct bank_shout_ind_t *ind_p)
{
    CHECK(self_p == &client);
    shouts++;
    snprintf(text, sizeof(text), "%s", ind_p->text);

    if (on_shout != NULL) {
        on_shout();
    }
}

static void begin(void)
{
    CHECK_EQ(bank_client_init(&client, "tcp://server:4000", input, sizeof(input), NULL, 0, output, sizeof(output),
                              NULL, 0, on_connected, on_disconnected, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                              on_shout_ind, NULL, NULL, NULL, &async),
             0);
    stcp_p = &client.platform.stcp;
    messi_client_set_reconnect_delay(&client.platform.client, 1000);
    bank_client_start(&client);
    CHECK_EQ(stcp_p->connects, 1);
    CHECK(strcmp(stcp_p->host, "server") == 0);
    CHECK_EQ(stcp_p->port, 4000);
    CHECK_EQ(connected, 0);
}

static void begin_connected(void)
{
    begin();
    fake_connected(stcp_p, 0);
    CHECK_EQ(connected, 1);
}

/* A shout_ind with a text of less than 100 bytes. */
static void arrive_shout(const char *text_p)
{
    uint8_t frame[128];
    size_t size = strlen(text_p);

    frame[0] = 2;
    frame[1] = 0;
    frame[2] = 0;
    frame[3] = (uint8_t)(4 + size);
    frame[4] = (bank_server_to_client_shout_ind_tag << 3) | 2;
    frame[5] = (uint8_t)(2 + size);
    frame[6] = (2 << 3) | 2;
    frame[7] = (uint8_t)size;
    memcpy(&frame[8], text_p, size);
    fake_arrive(stcp_p, frame, 8 + size);
}

static void shout(const char *text_p)
{
    bank_client_init_shout_req(&client)->text = text_p;
    bank_client_send(&client);
}

static void stop(void)
{
    bank_client_stop(&client);
}

static void connect_and_disconnect(void)
{
    begin_connected();
    stop();
    CHECK_EQ(stcp_p->disconnects, 1);
    fake_pass(&async, 100000);
    CHECK_EQ(disconnected, 0);
    CHECK_EQ(stcp_p->connects, 1);
    CHECK_EQ(stcp_p->sent_size, 0);
    bank_client_start(&client);
    fake_connected(stcp_p, 0);
    CHECK_EQ(connected, 2);
}

static void connect_successful_on_second_attempt(void)
{
    begin();
    fake_connected(stcp_p, -1);
    CHECK_EQ(stcp_p->connects, 1);
    fake_pass(&async, 999);
    CHECK_EQ(stcp_p->connects, 1);
    fake_pass(&async, 1);
    CHECK_EQ(stcp_p->connects, 2);
    fake_connected(stcp_p, 0);
    CHECK_EQ(connected, 1);
    CHECK_EQ(disconnected, 0);
}

static void an_attempt_to_connect_ends_after_five_seconds(void)
{
    begin();
    fake_pass(&async, 4999);
    CHECK_EQ(stcp_p->disconnects, 0);
    fake_pass(&async, 1);
    CHECK_EQ(stcp_p->disconnects, 1);
    /* News of the attempt that was given up. */
    stcp_p->on_connected(stcp_p, 0);
    CHECK_EQ(connected, 0);
    fake_pass(&async, 1000);
    CHECK_EQ(stcp_p->connects, 2);
    fake_connected(stcp_p, 0);
    CHECK_EQ(connected, 1);
}

static void keep_alive(void)
{
    static const uint8_t ping[] = { 3, 0, 0, 0 };
    static const uint8_t pong[] = { 4, 0, 0, 0 };

    begin_connected();
    fake_pass(&async, 1999);
    CHECK_EQ(stcp_p->sent_size, 0);
    fake_pass(&async, 1);
    CHECK_EQ(stcp_p->sent_size, 4);
    CHECK(memcmp(stcp_p->sent, ping, 4) == 0);
    fake_arrive(stcp_p, pong, 4);
    fake_input(stcp_p);
    fake_pass(&async, 2000);
    CHECK_EQ(stcp_p->sent_size, 8);
    CHECK_EQ(disconnected, 0);
    fake_pass(&async, 2000);
    CHECK_EQ(disconnected, 1);
    CHECK_EQ(reason, messi_disconnect_reason_keep_alive_timeout_t);
    CHECK_EQ(stcp_p->disconnects, 1);
    fake_pass(&async, 1000);
    CHECK_EQ(stcp_p->connects, 2);
}

static void server_disconnects(void)
{
    begin_connected();
    fake_disconnected(stcp_p);
    CHECK_EQ(disconnected, 1);
    CHECK_EQ(reason, messi_disconnect_reason_connection_closed_t);
    fake_pass(&async, 1000);
    CHECK_EQ(stcp_p->connects, 2);
    fake_connected(stcp_p, 0);
    CHECK_EQ(connected, 2);
}

static void what_arrived_before_the_end_is_delivered(void)
{
    begin_connected();
    arrive_shout("last");
    fake_disconnected(stcp_p);
    CHECK_EQ(shouts, 1);
    CHECK_EQ(disconnected, 1);
}

static void partial_message_read(void)
{
    size_t end;

    begin_connected();
    arrive_shout("hello");
    end = stcp_p->arrived_end;

    for (stcp_p->arrived_end = 1; stcp_p->arrived_end <= end; stcp_p->arrived_end++) {
        CHECK_EQ(shouts, 0);
        fake_input(stcp_p);
    }

    CHECK_EQ(shouts, 1);
    CHECK(strcmp(text, "hello") == 0);
}

/* The framework says once that there is input. */
static void all_input_is_read(void)
{
    int i;

    begin_connected();

    for (i = 0; i < 500; i++) {
        arrive_shout("one of very many lines of text that is not that short");
    }

    fake_input(stcp_p);
    CHECK_EQ(shouts, 500);
}

static void encode_error(void)
{
    static char long_text[300];

    begin_connected();
    memset(long_text, 'x', sizeof(long_text) - 1);
    shout(long_text);
    shout("short");
    CHECK_EQ(disconnected, 0);
    CHECK_EQ(stcp_p->sent_size, 0);
    fake_pass(&async, 10);
    CHECK_EQ(disconnected, 1);
    CHECK_EQ(reason, messi_disconnect_reason_message_encode_error_t);
    shout("short");
    CHECK_EQ(stcp_p->disconnects, 1);
    CHECK_EQ(stcp_p->sent_size, 0);
    fake_pass(&async, 1000);
    fake_connected(stcp_p, 0);
    shout("short");
    CHECK(stcp_p->sent_size > 0);
}

static void decode_error(void)
{
    static const uint8_t frame[] = { 2, 0, 0, 2, 0xff, 0xff };

    begin_connected();
    fake_arrive(stcp_p, frame, sizeof(frame));
    fake_input(stcp_p);
    CHECK_EQ(disconnected, 1);
    CHECK_EQ(reason, messi_disconnect_reason_message_decode_error_t);
}

static void received_message_too_big(void)
{
    static const uint8_t header[] = { 2, 0, 1, 0 };

    begin_connected();
    fake_arrive(stcp_p, header, sizeof(header));
    fake_input(stcp_p);
    CHECK_EQ(disconnected, 1);
    CHECK_EQ(reason, messi_disconnect_reason_message_too_big_t);
}

static void stopped_in_a_callback_it_stays_stopped(void)
{
    begin_connected();
    on_shout = stop;
    arrive_shout("one");
    arrive_shout("two");
    fake_input(stcp_p);
    CHECK_EQ(shouts, 1);
    fake_pass(&async, 100000);
    CHECK_EQ(stcp_p->connects, 1);
    CHECK_EQ(disconnected, 0);
}

static void shout_many(void)
{
    int i;

    for (i = 0; i < 20; i++) {
        shout("a line of text that is not that short");
    }
}

/* A framework that says so within the call that writes. */
static void the_end_may_come_while_writing(void)
{
    begin_connected();
    stcp_p->ends_at_write = true;
    shout("one");
    shout("two");
    CHECK_EQ(disconnected, 0);
    fake_pass(&async, 10);
    CHECK_EQ(disconnected, 1);
    CHECK_EQ(reason, messi_disconnect_reason_connection_closed_t);
    stcp_p->ends_at_write = false;
    fake_pass(&async, 1000);
    fake_connected(stcp_p, 0);
    stcp_p->ends_at_write = true;
    on_shout = shout_many;
    arrive_shout("one");
    arrive_shout("two");
    fake_input(stcp_p);
    CHECK_EQ(shouts, 2);
    CHECK_EQ(disconnected, 1);
    fake_pass(&async, 1);
    CHECK_EQ(disconnected, 2);
    stcp_p->ends_at_write = false;
    fake_pass(&async, 1000);
    fake_connected(stcp_p, 0);
    stcp_p->ends_at_write = true;
    fake_pass(&async, 2001);
    CHECK_EQ(disconnected, 3);
    CHECK_EQ(stcp_p->connects, 3);
    fake_pass(&async, 1000);
    CHECK_EQ(stcp_p->connects, 4);
}

static void answers_that_fill_the_output_buffer_do_not_end_the_reading(void)
{
    int i;

    begin_connected();
    messi_client_set_max_pending(&client.platform.client, 0);
    on_shout = shout_many;

    for (i = 0; i < 20; i++) {
        arrive_shout("one of very many lines of text that is not that short");
    }

    fake_input(stcp_p);
    CHECK_EQ(shouts, 20);
    CHECK_EQ(messi_client_pending(&client.platform.client), 0);
    CHECK_EQ(disconnected, 0);
}

static const struct test_t tests[] = {
    TEST(connect_and_disconnect),
    TEST(connect_successful_on_second_attempt),
    TEST(an_attempt_to_connect_ends_after_five_seconds),
    TEST(keep_alive),
    TEST(server_disconnects),
    TEST(what_arrived_before_the_end_is_delivered),
    TEST(partial_message_read),
    TEST(all_input_is_read),
    TEST(encode_error),
    TEST(decode_error),
    TEST(received_message_too_big),
    TEST(stopped_in_a_callback_it_stays_stopped),
    TEST(the_end_may_come_while_writing),
    TEST(answers_that_fill_the_output_buffer_do_not_end_the_reading),
};

int main(int argc, const char *argv[])
{
    return run_test(tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
