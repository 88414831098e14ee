/* Made by `messi generate_c_source` of shapes.proto: change that, and make it again. */

#ifndef PB_SHAPES_H
#define PB_SHAPES_H

#include "messi_pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "other.pb.h"

#ifdef __cplusplus
extern "C" {
#endif

enum shapes_v1_kind_t {
    shapes_v1_kind_unknown_e = 0,
    shapes_v1_kind_first_e = 1,
    shapes_v1_kind_uno_e = 1,
    shapes_v1_kind_negative_e = -5
};

enum shapes_v1_outer_inner_kind_t {
    shapes_v1_outer_inner_kind_one_e = 0,
    shapes_v1_outer_inner_kind_two_e = 1
};

/*
 * All types, each once.
 *
 * Comments that come with slashes and stars, as in / * this * /, go on after it.
 */
struct shapes_v1_singular_t {
    double a_double;
    float a_float;
    int32_t an_int32;
    int64_t an_int64;
    uint32_t a_uint32;
    uint64_t a_uint64;
    int32_t a_sint32;
    int64_t a_sint64;
    uint32_t a_fixed32;
    uint64_t a_fixed64;
    int32_t a_sfixed32;
    int64_t a_sfixed64;
    bool a_bool;
    const char *a_string;
    struct messi_bytes_t some_bytes;
    enum shapes_v1_kind_t an_enum;
    bool has_a_message;
    struct other_types_point_t a_message;
    enum other_types_colour_t a_colour;
    bool has_a_time;
    struct google_protobuf_timestamp_t a_time;
};

enum {
    shapes_v1_singular_a_double_tag = 1,
    shapes_v1_singular_a_float_tag = 2,
    shapes_v1_singular_an_int32_tag = 3,
    shapes_v1_singular_an_int64_tag = 4,
    shapes_v1_singular_a_uint32_tag = 5,
    shapes_v1_singular_a_uint64_tag = 6,
    shapes_v1_singular_a_sint32_tag = 7,
    shapes_v1_singular_a_sint64_tag = 8,
    shapes_v1_singular_a_fixed32_tag = 9,
    shapes_v1_singular_a_fixed64_tag = 10,
    shapes_v1_singular_a_sfixed32_tag = 11,
    shapes_v1_singular_a_sfixed64_tag = 12,
    shapes_v1_singular_a_bool_tag = 13,
    shapes_v1_singular_a_string_tag = 14,
    shapes_v1_singular_some_bytes_tag = 15,
    shapes_v1_singular_an_enum_tag = 16,
    shapes_v1_singular_a_message_tag = 17,
    shapes_v1_singular_a_colour_tag = 18,
    shapes_v1_singular_a_time_tag = 19
};

extern const pb_msgdesc_t shapes_v1_singular_t_msg;
#define shapes_v1_singular_fields &shapes_v1_singular_t_msg
#define shapes_v1_singular_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_optional_t {
    bool has_a_double;
    double a_double;
    bool has_a_float;
    float a_float;
    bool has_an_int32;
    int32_t an_int32;
    bool has_an_int64;
    int64_t an_int64;
    bool has_a_uint32;
    uint32_t a_uint32;
    bool has_a_uint64;
    uint64_t a_uint64;
    bool has_a_sint32;
    int32_t a_sint32;
    bool has_a_sint64;
    int64_t a_sint64;
    bool has_a_fixed32;
    uint32_t a_fixed32;
    bool has_a_fixed64;
    uint64_t a_fixed64;
    bool has_a_sfixed32;
    int32_t a_sfixed32;
    bool has_a_sfixed64;
    int64_t a_sfixed64;
    bool has_a_bool;
    bool a_bool;
    const char *a_string;
    struct messi_bytes_t some_bytes;
    bool has_an_enum;
    enum shapes_v1_kind_t an_enum;
    bool has_a_message;
    struct other_types_point_t a_message;
};

