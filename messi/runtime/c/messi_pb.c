#include "messi_pb.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <pb_common.h>
#include <pb_decode.h>
#include <pb_encode.h>

#if PB_PROTO_HEADER_VERSION != 40
#    error "nanopb 0.4 is needed"
#endif

#ifdef PB_WITHOUT_64BIT
#    error "nanopb is needed with its integers of 64 bits"
#endif

/* Fails to compile where a double would be written behind its member. */
typedef char double_has_64_bits_t[sizeof(double) == 8 ? 1 : -1];

/* Has the alignment of every member of a message. */
union aligned_t {
    int64_t integer;
    double number;
    void *pointer_p;
    size_t size;
};

struct alignment_t {
    char byte;
    union aligned_t aligned;
};

#define ALIGNMENT offsetof(struct alignment_t, aligned)

/* Wire types, which nanopb names only in part. */
enum wire_type_t {
    VARINT = 0,
    FIXED64 = 1,
    LENGTH_DELIMITED = 2,
    GROUP_BEGIN = 3,
    GROUP_END = 4,
    FIXED32 = 5
};

/* What is left of the bytes to decode. */
struct input_t {
    const uint8_t *pos_p;
    const uint8_t *end_p;
};

/* A field as it begins. */
struct key_t {
    uint32_t tag;
    enum wire_type_t wire_type;
};

/* How far an array of fixed length has come. nanopb sends all items of one together: it is enough to look after one. */
struct fixed_array_t {
    bool is_open;
    pb_size_t index;
    pb_size_t count;
    pb_size_t length;
};

/* Strings and bytes of no length, which take no memory. */
static const uint8_t empty[1] = { 0 };

static int decode_message(const pb_msgdesc_t *fields_p,
                          void *message_p,
                          struct messi_workspace_t *workspace_p,
                          struct input_t input,
                          int depth);

static void release_message(const pb_msgdesc_t *fields_p, void *message_p);

/* --------------------------------------------------------------------------------------------------------- members */

#ifdef PB_BUFFER_ONLY
static int locate;
#else
/* Marks a stream that is not one, but a question to a message's callback. */
static bool locate(pb_istream_t *stream_p, pb_byte_t *buf_p, size_t count)
{
    (void)stream_p;
    (void)buf_p;
    (void)count;

    return false;
}
#endif

/* What the message's callback knows of a field: of one that is a pointer always, of others seldom. */
static const struct messi_pb_member_t *member_of(const pb_field_iter_t *field_p)
{
    const struct messi_pb_member_t *member_p;
    pb_istream_t question;

    member_p = NULL;
    memset(&question, 0, sizeof(question));
    question.callback = &locate;
    question.state = &member_p;

    if (field_p->descriptor->field_callback != NULL) {
        (void)field_p->descriptor->field_callback(&question, NULL, field_p);
    }

    return member_p;
}

/* Pointers to any type are read and written as bytes: they are objects of many types. */

static void *pointer_get(const void *slot_p)
{
    void *pointer_p;

    memcpy(&pointer_p, slot_p, sizeof(pointer_p));

    return pointer_p;
}

static void pointer_set(void *slot_p, const void *pointer_p)
{
    memcpy(slot_p, &pointer_p, sizeof(pointer_p));
}

static size_t *count_of(const pb_field_iter_t *field_p, const struct messi_pb_member_t *member_p)
{
    return (size_t *)(void *)((char *)field_p->message + member_p->count_offset);
}

static void *item_of(void *items_p, size_t index, size_t size)
{
    return (char *)items_p + index * size;
}

static bool is_oneof(const pb_field_iter_t *field_p)
{
    return PB_HTYPE(field_p->type) == PB_HTYPE_ONEOF;
}

static bool is_repeated(const pb_field_iter_t *field_p)
{
    return PB_HTYPE(field_p->type) == PB_HTYPE_REPEATED;
}

static bool is_static(const pb_field_iter_t *field_p)
{
    return PB_ATYPE(field_p->type) == PB_ATYPE_STATIC;
}

static bool is_fixed_array(const pb_field_iter_t *field_p)
{
    return is_repeated(field_p) && (field_p->pSize == &field_p->array_size);
}

static bool is_packable(const pb_field_iter_t *field_p)
{
    return PB_LTYPE(field_p->type) <= PB_LTYPE_LAST_PACKABLE;
}

/* Whether a field of a oneof is the one that is set. */
static bool is_chosen(const pb_field_iter_t *field_p)
{
    return *(const pb_size_t *)field_p->pSize == field_p->tag;
}

/* -------------------------------------------------------------------------------------------------- empty messages */

static void init_message(const pb_msgdesc_t *fields_p, void *message_p);

static void init_static(const pb_field_iter_t *field_p, void *value_p)
{
    memset(value_p, 0, field_p->data_size);

    if (field_p->submsg_desc != NULL) {
        init_message(field_p->submsg_desc, value_p);
    }
}

static void init_pointer(const pb_field_iter_t *field_p, bool is_optional)
{
    struct messi_bytes_t *bytes_p;

    switch (PB_LTYPE(field_p->type)) {

    case PB_LTYPE_STRING:
        pointer_set(field_p->pField, is_optional ? NULL : empty);
        break;

    case PB_LTYPE_BYTES:
        bytes_p = field_p->pField;
        bytes_p->size = 0;
        bytes_p->buf_p = NULL;
        break;

    default:
        pointer_set(field_p->pField, NULL);
        break;
    }
}

