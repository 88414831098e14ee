/* The bank's server: `server PORT`. See tests/interop/README.md. */

#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif

#include <sys/epoll.h>
#include <unistd.h>

#include "bank.h"
#include "bank_server.h"

#define CLIENTS_MAX 3
#define ENTRIES_MAX 16u

/* What the server knows of each connection. */
struct account_t {
    uint32_t id;
    int64_t balance;
    uint32_t deposits;
    bool in_order;
    struct {
        uint32_t seq;
        int64_t amount;
        char memo[16];
    } entries[ENTRIES_MAX];
    uint32_t audits;
    uint32_t audit;
    uint32_t right_answers;
};

static struct bank_server_t server;
static struct bank_server_client_t clients[CLIENTS_MAX];
static struct account_t accounts[CLIENTS_MAX];
static uint8_t input_bufs[CLIENTS_MAX][TO_SERVER_MAX];
static uint8_t message_buf[TO_CLIENT_MAX];
static uint8_t workspace_in[TO_SERVER_MAX * 4];
static uint8_t workspace_out[4096];
static uint8_t blob[DOWNLOAD_SIZE];

static struct {
    uint32_t connections;
    uint32_t disconnections;
    uint32_t opens;
    uint32_t deposits;
    uint32_t uploads;
    uint32_t downloads;
    uint32_t right_answers;
    uint32_t shouts;
    uint32_t nops;
    uint32_t kicks;
} totals;

static uint32_t next_id = 1;
static double closed_at_s;

static struct account_t *account_of(struct bank_server_client_t *client_p)
{
    return &accounts[client_p - &clients[0]];
}

static void on_client_connected(struct bank_server_t *self_p, struct bank_server_client_t *client_p)
{
    (void)self_p;
    memset(account_of(client_p), 0, sizeof(struct account_t));
    account_of(client_p)->in_order = true;
    totals.connections++;
}

static void on_client_disconnected(struct bank_server_t *self_p, struct bank_server_client_t *client_p)
{
    fprintf(stderr, "client %u: %s\n", (unsigned)account_of(client_p)->id,
            messi_disconnect_reason_string(bank_server_disconnect_reason(self_p, client_p)));
    totals.disconnections++;
}

static void on_open_req(struct bank_server_t *self_p, struct bank_server_client_t *client_p,
                        struct bank_open_req_t *req_p)
{
    struct account_t *account_p = account_of(client_p);
    struct bank_open_rsp_t *rsp_p = bank_server_init_open_rsp(self_p);
    struct bank_join_ind_t *ind_p;
    size_t i;

    account_p->id = next_id++;
    totals.opens++;
    rsp_p->account_id = account_p->id;
    rsp_p->owner = req_p->owner;
    rsp_p->has_address = req_p->has_address;
    rsp_p->address = req_p->address;
    rsp_p->token_fnv = fnv(req_p->token.buf_p, req_p->token.size);

    for (i = 0; i < req_p->limits_count; i++) {
        rsp_p->limits_total += req_p->limits[i];
    }

    rsp_p->kind = req_p->kind;
    rsp_p->premium = req_p->premium;
    rsp_p->rate = req_p->rate;
    bank_server_reply(self_p);

    ind_p = bank_server_init_join_ind(self_p);
    ind_p->account_id = account_p->id;
    ind_p->owner = req_p->owner;
    bank_server_broadcast(self_p);
}

static void on_deposit_ind(struct bank_server_t *self_p, struct bank_server_client_t *client_p,
                           struct bank_deposit_ind_t *ind_p)
{
    struct account_t *account_p = account_of(client_p);
    uint32_t at = account_p->deposits % ENTRIES_MAX;

    (void)self_p;
    totals.deposits++;
    account_p->deposits++;
    account_p->in_order = account_p->in_order && ind_p->seq == account_p->deposits;
    account_p->balance += ind_p->amount;
    account_p->entries[at].seq = ind_p->seq;
    account_p->entries[at].amount = ind_p->amount;
    snprintf(account_p->entries[at].memo, sizeof(account_p->entries[at].memo), "%s", ind_p->memo);
}

