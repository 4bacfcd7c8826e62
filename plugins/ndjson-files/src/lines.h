/* A batch as the lines of a file. The same rows always give the same bytes. */
#ifndef LINES_H
#define LINES_H

#include "rows.h"
#include "settings.h"

struct lines {
    char *bytes;
    size_t length;
    json_int_t added, removed;
    /* The rows that are not taken, as the answer of `write` has them. */
    json_t *rejected;
};

/* Writes a line for each row that is taken. The lines are freed, also after a failure. */
entente_status lines_write(struct lines *lines, const struct rows *rows, const struct settings *settings,
                           struct failure *failure);

void lines_free(struct lines *lines);

#endif