static void init_field(const pb_field_iter_t *field_p)
{
    const struct messi_pb_member_t *member_p;
    pb_size_t i;

    if (is_oneof(field_p)) {
        *(pb_size_t *)field_p->pSize = 0;
    } else if (!is_static(field_p)) {
        member_p = member_of(field_p);

        if (is_repeated(field_p)) {
            *count_of(field_p, member_p) = 0;
            pointer_set(field_p->pField, NULL);
        } else {
            init_pointer(field_p, (member_p->flags & MESSI_PB_OPTIONAL) != 0);
        }
    } else if (is_fixed_array(field_p)) {
        for (i = 0; i < field_p->array_size; i++) {
            init_static(field_p, item_of(field_p->pData, i, field_p->data_size));
        }
    } else if (is_repeated(field_p)) {
        *(pb_size_t *)field_p->pSize = 0;
    } else {
        if (field_p->pSize != NULL) {
            *(bool *)field_p->pSize = false;
        }

        init_static(field_p, field_p->pData);
    }
}

/* Sets field by field, as a descriptor does not say how large the whole is. */
static void init_message(const pb_msgdesc_t *fields_p, void *message_p)
{
    pb_field_iter_t field;

    if (!pb_field_iter_begin(&field, fields_p, message_p)) {
        return;
    }

    do {
        init_field(&field);
    } while (pb_field_iter_next(&field));
}

/* ---------------------------------------------------------------------------------------------------------- memory */

static void *allocate(struct messi_workspace_t *self_p, size_t size, size_t alignment)
{
    size_t padding;
    void *allocated_p;

    allocated_p = NULL;

    if (self_p->buf_p != NULL) {
        padding = (alignment - (uintptr_t)(self_p->buf_p + self_p->used) % alignment) % alignment;

        if ((padding <= self_p->size - self_p->used) && (size <= self_p->size - self_p->used - padding)) {
            allocated_p = self_p->buf_p + self_p->used + padding;
            self_p->used += padding + size;
        }
    } else {
#ifndef MESSI_PB_NO_MALLOC
        if ((self_p->size == 0) || (size <= self_p->size - self_p->used)) {
            allocated_p = malloc(size);

            if ((allocated_p != NULL) && (self_p->size != 0)) {
                self_p->used += size;
            }
        }
#endif
    }

    return allocated_p;
}

/* Gives memory back that is not in a workspace's buffer. */
static void give_back(const void *allocated_p)
{
#ifndef MESSI_PB_NO_MALLOC
    if (allocated_p != empty) {
        free((void *)(uintptr_t)allocated_p);
    }
#else
    (void)allocated_p;
#endif
}

/* In front of the items of an array is how many have room. */
static size_t capacity_of(const void *items_p)
{
    return items_p == NULL ? 0 : ((const union aligned_t *)items_p)[-1].size;
}

static void give_back_items(void *items_p)
{
    if (items_p != NULL) {
        give_back((union aligned_t *)items_p - 1);
    }
}

/* Makes room for as many items more. */
static int reserve(struct messi_workspace_t *workspace_p, void *slot_p, size_t count, size_t more, size_t item_size)
{
    union aligned_t *header_p;
    void *items_p;
    size_t capacity;

    items_p = pointer_get(slot_p);
    capacity = capacity_of(items_p);

    if (more <= capacity - count) {
        return 0;
    }

    if (more > SIZE_MAX - count) {
        return MESSI_PB_NO_SPACE;
    }

    /* A field that comes in many small parts must not be copied for each. */
    capacity = (capacity > SIZE_MAX / 2 || 2 * capacity < count + more) ? count + more : 2 * capacity;

    if (capacity > (SIZE_MAX - sizeof(*header_p)) / item_size) {
        return MESSI_PB_NO_SPACE;
    }

    header_p = allocate(workspace_p, sizeof(*header_p) + capacity * item_size, ALIGNMENT);

    if (header_p == NULL) {
        return MESSI_PB_NO_SPACE;
    }

    header_p->size = capacity;

    if (count > 0) {
        memcpy(header_p + 1, items_p, count * item_size);
    }

    if (workspace_p->buf_p == NULL) {
        give_back_items(items_p);
    }

    pointer_set(slot_p, header_p + 1);

    return 0;
}

/* Of what is pointed at only: strings, bytes and messages. */
static void release_value(const pb_field_iter_t *field_p, void *value_p)
{
    switch (PB_LTYPE(field_p->type)) {

    case PB_LTYPE_STRING:
        give_back(pointer_get(value_p));
        break;

    case PB_LTYPE_BYTES:
        give_back(((struct messi_bytes_t *)value_p)->buf_p);
        break;

    default:
        break;
    }
}

static void release_pointers(const pb_field_iter_t *field_p)
{
    void *items_p;
    size_t count;
    size_t size;
    size_t i;

    items_p = pointer_get(field_p->pField);

    if (is_repeated(field_p)) {
        count = *count_of(field_p, member_of(field_p));
        size = member_of(field_p)->size;

        for (i = 0; i < count; i++) {
            if (field_p->submsg_desc != NULL) {
                release_message(field_p->submsg_desc, item_of(items_p, i, size));
            } else {
                release_value(field_p, item_of(items_p, i, size));
            }
        }

        give_back_items(items_p);
    } else if (field_p->submsg_desc == NULL) {
        release_value(field_p, field_p->pField);
    } else if (items_p != NULL) {
        release_message(field_p->submsg_desc, items_p);
        give_back(items_p);
    }
}

