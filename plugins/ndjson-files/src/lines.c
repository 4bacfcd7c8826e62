#include "lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_MATCH_KEY = 64,
    /* 64 digits and a zero. */
    MAX_IDENTITY = 65,
    /* More than a line with the longest of everything. */
    MAX_LINE = 256,
};

static void write_hex(char *text, const uint8_t *identity) {
    for (int byte = 0; byte < 32; byte++) snprintf(text + 2 * byte, 3, "%02x", identity[byte]);
}

static void write_base64(char *text, const uint8_t *identity) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int byte = 0; byte < 33; byte += 3) {
        uint32_t third = byte == 30 ? 0 : identity[byte + 2];
        uint32_t three = (uint32_t)identity[byte] << 16 | (uint32_t)identity[byte + 1] << 8 | third;
        for (int digit = 0; digit < 4; digit++) *text++ = digits[three >> (18 - 6 * digit) & 63];
    }
    /* The last three have only two bytes. */
    text[-1] = '=';
    *text = 0;
}

/* Whether a match key can stand in a line as it is: letters, digits, `_` and `-`, as all of Entente's. */
static bool is_match_key(const char *text, size_t length) {
    static const char safe[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    for (size_t at = 0; at < length; at++)
        if (!text[at] || !strchr(safe, text[at])) return false;
    return length >= 1 && length <= MAX_MATCH_KEY;
}

static entente_status reject(struct lines *lines, int64_t row, const char *code, const char *reason,
                             struct failure *failure) {
    json_t *rejected = json_pack("{s:I, s:s, s:s}", "row", (json_int_t)row, "code", code, "reason", reason);
    return json_array_append_new(lines->rejected, rejected) ? fail_memory(failure) : ENTENTE_OK;
}

static void append(struct lines *lines, const struct row *row, enum encoding encoding) {
    char identity[MAX_IDENTITY];
    if (encoding == HEX) write_hex(identity, row->identity);
    else write_base64(identity, row->identity);
    int length = snprintf(lines->bytes + lines->length, MAX_LINE,
                          "{\"match_key\":\"%.*s\",\"identity\":\"%s\",\"change\":\"%s\"}\n",
                          (int)row->match_key_length, row->match_key, identity, row->added ? "added" : "removed");
    lines->length += (size_t)length;
    if (row->added) lines->added++;
    else lines->removed++;
}

entente_status lines_write(struct lines *lines, const struct rows *rows, const struct settings *settings,
                           struct failure *failure) {
    memset(lines, 0, sizeof *lines);
    lines->rejected = json_array();
    lines->bytes = malloc((size_t)rows->count * MAX_LINE + 1);
    if (!lines->rejected || !lines->bytes) return fail_memory(failure);
    entente_status status = ENTENTE_OK;
    for (int64_t at = 0; at < rows->count && !status; at++) {
        struct row row = rows_at(rows, at);
        if (!is_match_key(row.match_key, row.match_key_length))
            status = reject(lines, at, "INVALID_MATCH_KEY", "What the row calls a match key is none.", failure);
        else if (!settings_take(settings, row.match_key, row.match_key_length))
            status = reject(lines, at, "MATCH_KEY_NOT_TAKEN", "The destination's settings leave this match key out.",
                            failure);
        else append(lines, &row, settings->encoding);
    }
    return status;
}

void lines_free(struct lines *lines) {
    free(lines->bytes);
    json_decref(lines->rejected);
}
