/* Made by `messi generate_c_source` of names.proto: change that, and make it again. */

#include "names.pb.h"

#if PB_PROTO_HEADER_VERSION != 40
#    error "nanopb 0.4 is needed"
#endif

typedef struct names_client_to_server_t names_client_to_server_t;
#define names_client_to_server_t_messages_int__MSGTYPE names_keywords_t
#define names_client_to_server_t_messages_errno__MSGTYPE names_macros_t
#define names_client_to_server_t_messages_a_MSGTYPE names_parameters_t
#define names_client_to_server_t_messages_union__MSGTYPE names_oneofs_t
#define names_client_to_server_t_messages_class__MSGTYPE names_class_t
#define names_client_to_server_t_messages_camelCase_MSGTYPE names_camel_case_t
#define names_client_to_server_CALLBACK NULL
#define names_client_to_server_DEFAULT NULL
#define names_client_to_server_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,int_,messages.int_), 1) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,errno_,messages.errno_), 2) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,a,messages.a), 3) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,union_,messages.union_), 4) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,class_,messages.class_), 5) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,camelCase,messages.camelCase), 6)
PB_BIND(names_client_to_server, names_client_to_server_t, AUTO)

typedef struct names_server_to_client_t names_server_to_client_t;
#define names_server_to_client_t_messages_NULL__MSGTYPE names_keywords_t
#define names_server_to_client_CALLBACK NULL
#define names_server_to_client_DEFAULT NULL
#define names_server_to_client_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (messages,NULL_,messages.NULL_), 1)
PB_BIND(names_server_to_client, names_server_to_client_t, AUTO)

static const struct messi_pb_member_t names_keywords_members[] = {
    { 2, MESSI_PB_PACKED, offsetof(struct names_keywords_t, break__count), sizeof(int32_t) },
    { 4, 0, 0, 0 },
    { 5, 0, 0, 0 },
    { 7, 0, offsetof(struct names_keywords_t, register__count), sizeof(struct names_keywords_register_entry_t) }
};

static bool names_keywords_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &names_keywords_members[0], 4);
}

typedef struct names_keywords_t names_keywords_t;
#define names_keywords_t_struct__MSGTYPE names_parameters_t
#define names_keywords_t_register__MSGTYPE names_keywords_register_entry_t
#define names_keywords_CALLBACK names_keywords_callback
#define names_keywords_DEFAULT NULL
#define names_keywords_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, auto_, 1) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, INT32, break_, 2) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, INT32, case_, 3) \
    MESSI_X(MESSI_S, CALLBACK, SINGULAR, STRING, class_, 4) \
    MESSI_X(MESSI_S, CALLBACK, SINGULAR, BYTES, default_, 5) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, MESSAGE, struct_, 6) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, MESSAGE, register_, 7) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, BOOL, bool_, 8) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, BOOL, true_, 9) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, DOUBLE, double_, 10) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, namespace_, 11) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, new_, 12) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, and_, 13) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, template_, 14) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, restrict_, 16) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, nullptr_, 17)
PB_BIND(names_keywords, names_keywords_t, AUTO)

static const struct messi_pb_member_t names_keywords_register_entry_members[] = {
    { 1, 0, 0, 0 }
};

static bool names_keywords_register_entry_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &names_keywords_register_entry_members[0], 1);
}

typedef struct names_keywords_register_entry_t names_keywords_register_entry_t;
#define names_keywords_register_entry_CALLBACK names_keywords_register_entry_callback
#define names_keywords_register_entry_DEFAULT NULL
#define names_keywords_register_entry_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, CALLBACK, SINGULAR, STRING, key, 1) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, value, 2)
PB_BIND(names_keywords_register_entry, names_keywords_register_entry_t, AUTO)

static const struct messi_pb_member_t names_macros_members[] = {
    { 2, MESSI_PB_PACKED, offsetof(struct names_macros_t, EOF__count), sizeof(int32_t) },
    { 4, 0, 0, 0 },
    { 5, 0, 0, 0 }
};

static bool names_macros_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &names_macros_members[0], 3);
}