static void release_field(const pb_field_iter_t *field_p)
{
    size_t count;
    size_t i;

    if (is_oneof(field_p) && !is_chosen(field_p)) {
        return;
    }

    if (!is_static(field_p)) {
        release_pointers(field_p);
    } else if (field_p->submsg_desc != NULL) {
        count = is_repeated(field_p) ? *(const pb_size_t *)field_p->pSize : 1;

        for (i = 0; i < count; i++) {
            release_message(field_p->submsg_desc, item_of(field_p->pData, i, field_p->data_size));
        }
    }
}

static void release_message(const pb_msgdesc_t *fields_p, void *message_p)
{
    pb_field_iter_t field;

    if (!pb_field_iter_begin(&field, fields_p, message_p)) {
        return;
    }

    do {
        release_field(&field);
    } while (pb_field_iter_next(&field));
}

/* ----------------------------------------------------------------------------------------------------------- bytes */

static size_t left(const struct input_t *self_p)
{
    return (size_t)(self_p->end_p - self_p->pos_p);
}

static int read_varint(struct input_t *self_p, uint64_t *value_p)
{
    unsigned int shift;
    uint8_t byte;

    *value_p = 0;

    for (shift = 0; shift < 64; shift += 7) {
        if (self_p->pos_p == self_p->end_p) {
            return MESSI_PB_INVALID;
        }

        byte = *self_p->pos_p++;

        /* Of the tenth byte one bit has room. */
        if ((shift == 63) && (byte > 1)) {
            return MESSI_PB_INVALID;
        }

        *value_p |= (uint64_t)(byte & 0x7f) << shift;

        if ((byte & 0x80) == 0) {
            return 0;
        }
    }

    return MESSI_PB_INVALID;
}

static int read_fixed(struct input_t *self_p, size_t size, uint64_t *value_p)
{
    size_t i;

    if (left(self_p) < size) {
        return MESSI_PB_INVALID;
    }

    *value_p = 0;

    for (i = 0; i < size; i++) {
        *value_p |= (uint64_t)self_p->pos_p[i] << (8 * i);
    }

    self_p->pos_p += size;

    return 0;
}

/* A length, and as many bytes. */
static int read_delimited(struct input_t *self_p, struct input_t *inner_p)
{
    uint64_t size;

    if ((read_varint(self_p, &size) != 0) || (size > left(self_p))) {
        return MESSI_PB_INVALID;
    }

    inner_p->pos_p = self_p->pos_p;
    self_p->pos_p += (size_t)size;
    inner_p->end_p = self_p->pos_p;

    return 0;
}

static int read_key(struct input_t *self_p, struct key_t *key_p)
{
    uint64_t key;

    if ((read_varint(self_p, &key) != 0) || (key > UINT32_MAX) || (key >> 3 == 0)) {
        return MESSI_PB_INVALID;
    }

    key_p->tag = (uint32_t)key >> 3;
    key_p->wire_type = (enum wire_type_t)(key & 7);

    return 0;
}

/* Skips a field that nobody knows. Groups are gone from the language, but not from the encoding. */
static int skip_field(struct input_t *self_p, const struct key_t *key_p, int depth)
{
    struct input_t inner;
    struct key_t inner_key;
    uint64_t value;

    switch (key_p->wire_type) {

    case VARINT:
        return read_varint(self_p, &value);

    case FIXED64:
        return read_fixed(self_p, 8, &value);

    case FIXED32:
        return read_fixed(self_p, 4, &value);

    case LENGTH_DELIMITED:
        return read_delimited(self_p, &inner);

    case GROUP_BEGIN:
        if (depth == 0) {
            return MESSI_PB_INVALID;
        }

        while (read_key(self_p, &inner_key) == 0) {
            if (inner_key.wire_type == GROUP_END) {
                return inner_key.tag == key_p->tag ? 0 : MESSI_PB_INVALID;
            }

            if (skip_field(self_p, &inner_key, depth - 1) != 0) {
                break;
            }
        }

        return MESSI_PB_INVALID;

    default:
        return MESSI_PB_INVALID;
    }
}

/* Whether these are the bytes that continue a character, the first of them between `low` and `high`. */
static bool is_continued(const uint8_t *bytes_p, size_t count, uint8_t low, uint8_t high)
{
    size_t i;

    for (i = 1; i < count; i++) {
        if ((bytes_p[i] & 0xc0) != 0x80) {
            return false;
        }
    }

    return (bytes_p[0] >= low) && (bytes_p[0] <= high);
}

/* Neither a character that could be shorter, nor half of a surrogate pair, nor one that Unicode does not have. */
static bool is_utf8(const uint8_t *pos_p, const uint8_t *end_p)
{
    uint8_t first;
    uint8_t low;
    uint8_t high;
    size_t count;

    while (pos_p < end_p) {
        first = *pos_p++;

        if (first < 0x80) {
            continue;
        }

        count = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
        low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

        if ((first < 0xc2) || (first > 0xf4) || ((size_t)(end_p - pos_p) < count)) {
            return false;
        }

        if (!is_continued(pos_p, count, low, high)) {
            return false;
        }

        pos_p += count;
    }

    return true;
}

/* ---------------------------------------------------------------------------------------------------------- values */

