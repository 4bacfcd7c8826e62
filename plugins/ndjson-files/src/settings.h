/* The settings of a destination. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "answer.h"

#include <stdbool.h>

/* The most folders below one another. */
enum { MAX_DEPTH = 10 };

enum encoding { HEX, BASE64 };

struct settings {
    /* The names of the folders from the operator's root down; they are in `text`. */
    const char *names[MAX_DEPTH];
    size_t depth;
    char *text;

    enum encoding encoding;

    /* The match keys that are taken; NULL: every one. Belongs to the request. */
    const json_t *match_keys;
};

/* The JSON Schema of the settings, as accounts see it. */
extern const char settings_schema[];

/* Reads and checks the settings in a request, which must live as long as they. They are freed, also after a failure. */
entente_status settings_read(struct settings *settings, const json_t *json, struct failure *failure);

void settings_free(struct settings *settings);

/* Whether rows with this match key are taken. */
bool settings_take(const struct settings *settings, const char *match_key, size_t length);

/* What the setting `identifier_encoding` says. */
const char *encoding_name(enum encoding encoding);

#endif
