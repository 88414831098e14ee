#include "messi_async.h"

static struct messi_async_client_t *of_stcp(struct async_stcp_client_t *stcp_p)
{
    return (struct messi_async_client_t *)(void *)((char *)stcp_p - offsetof(struct messi_async_client_t, stcp));
}

/* The framework has ended the connection, and the client does not know yet. */
static bool is_cut(const struct messi_async_client_t *self_p)
{
    return messi_client_is_connected(&self_p->client) && !self_p->is_up;
}

static ptrdiff_t client_read(struct messi_connection_t *connection_p, void *buf_p, size_t size)
{
    struct messi_async_client_t *self_p = (struct messi_async_client_t *)connection_p;
    size_t res = async_stcp_client_read(&self_p->stcp, buf_p, size);

    self_p->is_drained = (self_p->is_up && res < size);

    return res > 0 || self_p->is_up ? (ptrdiff_t)res : -1;
}

static ptrdiff_t client_write(struct messi_connection_t *connection_p, const void *buf_p, size_t size)
{
    struct messi_async_client_t *self_p = (struct messi_async_client_t *)connection_p;

    if (!self_p->is_up) {
        return -1;
    }

    /* Takes all. What becomes of it is told by on_disconnected(). */
    self_p->is_writing = true;
    async_stcp_client_write(&self_p->stcp, buf_p, size);
    self_p->is_writing = false;

    return (ptrdiff_t)size;
}

static int client_watch(struct messi_connection_t *connection_p, bool input, bool output)
{
    (void)connection_p;
    (void)input;
    (void)output;

    return 0;
}

static void client_close(struct messi_connection_t *connection_p)
{
    struct messi_async_client_t *self_p = (struct messi_async_client_t *)connection_p;

    if (self_p->is_up) {
        self_p->is_up = false;
        async_stcp_client_disconnect(&self_p->stcp);
    }
}

static int client_connect(struct messi_client_t *client_p, bool is_first)
{
    struct messi_async_client_t *self_p = (struct messi_async_client_t *)client_p;

    /* The framework knows what other addresses there are. */
    if (!is_first) {
        return -1;
    }

    self_p->is_up = true;
    async_stcp_client_connect(&self_p->stcp, &client_p->host[0], client_p->port);

    return 0;
}

static void client_set_timer(struct messi_client_t *client_p, uint32_t milliseconds)
{
    struct messi_async_client_t *self_p = (struct messi_async_client_t *)client_p;

    async_timer_stop(&self_p->timer);

    if (milliseconds > 0) {
        /* An end that nobody was told of goes first. */
        async_timer_set_initial(&self_p->timer, is_cut(self_p) ? 1 : milliseconds);
        async_timer_start(&self_p->timer);
    }
}

static const struct messi_client_platform_t platform = {
    { client_read, client_write, client_watch, client_close },
    client_connect,
    client_set_timer
};

static void on_connected(struct async_stcp_client_t *stcp_p, int res)
{
    struct messi_async_client_t *self_p = of_stcp(stcp_p);

    /* News of an attempt that was given up. */
    if (!self_p->is_up) {
        return;
    }

    messi_client_enter(&self_p->client);

    if (res == 0) {
        messi_client_connected(&self_p->client);
    } else {
        self_p->is_up = false;
        messi_client_connect_failed(&self_p->client);
    }

    messi_client_leave(&self_p->client);
}

/*
 * All that there is now: of what is left nobody would tell again. Leaving writes what was sent meanwhile, so that
 * nothing stays unread for that.
 */
static void read_all(struct messi_async_client_t *self_p)
{
    struct messi_connection_t *connection_p = &self_p->client.connection;
    uint32_t life = connection_p->life;

    self_p->is_drained = false;

    while (connection_p->life == life && (!self_p->is_drained || connection_p->is_stalled)) {
        messi_client_enter(&self_p->client);
        messi_client_input(&self_p->client);
        messi_client_leave(&self_p->client);
    }
}

static void on_disconnected(struct async_stcp_client_t *stcp_p)
{
    struct messi_async_client_t *self_p = of_stcp(stcp_p);

    /* Of an attempt to connect on_connected() tells. */
    if (!self_p->is_up || !messi_client_is_connected(&self_p->client)) {
        return;
    }

    self_p->is_up = false;

    if (self_p->is_writing) {
        client_set_timer(&self_p->client, 1);
    } else {
        read_all(self_p);
    }
}

static void on_input(struct async_stcp_client_t *stcp_p)
{
    struct messi_async_client_t *self_p = of_stcp(stcp_p);

    if (messi_client_is_connected(&self_p->client)) {
        read_all(self_p);
    }
}

static void on_timeout(void *obj_p)
{
    struct messi_async_client_t *self_p = (struct messi_async_client_t *)obj_p;

    if (is_cut(self_p)) {
        read_all(self_p);
    } else {
        messi_client_enter(&self_p->client);
        messi_client_timeout(&self_p->client);
        messi_client_leave(&self_p->client);
    }
}

int messi_async_client_init(struct messi_async_client_t *self_p, const struct messi_client_callbacks_t *callbacks_p,
                            const char *uri_p, uint8_t *input_p, size_t input_size, uint8_t *output_p,
                            size_t output_size, struct async_t *async_p)
{
    if (messi_client_init(&self_p->client, &platform, callbacks_p, uri_p, input_p, input_size, output_p, output_size)
        != 0) {
        return -1;
    }

    self_p->is_up = false;
    self_p->is_drained = false;
    self_p->is_writing = false;
    /* Not the same at two clients of one device. */
    messi_client_set_seed(&self_p->client, (uint32_t)((uintptr_t)self_p >> 2));
    async_stcp_client_init(&self_p->stcp, NULL, on_connected, on_disconnected, on_input, async_p);
    async_timer_init(&self_p->timer, on_timeout, self_p, 0, 0, async_p);

    return 0;
}

void messi_async_client_start(struct messi_async_client_t *self_p)
{
    messi_client_start(&self_p->client);
}

void messi_async_client_stop(struct messi_async_client_t *self_p)
{
    messi_client_stop(&self_p->client);
}