static enum wire_type_t wire_type_of(const pb_field_iter_t *field_p)
{
    switch (PB_LTYPE(field_p->type)) {

    case PB_LTYPE_BOOL:
    case PB_LTYPE_VARINT:
    case PB_LTYPE_UVARINT:
    case PB_LTYPE_SVARINT:
        return VARINT;

    case PB_LTYPE_FIXED32:
        return FIXED32;

    case PB_LTYPE_FIXED64:
        return FIXED64;

    default:
        return LENGTH_DELIMITED;
    }
}

/* Writes the low bits of a number. Members of 8 and 16 bits are a promise of the .proto file: others must fit. */
static int store_number(void *value_p, size_t size, uint64_t number, bool is_signed)
{
    uint8_t byte;
    uint16_t half;
    uint32_t word;
    uint64_t sign;

    if (size < 4) {
        sign = is_signed ? (uint64_t)1 << (8 * size - 1) : 0;

        if (number + sign >= (uint64_t)1 << (8 * size)) {
            return MESSI_PB_INVALID;
        }
    }

    switch (size) {

    case 1:
        byte = (uint8_t)number;
        memcpy(value_p, &byte, size);
        break;

    case 2:
        half = (uint16_t)number;
        memcpy(value_p, &half, size);
        break;

    case 4:
        word = (uint32_t)number;
        memcpy(value_p, &word, size);
        break;

    default:
        memcpy(value_p, &number, sizeof(number));
        break;
    }

    return 0;
}

static int decode_number(const pb_field_iter_t *field_p, void *value_p, size_t size, struct input_t *input_p)
{
    uint64_t number;
    bool is_signed;
    int res;

    is_signed = true;

    switch (PB_LTYPE(field_p->type)) {

    case PB_LTYPE_BOOL:
        res = read_varint(input_p, &number);

        if (res == 0) {
            *(bool *)value_p = (number != 0);
        }

        return res;

    case PB_LTYPE_UVARINT:
        res = read_varint(input_p, &number);
        is_signed = false;
        break;

    case PB_LTYPE_VARINT:
        res = read_varint(input_p, &number);
        break;

    case PB_LTYPE_SVARINT:
        res = read_varint(input_p, &number);

        /* A number of 32 bits is one before its sign is taken out of its lowest bit. */
        if (size == 4) {
            number &= UINT32_MAX;
        }

        number = (number >> 1) ^ (0 - (number & 1));
        break;

    case PB_LTYPE_FIXED32:
        res = read_fixed(input_p, 4, &number);
        break;

    default:
        res = read_fixed(input_p, 8, &number);
        break;
    }

    return res == 0 ? store_number(value_p, size, number, is_signed) : res;
}

/* A copy of the bytes, and behind them a zero if they are a string. */
static int decode_copy(struct messi_workspace_t *workspace_p,
                       const struct input_t *inner_p,
                       bool is_string,
                       const uint8_t **copy_pp)
{
    uint8_t *copy_p;
    size_t size;

    size = left(inner_p);

    if (size == 0) {
        *copy_pp = empty;

        return 0;
    }

    /* Cannot be SIZE_MAX, as the input is in memory, too. */
    copy_p = allocate(workspace_p, size + is_string, 1);

    if (copy_p == NULL) {
        return MESSI_PB_NO_SPACE;
    }

    memcpy(copy_p, inner_p->pos_p, size);

    if (is_string) {
        copy_p[size] = 0;
    }

    *copy_pp = copy_p;

    return 0;
}

/* A string or bytes, the slot of which has what was there before. */
static int decode_text(const pb_field_iter_t *field_p,
                       void *slot_p,
                       struct messi_workspace_t *workspace_p,
                       const struct input_t *inner_p)
{
    struct messi_bytes_t *bytes_p;
    const uint8_t *copy_p;
    bool is_string;
    int res;

    is_string = (PB_LTYPE(field_p->type) == PB_LTYPE_STRING);

    if (is_string && !is_utf8(inner_p->pos_p, inner_p->end_p)) {
        return MESSI_PB_INVALID;
    }

    res = decode_copy(workspace_p, inner_p, is_string, &copy_p);

    if (res != 0) {
        return res;
    }

    if (workspace_p->buf_p == NULL) {
        release_value(field_p, slot_p);
    }

    if (is_string) {
        pointer_set(slot_p, copy_p);
    } else {
        bytes_p = slot_p;
        bytes_p->size = left(inner_p);
        bytes_p->buf_p = copy_p;
    }

    return 0;
}

/* A string or bytes of which the struct has room for `field_p->data_size`, with all that belongs to them. */
static int decode_sized(const pb_field_iter_t *field_p, void *value_p, const struct input_t *inner_p)
{
    const struct messi_pb_member_t *member_p;
    pb_bytes_array_t *bytes_p;
    size_t size;

    size = left(inner_p);

    switch (PB_LTYPE(field_p->type)) {

    case PB_LTYPE_STRING:
        if ((size >= field_p->data_size) || !is_utf8(inner_p->pos_p, inner_p->end_p)) {
            return MESSI_PB_INVALID;
        }

        memcpy(value_p, inner_p->pos_p, size);
        ((char *)value_p)[size] = '\0';

        return 0;

    case PB_LTYPE_BYTES:
        member_p = member_of(field_p);

        if (size > (member_p != NULL ? member_p->size : field_p->data_size - offsetof(pb_bytes_array_t, bytes))) {
            return MESSI_PB_INVALID;
        }

        bytes_p = value_p;
        bytes_p->size = (pb_size_t)size;
        memcpy((char *)value_p + offsetof(pb_bytes_array_t, bytes), inner_p->pos_p, size);

        return 0;

    default:
        /* Others may send zeros as nothing. */
        if ((size != 0) && (size != field_p->data_size)) {
            return MESSI_PB_INVALID;
        }

        memset(value_p, 0, field_p->data_size);
        memcpy(value_p, inner_p->pos_p, size);

        return 0;
    }
}

