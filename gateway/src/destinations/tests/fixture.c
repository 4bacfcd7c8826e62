/*
 * A destination type in C, for tests of the worker: it keeps every batch in a file named by the batch's key, and
 * misbehaves as its setting `mode` asks. What it does once it marks by a file.
 */
#include "entente_destination.h"
#include "connection.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef VERSION
#define VERSION "1.0"
#endif
#ifndef REACHES
#define REACHES "{\"folder\":true,\"hosts\":[\"*\"]}"
#endif

extern char **environ;

struct session {
    char mode[64];
    char root[512];
    unsigned long acknowledged;
    int polled;
};

static void give(struct entente_buffer *buffer, const char *text) {
    buffer->data = (uint8_t *)strdup(text);
    buffer->len = strlen(text);
    buffer->owner = buffer->data;
    buffer->free = NULL;
}

static void release(struct entente_buffer *buffer) {
    free(buffer->owner);
    memset(buffer, 0, sizeof *buffer);
}

static int32_t answer(struct entente_buffer *buffer, int32_t status, const char *text) {
    give(buffer, text);
    buffer->free = release;
    return status;
}

/* The text after `"name":"` up to the next quote; the tests' values need no more. */
static void field(struct entente_slice json, const char *name, char *value, size_t size) {
    char *text = calloc(json.len + 1, 1), pattern[64];
    memcpy(text, json.data, json.len);
    snprintf(pattern, sizeof pattern, "\"%s\":\"", name);
    char *start = strstr(text, pattern);
    value[0] = 0;
    if (start) {
        start += strlen(pattern);
        snprintf(value, size, "%.*s", (int)strcspn(start, "\""), start);
    }
    free(text);
}

static unsigned long number(struct entente_slice json, const char *name) {
    char *text = calloc(json.len + 1, 1), pattern[64];
    memcpy(text, json.data, json.len);
    snprintf(pattern, sizeof pattern, "\"%s\":", name);
    char *start = strstr(text, pattern);
    unsigned long value = start ? strtoul(start + strlen(pattern), NULL, 10) : 0;
    free(text);
    return value;
}

/* Whether this happens for the first time in this root. */
static int first_time(const struct session *session, const char *what, uint64_t sequence) {
    char path[700];
    snprintf(path, sizeof path, "%s/.%s-%lu", session->root, what, (unsigned long)sequence);
    int file = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (file < 0) return 0;
    close(file);
    return 1;
}

static int32_t describe(struct entente_buffer *buffer) {
    return answer(buffer, ENTENTE_OK,
                  "{\"id\":\"fixture\",\"name\":\"Fixture\",\"summary\":\"For tests.\",\"version\":\"" VERSION "\","
                  "\"reaches\":" REACHES ",\"settings\":{\"type\":\"object\"}}");
}

