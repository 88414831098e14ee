/*
 * Messi's server on any platform: the lives of its clients. Knows no socket; a platform accepts, and gives bytes,
 * timeouts and the time, see `struct messi_server_platform_t`.
 *
 * A slot of the user's array is free, or one client. It is free again after on_client_disconnected, and those that have
 * been free longest are taken first. What is asked of a slot that is free does nothing.
 *
 * Memory. What a client does not read at once is kept by malloc, up to `max_pending` for each client.
 */

#ifndef MESSI_SERVER_H
#define MESSI_SERVER_H

#include "messi.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How long a client may give no sign of life. */
#define MESSI_SERVER_KEEP_ALIVE_MS 3000u

/** How long a client that is disconnected may take to read what was queued for it. */
#define MESSI_SERVER_LINGER_MS 1000u

/** How often a client that is not read from, since it does not read, is told that the server is there. */
#define MESSI_SERVER_PAUSED_MS 1000u

struct messi_server_t;

enum messi_server_client_state_t {
    messi_server_client_state_free_t = 0,
    /** Taken, but not told to the user. */
    messi_server_client_state_new_t,
    messi_server_client_state_connected_t,
    /** Disconnected by the user: what is queued is still written. */
    messi_server_client_state_ending_t,
    /** The connection is closed and the user does not know yet. */
    messi_server_client_state_lost_t
};

/** One client of a server. */
struct messi_server_client_t {
    struct messi_connection_t connection;
    struct messi_server_t *server_p;
    enum messi_server_client_state_t state;
    enum messi_disconnect_reason_t reason;
    /** Among those that are free, or that are connected or ending, or that are lost: one of the three. */
    struct messi_server_client_t *next_p;
    struct messi_server_client_t *prev_p;
    /** Among those for whom something was gathered. */
    struct messi_server_client_t *next_dirty_p;
    bool is_dirty;
    /** It is not read from since it does not read. */
    bool is_paused;
    /** When its patience ends. */
    uint64_t deadline_ms;
    /** When it was last seen to read. */
    uint64_t progress_ms;
};

/**
 * What a platform does for a server. It calls
 *
 *  * messi_server_take() when it has accepted, fills in `connection.fd`, and then messi_server_connected(), or
 *    messi_server_give_back() if it failed in between,
 *  * messi_server_input() and messi_server_output() when there is something to read from a client and room to write,
 *  * messi_server_timeout() when the time has come,
 *
 * each between messi_server_enter() and messi_server_leave(), and never from within the functions here.
 */
struct messi_server_platform_t {
    struct messi_transport_t transport;
    /** Milliseconds since some moment; never goes back. */
    uint64_t (*now)(struct messi_server_t *self_p);
    /** Asks for a timeout at this time, instead of another one. UINT64_MAX: for none. */
    void (*set_timer)(struct messi_server_t *self_p, uint64_t at_ms);
};

/** What a server tells its user. */
struct messi_server_callbacks_t {
    void (*on_client_connected)(struct messi_server_t *self_p, struct messi_server_client_t *client_p);
    void (*on_client_disconnected)(struct messi_server_t *self_p, struct messi_server_client_t *client_p);
    /** Returns MESSI_NO_REASON or why to disconnect. */
    int (*on_message)(struct messi_server_t *self_p, struct messi_server_client_t *client_p, const uint8_t *buf_p,
                      size_t size);
};

/** A server, whatever the platform. */
struct messi_server_t {
    const struct messi_server_platform_t *platform_p;
    const struct messi_server_callbacks_t *callbacks_p;
    /** The slots, each of `client_size` bytes and beginning with a `struct messi_server_client_t`. */
    uint8_t *clients_p;
    size_t client_size;
    int clients_max;
    uint8_t *inputs_p;
    size_t input_size;
    uint8_t *message_p;
    size_t message_size;
    size_t max_pending;
    enum messi_wire_t wire;
    /** Every frame is as good as a ping. */
    bool any_traffic;
    /** Connected and ending, the newest first. */
    struct messi_server_client_t *connected_p;
    struct messi_server_client_t *free_head_p;
    struct messi_server_client_t *free_tail_p;
    struct messi_server_client_t *lost_head_p;
    struct messi_server_client_t *lost_tail_p;
    struct messi_server_client_t *dirty_p;
    /** Whose message is being handled. */
    struct messi_server_client_t *current_p;
    uint64_t timer_ms;
    /** Counts starts: whoever called somebody can see that it was started anew. */
    uint32_t life;
    bool is_started;
    bool is_busy;
    int port;
    char host[MESSI_HOST_SIZE];
};