typedef struct names_macros_t names_macros_t;
#define names_macros_t_linux__MSGTYPE names_parameters_t
#define names_macros_CALLBACK names_macros_callback
#define names_macros_DEFAULT NULL
#define names_macros_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, errno_, 1) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, INT32, EOF_, 2) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, INT32, stdin_, 3) \
    MESSI_X(MESSI_S, CALLBACK, SINGULAR, STRING, stdout_, 4) \
    MESSI_X(MESSI_S, CALLBACK, SINGULAR, BYTES, stderr_, 5) \
    MESSI_X(MESSI_S, STATIC, OPTIONAL, MESSAGE, linux_, 6) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, unix_, 7) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, assert_, 8) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, offsetof_, 9) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, INT_MAX_, 10) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, SIGINT_, 11) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, EINTR_, 12) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, EPOLLIN_, 13) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, PB_SIZE_MAX_, 14) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, I_, 15) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, i386_, 16) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, __LINE___, 17) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, UINT8_C_, 18) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, M_PI_, 19)
PB_BIND(names_macros, names_macros_t, AUTO)

typedef struct names_parameters_t names_parameters_t;
#define names_parameters_CALLBACK NULL
#define names_parameters_DEFAULT NULL
#define names_parameters_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, a, 1) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, X, 2) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, tag, 3) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, structname, 4) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, fieldname, 5) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, MESSI_X_, 6) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, MESSI_S_, 7) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, STATIC_, 8) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, size, 9) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, names_parameters_t, 10) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, dummy_field, 11) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, st, 12) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, m, 13) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, t, 14)
PB_BIND(names_parameters, names_parameters_t, AUTO)

static const struct messi_pb_member_t names_oneofs_members[] = {
    { 2, 0, 0, 0 },
    { 4, 0, 0, sizeof(struct names_oneofs_t) },
    { 5, 0, 0, sizeof(struct names_oneofs_t) },
    { 6, 0, 0, 0 }
};

static bool names_oneofs_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &names_oneofs_members[0], 4);
}

typedef struct names_oneofs_t names_oneofs_t;
#define names_oneofs_t_while__for__MSGTYPE names_parameters_t
#define names_oneofs_t_while__do__MSGTYPE names_oneofs_t
#define names_oneofs_t_stdout__stderr__MSGTYPE names_oneofs_t
#define names_oneofs_CALLBACK names_oneofs_callback
#define names_oneofs_DEFAULT NULL
#define names_oneofs_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, ONEOF, INT32, (while_,if_,while_.if_), 1) \
    MESSI_X(MESSI_S, CALLBACK, ONEOF, STRING, (while_,else_,while_.else_), 2) \
    MESSI_X(MESSI_S, STATIC, ONEOF, MESSAGE, (while_,for_,while_.for_), 3) \
    MESSI_X(MESSI_S, CALLBACK, ONEOF, MESSAGE, (while_,do_,while_.do_), 4) \
    MESSI_X(MESSI_S, CALLBACK, ONEOF, MESSAGE, (stdout_,stderr_,stdout_.stderr_), 5) \
    MESSI_X(MESSI_S, CALLBACK, ONEOF, BYTES, (stdout_,NAN_,stdout_.NAN_), 6)
PB_BIND(names_oneofs, names_oneofs_t, AUTO)

typedef struct names_class_t names_class_t;
#define names_class_CALLBACK NULL
#define names_class_DEFAULT NULL
#define names_class_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, names_class_t, 1)
PB_BIND(names_class, names_class_t, AUTO)

static const struct messi_pb_member_t names_camel_case_members[] = {
    { 2, 0, offsetof(struct names_camel_case_t, HTTPServer_count), sizeof(const char *) }
};

static bool names_camel_case_callback(
    pb_istream_t *istream_p,
    pb_ostream_t *ostream_p,
    const pb_field_iter_t *field_p)
{
    return messi_pb_callback(
        istream_p, ostream_p, field_p, &names_camel_case_members[0], 1);
}

typedef struct names_camel_case_t names_camel_case_t;
#define names_camel_case_CALLBACK names_camel_case_callback
#define names_camel_case_DEFAULT NULL
#define names_camel_case_FIELDLIST(MESSI_X, MESSI_S) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, INT32, camelCase, 1) \
    MESSI_X(MESSI_S, CALLBACK, REPEATED, STRING, HTTPServer, 2) \
    MESSI_X(MESSI_S, STATIC, SINGULAR, ENUM, NULL_, 3)
PB_BIND(names_camel_case, names_camel_case_t, AUTO)
