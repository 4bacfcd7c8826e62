/*
 * A folder that cannot be left: every name is resolved relative to an open folder, never following a link, so that
 * whoever may write next to our files cannot lead us elsewhere.
 */
#ifndef FOLDER_H
#define FOLDER_H

#include "answer.h"

#include <stdbool.h>

/*
 * Opens the folder at the end of `names` below the operator's root, making those that are missing. The root must be
 * there and may itself be reached through links. Names hold no slash, and none is `.` or `..`.
 */
entente_status folder_open(int *folder, const char *root, const char *const *names, size_t count,
                           struct failure *failure);

/* Tries whether `folder_open` and `folder_write` would work, and leaves nothing behind. */
entente_status folder_try(const char *root, const char *const *names, size_t count, struct failure *failure);

/* Writes a whole file aside, syncs it and gives it its name, replacing what had it. */
entente_status folder_write(int folder, const char *name, const char *bytes, size_t length, struct failure *failure);

/* The size of a file in bytes, or -1 where there is no such file. */
entente_status folder_size(int folder, const char *name, long long *size, struct failure *failure);

#endif
