/* Made by `messi generate_c_source` of names.proto: change that, and make it again. */

#ifndef PB_NAMES_H
#define PB_NAMES_H

#include "messi_pb.h"

#ifdef __cplusplus
extern "C" {
#endif

enum names_camel_case_kind_t {
    names_camel_case_kind_eof_e = 0,
    names_camel_case_kind_int_e = 1
};

/* As the macros of nanopb and of what is generated call what they are given. */
struct names_parameters_t {
    int32_t a;
    int32_t X;
    int32_t tag;
    int32_t structname;
    int32_t fieldname;
    int32_t MESSI_X_;
    int32_t MESSI_S_;
    int32_t STATIC_;
    int32_t size;
    int32_t names_parameters_t;
    int32_t dummy_field;
    int32_t st;
    int32_t m;
    int32_t t;
};

enum {
    names_parameters_a_tag = 1,
    names_parameters_X_tag = 2,
    names_parameters_tag_tag = 3,
    names_parameters_structname_tag = 4,
    names_parameters_fieldname_tag = 5,
    names_parameters_MESSI_X_tag = 6,
    names_parameters_MESSI_S_tag = 7,
    names_parameters_STATIC_tag = 8,
    names_parameters_size_tag = 9,
    names_parameters_names_parameters_t_tag = 10,
    names_parameters_dummy_field_tag = 11,
    names_parameters_st_tag = 12,
    names_parameters_m_tag = 13,
    names_parameters_t_tag = 14
};

extern const pb_msgdesc_t names_parameters_t_msg;
#define names_parameters_fields &names_parameters_t_msg
#define names_parameters_init_zero MESSI_PB_INIT_ZERO

struct names_keywords_t {
    int32_t auto_;
    size_t break__count;
    int32_t *break_;
    bool has_case_;
    int32_t case_;
    const char *class_;
    struct messi_bytes_t default_;
    bool has_struct_;
    struct names_parameters_t struct_;
    size_t register__count;
    struct names_keywords_register_entry_t *register_;
    bool bool_;
    bool true_;
    double double_;
    int32_t namespace_;
    int32_t new_;
    int32_t and_;
    int32_t template_;
    int32_t restrict_;
    int32_t nullptr_;
};

enum {
    names_keywords_auto_tag = 1,
    names_keywords_break_tag = 2,
    names_keywords_case_tag = 3,
    names_keywords_class_tag = 4,
    names_keywords_default_tag = 5,
    names_keywords_struct_tag = 6,
    names_keywords_register_tag = 7,
    names_keywords_bool_tag = 8,
    names_keywords_true_tag = 9,
    names_keywords_double_tag = 10,
    names_keywords_namespace_tag = 11,
    names_keywords_new_tag = 12,
    names_keywords_and_tag = 13,
    names_keywords_template_tag = 14,
    names_keywords_restrict_tag = 16,
    names_keywords_nullptr_tag = 17
};

extern const pb_msgdesc_t names_keywords_t_msg;
#define names_keywords_fields &names_keywords_t_msg
#define names_keywords_init_zero MESSI_PB_INIT_ZERO

struct names_macros_t {
    int32_t errno_;
    size_t EOF__count;
    int32_t *EOF_;
    bool has_stdin_;
    int32_t stdin_;
    const char *stdout_;
    struct messi_bytes_t stderr_;
    bool has_linux_;
    struct names_parameters_t linux_;
    int32_t unix_;
    int32_t assert_;
    int32_t offsetof_;
    int32_t INT_MAX_;
    int32_t SIGINT_;
    int32_t EINTR_;
    int32_t EPOLLIN_;
    int32_t PB_SIZE_MAX_;
    int32_t I_;
    int32_t i386_;
    int32_t __LINE___;
    int32_t UINT8_C_;
    int32_t M_PI_;
};

enum {
    names_macros_errno_tag = 1,
    names_macros_EOF_tag = 2,
    names_macros_stdin_tag = 3,
    names_macros_stdout_tag = 4,
    names_macros_stderr_tag = 5,
    names_macros_linux_tag = 6,
    names_macros_unix_tag = 7,
    names_macros_assert_tag = 8,
    names_macros_offsetof_tag = 9,
    names_macros_INT_MAX_tag = 10,
    names_macros_SIGINT_tag = 11,
    names_macros_EINTR_tag = 12,
    names_macros_EPOLLIN_tag = 13,
    names_macros_PB_SIZE_MAX_tag = 14,
    names_macros_I_tag = 15,
    names_macros_i386_tag = 16,
    names_macros___LINE___tag = 17,
    names_macros_UINT8_C_tag = 18,
    names_macros_M_PI_tag = 19
};

extern const pb_msgdesc_t names_macros_t_msg;
#define names_macros_fields &names_macros_t_msg
#define names_macros_init_zero MESSI_PB_INIT_ZERO

struct names_oneofs_t {
    pb_size_t which_while_;
    union {
        int32_t if_;
        const char *else_;
        struct names_parameters_t for_;
        struct names_oneofs_t *do_;
    } while_;
    pb_size_t which_stdout_;
    union {
        struct names_oneofs_t *stderr_;
        struct messi_bytes_t NAN_;
    } stdout_;
};

enum {
    names_oneofs_if_tag = 1,
    names_oneofs_else_tag = 2,
    names_oneofs_for_tag = 3,
    names_oneofs_do_tag = 4,
    names_oneofs_stderr_tag = 5,
    names_oneofs_NAN_tag = 6
};

extern const pb_msgdesc_t names_oneofs_t_msg;
#define names_oneofs_fields &names_oneofs_t_msg
#define names_oneofs_init_zero MESSI_PB_INIT_ZERO

struct names_class_t {
    int32_t names_class_t;
};

enum {
    names_class_names_class_t_tag = 1
};

extern const pb_msgdesc_t names_class_t_msg;
#define names_class_fields &names_class_t_msg
#define names_class_init_zero MESSI_PB_INIT_ZERO

struct names_camel_case_t {
    int32_t camelCase;
    size_t HTTPServer_count;
    const char **HTTPServer;
    enum names_camel_case_kind_t NULL_;
};

enum {
    names_camel_case_camelCase_tag = 1,
    names_camel_case_HTTPServer_tag = 2,
    names_camel_case_NULL_tag = 3
};

extern const pb_msgdesc_t names_camel_case_t_msg;
#define names_camel_case_fields &names_camel_case_t_msg
#define names_camel_case_init_zero MESSI_PB_INIT_ZERO

struct names_client_to_server_t {
    pb_size_t which_messages;
    union {
        struct names_keywords_t int_;
        struct names_macros_t errno_;
        struct names_parameters_t a;
        struct names_oneofs_t union_;
        struct names_class_t class_;
        struct names_camel_case_t camelCase;
    } messages;
};

enum {
    names_client_to_server_int_tag = 1,
    names_client_to_server_errno_tag = 2,
    names_client_to_server_a_tag = 3,
    names_client_to_server_union_tag = 4,
    names_client_to_server_class_tag = 5,
    names_client_to_server_camelCase_tag = 6
};

extern const pb_msgdesc_t names_client_to_server_t_msg;
#define names_client_to_server_fields &names_client_to_server_t_msg
#define names_client_to_server_init_zero MESSI_PB_INIT_ZERO

struct names_server_to_client_t {
    pb_size_t which_messages;
    union {
        struct names_keywords_t NULL_;
    } messages;
};

enum {
    names_server_to_client_NULL_tag = 1
};

extern const pb_msgdesc_t names_server_to_client_t_msg;
#define names_server_to_client_fields &names_server_to_client_t_msg
#define names_server_to_client_init_zero MESSI_PB_INIT_ZERO

struct names_keywords_register_entry_t {
    const char *key;
    int32_t value;
};

enum {
    names_keywords_register_entry_key_tag = 1,
    names_keywords_register_entry_value_tag = 2
};

extern const pb_msgdesc_t names_keywords_register_entry_t_msg;
#define names_keywords_register_entry_fields &names_keywords_register_entry_t_msg
#define names_keywords_register_entry_init_zero MESSI_PB_INIT_ZERO

#ifdef __cplusplus
}
#endif

#endif
