#include <string.h>

#ifndef MESSI_PB_NO_MALLOC
#    include <stdlib.h>
#endif

#include <pb_encode.h>

#include "messi.h"

/* One turn of one connection. What is left after it is there at the next one, as the others' input is. */
#define READS_PER_TURN 8

/* Frames are gathered up to so many bytes before they are written, and larger ones are not copied. */
#define BATCH 16384u

/* Memory that an empty queue keeps. */
#define KEPT 4096u

#define HEALTHY_PINGS (MESSI_HEALTHY_MS / MESSI_PING_MS)
#define STUCK_PINGS (MESSI_STUCK_MS / MESSI_PING_MS)

const char *messi_disconnect_reason_string(enum messi_disconnect_reason_t disconnect_reason)
{
    switch (disconnect_reason) {
    case messi_disconnect_reason_message_encode_error_t:
        return "Message encode error.";
    case messi_disconnect_reason_message_decode_error_t:
        return "Message decode error.";
    case messi_disconnect_reason_connection_closed_t:
        return "Connection closed.";
    case messi_disconnect_reason_keep_alive_timeout_t:
        return "Keep alive timeout.";
    case messi_disconnect_reason_general_error_t:
        return "General error.";
    case messi_disconnect_reason_message_too_big_t:
        return "Message too big.";
    case messi_disconnect_reason_slow_consumer_t:
        return "Slow consumer.";
    case messi_disconnect_reason_limit_t:
        return "Time limit exceeded.";
    case messi_disconnect_reason_not_allowed_t:
        return "Message not allowed.";
    case messi_disconnect_reason_protocol_t:
        return "Protocol error.";
    case messi_disconnect_reason_requested_t:
        return "Disconnected on request.";
    default:
        return "*** Unknown ***";
    }
}

void messi_header_create(struct messi_header_t *header_p, uint8_t message_type, uint32_t size)
{
    header_p->type = message_type;
    header_p->size[0] = (uint8_t)(size >> 16);
    header_p->size[1] = (uint8_t)(size >> 8);
    header_p->size[2] = (uint8_t)size;
}

/* Compiled without the older wires this is always so, and what is for them falls away. */
static bool is_v2(uint8_t wire)
{
#ifdef MESSI_NO_V1
    (void)wire;

    return true;
#else
    return wire == MESSI_WIRE_V2;
#endif
}

static bool is_known(uint8_t wire)
{
    return is_v2(wire) || wire < MESSI_WIRE_AUTO;
}

static void put_u32(uint8_t *buf_p, uint32_t value)
{
    buf_p[0] = (uint8_t)(value >> 24);
    buf_p[1] = (uint8_t)(value >> 16);
    buf_p[2] = (uint8_t)(value >> 8);
    buf_p[3] = (uint8_t)value;
}

static uint32_t get_u32(const uint8_t *buf_p)
{
    return ((uint32_t)buf_p[0] << 24) | ((uint32_t)buf_p[1] << 16) | ((uint32_t)buf_p[2] << 8) | buf_p[3];
}

static size_t header_size(uint8_t wire)
{
    return is_v2(wire) ? MESSI_HEADER_SIZE : MESSI_V1_HEADER_SIZE;
}

static void put_header(uint8_t wire, uint8_t type, uint32_t size, uint8_t *payload_p)
{
    if (is_v2(wire)) {
        put_u32(&payload_p[-MESSI_HEADER_SIZE], ((uint32_t)type << 24) | size);
    } else {
        /* Messages have one number, whatever their direction, and the others have moved up. */
        bool has_moved = (wire == MESSI_WIRE_V1A && type > 1);

        put_u32(&payload_p[-MESSI_V1_HEADER_SIZE], has_moved ? type - 1u : type);
        put_u32(&payload_p[-MESSI_HEADER_SIZE], size);
    }
}