enum {
    shapes_v1_optional_a_double_tag = 1,
    shapes_v1_optional_a_float_tag = 2,
    shapes_v1_optional_an_int32_tag = 3,
    shapes_v1_optional_an_int64_tag = 4,
    shapes_v1_optional_a_uint32_tag = 5,
    shapes_v1_optional_a_uint64_tag = 6,
    shapes_v1_optional_a_sint32_tag = 7,
    shapes_v1_optional_a_sint64_tag = 8,
    shapes_v1_optional_a_fixed32_tag = 9,
    shapes_v1_optional_a_fixed64_tag = 10,
    shapes_v1_optional_a_sfixed32_tag = 11,
    shapes_v1_optional_a_sfixed64_tag = 12,
    shapes_v1_optional_a_bool_tag = 13,
    shapes_v1_optional_a_string_tag = 14,
    shapes_v1_optional_some_bytes_tag = 15,
    shapes_v1_optional_an_enum_tag = 16,
    shapes_v1_optional_a_message_tag = 17
};

extern const pb_msgdesc_t shapes_v1_optional_t_msg;
#define shapes_v1_optional_fields &shapes_v1_optional_t_msg
#define shapes_v1_optional_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_repeated_t {
    size_t doubles_count;
    double *doubles;
    size_t floats_count;
    float *floats;
    size_t int32s_count;
    int32_t *int32s;
    size_t int64s_count;
    int64_t *int64s;
    size_t uint32s_count;
    uint32_t *uint32s;
    size_t uint64s_count;
    uint64_t *uint64s;
    size_t sint32s_count;
    int32_t *sint32s;
    size_t sint64s_count;
    int64_t *sint64s;
    size_t fixed32s_count;
    uint32_t *fixed32s;
    size_t fixed64s_count;
    uint64_t *fixed64s;
    size_t sfixed32s_count;
    int32_t *sfixed32s;
    size_t sfixed64s_count;
    int64_t *sfixed64s;
    size_t bools_count;
    bool *bools;
    size_t strings_count;
    const char **strings;
    size_t many_bytes_count;
    struct messi_bytes_t *many_bytes;
    size_t enums_count;
    enum shapes_v1_kind_t *enums;
    size_t messages_count;
    struct other_types_point_t *messages;
};

enum {
    shapes_v1_repeated_doubles_tag = 1,
    shapes_v1_repeated_floats_tag = 2,
    shapes_v1_repeated_int32s_tag = 3,
    shapes_v1_repeated_int64s_tag = 4,
    shapes_v1_repeated_uint32s_tag = 5,
    shapes_v1_repeated_uint64s_tag = 6,
    shapes_v1_repeated_sint32s_tag = 7,
    shapes_v1_repeated_sint64s_tag = 8,
    shapes_v1_repeated_fixed32s_tag = 9,
    shapes_v1_repeated_fixed64s_tag = 10,
    shapes_v1_repeated_sfixed32s_tag = 11,
    shapes_v1_repeated_sfixed64s_tag = 12,
    shapes_v1_repeated_bools_tag = 13,
    shapes_v1_repeated_strings_tag = 14,
    shapes_v1_repeated_many_bytes_tag = 15,
    shapes_v1_repeated_enums_tag = 16,
    shapes_v1_repeated_messages_tag = 17
};

extern const pb_msgdesc_t shapes_v1_repeated_t_msg;
#define shapes_v1_repeated_fields &shapes_v1_repeated_t_msg
#define shapes_v1_repeated_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_unpacked_t {
    size_t doubles_count;
    double *doubles;
    size_t floats_count;
    float *floats;
    size_t int32s_count;
    int32_t *int32s;
    size_t int64s_count;
    int64_t *int64s;
    size_t uint32s_count;
    uint32_t *uint32s;
    size_t uint64s_count;
    uint64_t *uint64s;
    size_t sint32s_count;
    int32_t *sint32s;
    size_t sint64s_count;
    int64_t *sint64s;
    size_t fixed32s_count;
    uint32_t *fixed32s;
    size_t fixed64s_count;
    uint64_t *fixed64s;
    size_t sfixed32s_count;
    int32_t *sfixed32s;
    size_t sfixed64s_count;
    int64_t *sfixed64s;
    size_t bools_count;
    bool *bools;
    size_t enums_count;
    enum shapes_v1_kind_t *enums;
};

