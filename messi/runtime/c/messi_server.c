#include <string.h>

#include "messi_server.h"

#ifdef MESSI_PB_NO_MALLOC
#    error "A server needs malloc for what its clients do not read at once: MESSI_PB_NO_MALLOC is for clients."
#endif

static struct messi_server_client_t *slot(struct messi_server_t *self_p, int index)
{
    return (struct messi_server_client_t *)(void *)&self_p->clients_p[(size_t)index * self_p->client_size];
}

static uint64_t now(struct messi_server_t *self_p)
{
    return self_p->platform_p->now(self_p);
}

/* ----------------------------------------------------------------------------------------------------------- queues */

/* A queue is linked by next_p alone. */
static void push(struct messi_server_client_t **head_pp, struct messi_server_client_t **tail_pp,
                 struct messi_server_client_t *client_p)
{
    client_p->next_p = NULL;

    if (*head_pp == NULL) {
        *head_pp = client_p;
    } else {
        (*tail_pp)->next_p = client_p;
    }

    *tail_pp = client_p;
}

static struct messi_server_client_t *pop(struct messi_server_client_t **head_pp)
{
    struct messi_server_client_t *client_p = *head_pp;

    if (client_p != NULL) {
        *head_pp = client_p->next_p;
    }

    return client_p;
}

static void make_free(struct messi_server_t *self_p, struct messi_server_client_t *client_p)
{
    client_p->state = messi_server_client_state_free_t;
    push(&self_p->free_head_p, &self_p->free_tail_p, client_p);
}

static void link_connected(struct messi_server_t *self_p, struct messi_server_client_t *client_p)
{
    client_p->prev_p = NULL;
    client_p->next_p = self_p->connected_p;

    if (client_p->next_p != NULL) {
        client_p->next_p->prev_p = client_p;
    }

    self_p->connected_p = client_p;
}

static void unlink_connected(struct messi_server_t *self_p, struct messi_server_client_t *client_p)
{
    if (client_p->prev_p != NULL) {
        client_p->prev_p->next_p = client_p->next_p;
    } else {
        self_p->connected_p = client_p->next_p;
    }

    if (client_p->next_p != NULL) {
        client_p->next_p->prev_p = client_p->prev_p;
    }
}

/* ------------------------------------------------------------------------------------------------------------- time */

static void wake_at(struct messi_server_t *self_p, uint64_t at_ms)
{
    if (at_ms < self_p->timer_ms) {
        self_p->timer_ms = at_ms;
        self_p->platform_p->set_timer(self_p, at_ms);
    }
}

/* A later one than before is noticed when the earlier one has come. */
static void set_deadline(struct messi_server_client_t *client_p, uint64_t at_ms)
{
    client_p->deadline_ms = at_ms;
    wake_at(client_p->server_p, at_ms);
}

/* ---------------------------------------------------------------------------------------------------------- clients */

/* Two steps: nothing is sent or received any more from now on, and leave() tells. */
static void lose(struct messi_server_client_t *client_p, int reason)
{
    struct messi_server_t *self_p = client_p->server_p;

    client_p->reason = (enum messi_disconnect_reason_t)reason;
    messi_connection_close(&client_p->connection);
    unlink_connected(self_p, client_p);
    client_p->state = messi_server_client_state_lost_t;
    push(&self_p->lost_head_p, &self_p->lost_tail_p, client_p);

    /* Nothing else may ever happen if it was lost by a send. */
    if (!self_p->is_busy) {
        wake_at(self_p, 0);
    }
}

/* After whatever may have changed how much is pending. */
static void look_at_pause(struct messi_server_client_t *client_p)
{
    bool is_paused = messi_connection_is_choked(&client_p->connection);

    if (client_p->state == messi_server_client_state_connected_t && is_paused != client_p->is_paused) {
        client_p->is_paused = is_paused;
        client_p->progress_ms = now(client_p->server_p);
        set_deadline(client_p,
                     client_p->progress_ms + (is_paused ? MESSI_SERVER_PAUSED_MS : MESSI_SERVER_KEEP_ALIVE_MS));
    }
}

static void end_if_written(struct messi_server_client_t *client_p)
{
    struct messi_connection_t *connection_p = &client_p->connection;

    /* It is not read from any more, so that it will never tell its wire. */
    if (connection_p->is_broken || messi_connection_pending(connection_p) == 0
        || !messi_connection_is_wire_known(connection_p)) {
        lose(client_p, messi_disconnect_reason_requested_t);
    }
}

