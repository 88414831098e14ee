/* The bank's clients, alice and bob: `client PORT`. See tests/interop/README.md. */

#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif

#include <sys/epoll.h>
#include <unistd.h>

#include "bank.h"
#include "bank_client.h"

#define IDLE_S 5.5
#define JOINS_MAX 8
#define SHOUT "hello \xc3\xa5\xc3\xa4\xc3\xb6"

/* A client and all that it has heard. */
struct customer_t {
    struct bank_client_t client;
    const char *name_p;
    uint8_t input[TO_CLIENT_MAX];
    uint8_t output[TO_SERVER_MAX];
    int connected;
    int disconnected;
    enum messi_disconnect_reason_t reason;
    uint32_t id;
    int joins;
    struct {
        uint32_t id;
        char owner[16];
    } join[JOINS_MAX];
    int statements;
    int uploads;
    int downloads;
    int audits;
    int shouts;
    int nops;
    int kicks;
    int closes;
};

static struct customer_t alice = { .name_p = "alice" };
static struct customer_t bob = { .name_p = "bob" };
static uint8_t blob[DOWNLOAD_SIZE];
static uint8_t token[32];

static struct customer_t *customer_of(struct bank_client_t *self_p)
{
    return self_p == &alice.client ? &alice : &bob;
}

static void on_connected(struct bank_client_t *self_p)
{
    static int64_t limits[] = { -5, 0, 7, 1000000000000 };
    struct customer_t *customer_p = customer_of(self_p);
    struct bank_open_req_t *req_p = bank_client_init_open_req(self_p);
    size_t i;

    for (i = 0; i < sizeof(token); i++) {
        token[i] = (uint8_t)(7 * i);
    }

    customer_p->connected++;
    customer_p->id = 0;
    req_p->owner = customer_p->name_p;
    req_p->has_address = true;
    req_p->address.street = "Main Street 1";
    req_p->address.city = "G\xc3\xb6teborg";
    req_p->address.zip = 41101;
    req_p->token.buf_p = token;
    req_p->token.size = sizeof(token);
    req_p->limits = limits;
    req_p->limits_count = 4;
    req_p->kind = (customer_p == &alice ? bank_account_kind_savings_e : bank_account_kind_checking_e);
    req_p->premium = (customer_p == &alice);
    req_p->rate = 0.125;
    bank_client_send(self_p);
}

static void on_disconnected(struct bank_client_t *self_p, enum messi_disconnect_reason_t reason)
{
    customer_of(self_p)->disconnected++;
    customer_of(self_p)->reason = reason;
    fprintf(stderr, "%s: %s\n", customer_of(self_p)->name_p, messi_disconnect_reason_string(reason));
}

static void on_open_rsp(struct bank_client_t *self_p, struct bank_open_rsp_t *rsp_p)
{
    struct customer_t *customer_p = customer_of(self_p);

    customer_p->id = rsp_p->account_id;
    EXPECT(strcmp(rsp_p->owner, customer_p->name_p) == 0);
    EXPECT(strcmp(rsp_p->address.street, "Main Street 1") == 0);
    EXPECT(strcmp(rsp_p->address.city, "G\xc3\xb6teborg") == 0);
    EXPECT(rsp_p->address.zip == 41101);
    EXPECT(rsp_p->token_fnv == fnv(token, sizeof(token)));
    EXPECT(rsp_p->limits_total == 1000000000002);
    EXPECT(rsp_p->kind == (customer_p == &alice ? bank_account_kind_savings_e : bank_account_kind_checking_e));
    EXPECT(rsp_p->premium == (customer_p == &alice));
    EXPECT(rsp_p->rate == 0.125);
}

static void on_join_ind(struct bank_client_t *self_p, struct bank_join_ind_t *ind_p)
{
    struct customer_t *customer_p = customer_of(self_p);

    EXPECT(customer_p->joins < JOINS_MAX);

    if (customer_p->joins < JOINS_MAX) {
        customer_p->join[customer_p->joins].id = ind_p->account_id;
        snprintf(customer_p->join[customer_p->joins].owner, sizeof(customer_p->join[0].owner), "%s", ind_p->owner);
        customer_p->joins++;
    }
}

static bool has_heard_of(const struct customer_t *customer_p, int join, uint32_t id, const char *owner_p)
{
    return customer_p->join[join].id == id && strcmp(customer_p->join[join].owner, owner_p) == 0;
}

