/*
 * The cases of messi/tests/cases, played with the client and the server in C. The README there says what they are.
 *
 *     cases play FILE..     plays them, and says which it played and which not, for want of what
 *     cases wrong FILE..    plays what must fail, each case at the line behind `# wrong`
 *
 * A fault leaves a case by longjmp; what the case has made is given back behind it.
 */

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>

#include <pb_encode.h>

#include "messi.h"
#include "messi_server.h"

#include "check.h"

#define BYTES_MAX (256u << 10)
#define MESSAGES_MAX 1024
#define LINES_MAX 128
#define LINE_MAX_SIZE 1024
#define WORDS_MAX 32
#define NEVER UINT64_MAX

/* ------------------------------------------------------------------------------------------------------------ files */

struct line_t {
    int number;
    char text[LINE_MAX_SIZE];
};

static struct {
    char name[LINE_MAX_SIZE];
    struct line_t lines[LINES_MAX];
    int length;
    /* The line at which it must fail, or 0. */
    int wrong;
} the_case;

static bool begins_with(const char *text_p, const char *word_p)
{
    return strncmp(text_p, word_p, strlen(word_p)) == 0;
}

static bool is_step(const char *line_p)
{
    return isdigit((unsigned char)line_p[0]) != 0;
}

/* Reads the next case, or returns false. */
static bool next_case(FILE *file_p, int *number_p)
{
    static char line[LINE_MAX_SIZE];
    bool is_inside = false;
    bool is_wrong = false;

    the_case.length = 0;
    the_case.wrong = 0;

    while (fgets(line, sizeof(line), file_p) != NULL) {
        size_t size = strlen(line);

        (*number_p)++;
        CHECK(size > 0 && line[size - 1] == '\n');
        line[size - 1] = '\0';

        if (line[0] == '\0' || line[0] == '#') {
            is_wrong = (strcmp(line, "# wrong") == 0);
        } else if (!is_inside) {
            CHECK(begins_with(line, "case "));
            strcpy(the_case.name, &line[5]);
            is_inside = true;
        } else {
            CHECK(the_case.length < LINES_MAX);
            the_case.lines[the_case.length].number = *number_p;
            strcpy(the_case.lines[the_case.length].text, line);
            the_case.length++;
            the_case.wrong = (is_wrong ? *number_p : the_case.wrong);
            is_wrong = false;

            if (strcmp(line, "end") == 0) {
                return true;
            }
        }
    }

    CHECK(!is_inside);

    return false;
}

/* ----------------------------------------------------------------------------------------------------------- faults */

static jmp_buf on_fault;
static char the_fault[LINE_MAX_SIZE];

static void fault(const char *format_p, ...)
{
    va_list arguments;

    va_start(arguments, format_p);
    vsnprintf(the_fault, sizeof(the_fault), format_p, arguments);
    va_end(arguments);
    longjmp(on_fault, 1);
}

static void check_same(const char *what_p, uint64_t actual, uint64_t expected)
{
    if (actual != expected) {
        fault("%s: %llu, and not %llu", what_p, (unsigned long long)actual, (unsigned long long)expected);
    }
}

/* ------------------------------------------------------------------------------------------------------------ words */

static uint64_t number(const char *word_p)
{
    uint64_t value = 0;
    const char *digit_p;

    for (digit_p = word_p; isdigit((unsigned char)*digit_p); digit_p++) {
        value = 10 * value + (uint64_t)(*digit_p - '0');
    }

    if (digit_p == word_p || *digit_p != '\0') {
        fault("`%s` is no number", word_p);
    }

    return value;
}

static bool yes_or_no(const char *word_p)
{
    if (strcmp(word_p, "yes") != 0 && strcmp(word_p, "no") != 0) {
        fault("`%s` is neither yes nor no", word_p);
    }

    return word_p[0] == 'y';
}

static const char *reasons[] = {
    "message_encode_error", "message_decode_error", "connection_closed", "keep_alive_timeout", "general_error",
    "message_too_big",      "slow_consumer",        "limit",             "not_allowed",        "protocol",
    "requested",
};

#define REASON(name) CHECK(strcmp(reasons[messi_disconnect_reason_##name##_t], #name) == 0)

