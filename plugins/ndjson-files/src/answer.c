#include "answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void release(struct entente_buffer *buffer) {
    free(buffer->owner);
    memset(buffer, 0, sizeof *buffer);
}

entente_status fail(struct failure *failure, entente_status status, const char *message) {
    snprintf(failure->message, sizeof failure->message, "%s", message);
    return status;
}

entente_status fail_errno(struct failure *failure, const char *what) {
    int error = errno;
    const char *reason = strerror(error);
    if (error == ELOOP) reason = "a link is in the way";
    snprintf(failure->message, sizeof failure->message, "%s: %s", what, reason);
    /* What is in the way the account or the operator has to change; a full disk is repaired while a delivery waits. */
    switch (error) {
    case EACCES: case EISDIR: case ELOOP: case ENOENT: case ENOTDIR: case EPERM: case EROFS:
        return ENTENTE_CONFIG;
    default:
        return ENTENTE_TRANSIENT;
    }
}

entente_status fail_memory(struct failure *failure) {
    return fail(failure, ENTENTE_TRANSIENT, "the worker is out of memory");
}

entente_status give_json(struct entente_buffer *buffer, json_t *json, struct failure *failure) {
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text) return fail_memory(failure);
    *buffer = (struct entente_buffer){(uint8_t *)text, strlen(text), text, release};
    return ENTENTE_OK;
}

entente_status reply(struct entente_buffer *answer, entente_status status, const struct failure *failure) {
    static char no_memory[] = "{\"message\":\"the worker is out of memory\"}";
    struct failure ignored;
    if (status == ENTENTE_OK) return status;
    if (give_json(answer, json_pack("{s:s}", "message", failure->message), &ignored))
        *answer = (struct entente_buffer){(uint8_t *)no_memory, sizeof no_memory - 1, NULL, NULL};
    return status;
}