static void on_statement_rsp(struct bank_client_t *self_p, struct bank_statement_rsp_t *rsp_p)
{
    char memo[16];
    uint32_t i;

    customer_of(self_p)->statements++;
    EXPECT(rsp_p->account_id == 1);
    EXPECT(rsp_p->balance == 4950);
    EXPECT(rsp_p->in_order);
    EXPECT(rsp_p->entries_count == 5);

    for (i = 0; i < rsp_p->entries_count && problem[0] == '\0'; i++) {
        snprintf(memo, sizeof(memo), "d%u", (unsigned)(96 + i));
        EXPECT(rsp_p->entries[i].seq == 96 + i);
        EXPECT(rsp_p->entries[i].amount == (i == 4 ? 0 : 96 + (int64_t)i));
        EXPECT(strcmp(rsp_p->entries[i].memo, memo) == 0);
    }
}

static void on_upload_rsp(struct bank_client_t *self_p, struct bank_upload_rsp_t *rsp_p)
{
    customer_of(self_p)->uploads++;
    EXPECT(rsp_p->size == UPLOAD_SIZE);
    EXPECT(rsp_p->fnv == fnv(blob, UPLOAD_SIZE));
}

static void on_download_rsp(struct bank_client_t *self_p, struct bank_download_rsp_t *rsp_p)
{
    customer_of(self_p)->downloads++;
    fill(blob, DOWNLOAD_SIZE, DOWNLOAD_SEED);
    EXPECT(rsp_p->data.size == DOWNLOAD_SIZE);
    EXPECT(problem[0] != '\0' || memcmp(rsp_p->data.buf_p, blob, DOWNLOAD_SIZE) == 0);
}

static void on_audit_req(struct bank_client_t *self_p, struct bank_audit_req_t *req_p)
{
    struct bank_audit_rsp_t *rsp_p = bank_client_init_audit_rsp(self_p);
    char text[64];

    EXPECT(strlen(req_p->text) < sizeof(text));

    if (problem[0] == '\0') {
        reverse(text, req_p->text);
        rsp_p->id = req_p->id;
        rsp_p->text = text;
        bank_client_send(self_p);
    }
}

static void on_audit_done_ind(struct bank_client_t *self_p, struct bank_audit_done_ind_t *ind_p)
{
    customer_of(self_p)->audits++;
    EXPECT(ind_p->correct == AUDITS);
}

static void on_shout_ind(struct bank_client_t *self_p, struct bank_shout_ind_t *ind_p)
{
    customer_of(self_p)->shouts++;
    EXPECT(ind_p->account_id == 2);
    EXPECT(strcmp(ind_p->text, SHOUT) == 0);
}

static void on_nop_rsp(struct bank_client_t *self_p, struct bank_nop_rsp_t *rsp_p)
{
    (void)rsp_p;
    customer_of(self_p)->nops++;
}

static void on_kick_rsp(struct bank_client_t *self_p, struct bank_kick_rsp_t *rsp_p)
{
    (void)rsp_p;
    customer_of(self_p)->kicks++;
}

static void on_close_rsp(struct bank_client_t *self_p, struct bank_close_rsp_t *rsp_p)
{
    customer_of(self_p)->closes++;
    EXPECT(rsp_p->opens == 3);
    EXPECT(rsp_p->deposits == DEPOSITS);
    EXPECT(rsp_p->shouts == 1);
    EXPECT(rsp_p->kicks == 1);
}

static void init(struct customer_t *customer_p, const char *uri_p, int epoll_fd)
{
    /* What is received comes from malloc here; the server has a workspace. */
    int res = bank_client_init(&customer_p->client, uri_p, customer_p->input, sizeof(customer_p->input), NULL, 0,
                              customer_p->output, sizeof(customer_p->output), NULL, 0, on_connected, on_disconnected,
                              on_open_rsp, on_join_ind, on_statement_rsp, on_upload_rsp, on_download_rsp, on_audit_req,
                              on_audit_done_ind, on_shout_ind, on_nop_rsp, on_kick_rsp, on_close_rsp, epoll_fd, NULL);
    EXPECT(res == 0);
    EXPECT(messi_client_set_wire(&customer_p->client.platform.client, wire()) == 0);
}

static void deposit_all(void)
{
    char memo[16];
    uint32_t i;

    for (i = 1; i <= DEPOSITS; i++) {
        struct bank_deposit_ind_t *ind_p = bank_client_init_deposit_ind(&alice.client);

        snprintf(memo, sizeof(memo), "d%u", (unsigned)i);
        ind_p->seq = i;
        ind_p->amount = (i == DEPOSITS ? 0 : i);
        ind_p->memo = memo;
        bank_client_send(&alice.client);
    }

    bank_client_init_statement_req(&alice.client)->last = 5;
    bank_client_send(&alice.client);
}

