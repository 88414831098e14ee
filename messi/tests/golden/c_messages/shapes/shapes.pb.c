/* Made by `messi generate_c_source` of shapes.proto: change that, and make it again. */

#include "shapes.pb.h"

#if PB_PROTO_HEADER_VERSION != 40
#    error "nanopb 0.4 is needed"
#endif

typedef struct shapes_v1_client_to_server_t shapes_v1_client_to_server_t;
#define shapes_v1_client_to_server_t_messages_singular_MSGTYPE shapes_v1_singular_t
#define shapes_v1_client_to_server_t_messages_optional_MSGTYPE shapes_v1_optional_t
#define shapes_v1_client_to_server_t_messages_repeated_MSGTYPE shapes_v1_repeated_t
#define shapes_v1_client_to_server_t_messages_unpacked_MSGTYPE shapes_v1_unpacked_t
#define shapes_v1_client_to_server_t_messages_choice_MSGTYPE shapes_v1_choice_t
#define shapes_v1_client_to_server_t_messages_node_MSGTYPE shapes_v1_node_t
#define shapes_v1_client_to_server_t_messages_maps_MSGTYPE shapes_v1_maps_t
#define shapes_v1_client_to_server_t_messages_outer_MSGTYPE shapes_v1_outer_t
#define shapes_v1_client_to_server_t_messages_empty_MSGTYPE shapes_v1_empty_t
#define shapes_v1_client_to_server_t_messages_tags_MSGTYPE shapes_v1_tags_t
#define shapes_v1_client_to_server_t_messages_sized_MSGTYPE shapes_v1_sized_t
#define shapes_v1_client_to_server_t_messages_even_MSGTYPE shapes_v1_even_t
#define shapes_v1_client_to_server_t_messages_fixed_MSGTYPE shapes_v1_fixed_t
#define shapes_v1_client_to_server_t_messages_plain_MSGTYPE shapes_v1_plain_t
#define shapes_v1_client_to_server_t_messages_integers_MSGTYPE shapes_v1_integers_t
#define shapes_v1_client_to_server_t_messages_array_MSGTYPE shapes_v1_array_t
#define shapes_v1_client_to_server_CALLBACK NULL
#define shapes_v1_client_to_server_DEFAULT NULL
#define shapes_v1_client_to_server_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,singular,messages.singular), 1) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,optional,messages.optional), 2) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,repeated,messages.repeated), 3) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,unpacked,messages.unpacked), 4) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,choice,messages.choice), 5) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,node,messages.node), 6) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,maps,messages.maps), 7) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,outer,messages.outer), 8) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,empty,messages.empty), 9) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,tags,messages.tags), 10) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,sized,messages.sized), 11) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,even,messages.even), 12) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,fixed,messages.fixed), 13) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,plain,messages.plain), 14) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,integers,messages.integers), 15) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,array,messages.array), 16)
PB_BIND(shapes_v1_client_to_server, shapes_v1_client_to_server_t, 4)

typedef struct shapes_v1_server_to_client_t shapes_v1_server_to_client_t;
#define shapes_v1_server_to_client_t_messages_empty_MSGTYPE shapes_v1_empty_t
#define shapes_v1_server_to_client_CALLBACK NULL
#define shapes_v1_server_to_client_DEFAULT NULL
#define shapes_v1_server_to_client_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,empty,messages.empty), 1)
PB_BIND(shapes_v1_server_to_client, shapes_v1_server_to_client_t, AUTO)

static const struct messi_pb_member_t shapes_v1_singular_members[] = {
    { 14, 0, 0, 0 },
    { 15, 0, 0, 0 }
};

static bool shapes_v1_singular_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_singular_members[0], 2);
}

typedef struct shapes_v1_singular_t shapes_v1_singular_t;
#define shapes_v1_singular_t_a_message_MSGTYPE other_types_point_t
#define shapes_v1_singular_t_a_time_MSGTYPE google_protobuf_timestamp_t
#define shapes_v1_singular_CALLBACK shapes_v1_singular_callback
#define shapes_v1_singular_DEFAULT NULL
#define shapes_v1_singular_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, DOUBLE, a_double, 1) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, FLOAT, a_float, 2) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, an_int32, 3) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT64, an_int64, 4) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, UINT32, a_uint32, 5) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, UINT64, a_uint64, 6) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, SINT32, a_sint32, 7) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, SINT64, a_sint64, 8) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, FIXED32, a_fixed32, 9) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, FIXED64, a_fixed64, 10) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, SFIXED32, a_sfixed32, 11) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, SFIXED64, a_sfixed64, 12) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, BOOL, a_bool, 13) \
    MESSI_X(MESSI_S, CALLBACK, SINGULAR, STRING, a_string, 14) \
    MESSI_X(MESSI_S, CALLBACK, SINGULAR, BYTES, some_bytes, 15) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, ENUM, an_enum, 16) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, MESSAGE, a_message, 17) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, ENUM, a_colour, 18) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, MESSAGE, a_time, 19)
