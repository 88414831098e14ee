/* Decodes records and encodes them again. CASES, from the header given with -include, is CASE(number, prefix) for each
 * message. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "messi_pb.h"

static int failed(const char *what_p, unsigned long message)
{
    fprintf(stderr, "message %lu: %s\n", message, what_p);

    return (1);
}

static unsigned long number(const uint8_t *buf_p)
{
    return (buf_p[0] | (unsigned long)buf_p[1] << 8 | (unsigned long)buf_p[2] << 16 | (unsigned long)buf_p[3] << 24);
}

static void put(FILE *file_p, unsigned long value)
{
    int i;

    for (i = 0; i < 4; i++) {
        fputc((int)(value >> (8 * i)) & 0xff, file_p);
    }
}

static int again(const pb_msgdesc_t *fields_p,
                 void *message_p,
                 const uint8_t *buf_p,
                 size_t size,
                 uint8_t *out_p,
                 size_t out_size)
{
    struct messi_workspace_t workspace;
    int res;

    messi_workspace_init(&workspace, NULL, 0);
    res = messi_decode(fields_p, message_p, &workspace, buf_p, size);

    if (res == 0) {
        res = messi_encode(fields_p, message_p, out_p, out_size);
        messi_release(fields_p, message_p, &workspace);
    }

    return (res);
}

int main(int argc, const char *argv[])
{
    static uint8_t buf[1 << 20];
    static uint8_t out[1 << 20];
    uint8_t head[12];
    FILE *in_p;
    FILE *out_p;

    if (argc != 3) {
        return (2);
    }

    in_p = fopen(argv[1], "rb");
    out_p = fopen(argv[2], "wb");

    if (in_p == NULL || out_p == NULL) {
        return (failed("no files", 0));
    }

    while (fread(head, sizeof(head), 1, in_p) == 1) {
        unsigned long message = number(&head[4]);
        size_t size = (size_t)number(&head[8]);
        int res = -1;

        if (size > sizeof(buf) || fread(buf, 1, size, in_p) != size) {
            return (failed("too short", message));
        }

        switch (message) {

#define CASE(number, prefix)                                                                  \
        case number: {                                                                        \
            static struct prefix ## _t value;                                                 \
            res = again(prefix ## _fields, &value, buf, size, out, sizeof(out));              \
            break;                                                                            \
        }
        CASES

        default:
            break;
        }

        if (res < 0) {
            return (failed("not decoded and encoded", message));
        }

        put(out_p, number(&head[0]));
        put(out_p, message);
        put(out_p, (unsigned long)res);
        fwrite(out, 1, (size_t)res, out_p);
    }

    return (fclose(out_p) == 0 ? 0 : 1);
}
