/*
 * Decodes and encodes what a test asks for. A request on the standard input is a message's index and a length, both of
 * four bytes and little endian, and as many bytes. The answer is the result of messi_decode(), and, if that is zero,
 * the length and the bytes of what messi_encode() made of the struct.
 *
 * Each request is done over and over: with malloc(), with malloc() up to a limit, and in workspaces of all sizes that
 * are too small and one that is not, of all alignments. All must agree, or fail as they should, or the program ends.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "shapes.pb.h"

#define CHECK(cond)                                                                         \
    do {                                                                                    \
        if (!(cond)) {                                                                      \
            fprintf(stderr, "%s:%d: message %u: %s\n", __FILE__, __LINE__, number, #cond);  \
            exit(1);                                                                        \
        }                                                                                   \
    } while (0)

#define MESSAGE(name) { shapes_v1_ ## name ## _fields, sizeof(struct shapes_v1_ ## name ## _t) }

static const struct {
    const pb_msgdesc_t *fields_p;
    size_t size;
} messages[] = {
    MESSAGE(client_to_server),
    MESSAGE(singular),
    MESSAGE(optional),
    MESSAGE(repeated),
    MESSAGE(unpacked),
    MESSAGE(choice),
    MESSAGE(node),
    MESSAGE(maps),
    MESSAGE(outer),
    MESSAGE(empty),
    MESSAGE(tags),
    MESSAGE(sized),
    MESSAGE(even),
    MESSAGE(fixed),
    MESSAGE(plain),
    MESSAGE(integers),
    MESSAGE(array),
};

#define CAPACITY (1 << 22)

/* Of the request that is being done. */
static unsigned int number;

static uint8_t expected[CAPACITY];
static uint8_t encoded[CAPACITY];
static uint8_t workspace_buf[CAPACITY + 8];

static unsigned int read_u32(void)
{
    uint8_t bytes[4];

    if (fread(&bytes[0], 1, 4, stdin) != 4) {
        exit(0);
    }

    return (unsigned int)bytes[0] | (unsigned int)bytes[1] << 8 | (unsigned int)bytes[2] << 16
           | (unsigned int)bytes[3] << 24;
}

static void write_u32(unsigned int value)
{
    putchar((int)(value & 0xff));
    putchar((int)(value >> 8 & 0xff));
    putchar((int)(value >> 16 & 0xff));
    putchar((int)(value >> 24 & 0xff));
}

/* What is left in a message that could not be decoded, or was released: nothing. */
static void check_empty(const pb_msgdesc_t *fields_p, void *message_p)
{
    struct messi_workspace_t workspace;
    uint8_t byte;

    /* Fixed arrays are always sent. */
    if (fields_p != shapes_v1_fixed_fields) {
        CHECK(messi_encode(fields_p, message_p, &byte, 0) == 0);
    }

    messi_workspace_init(&workspace, NULL, 0);
    messi_release(fields_p, message_p, &workspace);
}

static int decode_in(const pb_msgdesc_t *fields_p,
                     void *message_p,
                     const uint8_t *buf_p,
                     size_t size,
                     struct messi_workspace_t *workspace_p,
                     int expected_size)
{
    int res;

    res = messi_decode(fields_p, message_p, workspace_p, buf_p, size);
    CHECK(workspace_p->used <= workspace_p->size);

    if (res == 0) {
        CHECK(messi_encode(fields_p, message_p, &encoded[0], sizeof(encoded)) == expected_size);
        CHECK(memcmp(&encoded[0], &expected[0], (size_t)expected_size) == 0);
    } else {
        CHECK(workspace_p->used == 0);
        check_empty(fields_p, message_p);
    }

    return res;
}