PB_BIND(shapes_v1_singular, shapes_v1_singular_t, AUTO)

static const struct messi_pb_member_t shapes_v1_optional_members[] = {
    { 14, MESSI_PB_OPTIONAL, 0, 0 },
    { 15, MESSI_PB_OPTIONAL, 0, 0 }
};

static bool shapes_v1_optional_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_optional_members[0], 2);
}

typedef struct shapes_v1_optional_t shapes_v1_optional_t;
#define shapes_v1_optional_t_a_message_MSGTYPE other_types_point_t
#define shapes_v1_optional_CALLBACK shapes_v1_optional_callback
#define shapes_v1_optional_DEFAULT NULL
#define shapes_v1_optional_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, DOUBLE, a_double, 1) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, FLOAT, a_float, 2) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, INT32, an_int32, 3) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, INT64, an_int64, 4) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, UINT32, a_uint32, 5) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, UINT64, a_uint64, 6) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, SINT32, a_sint32, 7) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, SINT64, a_sint64, 8) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, FIXED32, a_fixed32, 9) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, FIXED64, a_fixed64, 10) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, SFIXED32, a_sfixed32, 11) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, SFIXED64, a_sfixed64, 12) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, BOOL, a_bool, 13) \
    MESSI_X(MESSI_S, CALLBACK, OPTIONAL, STRING, a_string, 14) \
    MESSI_X(MESSI_S, CALLBACK, OPTIONAL, BYTES, some_bytes, 15) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, ENUM, an_enum, 16) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, MESSAGE, a_message, 17)
PB_BIND(shapes_v1_optional, shapes_v1_optional_t, AUTO)

static const struct messi_pb_member_t shapes_v1_repeated_members[] = {
    { 1, MESSI_PB_PACKED, offsetof(struct shapes_v1_repeated_t, doubles_count), sizeof(double) },
    { 2, MESSI_PB_PACKED, offsetof(struct shapes_v1_repeated_t, floats_count), sizeof(float) },
    { 3, MESSI_PB_PACKED, offsetof(struct shapes_v1_repeated_t, int32s_count), sizeof(int32_t) },
    { 4, MESSI_PB_PACKED, offsetof(struct shapes_v1_repeated_t, int64s_count), sizeof(int64_t) },
    { 5, MESSI_PB_PACKED, offsetof(struct shapes_v1_repeated_t, uint32s_count), sizeof(uint32_t) },
    { 6, MESSI_PB_PACKED, offsetof(struct shapes_v1_repeated_t, uint64s_count), sizeof(uint64_t) },
    { 7, MESSI_PB_PACKED, offsetof(struct shapes_v1_repeated_t, sint32s_count), sizeof(int32_t) },
    { 8, MESSI_PB_PACKED, offsetof(struct shapes_v1_repeated_t, sint64s_count), sizeof(int64_t) },
    { 9, MESSI_PB_PACKED, offsetof(struct shapes_v1_repeated_t, fixed32s_count), sizeof(uint32_t) },
    { 10, MESSI_PB_PACKED, offsetof(struct shapes_v1_repeated_t, fixed64s_count), sizeof(uint64_t) },
    { 11, MESSI_PB_PACKED, offsetof(struct shapes_v1_repeated_t, sfixed32s_count), sizeof(int32_t) },
    { 12, MESSI_PB_PACKED, offsetof(struct shapes_v1_repeated_t, sfixed64s_count), sizeof(int64_t) },
    { 13, MESSI_PB_PACKED, offsetof(struct shapes_v1_repeated_t, bools_count), sizeof(bool) },
    { 14, 0, offsetof(struct shapes_v1_repeated_t, strings_count), sizeof(const char *) },
    { 15, 0, offsetof(struct shapes_v1_repeated_t, many_bytes_count), sizeof(struct messi_bytes_t) },
    { 16, MESSI_PB_PACKED, offsetof(struct shapes_v1_repeated_t, enums_count), sizeof(enum shapes_v1_kind_t) },
    { 17, 0, offsetof(struct shapes_v1_repeated_t, messages_count), sizeof(struct other_types_point_t) }
};

static bool shapes_v1_repeated_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_repeated_members[0], 17);
}

