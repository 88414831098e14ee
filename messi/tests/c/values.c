/*
 * One message of all types, as a struct that is written out here and as bytes that the test has made of the same
 * values: `values FILE` compares both ways.
 */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pb_decode.h>
#include "shapes.pb.h"

#define CHECK(cond)                                                    \
    do {                                                               \
        if (!(cond)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
            exit(1);                                                   \
        }                                                              \
    } while (0)

static uint8_t file[65536];
static uint8_t encoded[65536];
static uint8_t workspace_buf[65536];

static void check_singular(const struct shapes_v1_singular_t *singular_p)
{
    CHECK(singular_p->a_double == -1.5);
    CHECK(singular_p->a_float == 0.25f);
    CHECK(singular_p->an_int32 == INT32_MIN);
    CHECK(singular_p->an_int64 == INT64_MIN);
    CHECK(singular_p->a_uint32 == UINT32_MAX);
    CHECK(singular_p->a_uint64 == UINT64_MAX);
    CHECK(singular_p->a_sint32 == INT32_MIN);
    CHECK(singular_p->a_sint64 == INT64_MAX);
    CHECK(singular_p->a_fixed32 == 0x01020304u);
    CHECK(singular_p->a_fixed64 == 0x0102030405060708u);
    CHECK(singular_p->a_sfixed32 == -2);
    CHECK(singular_p->a_sfixed64 == -3);
    CHECK(singular_p->a_bool);
    CHECK(strcmp(singular_p->a_string, "na\xc3\xafve") == 0);
    CHECK(singular_p->some_bytes.size == 3);
    CHECK(memcmp(singular_p->some_bytes.buf_p, "\x00\xff\x01", 3) == 0);
    CHECK(singular_p->an_enum == shapes_v1_kind_negative_e);
    CHECK(singular_p->has_a_message);
    CHECK(singular_p->a_message.x == -7);
    CHECK(singular_p->a_message.y == 8);
    CHECK(strcmp(singular_p->a_message.label, "") == 0);
    CHECK(singular_p->a_colour == other_types_colour_ultraviolet_e);
    CHECK(!singular_p->has_a_time);
}

static void check_repeated(const struct shapes_v1_repeated_t *repeated_p)
{
    CHECK(repeated_p->doubles_count == 0);
    CHECK(repeated_p->sint32s_count == 3);
    CHECK(repeated_p->sint32s[0] == 1);
    CHECK(repeated_p->sint32s[1] == -1);
    CHECK(repeated_p->sint32s[2] == INT32_MAX);
    CHECK(repeated_p->bools_count == 2);
    CHECK(repeated_p->bools[0] && !repeated_p->bools[1]);
    CHECK(repeated_p->strings_count == 2);
    CHECK(strcmp(repeated_p->strings[0], "one") == 0);
    CHECK(strcmp(repeated_p->strings[1], "") == 0);
    CHECK(repeated_p->many_bytes_count == 2);
    CHECK(repeated_p->many_bytes[0].size == 0);
    CHECK(repeated_p->many_bytes[1].size == 1);
    CHECK(repeated_p->many_bytes[1].buf_p[0] == 9);
    CHECK(repeated_p->messages_count == 2);
    CHECK(repeated_p->messages[0].label == NULL);
    CHECK(repeated_p->messages[1].x == 5);
    CHECK(strcmp(repeated_p->messages[1].label, "five") == 0);
}

static void check_choice(const struct shapes_v1_choice_t *choice_p)
{
    const struct shapes_v1_choice_t *again_p;

    CHECK(choice_p->which_first == shapes_v1_choice_again_tag);
    CHECK(choice_p->which_second == shapes_v1_choice_left_tag);
    CHECK(strcmp(choice_p->second.left, "") == 0);

    /* What nobody has sent is a string all the same. */
    CHECK(strcmp(choice_p->between, "") == 0);

    again_p = choice_p->first.again;
    CHECK(again_p->which_first == shapes_v1_choice_arrays_tag);
    CHECK(again_p->which_second == 0);
    CHECK(strcmp(again_p->between, "between") == 0);
    check_repeated(&again_p->first.arrays);
}

static void encode_singular(struct shapes_v1_singular_t *singular_p)
{
    static const uint8_t some_bytes[3] = { 0x00, 0xff, 0x01 };

    singular_p->a_double = -1.5;
    singular_p->a_float = 0.25f;
    singular_p->an_int32 = INT32_MIN;
    singular_p->an_int64 = INT64_MIN;
    singular_p->a_uint32 = UINT32_MAX;
    singular_p->a_uint64 = UINT64_MAX;
    singular_p->a_sint32 = INT32_MIN;
    singular_p->a_sint64 = INT64_MAX;
    singular_p->a_fixed32 = 0x01020304u;
    singular_p->a_fixed64 = 0x0102030405060708u;
    singular_p->a_sfixed32 = -2;
    singular_p->a_sfixed64 = -3;
    singular_p->a_bool = true;
    singular_p->a_string = "na\xc3\xafve";
    singular_p->some_bytes.size = sizeof(some_bytes);
    singular_p->some_bytes.buf_p = &some_bytes[0];
    singular_p->an_enum = shapes_v1_kind_negative_e;
    singular_p->has_a_message = true;
    singular_p->a_message.x = -7;
    singular_p->a_message.y = 8;
    singular_p->a_message.label = "";
    singular_p->a_colour = other_types_colour_ultraviolet_e;
}

