/*
 * Messages as structs: bytes to structs, structs to bytes, and the memory that decoded ones take.
 *
 * A field of a fixed size is in its struct. All others are pointers: a caller that encodes points them at memory of its
 * own, and only what messi_decode() made is ever released. Decoded memory comes from a workspace, or, if that has no
 * buffer, from malloc().
 *
 * What is there, and what is sent:
 *
 *   string                char array, or const char * that may be NULL, which is as if it were empty
 *   bytes                 size and array, or struct messi_bytes_t; of fixed_length only the array
 *   message               has_NAME and the struct; a pointer, NULL if not there, where messages are recursive
 *   optional              has_NAME and the value; of strings and bytes that are pointers: NULL if not there
 *   repeated and maps     NAME_count and an array, or a pointer to the items; of fixed_count only the array
 *   oneof                 which_NAME, the number of the field that is set or zero, and a union called NAME
 *
 * A C string ends at its first zero, which a string of protocol buffers may have in its middle.
 *
 * The descriptors of messages are nanopb's (0.4), and so is encoding. Decoding is done here: it bounds depth and
 * memory, knows sizes of more than 16 bits, and needs no nanopb that was built with PB_ENABLE_MALLOC.
 */

#ifndef MESSI_PB_H
#define MESSI_PB_H

#include <stddef.h>
#include <stdint.h>
#include <pb.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How deep messages may be nested in the outermost one: as deep as in other implementations of protocol buffers. Each
 * level takes about 600 bytes of stack where pointers have 64 bits. */
#ifndef MESSI_PB_DEPTH_MAX
#    define MESSI_PB_DEPTH_MAX 100
#endif

/* Not the encoding of such a message, or beyond a limit of its struct; nor can what is in the struct be encoded. */
#define MESSI_PB_INVALID -1

/* The workspace, or the buffer, is too small; or malloc() has no memory left. */
#define MESSI_PB_NO_SPACE -2

/* All members zero: nothing is set. */
#ifdef __cplusplus
#    define MESSI_PB_INIT_ZERO {}
#else
#    define MESSI_PB_INIT_ZERO {0}
#endif

/* Bytes of a field without max_size. They are not copied to be sent. */
struct messi_bytes_t {
    size_t size;
    const uint8_t *buf_p;
};

/* Memory for decoded messages. */
struct messi_workspace_t {
    uint8_t *buf_p;
    size_t size;
    size_t used;
};

/*
 * Decoded messages are put into the `size` bytes at `buf_p`, in the order they come, until all of them are released. If
 * `buf_p` is NULL they are put into memory from malloc(), up to `size` bytes, or if `size` is zero, up to any size.
 * Compiled with MESSI_PB_NO_MALLOC defined there is no malloc(), and a workspace without a buffer has no memory.
 */
void messi_workspace_init(struct messi_workspace_t *self_p, uint8_t *buf_p, size_t size);

/*
 * Makes a message, whatever is in it before, of its encoding. Strings are never NULL then, unless they are `optional`
 * and not there. Returns zero, MESSI_PB_INVALID or MESSI_PB_NO_SPACE; if not zero, the message is empty and needs no
 * release.
 */
int messi_decode(const pb_msgdesc_t *fields_p,
                 void *message_p,
                 struct messi_workspace_t *workspace_p,
                 const uint8_t *buf_p,
                 size_t size);

/*
 * Releases a decoded message, which is empty then. If the workspace has a buffer all of it can be used again, so that
 * all other messages in it are gone, too.
 */
void messi_release(const pb_msgdesc_t *fields_p, void *message_p, struct messi_workspace_t *workspace_p);

/*
 * Writes the encoding of a message, decoded or zeroed and filled in, to a buffer. Returns its length,
 * MESSI_PB_INVALID, or MESSI_PB_NO_SPACE.
 */
int messi_encode(const pb_msgdesc_t *fields_p, const void *message_p, uint8_t *buf_p, size_t size);

/*
 * For generated code.
 */

/* A string or bytes that may be empty and yet there: `optional`, or in a oneof. */
#define MESSI_PB_OPTIONAL 1u

/* An array of numbers that is sent packed. */
#define MESSI_PB_PACKED 2u

/* What nanopb's descriptor does not say of a field that is a pointer, or of bytes with padding behind them. */
struct messi_pb_member_t {
    uint32_t tag;
    unsigned int flags;
    /* Of the array's count in the message. */
    size_t count_offset;
    /* Of what it points at, of one item of the array, or of the bytes at most. */
    size_t size;
};

/* The callback of a message with these members. */
bool messi_pb_callback(pb_istream_t *istream_p,
                       pb_ostream_t *ostream_p,
                       const pb_field_iter_t *field_p,
                       const struct messi_pb_member_t *members_p,
                       size_t length);

#ifdef __cplusplus
}
#endif

#endif
