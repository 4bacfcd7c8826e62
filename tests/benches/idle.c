/* A destination type that takes every row and does nothing with it. */
#include "entente_destination.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void release(struct entente_buffer *buffer) {
    free(buffer->owner);
    memset(buffer, 0, sizeof *buffer);
}

static int32_t answer(struct entente_buffer *buffer, const char *text) {
    buffer->data = (uint8_t *)strdup(text);
    buffer->len = strlen(text);
    buffer->owner = buffer->data;
    buffer->free = release;
    return ENTENTE_OK;
}

static int32_t describe(struct entente_buffer *buffer) {
    return answer(buffer, "{\"id\":\"idle\",\"name\":\"Idle\",\"summary\":\"Takes rows and does nothing.\",\"version\":\"1\","
                          "\"settings\":{\"type\":\"object\"}}");
}

static int32_t check(struct entente_slice request, struct entente_buffer *buffer) {
    (void)request;
    return answer(buffer, "");
}

static int32_t open_session(struct entente_slice request, struct entente_slice state, void **session,
                            struct entente_buffer *buffer) {
    (void)request;
    (void)state;
    *session = malloc(1);
    return answer(buffer, "");
}

static int32_t write_batch(void *session, uint64_t sequence, struct entente_slice key, struct ArrowArray *array,
                           struct ArrowSchema *schema, struct entente_buffer *state, struct entente_buffer *buffer) {
    (void)session;
    (void)sequence;
    (void)key;
    (void)schema;
    (void)state;
    char text[64];
    snprintf(text, sizeof text, "{\"accepted\":%lld}", (long long)array->length);
    return answer(buffer, text);
}

static int32_t poll_session(void *session, struct entente_buffer *state, struct entente_buffer *buffer) {
    (void)session;
    (void)state;
    return answer(buffer, "{}");
}

static int32_t end(void *session, struct entente_buffer *buffer) {
    (void)session;
    return answer(buffer, "");
}

static const struct entente_destination_table table = {
    ENTENTE_DESTINATION_MAGIC, sizeof(struct entente_destination_table),
    ENTENTE_DESTINATION_VERSION, describe, check, open_session, write_batch, poll_session, end, end, free,
};

const struct entente_destination_table *entente_destination_v1(void) {
    return &table;
}