static int count_open_files(void) {
    int count = 0;
    for (int fd = 3; fd < 1024; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static int32_t check(struct entente_slice request, struct entente_buffer *buffer) {
    char mode[64], message[256];
    field(request, "mode", mode, sizeof mode);
    if (!strcmp(mode, "hang")) for (;;) pause();
    if (!strcmp(mode, "exit")) exit(3);
    if (!strcmp(mode, "segfault")) {
        int *volatile nowhere = NULL;
        *nowhere = 1;
    }
    if (!strcmp(mode, "not json")) return answer(buffer, ENTENTE_CONFIG, "oops");
    if (!strcmp(mode, "unknown status")) return answer(buffer, 99, "{\"message\":\"x\"}");
    if (!strcmp(mode, "panicked")) return ENTENTE_PANICKED;
    if (!strcmp(mode, "auth")) return answer(buffer, ENTENTE_AUTH, "{\"message\":\"wrong token\"}");
    if (!strcmp(mode, "huge")) {
        give(buffer, "x");
        buffer->len = (size_t)1 << 40;
        return ENTENTE_OK;
    }
    if (!strcmp(mode, "report")) {
        char byte;
        int variables = 0;
        while (environ[variables]) variables++;
        printf("{\"this\":\"is not for the gateway\"}\n");
        fflush(stdout);
        fprintf(stderr, "printed\n");
        snprintf(message, sizeof message, "{\"message\":\"variables %d, files %d, stdin %d\"}", variables,
                 count_open_files(), (int)read(0, &byte, 1));
        return answer(buffer, ENTENTE_CONFIG, message);
    }
    if (!strcmp(mode, "reaches")) {
        char root[512] = "";
        field(request, "local_root", root, sizeof root);
        int files = access(root, R_OK | W_OK) == 0 && open(root, O_RDONLY | O_DIRECTORY) >= 0;
        char refused[64];
        connect_to(member(request.data, request.len, "connector"), "127.0.0.1", 443, refused, sizeof refused);
        snprintf(message, sizeof message, "{\"message\":\"a folder %d, its files %d, this machine: %s\"}", root[0] != 0,
                 files, refused);
        return answer(buffer, ENTENTE_CONFIG, message);
    }
    return answer(buffer, ENTENTE_OK, "");
}

static int32_t open_session(struct entente_slice request, struct entente_slice state, void **opened,
                            struct entente_buffer *buffer) {
    struct session *session = calloc(1, sizeof *session);
    field(request, "mode", session->mode, sizeof session->mode);
    field(request, "local_root", session->root, sizeof session->root);
    session->acknowledged = number(request, "acknowledged");
    char text[32] = "";
    memcpy(text, state.data, state.len < sizeof text - 1 ? state.len : sizeof text - 1);
    *opened = session;
    first_time(session, "opened-" VERSION, 0);
    if (strtoul(text, NULL, 10) != session->acknowledged)
        return answer(buffer, ENTENTE_PERMANENT, "{\"message\":\"the state is not that of the last batch\"}");
    if (!strcmp(session->mode, "cannot open")) return answer(buffer, ENTENTE_AUTH, "{\"message\":\"wrong token\"}");
    return answer(buffer, ENTENTE_OK, "");
}

/* Writes the identities of a batch to a file of its own, which replaces an earlier one as a whole. */
static int keep(const struct session *session, const char *key, const struct ArrowArray *batch) {
    char aside[800], path[800];
    const struct ArrowArray *identities = batch->children[1];
    const uint8_t *bytes = (const uint8_t *)identities->buffers[1] + 32 * (identities->offset + batch->offset);
    snprintf(aside, sizeof aside, "%s/.aside", session->root);
    snprintf(path, sizeof path, "%s/%s", session->root, key);
    FILE *file = fopen(aside, "wb");
    if (!file) return 0;
    size_t length = (size_t)batch->length * 32;
    size_t written = fwrite(bytes, 1, length, file);
    return fclose(file) == 0 && written == length && rename(aside, path) == 0;
}

static int32_t write_batch(void *opened, uint64_t sequence, struct entente_slice key, struct ArrowArray *array,
                           struct ArrowSchema *schema, struct entente_buffer *state, struct entente_buffer *buffer) {
    struct session *session = opened;
    char name[200], text[200];
    (void)schema;
    snprintf(name, sizeof name, "%.*s", (int)key.len, (const char *)key.data);
    if (!strcmp(session->mode, "transient") && first_time(session, "transient", sequence))
        return answer(buffer, ENTENTE_TRANSIENT, "{\"message\":\"not now\"}");
    if (!strcmp(session->mode, "rate limited") && first_time(session, "limited", sequence))
        return answer(buffer, ENTENTE_RATE_LIMITED, "{\"message\":\"slowly\",\"retry_after_ms\":30}");
    if (!strcmp(session->mode, "long pause"))
        return answer(buffer, ENTENTE_RATE_LIMITED, "{\"message\":\"tomorrow\",\"retry_after_ms\":86400000}");
    if (!strcmp(session->mode, "away")) return answer(buffer, ENTENTE_TRANSIENT, "{\"message\":\"come back\"}");
    if (!strcmp(session->mode, "payload")) return answer(buffer, ENTENTE_PAYLOAD, "{\"message\":\"no\"}");
    if (!strcmp(session->mode, "always crash")) abort();
    if (!keep(session, name, array)) return answer(buffer, ENTENTE_TRANSIENT, "{\"message\":\"disk\"}");
    if (!strcmp(session->mode, "crash after writing") && first_time(session, "crash", sequence)) abort();
    if (!strcmp(session->mode, "slow")) usleep(2000);
    snprintf(text, sizeof text, "%lu", (unsigned long)sequence);
    give(state, text);
    state->free = release;
    if (!strcmp(session->mode, "reject")) {
        snprintf(text, sizeof text,
                 "{\"accepted\":%lu,\"rejected\":[{\"row\":0,\"code\":\"FIRST\",\"reason\":\"the first\"}]}",
                 (unsigned long)array->length - 1);
        return answer(buffer, ENTENTE_OK, text);
    }
    if (!strcmp(session->mode, "late")) return answer(buffer, ENTENTE_OK, "{\"accepted\":0}");
    snprintf(text, sizeof text, "{\"accepted\":%lu}",
             (unsigned long)array->length + (strcmp(session->mode, "too many") ? 0 : 1));
    return answer(buffer, ENTENTE_OK, text);
}

static int32_t poll_session(void *opened, struct entente_buffer *state, struct entente_buffer *buffer) {
    struct session *session = opened;
    (void)state;
    if (!strcmp(session->mode, "late") && ++session->polled == 1)
        return answer(buffer, ENTENTE_OK, "{\"pending\":1,\"retry_after_ms\":1}");
    if (!strcmp(session->mode, "late"))
        return answer(buffer, ENTENTE_OK,
                      "{\"pending\":0,\"settled\":[{\"sequence\":1,\"accepted\":1,\"rejected\":[{\"row\":1,\"code\":"
                      "\"LATE\",\"reason\":\"too late\"}]}]}");
    if (!strcmp(session->mode, "settles another"))
        return answer(buffer, ENTENTE_OK, "{\"settled\":[{\"sequence\":1000,\"accepted\":1}]}");
    return answer(buffer, ENTENTE_OK, "{}");
}

static int32_t finish(void *opened, struct entente_buffer *buffer) {
    struct session *session = opened;
    if (!strcmp(session->mode, "crash at finish") && first_time(session, "finish", 0)) abort();
    first_time(session, "finished", 0);
    return answer(buffer, ENTENTE_OK, "");
}

static int32_t abort_session(void *opened, struct entente_buffer *buffer) {
    first_time(opened, "aborted", 0);
    return answer(buffer, ENTENTE_OK, "");
}

static void close_session(void *opened) {
    free(opened);
}

static const struct entente_destination_table table = {
    ENTENTE_DESTINATION_MAGIC, sizeof(struct entente_destination_table),
    ENTENTE_DESTINATION_VERSION, describe,
    check, open_session,
    write_batch, poll_session,
    finish, abort_session,
    close_session,
};

const struct entente_destination_table *entente_destination_v1(void) {
#ifdef NO_TABLE
    (void)table;
    return NULL;
#else
    return &table;
#endif
}
