/*
 * Messi on the async framework: a client of messi.h on its TCP client and its timer. Everything runs in the framework's
 * loop. There is no server, since the framework cannot accept.
 */

#ifndef MESSI_ASYNC_H
#define MESSI_ASYNC_H

#include <async/core.h>
#include <async/modules/stcp_client.h>

#include "messi.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A client on the framework's TCP client. */
struct messi_async_client_t {
    struct messi_client_t client;
    struct async_stcp_client_t stcp;
    struct async_timer_t timer;
    /** Connected or connecting, as the framework sees it. */
    bool is_up;
    /** Less was read than was asked for: there is no more now. */
    bool is_drained;
    /** In a call that writes, which may be from anywhere. */
    bool is_writing;
};

/** As messi_client_init(). */
int messi_async_client_init(struct messi_async_client_t *self_p, const struct messi_client_callbacks_t *callbacks_p,
                            const char *uri_p, uint8_t *input_p, size_t input_size, uint8_t *output_p,
                            size_t output_size, struct async_t *async_p);

/** Begins to connect, and keeps on connecting until it is stopped. Calls no callback. */
void messi_async_client_start(struct messi_async_client_t *self_p);

/** Closes. Calls no callback. */
void messi_async_client_stop(struct messi_async_client_t *self_p);

#ifdef __cplusplus
}
#endif

#endif
