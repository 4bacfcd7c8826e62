/* One delivery: its folder, the files in it, and what it consists of so far. */
#ifndef DELIVERY_H
#define DELIVERY_H

#include "lines.h"

struct delivery {
    /* The request of `open`, which settings and names below belong to. */
    json_t *request;
    struct settings settings;
    /* The delivery's folder, or -1. */
    int folder;
    /* Sequence of the last batch whose rows are counted. */
    uint64_t last;
    /* Rows in all files, and those that were rejected. It is the state that the gateway keeps with each batch. */
    json_int_t added, removed, rejected;
};

/*
 * Opens a delivery at its start, or where the state was kept. It is closed, also after a failure; the request becomes
 * its own.
 */
entente_status delivery_open(struct delivery *delivery, json_t *request, struct entente_slice state,
                             struct failure *failure);

/* The file of one batch, which replaces what an earlier attempt left of it. */
entente_status delivery_write(struct delivery *delivery, uint64_t sequence, const struct lines *lines,
                              struct failure *failure);

/* What is to be kept with the batches so far. */
json_t *delivery_state(const struct delivery *delivery);

/* Writes the manifest, unless it is there already. */
entente_status delivery_finish(struct delivery *delivery, struct failure *failure);

void delivery_close(struct delivery *delivery);

#endif