static void on_statement_req(struct bank_server_t *self_p, struct bank_server_client_t *client_p,
                             struct bank_statement_req_t *req_p)
{
    struct account_t *account_p = account_of(client_p);
    struct bank_statement_rsp_t *rsp_p = bank_server_init_statement_rsp(self_p);
    uint32_t count = (req_p->last < account_p->deposits ? req_p->last : account_p->deposits);
    uint32_t i;

    count = (count < ENTRIES_MAX ? count : ENTRIES_MAX);
    rsp_p->account_id = account_p->id;
    rsp_p->balance = account_p->balance;
    rsp_p->in_order = account_p->in_order;
    rsp_p->entries_count = count;
    rsp_p->entries = (struct bank_entry_t *)bank_server_alloc(self_p, count * sizeof(*rsp_p->entries));
    EXPECT(rsp_p->entries != NULL);

    for (i = 0; i < count && rsp_p->entries != NULL; i++) {
        uint32_t at = (account_p->deposits - count + i) % ENTRIES_MAX;

        rsp_p->entries[i].seq = account_p->entries[at].seq;
        rsp_p->entries[i].amount = account_p->entries[at].amount;
        rsp_p->entries[i].memo = account_p->entries[at].memo;
    }

    bank_server_reply(self_p);
}

static void on_upload_req(struct bank_server_t *self_p, struct bank_server_client_t *client_p,
                          struct bank_upload_req_t *req_p)
{
    struct bank_upload_rsp_t *rsp_p = bank_server_init_upload_rsp(self_p);

    (void)client_p;
    totals.uploads++;
    rsp_p->size = (uint32_t)req_p->data.size;
    rsp_p->fnv = fnv(req_p->data.buf_p, req_p->data.size);
    bank_server_reply(self_p);
}

static void on_download_req(struct bank_server_t *self_p, struct bank_server_client_t *client_p,
                            struct bank_download_req_t *req_p)
{
    struct bank_download_rsp_t *rsp_p = bank_server_init_download_rsp(self_p);

    (void)client_p;
    totals.downloads++;
    rsp_p->data.size = (req_p->size < DOWNLOAD_SIZE ? req_p->size : DOWNLOAD_SIZE);
    rsp_p->data.buf_p = blob;
    fill(blob, rsp_p->data.size, req_p->seed);
    bank_server_reply(self_p);
}

/* The next question, or the result. */
static void audit(struct bank_server_t *self_p, struct bank_server_client_t *client_p)
{
    struct account_t *account_p = account_of(client_p);
    char text[32];

    account_p->audit++;

    if (account_p->audit <= account_p->audits) {
        struct bank_audit_req_t *req_p = bank_server_init_audit_req(self_p);

        snprintf(text, sizeof(text), "audit-%u", (unsigned)account_p->audit);
        req_p->id = account_p->audit;
        req_p->text = text;
    } else {
        bank_server_init_audit_done_ind(self_p)->correct = account_p->right_answers;
    }

    bank_server_send(self_p, client_p);
}

static void on_audit_start_req(struct bank_server_t *self_p, struct bank_server_client_t *client_p,
                               struct bank_audit_start_req_t *req_p)
{
    account_of(client_p)->audits = req_p->count;
    account_of(client_p)->audit = 0;
    account_of(client_p)->right_answers = 0;
    audit(self_p, client_p);
}

static void on_audit_rsp(struct bank_server_t *self_p, struct bank_server_client_t *client_p,
                         struct bank_audit_rsp_t *rsp_p)
{
    struct account_t *account_p = account_of(client_p);
    char asked[32];
    char text[32];

    snprintf(asked, sizeof(asked), "audit-%u", (unsigned)account_p->audit);
    reverse(text, asked);

    if (rsp_p->id == account_p->audit && strcmp(rsp_p->text, text) == 0) {
        account_p->right_answers++;
        totals.right_answers++;
    }

    audit(self_p, client_p);
}