/* One value, its key being read. `size` is that of a number. */
static int decode_value(const pb_field_iter_t *field_p,
                        void *value_p,
                        size_t size,
                        struct messi_workspace_t *workspace_p,
                        struct input_t *input_p,
                        int depth)
{
    struct input_t inner;
    int res;

    if (is_packable(field_p)) {
        return decode_number(field_p, value_p, size, input_p);
    }

    res = read_delimited(input_p, &inner);

    if (res != 0) {
        return res;
    }

    if (field_p->submsg_desc != NULL) {
        return depth == 0 ? MESSI_PB_INVALID
                          : decode_message(field_p->submsg_desc, value_p, workspace_p, inner, depth - 1);
    }

    return is_static(field_p) ? decode_sized(field_p, value_p, &inner)
                              : decode_text(field_p, value_p, workspace_p, &inner);
}

/* ---------------------------------------------------------------------------------------------------------- arrays */

/* How many numbers are packed in these bytes. */
static size_t count_packed(const pb_field_iter_t *field_p, const struct input_t *packed_p)
{
    const uint8_t *pos_p;
    size_t count;

    switch (wire_type_of(field_p)) {

    case FIXED32:
        return left(packed_p) / 4;

    case FIXED64:
        return left(packed_p) / 8;

    default:
        count = 0;

        for (pos_p = packed_p->pos_p; pos_p < packed_p->end_p; pos_p++) {
            count += (*pos_p < 0x80);
        }

        return count;
    }
}

/* How many items of this array follow in the message, so that all of them get their room at once. */
static size_t count_ahead(const pb_field_iter_t *field_p, struct input_t input)
{
    struct input_t packed;
    struct key_t key;
    size_t count;

    count = 0;

    while ((left(&input) > 0) && (read_key(&input, &key) == 0)) {
        if ((key.tag == field_p->tag) && is_packable(field_p) && (key.wire_type == LENGTH_DELIMITED)) {
            if (read_delimited(&input, &packed) != 0) {
                break;
            }

            count += count_packed(field_p, &packed);
        } else {
            if (skip_field(&input, &key, MESSI_PB_DEPTH_MAX) != 0) {
                break;
            }

            count += (key.tag == field_p->tag);
        }
    }

    return count;
}

static void init_item(const pb_field_iter_t *field_p, void *item_p, size_t size)
{
    memset(item_p, 0, size);

    if (field_p->submsg_desc != NULL) {
        init_message(field_p->submsg_desc, item_p);
    }
}

/* One item more in an array that grows. */
static int decode_item(const pb_field_iter_t *field_p,
                       const struct messi_pb_member_t *member_p,
                       struct messi_workspace_t *workspace_p,
                       struct input_t *input_p,
                       int depth)
{
    size_t *count_p;
    void *item_p;

    count_p = count_of(field_p, member_p);
    item_p = item_of(pointer_get(field_p->pField), *count_p, member_p->size);
    init_item(field_p, item_p, member_p->size);
    (*count_p)++;

    return decode_value(field_p, item_p, member_p->size, workspace_p, input_p, depth);
}

static int decode_array(const pb_field_iter_t *field_p,
                        struct messi_workspace_t *workspace_p,
                        enum wire_type_t wire_type,
                        struct input_t *input_p,
                        int depth)
{
    const struct messi_pb_member_t *member_p;
    struct input_t packed;
    struct input_t rest;
    size_t count;
    size_t more;
    int res;

    member_p = member_of(field_p);
    count = *count_of(field_p, member_p);
    rest = *input_p;
    more = 1;

    if (wire_type != wire_type_of(field_p)) {
        res = read_delimited(&rest, &packed);

        if (res != 0) {
            return res;
        }

        more = count_packed(field_p, &packed);
    }

    if (more > capacity_of(pointer_get(field_p->pField)) - count) {
        if (wire_type == wire_type_of(field_p)) {
            if (skip_field(&rest, &(struct key_t){ field_p->tag, wire_type }, 0) != 0) {
                return MESSI_PB_INVALID;
            }
        }

        res = reserve(workspace_p, field_p->pField, count, more + count_ahead(field_p, rest), member_p->size);

        if (res != 0) {
            return res;
        }
    }

    if (wire_type == wire_type_of(field_p)) {
        return decode_item(field_p, member_p, workspace_p, input_p, depth);
    }

    *input_p = rest;

    /* The last number may go on behind the last byte, and is not counted then. */
    for (; (more > 0) && (res == 0); more--) {
        res = decode_item(field_p, member_p, workspace_p, &packed, depth);
    }

    return (res == 0) && (left(&packed) > 0) ? MESSI_PB_INVALID : res;
}