enum {
    shapes_v1_unpacked_doubles_tag = 1,
    shapes_v1_unpacked_floats_tag = 2,
    shapes_v1_unpacked_int32s_tag = 3,
    shapes_v1_unpacked_int64s_tag = 4,
    shapes_v1_unpacked_uint32s_tag = 5,
    shapes_v1_unpacked_uint64s_tag = 6,
    shapes_v1_unpacked_sint32s_tag = 7,
    shapes_v1_unpacked_sint64s_tag = 8,
    shapes_v1_unpacked_fixed32s_tag = 9,
    shapes_v1_unpacked_fixed64s_tag = 10,
    shapes_v1_unpacked_sfixed32s_tag = 11,
    shapes_v1_unpacked_sfixed64s_tag = 12,
    shapes_v1_unpacked_bools_tag = 13,
    shapes_v1_unpacked_enums_tag = 14
};

extern const pb_msgdesc_t shapes_v1_unpacked_t_msg;
#define shapes_v1_unpacked_fields &shapes_v1_unpacked_t_msg
#define shapes_v1_unpacked_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_empty_t {
    /* C has no empty structs. */
    char dummy_field;
};

extern const pb_msgdesc_t shapes_v1_empty_t_msg;
#define shapes_v1_empty_fields &shapes_v1_empty_t_msg
#define shapes_v1_empty_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_choice_t {
    int32_t before;
    /* One of many types. */
    pb_size_t which_first;
    union {
        double a_double;
        int64_t a_sint64;
        bool a_bool;
        const char *a_string;
        struct messi_bytes_t some_bytes;
        enum shapes_v1_kind_t an_enum;
        struct other_types_point_t a_message;
        struct shapes_v1_repeated_t arrays;
        struct shapes_v1_choice_t *again;
        struct shapes_v1_empty_t nothing;
    } first;
    const char *between;
    pb_size_t which_second;
    union {
        const char *left;
        uint32_t right;
    } second;
};

enum {
    shapes_v1_choice_before_tag = 1,
    shapes_v1_choice_a_double_tag = 2,
    shapes_v1_choice_a_sint64_tag = 3,
    shapes_v1_choice_a_bool_tag = 4,
    shapes_v1_choice_a_string_tag = 5,
    shapes_v1_choice_some_bytes_tag = 6,
    shapes_v1_choice_an_enum_tag = 7,
    shapes_v1_choice_a_message_tag = 8,
    shapes_v1_choice_arrays_tag = 9,
    shapes_v1_choice_again_tag = 10,
    shapes_v1_choice_nothing_tag = 11,
    shapes_v1_choice_between_tag = 12,
    shapes_v1_choice_left_tag = 13,
    shapes_v1_choice_right_tag = 14
};

extern const pb_msgdesc_t shapes_v1_choice_t_msg;
#define shapes_v1_choice_fields &shapes_v1_choice_t_msg
#define shapes_v1_choice_init_zero MESSI_PB_INIT_ZERO

/* Holds itself in many ways. */
struct shapes_v1_node_t {
    const char *name;
    struct shapes_v1_node_t *next;
    size_t children_count;
    struct shapes_v1_node_t *children;
    size_t named_count;
    struct shapes_v1_node_named_entry_t *named;
    struct shapes_v1_node_other_t *other;
};

enum {
    shapes_v1_node_name_tag = 1,
    shapes_v1_node_next_tag = 2,
    shapes_v1_node_children_tag = 3,
    shapes_v1_node_named_tag = 4,
    shapes_v1_node_other_tag = 5
};

extern const pb_msgdesc_t shapes_v1_node_t_msg;
#define shapes_v1_node_fields &shapes_v1_node_t_msg
#define shapes_v1_node_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_maps_t {
    size_t strings_count;
    struct shapes_v1_maps_strings_entry_t *strings;
    size_t many_bytes_count;
    struct shapes_v1_maps_many_bytes_entry_t *many_bytes;
    size_t doubles_count;
    struct shapes_v1_maps_doubles_entry_t *doubles;
    size_t enums_count;
    struct shapes_v1_maps_enums_entry_t *enums;
    size_t messages_count;
    struct shapes_v1_maps_messages_entry_t *messages;
    size_t inner_count;
    struct shapes_v1_maps_inner_entry_t *inner;
};

