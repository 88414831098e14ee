/*
 * Messi on any platform: frames, a connection, and the life of a client. Knows no socket, no clock and no thread: a
 * platform gives bytes and timeouts, see `struct messi_transport_t` and `struct messi_client_platform_t`.
 *
 * A frame, both ways:
 *
 *     | type u8 | size u24, big endian | size bytes |
 *
 *     type 1  a message to the server     type 3  ping, from clients only
 *     type 2  a message to the client     type 4  pong, from servers only
 *
 * Messi before 0.12 has other headers; they are spoken, too, see `enum messi_wire_t`.
 *
 * Not thread safe: an object belongs to the thread that processes it.
 *
 * Memory. A client is its struct and the buffers given to its init function. What the server does not read at once
 * stays in the output buffer; if that is too small, malloc gives more, up to `max_pending`. Compiled with
 * MESSI_PB_NO_MALLOC defined, nothing here calls malloc and the output buffer is all there is. With MESSI_NO_V1 defined
 * the code is smaller, and the older headers are not spoken. Either is defined for all files or for none.
 */

#ifndef MESSI_H
#define MESSI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "messi_pb.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Message types. */
#define MESSI_MESSAGE_TYPE_CLIENT_TO_SERVER_USER 1
#define MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER 2
#define MESSI_MESSAGE_TYPE_PING                  3
#define MESSI_MESSAGE_TYPE_PONG                  4

/** Bytes of a header. */
#define MESSI_HEADER_SIZE 4

/** Bytes of a header of MESSI_WIRE_V1A and MESSI_WIRE_V1B. */
#define MESSI_V1_HEADER_SIZE 8

/** The largest payload in bytes that a header of MESSI_WIRE_V2 can announce. */
#define MESSI_PAYLOAD_MAX 0xffffffu

/** Bytes for a host name in a client or server, its terminating zero included. */
#ifndef MESSI_HOST_SIZE
#    define MESSI_HOST_SIZE 256
#endif

/** How many bytes may wait for a peer that does not read them, if nothing else is chosen. */
#ifndef MESSI_MAX_PENDING
#    define MESSI_MAX_PENDING 1048576u
#endif

/** How often a client pings, and how long it waits for the answer. */
#define MESSI_PING_MS 2000u

/** How long one attempt to connect to one address may take. */
#define MESSI_CONNECT_MS 5000u

/** The limits of the random pause before connecting again: the first, and the last after doubling. */
#define MESSI_RECONNECT_MIN_MS 100u
#define MESSI_RECONNECT_MAX_MS 30000u

/** A connection that lasted so long was healthy: the pause after it begins with the first limit again. */
#define MESSI_HEALTHY_MS 10000u

/** How long a peer may read nothing at all while more than half of what may be pending is. */
#define MESSI_STUCK_MS 10000u

/**
 * A generation of the framing. There is no version in it and no handshake: both sides are told. The older ones have
 *
 *     | type u32, big endian | size u32, big endian | size bytes |
 */
enum messi_wire_t {
    /** Messi since 0.12. */
    MESSI_WIRE_V2 = 0,
    /** Messi 0.8 to 0.11: the types of MESSI_WIRE_V2. */
    MESSI_WIRE_V1B,
    /** Messi up to 0.7: type 1 is a message in both directions, 2 is ping and 3 is pong. */
    MESSI_WIRE_V1A,
    /** For servers: MESSI_WIRE_V1B for a client whose first byte is 0, else MESSI_WIRE_V2. */
    MESSI_WIRE_AUTO,
    /** For servers: MESSI_WIRE_V1A for a client whose first byte is 0, else MESSI_WIRE_V2. */
    MESSI_WIRE_AUTO_V1A
};

/** Why a connection ended. The first six are numbered as in Messi's own C code. */
enum messi_disconnect_reason_t {
    /** A message could not be encoded: too large for the output buffer or for the header, or not valid. */
    messi_disconnect_reason_message_encode_error_t = 0,
    /** What the peer sent is no message of the protocol, or the input workspace is too small for it. */
    messi_disconnect_reason_message_decode_error_t,
    /** The peer closed the connection, or the network did. */
    messi_disconnect_reason_connection_closed_t,
    /** The peer gave no sign of life. */
    messi_disconnect_reason_keep_alive_timeout_t,
    /** The system refused something: memory, a timer, a ping. */
    messi_disconnect_reason_general_error_t,
    /** The peer announced a larger message than the input buffer takes. */
    messi_disconnect_reason_message_too_big_t,
    /** The peer does not read what is sent to it. */
    messi_disconnect_reason_slow_consumer_t,
    /** The peer took longer than is allowed. */
    messi_disconnect_reason_limit_t,
    /** The peer sent a message that it may not send. */
    messi_disconnect_reason_not_allowed_t,
    /** The peer does not keep to the protocol. */
    messi_disconnect_reason_protocol_t,
    /** This side ended it. */
    messi_disconnect_reason_requested_t
};