/* The names are those of the enumerators. */
static void check_reasons(void)
{
    REASON(message_encode_error);
    REASON(message_decode_error);
    REASON(connection_closed);
    REASON(keep_alive_timeout);
    REASON(general_error);
    REASON(message_too_big);
    REASON(slow_consumer);
    REASON(limit);
    REASON(not_allowed);
    REASON(protocol);
    REASON(requested);
}

static int reason(const char *word_p)
{
    int i;

    for (i = 0; i < 11; i++) {
        if (strcmp(word_p, reasons[i]) == 0) {
            return i;
        }
    }

    fault("`%s` is no reason", word_p);

    return -1;
}

static int hexadecimal(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *found_p = (digit == '\0' ? NULL : strchr(digits, tolower((unsigned char)digit)));

    if (found_p == NULL) {
        fault("`%c` is no hexadecimal digit", digit);
    }

    return (int)(found_p - digits);
}

/* Hexadecimal digits and text in quotes, either of which may be repeated. Returns how many bytes. */
static size_t bytes(const char *text_p, uint8_t *buf_p)
{
    size_t used = 0;

    while (*text_p != '\0') {
        size_t size = 0;
        unsigned long count = 1;

        if (*text_p == '"') {
            const char *end_p = strchr(text_p + 1, '"');

            if (end_p == NULL) {
                fault("a quote without its end");
            } else {
                size = (size_t)(end_p - text_p) - 1;
                memcpy(&buf_p[used], text_p + 1, size);
                text_p = end_p + 1;
            }
        } else {
            while (*text_p != '\0' && *text_p != ' ' && *text_p != '*') {
                buf_p[used + size] = (uint8_t)(hexadecimal(text_p[0]) << 4);
                buf_p[used + size] = (uint8_t)(buf_p[used + size] | hexadecimal(text_p[1]));
                size++;
                text_p += 2;
            }

            if (size == 0) {
                fault("no bytes: %s", text_p);
            }
        }

        if (*text_p == '*') {
            char *end_p;

            count = strtoul(text_p + 1, &end_p, 10);
            text_p = end_p;
        }

        CHECK(count > 0 && used + count * size <= BYTES_MAX);

        for (; count > 1; count--) {
            memcpy(&buf_p[used + size], &buf_p[used], size);
            used += size;
        }

        used += size;

        if (*text_p == ' ' && text_p[1] != '\0') {
            text_p++;
        } else if (*text_p != '\0') {
            fault("bytes are words with one space between: %s", text_p);
        }
    }

    return used;
}

/* --------------------------------------------------------------------------------------------------------- settings */

static const char *capabilities[] = {
    "keep_alive", "limits",    "room",        "refuse",    "retry", "turns",
    "deadlines",  "old_wires", "large_frames", "late_pong",
};

static struct {
    bool is_client;
    bool is_strict;
    bool any_traffic;
    bool is_whole;
    enum messi_wire_t wire;
    size_t max_frame;
    size_t max_pending;
    int needs_length;
    char needs[WORDS_MAX][32];
    int each_length;
    char each[WORDS_MAX][32];
    int seen_length;
    char seen[WORDS_MAX][32];
} plan;

static bool is_lacked(const char *capability_p, bool is_client)
{
    static const char *lacked[] = { "keep_alive", "limits", "room", "retry", "turns", "deadlines", "late_pong" };
    size_t i;

    for (i = 0; i < sizeof(lacked) / sizeof(lacked[0]); i++) {
        if (strcmp(capability_p, lacked[i]) == 0) {
            return true;
        }
    }

#ifdef MESSI_NO_V1
    if (strcmp(capability_p, "old_wires") == 0) {
        return true;
    }
#endif

    /* Its output buffer is for one frame at least. */
    return is_client && strcmp(capability_p, "large_frames") == 0;
}

static int split(const char *text_p, char words[][32])
{
    int length = 0;

    while (*text_p != '\0') {
        size_t size = strcspn(text_p, " ");

        CHECK(length < WORDS_MAX && size < 32);
        memcpy(words[length], text_p, size);
        words[length][size] = '\0';
        length++;
        text_p += size;
        text_p += (*text_p == ' ');
    }

    return length;
}