enum {
    shapes_v1_maps_strings_tag = 1,
    shapes_v1_maps_many_bytes_tag = 2,
    shapes_v1_maps_doubles_tag = 3,
    shapes_v1_maps_enums_tag = 4,
    shapes_v1_maps_messages_tag = 5,
    shapes_v1_maps_inner_tag = 6
};

extern const pb_msgdesc_t shapes_v1_maps_t_msg;
#define shapes_v1_maps_fields &shapes_v1_maps_t_msg
#define shapes_v1_maps_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_outer_inner_innermost_t {
    const char *text;
};

enum {
    shapes_v1_outer_inner_innermost_text_tag = 1
};

extern const pb_msgdesc_t shapes_v1_outer_inner_innermost_t_msg;
#define shapes_v1_outer_inner_innermost_fields &shapes_v1_outer_inner_innermost_t_msg
#define shapes_v1_outer_inner_innermost_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_outer_inner_t {
    bool has_innermost;
    struct shapes_v1_outer_inner_innermost_t innermost;
    enum shapes_v1_outer_inner_kind_t kind;
};

enum {
    shapes_v1_outer_inner_innermost_tag = 1,
    shapes_v1_outer_inner_kind_tag = 2
};

extern const pb_msgdesc_t shapes_v1_outer_inner_t_msg;
#define shapes_v1_outer_inner_fields &shapes_v1_outer_inner_t_msg
#define shapes_v1_outer_inner_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_outer_t {
    bool has_inner;
    struct shapes_v1_outer_inner_t inner;
    enum shapes_v1_outer_inner_kind_t kind;
    size_t innermost_count;
    struct shapes_v1_outer_inner_innermost_t *innermost;
};

enum {
    shapes_v1_outer_inner_tag = 1,
    shapes_v1_outer_kind_tag = 2,
    shapes_v1_outer_innermost_tag = 3
};

extern const pb_msgdesc_t shapes_v1_outer_t_msg;
#define shapes_v1_outer_fields &shapes_v1_outer_t_msg
#define shapes_v1_outer_init_zero MESSI_PB_INIT_ZERO

/* In no order. */
struct shapes_v1_tags_t {
    const char *of_ten_bits;
    int32_t last_of_one_byte;
    bool has_largest;
    struct shapes_v1_empty_t largest;
    int32_t first_of_two_bytes;
    size_t of_eleven_bits_count;
    int32_t *of_eleven_bits;
    int32_t of_seven_bits;
    int32_t of_six_bits;
};

enum {
    shapes_v1_tags_of_ten_bits_tag = 1023,
    shapes_v1_tags_last_of_one_byte_tag = 15,
    shapes_v1_tags_largest_tag = 65535,
    shapes_v1_tags_first_of_two_bytes_tag = 16,
    shapes_v1_tags_of_eleven_bits_tag = 1024,
    shapes_v1_tags_of_seven_bits_tag = 64,
    shapes_v1_tags_of_six_bits_tag = 63
};

extern const pb_msgdesc_t shapes_v1_tags_t_msg;
#define shapes_v1_tags_fields &shapes_v1_tags_t_msg
#define shapes_v1_tags_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_even_t {
    char text[12];
    PB_BYTES_ARRAY_T(12) data;
    pb_size_t bools_count;
    bool bools[4];
    /* Without a size after all. */
    const char *any;
    bool has_maybe;
    PB_BYTES_ARRAY_T(12) maybe;
};

enum {
    shapes_v1_even_text_tag = 1,
    shapes_v1_even_data_tag = 2,
    shapes_v1_even_bools_tag = 3,
    shapes_v1_even_any_tag = 4,
    shapes_v1_even_maybe_tag = 5
};