typedef struct shapes_v1_repeated_t shapes_v1_repeated_t;
#define shapes_v1_repeated_t_messages_MSGTYPE other_types_point_t
#define shapes_v1_repeated_CALLBACK shapes_v1_repeated_callback
#define shapes_v1_repeated_DEFAULT NULL
#define shapes_v1_repeated_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, DOUBLE, doubles, 1) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, FLOAT, floats, 2) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, INT32, int32s, 3) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, INT64, int64s, 4) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, UINT32, uint32s, 5) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, UINT64, uint64s, 6) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, SINT32, sint32s, 7) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, SINT64, sint64s, 8) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, FIXED32, fixed32s, 9) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, FIXED64, fixed64s, 10) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, SFIXED32, sfixed32s, 11) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, SFIXED64, sfixed64s, 12) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, BOOL, bools, 13) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, STRING, strings, 14) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, BYTES, many_bytes, 15) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, ENUM, enums, 16) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, MESSAGE, messages, 17)
PB_BIND(shapes_v1_repeated, shapes_v1_repeated_t, 2)

static const struct messi_pb_member_t shapes_v1_unpacked_members[] = {
    { 1, MESSI_PB_PACKED, offsetof(struct shapes_v1_unpacked_t, doubles_count), sizeof(double) },
    { 2, MESSI_PB_PACKED, offsetof(struct shapes_v1_unpacked_t, floats_count), sizeof(float) },
    { 3, MESSI_PB_PACKED, offsetof(struct shapes_v1_unpacked_t, int32s_count), sizeof(int32_t) },
    { 4, MESSI_PB_PACKED, offsetof(struct shapes_v1_unpacked_t, int64s_count), sizeof(int64_t) },
    { 5, MESSI_PB_PACKED, offsetof(struct shapes_v1_unpacked_t, uint32s_count), sizeof(uint32_t) },
    { 6, MESSI_PB_PACKED, offsetof(struct shapes_v1_unpacked_t, uint64s_count), sizeof(uint64_t) },
    { 7, MESSI_PB_PACKED, offsetof(struct shapes_v1_unpacked_t, sint32s_count), sizeof(int32_t) },
    { 8, MESSI_PB_PACKED, offsetof(struct shapes_v1_unpacked_t, sint64s_count), sizeof(int64_t) },
    { 9, MESSI_PB_PACKED, offsetof(struct shapes_v1_unpacked_t, fixed32s_count), sizeof(uint32_t) },
    { 10, MESSI_PB_PACKED, offsetof(struct shapes_v1_unpacked_t, fixed64s_count), sizeof(uint64_t) },
    { 11, MESSI_PB_PACKED, offsetof(struct shapes_v1_unpacked_t, sfixed32s_count), sizeof(int32_t) },
    { 12, MESSI_PB_PACKED, offsetof(struct shapes_v1_unpacked_t, sfixed64s_count), sizeof(int64_t) },
    { 13, MESSI_PB_PACKED, offsetof(struct shapes_v1_unpacked_t, bools_count), sizeof(bool) },
    { 14, MESSI_PB_PACKED, offsetof(struct shapes_v1_unpacked_t, enums_count), sizeof(enum shapes_v1_kind_t) }
};

static bool shapes_v1_unpacked_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_unpacked_members[0], 14);
}

typedef struct shapes_v1_unpacked_t shapes_v1_unpacked_t;
#define shapes_v1_unpacked_CALLBACK shapes_v1_unpacked_callback
#define shapes_v1_unpacked_DEFAULT NULL
#define shapes_v1_unpacked_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, DOUBLE, doubles, 1) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, FLOAT, floats, 2) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, INT32, int32s, 3) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, INT64, int64s, 4) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, UINT32, uint32s, 5) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, UINT64, uint64s, 6) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, SINT32, sint32s, 7) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, SINT64, sint64s, 8) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, FIXED32, fixed32s, 9) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, FIXED64, fixed64s, 10) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, SFIXED32, sfixed32s, 11) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, SFIXED64, sfixed64s, 12) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, BOOL, bools, 13) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, ENUM, enums, 14)
PB_BIND(shapes_v1_unpacked, shapes_v1_unpacked_t, AUTO)

static const struct messi_pb_member_t shapes_v1_choice_members[] = {
    { 5, 0, 0, 0 },
    { 6, 0, 0, 0 },
    { 10, 0, 0, sizeof(struct shapes_v1_choice_t) },
    { 12, 0, 0, 0 },
    { 13, 0, 0, 0 }
};

static bool shapes_v1_choice_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_choice_members[0], 5);
}