static void upload(void)
{
    struct bank_upload_req_t *req_p = bank_client_init_upload_req(&alice.client);

    fill(blob, UPLOAD_SIZE, UPLOAD_SEED);
    req_p->data.buf_p = blob;
    req_p->data.size = UPLOAD_SIZE;
    bank_client_send(&alice.client);
}

static void download(void)
{
    struct bank_download_req_t *req_p = bank_client_init_download_req(&alice.client);

    req_p->size = DOWNLOAD_SIZE;
    req_p->seed = DOWNLOAD_SEED;
    bank_client_send(&alice.client);
}

static void nop(struct customer_t *customer_p)
{
    bank_client_init_nop_req(&customer_p->client);
    bank_client_send(&customer_p->client);
}

/* Goes to the next step if this one is done. Returns whether all are. */
static bool advance(void)
{
    static int step;
    static double step_s;
    bool is_done = true;

    switch (step) {
    case 0:
        bank_client_start(&alice.client);
        break;
    case 1:
        is_done = (alice.id != 0 && alice.joins == 1);

        if (is_done) {
            EXPECT(alice.id == 1);
            EXPECT(has_heard_of(&alice, 0, 1, "alice"));
            bank_client_start(&bob.client);
        }
        break;
    case 2:
        is_done = (bob.id != 0 && bob.joins == 1 && alice.joins == 2);

        if (is_done) {
            EXPECT(bob.id == 2);
            EXPECT(has_heard_of(&bob, 0, 2, "bob"));
            EXPECT(has_heard_of(&alice, 1, 2, "bob"));
            deposit_all();
        }
        break;
    case 3:
        is_done = (alice.statements == 1);

        if (is_done) {
            upload();
        }
        break;
    case 4:
        is_done = (alice.uploads == 1);

        if (is_done) {
            download();
        }
        break;
    case 5:
        is_done = (alice.downloads == 1);

        if (is_done) {
            bank_client_init_audit_start_req(&alice.client)->count = AUDITS;
            bank_client_send(&alice.client);
        }
        break;
    case 6:
        is_done = (alice.audits == 1);

        if (is_done) {
            bank_client_init_shout_req(&bob.client)->text = SHOUT;
            bank_client_send(&bob.client);
        }
        break;
    case 7:
        is_done = (alice.shouts == 1 && bob.shouts == 1);

        if (is_done) {
            nop(&alice);
        }
        break;
    case 8:
        is_done = (alice.nops == 1);
        break;
    case 9:
        is_done = (now_s() - step_s > IDLE_S);

        if (is_done) {
            EXPECT(alice.disconnected + bob.disconnected == 0);
            nop(&alice);
            nop(&bob);
        }
        break;
    case 10:
        is_done = (alice.nops == 2 && bob.nops == 1);

        if (is_done) {
            bank_client_init_kick_req(&bob.client);
            bank_client_send(&bob.client);
        }
        break;
    case 11:
        is_done = (bob.connected == 2 && bob.id != 0 && bob.joins == 2 && alice.joins == 3);

        if (is_done) {
            EXPECT(bob.kicks == 1);
            EXPECT(bob.disconnected == 1);
            EXPECT(bob.reason == messi_disconnect_reason_connection_closed_t);
            EXPECT(bob.id == 3);
            EXPECT(has_heard_of(&bob, 1, 3, "bob"));
            EXPECT(has_heard_of(&alice, 2, 3, "bob"));
            bank_client_init_close_req(&alice.client);
            bank_client_send(&alice.client);
        }
        break;
    default:
        if (alice.closes == 1) {
            EXPECT(alice.disconnected == 0);

            return true;
        }

        is_done = false;
        break;
    }

    if (is_done) {
        step++;
        step_s = now_s();
    }

    return false;
}

int main(int argc, const char *argv[])
{
    struct epoll_event events[4];
    char uri[64];
    double begin_s = now_s();
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int count;
    int i;

    if (argc != 2 || epoll_fd < 0) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);

        return 2;
    }

    snprintf(uri, sizeof(uri), "tcp://127.0.0.1:%s", argv[1]);
    init(&alice, uri, epoll_fd);
    init(&bob, uri, epoll_fd);

    while (problem[0] == '\0' && !advance()) {
        count = epoll_wait(epoll_fd, events, 4, 20);

        for (i = 0; i < count; i++) {
            bank_client_process(&alice.client, events[i].data.fd, events[i].events);
            bank_client_process(&bob.client, events[i].data.fd, events[i].events);
        }

        EXPECT(now_s() - begin_s < 28.0);
    }

    bank_client_stop(&alice.client);
    bank_client_stop(&bob.client);
    close(epoll_fd);

    return verdict("bank client in C");
}