extern const pb_msgdesc_t shapes_v1_even_t_msg;
#define shapes_v1_even_fields &shapes_v1_even_t_msg
#define shapes_v1_even_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_sized_map_entry_t {
    const char *key;
    int32_t value;
};

enum {
    shapes_v1_sized_map_entry_key_tag = 1,
    shapes_v1_sized_map_entry_value_tag = 2
};

extern const pb_msgdesc_t shapes_v1_sized_map_entry_t_msg;
#define shapes_v1_sized_map_entry_fields &shapes_v1_sized_map_entry_t_msg
#define shapes_v1_sized_map_entry_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_sized_plain_map_entry_t {
    int32_t key;
    int32_t value;
};

enum {
    shapes_v1_sized_plain_map_entry_key_tag = 1,
    shapes_v1_sized_plain_map_entry_value_tag = 2
};

extern const pb_msgdesc_t shapes_v1_sized_plain_map_entry_t_msg;
#define shapes_v1_sized_plain_map_entry_fields &shapes_v1_sized_plain_map_entry_t_msg
#define shapes_v1_sized_plain_map_entry_init_zero MESSI_PB_INIT_ZERO

/* In the struct, with all that it holds. */
struct shapes_v1_sized_t {
    char name[16];
    PB_BYTES_ARRAY_T(9) token;
    pb_size_t numbers_count;
    int32_t numbers[4];
    pb_size_t strings_count;
    char strings[4][13];
    pb_size_t many_bytes_count;
    PB_BYTES_ARRAY_T(9) many_bytes[4];
    pb_size_t evens_count;
    struct shapes_v1_even_t evens[4];
    bool has_even;
    struct shapes_v1_even_t even;
    bool has_maybe;
    char maybe[13];
    pb_size_t which_choice;
    union {
        char text[14];
        PB_BYTES_ARRAY_T(12) data;
        struct shapes_v1_even_t one;
        uint64_t number;
    } choice;
    pb_size_t map_count;
    struct shapes_v1_sized_map_entry_t map[4];
    pb_size_t fixed64s_count;
    uint64_t fixed64s[5];
    pb_size_t plain_map_count;
    struct shapes_v1_sized_plain_map_entry_t plain_map[4];
    struct shapes_v1_even_t *far;
};

enum {
    shapes_v1_sized_name_tag = 1,
    shapes_v1_sized_token_tag = 2,
    shapes_v1_sized_numbers_tag = 3,
    shapes_v1_sized_strings_tag = 4,
    shapes_v1_sized_many_bytes_tag = 5,
    shapes_v1_sized_evens_tag = 6,
    shapes_v1_sized_even_tag = 7,
    shapes_v1_sized_maybe_tag = 8,
    shapes_v1_sized_text_tag = 9,
    shapes_v1_sized_data_tag = 10,
    shapes_v1_sized_one_tag = 11,
    shapes_v1_sized_number_tag = 12,
    shapes_v1_sized_map_tag = 13,
    shapes_v1_sized_fixed64s_tag = 14,
    shapes_v1_sized_plain_map_tag = 16,
    shapes_v1_sized_far_tag = 17
};

extern const pb_msgdesc_t shapes_v1_sized_t_msg;
#define shapes_v1_sized_fields &shapes_v1_sized_t_msg
#define shapes_v1_sized_init_zero MESSI_PB_INIT_ZERO

/* Needs nothing but its struct. */
struct shapes_v1_plain_t {
    int32_t x;
    bool flag;
    char text[10];
    pb_size_t floats_count;
    float floats[3];
};

enum {
    shapes_v1_plain_x_tag = 1,
    shapes_v1_plain_flag_tag = 2,
    shapes_v1_plain_text_tag = 3,
    shapes_v1_plain_floats_tag = 4
};

extern const pb_msgdesc_t shapes_v1_plain_t_msg;
#define shapes_v1_plain_fields &shapes_v1_plain_t_msg
#define shapes_v1_plain_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_fixed_t {
    int32_t numbers[3];
    pb_byte_t digest[5];
    struct shapes_v1_plain_t plains[2];
    char strings[2][4];
};