uint32_t messi_header_get_size(const struct messi_header_t *header_p)
{
    return ((uint32_t)header_p->size[0] << 16) | ((uint32_t)header_p->size[1] << 8) | header_p->size[2];
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(const char *host_p, size_t size)
{
    size_t i;

    for (i = 0; i < size; i++) {
        char c = host_p[i];

        if (!is_digit(c) && !is_letter(c) && c != '.' && c != '-' && c != '_') {
            return false;
        }
    }

    return true;
}

/* Whether these may be the characters of an IPv6 address. The platform knows what an address is. */
static bool is_ipv6(const char *host_p, size_t size)
{
    size_t i;
    size_t colons = 0;

    for (i = 0; i < size; i++) {
        char c = host_p[i];

        if (c == ':') {
            colons++;
        } else if (!is_digit(c) && c != '.' && !(is_letter(c) && (c | 0x20) <= 'f')) {
            return false;
        }
    }

    return colons >= 2;
}

int messi_parse_tcp_uri(const char *uri_p, char *host_p, size_t host_size, int *port_p)
{
    static const char scheme[] = "tcp://";
    const char *colon_p;
    const char *digit_p;
    size_t size;
    long port = 0;

    if (strncmp(uri_p, scheme, sizeof(scheme) - 1) != 0) {
        return -1;
    }

    uri_p += sizeof(scheme) - 1;
    colon_p = strrchr(uri_p, ':');

    if (colon_p == NULL || colon_p[1] == '\0') {
        return -1;
    }

    for (digit_p = colon_p + 1; *digit_p != '\0'; digit_p++) {
        if (!is_digit(*digit_p)) {
            return -1;
        }

        port = 10 * port + (*digit_p - '0');

        if (port > 65535) {
            return -1;
        }
    }

    size = (size_t)(colon_p - uri_p);

    if (size >= 2 && uri_p[0] == '[' && uri_p[size - 1] == ']') {
        uri_p++;
        size -= 2;

        if (!is_ipv6(uri_p, size)) {
            return -1;
        }
    } else if (!is_name(uri_p, size)) {
        return -1;
    }

    if (size >= host_size) {
        return -1;
    }

    memcpy(host_p, uri_p, size);
    host_p[size] = '\0';
    *port_p = (int)port;

    return 0;
}

void *messi_workspace_alloc(struct messi_workspace_t *self_p, size_t size)
{
    union any_t {
        void *pointer_p;
        uint64_t number;
        double real;
    };
    size_t left = self_p->size - self_p->used;
    size_t padding;
    void *allocated_p;

    if (self_p->buf_p == NULL) {
        return NULL;
    }

    padding = (size_t)(0 - (uintptr_t)&self_p->buf_p[self_p->used]) % sizeof(union any_t);

    if (padding > left || size > left - padding) {
        return NULL;
    }

    allocated_p = &self_p->buf_p[self_p->used + padding];
    self_p->used += padding + size;
    memset(allocated_p, 0, size);

    return allocated_p;
}

/* ------------------------------------------------------------------------------------------------------ connections */

void messi_connection_init(struct messi_connection_t *self_p, const struct messi_transport_t *transport_p,
                           void *platform_p, messi_on_frame_t on_frame, uint8_t types, bool refuses_others,
                           uint8_t *input_p, size_t input_size, uint8_t *fixed_p, size_t fixed_size)
{
    memset(self_p, 0, sizeof(*self_p));
    self_p->transport_p = transport_p;
    self_p->platform_p = platform_p;
    self_p->fd = -1;
    self_p->on_frame = on_frame;
    self_p->input.buf_p = input_p;
    self_p->input.size = input_size;
    self_p->input.types = types;
    self_p->input.refuses_others = refuses_others;
    self_p->output.buf_p = fixed_p;
    self_p->output.size = fixed_size;
    self_p->output.fixed_p = fixed_p;
    self_p->output.fixed_size = fixed_size;
    self_p->output.max = fixed_size;
}

void messi_connection_open(struct messi_connection_t *self_p, bool watches_input)
{
    self_p->life++;
    self_p->is_open = true;
    self_p->is_broken = false;
    self_p->is_ending = false;
    self_p->is_stalled = false;
    self_p->has_progress = false;
    self_p->watches_input = watches_input;
    self_p->watches_output = false;
    self_p->input.used = 0;
}

bool messi_connection_is_wire_known(const struct messi_connection_t *self_p)
{
    return is_known(self_p->wire);
}

static bool is_from_malloc(const struct messi_connection_t *self_p)
{
    return self_p->output.buf_p != self_p->output.fixed_p;
}

/* Nothing is pending any more. */
static void empty_output(struct messi_connection_t *self_p, size_t kept)
{
    self_p->output.begin = 0;
    self_p->output.end = 0;
#ifndef MESSI_PB_NO_MALLOC
    if (is_from_malloc(self_p) && (self_p->output.fixed_p != NULL || self_p->output.size > kept)) {
        free(self_p->output.buf_p);
        self_p->output.buf_p = self_p->output.fixed_p;
        self_p->output.size = self_p->output.fixed_size;
    }
#else
    (void)kept;
#endif
}

void messi_connection_close(struct messi_connection_t *self_p)
{
    self_p->life++;
    self_p->is_open = false;
    self_p->transport_p->close(self_p);
    empty_output(self_p, 0);
}

size_t messi_connection_pending(const struct messi_connection_t *self_p)
{
    return self_p->output.end - self_p->output.begin;
}

bool messi_connection_is_choked(const struct messi_connection_t *self_p)
{
    size_t pending = messi_connection_pending(self_p);

    /* If nothing may be written before something is read, something has to be read. */
    return pending > self_p->output.max / 2 && pending > self_p->output.first && is_known(self_p->wire);
}

void messi_connection_watch(struct messi_connection_t *self_p)
{
    bool is_choked = messi_connection_is_choked(self_p);
    bool input = !self_p->is_ending && !is_choked;
    /* Frames that are left in the input buffer are no news to a transport, but that there is room to write is. */
    bool output = (messi_connection_pending(self_p) > 0 && is_known(self_p->wire))
                  || (self_p->is_stalled && !is_choked);

    if (!self_p->is_open || (input == self_p->watches_input && output == self_p->watches_output)) {
        return;
    }

    self_p->watches_input = input;
    self_p->watches_output = output;

    if (self_p->transport_p->watch(self_p, input, output) < 0) {
        self_p->is_broken = true;
    }
}

/* Returns how much of it the transport took. */
static size_t write_now(struct messi_connection_t *self_p, const uint8_t *buf_p, size_t size)
{
    ptrdiff_t res = self_p->transport_p->write(self_p, buf_p, size);

    if (res < 0) {
        self_p->is_broken = true;
        res = 0;
    } else if (res > 0) {
        self_p->has_progress = true;
    }

    return (size_t)res;
}

/* Goes on to the first frame of which something is pending. */
static void look_at_first(struct messi_connection_t *self_p)
{
    while (self_p->output.first_end <= self_p->output.begin) {
        const uint8_t *frame_p = &self_p->output.buf_p[self_p->output.first_end];
        uint32_t size = is_v2(self_p->wire) ? get_u32(frame_p) & MESSI_PAYLOAD_MAX : get_u32(&frame_p[4]);

        self_p->output.first = header_size(self_p->wire) + size;
        self_p->output.first_end += self_p->output.first;
    }
}

void messi_connection_flush(struct messi_connection_t *self_p)
{
    size_t pending = messi_connection_pending(self_p);

    if (pending > 0 && is_known(self_p->wire)) {
        self_p->output.begin += write_now(self_p, &self_p->output.buf_p[self_p->output.begin], pending);

        if (self_p->is_broken || messi_connection_pending(self_p) == 0) {
            empty_output(self_p, KEPT);
        } else {
            look_at_first(self_p);
        }
    }
}

static void move_output_to_front(struct messi_connection_t *self_p)
{
    size_t pending = messi_connection_pending(self_p);

    memmove(self_p->output.buf_p, &self_p->output.buf_p[self_p->output.begin], pending);
    self_p->output.first_end -= self_p->output.begin;
    self_p->output.begin = 0;
    self_p->output.end = pending;
}

#ifndef MESSI_PB_NO_MALLOC

/* Memory for what is pending and `size` bytes more, and not much more than may be pending. */
static int grow(struct messi_connection_t *self_p, size_t size)
{
    size_t pending = messi_connection_pending(self_p);
    size_t wanted = 2 * self_p->output.size;
    uint8_t *buf_p;

    if (wanted > self_p->output.max) {
        wanted = self_p->output.max;
    }

    if (wanted < KEPT / 4) {
        wanted = KEPT / 4;
    }

    if (wanted < pending + size) {
        wanted = pending + size;
    }

    if (is_from_malloc(self_p)) {
        /* In place where that can be done: two queues at a time would be twice of what may be pending. */
        move_output_to_front(self_p);
        buf_p = realloc(self_p->output.buf_p, wanted);
    } else {
        buf_p = malloc(wanted);
    }

    if (buf_p == NULL) {
        return messi_disconnect_reason_general_error_t;
    }

    if (!is_from_malloc(self_p) && pending > 0) {
        memcpy(buf_p, &self_p->output.buf_p[self_p->output.begin], pending);
        self_p->output.first_end -= self_p->output.begin;
        self_p->output.begin = 0;
        self_p->output.end = pending;
    }

    self_p->output.buf_p = buf_p;
    self_p->output.size = wanted;

    return MESSI_NO_REASON;
}

#endif

/* Room for a frame behind what is pending, or why to disconnect. */
static int make_room(struct messi_connection_t *self_p, size_t size)
{
    size_t pending = messi_connection_pending(self_p);

    if (self_p->output.size - self_p->output.end >= size) {
        return MESSI_NO_REASON;
    }

    if (self_p->output.size - pending >= size) {
        move_output_to_front(self_p);

        return MESSI_NO_REASON;
    }

#ifndef MESSI_PB_NO_MALLOC
    if (self_p->output.max > self_p->output.fixed_size) {
        return grow(self_p, size);
    }
#endif

    return messi_disconnect_reason_slow_consumer_t;
}

static void append(struct messi_connection_t *self_p, size_t size)
{
    if (messi_connection_pending(self_p) == 0) {
        self_p->output.first = size;
        self_p->output.first_end = self_p->output.end + size;
    }

    self_p->output.end += size;
}

/* Whether so many bytes more may be pending. */
static bool may_be_pending(const struct messi_connection_t *self_p, size_t size)
{
    size_t pending = messi_connection_pending(self_p);

    return pending == 0 || pending + size <= self_p->output.max;
}

/* Queues bytes, or says why to disconnect. */
static int queue(struct messi_connection_t *self_p, const uint8_t *buf_p, size_t size)
{
    int reason;

    if (!may_be_pending(self_p, size)) {
        return messi_disconnect_reason_slow_consumer_t;
    }

    reason = make_room(self_p, size);

    if (reason == MESSI_NO_REASON) {
        /* A client's frame may be in the output buffer already. */
        memmove(&self_p->output.buf_p[self_p->output.end], buf_p, size);
        append(self_p, size);
    }

    return reason;
}

int messi_connection_write(struct messi_connection_t *self_p, const uint8_t *frame_p, size_t size, bool is_batch)
{
    size_t written = 0;
    int reason;

    /* Whether it is ending its owner knows, who looks at its own state before. */
    if (!self_p->is_open || self_p->is_broken) {
        return MESSI_NO_REASON;
    }

    if (is_batch && messi_connection_pending(self_p) >= BATCH) {
        messi_connection_flush(self_p);
    }

    if (messi_connection_pending(self_p) == 0 && !self_p->is_broken && (!is_batch || size >= BATCH)
        && is_known(self_p->wire)) {
        written = write_now(self_p, frame_p, size);
    }

    if (self_p->is_broken || written == size) {
        return MESSI_NO_REASON;
    }

    reason = queue(self_p, &frame_p[written], size - written);

    if (reason == messi_disconnect_reason_slow_consumer_t) {
        /* What was gathered for one write is not yet slow. */
        messi_connection_flush(self_p);

        if (self_p->is_broken) {
            return MESSI_NO_REASON;
        }

        reason = queue(self_p, &frame_p[written], size - written);
    }

    if (!is_batch) {
        messi_connection_watch(self_p);
    }

    return reason;
}

void messi_connection_write_empty(struct messi_connection_t *self_p, uint8_t type, bool is_answer)
{
    size_t size = header_size(self_p->wire);

    if (self_p->is_open && !self_p->is_broken && (is_answer || may_be_pending(self_p, size))
        && make_room(self_p, size) == MESSI_NO_REASON) {
        put_header(self_p->wire, type, 0, &self_p->output.buf_p[self_p->output.end + size]);
        append(self_p, size);
    }
}

#ifndef MESSI_NO_V1

/* The peer's first byte is there, and tells its wire: no type of v1 needs the first of its four bytes. */
static void learn_wire(struct messi_connection_t *self_p)
{
    uint8_t v1 = (self_p->wire == MESSI_WIRE_AUTO ? MESSI_WIRE_V1B : MESSI_WIRE_V1A);
    uint8_t wire = (self_p->input.buf_p[0] == 0 ? v1 : MESSI_WIRE_V2);
    size_t header = header_size(wire);
    const uint8_t *from_p = &self_p->output.buf_p[self_p->output.begin];
    uint8_t *to_p = &self_p->output.buf_p[self_p->output.begin];
    const uint8_t *end_p = &self_p->output.buf_p[self_p->output.end];

    self_p->wire = wire;

    if (from_p < end_p) {
        self_p->output.first -= MESSI_V1_HEADER_SIZE - header;
        self_p->output.first_end -= MESSI_V1_HEADER_SIZE - header;
    }

    /* What waited for this has the longest header, so that every frame stays where it is or moves to the front. */
    while (from_p < end_p) {
        uint8_t type = (uint8_t)get_u32(from_p);
        uint32_t size = get_u32(&from_p[4]);

        memmove(&to_p[header], &from_p[MESSI_V1_HEADER_SIZE], size);
        put_header(wire, type, size, &to_p[header]);
        from_p += MESSI_V1_HEADER_SIZE + size;
        to_p += header + size;
    }

    self_p->output.end -= (size_t)(end_p - to_p);
}

#endif

/* What a header says. */
static void get_header(const struct messi_connection_t *self_p, const uint8_t *header_p, uint32_t *type_p,
                       uint32_t *size_p)
{
    *type_p = get_u32(header_p);

    if (is_v2(self_p->wire)) {
        *size_p = *type_p & MESSI_PAYLOAD_MAX;
        *type_p >>= 24;
    } else {
        *size_p = get_u32(&header_p[4]);

        /* Type 1 is a message to whoever takes messages, and the others have moved up. */
        if (self_p->wire == MESSI_WIRE_V1A
            && (*type_p > 1 || (self_p->input.types & (1 << MESSI_MESSAGE_TYPE_CLIENT_TO_SERVER_USER)) == 0)) {
            (*type_p)++;
        }
    }
}

/* Hands on the frames that are there. */
static int decode(struct messi_connection_t *self_p)
{
    uint32_t life = self_p->life;
    size_t begin = 0;
    size_t header;
    int reason = MESSI_NO_REASON;

    self_p->is_stalled = false;

#ifndef MESSI_NO_V1
    if (!is_known(self_p->wire) && self_p->input.used > 0) {
        learn_wire(self_p);
    }
#endif

    header = header_size(self_p->wire);

    while (reason == MESSI_NO_REASON && self_p->input.used - begin >= header && !self_p->is_ending) {
        const uint8_t *frame_p = &self_p->input.buf_p[begin];
        uint32_t type;
        uint32_t size;
        bool is_taken;

        if (messi_connection_is_choked(self_p)) {
            self_p->is_stalled = true;
            break;
        }

        get_header(self_p, frame_p, &type, &size);
        is_taken = type < 8 && ((self_p->input.types >> type) & 1) != 0;

        if (size > self_p->input.size - header) {
            return messi_disconnect_reason_message_too_big_t;
        }

        if ((!is_taken && self_p->input.refuses_others)
            || (self_p->input.is_strict && (!is_taken || (size > 0 && type >= MESSI_MESSAGE_TYPE_PING)))) {
            /* Its payload is not waited for. */
            return messi_disconnect_reason_protocol_t;
        }

        if (self_p->input.used - begin < header + size) {
            break;
        }

        begin += header + size;
        self_p->input.has_traffic = true;

        if (is_taken) {
            reason = self_p->on_frame(self_p, (uint8_t)type, &frame_p[header], size);

            if (self_p->life != life) {
                return MESSI_NO_REASON;
            }
        }
    }

    self_p->input.used -= begin;
    memmove(self_p->input.buf_p, &self_p->input.buf_p[begin], self_p->input.used);

    return reason;
}

int messi_connection_read(struct messi_connection_t *self_p)
{
    uint32_t life = self_p->life;
    int reason = decode(self_p);
    int i;

    for (i = 0; i < READS_PER_TURN && reason == MESSI_NO_REASON; i++) {
        size_t room;
        ptrdiff_t res;

        if (self_p->life != life || self_p->is_ending || messi_connection_is_choked(self_p)) {
            break;
        }

        room = self_p->input.size - self_p->input.used;
        res = self_p->transport_p->read(self_p, &self_p->input.buf_p[self_p->input.used], room);

        if (res < 0) {
            return messi_disconnect_reason_connection_closed_t;
        }

        self_p->input.used += (size_t)res;
        reason = decode(self_p);

        if ((size_t)res < room) {
            break;
        }
    }

    return reason;
}

bool messi_wire_is_spoken(enum messi_wire_t wire)
{
#ifdef MESSI_NO_V1
    return wire == MESSI_WIRE_V2;
#else
    return (unsigned int)wire <= MESSI_WIRE_AUTO_V1A;
#endif
}

size_t messi_frame_header_size(enum messi_wire_t wire)
{
    return header_size((uint8_t)wire);
}

void messi_frame_put_header(enum messi_wire_t wire, uint8_t type, uint32_t size, uint8_t *payload_p)
{
    put_header((uint8_t)wire, type, size, payload_p);
}

ptrdiff_t messi_frame_encode(enum messi_wire_t wire, uint8_t type, const pb_msgdesc_t *fields_p,
                             const void *message_p, uint8_t *buf_p, size_t size)
{
    size_t header = header_size((uint8_t)wire);
    bool is_v1 = !is_v2((uint8_t)wire) && is_known((uint8_t)wire);
    int res;

    if (size < header) {
        return -1;
    }

    size -= header;

    if (size > MESSI_PAYLOAD_MAX && !is_v1) {
        size = MESSI_PAYLOAD_MAX;
    }

    res = messi_encode(fields_p, message_p, &buf_p[header], size);

    if (res < 0) {
        return -1;
    }

    put_header((uint8_t)wire, type, (uint32_t)res, &buf_p[header]);

    return (ptrdiff_t)header + res;
}

/* ---------------------------------------------------------------------------------------------------------- clients */

static int on_frame(struct messi_connection_t *connection_p, uint8_t type, const uint8_t *buf_p, size_t size)
{
    struct messi_client_t *self_p = (struct messi_client_t *)connection_p;

    if (type == MESSI_MESSAGE_TYPE_PONG) {
        self_p->is_unanswered = false;

        return MESSI_NO_REASON;
    }

    return self_p->callbacks_p->on_message(self_p, buf_p, size);
}

int messi_client_init(struct messi_client_t *self_p, const struct messi_client_platform_t *platform_p,
                      const struct messi_client_callbacks_t *callbacks_p, const char *uri_p, uint8_t *input_p,
                      size_t input_size, uint8_t *output_p, size_t output_size)
{
    memset(self_p, 0, sizeof(*self_p));

    if (messi_parse_tcp_uri(uri_p, &self_p->host[0], sizeof(self_p->host), &self_p->port) != 0
        || self_p->host[0] == '\0' || self_p->port == 0 || input_size < MESSI_HEADER_SIZE
        || output_size < MESSI_HEADER_SIZE) {
        return -1;
    }

    messi_connection_init(&self_p->connection, &platform_p->transport, NULL, on_frame,
                          (1 << MESSI_MESSAGE_TYPE_SERVER_TO_CLIENT_USER) | (1 << MESSI_MESSAGE_TYPE_PONG), false,
                          input_p, input_size, output_p, output_size);
    self_p->platform_p = platform_p;
    self_p->callbacks_p = callbacks_p;
    self_p->state = messi_client_state_stopped_t;
    messi_client_set_max_pending(self_p, MESSI_MAX_PENDING);
    messi_client_set_seed(self_p, 0);

    return 0;
}

void messi_client_set_max_pending(struct messi_client_t *self_p, size_t max_pending)
{
#ifdef MESSI_PB_NO_MALLOC
    max_pending = 0;
#endif

    if (max_pending < self_p->connection.output.fixed_size) {
        max_pending = self_p->connection.output.fixed_size;
    }

    self_p->connection.output.max = max_pending;
}

void messi_client_set_reconnect_delay(struct messi_client_t *self_p, uint32_t milliseconds)
{
    self_p->reconnect_ms = milliseconds;
}

void messi_client_set_seed(struct messi_client_t *self_p, uint32_t seed)
{
    /* The generator would stay at zero for ever. */
    self_p->random = (seed != 0 ? seed : 0x6d657373u);
}

int messi_client_set_wire(struct messi_client_t *self_p, enum messi_wire_t wire)
{
    struct messi_connection_t *connection_p = &self_p->connection;

    if (self_p->state != messi_client_state_stopped_t || !messi_wire_is_spoken(wire) || wire >= MESSI_WIRE_AUTO
        || connection_p->input.size < header_size((uint8_t)wire)
        || connection_p->output.fixed_size < header_size((uint8_t)wire)) {
        return -1;
    }

    connection_p->wire = (uint8_t)wire;

    return 0;
}

void messi_client_set_any_traffic(struct messi_client_t *self_p, bool any_traffic)
{
    self_p->any_traffic = any_traffic;
}

void messi_client_set_strict(struct messi_client_t *self_p, bool is_strict)
{
    self_p->connection.input.is_strict = is_strict;
}

bool messi_client_is_connected(const struct messi_client_t *self_p)
{
    return self_p->state == messi_client_state_connected_t;
}

size_t messi_client_pending(const struct messi_client_t *self_p)
{
    return messi_connection_pending(&self_p->connection);
}

static void set_timer(struct messi_client_t *self_p, uint32_t milliseconds)
{
    self_p->platform_p->set_timer(self_p, milliseconds);
}

/* Full jitter: any part of a limit that doubles, so that clients which lost their server together come back apart. */
static uint32_t next_pause(struct messi_client_t *self_p)
{
    uint32_t limit = self_p->backoff_ms;
    uint32_t random = self_p->random;

    if (self_p->reconnect_ms != 0) {
        return self_p->reconnect_ms;
    }

    self_p->backoff_ms = (limit < MESSI_RECONNECT_MAX_MS / 2 ? 2 * limit : MESSI_RECONNECT_MAX_MS);

    /* Marsaglia's xorshift, 13, 17, 5. */
    random ^= random << 13;
    random ^= random >> 17;
    random ^= random << 5;
    self_p->random = random;

    return 1 + random % limit;
}

static void wait_for_next(struct messi_client_t *self_p)
{
    self_p->state = messi_client_state_waiting_t;
    set_timer(self_p, next_pause(self_p));
}

static void connect_to(struct messi_client_t *self_p, bool is_first)
{
    if (self_p->platform_p->connect(self_p, is_first) == 0) {
        self_p->state = messi_client_state_connecting_t;
        set_timer(self_p, MESSI_CONNECT_MS);
    } else {
        wait_for_next(self_p);
    }
}

/* Two steps: nothing is sent or received any more from now on, and leave() tells. */
static void lose(struct messi_client_t *self_p, int reason)
{
    messi_connection_close(&self_p->connection);
    self_p->state = messi_client_state_lost_t;
    self_p->reason = (enum messi_disconnect_reason_t)reason;

    if (self_p->pings >= HEALTHY_PINGS) {
        self_p->backoff_ms = MESSI_RECONNECT_MIN_MS;
    }

    /* Nothing else may ever happen if it was lost by a send. */
    set_timer(self_p, 1);
}

void messi_client_start(struct messi_client_t *self_p)
{
    if (self_p->state == messi_client_state_stopped_t) {
        self_p->backoff_ms = MESSI_RECONNECT_MIN_MS;
        connect_to(self_p, true);
    }
}

void messi_client_stop(struct messi_client_t *self_p)
{
    if (self_p->state == messi_client_state_stopped_t) {
        return;
    }

    if (self_p->state == messi_client_state_connected_t) {
        messi_connection_flush(&self_p->connection);
    }

    self_p->state = messi_client_state_stopped_t;
    messi_connection_close(&self_p->connection);
    set_timer(self_p, 0);
}

void messi_client_enter(struct messi_client_t *self_p)
{
    self_p->is_busy = true;
}

void messi_client_connected(struct messi_client_t *self_p)
{
    if (self_p->state != messi_client_state_connecting_t) {
        return;
    }

    messi_connection_open(&self_p->connection, false);
    self_p->state = messi_client_state_connected_t;
    self_p->is_unanswered = false;
    self_p->is_paused = false;
    self_p->stuck = 0;
    self_p->pings = 0;
    set_timer(self_p, MESSI_PING_MS);
    self_p->callbacks_p->on_connected(self_p);
}

void messi_client_connect_failed(struct messi_client_t *self_p)
{
    if (self_p->state == messi_client_state_connecting_t) {
        messi_connection_close(&self_p->connection);
        connect_to(self_p, false);
    }
}

void messi_client_input(struct messi_client_t *self_p)
{
    int reason;

    if (self_p->state == messi_client_state_connected_t) {
        reason = messi_connection_read(&self_p->connection);

        if (reason != MESSI_NO_REASON) {
            lose(self_p, reason);
        }
    }
}

void messi_client_output(struct messi_client_t *self_p)
{
    if (self_p->state == messi_client_state_connected_t) {
        messi_connection_flush(&self_p->connection);

        if (self_p->connection.is_stalled) {
            messi_client_input(self_p);
        }
    }
}

/* A sign of life, and a look at the server's. */
static void ping(struct messi_client_t *self_p)
{
    struct messi_connection_t *connection_p = &self_p->connection;
    bool was_paused = self_p->is_paused;

    if (connection_p->is_broken) {
        lose(self_p, messi_disconnect_reason_connection_closed_t);

        return;
    }

    if (self_p->any_traffic && connection_p->input.has_traffic) {
        self_p->is_unanswered = false;
    }

    self_p->is_paused = messi_connection_pending(connection_p) > connection_p->output.max / 2;

    if (!self_p->is_paused || connection_p->has_progress) {
        self_p->stuck = 0;
    } else if (++self_p->stuck >= STUCK_PINGS) {
        lose(self_p, messi_disconnect_reason_slow_consumer_t);

        return;
    }

    /* The answer to a ping that is far behind, or found no room, cannot be missed. The next one has time. */
    if (self_p->is_unanswered && !self_p->is_paused && !was_paused) {
        lose(self_p, messi_disconnect_reason_keep_alive_timeout_t);

        return;
    }

    if (self_p->pings < HEALTHY_PINGS) {
        self_p->pings++;
    }

    connection_p->has_progress = false;
    connection_p->input.has_traffic = false;
    self_p->is_unanswered = true;
    messi_connection_write_empty(connection_p, MESSI_MESSAGE_TYPE_PING, false);
    messi_connection_flush(connection_p);

    if (connection_p->is_broken) {
        lose(self_p, messi_disconnect_reason_general_error_t);
    } else {
        set_timer(self_p, MESSI_PING_MS);
    }
}

void messi_client_timeout(struct messi_client_t *self_p)
{
    switch (self_p->state) {
    case messi_client_state_waiting_t:
        connect_to(self_p, true);
        break;
    case messi_client_state_connecting_t:
        messi_client_connect_failed(self_p);
        break;
    case messi_client_state_connected_t:
        ping(self_p);
        break;
    default:
        break;
    }
}

void messi_client_leave(struct messi_client_t *self_p)
{
    self_p->is_busy = false;

    if (self_p->state == messi_client_state_connected_t) {
        messi_connection_flush(&self_p->connection);
        messi_connection_watch(&self_p->connection);
    } else if (self_p->state == messi_client_state_lost_t) {
        wait_for_next(self_p);
        self_p->callbacks_p->on_disconnected(self_p, self_p->reason);
    }
}

static ptrdiff_t encode(const struct messi_connection_t *connection_p, uint8_t *buf_p, size_t size,
                        const pb_msgdesc_t *fields_p, const void *message_p)
{
    return messi_frame_encode((enum messi_wire_t)connection_p->wire, MESSI_MESSAGE_TYPE_CLIENT_TO_SERVER_USER,
                              fields_p, message_p, buf_p, size);
}

/* Encodes behind what is pending in the output buffer, so that nothing is copied as long as that is large enough. */
static ptrdiff_t encode_in_place(struct messi_connection_t *connection_p, const pb_msgdesc_t *fields_p,
                                 const void *message_p)
{
    ptrdiff_t size = encode(connection_p, &connection_p->output.buf_p[connection_p->output.end],
                            connection_p->output.size - connection_p->output.end, fields_p, message_p);

    if (size >= 0) {
        append(connection_p, (size_t)size);
    }

    return size;
}

/* Queues a message. Returns MESSI_NO_REASON or why to disconnect. */
static int put(struct messi_client_t *self_p, const pb_msgdesc_t *fields_p, const void *message_p)
{
    struct messi_connection_t *connection_p = &self_p->connection;
    ptrdiff_t size;

    if (!is_from_malloc(connection_p)) {
        size = encode_in_place(connection_p, fields_p, message_p);

        if (size < 0 && connection_p->output.end > 0) {
            messi_connection_flush(connection_p);

            if (connection_p->is_broken) {
                return MESSI_NO_REASON;
            }

            move_output_to_front(connection_p);
            size = encode_in_place(connection_p, fields_p, message_p);
        }

        if (size >= 0) {
            return MESSI_NO_REASON;
        }

        if (messi_connection_pending(connection_p) == 0) {
            return messi_disconnect_reason_message_encode_error_t;
        }

        if (connection_p->output.max == connection_p->output.fixed_size) {
            size_t alone;
            bool is_possible = pb_get_encoded_size(&alone, fields_p, message_p)
                               && alone <= connection_p->output.fixed_size - header_size(connection_p->wire);

            return is_possible ? messi_disconnect_reason_slow_consumer_t
                               : messi_disconnect_reason_message_encode_error_t;
        }
    }

#ifndef MESSI_PB_NO_MALLOC
    if (!is_from_malloc(connection_p) && grow(connection_p, 0) != MESSI_NO_REASON) {
        return messi_disconnect_reason_general_error_t;
    }

    size = encode(connection_p, connection_p->output.fixed_p, connection_p->output.fixed_size, fields_p, message_p);

    if (size >= 0) {
        return messi_connection_write(connection_p, connection_p->output.fixed_p, (size_t)size, true);
    }
#endif

    return messi_disconnect_reason_message_encode_error_t;
}

void messi_client_send(struct messi_client_t *self_p, const pb_msgdesc_t *fields_p, const void *message_p)
{
    struct messi_connection_t *connection_p = &self_p->connection;
    int reason;

    if (self_p->state != messi_client_state_connected_t || connection_p->is_broken) {
        return;
    }

    reason = put(self_p, fields_p, message_p);

    if (reason != MESSI_NO_REASON) {
        lose(self_p, reason);
    } else if (!self_p->is_busy) {
        if (!connection_p->watches_output) {
            messi_connection_flush(connection_p);
        }

        messi_connection_watch(connection_p);
    }
}