/** Where a function returns a reason to disconnect: there is none. */
#define MESSI_NO_REASON (-1)

/** A reason in words. */
const char *messi_disconnect_reason_string(enum messi_disconnect_reason_t disconnect_reason);

/** The header of a frame of MESSI_WIRE_V2, as it is on the wire. */
struct messi_header_t {
    uint8_t type;
    uint8_t size[3];
};

/** Fills in a header. `size`: that of the payload, at most MESSI_PAYLOAD_MAX. */
void messi_header_create(struct messi_header_t *header_p, uint8_t message_type, uint32_t size);

/** The size of the payload that a header announces. */
uint32_t messi_header_get_size(const struct messi_header_t *header_p);

/**
 * Splits `tcp://<host>:<port>`. The host is a name, an IPv4 address, an IPv6 address in brackets (which are left out of
 * `host_p`), or empty. Returns 0, or -1 if it is something else or larger than `host_size`.
 */
int messi_parse_tcp_uri(const char *uri_p, char *host_p, size_t host_size, int *port_p);

/**
 * Zeroed memory out of a workspace, for any type; or NULL if there is not so much left. Take all of it back by setting
 * `used` to 0.
 */
void *messi_workspace_alloc(struct messi_workspace_t *self_p, size_t size);

/* ------------------------------------------------------------------------------------------------------ connections */

struct messi_connection_t;

/** What a platform does for a connection. */
struct messi_transport_t {
    /** Reads at most `size` bytes. Returns how many; 0 when there are none now; negative when there will be none. */
    ptrdiff_t (*read)(struct messi_connection_t *self_p, void *buf_p, size_t size);
    /** Takes at most `size` bytes. Returns how many; 0 when none now; negative when the peer cannot be reached. */
    ptrdiff_t (*write)(struct messi_connection_t *self_p, const void *buf_p, size_t size);
    /**
     * What to tell of from now on, for as long as it is so: that there is something to read, that there is room to
     * write. Returns 0, or a negative number if it cannot. A platform that reads and writes for itself does nothing.
     */
    int (*watch)(struct messi_connection_t *self_p, bool input, bool output);
    /** Closes, whatever state the connection is in, also before it was open and when it is closed already. */
    void (*close)(struct messi_connection_t *self_p);
};

/**
 * A frame of a type that is taken has arrived. Returns MESSI_NO_REASON or why to disconnect. May close or open the
 * connection.
 */
typedef int (*messi_on_frame_t)(struct messi_connection_t *self_p, uint8_t type, const uint8_t *buf_p, size_t size);

/** One connection of either side: takes frames apart and together. A new one begins from nothing. */
struct messi_connection_t {
    const struct messi_transport_t *transport_p;
    /** The platform's. */
    void *platform_p;
    /** The platform's. -1: none. */
    int fd;
    messi_on_frame_t on_frame;
    struct {
        uint8_t *buf_p;
        size_t size;
        /** The bytes that are there and not decoded yet. */
        size_t used;
        /** A set of types, bit n being type n: those that are handed on. */
        uint8_t types;
        /** Other types end the connection; if not, they are skipped. */
        bool refuses_others;
        /** They do in any case, and pings and pongs with a payload do. */
        bool is_strict;
        /** A frame has arrived since this was last looked at. */
        bool has_traffic;
    } input;
    struct {
        /** What is pending is from `begin` to `end`. */
        uint8_t *buf_p;
        size_t size;
        size_t begin;
        size_t end;
        /** `buf_p` is this as long as it is large enough, and otherwise from malloc. May be NULL. */
        uint8_t *fixed_p;
        size_t fixed_size;
        /** How much may be pending. One frame may always. */
        size_t max;
        /** The size of the first frame of which something is pending, and where it ends. */
        size_t first;
        size_t first_end;
    } output;
    /** Counts openings and closings: whoever called somebody can see that it is not the same connection any more. */
    uint32_t life;
    bool is_open;
    /** Nothing can be written any more. What had arrived before is still read; the end comes after it. */
    bool is_broken;
    /** Only what is pending is of interest. */
    bool is_ending;
    /** Decoding stopped in the middle, since the peer does not read. */
    bool is_stalled;
    /** Something was written since this was last looked at. */
    bool has_progress;
    /** What the transport watches. */
    bool watches_input;
    bool watches_output;
    /** An `enum messi_wire_t`, chosen before it is opened; one to be found out becomes the one that is spoken. */
    uint8_t wire;
};