enum {
    shapes_v1_fixed_numbers_tag = 1,
    shapes_v1_fixed_digest_tag = 2,
    shapes_v1_fixed_plains_tag = 3,
    shapes_v1_fixed_strings_tag = 4
};

extern const pb_msgdesc_t shapes_v1_fixed_t_msg;
#define shapes_v1_fixed_fields &shapes_v1_fixed_t_msg
#define shapes_v1_fixed_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_integers_t {
    int8_t tiny;
    uint8_t tiny_unsigned;
    int16_t small;
    uint16_t small_unsigned;
    size_t many_count;
    int8_t *many;
};

enum {
    shapes_v1_integers_tiny_tag = 1,
    shapes_v1_integers_tiny_unsigned_tag = 2,
    shapes_v1_integers_small_tag = 3,
    shapes_v1_integers_small_unsigned_tag = 4,
    shapes_v1_integers_many_tag = 5
};

extern const pb_msgdesc_t shapes_v1_integers_t_msg;
#define shapes_v1_integers_fields &shapes_v1_integers_t_msg
#define shapes_v1_integers_init_zero MESSI_PB_INIT_ZERO

/* Larger than what descriptors of two words reach. */
struct shapes_v1_array_t {
    pb_size_t numbers_count;
    uint32_t numbers[5000];
    char text[5000];
    int32_t after;
    size_t nested_count;
    struct shapes_v1_array_t *nested;
};

enum {
    shapes_v1_array_numbers_tag = 1,
    shapes_v1_array_text_tag = 2,
    shapes_v1_array_after_tag = 3,
    shapes_v1_array_nested_tag = 4
};

extern const pb_msgdesc_t shapes_v1_array_t_msg;
#define shapes_v1_array_fields &shapes_v1_array_t_msg
#define shapes_v1_array_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_client_to_server_t {
    pb_size_t which_messages;
    union {
        struct shapes_v1_singular_t singular;
        struct shapes_v1_optional_t optional;
        struct shapes_v1_repeated_t repeated;
        struct shapes_v1_unpacked_t unpacked;
        struct shapes_v1_choice_t choice;
        struct shapes_v1_node_t node;
        struct shapes_v1_maps_t maps;
        struct shapes_v1_outer_t outer;
        struct shapes_v1_empty_t empty;
        struct shapes_v1_tags_t tags;
        struct shapes_v1_sized_t sized;
        struct shapes_v1_even_t even;
        struct shapes_v1_fixed_t fixed;
        struct shapes_v1_plain_t plain;
        struct shapes_v1_integers_t integers;
        struct shapes_v1_array_t array;
    } messages;
};

enum {
    shapes_v1_client_to_server_singular_tag = 1,
    shapes_v1_client_to_server_optional_tag = 2,
    shapes_v1_client_to_server_repeated_tag = 3,
    shapes_v1_client_to_server_unpacked_tag = 4,
    shapes_v1_client_to_server_choice_tag = 5,
    shapes_v1_client_to_server_node_tag = 6,
    shapes_v1_client_to_server_maps_tag = 7,
    shapes_v1_client_to_server_outer_tag = 8,
    shapes_v1_client_to_server_empty_tag = 9,
    shapes_v1_client_to_server_tags_tag = 10,
    shapes_v1_client_to_server_sized_tag = 11,
    shapes_v1_client_to_server_even_tag = 12,
    shapes_v1_client_to_server_fixed_tag = 13,
    shapes_v1_client_to_server_plain_tag = 14,
    shapes_v1_client_to_server_integers_tag = 15,
    shapes_v1_client_to_server_array_tag = 16
};

extern const pb_msgdesc_t shapes_v1_client_to_server_t_msg;
#define shapes_v1_client_to_server_fields &shapes_v1_client_to_server_t_msg
#define shapes_v1_client_to_server_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_server_to_client_t {
    pb_size_t which_messages;
    union {
        struct shapes_v1_empty_t empty;
    } messages;
};

enum {
    shapes_v1_server_to_client_empty_tag = 1
};