/* Writes what was gathered. */
static void settle(struct messi_server_client_t *client_p)
{
    messi_connection_flush(&client_p->connection);
    messi_connection_watch(&client_p->connection);

    if (client_p->state == messi_server_client_state_ending_t) {
        end_if_written(client_p);
    } else {
        look_at_pause(client_p);
    }
}

static void make_dirty(struct messi_server_client_t *client_p)
{
    struct messi_server_t *self_p = client_p->server_p;

    if (!client_p->is_dirty) {
        client_p->is_dirty = true;
        client_p->next_dirty_p = self_p->dirty_p;
        self_p->dirty_p = client_p;
    }
}

static bool is_alive(const struct messi_server_client_t *client_p)
{
    return client_p->state == messi_server_client_state_connected_t
           || client_p->state == messi_server_client_state_ending_t;
}

/* Writes the message that encode() has left, whose payload has `size` bytes. */
static void write_message(struct messi_server_client_t *client_p, size_t size)
{
    struct messi_server_t *self_p = client_p->server_p;
    struct messi_connection_t *connection_p = &client_p->connection;
    enum messi_wire_t wire = (enum messi_wire_t)connection_p->wire;
    size_t header = messi_frame_header_size(wire);
    uint8_t *payload_p = &self_p->message_p[messi_frame_header_size(self_p->wire)];
    int reason;

    if (client_p->state != messi_server_client_state_connected_t) {
        return;
    }

    /* Each in its own wire. */
    messi_frame_put_header(wire, MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER, (uint32_t)size, payload_p);
    reason = messi_connection_write(connection_p, payload_p - header, header + size, self_p->is_busy);

    if (reason != MESSI_NO_REASON) {
        lose(client_p, reason);
    } else if (self_p->is_busy) {
        make_dirty(client_p);
    } else {
        look_at_pause(client_p);
    }
}

/* Returns the size of the payload, or a negative number. */
static ptrdiff_t encode(struct messi_server_t *self_p, const pb_msgdesc_t *fields_p, const void *message_p)
{
    ptrdiff_t size = messi_frame_encode(self_p->wire, MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER, fields_p, message_p,
                                        self_p->message_p, self_p->message_size);

    return size < 0 ? size : size - (ptrdiff_t)messi_frame_header_size(self_p->wire);
}

static int on_frame(struct messi_connection_t *connection_p, uint8_t type, const uint8_t *buf_p, size_t size)
{
    struct messi_server_client_t *client_p = (struct messi_server_client_t *)connection_p;
    struct messi_server_t *self_p = client_p->server_p;
    uint32_t life = self_p->life;
    int reason;

    if (type == MESSI_MESSAGE_TYPE_PING || self_p->any_traffic) {
        set_deadline(client_p, now(self_p) + MESSI_SERVER_KEEP_ALIVE_MS);
    }

    if (type == MESSI_MESSAGE_TYPE_PING) {
        messi_connection_write_empty(connection_p, MESSI_MESSAGE_TYPE_PONG, true);
        make_dirty(client_p);

        return MESSI_NO_REASON;
    }

    self_p->current_p = client_p;
    reason = self_p->callbacks_p->on_message(self_p, client_p, buf_p, size);

    if (self_p->life == life) {
        self_p->current_p = NULL;
    }

    return reason;
}

/* ---------------------------------------------------------------------------------------------------------- servers */

int messi_server_init(struct messi_server_t *self_p, const struct messi_server_platform_t *platform_p,
                      void *transport_p, const struct messi_server_callbacks_t *callbacks_p, const char *uri_p,
                      void *clients_p, size_t client_size, int clients_max, uint8_t *inputs_p, size_t input_size,
                      uint8_t *message_p, size_t message_size)
{
    int i;

    memset(self_p, 0, sizeof(*self_p));

    if (messi_parse_tcp_uri(uri_p, &self_p->host[0], sizeof(self_p->host), &self_p->port) != 0 || clients_max < 1
        || input_size < MESSI_HEADER_SIZE || message_size < MESSI_HEADER_SIZE) {
        return -1;
    }

    self_p->platform_p = platform_p;
    self_p->callbacks_p = callbacks_p;
    self_p->clients_p = (uint8_t *)clients_p;
    self_p->client_size = client_size;
    self_p->clients_max = clients_max;
    self_p->inputs_p = inputs_p;
    self_p->input_size = input_size;
    self_p->message_p = message_p;
    self_p->message_size = message_size;
    self_p->max_pending = MESSI_MAX_PENDING;

    for (i = 0; i < clients_max; i++) {
        struct messi_server_client_t *client_p = slot(self_p, i);

        memset(client_p, 0, sizeof(*client_p));
        client_p->server_p = self_p;
        messi_connection_init(&client_p->connection, &platform_p->transport, transport_p, on_frame,
                              (1 << MESSI_MESSAGE_TYPE_CLIENT_TO_SERVER_USER) | (1 << MESSI_MESSAGE_TYPE_PING), true,
                              &inputs_p[(size_t)i * input_size], input_size, NULL, 0);
    }

    return 0;
}