/** Makes it a connection that is not open. `fixed_p`: memory for what is pending, or NULL. */
void messi_connection_init(struct messi_connection_t *self_p, const struct messi_transport_t *transport_p,
                           void *platform_p, messi_on_frame_t on_frame, uint8_t types, bool refuses_others,
                           uint8_t *input_p, size_t input_size, uint8_t *fixed_p, size_t fixed_size);

/** It is open: begins from nothing. `watches_input`: the transport watches the input already. */
void messi_connection_open(struct messi_connection_t *self_p, bool watches_input);

/** Whether its wire is known. Until then nothing is written. */
bool messi_connection_is_wire_known(const struct messi_connection_t *self_p);

/** Closes it and forgets what was pending. */
void messi_connection_close(struct messi_connection_t *self_p);

/**
 * Reads what there is, a bounded number of times, and hands on frames. Returns MESSI_NO_REASON or why to disconnect;
 * when it was closed meanwhile, there is no reason any more.
 */
int messi_connection_read(struct messi_connection_t *self_p);

/**
 * Queues a frame, or writes it if nothing is queued and `is_batch` does not say that more will follow. Returns
 * MESSI_NO_REASON or why to disconnect.
 */
int messi_connection_write(struct messi_connection_t *self_p, const uint8_t *frame_p, size_t size, bool is_batch);

/**
 * Queues a frame without payload, unless there is no memory for it, or more would be pending than may be. An answer is
 * queued beyond that, too: whoever asked would take the connection for dead.
 */
void messi_connection_write_empty(struct messi_connection_t *self_p, uint8_t type, bool is_answer);

/** Writes what is pending, as far as it goes. */
void messi_connection_flush(struct messi_connection_t *self_p);

/** Tells the transport what to watch. */
void messi_connection_watch(struct messi_connection_t *self_p);

/** How many bytes are pending. */
size_t messi_connection_pending(const struct messi_connection_t *self_p);

/**
 * Whether the peer is not read from because it does not read: more than half of what may be pending is. One frame by
 * itself is no reason, however large: if two of those met, neither would ever arrive.
 */
bool messi_connection_is_choked(const struct messi_connection_t *self_p);

/** Whether it is a wire, and compiled in. */
bool messi_wire_is_spoken(enum messi_wire_t wire);

/** Bytes of a header of `wire`: of the larger one, if it may become one or the other. */
size_t messi_frame_header_size(enum messi_wire_t wire);

/** Writes the header of a frame into the bytes before its payload, as many as messi_frame_header_size() says. */
void messi_frame_put_header(enum messi_wire_t wire, uint8_t type, uint32_t size, uint8_t *payload_p);

/**
 * Encodes a message as a frame of `type`. Returns its size, header included, or a negative number if it does not fit
 * `size` bytes or a header, or cannot be encoded.
 */
ptrdiff_t messi_frame_encode(enum messi_wire_t wire, uint8_t type, const pb_msgdesc_t *fields_p,
                             const void *message_p, uint8_t *buf_p, size_t size);

/* ---------------------------------------------------------------------------------------------------------- clients */

struct messi_client_t;

/**
 * What a platform does for a client. It calls
 *
 *  * messi_client_connected() or messi_client_connect_failed() when it knows how an attempt to connect ended,
 *  * messi_client_input() and messi_client_output() when there is something to read and room to write,
 *  * messi_client_timeout() when the time is over,
 *
 * each between messi_client_enter() and messi_client_leave(), and never from within the functions here.
 */
struct messi_client_platform_t {
    struct messi_transport_t transport;
    /**
     * Begins to connect to the first address of the host, or to the next one. Does not wait. Returns 0 when it has
     * begun, or -1 when there is no such address.
     */
    int (*connect)(struct messi_client_t *self_p, bool is_first);
    /** Asks for a timeout after so many milliseconds, instead of an earlier one. 0: for none. */
    void (*set_timer)(struct messi_client_t *self_p, uint32_t milliseconds);
};

/** What a client tells its user. */
struct messi_client_callbacks_t {
    void (*on_connected)(struct messi_client_t *self_p);
    void (*on_disconnected)(struct messi_client_t *self_p, enum messi_disconnect_reason_t reason);
    /** Returns MESSI_NO_REASON or why to disconnect. */
    int (*on_message)(struct messi_client_t *self_p, const uint8_t *buf_p, size_t size);
};