static int encode_choice(uint8_t *buf_p, size_t size)
{
    struct shapes_v1_choice_t choice = shapes_v1_choice_init_zero;
    struct shapes_v1_choice_t again = shapes_v1_choice_init_zero;
    struct shapes_v1_repeated_t *repeated_p;
    struct other_types_point_t points[2] = { other_types_point_init_zero, other_types_point_init_zero };
    struct messi_bytes_t many_bytes[2] = { { 0, NULL }, { 1, (const uint8_t *)"\x09" } };
    const char *strings[2] = { "one", NULL };
    int32_t sint32s[3] = { 1, -1, INT32_MAX };
    bool bools[2] = { true, false };

    choice.which_first = shapes_v1_choice_again_tag;
    choice.first.again = &again;
    choice.which_second = shapes_v1_choice_left_tag;
    again.which_first = shapes_v1_choice_arrays_tag;
    again.between = "between";
    repeated_p = &again.first.arrays;
    repeated_p->sint32s_count = 3;
    repeated_p->sint32s = &sint32s[0];
    repeated_p->bools_count = 2;
    repeated_p->bools = &bools[0];
    repeated_p->strings_count = 2;
    repeated_p->strings = &strings[0];
    repeated_p->many_bytes_count = 2;
    repeated_p->many_bytes = &many_bytes[0];
    points[1].x = 5;
    points[1].label = "five";
    repeated_p->messages_count = 2;
    repeated_p->messages = &points[0];

    return messi_encode(shapes_v1_choice_fields, &choice, buf_p, size);
}

/* Structs that are no message. */
static void check_refused(void)
{
    struct shapes_v1_singular_t singular = shapes_v1_singular_init_zero;
    struct shapes_v1_repeated_t repeated = shapes_v1_repeated_init_zero;

    singular.some_bytes.size = 1;
    CHECK(messi_encode(shapes_v1_singular_fields, &singular, &encoded[0], sizeof(encoded)) == MESSI_PB_INVALID);
    repeated.int32s_count = 1;
    CHECK(messi_encode(shapes_v1_repeated_fields, &repeated, &encoded[0], sizeof(encoded)) == MESSI_PB_INVALID);
}

/* Two messages in one workspace. */
static void check_two(const uint8_t *buf_p, size_t size)
{
    struct messi_workspace_t workspace;
    struct shapes_v1_singular_t first;
    struct shapes_v1_singular_t second;
    size_t used;

    messi_workspace_init(&workspace, &workspace_buf[0], sizeof(workspace_buf));
    CHECK(messi_decode(shapes_v1_singular_fields, &first, &workspace, buf_p, size) == 0);
    used = workspace.used;
    CHECK(messi_decode(shapes_v1_singular_fields, &second, &workspace, buf_p, size - 1) == MESSI_PB_INVALID);
    CHECK(workspace.used == used);
    CHECK(messi_decode(shapes_v1_singular_fields, &second, &workspace, buf_p, size) == 0);
    check_singular(&first);
    check_singular(&second);
    messi_release(shapes_v1_singular_fields, &first, &workspace);
    CHECK(workspace.used == 0);

    /* There is no end to how often memory from malloc() can be used, and released twice. */
    messi_workspace_init(&workspace, NULL, 0);
    CHECK(messi_decode(shapes_v1_singular_fields, &first, &workspace, buf_p, size) == 0);
    messi_release(shapes_v1_singular_fields, &first, &workspace);
    messi_release(shapes_v1_singular_fields, &first, &workspace);
}

/* nanopb's own decoder does not know about workspaces, and says so. */
static void check_nanopb(const uint8_t *buf_p, size_t size)
{
    struct shapes_v1_singular_t singular;
    pb_istream_t stream;

    stream = pb_istream_from_buffer(buf_p, size);
    CHECK(!pb_decode(&stream, shapes_v1_singular_fields, &singular));
}

int main(int argc, const char *argv[])
{
    struct shapes_v1_singular_t singular = shapes_v1_singular_init_zero;
    struct shapes_v1_choice_t choice;
    struct messi_workspace_t workspace;
    FILE *file_p;
    size_t size;
    size_t singular_size;
    int res;

    CHECK(argc == 2);
    file_p = fopen(argv[1], "rb");
    CHECK(file_p != NULL);
    size = fread(&file[0], 1, sizeof(file), file_p);
    fclose(file_p);

    encode_singular(&singular);
    res = messi_encode(shapes_v1_singular_fields, &singular, &encoded[0], sizeof(encoded));
    CHECK(res > 0);
    singular_size = (size_t)res;
    CHECK(singular_size < size);
    CHECK(memcmp(&encoded[0], &file[0], singular_size) == 0);

    res = encode_choice(&encoded[0], sizeof(encoded));
    CHECK(res >= 0);
    CHECK((size_t)res == size - singular_size);
    CHECK(memcmp(&encoded[0], &file[singular_size], (size_t)res) == 0);

    messi_workspace_init(&workspace, &workspace_buf[0], sizeof(workspace_buf));
    CHECK(messi_decode(shapes_v1_singular_fields, &singular, &workspace, &file[0], singular_size) == 0);
    check_singular(&singular);
    CHECK(messi_decode(shapes_v1_choice_fields, &choice, &workspace, &file[singular_size], size - singular_size) == 0);
    check_choice(&choice);
    check_refused();
    check_two(&file[0], singular_size);
    check_nanopb(&file[0], singular_size);

    return 0;
}
