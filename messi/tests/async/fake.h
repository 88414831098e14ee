/* What a test does to the loop and the network that are made up. */

#ifndef FAKE_H
#define FAKE_H

#include <async/modules/stcp_client.h>

/* Lets time pass, with all timeouts in it. */
void fake_pass(struct async_t *self_p, unsigned int milliseconds);

/* An attempt to connect ends. */
void fake_connected(struct async_stcp_client_t *self_p, int res);

/* The server closes. */
void fake_disconnected(struct async_stcp_client_t *self_p);

/* Bytes arrive; nothing is said about them before fake_input(). */
void fake_arrive(struct async_stcp_client_t *self_p, const void *buf_p, size_t size);

/* Says once that bytes have arrived, as the framework does, however much of them is read then. */
void fake_input(struct async_stcp_client_t *self_p);

#endif
