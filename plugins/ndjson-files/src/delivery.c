#include "delivery.h"
#include "folder.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char manifest_name[] = "manifest.json";

struct part_name {
    char text[40];
};

static struct part_name part_name(uint64_t sequence) {
    struct part_name name;
    snprintf(name.text, sizeof name.text, "part-%05" PRIu64 ".ndjson", sequence);
    return name;
}

/* Whether the text can be the name of a folder: 1 to 100 letters, digits, hyphens and underscores. */
static bool is_id(const char *text) {
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t length = text ? strlen(text) : 0;
    return length >= 1 && length <= 100 && strspn(text, safe) == length;
}

/* Takes up the counts that the state of the last acknowledged batch holds. */
static entente_status go_on(struct delivery *delivery, struct entente_slice state, struct failure *failure) {
    if (delivery->last == 0) return ENTENTE_OK;
    json_t *json = state.len ? json_loadb((const char *)state.data, state.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    int read = json_unpack(json, "{s:I, s:I, s:I !}", "added", &delivery->added, "removed", &delivery->removed,
                           "rejected", &delivery->rejected);
    json_decref(json);
    return json && !read ? ENTENTE_OK : fail(failure, ENTENTE_PERMANENT, "the delivery's state cannot be read");
}

static entente_status open_folder(struct delivery *delivery, const char *activation, const char *generation,
                                  struct failure *failure) {
    const char *names[MAX_DEPTH + 2];
    size_t depth = delivery->settings.depth;
    const char *root = json_string_value(json_object_get(json_object_get(delivery->request, "operator"), "local_root"));
    if (!root) return fail(failure, ENTENTE_CONFIG, "the operator of this gateway has set no folder aside");
    memcpy(names, delivery->settings.names, depth * sizeof *names);
    names[depth] = activation;
    names[depth + 1] = generation;
    return folder_open(&delivery->folder, root, names, depth + 2, failure);
}

entente_status delivery_open(struct delivery *delivery, json_t *request, struct entente_slice state,
                             struct failure *failure) {
    memset(delivery, 0, sizeof *delivery);
    delivery->request = request;
    delivery->folder = -1;
    const char *activation, *generation;
    json_int_t acknowledged;
    if (json_unpack(request, "{s:{s:s, s:s, s:I}}", "delivery", "activation", &activation, "generation", &generation,
                    "acknowledged", &acknowledged) || acknowledged < 0)
        return fail(failure, ENTENTE_PERMANENT, "the request is not readable");
    if (!is_id(activation) || !is_id(generation))
        return fail(failure, ENTENTE_PERMANENT, "the delivery's id cannot be the name of a folder");
    delivery->last = (uint64_t)acknowledged;
    entente_status status = settings_read(&delivery->settings, json_object_get(request, "settings"), failure);
    if (!status) status = go_on(delivery, state, failure);
    if (!status) status = open_folder(delivery, activation, generation, failure);
    return status;
}

/* Whether the delivery is complete. */
static entente_status has_manifest(const struct delivery *delivery, bool *has, struct failure *failure) {
    long long size;
    entente_status status = folder_size(delivery->folder, manifest_name, &size, failure);
    *has = size >= 0;
    return status;
}

entente_status delivery_write(struct delivery *delivery, uint64_t sequence, const struct lines *lines,
                              struct failure *failure) {
    bool complete;
    if (sequence == 0 || sequence > delivery->last + 1)
        return fail(failure, ENTENTE_PERMANENT, "the batches do not come in order");
    entente_status status = has_manifest(delivery, &complete, failure);
    if (status) return status;
    if (complete) return fail(failure, ENTENTE_PERMANENT, "this delivery is already complete");
    status = folder_write(delivery->folder, part_name(sequence).text, lines->bytes, lines->length, failure);
    /* A batch that comes again has the rows that it had, which were counted. */
    if (status || sequence <= delivery->last) return status;
    delivery->last = sequence;
    delivery->added += lines->added;
    delivery->removed += lines->removed;
    delivery->rejected += (json_int_t)json_array_size(lines->rejected);
    return ENTENTE_OK;
}

json_t *delivery_state(const struct delivery *delivery) {
    return json_pack("{s:I, s:I, s:I}", "added", delivery->added, "removed", delivery->removed, "rejected",
                     delivery->rejected);
}

/* Every file of the delivery, in order. The list is given back also where it is not complete. */
static entente_status list_files(const struct delivery *delivery, json_t *files, struct failure *failure) {
    for (uint64_t sequence = 1; sequence <= delivery->last; sequence++) {
        long long size;
        struct part_name name = part_name(sequence);
        entente_status status = folder_size(delivery->folder, name.text, &size, failure);
        if (status) return status;
        if (size < 0) return fail(failure, ENTENTE_PERMANENT, "a file of the delivery is no longer there");
        json_t *file = json_pack("{s:s, s:I}", "name", name.text, "bytes", (json_int_t)size);
        if (json_array_append_new(files, file)) return fail_memory(failure);
    }
    return ENTENTE_OK;
}

/* The content of the manifest. */
static json_t *manifest(const struct delivery *delivery, json_t *files) {
    const json_t *opened = json_object_get(delivery->request, "delivery");
    json_t *manifest = delivery_state(delivery);
    json_object_set(manifest, "activation", json_object_get(opened, "activation"));
    json_object_set(manifest, "name", json_object_get(opened, "name"));
    json_object_set(manifest, "generation", json_object_get(opened, "generation"));
    json_object_set_new(manifest, "identifier_encoding", json_string(encoding_name(delivery->settings.encoding)));
    return json_object_set(manifest, "files", files) ? NULL : manifest;
}

entente_status delivery_finish(struct delivery *delivery, struct failure *failure) {
    bool complete;
    entente_status status = has_manifest(delivery, &complete, failure);
    if (status || complete) return status;
    struct entente_buffer text = {NULL, 0, NULL, NULL};
    json_t *files = json_array();
    status = files ? list_files(delivery, files, failure) : fail_memory(failure);
    if (!status) status = give_json(&text, manifest(delivery, files), failure);
    if (!status) status = folder_write(delivery->folder, manifest_name, (char *)text.data, text.len, failure);
    if (text.free) text.free(&text);
    json_decref(files);
    return status;
}

void delivery_close(struct delivery *delivery) {
    if (delivery->folder >= 0) close(delivery->folder);
    settings_free(&delivery->settings);
    json_decref(delivery->request);
}