/* One item more in an array in the struct. */
static int decode_static_item(const pb_field_iter_t *field_p,
                              pb_size_t *count_p,
                              struct messi_workspace_t *workspace_p,
                              struct input_t *input_p,
                              int depth)
{
    void *item_p;

    if (*count_p >= field_p->array_size) {
        return MESSI_PB_INVALID;
    }

    item_p = item_of(field_p->pData, *count_p, field_p->data_size);

    /* The items of an array of fixed length are there from the beginning. */
    if (!is_fixed_array(field_p)) {
        init_item(field_p, item_p, field_p->data_size);
    }

    (*count_p)++;

    return decode_value(field_p, item_p, field_p->data_size, workspace_p, input_p, depth);
}

static int decode_static_array(const pb_field_iter_t *field_p,
                               pb_size_t *count_p,
                               struct messi_workspace_t *workspace_p,
                               enum wire_type_t wire_type,
                               struct input_t *input_p,
                               int depth)
{
    struct input_t packed;
    int res;

    if (wire_type == wire_type_of(field_p)) {
        return decode_static_item(field_p, count_p, workspace_p, input_p, depth);
    }

    res = read_delimited(input_p, &packed);

    while ((res == 0) && (left(&packed) > 0)) {
        res = decode_static_item(field_p, count_p, workspace_p, &packed, depth);
    }

    return res;
}

static int fixed_array_close(struct fixed_array_t *self_p)
{
    bool is_whole;

    is_whole = !self_p->is_open || (self_p->count == self_p->length);
    self_p->is_open = false;

    return is_whole ? 0 : MESSI_PB_INVALID;
}

/* The count of this array, which begins unless it is the one that was last added to. */
static int fixed_array_open(struct fixed_array_t *self_p, const pb_field_iter_t *field_p)
{
    int res;

    if (self_p->is_open && (self_p->index == field_p->index)) {
        return 0;
    }

    res = fixed_array_close(self_p);
    self_p->is_open = true;
    self_p->index = field_p->index;
    self_p->count = 0;
    self_p->length = field_p->array_size;

    return res;
}

/* -------------------------------------------------------------------------------------------------------- messages */

/* Makes a field the one of its oneof. What was there before is given back. */
static void choose(const pb_field_iter_t *field_p, struct messi_workspace_t *workspace_p)
{
    pb_field_iter_t other;

    if (is_chosen(field_p)) {
        return;
    }

    if (workspace_p->buf_p == NULL) {
        other = *field_p;

        if (pb_field_iter_find(&other, *(const pb_size_t *)field_p->pSize)) {
            release_field(&other);
        }
    }

    *(pb_size_t *)field_p->pSize = field_p->tag;

    if (is_static(field_p)) {
        init_static(field_p, field_p->pData);
    } else {
        init_pointer(field_p, false);
    }
}

static int decode_pointer(const pb_field_iter_t *field_p,
                          struct messi_workspace_t *workspace_p,
                          struct input_t *input_p,
                          int depth)
{
    const struct messi_pb_member_t *member_p;
    void *message_p;

    if (field_p->submsg_desc == NULL) {
        return decode_value(field_p, field_p->pField, 0, workspace_p, input_p, depth);
    }

    message_p = pointer_get(field_p->pField);

    if (message_p == NULL) {
        member_p = member_of(field_p);
        message_p = allocate(workspace_p, member_p->size, ALIGNMENT);

        if (message_p == NULL) {
            return MESSI_PB_NO_SPACE;
        }

        init_item(field_p, message_p, member_p->size);
        pointer_set(field_p->pField, message_p);
    }

    return decode_value(field_p, message_p, 0, workspace_p, input_p, depth);
}

static int decode_field(const pb_field_iter_t *field_p,
                        struct fixed_array_t *fixed_array_p,
                        struct messi_workspace_t *workspace_p,
                        enum wire_type_t wire_type,
                        struct input_t *input_p,
                        int depth)
{
    pb_size_t *count_p;

    if (wire_type != wire_type_of(field_p)) {
        if (!is_repeated(field_p) || !is_packable(field_p) || (wire_type != LENGTH_DELIMITED)) {
            return MESSI_PB_INVALID;
        }
    }

    if (is_repeated(field_p) && !is_static(field_p)) {
        return decode_array(field_p, workspace_p, wire_type, input_p, depth);
    }

    if (is_repeated(field_p)) {
        count_p = field_p->pSize;

        if (is_fixed_array(field_p)) {
            if (fixed_array_open(fixed_array_p, field_p) != 0) {
                return MESSI_PB_INVALID;
            }

            count_p = &fixed_array_p->count;
        }

        return decode_static_array(field_p, count_p, workspace_p, wire_type, input_p, depth);
    }

    if (is_oneof(field_p)) {
        choose(field_p, workspace_p);
    } else if (field_p->pSize != NULL) {
        *(bool *)field_p->pSize = true;
    }

    if (is_static(field_p)) {
        return decode_value(field_p, field_p->pData, field_p->data_size, workspace_p, input_p, depth);
    }

    return decode_pointer(field_p, workspace_p, input_p, depth);
}