void messi_server_set_max_pending(struct messi_server_t *self_p, size_t max_pending)
{
    int i;

    self_p->max_pending = (max_pending > 0 ? max_pending : 1);

    for (i = 0; i < self_p->clients_max; i++) {
        slot(self_p, i)->connection.output.max = self_p->max_pending;
    }
}

int messi_server_set_wire(struct messi_server_t *self_p, enum messi_wire_t wire)
{
    size_t header = messi_frame_header_size(wire);

    if (self_p->is_started || !messi_wire_is_spoken(wire) || self_p->input_size < header
        || self_p->message_size < header) {
        return -1;
    }

    self_p->wire = wire;

    return 0;
}

void messi_server_set_any_traffic(struct messi_server_t *self_p, bool any_traffic)
{
    self_p->any_traffic = any_traffic;
}

void messi_server_set_strict(struct messi_server_t *self_p, bool is_strict)
{
    int i;

    for (i = 0; i < self_p->clients_max; i++) {
        slot(self_p, i)->connection.input.is_strict = is_strict;
    }
}

size_t messi_server_client_pending(const struct messi_server_client_t *self_p)
{
    return messi_connection_pending(&self_p->connection);
}

enum messi_disconnect_reason_t messi_server_client_reason(const struct messi_server_client_t *self_p)
{
    return self_p->reason;
}

void messi_server_send(struct messi_server_t *self_p, struct messi_server_client_t *client_p,
                       const pb_msgdesc_t *fields_p, const void *message_p)
{
    ptrdiff_t size;

    client_p = (client_p != NULL ? client_p : self_p->current_p);

    if (client_p == NULL || client_p->state != messi_server_client_state_connected_t) {
        return;
    }

    size = encode(self_p, fields_p, message_p);

    if (size >= 0) {
        write_message(client_p, (size_t)size);
    }
}

void messi_server_broadcast(struct messi_server_t *self_p, const pb_msgdesc_t *fields_p, const void *message_p)
{
    struct messi_server_client_t *client_p = self_p->connected_p;
    ptrdiff_t size;

    if (client_p == NULL) {
        return;
    }

    size = encode(self_p, fields_p, message_p);

    while (size >= 0 && client_p != NULL) {
        struct messi_server_client_t *next_p = client_p->next_p;

        write_message(client_p, (size_t)size);
        client_p = next_p;
    }
}

void messi_server_disconnect(struct messi_server_t *self_p, struct messi_server_client_t *client_p)
{
    client_p = (client_p != NULL ? client_p : self_p->current_p);

    if (client_p == NULL || client_p->state != messi_server_client_state_connected_t) {
        return;
    }

    client_p->state = messi_server_client_state_ending_t;
    client_p->connection.is_ending = true;
    messi_connection_flush(&client_p->connection);
    messi_connection_watch(&client_p->connection);
    end_if_written(client_p);

    if (client_p->state == messi_server_client_state_ending_t) {
        set_deadline(client_p, now(self_p) + MESSI_SERVER_LINGER_MS);
    }
}

void messi_server_start(struct messi_server_t *self_p)
{
    int i;

    if (self_p->is_started) {
        return;
    }

    self_p->life++;
    self_p->is_started = true;
    self_p->connected_p = NULL;
    self_p->free_head_p = NULL;
    self_p->lost_head_p = NULL;
    self_p->dirty_p = NULL;
    self_p->current_p = NULL;
    self_p->timer_ms = UINT64_MAX;
    messi_server_set_max_pending(self_p, self_p->max_pending);

    for (i = 0; i < self_p->clients_max; i++) {
        make_free(self_p, slot(self_p, i));
    }
}

void messi_server_stop(struct messi_server_t *self_p)
{
    int i;

    if (!self_p->is_started) {
        return;
    }

    self_p->life++;
    self_p->is_started = false;
    self_p->connected_p = NULL;
    self_p->free_head_p = NULL;
    self_p->lost_head_p = NULL;
    self_p->dirty_p = NULL;
    self_p->current_p = NULL;

    for (i = 0; i < self_p->clients_max; i++) {
        struct messi_server_client_t *client_p = slot(self_p, i);

        if (is_alive(client_p)) {
            client_p->reason = messi_disconnect_reason_requested_t;
            messi_connection_flush(&client_p->connection);
            messi_connection_close(&client_p->connection);
        }

        client_p->state = messi_server_client_state_free_t;
    }

    self_p->platform_p->set_timer(self_p, UINT64_MAX);
}