static void need(const char *capability_p)
{
    int i;

    for (i = 0; i < plan.needs_length; i++) {
        if (strcmp(plan.needs[i], capability_p) == 0) {
            return;
        }
    }

    fault("needs `%s`, and does not say so", capability_p);
}

static void set_needs(const char *value_p)
{
    int i;
    size_t j;

    plan.needs_length = split(value_p, plan.needs);

    for (i = 0; i < plan.needs_length; i++) {
        bool is_known = false;

        for (j = 0; j < sizeof(capabilities) / sizeof(capabilities[0]); j++) {
            is_known = is_known || strcmp(plan.needs[i], capabilities[j]) == 0;
        }

        if (!is_known) {
            fault("`%s` is no capability", plan.needs[i]);
        }
    }
}

static void set_wire(const char *value_p)
{
    static const struct {
        const char *name_p;
        enum messi_wire_t wire;
    } wires[] = {
        { "v1a", MESSI_WIRE_V1A },
        { "v1b", MESSI_WIRE_V1B },
        { "auto_v1a", MESSI_WIRE_AUTO_V1A },
        { "auto_v1b", MESSI_WIRE_AUTO },
    };
    size_t i;

    if (strcmp(value_p, "v2") == 0) {
        return;
    }

    need("old_wires");

    for (i = 0; i < 4; i++) {
        if (strcmp(value_p, wires[i].name_p) == 0 && (wires[i].wire < MESSI_WIRE_AUTO || !plan.is_client)) {
            plan.wire = wires[i].wire;

            return;
        }
    }

    fault("`%s` is no wire", value_p);
}

static void set_one(const char *key_p, const char *value_p)
{
    bool is_yes = (strcmp(value_p, "yes") == 0);

    if (strcmp(key_p, "side") == 0 && (strcmp(value_p, "client") == 0 || strcmp(value_p, "server") == 0)) {
        plan.is_client = (value_p[0] == 'c');
    } else if (strcmp(key_p, "wire") == 0) {
        set_wire(value_p);
    } else if (strcmp(key_p, "strict") == 0 && is_yes) {
        plan.is_strict = true;
    } else if (strcmp(key_p, "any_traffic") == 0 && is_yes) {
        plan.any_traffic = true;
    } else if (strcmp(key_p, "max_frame") == 0) {
        plan.max_frame = number(value_p);
    } else if (strcmp(key_p, "max_pending") == 0) {
        plan.max_pending = number(value_p);
    } else if (strcmp(key_p, "pieces") == 0 && strcmp(value_p, "whole") == 0) {
        plan.is_whole = true;
    } else if (strcmp(key_p, "keep_alive") == 0) {
        need("keep_alive");
    } else if (strcmp(key_p, "turn") == 0) {
        need("turns");
    } else if (strstr(key_p, "_time") != NULL) {
        need("limits");
    } else {
        fault("`%s %s` is no setting", key_p, value_p);
    }
}

static void set(const char *line_p)
{
    char key[32];
    size_t size = strcspn(line_p, " ");
    const char *value_p = &line_p[size + (line_p[size] == ' ')];
    int i;

    CHECK(size < sizeof(key));
    memcpy(key, line_p, size);
    key[size] = '\0';

    if ((plan.seen_length == 0) != (strcmp(key, "side") == 0)) {
        fault("`side` is the first setting");
    }

    for (i = 0; i < plan.seen_length; i++) {
        if (strcmp(plan.seen[i], key) == 0) {
            fault("`%s` is there twice", key);
        }
    }

    strcpy(plan.seen[plan.seen_length++], key);

    if (strcmp(key, "needs") == 0) {
        set_needs(value_p);
    } else if (strcmp(key, "each") == 0) {
        plan.each_length = split(value_p, plan.each);
    } else {
        set_one(key, value_p);
    }
}

/* --------------------------------------------------------------------------------------------------------- platform */

/* A message that is just these bytes, whatever they are. */
typedef struct {
    pb_callback_t payload;
} raw_t;

#define raw_t_FIELDLIST(X, a) X(a, CALLBACK, SINGULAR, BYTES, payload, 1)
#define raw_t_CALLBACK        pb_default_field_callback
#define raw_t_DEFAULT         NULL
#define raw_t_fields          &raw_t_msg