static void on_shout_req(struct bank_server_t *self_p, struct bank_server_client_t *client_p,
                         struct bank_shout_req_t *req_p)
{
    struct bank_shout_ind_t *ind_p = bank_server_init_shout_ind(self_p);

    totals.shouts++;
    ind_p->account_id = account_of(client_p)->id;
    ind_p->text = req_p->text;
    bank_server_broadcast(self_p);
}

static void on_nop_req(struct bank_server_t *self_p, struct bank_server_client_t *client_p,
                       struct bank_nop_req_t *req_p)
{
    (void)client_p;
    (void)req_p;
    totals.nops++;
    bank_server_init_nop_rsp(self_p);
    bank_server_reply(self_p);
}

static void on_kick_req(struct bank_server_t *self_p, struct bank_server_client_t *client_p,
                        struct bank_kick_req_t *req_p)
{
    (void)client_p;
    (void)req_p;
    totals.kicks++;
    bank_server_init_kick_rsp(self_p);
    bank_server_reply(self_p);
    bank_server_disconnect(self_p, NULL);
}

static void on_close_req(struct bank_server_t *self_p, struct bank_server_client_t *client_p,
                         struct bank_close_req_t *req_p)
{
    struct bank_close_rsp_t *rsp_p = bank_server_init_close_rsp(self_p);

    (void)client_p;
    (void)req_p;
    rsp_p->opens = totals.opens;
    rsp_p->deposits = totals.deposits;
    rsp_p->shouts = totals.shouts;
    rsp_p->kicks = totals.kicks;
    bank_server_reply(self_p);
    closed_at_s = now_s();
}

static void serve(int epoll_fd)
{
    struct epoll_event events[4];
    double begin_s = now_s();
    int count;
    int i;

    while (problem[0] == '\0' && (closed_at_s == 0.0 || totals.connections != totals.disconnections)) {
        count = epoll_wait(epoll_fd, events, 4, 50);

        for (i = 0; i < count; i++) {
            bank_server_process(&server, events[i].data.fd, events[i].events);
        }

        EXPECT(now_s() - begin_s < 28.0);
        EXPECT(closed_at_s == 0.0 || now_s() - closed_at_s < 4.0);
    }
}

int main(int argc, const char *argv[])
{
    char uri[64];
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int res;

    if (argc != 2 || epoll_fd < 0) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);

        return 2;
    }

    snprintf(uri, sizeof(uri), "tcp://127.0.0.1:%s", argv[1]);
    res = bank_server_init(&server, uri, clients, CLIENTS_MAX, &input_bufs[0][0], sizeof(input_bufs[0]), message_buf,
                          sizeof(message_buf), workspace_in, sizeof(workspace_in), workspace_out,
                          sizeof(workspace_out), on_client_connected, on_client_disconnected, on_open_req,
                          on_deposit_ind, on_statement_req, on_upload_req, on_download_req, on_audit_start_req,
                          on_audit_rsp, on_shout_req, on_nop_req, on_kick_req, on_close_req, epoll_fd, NULL);
    EXPECT(res == 0);
    EXPECT(messi_server_set_wire(&server.platform.server, wire()) == 0);

    if (problem[0] == '\0') {
        EXPECT(bank_server_start(&server) == 0);
    }

    if (problem[0] == '\0') {
        printf("READY %d\n", messi_linux_server_port(&server.platform));
        fflush(stdout);
        serve(epoll_fd);
        bank_server_stop(&server);
    }

    EXPECT(totals.connections == 3);
    EXPECT(totals.disconnections == 3);
    EXPECT(totals.opens == 3);
    EXPECT(totals.deposits == DEPOSITS);
    EXPECT(totals.uploads == 1);
    EXPECT(totals.downloads == 1);
    EXPECT(totals.right_answers == AUDITS);
    EXPECT(totals.shouts == 1);
    EXPECT(totals.nops == 3);
    EXPECT(totals.kicks == 1);
    close(epoll_fd);

    return verdict("bank server in C");
}