extern const pb_msgdesc_t shapes_v1_server_to_client_t_msg;
#define shapes_v1_server_to_client_fields &shapes_v1_server_to_client_t_msg
#define shapes_v1_server_to_client_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_node_named_entry_t {
    const char *key;
    bool has_value;
    struct shapes_v1_node_t value;
};

enum {
    shapes_v1_node_named_entry_key_tag = 1,
    shapes_v1_node_named_entry_value_tag = 2
};

extern const pb_msgdesc_t shapes_v1_node_named_entry_t_msg;
#define shapes_v1_node_named_entry_fields &shapes_v1_node_named_entry_t_msg
#define shapes_v1_node_named_entry_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_node_other_t {
    struct shapes_v1_node_t *back;
    struct shapes_v1_node_other_t *same;
};

enum {
    shapes_v1_node_other_back_tag = 1,
    shapes_v1_node_other_same_tag = 2
};

extern const pb_msgdesc_t shapes_v1_node_other_t_msg;
#define shapes_v1_node_other_fields &shapes_v1_node_other_t_msg
#define shapes_v1_node_other_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_maps_strings_entry_t {
    int32_t key;
    const char *value;
};

enum {
    shapes_v1_maps_strings_entry_key_tag = 1,
    shapes_v1_maps_strings_entry_value_tag = 2
};

extern const pb_msgdesc_t shapes_v1_maps_strings_entry_t_msg;
#define shapes_v1_maps_strings_entry_fields &shapes_v1_maps_strings_entry_t_msg
#define shapes_v1_maps_strings_entry_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_maps_many_bytes_entry_t {
    const char *key;
    struct messi_bytes_t value;
};

enum {
    shapes_v1_maps_many_bytes_entry_key_tag = 1,
    shapes_v1_maps_many_bytes_entry_value_tag = 2
};

extern const pb_msgdesc_t shapes_v1_maps_many_bytes_entry_t_msg;
#define shapes_v1_maps_many_bytes_entry_fields &shapes_v1_maps_many_bytes_entry_t_msg
#define shapes_v1_maps_many_bytes_entry_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_maps_doubles_entry_t {
    bool key;
    double value;
};

enum {
    shapes_v1_maps_doubles_entry_key_tag = 1,
    shapes_v1_maps_doubles_entry_value_tag = 2
};

extern const pb_msgdesc_t shapes_v1_maps_doubles_entry_t_msg;
#define shapes_v1_maps_doubles_entry_fields &shapes_v1_maps_doubles_entry_t_msg
#define shapes_v1_maps_doubles_entry_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_maps_enums_entry_t {
    uint64_t key;
    enum shapes_v1_kind_t value;
};

enum {
    shapes_v1_maps_enums_entry_key_tag = 1,
    shapes_v1_maps_enums_entry_value_tag = 2
};

extern const pb_msgdesc_t shapes_v1_maps_enums_entry_t_msg;
#define shapes_v1_maps_enums_entry_fields &shapes_v1_maps_enums_entry_t_msg
#define shapes_v1_maps_enums_entry_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_maps_messages_entry_t {
    int32_t key;
    bool has_value;
    struct other_types_point_t value;
};

enum {
    shapes_v1_maps_messages_entry_key_tag = 1,
    shapes_v1_maps_messages_entry_value_tag = 2
};

extern const pb_msgdesc_t shapes_v1_maps_messages_entry_t_msg;
#define shapes_v1_maps_messages_entry_fields &shapes_v1_maps_messages_entry_t_msg
#define shapes_v1_maps_messages_entry_init_zero MESSI_PB_INIT_ZERO

struct shapes_v1_maps_inner_entry_t {
    int64_t key;
    bool has_value;
    struct shapes_v1_outer_inner_t value;
};

enum {
    shapes_v1_maps_inner_entry_key_tag = 1,
    shapes_v1_maps_inner_entry_value_tag = 2
};

extern const pb_msgdesc_t shapes_v1_maps_inner_entry_t_msg;
#define shapes_v1_maps_inner_entry_fields &shapes_v1_maps_inner_entry_t_msg
#define shapes_v1_maps_inner_entry_init_zero MESSI_PB_INIT_ZERO

#ifdef __cplusplus
}
#endif

#endif