PB_BIND(raw_t, raw_t, AUTO)

struct message_t {
    uint64_t at_ms;
    size_t begin;
    size_t size;
};

static struct {
    struct messi_client_t client;
    struct messi_server_t server;
    struct messi_server_client_t slot;
    uint8_t *input_p;
    uint8_t *output_p;
    uint64_t now_ms;
    uint64_t timer_ms;
    /* What arrived and was not read, and how much of it is there. */
    size_t socket_begin;
    size_t socket_end;
    size_t available;
    bool watches_input;
    bool watches_output;
    /* How much more the peer reads. */
    size_t window;
    /* What it has read and the case has not named. */
    size_t sent_begin;
    size_t sent_end;
    /* The user. */
    int answer;
    size_t messages_begin;
    size_t messages_end;
    size_t kept_size;
    struct message_t messages[MESSAGES_MAX];
    bool is_ended;
    uint64_t end_ms;
    int reason;
    bool is_end_said;
    bool is_full;
} it;

static uint8_t socket_bytes[BYTES_MAX];
static uint8_t sent_bytes[BYTES_MAX];
static uint64_t sent_ms[BYTES_MAX];
static uint8_t kept[BYTES_MAX];
static uint8_t value_bytes[BYTES_MAX];
static uint8_t message_buf[BYTES_MAX];

static ptrdiff_t fake_read(struct messi_connection_t *connection_p, void *buf_p, size_t size)
{
    (void)connection_p;
    size = (size < it.available ? size : it.available);
    memcpy(buf_p, &socket_bytes[it.socket_begin], size);
    it.socket_begin += size;
    it.available -= size;

    return (ptrdiff_t)size;
}

static ptrdiff_t fake_write(struct messi_connection_t *connection_p, const void *buf_p, size_t size)
{
    size_t i;

    (void)connection_p;
    size = (size < it.window ? size : it.window);
    CHECK(it.sent_end + size <= BYTES_MAX);
    memcpy(&sent_bytes[it.sent_end], buf_p, size);

    for (i = 0; i < size; i++) {
        sent_ms[it.sent_end + i] = it.now_ms;
    }

    it.sent_end += size;
    it.window -= (it.window == SIZE_MAX ? 0 : size);

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
    it.watches_input = false;
    it.watches_output = false;
}

static int fake_connect(struct messi_client_t *client_p, bool is_first)
{
    (void)client_p;

    return is_first ? 0 : -1;
}

static void set_client_timer(struct messi_client_t *client_p, uint32_t milliseconds)
{
    (void)client_p;
    it.timer_ms = (milliseconds == 0 ? NEVER : it.now_ms + milliseconds);
}

static uint64_t fake_now(struct messi_server_t *server_p)
{
    (void)server_p;

    return it.now_ms;
}

static void set_server_timer(struct messi_server_t *server_p, uint64_t at_ms)
{
    (void)server_p;
    it.timer_ms = at_ms;
}

static const struct messi_client_platform_t client_platform = {
    { fake_read, fake_write, fake_watch, fake_close },
    fake_connect,
    set_client_timer
};

static const struct messi_server_platform_t server_platform = {
    { fake_read, fake_write, fake_watch, fake_close },
    fake_now,
    set_server_timer
};

/* A message without a byte has no member set, and the generated code hands it to nobody. */
static int take(const uint8_t *buf_p, size_t size)
{
    if (size > 0) {
        struct message_t *message_p = &it.messages[it.messages_end];

        CHECK(it.messages_end < MESSAGES_MAX && it.kept_size + size <= BYTES_MAX);
        message_p->at_ms = it.now_ms;
        message_p->begin = it.kept_size;
        message_p->size = size;
        memcpy(&kept[it.kept_size], buf_p, size);
        it.kept_size += size;
        it.messages_end++;
    }

    return it.answer;
}

static void end(int why)
{
    CHECK(!it.is_ended);
    it.is_ended = true;
    it.end_ms = it.now_ms;
    it.reason = why;
}

static void on_connected(struct messi_client_t *client_p)
{
    (void)client_p;
}