/* Into a message that has been made empty, or that has been decoded before: then both become one. */
static int decode_message(const pb_msgdesc_t *fields_p,
                          void *message_p,
                          struct messi_workspace_t *workspace_p,
                          struct input_t input,
                          int depth)
{
    struct fixed_array_t fixed_array;
    pb_field_iter_t field;
    struct key_t key;
    int res;

    (void)pb_field_iter_begin(&field, fields_p, message_p);
    memset(&fixed_array, 0, sizeof(fixed_array));
    res = 0;

    while ((res == 0) && (left(&input) > 0)) {
        res = read_key(&input, &key);

        if (res != 0) {
            break;
        }

        if (pb_field_iter_find(&field, key.tag)) {
            res = decode_field(&field, &fixed_array, workspace_p, key.wire_type, &input, depth);
        } else {
            res = skip_field(&input, &key, depth);
        }
    }

    return res == 0 ? fixed_array_close(&fixed_array) : res;
}

/* -------------------------------------------------------------------------------------------------------- encoding */

static uint64_t load_unsigned(const void *value_p, size_t size)
{
    switch (size) {

    case 1:
        return *(const uint8_t *)value_p;

    case 2:
        return *(const uint16_t *)value_p;

    case 4:
        return *(const uint32_t *)value_p;

    default:
        return *(const uint64_t *)value_p;
    }
}

static int64_t load_signed(const void *value_p, size_t size)
{
    switch (size) {

    case 1:
        return *(const int8_t *)value_p;

    case 2:
        return *(const int16_t *)value_p;

    case 4:
        return *(const int32_t *)value_p;

    default:
        return *(const int64_t *)value_p;
    }
}

/* A number as its varint has it. */
static uint64_t load_varint(const pb_field_iter_t *field_p, const void *value_p, size_t size)
{
    int64_t number;

    switch (PB_LTYPE(field_p->type)) {

    case PB_LTYPE_BOOL:
        return *(const bool *)value_p ? 1 : 0;

    case PB_LTYPE_UVARINT:
        return load_unsigned(value_p, size);

    case PB_LTYPE_SVARINT:
        number = load_signed(value_p, size);

        return ((uint64_t)number << 1) ^ (number < 0 ? UINT64_MAX : 0);

    default:
        return (uint64_t)load_signed(value_p, size);
    }
}

static bool encode_text(pb_ostream_t *stream_p, const void *buf_p, size_t size)
{
    return pb_encode_string(stream_p, buf_p == NULL ? empty : buf_p, buf_p == NULL ? 0 : size);
}

/* One value behind its key. */
static bool encode_value(pb_ostream_t *stream_p, const pb_field_iter_t *field_p, const void *value_p, size_t size)
{
    const struct messi_bytes_t *bytes_p;
    const char *string_p;

    switch (PB_LTYPE(field_p->type)) {

    case PB_LTYPE_FIXED32:
        return pb_encode_fixed32(stream_p, value_p);

    case PB_LTYPE_FIXED64:
        return pb_encode_fixed64(stream_p, value_p);

    case PB_LTYPE_STRING:
        string_p = pointer_get(value_p);

        return encode_text(stream_p, string_p, string_p == NULL ? 0 : strlen(string_p));

    case PB_LTYPE_BYTES:
        bytes_p = value_p;

        if ((bytes_p->buf_p == NULL) && (bytes_p->size > 0)) {
            PB_RETURN_ERROR(stream_p, "bytes without a buffer");
        }

        return encode_text(stream_p, bytes_p->buf_p, bytes_p->size);

    case PB_LTYPE_SUBMESSAGE:
        return pb_encode_submessage(stream_p, field_p->submsg_desc, value_p);

    default:
        return pb_encode_varint(stream_p, load_varint(field_p, value_p, size));
    }
}

static size_t size_packed(const pb_field_iter_t *field_p, void *items_p, size_t count, size_t size)
{
    uint64_t number;
    size_t packed;
    size_t i;

    switch (wire_type_of(field_p)) {

    case FIXED32:
        return 4 * count;

    case FIXED64:
        return 8 * count;

    default:
        packed = count;

        for (i = 0; i < count; i++) {
            for (number = load_varint(field_p, item_of(items_p, i, size), size); number >= 0x80; number >>= 7) {
                packed++;
            }
        }

        return packed;
    }
}

/* Numbers behind each other, many in one write: nanopb's writes are slow for single bytes. */
static bool encode_varints(
    pb_ostream_t *stream_p, const pb_field_iter_t *field_p, void *items_p, size_t count, size_t size)
{
    uint8_t chunk[64];
    uint64_t number;
    size_t length;
    size_t i;

    length = 0;

    for (i = 0; i < count; i++) {
        /* The longest number has ten bytes. */
        if (length > sizeof(chunk) - 10) {
            if (!pb_write(stream_p, &chunk[0], length)) {
                return false;
            }

            length = 0;
        }

        for (number = load_varint(field_p, item_of(items_p, i, size), size); number >= 0x80; number >>= 7) {
            chunk[length++] = (uint8_t)(number | 0x80);
        }

        chunk[length++] = (uint8_t)number;
    }

    return pb_write(stream_p, &chunk[0], length);
}

static bool encode_packed(
    pb_ostream_t *stream_p, const pb_field_iter_t *field_p, void *items_p, size_t count, size_t size)
{
    size_t packed;
    size_t i;

    packed = size_packed(field_p, items_p, count, size);

    if (!pb_encode_tag(stream_p, PB_WT_STRING, field_p->tag) || !pb_encode_varint(stream_p, packed)) {
        return false;
    }

    /* A stream that only counts. */
    if (stream_p->callback == NULL) {
        return pb_write(stream_p, NULL, packed);
    }

    if (wire_type_of(field_p) == VARINT) {
        return encode_varints(stream_p, field_p, items_p, count, size);
    }

    for (i = 0; i < count; i++) {
        if (!encode_value(stream_p, field_p, item_of(items_p, i, size), size)) {
            return false;
        }
    }

    return true;
}

