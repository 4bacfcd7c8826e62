/* The rows of a batch, as the Arrow C Data Interface lays them out. */
#ifndef ROWS_H
#define ROWS_H

#include "answer.h"

#include <stdbool.h>

/* One column of a batch. */
struct column {
    /* Where the first row of the batch is in the buffers: the offset of the column and that of the batch. */
    int64_t first;
    /* For texts: where each one starts, and where the last one ends. */
    const uint8_t *offsets;
    const uint8_t *values;
};

/* The rows of a batch; they belong to the array. */
struct rows {
    int64_t count;
    struct column match_key, identity, change;
};

struct row {
    /* The kind of identifier, without a zero at its end. */
    const char *match_key;
    size_t match_key_length;
    /* SHA-256 of the identifier, 32 bytes. */
    const uint8_t *identity;
    /* Whether it joined the audience, or left it. */
    bool added;
};

/* Makes sure that a batch is as the boundary describes it; PAYLOAD where it is not. */
entente_status rows_read(struct rows *rows, const struct ArrowArray *array, const struct ArrowSchema *schema,
                         struct failure *failure);

/* The row with this index, from 0. */
struct row rows_at(const struct rows *rows, int64_t index);

#endif