static void on_disconnected(struct messi_client_t *client_p, enum messi_disconnect_reason_t why)
{
    (void)client_p;
    end((int)why);
}

static int on_message(struct messi_client_t *client_p, const uint8_t *buf_p, size_t size)
{
    (void)client_p;

    return take(buf_p, size);
}

static void on_client_connected(struct messi_server_t *server_p, struct messi_server_client_t *client_p)
{
    (void)server_p;
    (void)client_p;
}

static void on_client_disconnected(struct messi_server_t *server_p, struct messi_server_client_t *client_p)
{
    (void)server_p;
    end((int)messi_server_client_reason(client_p));
}

static int on_client_message(struct messi_server_t *server_p, struct messi_server_client_t *client_p,
                             const uint8_t *buf_p, size_t size)
{
    (void)server_p;
    (void)client_p;

    return take(buf_p, size);
}

static const struct messi_client_callbacks_t client_callbacks = { on_connected, on_disconnected, on_message };
static const struct messi_server_callbacks_t server_callbacks = {
    on_client_connected, on_client_disconnected, on_client_message
};

static struct messi_connection_t *connection(void)
{
    return plan.is_client ? &it.client.connection : &it.slot.connection;
}

static void enter(void)
{
    if (plan.is_client) {
        messi_client_enter(&it.client);
    } else {
        messi_server_enter(&it.server);
    }
}

static void leave(void)
{
    if (plan.is_client) {
        messi_client_leave(&it.client);
    } else {
        messi_server_leave(&it.server);
    }
}

/* ------------------------------------------------------------------------------------------------------------- life */

static void begin_client(size_t output_size)
{
    /* Of just that size, so that a byte beyond it is seen. */
    it.output_p = malloc(output_size);
    CHECK_EQ(messi_client_init(&it.client, &client_platform, &client_callbacks, "tcp://server:4000", it.input_p,
                               plan.max_frame, it.output_p, output_size),
             0);
    messi_client_set_max_pending(&it.client, plan.max_pending);
    messi_client_set_strict(&it.client, plan.is_strict);
    messi_client_set_any_traffic(&it.client, plan.any_traffic);
    CHECK_EQ(messi_client_set_wire(&it.client, plan.wire), 0);
    messi_client_start(&it.client);
    enter();
    messi_client_connected(&it.client);
    leave();
}

static void begin_server(void)
{
    CHECK_EQ(messi_server_init(&it.server, &server_platform, NULL, &server_callbacks, "tcp://:4000", &it.slot,
                               sizeof(it.slot), 1, it.input_p, plan.max_frame, message_buf, sizeof(message_buf)),
             0);
    messi_server_set_max_pending(&it.server, plan.max_pending);
    messi_server_set_strict(&it.server, plan.is_strict);
    messi_server_set_any_traffic(&it.server, plan.any_traffic);
    CHECK_EQ(messi_server_set_wire(&it.server, plan.wire), 0);
    messi_server_start(&it.server);
    enter();
    CHECK(messi_server_take(&it.server) == &it.slot);
    it.watches_input = true;
    messi_server_connected(&it.server, &it.slot);
    leave();
}

/* `output_size`: that of a client's output buffer. */
static void begin(size_t output_size)
{
    memset(&it, 0, sizeof(it));
    it.timer_ms = NEVER;
    it.window = SIZE_MAX;
    it.answer = MESSI_NO_REASON;
    it.input_p = malloc(plan.max_frame);

    if (plan.is_client) {
        begin_client(output_size);
    } else {
        begin_server();
    }
}

static void give_back(void)
{
    /* What it still says is nobody's. */
    it.is_ended = false;
    it.window = 0;

    if (it.input_p != NULL && plan.is_client) {
        messi_client_stop(&it.client);
    } else if (it.input_p != NULL) {
        messi_server_stop(&it.server);
    }

    free(it.input_p);
    free(it.output_p);
    it.input_p = NULL;
    it.output_p = NULL;
}