typedef struct shapes_v1_choice_t shapes_v1_choice_t;
#define shapes_v1_choice_t_first_a_message_MSGTYPE other_types_point_t
#define shapes_v1_choice_t_first_arrays_MSGTYPE shapes_v1_repeated_t
#define shapes_v1_choice_t_first_again_MSGTYPE shapes_v1_choice_t
#define shapes_v1_choice_t_first_nothing_MSGTYPE shapes_v1_empty_t
#define shapes_v1_choice_CALLBACK shapes_v1_choice_callback
#define shapes_v1_choice_DEFAULT NULL
#define shapes_v1_choice_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, before, 1) \
    MESSI_X(MESSI_S, STATIC, ONEOF, DOUBLE, (first,a_double,first.a_double), 2) \
    MESSI_X(MESSI_S, STATIC, ONEOF, SINT64, (first,a_sint64,first.a_sint64), 3) \
    MESSI_X(MESSI_S, STATIC, ONEOF, BOOL, (first,a_bool,first.a_bool), 4) \
    MESSI_X(MESSI_S, CALLBACK, ONEOF, STRING, (first,a_string,first.a_string), 5) \
    MESSI_X(MESSI_S, CALLBACK, ONEOF, BYTES, (first,some_bytes,first.some_bytes), 6) \
    MESSI_X(MESSI_S, STATIC, ONEOF, ENUM, (first,an_enum,first.an_enum), 7) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (first,a_message,first.a_message), 8) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (first,arrays,first.arrays), 9) \
    MESSI_X(MESSI_S, CALLBACK, ONEOF, MESSAGE, (first,again,first.again), 10) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (first,nothing,first.nothing), 11) \
    MESSI_X(MESSI_S, CALLBACK, SINGULAR, STRING, between, 12) \
    MESSI_X(MESSI_S, CALLBACK, ONEOF, STRING, (second,left,second.left), 13) \
    MESSI_X(MESSI_S, STATIC, ONEOF, FIXED32, (second,right,second.right), 14)
PB_BIND(shapes_v1_choice, shapes_v1_choice_t, 2)

static const struct messi_pb_member_t shapes_v1_node_members[] = {
    { 1, 0, 0, 0 },
    { 2, MESSI_PB_OPTIONAL, 0, sizeof(struct shapes_v1_node_t) },
    { 3, 0, offsetof(struct shapes_v1_node_t, children_count), sizeof(struct shapes_v1_node_t) },
    { 4, 0, offsetof(struct shapes_v1_node_t, named_count), sizeof(struct shapes_v1_node_named_entry_t) },
    { 5, MESSI_PB_OPTIONAL, 0, sizeof(struct shapes_v1_node_other_t) }
};

static bool shapes_v1_node_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_node_members[0], 5);
}

typedef struct shapes_v1_node_t shapes_v1_node_t;
#define shapes_v1_node_t_next_MSGTYPE shapes_v1_node_t
#define shapes_v1_node_t_children_MSGTYPE shapes_v1_node_t
#define shapes_v1_node_t_named_MSGTYPE shapes_v1_node_named_entry_t
#define shapes_v1_node_t_other_MSGTYPE shapes_v1_node_other_t
#define shapes_v1_node_CALLBACK shapes_v1_node_callback
#define shapes_v1_node_DEFAULT NULL
#define shapes_v1_node_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, CALLBACK, SINGULAR, STRING, name, 1) \
    MESSI_X(MESSI_S, CALLBACK, OPTIONAL, MESSAGE, next, 2) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, MESSAGE, children, 3) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, MESSAGE, named, 4) \
    MESSI_X(MESSI_S, CALLBACK, OPTIONAL, MESSAGE, other, 5)
PB_BIND(shapes_v1_node, shapes_v1_node_t, AUTO)

static const struct messi_pb_member_t shapes_v1_node_named_entry_members[] = {
    { 1, 0, 0, 0 }
};

static bool shapes_v1_node_named_entry_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_node_named_entry_members[0], 1);
}

typedef struct shapes_v1_node_named_entry_t shapes_v1_node_named_entry_t;
#define shapes_v1_node_named_entry_t_value_MSGTYPE shapes_v1_node_t
#define shapes_v1_node_named_entry_CALLBACK shapes_v1_node_named_entry_callback
#define shapes_v1_node_named_entry_DEFAULT NULL
#define shapes_v1_node_named_entry_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, CALLBACK, SINGULAR, STRING, key, 1) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, MESSAGE, value, 2)
PB_BIND(shapes_v1_node_named_entry, shapes_v1_node_named_entry_t, AUTO)

