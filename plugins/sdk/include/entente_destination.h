/*
 * The C boundary between Entente and a plugin that provides a destination type.
 *
 * A plugin is a shared library that exports one function, entente_destination_v1, which returns a table that lives as
 * long as the library is loaded (nothing is ever unloaded). Requests and answers are JSON in UTF-8; rows are a struct
 * array as the Arrow C Data Interface describes it. What Entente passes is lent for the time of the call; what the
 * plugin gives back carries its own free function. Calls of one session come one after another, not always from the
 * same thread. No exception may leave a function.
 */
#ifndef ENTENTE_DESTINATION_H
#define ENTENTE_DESTINATION_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "ENTENTE" and a zero, read as a little-endian number. */
#define ENTENTE_DESTINATION_MAGIC UINT64_C(0x0045544e45544e45)
#define ENTENTE_DESTINATION_VERSION 1
/* The most bytes of a state. */
#define ENTENTE_DESTINATION_MAX_STATE (64 * 1024)

/*
 * What a function returns. Unless it is OK or PANICKED the answer is {"message": "...", "retry_after_ms": 1000}, of which
 * only the message must be there. Only RATE_LIMITED and TRANSIENT are tried again.
 */
enum entente_status {
    ENTENTE_OK = 0,
    ENTENTE_CONFIG = 1,
    ENTENTE_AUTH = 2,
    ENTENTE_PAYLOAD = 3,
    ENTENTE_RATE_LIMITED = 4,
    ENTENTE_TRANSIENT = 5,
    ENTENTE_PERMANENT = 6,
    ENTENTE_PANICKED = 7
};

/* Bytes that are lent for the time of a call. */
struct entente_slice {
    const uint8_t *data;
    size_t len;
};

/* Bytes that the plugin gives back. It gets them empty (all zero); free may stay null for bytes that need none. */
struct entente_buffer {
    uint8_t *data;
    size_t len;
    void *owner;
    void (*free)(struct entente_buffer *);
};

/* https://arrow.apache.org/docs/format/CDataInterface.html */
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif

/* Later versions append to this table and never change what is there. */
struct entente_destination_table {
    uint64_t magic;
    uint32_t size; /* sizeof(struct entente_destination_table), as the plugin knew it */
    uint32_t version;

    /* {"id", "name", "summary", "version", "settings": the JSON Schema of the settings; writeOnly marks secrets,
       "repeats": "TAKEN_ONCE" where a batch that is written again is taken once, else "POSSIBLY_TWICE"} */
    int32_t (*describe)(struct entente_buffer *answer);

    /* {"settings", "operator": {"local_root"}}: tries the settings against the real endpoint, leaves nothing behind. */
    int32_t (*check)(struct entente_slice request, struct entente_buffer *answer);

    /*
     * {"settings", "operator", "delivery": {"activation", "name", "generation", "key_prefix", "match_keys",
     * "acknowledged"}}. The state is that of the last acknowledged batch, empty at the start.
     */
    int32_t (*open)(struct entente_slice request, struct entente_slice state, void **session,
                    struct entente_buffer *answer);

    /*
     * One batch: the columns match_key (utf8), identity (32 bytes, fixed size) and change (utf8: added or removed). The
     * sequence starts at 1; the same batch always has the same key. Array and schema may be moved out. The answer is
     * {"accepted": 2, "rejected": [{"row": 0, "code": "...", "reason": "..."}], "retry_after_ms": 1000}.
     */
    int32_t (*write)(void *session, uint64_t sequence, struct entente_slice key, struct ArrowArray *array,
                     struct ArrowSchema *schema, struct entente_buffer *state, struct entente_buffer *answer);

    /*
     * {"pending": 0, "settled": [{"sequence": 1, "accepted": 2, "rejected": []}], "retry_after_ms": 1000}. The state stays
     * what it was if its data stays null.
     */
    int32_t (*poll)(void *session, struct entente_buffer *state, struct entente_buffer *answer);

    /* Every batch is acknowledged and none pending. May be called again after a crash. The answer is not read. */
    int32_t (*finish)(void *session, struct entente_buffer *answer);

    /* The delivery was cancelled. The answer is not read. */
    int32_t (*abort)(void *session, struct entente_buffer *answer);

    /* The last call of a session: frees it. */
    void (*close)(void *session);
};

const struct entente_destination_table *entente_destination_v1(void);

#ifdef __cplusplus
}
#endif

#endif