/* Reads and writes until there is nothing more to do now. */
static void settle(size_t piece)
{
    int turns = 0;

    while (!it.is_ended) {
        size_t left = it.socket_end - it.socket_begin;
        bool output = it.watches_output && it.window > 0;
        bool input = it.watches_input && left > 0;

        if (!output && !input) {
            break;
        }

        if (++turns > 1000000) {
            fault("it never has enough");
        }

        it.available = (piece < left ? piece : left);
        enter();

        if (output && plan.is_client) {
            messi_client_output(&it.client);
        } else if (output) {
            messi_server_output(&it.server, &it.slot);
        }

        if (input && plan.is_client) {
            messi_client_input(&it.client);
        } else if (input) {
            messi_server_input(&it.server, &it.slot);
        }

        leave();
    }
}

static void pass(uint64_t until_ms, size_t piece)
{
    int ticks = 0;

    while (!it.is_ended && it.timer_ms <= until_ms) {
        if (++ticks > 10000) {
            /* What stays due would be a loop that never waits. */
            fault("the deadline at %llu is never done", (unsigned long long)it.timer_ms);
        }

        it.now_ms = (it.timer_ms > it.now_ms ? it.timer_ms : it.now_ms);
        it.timer_ms = NEVER;
        enter();

        if (plan.is_client) {
            messi_client_timeout(&it.client);
        } else {
            messi_server_timeout(&it.server);
        }

        leave();
        settle(piece);
    }

    it.now_ms = until_ms;
}

static void check_all_said(void)
{
    if (it.sent_begin < it.sent_end) {
        fault("at %llu %02x was sent", (unsigned long long)sent_ms[it.sent_begin], sent_bytes[it.sent_begin]);
    }

    if (it.messages_begin < it.messages_end) {
        fault("at %llu there was a message", (unsigned long long)it.messages[it.messages_begin].at_ms);
    }

    if (it.is_ended && !it.is_end_said) {
        fault("at %llu it ended: %d", (unsigned long long)it.end_ms, it.reason);
    }
}

static bool write_payload(pb_ostream_t *stream_p, const pb_field_t *field_p, void *const *arg_pp)
{
    const size_t *size_p = (const size_t *)*arg_pp;

    (void)field_p;

    return pb_write(stream_p, value_bytes, *size_p);
}

static void send_message(const char *value_p, bool is_full)
{
    size_t size = bytes(value_p, value_bytes);
    raw_t message;

    message.payload.funcs.encode = write_payload;
    message.payload.arg = &size;

    if (plan.is_client) {
        messi_client_send(&it.client, raw_t_fields, &message);
    } else {
        messi_server_send(&it.server, &it.slot, raw_t_fields, &message);
    }

    if (connection()->is_open != is_full) {
        if (is_full) {
            enter();
            leave();
            check_same("the reason", (uint64_t)it.reason, (uint64_t)messi_disconnect_reason_slow_consumer_t);
            it.is_full = true;
            it.is_end_said = true;
        }
    } else {
        fault(is_full ? "there is room" : "there is no room");
    }
}

static void check_sent(const char *value_p)
{
    size_t size = bytes(value_p, value_bytes);
    size_t i;

    for (i = 0; i < size; i++) {
        size_t at = it.sent_begin + i;

        if (at == it.sent_end) {
            fault("only %u of %u bytes were sent", (unsigned int)i, (unsigned int)size);
        }

        if (sent_bytes[at] != value_bytes[i] || sent_ms[at] != it.now_ms) {
            fault("byte %u is %02x, at %llu", (unsigned int)i, sent_bytes[at], (unsigned long long)sent_ms[at]);
        }
    }

    it.sent_begin += size;
}

static void check_message(const char *value_p)
{
    const struct message_t *message_p = &it.messages[it.messages_begin];
    size_t size = bytes(value_p, value_bytes);

    if (it.messages_begin == it.messages_end) {
        fault("there is no message");
    }

    if (message_p->at_ms != it.now_ms || message_p->size != size
        || memcmp(&kept[message_p->begin], value_bytes, size) != 0) {
        fault("the message is %.*s, at %llu", (int)message_p->size, (const char *)&kept[message_p->begin],
              (unsigned long long)message_p->at_ms);
    }

    it.messages_begin++;
}