static bool encode_array(pb_ostream_t *stream_p,
                         const pb_field_iter_t *field_p,
                         const struct messi_pb_member_t *member_p)
{
    void *items_p;
    size_t count;
    size_t i;

    items_p = pointer_get(field_p->pField);
    count = *count_of(field_p, member_p);

    if (count == 0) {
        return true;
    }

    if (items_p == NULL) {
        PB_RETURN_ERROR(stream_p, "array without items");
    }

    if ((member_p->flags & MESSI_PB_PACKED) != 0) {
        return encode_packed(stream_p, field_p, items_p, count, member_p->size);
    }

    for (i = 0; i < count; i++) {
        if (!pb_encode_tag_for_field(stream_p, field_p)
            || !encode_value(stream_p, field_p, item_of(items_p, i, member_p->size), member_p->size)) {
            return false;
        }
    }

    return true;
}

/* Whether a field that is a pointer, and not of a oneof, is sent. */
static bool is_set(const pb_field_iter_t *field_p, bool is_optional)
{
    const struct messi_bytes_t *bytes_p;
    const char *string_p;

    switch (PB_LTYPE(field_p->type)) {

    case PB_LTYPE_STRING:
        string_p = pointer_get(field_p->pField);

        return (string_p != NULL) && (is_optional || (string_p[0] != '\0'));

    case PB_LTYPE_BYTES:
        bytes_p = field_p->pField;

        return (bytes_p->size > 0) || (is_optional && (bytes_p->buf_p != NULL));

    default:
        return pointer_get(field_p->pField) != NULL;
    }
}

static bool encode_pointer(pb_ostream_t *stream_p,
                           const pb_field_iter_t *field_p,
                           const struct messi_pb_member_t *member_p)
{
    const void *message_p;

    if (is_repeated(field_p)) {
        return encode_array(stream_p, field_p, member_p);
    }

    if (!is_oneof(field_p) && !is_set(field_p, (member_p->flags & MESSI_PB_OPTIONAL) != 0)) {
        return true;
    }

    if (!pb_encode_tag_for_field(stream_p, field_p)) {
        return false;
    }

    if (field_p->submsg_desc == NULL) {
        return encode_value(stream_p, field_p, field_p->pField, 0);
    }

    message_p = pointer_get(field_p->pField);

    /* The one of its oneof, but without anything in it. */
    return message_p == NULL ? encode_text(stream_p, NULL, 0) : encode_value(stream_p, field_p, message_p, 0);
}

bool messi_pb_callback(pb_istream_t *istream_p,
                       pb_ostream_t *ostream_p,
                       const pb_field_iter_t *field_p,
                       const struct messi_pb_member_t *members_p,
                       size_t length)
{
    size_t i;

    for (i = 0; (i < length) && (members_p[i].tag != field_p->tag); i++) {
    }

    if (ostream_p != NULL) {
        return (i < length) && encode_pointer(ostream_p, field_p, &members_p[i]);
    }

    if (istream_p->callback != &locate) {
        PB_RETURN_ERROR(istream_p, "decode with messi_decode()");
    }

    if (i < length) {
        *(const struct messi_pb_member_t **)istream_p->state = &members_p[i];
    }

    return i < length;
}

/* ------------------------------------------------------------------------------------------------------- interface */

void messi_workspace_init(struct messi_workspace_t *self_p, uint8_t *buf_p, size_t size)
{
    self_p->buf_p = buf_p;
    self_p->size = size;
    self_p->used = 0;
}

int messi_decode(const pb_msgdesc_t *fields_p,
                 void *message_p,
                 struct messi_workspace_t *workspace_p,
                 const uint8_t *buf_p,
                 size_t size)
{
    struct input_t input;
    size_t used;
    int res;

    /* No bytes may have no buffer. */
    input.pos_p = size == 0 ? empty : buf_p;
    input.end_p = input.pos_p + size;
    used = workspace_p->used;
    init_message(fields_p, message_p);
    res = decode_message(fields_p, message_p, workspace_p, input, MESSI_PB_DEPTH_MAX);

    if (res != 0) {
        if (workspace_p->buf_p == NULL) {
            release_message(fields_p, message_p);
        }

        init_message(fields_p, message_p);
        workspace_p->used = used;
    }

    return res;
}

void messi_release(const pb_msgdesc_t *fields_p, void *message_p, struct messi_workspace_t *workspace_p)
{
    if (workspace_p->buf_p == NULL) {
        release_message(fields_p, message_p);
    }

    init_message(fields_p, message_p);
    workspace_p->used = 0;
}

int messi_encode(const pb_msgdesc_t *fields_p, const void *message_p, uint8_t *buf_p, size_t size)
{
    pb_ostream_t stream;
    size_t needed;

    if (size > INT_MAX) {
        size = INT_MAX;
    }

    stream = pb_ostream_from_buffer(buf_p, size);

    if (pb_encode(&stream, fields_p, message_p)) {
        return (int)stream.bytes_written;
    }

    return pb_get_encoded_size(&needed, fields_p, message_p) && (needed > size) ? MESSI_PB_NO_SPACE : MESSI_PB_INVALID;
}
