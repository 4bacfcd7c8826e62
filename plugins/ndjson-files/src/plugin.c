/*
 * A destination type in C: it writes each delivery as files of newline-delimited JSON into a folder of this machine,
 * below a root that the operator chose.
 *
 * A delivery is a folder `<folder>/<activation>/<generation>/` with one file for each batch (`part-00001.ndjson`) and,
 * once it is complete, `manifest.json`. Files are written aside, synced and renamed, so that whoever sees a name sees
 * the whole file, and a batch that comes again replaces itself.
 */
#include "delivery.h"
#include "folder.h"

#include <stdlib.h>

static json_t *read_request(struct entente_slice request) {
    /* A text with a zero in it is for whoever reads that text to refuse. */
    return json_loadb((const char *)request.data, request.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
}

static entente_status describe(struct entente_buffer *answer) {
    struct failure failure;
    json_t *description =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:b}, s:o}",
                  "id", "ndjson-files",
                  "name", "Newline-delimited JSON files",
                  "summary", "Writes files of newline-delimited JSON, with a manifest, into a folder that the operator"
                             " of this gateway set aside for your account.",
                  "version", "0.1.0",
                  "repeats", "TAKEN_ONCE",
                  "reaches", "folder", 1,
                  "settings", json_loads(settings_schema, 0, NULL));
    return reply(answer, give_json(answer, description, &failure), &failure);
}

static entente_status check(struct entente_slice request, struct entente_buffer *answer) {
    struct failure failure;
    struct settings settings;
    json_t *json = read_request(request);
    const char *root = json_string_value(json_object_get(json_object_get(json, "operator"), "local_root"));
    entente_status status = settings_read(&settings, json_object_get(json, "settings"), &failure);
    if (!status && !root)
        status = fail(&failure, ENTENTE_CONFIG, "the operator of this gateway has set no folder aside");
    if (!status) status = folder_try(root, settings.names, settings.depth, &failure);
    settings_free(&settings);
    json_decref(json);
    return reply(answer, status, &failure);
}

static entente_status open_delivery(struct entente_slice request, struct entente_slice state, entente_session *session,
                                    struct entente_buffer *answer) {
    struct failure failure;
    struct delivery *delivery = malloc(sizeof *delivery);
    if (!delivery) return reply(answer, fail_memory(&failure), &failure);
    /* The gateway closes what is set here, also where it could not be opened. */
    *session = delivery;
    return reply(answer, delivery_open(delivery, read_request(request), state, &failure), &failure);
}

static entente_status write_batch(entente_session session, uint64_t sequence, struct entente_slice key,
                                  struct ArrowArray *array, struct ArrowSchema *schema, struct entente_buffer *state,
                                  struct entente_buffer *answer) {
    struct failure failure;
    struct delivery *delivery = session;
    struct rows rows;
    /* Files are named by the sequence; an endpoint that knows batches by a key of theirs would be given this one. */
    (void)key;
    /* Array and schema are read where they are, and stay the gateway's to release. */
    entente_status status = rows_read(&rows, array, schema, &failure);
    if (status) return reply(answer, status, &failure);
    struct lines lines;
    status = lines_write(&lines, &rows, &delivery->settings, &failure);
    if (!status) status = delivery_write(delivery, sequence, &lines, &failure);
    if (!status) status = give_json(state, delivery_state(delivery), &failure);
    if (!status) {
        json_int_t accepted = lines.added + lines.removed;
        json_t *written = json_pack("{s:I, s:O}", "accepted", accepted, "rejected", lines.rejected);
        status = give_json(answer, written, &failure);
    }
    lines_free(&lines);
    return reply(answer, status, &failure);
}

/* All that there is to know about a batch was known when it was written. */
static entente_status poll_delivery(entente_session session, struct entente_buffer *state,
                                    struct entente_buffer *answer) {
    struct failure failure;
    (void)session;
    (void)state;
    return reply(answer, give_json(answer, json_object(), &failure), &failure);
}

static entente_status finish(entente_session session, struct entente_buffer *answer) {
    struct failure failure;
    return reply(answer, delivery_finish(session, &failure), &failure);
}

/* The files stay; without a manifest they are not a delivery. */
static entente_status abort_delivery(entente_session session, struct entente_buffer *answer) {
    (void)session;
    (void)answer;
    return ENTENTE_OK;
}

static void close_delivery(entente_session session) {
    delivery_close(session);
    free(session);
}

static const struct entente_destination_table table = {
    .magic = ENTENTE_DESTINATION_MAGIC,
    .size = sizeof table,
    .version = ENTENTE_DESTINATION_VERSION,
    .describe = describe,
    .check = check,
    .open = open_delivery,
    .write = write_batch,
    .poll = poll_delivery,
    .finish = finish,
    .abort = abort_delivery,
    .close = close_delivery,
};

/* Everything else is hidden, so that no name of ours meets one of another library. */
__attribute__((visibility("default"))) const struct entente_destination_table *entente_destination_v1(void) {
    return &table;
}