static void check_end(const char *value_p)
{
    int expected = reason(value_p);

    if (!it.is_ended) {
        fault("it has not ended");
    }

    it.is_end_said = true;
    check_same("the end", it.end_ms, it.now_ms);
    check_same("the reason", (uint64_t)it.reason, (uint64_t)expected);
    check_all_said();
}

static void arrive(const char *value_p)
{
    size_t size = bytes(value_p, value_bytes);

    CHECK(it.socket_end + size <= BYTES_MAX);
    memcpy(&socket_bytes[it.socket_end], value_bytes, size);
    it.socket_end += size;
}

/* The number, the name and the words of a reason. */
static void check_reason(const char *value_p)
{
    char expected[LINE_MAX_SIZE];
    int i;

    for (i = 0; i < 11; i++) {
        snprintf(expected, sizeof(expected), "%d %s \"%s\"", i, reasons[i],
                 messi_disconnect_reason_string((enum messi_disconnect_reason_t)i));

        if (strcmp(value_p, expected) == 0) {
            return;
        }
    }

    fault("`%s` is no reason", value_p);
}

/* What does something, or returns false. */
static bool act(const char *verb_p, const char *value_p)
{
    if (strcmp(verb_p, "<") == 0) {
        check_all_said();
        arrive(value_p);
    } else if (strcmp(verb_p, "send") == 0 || strcmp(verb_p, "full") == 0) {
        check_all_said();
        send_message(value_p, verb_p[0] == 'f');
    } else if (strcmp(verb_p, "window") == 0) {
        check_all_said();
        it.window = (strcmp(value_p, "open") == 0 ? SIZE_MAX : (size_t)number(value_p));
    } else if (strcmp(verb_p, "refuse") == 0) {
        check_all_said();
        need("refuse");
        it.answer = reason(value_p);
    } else if (strcmp(verb_p, "quiet") == 0) {
        check_all_said();
    } else if (strcmp(verb_p, "room") == 0) {
        need("room");
    } else if (strcmp(verb_p, "turn") == 0 || strcmp(verb_p, "more") == 0) {
        need("turns");
    } else if (strcmp(verb_p, "deadline") == 0) {
        need("deadlines");
    } else {
        return false;
    }

    return true;
}

static void step(const char *line_p, size_t piece)
{
    char words[2][32];
    const char *at_p = line_p;
    uint64_t time_ms;
    int i;

    for (i = 0; i < 2; i++) {
        size_t size = strcspn(at_p, " ");

        CHECK(size < 32);
        memcpy(words[i], at_p, size);
        words[i][size] = '\0';
        at_p += size + (at_p[size] == ' ');
    }

    if (it.is_full) {
        need("retry");
    } else if (it.is_end_said) {
        fault("a step behind the end");
    }

    time_ms = number(words[0]);

    if (time_ms < it.now_ms) {
        fault("it is %llu already", (unsigned long long)it.now_ms);
    }

    pass(time_ms, piece);

    if (strcmp(words[1], ">") == 0) {
        check_sent(at_p);
    } else if (strcmp(words[1], "message") == 0) {
        check_message(at_p);
    } else if (strcmp(words[1], "ends") == 0) {
        check_end(at_p);
    } else if (strcmp(words[1], "reason") == 0) {
        check_reason(at_p);
    } else if (strcmp(words[1], "pending") == 0) {
        check_same("pending", messi_connection_pending(connection()), number(at_p));
    } else if (strcmp(words[1], "reads") == 0) {
        check_same("reads", it.watches_input, yes_or_no(at_p));
    } else if (act(words[1], at_p)) {
        settle(piece);
    } else {
        fault("`%s` is no step", words[1]);
    }
}

/* ---------------------------------------------------------------------------------------------------------- playing */

static void replace(const char *line_p, const char *word_p, char *to_p)
{
    for (; *line_p != '\0'; line_p++) {
        if (*line_p == '$') {
            strcpy(to_p, word_p);
            to_p += strlen(word_p);
        } else {
            *to_p++ = *line_p;
        }
    }

    *to_p = '\0';
}