static const struct messi_pb_member_t shapes_v1_node_other_members[] = {
    { 1, MESSI_PB_OPTIONAL, 0, sizeof(struct shapes_v1_node_t) },
    { 2, MESSI_PB_OPTIONAL, 0, sizeof(struct shapes_v1_node_other_t) }
};

static bool shapes_v1_node_other_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_node_other_members[0], 2);
}

typedef struct shapes_v1_node_other_t shapes_v1_node_other_t;
#define shapes_v1_node_other_t_back_MSGTYPE shapes_v1_node_t
#define shapes_v1_node_other_t_same_MSGTYPE shapes_v1_node_other_t
#define shapes_v1_node_other_CALLBACK shapes_v1_node_other_callback
#define shapes_v1_node_other_DEFAULT NULL
#define shapes_v1_node_other_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, CALLBACK, OPTIONAL, MESSAGE, back, 1) \
    MESSI_X(MESSI_S, CALLBACK, OPTIONAL, MESSAGE, same, 2)
PB_BIND(shapes_v1_node_other, shapes_v1_node_other_t, AUTO)

static const struct messi_pb_member_t shapes_v1_maps_members[] = {
    { 1, 0, offsetof(struct shapes_v1_maps_t, strings_count), sizeof(struct shapes_v1_maps_strings_entry_t) },
    { 2, 0, offsetof(struct shapes_v1_maps_t, many_bytes_count), sizeof(struct shapes_v1_maps_many_bytes_entry_t) },
    { 3, 0, offsetof(struct shapes_v1_maps_t, doubles_count), sizeof(struct shapes_v1_maps_doubles_entry_t) },
    { 4, 0, offsetof(struct shapes_v1_maps_t, enums_count), sizeof(struct shapes_v1_maps_enums_entry_t) },
    { 5, 0, offsetof(struct shapes_v1_maps_t, messages_count), sizeof(struct shapes_v1_maps_messages_entry_t) },
    { 6, 0, offsetof(struct shapes_v1_maps_t, inner_count), sizeof(struct shapes_v1_maps_inner_entry_t) }
};

static bool shapes_v1_maps_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_maps_members[0], 6);
}

typedef struct shapes_v1_maps_t shapes_v1_maps_t;
#define shapes_v1_maps_t_strings_MSGTYPE shapes_v1_maps_strings_entry_t
#define shapes_v1_maps_t_many_bytes_MSGTYPE shapes_v1_maps_many_bytes_entry_t
#define shapes_v1_maps_t_doubles_MSGTYPE shapes_v1_maps_doubles_entry_t
#define shapes_v1_maps_t_enums_MSGTYPE shapes_v1_maps_enums_entry_t
#define shapes_v1_maps_t_messages_MSGTYPE shapes_v1_maps_messages_entry_t
#define shapes_v1_maps_t_inner_MSGTYPE shapes_v1_maps_inner_entry_t
#define shapes_v1_maps_CALLBACK shapes_v1_maps_callback
#define shapes_v1_maps_DEFAULT NULL
#define shapes_v1_maps_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, MESSAGE, strings, 1) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, MESSAGE, many_bytes, 2) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, MESSAGE, doubles, 3) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, MESSAGE, enums, 4) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, MESSAGE, messages, 5) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, MESSAGE, inner, 6)
PB_BIND(shapes_v1_maps, shapes_v1_maps_t, AUTO)

static const struct messi_pb_member_t shapes_v1_maps_strings_entry_members[] = {
    { 2, 0, 0, 0 }
};

static bool shapes_v1_maps_strings_entry_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_maps_strings_entry_members[0], 1);
}

typedef struct shapes_v1_maps_strings_entry_t shapes_v1_maps_strings_entry_t;
#define shapes_v1_maps_strings_entry_CALLBACK shapes_v1_maps_strings_entry_callback
#define shapes_v1_maps_strings_entry_DEFAULT NULL
#define shapes_v1_maps_strings_entry_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, key, 1) \
    MESSI_X(MESSI_S, CALLBACK, SINGULAR, STRING, value, 2)
PB_BIND(shapes_v1_maps_strings_entry, shapes_v1_maps_strings_entry_t, AUTO)

static const struct messi_pb_member_t shapes_v1_maps_many_bytes_entry_members[] = {
    { 1, 0, 0, 0 },
    { 2, 0, 0, 0 }
};

static bool shapes_v1_maps_many_bytes_entry_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_maps_many_bytes_entry_members[0], 2);
}

