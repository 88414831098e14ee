/* The least that a device with a client does: sends readings, and takes commands. */

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "sensor_client.h"

static struct sensor_client_t client;
static uint8_t encoded_in[128];
static uint8_t workspace_in[256];
static uint8_t encoded_out[128];
static uint8_t workspace_out[256];
static volatile bool is_on;

static void on_connected(struct sensor_client_t *self_p)
{
    struct sensor_reading_t *reading_p = sensor_client_init_reading(self_p);

    reading_p->sensor = 1;
    reading_p->value = -40;
#ifdef MESSI_OWN
    reading_p->unit_p = "degrees";
#else
    strcpy(reading_p->unit, "degrees");
#endif
    sensor_client_send(self_p);
}

static void on_disconnected(struct sensor_client_t *self_p, enum messi_disconnect_reason_t reason)
{
    (void)self_p;
    is_on = (reason == messi_disconnect_reason_general_error_t);
}

static void on_command(struct sensor_client_t *self_p, struct sensor_command_t *command_p)
{
    (void)self_p;
    is_on = command_p->on;
}

int main(int argc, const char *argv[])
{
    struct epoll_event event;
    int epoll_fd = epoll_create1(0);

    (void)argc;

    if (sensor_client_init(&client, argv[1], encoded_in, sizeof(encoded_in), workspace_in, sizeof(workspace_in),
                           encoded_out, sizeof(encoded_out), workspace_out, sizeof(workspace_out), on_connected,
                           on_disconnected, on_command, epoll_fd, NULL)
        != 0) {
        return 1;
    }

    sensor_client_start(&client);

    while (epoll_wait(epoll_fd, &event, 1, -1) == 1) {
        sensor_client_process(&client, event.data.fd, event.events);
    }

    return 0;
}