/* The largest frame that the user sends, at least as large as a header. */
static size_t largest_frame(int from)
{
    static char line[8 * LINE_MAX_SIZE];
    size_t largest = MESSI_V1_HEADER_SIZE;
    int i;

    for (i = from; i < the_case.length; i++) {
        const char *value_p;

        replace(the_case.lines[i].text, "", line);
        value_p = strstr(line, " send ");

        if (value_p != NULL) {
            size_t size = MESSI_V1_HEADER_SIZE + bytes(value_p + 6, value_bytes);

            largest = (size > largest ? size : largest);
        }
    }

    return largest;
}

/* Plays the case once. */
static void play_once(int from, int *at_p, size_t piece, const char *word_p, size_t output_size)
{
    static char line[8 * LINE_MAX_SIZE];
    int i;

    begin(output_size);

    for (i = from; i < the_case.length; i++) {
        *at_p = i;
        replace(the_case.lines[i].text, word_p, line);

        if (strcmp(line, "end") == 0) {
            check_all_said();
        } else {
            step(line, piece);
        }
    }

    give_back();
}

/* A client once with an output buffer for all that may be pending, and once with malloc behind a small one. */
static void play(int *at_p)
{
    static const size_t pieces[] = { SIZE_MAX, 1, 3, 7 };
    size_t sizes[2] = { 0, 0 };
    int piece;
    int each;
    int size;
    int from;

    memset(&plan, 0, sizeof(plan));
    plan.max_frame = 1u << 20;
    plan.max_pending = 1u << 20;
    plan.each_length = 1;

    for (from = 0; strcmp(the_case.lines[from].text, "end") != 0 && !is_step(the_case.lines[from].text); from++) {
        *at_p = from;
        set(the_case.lines[from].text);
    }

    /* A line that no bytes can be read from fails in its turn. */
    if (plan.is_client && the_case.wrong == 0) {
        sizes[1] = largest_frame(from);
    }

    sizes[0] = plan.max_pending;

    for (piece = 0; piece < (plan.is_whole ? 1 : 4); piece++) {
        for (each = 0; each < plan.each_length; each++) {
            for (size = 0; size < (sizes[1] != 0 && sizes[1] < sizes[0] ? 2 : 1); size++) {
                play_once(from, at_p, pieces[piece], plan.each[each], sizes[size]);
            }
        }
    }
}

/* Returns the number of the line at which the case failed, or 0. */
static int failed_line(void)
{
    static int at;

    at = 0;

    if (setjmp(on_fault) == 0) {
        play(&at);

        return 0;
    }

    give_back();

    return the_case.lines[at].number;
}

/* The first capability that the case needs and that is not here, or NULL. */
static const char *what_is_lacked(void)
{
    static char needs[WORDS_MAX][32];
    bool is_client = (strcmp(the_case.lines[0].text, "side client") == 0);
    int length;
    int i;
    int j;

    for (i = 0; i < the_case.length; i++) {
        if (begins_with(the_case.lines[i].text, "needs ")) {
            length = split(&the_case.lines[i].text[6], needs);

            for (j = 0; j < length; j++) {
                if (is_lacked(needs[j], is_client)) {
                    return needs[j];
                }
            }
        }
    }

    return NULL;
}

static bool play_file(const char *path_p, bool is_wrong)
{
    FILE *file_p = fopen(path_p, "r");
    bool is_good = true;
    int lines = 0;

    CHECK(file_p != NULL);

    while (next_case(file_p, &lines)) {
        const char *lacked_p = what_is_lacked();
        int failed;

        CHECK_EQ(is_wrong, the_case.wrong != 0);

        if (lacked_p != NULL) {
            printf("lacks %s for %s\n", lacked_p, the_case.name);
            continue;
        }

        failed = failed_line();

        if (failed == the_case.wrong) {
            printf("played %s\n", the_case.name);
        } else {
            fprintf(stderr, "%s:%d: %s: %s\n", path_p, failed, the_case.name, failed == 0 ? "passes" : the_fault);
            is_good = false;
        }
    }

    fclose(file_p);

    return is_good;
}

int main(int argc, const char *argv[])
{
    bool is_good = true;
    int i;

    CHECK(argc > 2);
    check_reasons();

    for (i = 2; i < argc; i++) {
        is_good = play_file(argv[i], strcmp(argv[1], "wrong") == 0) && is_good;
    }

    return is_good ? 0 : 1;
}