typedef struct shapes_v1_maps_many_bytes_entry_t shapes_v1_maps_many_bytes_entry_t;
#define shapes_v1_maps_many_bytes_entry_CALLBACK shapes_v1_maps_many_bytes_entry_callback
#define shapes_v1_maps_many_bytes_entry_DEFAULT NULL
#define shapes_v1_maps_many_bytes_entry_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, CALLBACK, SINGULAR, STRING, key, 1) \
    MESSI_X(MESSI_S, CALLBACK, SINGULAR, BYTES, value, 2)
PB_BIND(shapes_v1_maps_many_bytes_entry, shapes_v1_maps_many_bytes_entry_t, AUTO)

typedef struct shapes_v1_maps_doubles_entry_t shapes_v1_maps_doubles_entry_t;
#define shapes_v1_maps_doubles_entry_CALLBACK NULL
#define shapes_v1_maps_doubles_entry_DEFAULT NULL
#define shapes_v1_maps_doubles_entry_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, BOOL, key, 1) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, DOUBLE, value, 2)
PB_BIND(shapes_v1_maps_doubles_entry, shapes_v1_maps_doubles_entry_t, AUTO)

typedef struct shapes_v1_maps_enums_entry_t shapes_v1_maps_enums_entry_t;
#define shapes_v1_maps_enums_entry_CALLBACK NULL
#define shapes_v1_maps_enums_entry_DEFAULT NULL
#define shapes_v1_maps_enums_entry_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, UINT64, key, 1) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, ENUM, value, 2)
PB_BIND(shapes_v1_maps_enums_entry, shapes_v1_maps_enums_entry_t, AUTO)

typedef struct shapes_v1_maps_messages_entry_t shapes_v1_maps_messages_entry_t;
#define shapes_v1_maps_messages_entry_t_value_MSGTYPE other_types_point_t
#define shapes_v1_maps_messages_entry_CALLBACK NULL
#define shapes_v1_maps_messages_entry_DEFAULT NULL
#define shapes_v1_maps_messages_entry_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, SFIXED32, key, 1) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, MESSAGE, value, 2)
PB_BIND(shapes_v1_maps_messages_entry, shapes_v1_maps_messages_entry_t, AUTO)

typedef struct shapes_v1_maps_inner_entry_t shapes_v1_maps_inner_entry_t;
#define shapes_v1_maps_inner_entry_t_value_MSGTYPE shapes_v1_outer_inner_t
#define shapes_v1_maps_inner_entry_CALLBACK NULL
#define shapes_v1_maps_inner_entry_DEFAULT NULL
#define shapes_v1_maps_inner_entry_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, SINT64, key, 1) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, MESSAGE, value, 2)
PB_BIND(shapes_v1_maps_inner_entry, shapes_v1_maps_inner_entry_t, AUTO)

static const struct messi_pb_member_t shapes_v1_outer_members[] = {
    { 3, 0, offsetof(struct shapes_v1_outer_t, innermost_count), sizeof(struct shapes_v1_outer_inner_innermost_t) }
};

static bool shapes_v1_outer_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_outer_members[0], 1);
}

typedef struct shapes_v1_outer_t shapes_v1_outer_t;
#define shapes_v1_outer_t_inner_MSGTYPE shapes_v1_outer_inner_t
#define shapes_v1_outer_t_innermost_MSGTYPE shapes_v1_outer_inner_innermost_t
#define shapes_v1_outer_CALLBACK shapes_v1_outer_callback
#define shapes_v1_outer_DEFAULT NULL
#define shapes_v1_outer_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, MESSAGE, inner, 1) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, ENUM, kind, 2) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, MESSAGE, innermost, 3)
PB_BIND(shapes_v1_outer, shapes_v1_outer_t, AUTO)

typedef struct shapes_v1_outer_inner_t shapes_v1_outer_inner_t;
#define shapes_v1_outer_inner_t_innermost_MSGTYPE shapes_v1_outer_inner_innermost_t
#define shapes_v1_outer_inner_CALLBACK NULL
#define shapes_v1_outer_inner_DEFAULT NULL
#define shapes_v1_outer_inner_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, MESSAGE, innermost, 1) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, ENUM, kind, 2)
PB_BIND(shapes_v1_outer_inner, shapes_v1_outer_inner_t, AUTO)

static const struct messi_pb_member_t shapes_v1_outer_inner_innermost_members[] = {
    { 1, 0, 0, 0 }
};

static bool shapes_v1_outer_inner_innermost_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_outer_inner_innermost_members[0], 1);
}

