// Made from src/abi.rs by the test `header`: change that file, not this one. The test says how this one is made again.
//
// The C boundary between Entente and a plugin that provides a destination type.
//
// A plugin is a shared library that exports one function, `entente_destination_v1`, which returns a table of functions
// that lives as long as the library is loaded; nothing is ever unloaded. The table starts with magic, size and
// version; later versions only append functions, so a reader takes the smaller of its own size and the table's and
// leaves the rest empty.
//
// Requests and answers are JSON in UTF-8; rows are a struct array as the Arrow C Data Interface describes it. What
// Entente passes is lent for the time of the call; what the plugin gives back carries its own free function. Calls of
// one session come one after another, not always from the same thread. No exception and no panic may leave a function.
//
// A plugin makes no sockets: where the system has seccomp, `socket`, `connect` and `bind` fail. For each TCP
// connection it asks Entente, on the socket whose number is `connector` in `operator`. It makes a pair of its own,
// `socketpair(AF_UNIX, SOCK_STREAM, 0, pair)`, sends `{"host": "api.tvtube.example", "port": 443}` (at most 1,024
// bytes; no other members needed) as one message, by `sendmsg` with `pair[1]` as its one `SCM_RIGHTS`, closes
// `pair[1]`, and receives the answer from `pair[0]` by `recvmsg`, at most 1,024 bytes: `{"connected": true}` with the
// connected socket as `SCM_RIGHTS`, which blocks as a new one does (options of IP and `SO_LINGER` cannot be set on
// it), or `{"refused": "HOST", "reason": "..."}`. `HOST` is a host that the plugin did not describe, `NETWORK` one
// with addresses that the operator did not allow, `UNKNOWN_HOST` one without any, `NOT_CONNECTED` one that does not
// take the connection. The name is Entente's to resolve, and may take 30 seconds: set `SO_RCVTIMEO` on `pair[0]`. Any
// thread may ask at any time. Beyond 32 at once or 50 a second, requests wait; after one that is none, no more are
// answered, and `recvmsg` gives 0. A proxy is connected to where it is the one of the settings, `{"proxy": {"url":
// "http://proxy.luma.example:3128"}}`. To libcurl the socket is given by `CURLOPT_OPENSOCKETFUNCTION`, with
// `CURLOPT_SOCKOPTFUNCTION` that returns `CURL_SOCKOPT_ALREADY_CONNECTED` and, since names are not the plugin's to
// resolve, some address for the host in `CURLOPT_RESOLVE`. Where `connector` is null or left out, the plugin is in no
// worker, and connects by itself.
//
// A type that describes its `consent` may answer any call, a failed one too, with a `"refresh_token"` beside the rest,
// or alone where the answer is not read otherwise: it takes the place of the one in the settings.
#ifndef ENTENTE_DESTINATION_H
#define ENTENTE_DESTINATION_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

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

// The first eight bytes of every table: `ENTENTE` and a zero, read as a little-endian number.
#define ENTENTE_DESTINATION_MAGIC UINT64_C(0x0045544e45544e45)

// The version of the table; what is appended later does not change it.
#define ENTENTE_DESTINATION_VERSION 1

// The most that a plugin may keep between two batches (its state), in bytes.
#define ENTENTE_DESTINATION_MAX_STATE (64 * 1024)

// The most that one answer may have, in bytes.
#define ENTENTE_DESTINATION_MAX_ANSWER ((32 * 1024) * 1024)

// What a call returns. Except for `ENTENTE_OK` and `ENTENTE_PANICKED` the answer is an error's JSON, `{"message":
// "...", "retry_after_ms": 1000}`, of which only the message must be there. It is shown to the account whose
// destination it is: it says what to do, and never holds a secret or an identifier. Only `ENTENTE_RATE_LIMITED` and
// `ENTENTE_TRANSIENT` are tried again.
typedef int32_t entente_status;

// The call did what it should.
#define ENTENTE_OK 0
// The settings are wrong; the account has to change them.
#define ENTENTE_CONFIG 1
// The credentials were refused; the account has to renew them.
#define ENTENTE_AUTH 2
// The batch cannot be taken as it is.
#define ENTENTE_PAYLOAD 3
// Too fast; tried again, not before `retry_after_ms` where it is given.
#define ENTENTE_RATE_LIMITED 4
// May work later; tried again.
#define ENTENTE_TRANSIENT 5
// Will not work however often it is tried.
#define ENTENTE_PERMANENT 6
// The plugin panicked; its session must not be called again.
#define ENTENTE_PANICKED 7

// Bytes that the plugin gives back, with the function that frees them. The plugin gets it empty, all zero.
struct entente_buffer {
    // The first byte; null when there are none.
    uint8_t *data;