/* With a workspace of exactly this size, so that the sanitizer sees a byte too many. */
static int decode_in_size(const pb_msgdesc_t *fields_p,
                          void *message_p,
                          const uint8_t *buf_p,
                          size_t size,
                          size_t workspace_size,
                          size_t offset,
                          int expected_size)
{
    struct messi_workspace_t workspace;
    uint8_t *allocated_p;
    int res;

    allocated_p = malloc(workspace_size + offset + 1);
    CHECK(allocated_p != NULL);
    messi_workspace_init(&workspace, allocated_p + 1 + offset, workspace_size);
    res = decode_in(fields_p, message_p, buf_p, size, &workspace, expected_size);
    messi_release(fields_p, message_p, &workspace);
    CHECK(workspace.used == 0);
    check_empty(fields_p, message_p);
    free(allocated_p);

    return res;
}

int main(void)
{
    struct messi_workspace_t workspace;
    const pb_msgdesc_t *fields_p;
    void *message_p;
    uint8_t *buf_p;
    uint8_t *out_p;
    unsigned int index;
    unsigned int size;
    size_t i;
    int length;
    int res;
    int small;

    for (;; number++) {
        index = read_u32();
        size = read_u32();
        CHECK(index < sizeof(messages) / sizeof(messages[0]));
        fields_p = messages[index].fields_p;
        message_p = malloc(messages[index].size);
        buf_p = malloc(size + (size == 0));
        CHECK((message_p != NULL) && (buf_p != NULL));
        CHECK(fread(buf_p, 1, size, stdin) == size);

        /* Whatever was there before is not looked at. */
        memset(message_p, 0xa5, messages[index].size);
        messi_workspace_init(&workspace, NULL, 0);
        res = messi_decode(fields_p, message_p, &workspace, buf_p, size);
        CHECK((res == 0) || (res == MESSI_PB_INVALID));
        CHECK(workspace.used == 0);
        write_u32((unsigned int)res);
        length = 0;

        if (res == 0) {
            length = messi_encode(fields_p, message_p, &expected[0], sizeof(expected));
            CHECK(length >= 0);
            write_u32((unsigned int)length);
            CHECK(fwrite(&expected[0], 1, (size_t)length, stdout) == (size_t)length);

            /* Into exactly as much room, and into less. */
            out_p = malloc((size_t)length + (length == 0));
            CHECK(out_p != NULL);
            CHECK(messi_encode(fields_p, message_p, out_p, (size_t)length) == length);
            free(out_p);

            if (length > 0) {
                out_p = malloc((size_t)length);
                CHECK(out_p != NULL);
                CHECK(messi_encode(fields_p, message_p, out_p, (size_t)length - 1) == MESSI_PB_NO_SPACE);
                free(out_p);
            }

            messi_release(fields_p, message_p, &workspace);
        }

        check_empty(fields_p, message_p);

        memset(message_p, 0x5a, messages[index].size);

        for (i = 0; i < 9; i++) {
            messi_workspace_init(&workspace, &workspace_buf[i], CAPACITY);
            CHECK(decode_in(fields_p, message_p, buf_p, size, &workspace, length) == res);

            if (res == 0) {
                CHECK(decode_in_size(fields_p, message_p, buf_p, size, workspace.used + 8, i, length) == 0);
            }
        }

        /* Whether or not the bytes are a message, what is too small is so up to one size, and from there on is not. */
        small = MESSI_PB_NO_SPACE;

        for (i = 0; (i < 4096) && (small == MESSI_PB_NO_SPACE); i += 1 + i / 64) {
            small = decode_in_size(fields_p, message_p, buf_p, size, i, 0, length);
            CHECK((small == MESSI_PB_NO_SPACE) || (small == res));

            messi_workspace_init(&workspace, NULL, i + 1);
            small = messi_decode(fields_p, message_p, &workspace, buf_p, size);
            CHECK((small == MESSI_PB_NO_SPACE) || (small == res));
            CHECK(workspace.used <= i + 1);

            if (small == 0) {
                messi_release(fields_p, message_p, &workspace);
            }

            CHECK(workspace.used == 0);
        }

        free(buf_p);
        free(message_p);
        fflush(stdout);
    }
}
