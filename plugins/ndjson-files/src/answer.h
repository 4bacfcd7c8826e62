/* What the plugin gives back: answers, states and the reasons of failures. */
#ifndef ANSWER_H
#define ANSWER_H

#include "entente_destination.h"

#include <jansson.h>

/* Why a call fails, as the account is told. It holds no secret, no identifier, and no path of the operator's. */
struct failure {
    char message[256];
};

/* Keeps the reason and returns the status. */
entente_status fail(struct failure *failure, entente_status status, const char *message);

/* As `fail`, for what the file system refused with errno; the status says whether it may be tried again. */
entente_status fail_errno(struct failure *failure, const char *what);

entente_status fail_memory(struct failure *failure);

/* Fills the answer of a call: nothing where it went well, the reason otherwise. Returns the status. */
entente_status reply(struct entente_buffer *answer, entente_status status, const struct failure *failure);

/* Gives JSON back and the reference to it away. */
entente_status give_json(struct entente_buffer *buffer, json_t *json, struct failure *failure);

#endif