void messi_server_enter(struct messi_server_t *self_p)
{
    self_p->is_busy = true;
}

struct messi_server_client_t *messi_server_take(struct messi_server_t *self_p)
{
    struct messi_server_client_t *client_p = pop(&self_p->free_head_p);

    if (client_p != NULL) {
        client_p->state = messi_server_client_state_new_t;
    }

    return client_p;
}

void messi_server_give_back(struct messi_server_t *self_p, struct messi_server_client_t *client_p)
{
    client_p->connection.fd = -1;
    make_free(self_p, client_p);
}

void messi_server_connected(struct messi_server_t *self_p, struct messi_server_client_t *client_p)
{
    client_p->state = messi_server_client_state_connected_t;
    client_p->is_dirty = false;
    client_p->is_paused = false;
    client_p->connection.wire = (uint8_t)self_p->wire;
    messi_connection_open(&client_p->connection, true);
    link_connected(self_p, client_p);
    set_deadline(client_p, now(self_p) + MESSI_SERVER_KEEP_ALIVE_MS);
    self_p->callbacks_p->on_client_connected(self_p, client_p);
}

void messi_server_input(struct messi_server_t *self_p, struct messi_server_client_t *client_p)
{
    int reason;

    (void)self_p;

    if (client_p->state == messi_server_client_state_connected_t) {
        reason = messi_connection_read(&client_p->connection);

        if (client_p->state == messi_server_client_state_connected_t) {
            if (reason != MESSI_NO_REASON) {
                lose(client_p, reason);
            } else {
                make_dirty(client_p);
            }
        }
    }
}

void messi_server_output(struct messi_server_t *self_p, struct messi_server_client_t *client_p)
{
    if (is_alive(client_p)) {
        settle(client_p);

        if (client_p->connection.is_stalled) {
            messi_server_input(self_p, client_p);
        }
    }
}

/* Its time is over. */
static void on_deadline(struct messi_server_client_t *client_p, uint64_t now_ms)
{
    struct messi_connection_t *connection_p = &client_p->connection;

    if (client_p->state == messi_server_client_state_ending_t) {
        lose(client_p, messi_disconnect_reason_requested_t);
    } else if (connection_p->is_broken) {
        lose(client_p, messi_disconnect_reason_connection_closed_t);
    } else if (!client_p->is_paused) {
        lose(client_p, messi_disconnect_reason_keep_alive_timeout_t);
    } else {
        if (connection_p->has_progress) {
            connection_p->has_progress = false;
            client_p->progress_ms = now_ms;
        }

        if (now_ms - client_p->progress_ms >= MESSI_STUCK_MS) {
            lose(client_p, messi_disconnect_reason_slow_consumer_t);
        } else {
            /* Its pings are not read. An answer that nobody asked for is one, too: it goes out behind what is pending. */
            messi_connection_write_empty(connection_p, MESSI_MESSAGE_TYPE_PONG, false);
            client_p->deadline_ms = now_ms + MESSI_SERVER_PAUSED_MS;
        }
    }
}

void messi_server_timeout(struct messi_server_t *self_p)
{
    struct messi_server_client_t *client_p = self_p->connected_p;
    uint64_t now_ms = now(self_p);
    uint64_t next_ms = UINT64_MAX;

    while (client_p != NULL) {
        struct messi_server_client_t *next_p = client_p->next_p;

        if (client_p->deadline_ms <= now_ms) {
            on_deadline(client_p, now_ms);
        }

        if (is_alive(client_p) && client_p->deadline_ms < next_ms) {
            next_ms = client_p->deadline_ms;
        }

        client_p = next_p;
    }

    self_p->timer_ms = UINT64_MAX;
    wake_at(self_p, next_ms);
}

void messi_server_leave(struct messi_server_t *self_p)
{
    while (self_p->dirty_p != NULL || self_p->lost_head_p != NULL) {
        struct messi_server_client_t *client_p = self_p->dirty_p;
        uint32_t life = self_p->life;

        if (client_p != NULL) {
            self_p->dirty_p = client_p->next_dirty_p;
            client_p->is_dirty = false;

            if (is_alive(client_p)) {
                settle(client_p);
            }
        } else {
            client_p = pop(&self_p->lost_head_p);
            self_p->callbacks_p->on_client_disconnected(self_p, client_p);

            if (self_p->life == life) {
                make_free(self_p, client_p);
            }
        }
    }

    self_p->is_busy = false;
}