typedef struct shapes_v1_outer_inner_innermost_t shapes_v1_outer_inner_innermost_t;
#define shapes_v1_outer_inner_innermost_CALLBACK shapes_v1_outer_inner_innermost_callback
#define shapes_v1_outer_inner_innermost_DEFAULT NULL
#define shapes_v1_outer_inner_innermost_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, CALLBACK, SINGULAR, STRING, text, 1)
PB_BIND(shapes_v1_outer_inner_innermost, shapes_v1_outer_inner_innermost_t, AUTO)

typedef struct shapes_v1_empty_t shapes_v1_empty_t;
#define shapes_v1_empty_CALLBACK NULL
#define shapes_v1_empty_DEFAULT NULL
#define shapes_v1_empty_FIELDLIST(MESSI_X, MESSI_S)
PB_BIND(shapes_v1_empty, shapes_v1_empty_t, AUTO)

static const struct messi_pb_member_t shapes_v1_tags_members[] = {
    { 1023, 0, 0, 0 },
    { 1024, MESSI_PB_PACKED, offsetof(struct shapes_v1_tags_t, of_eleven_bits_count), sizeof(int32_t) }
};

static bool shapes_v1_tags_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_tags_members[0], 2);
}

typedef struct shapes_v1_tags_t shapes_v1_tags_t;
#define shapes_v1_tags_t_largest_MSGTYPE shapes_v1_empty_t
#define shapes_v1_tags_CALLBACK shapes_v1_tags_callback
#define shapes_v1_tags_DEFAULT NULL
#define shapes_v1_tags_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, last_of_one_byte, 15) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, first_of_two_bytes, 16) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, of_six_bits, 63) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, of_seven_bits, 64) \
    MESSI_X(MESSI_S, CALLBACK, SINGULAR, STRING, of_ten_bits, 1023) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, INT32, of_eleven_bits, 1024) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, MESSAGE, largest, 65535)
PB_BIND(shapes_v1_tags, shapes_v1_tags_t, 4)

static const struct messi_pb_member_t shapes_v1_sized_members[] = {
    { 2, 0, 0, 9 },
    { 5, 0, 0, 9 },
    { 17, MESSI_PB_OPTIONAL, 0, sizeof(struct shapes_v1_even_t) }
};

static bool shapes_v1_sized_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_sized_members[0], 3);
}

typedef struct shapes_v1_sized_t shapes_v1_sized_t;
#define shapes_v1_sized_t_evens_MSGTYPE shapes_v1_even_t
#define shapes_v1_sized_t_even_MSGTYPE shapes_v1_even_t
#define shapes_v1_sized_t_choice_one_MSGTYPE shapes_v1_even_t
#define shapes_v1_sized_t_map_MSGTYPE shapes_v1_sized_map_entry_t
#define shapes_v1_sized_t_plain_map_MSGTYPE shapes_v1_sized_plain_map_entry_t
#define shapes_v1_sized_t_far_MSGTYPE shapes_v1_even_t
#define shapes_v1_sized_CALLBACK shapes_v1_sized_callback
#define shapes_v1_sized_DEFAULT NULL
#define shapes_v1_sized_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, STRING, name, 1) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, BYTES, token, 2) \
    MESSI_X(MESSI_S, STATIC, REPEATED, SINT32, numbers, 3) \
    MESSI_X(MESSI_S, STATIC, REPEATED, STRING, strings, 4) \
    MESSI_X(MESSI_S, STATIC, REPEATED, BYTES, many_bytes, 5) \
    MESSI_X(MESSI_S, STATIC, REPEATED, MESSAGE, evens, 6) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, MESSAGE, even, 7) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, STRING, maybe, 8) \
    MESSI_X(MESSI_S, STATIC, ONEOF, STRING, (choice,text,choice.text), 9) \
    MESSI_X(MESSI_S, STATIC, ONEOF, BYTES, (choice,data,choice.data), 10) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (choice,one,choice.one), 11) \
    MESSI_X(MESSI_S, STATIC, ONEOF, UINT64, (choice,number,choice.number), 12) \
    MESSI_X(MESSI_S, STATIC, REPEATED, MESSAGE, map, 13) \
    MESSI_X(MESSI_S, STATIC, REPEATED, FIXED64, fixed64s, 14) \
    MESSI_X(MESSI_S, STATIC, REPEATED, MESSAGE, plain_map, 16) \
    MESSI_X(MESSI_S, CALLBACK, OPTIONAL, MESSAGE, far, 17)
PB_BIND(shapes_v1_sized, shapes_v1_sized_t, 2)

static const struct messi_pb_member_t shapes_v1_sized_map_entry_members[] = {
    { 1, 0, 0, 0 }
};

static bool shapes_v1_sized_map_entry_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_sized_map_entry_members[0], 1);
}