    // How many bytes.
    size_t len;

    // The plugin's own, for `free`.
    void *owner;

    // Frees the bytes; null when there is nothing to free. Called once.
    void (*free)(struct entente_buffer *buffer);
};

// Bytes that the caller lends for the time of a call.
struct entente_slice {
    // The first byte; may be anything where `len` is 0.
    const uint8_t *data;

    // How many bytes.
    size_t len;
};

// What `open` makes and `close` frees; only the plugin knows what is behind it.
typedef void *entente_session;

// The table of functions that a plugin returns, none of them null. Later versions append to it and never change what
// is there.
struct entente_destination_table {
    // `ENTENTE_DESTINATION_MAGIC`.
    uint64_t magic;

    // The size of this table in bytes, as the plugin knew it.
    uint32_t size;

    // `ENTENTE_DESTINATION_VERSION`.
    uint32_t version;

    // What the destination type is. Answer: `{"id", "name", "summary", "version", "settings", "repeats", "reaches":
    // {"folder", "hosts"}, "consent"}`. The settings are their JSON Schema, in which `writeOnly` marks secrets; `repeats`
    // is `TAKEN_ONCE` where a batch that is written again is taken once, `POSSIBLY_TWICE` otherwise, and where it is left
    // out. `folder` is whether it writes into the operator's folder, and `hosts` are those it connects to:
    // `api.tvtube.example`, `*.tvtube.example` for those below a domain, `*` for those that its settings name. What is left
    // out is closed to it. Where the endpoint signs in by OAuth 2.0, `consent` says how accounts consent:
    // `{"authorization_url", "token_url", "scopes": [], "parameters": {}, "pkce": true, "client_id", "client_secret",
    // "refresh_token"}`, the last three the names of the settings that hold them; `parameters` are further ones of the
    // authorization URL, and `pkce` whether S256 is taken.
    entente_status (*describe)(struct entente_buffer *answer);

    // Tries the settings against the real endpoint and leaves nothing behind. Request: `{"settings", "operator":
    // {"local_root", "networks", "hosts", "connector"}}`, where `local_root` is the only folder of this machine below
    // which the plugin may write (null: none), `networks` are those it may send to although they are not public,
    // `hosts` the only ones it may send to (null: any), and `connector` the number of the socket on which it asks for
    // connections. The answer is not read.
    entente_status (*check)(struct entente_slice request, struct entente_buffer *answer);

    // Begins a delivery, or goes on with one. Request: that of `check` with `"delivery": {"activation", "name",
    // "generation", "key_prefix", "match_keys", "acknowledged"}`. The state is that of the last batch that was
    // acknowledged, empty at the start. A session that is set is closed even where the call fails. The answer is not
    // read.
    entente_status (*open)(struct entente_slice request,
                           struct entente_slice state,
                           entente_session *session,
                           struct entente_buffer *answer);

    // Takes one batch: a struct array of at most 65,536 rows with the columns `match_key` (format `u`: the kind of
    // identifier), `identity` (format `w:32`: its SHA-256) and `change` (format `u`: `added` or `removed`), none of
    // them null. The plugin moves array and schema out, as the Arrow C Data Interface says, or leaves them to the
    // caller. The sequence starts at 1, and the same batch always comes with the same key. What is put into `state` is
    // kept with the acknowledgement. Answer: `{"accepted": 2, "rejected": [{"row": 0, "code": "...", "reason":
    // "..."}], "retry_after_ms": 1000}`, of which only `accepted` must be there; rows that are in neither are told
    // about by `poll`.
    entente_status (*write)(entente_session session,
                            uint64_t sequence,
                            struct entente_slice key,
                            struct ArrowArray *array,
                            struct ArrowSchema *schema,
                            struct entente_buffer *state,
                            struct entente_buffer *answer);

    // What became known since about batches that were written earlier. Answer: `{"pending": 0, "settled":
    // [{"sequence": 1, "accepted": 2, "rejected": []}], "retry_after_ms": 1000}`, all of which may be left out. The
    // state stays what it was where the buffer's `data` stays null.
    entente_status (*poll)(entente_session session, struct entente_buffer *state, struct entente_buffer *answer);

    // Every batch was acknowledged and none is pending. May be called again after a crash. The answer is not read.
    entente_status (*finish)(entente_session session, struct entente_buffer *answer);

    // The delivery was cancelled; what was delivered may stay. The answer is not read.
    entente_status (*abort)(entente_session session, struct entente_buffer *answer);

    // Frees what `open` made. The last call of a session, also after a failure.
    void (*close)(entente_session session);
};

/* The one function that a plugin exports. */
const struct entente_destination_table *entente_destination_v1(void);

#ifdef __cplusplus
}
#endif

#endif
