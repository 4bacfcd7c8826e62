#include "settings.h"

#include <stdlib.h>
#include <string.h>

/* The most bytes in the name of one folder. */
enum { MAX_NAME = 100 };

const char settings_schema[] =
    "{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\","
    " \"title\": \"Settings\","
    " \"description\": \"Where and how files are written.\","
    " \"type\": \"object\","
    " \"properties\": {"
    "  \"folder\": {"
    "   \"description\": \"The folder for the files, relative to the one that the operator set aside for this account,"
    " such as `audiences/luma`. It is made if it is not there. Names may not start with a dot.\","
    "   \"type\": \"string\"},"
    "  \"identifier_encoding\": {"
    "   \"description\": \"How the 32 bytes of an identity are written as text: 64 lower-case hexadecimal digits, or 44"
    " characters of standard Base64.\","
    "   \"type\": \"string\", \"enum\": [\"hex\", \"base64\"], \"default\": \"hex\"},"
    "  \"match_keys\": {"
    "   \"description\": \"The match keys that are written, such as `hashed_email`. Rows of others are rejected. Every"
    " one is written where none is listed.\","
    "   \"type\": \"array\", \"items\": {\"type\": \"string\"}}},"
    " \"required\": [\"folder\"],"
    " \"additionalProperties\": false}";

/* Whether a character of UTF-8 that starts here has a meaning for terminals or file systems. */
static bool is_special(const unsigned char *at) {
    return at[0] < 0x20 || at[0] == 0x7f || at[0] == '\\' || at[0] == ':' || (at[0] == 0xc2 && at[1] < 0xa0);
}

static bool is_safe_name(const char *name) {
    size_t length = strlen(name);
    if (length == 0 || length > MAX_NAME || name[0] == '.') return false;
    for (size_t at = 0; at < length; at++)
        if (is_special((const unsigned char *)name + at)) return false;
    return true;
}

/* Cuts a path into names. */
static entente_status read_folder(struct settings *settings, const json_t *folder, struct failure *failure) {
    static const char rule[] =
        "`folder` must be a relative path of at most 10 names, none of them empty, starting with a dot, longer than 100"
        " bytes, or with a backslash, colon or control character";
    if (!json_is_string(folder)) return fail(failure, ENTENTE_CONFIG, "`folder` must be there and be text");
    size_t length = json_string_length(folder);
    settings->text = strdup(json_string_value(folder));
    if (!settings->text) return fail_memory(failure);
    if (strlen(settings->text) != length) return fail(failure, ENTENTE_CONFIG, rule);
    if (length > 1 && settings->text[length - 1] == '/') settings->text[length - 1] = 0;
    for (char *name = settings->text; name;) {
        char *end = strchr(name, '/');
        if (end) *end = 0;
        if (settings->depth == MAX_DEPTH || !is_safe_name(name)) return fail(failure, ENTENTE_CONFIG, rule);
        settings->names[settings->depth++] = name;
        name = end ? end + 1 : NULL;
    }
    return ENTENTE_OK;
}

static entente_status read_encoding(struct settings *settings, const json_t *encoding, struct failure *failure) {
    const char *name = encoding ? json_string_value(encoding) : encoding_name(HEX);
    for (enum encoding known = HEX; known <= BASE64; known++) {
        if (name && !strcmp(name, encoding_name(known))) {
            settings->encoding = known;
            return ENTENTE_OK;
        }
    }
    return fail(failure, ENTENTE_CONFIG, "`identifier_encoding` must be `hex` or `base64`");
}

static entente_status read_match_keys(struct settings *settings, const json_t *keys, struct failure *failure) {
    static const char rule[] = "`match_keys` must be a list of names";
    if (keys && !json_is_array(keys)) return fail(failure, ENTENTE_CONFIG, rule);
    for (size_t at = 0; at < json_array_size(keys); at++)
        if (!json_is_string(json_array_get(keys, at))) return fail(failure, ENTENTE_CONFIG, rule);
    settings->match_keys = json_array_size(keys) ? keys : NULL;
    return ENTENTE_OK;
}

entente_status settings_read(struct settings *settings, const json_t *json, struct failure *failure) {
    memset(settings, 0, sizeof *settings);
    if (!json_is_object(json)) return fail(failure, ENTENTE_CONFIG, "the settings must be an object");
    const json_t *folder = json_object_get(json, "folder");
    const json_t *encoding = json_object_get(json, "identifier_encoding");
    const json_t *match_keys = json_object_get(json, "match_keys");
    size_t known = (folder ? 1 : 0) + (encoding ? 1 : 0) + (match_keys ? 1 : 0);
    if (json_object_size(json) != known)
        return fail(failure, ENTENTE_CONFIG,
                    "there is a setting that does not exist: only `folder`, `identifier_encoding` and `match_keys` do");
    entente_status status = read_folder(settings, folder, failure);
    if (!status) status = read_encoding(settings, encoding, failure);
    if (!status) status = read_match_keys(settings, match_keys, failure);
    return status;
}

void settings_free(struct settings *settings) {
    free(settings->text);
    memset(settings, 0, sizeof *settings);
}

bool settings_take(const struct settings *settings, const char *match_key, size_t length) {
    if (!settings->match_keys) return true;
    for (size_t at = 0; at < json_array_size(settings->match_keys); at++) {
        const json_t *taken = json_array_get(settings->match_keys, at);
        if (json_string_length(taken) == length && !memcmp(json_string_value(taken), match_key, length)) return true;
    }
    return false;
}

const char *encoding_name(enum encoding encoding) {
    return encoding == HEX ? "hex" : "base64";
}
