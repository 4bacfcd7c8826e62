#include "rows.h"

#include <string.h>

enum { IDENTITY_LENGTH = 32 };

/* Beyond any batch and any file, so that offsets can be added without overflow. */
#define MAX_LENGTH ((int64_t)1 << 40)

static bool is_length(int64_t length) {
    return length >= 0 && length <= MAX_LENGTH;
}

/* Whether none of `count` values from `first` is null. */
static bool is_without_nulls(const struct ArrowArray *array, int64_t first, int64_t count) {
    const uint8_t *validity = array->buffers[0];
    if (array->null_count == 0 || !validity) return true;
    for (int64_t at = first; at < first + count; at++)
        if (!(validity[at / 8] >> (at % 8) & 1)) return false;
    return true;
}

/* The `n`-th offset of a text column; buffers need not be aligned. */
static int32_t offset_at(const struct column *column, int64_t n) {
    int32_t offset;
    memcpy(&offset, column->offsets + 4 * (column->first + n), sizeof offset);
    return offset;
}

static bool is_text(const struct column *column, int64_t count) {
    if (count == 0) return true;
    if (!column->offsets || offset_at(column, 0) < 0) return false;
    for (int64_t row = 0; row < count; row++)
        if (offset_at(column, row) > offset_at(column, row + 1)) return false;
    return column->values || offset_at(column, 0) == offset_at(column, count);
}

/* Finds the column with this name and format. */
static bool find(struct column *column, const char *name, const char *format, int64_t n_buffers,
                 const struct ArrowArray *array, const struct ArrowSchema *schema) {
    for (int64_t at = 0; at < schema->n_children; at++) {
        const struct ArrowSchema *described = schema->children[at];
        const struct ArrowArray *child = array->children[at];
        if (!described->name || strcmp(described->name, name)) continue;
        if (strcmp(described->format, format) || described->dictionary || child->dictionary) return false;
        if (child->n_buffers != n_buffers || !is_length(child->offset) || !is_length(child->length)) return false;
        if (child->length < array->offset + array->length) return false;
        column->first = child->offset + array->offset;
        column->offsets = n_buffers == 3 ? child->buffers[1] : NULL;
        column->values = child->buffers[n_buffers - 1];
        return is_without_nulls(child, column->first, array->length);
    }
    return false;
}

static const char *text_at(const struct column *column, int64_t row, size_t *length) {
    int32_t start = offset_at(column, row);
    *length = (size_t)(offset_at(column, row + 1) - start);
    return *length ? (const char *)column->values + start : "";
}

static bool is_word(const char *text, size_t length, const char *word) {
    return length == strlen(word) && !memcmp(text, word, length);
}

static bool are_changes(const struct column *column, int64_t count) {
    for (int64_t row = 0; row < count; row++) {
        size_t length;
        const char *change = text_at(column, row, &length);
        if (!is_word(change, length, "added") && !is_word(change, length, "removed")) return false;
    }
    return true;
}

entente_status rows_read(struct rows *rows, const struct ArrowArray *array, const struct ArrowSchema *schema,
                         struct failure *failure) {
    memset(rows, 0, sizeof *rows);
    rows->count = array->length;
    bool is_struct = !strcmp(schema->format, "+s") && schema->n_children == array->n_children &&
                     array->n_buffers == 1 && is_length(array->length) && is_length(array->offset) &&
                     is_without_nulls(array, array->offset, array->length);
    if (!is_struct) return fail(failure, ENTENTE_PAYLOAD, "the batch is not a struct array without nulls");
    if (!find(&rows->match_key, "match_key", "u", 3, array, schema) || !is_text(&rows->match_key, rows->count))
        return fail(failure, ENTENTE_PAYLOAD, "the batch has no proper column `match_key`");
    if (!find(&rows->identity, "identity", "w:32", 2, array, schema) || (rows->count && !rows->identity.values))
        return fail(failure, ENTENTE_PAYLOAD, "the batch has no proper column `identity`");
    if (!find(&rows->change, "change", "u", 3, array, schema) || !is_text(&rows->change, rows->count))
        return fail(failure, ENTENTE_PAYLOAD, "the batch has no proper column `change`");
    if (!are_changes(&rows->change, rows->count))
        return fail(failure, ENTENTE_PAYLOAD, "a change is either added or removed");
    return ENTENTE_OK;
}

struct row rows_at(const struct rows *rows, int64_t index) {
    struct row row;
    size_t length;
    row.match_key = text_at(&rows->match_key, index, &row.match_key_length);
    row.identity = rows->identity.values + IDENTITY_LENGTH * (rows->identity.first + index);
    const char *change = text_at(&rows->change, index, &length);
    row.added = is_word(change, length, "added");
    return row;
}