enum messi_client_state_t {
    /** Not started, or stopped. */
    messi_client_state_stopped_t = 0,
    /** Waits for its next attempt. */
    messi_client_state_waiting_t,
    messi_client_state_connecting_t,
    messi_client_state_connected_t,
    /** The connection is closed and the user does not know yet. */
    messi_client_state_lost_t
};

/** A client, whatever the platform. */
struct messi_client_t {
    struct messi_connection_t connection;
    const struct messi_client_platform_t *platform_p;
    const struct messi_client_callbacks_t *callbacks_p;
    enum messi_client_state_t state;
    enum messi_disconnect_reason_t reason;
    /** Inside messi_client_enter() and messi_client_leave(): what is sent is written at their end. */
    bool is_busy;
    /** A ping was sent, and no pong has come since. */
    bool is_unanswered;
    /** Every frame is as good as a pong. */
    bool any_traffic;
    /** More than half of what may be pending was when the last ping was due: the ping waits, or its answer does. */
    bool is_paused;
    /** For how many pings in a row nothing was written to a server that does not read. */
    uint8_t stuck;
    /** How many pings this connection has lasted. */
    uint8_t pings;
    /** The limit of the next pause. */
    uint32_t backoff_ms;
    /** The pause, if it is always the same. */
    uint32_t reconnect_ms;
    uint32_t random;
    int port;
    char host[MESSI_HOST_SIZE];
};

/** Returns 0, or -1 if the URI is none, has no host or no port, or a buffer is smaller than a header. */
int messi_client_init(struct messi_client_t *self_p, const struct messi_client_platform_t *platform_p,
                      const struct messi_client_callbacks_t *callbacks_p, const char *uri_p, uint8_t *input_p,
                      size_t input_size, uint8_t *output_p, size_t output_size);

/**
 * How many bytes may wait for a server that does not read them; beyond, and if one frame is not all of it, the client
 * disconnects with slow_consumer. The output buffer is always used to its end. 0: nothing but that, and no malloc.
 */
void messi_client_set_max_pending(struct messi_client_t *self_p, size_t max_pending);

/** Pauses always so long before connecting again. 0: a random part of a limit that doubles, 100 ms to 30 s. */
void messi_client_set_reconnect_delay(struct messi_client_t *self_p, uint32_t milliseconds);

/**
 * Where the random pauses begin. A platform with a source of randomness does this for itself. On others give each
 * device its own number, or all of them come back at the same time.
 */
void messi_client_set_seed(struct messi_client_t *self_p, uint32_t seed);

/**
 * Which framing it speaks, MESSI_WIRE_V2 if nothing else is chosen. Returns 0, or -1 if it is started, if a client
 * cannot speak it or it is not compiled in, or if a buffer is smaller than its header.
 */
int messi_client_set_wire(struct messi_client_t *self_p, enum messi_wire_t wire);

/** Whether any frame is a sign of life, rather than pongs alone. Messi's own servers answer every ping. */
void messi_client_set_any_traffic(struct messi_client_t *self_p, bool any_traffic);

/**
 * Whether it disconnects at frames that a server has no business to send, rather than ignoring them, and at pongs with
 * a payload.
 */
void messi_client_set_strict(struct messi_client_t *self_p, bool is_strict);

/** Whether it is connected. */
bool messi_client_is_connected(const struct messi_client_t *self_p);

/** How many bytes wait for the server to read them. */
size_t messi_client_pending(const struct messi_client_t *self_p);

/** Sends a message if it is connected. */
void messi_client_send(struct messi_client_t *self_p, const pb_msgdesc_t *fields_p, const void *message_p);

/* For platforms. */

/** Connects for the first time. Nothing when it is started already. */
void messi_client_start(struct messi_client_t *self_p);

/** Writes what is pending as far as it goes, and closes. No callback. */
void messi_client_stop(struct messi_client_t *self_p);

void messi_client_enter(struct messi_client_t *self_p);
void messi_client_connected(struct messi_client_t *self_p);
void messi_client_connect_failed(struct messi_client_t *self_p);
void messi_client_input(struct messi_client_t *self_p);
void messi_client_output(struct messi_client_t *self_p);
void messi_client_timeout(struct messi_client_t *self_p);
void messi_client_leave(struct messi_client_t *self_p);

#ifdef __cplusplus
}
#endif

#endif