/** Returns 0, or -1 if the URI is none, there is no slot, or a buffer is smaller than a header. */
int messi_server_init(struct messi_server_t *self_p, const struct messi_server_platform_t *platform_p,
                      void *transport_p, const struct messi_server_callbacks_t *callbacks_p, const char *uri_p,
                      void *clients_p, size_t client_size, int clients_max, uint8_t *inputs_p, size_t input_size,
                      uint8_t *message_p, size_t message_size);

/**
 * How many bytes may wait for a client that does not read them; beyond, and if one frame is not all of it, the client
 * is disconnected with slow_consumer. A client is not read from while more than half of it waits.
 */
void messi_server_set_max_pending(struct messi_server_t *self_p, size_t max_pending);

/**
 * Which framing it speaks, MESSI_WIRE_V2 if nothing else is chosen. With one that depends on a client's first byte,
 * what is sent to a client before that byte waits for it, and a payload has at most MESSI_PAYLOAD_MAX bytes. Returns 0,
 * or -1 if it is started, if there is no such wire or it is not compiled in, or if a buffer is smaller than its header.
 */
int messi_server_set_wire(struct messi_server_t *self_p, enum messi_wire_t wire);

/** Whether any frame of a client is a sign of life, rather than pings alone. Messi's own clients ping always. */
void messi_server_set_any_traffic(struct messi_server_t *self_p, bool any_traffic);

/** Whether it disconnects a client at pings with a payload, too. At types that are not a client's it does always. */
void messi_server_set_strict(struct messi_server_t *self_p, bool is_strict);

/** How many bytes wait for a client to read them. */
size_t messi_server_client_pending(const struct messi_server_client_t *self_p);

/** Why it was disconnected. To be asked in on_client_disconnected and until the slot is taken again. */
enum messi_disconnect_reason_t messi_server_client_reason(const struct messi_server_client_t *self_p);

/** Sends a message to a client, if it is connected. NULL: to the one whose message is being handled, if any. */
void messi_server_send(struct messi_server_t *self_p, struct messi_server_client_t *client_p,
                       const pb_msgdesc_t *fields_p, const void *message_p);

/** Sends a message to all clients, the newest first. */
void messi_server_broadcast(struct messi_server_t *self_p, const pb_msgdesc_t *fields_p, const void *message_p);

/**
 * Disconnects a client, if it is connected. NULL: the one whose message is being handled, if any. Nothing is received
 * from it any more; what was sent to it before, it may still read.
 */
void messi_server_disconnect(struct messi_server_t *self_p, struct messi_server_client_t *client_p);

/* For platforms. */

void messi_server_start(struct messi_server_t *self_p);

/** Writes what is pending as far as it goes, and closes. No callback. */
void messi_server_stop(struct messi_server_t *self_p);

void messi_server_enter(struct messi_server_t *self_p);

/** A slot, or NULL. */
struct messi_server_client_t *messi_server_take(struct messi_server_t *self_p);
void messi_server_give_back(struct messi_server_t *self_p, struct messi_server_client_t *client_p);

/** The transport watches its input already. */
void messi_server_connected(struct messi_server_t *self_p, struct messi_server_client_t *client_p);
void messi_server_input(struct messi_server_t *self_p, struct messi_server_client_t *client_p);
void messi_server_output(struct messi_server_t *self_p, struct messi_server_client_t *client_p);
void messi_server_timeout(struct messi_server_t *self_p);
void messi_server_leave(struct messi_server_t *self_p);

#ifdef __cplusplus
}
#endif

#endif