typedef struct shapes_v1_sized_map_entry_t shapes_v1_sized_map_entry_t;
#define shapes_v1_sized_map_entry_CALLBACK shapes_v1_sized_map_entry_callback
#define shapes_v1_sized_map_entry_DEFAULT NULL
#define shapes_v1_sized_map_entry_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, CALLBACK, SINGULAR, STRING, key, 1) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, value, 2)
PB_BIND(shapes_v1_sized_map_entry, shapes_v1_sized_map_entry_t, AUTO)

typedef struct shapes_v1_sized_plain_map_entry_t shapes_v1_sized_plain_map_entry_t;
#define shapes_v1_sized_plain_map_entry_CALLBACK NULL
#define shapes_v1_sized_plain_map_entry_DEFAULT NULL
#define shapes_v1_sized_plain_map_entry_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, key, 1) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, value, 2)
PB_BIND(shapes_v1_sized_plain_map_entry, shapes_v1_sized_plain_map_entry_t, AUTO)

static const struct messi_pb_member_t shapes_v1_even_members[] = {
    { 4, 0, 0, 0 }
};

static bool shapes_v1_even_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_even_members[0], 1);
}

typedef struct shapes_v1_even_t shapes_v1_even_t;
#define shapes_v1_even_CALLBACK shapes_v1_even_callback
#define shapes_v1_even_DEFAULT NULL
#define shapes_v1_even_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, STRING, text, 1) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, BYTES, data, 2) \
    MESSI_X(MESSI_S, STATIC, REPEATED, BOOL, bools, 3) \
    MESSI_X(MESSI_S, CALLBACK, SINGULAR, STRING, any, 4) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, BYTES, maybe, 5)
PB_BIND(shapes_v1_even, shapes_v1_even_t, AUTO)

typedef struct shapes_v1_fixed_t shapes_v1_fixed_t;
#define shapes_v1_fixed_t_plains_MSGTYPE shapes_v1_plain_t
#define shapes_v1_fixed_CALLBACK NULL
#define shapes_v1_fixed_DEFAULT NULL
#define shapes_v1_fixed_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, FIXARRAY, SINT32, numbers, 1) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, FIXED_LENGTH_BYTES, digest, 2) \
    MESSI_X(MESSI_S, STATIC, FIXARRAY, MESSAGE, plains, 3) \
    MESSI_X(MESSI_S, STATIC, FIXARRAY, STRING, strings, 4)
PB_BIND(shapes_v1_fixed, shapes_v1_fixed_t, AUTO)

typedef struct shapes_v1_plain_t shapes_v1_plain_t;
#define shapes_v1_plain_CALLBACK NULL
#define shapes_v1_plain_DEFAULT NULL
#define shapes_v1_plain_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, x, 1) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, BOOL, flag, 2) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, STRING, text, 3) \
    MESSI_X(MESSI_S, STATIC, REPEATED, FLOAT, floats, 4)
PB_BIND(shapes_v1_plain, shapes_v1_plain_t, AUTO)

static const struct messi_pb_member_t shapes_v1_integers_members[] = {
    { 5, MESSI_PB_PACKED, offsetof(struct shapes_v1_integers_t, many_count), sizeof(int8_t) }
};

static bool shapes_v1_integers_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_integers_members[0], 1);
}

typedef struct shapes_v1_integers_t shapes_v1_integers_t;
#define shapes_v1_integers_CALLBACK shapes_v1_integers_callback
#define shapes_v1_integers_DEFAULT NULL
#define shapes_v1_integers_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, tiny, 1) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, UINT32, tiny_unsigned, 2) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, SINT64, small, 3) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, UINT64, small_unsigned, 4) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, INT32, many, 5)
PB_BIND(shapes_v1_integers, shapes_v1_integers_t, AUTO)

static const struct messi_pb_member_t shapes_v1_array_members[] = {
    { 4, 0, offsetof(struct shapes_v1_array_t, nested_count), sizeof(struct shapes_v1_array_t) }
};

static bool shapes_v1_array_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &shapes_v1_array_members[0], 1);
}

typedef struct shapes_v1_array_t shapes_v1_array_t;
#define shapes_v1_array_t_nested_MSGTYPE shapes_v1_array_t
#define shapes_v1_array_CALLBACK shapes_v1_array_callback
#define shapes_v1_array_DEFAULT NULL
#define shapes_v1_array_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, REPEATED, UINT32, numbers, 1) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, STRING, text, 2) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, after, 3) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, MESSAGE, nested, 4)
PB_BIND(shapes_v1_array, shapes_v1_array_t, 4)
