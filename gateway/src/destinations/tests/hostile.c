/*
 * A destination type in C that attacks the gateway as its setting `mode` asks, when it is given its first batch. What it
 * succeeds in although it should not, it tells in an error.
 */
#include "entente_destination.h"
#include "connection.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct session {
    char mode[64];
    /* A file of the gateway's. */
    char target[512];
    char root[512];
    /* What it is to be connected to although it should not, and why it should not. */
    char elsewhere[128];
    char refused[64];
    /* A port of this machine where somebody answers. */
    int port;
    int connector;
};

static void give(struct entente_buffer *buffer, const char *text) {
    buffer->data = (uint8_t *)strdup(text);
    buffer->len = strlen(text);
    buffer->owner = buffer->data;
    buffer->free = NULL;
}

static void release(struct entente_buffer *buffer) {
    free(buffer->owner);
    memset(buffer, 0, sizeof *buffer);
}

static void release_twice(struct entente_buffer *buffer) {
    void *volatile owner = buffer->owner;
    free(owner);
    free(owner);
}

static int32_t answer(struct entente_buffer *buffer, int32_t status, const char *text) {
    give(buffer, text);
    buffer->free = release;
    return status;
}

/* As many bytes as it is asked for. */
static void give_many(struct entente_buffer *buffer, size_t length) {
    buffer->data = malloc(length);
    memset(buffer->data, 'x', length);
    buffer->len = length;
    buffer->owner = buffer->data;
    buffer->free = release;
}

/* The text after `"name":"` up to the next quote; the tests' values need no more. */
static void field(struct entente_slice json, const char *name, char *value, size_t size) {
    char *text = calloc(json.len + 1, 1), pattern[64];
    memcpy(text, json.data, json.len);
    snprintf(pattern, sizeof pattern, "\"%s\":\"", name);
    char *start = strstr(text, pattern);
    value[0] = 0;
    if (start) {
        start += strlen(pattern);
        snprintf(value, size, "%.*s", (int)strcspn(start, "\""), start);
    }
    free(text);
}

static int32_t describe(struct entente_buffer *buffer) {
    return answer(buffer, ENTENTE_OK,
                  "{\"id\":\"hostile\",\"name\":\"Hostile\",\"summary\":\"Attacks the gateway.\",\"version\":\"1.0\","
                  "\"reaches\":{\"folder\":true,\"hosts\":[\"*\"]},\"settings\":{\"type\":\"object\"}}");
}

static int32_t check(struct entente_slice request, struct entente_buffer *buffer) {
    (void)request;
    return answer(buffer, ENTENTE_OK, "");
}

static int32_t open_session(struct entente_slice request, struct entente_slice state, void **opened,
                            struct entente_buffer *buffer) {
    struct session *session = calloc(1, sizeof *session);
    (void)state;
    field(request, "mode", session->mode, sizeof session->mode);
    field(request, "target", session->target, sizeof session->target);
    field(request, "local_root", session->root, sizeof session->root);
    field(request, "elsewhere", session->elsewhere, sizeof session->elsewhere);
    field(request, "refused", session->refused, sizeof session->refused);
    session->port = member(request.data, request.len, "port");
    session->connector = member(request.data, request.len, "connector");
    *opened = session;
    return answer(buffer, ENTENTE_OK, "");
}

static void *spin(void *nothing) {
    (void)nothing;
    for (volatile unsigned long turns = 0;; turns++)
        ;
    return NULL;
}

static void loop(void) {
    pthread_t thread;
    for (int threads = 0; threads < 7; threads++) pthread_create(&thread, NULL, spin, NULL);
    spin(NULL);
}

static void leak(void) {
    const size_t piece = 1 << 20;
    for (char *memory; (memory = malloc(piece));) memset(memory, 1, piece);
    abort();
}

static void print(void) {
    static char noise[1 << 16];
    memset(noise, 'y', sizeof noise);
    for (int times = 0; times < 100; times++) {
        if (write(1, noise, sizeof noise) < 0) break;
        if (write(2, noise, sizeof noise) < 0) break;
    }
    /* One of these is what the gateway listens to. */
    for (int fd = 3; fd < 1024; fd++)
        if (write(fd, noise, 4096) < 0) continue;
    for (;;) pause();
}

static void wait_briefly_as_child(void) {
    usleep(100000);
    _exit(0);
}

static void note(char *found, size_t size, int succeeded, const char *what) {
    if (!succeeded) return;
    size_t length = strlen(found);
    snprintf(found + length, size - length, " %s", what);
}

static void start_processes(char *found, size_t size) {
    char *arguments[] = {"/bin/true", NULL};
    for (int times = 0; times < 50; times++) {
        pid_t child = fork();
        if (child == 0) wait_briefly_as_child();
        if (child > 0) {
            note(found, size, 1, "fork");
            break;
        }
    }
    pid_t child = vfork();
    if (child == 0) _exit(0);
    note(found, size, child > 0, "vfork");
    note(found, size, system("true") == 0, "system");
    FILE *program = popen("true", "r");
    note(found, size, program && pclose(program) == 0, "popen");
    if (!*found) {
        execv(arguments[0], arguments);
        note(found, size, errno != EPERM, "exec");
    }
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

static int can_read(const char *path) {
    char byte;
    int file = open(path, O_RDONLY);
    if (file < 0) return 0;
    int length = (int)read(file, &byte, 1);
    close(file);
    return length >= 0;
}

static int can_list(const char *path) {
    DIR *folder = opendir(path);
    if (folder) closedir(folder);
    return folder != NULL;
}

static void read_everything(const struct session *session, char *found, size_t size) {
    const char *files[] = {session->target, "/etc/passwd", "/etc/shadow", "/proc/self/environ", "/proc/self/maps",
                           "/proc/self/exe", "/proc/1/environ", "/bin/sh"};
    const char *folders[] = {"/", "/etc", "/proc", "/tmp", "/root", "/home"};
    char parent[64];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) note(found, size, can_read(files[i]), files[i]);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) note(found, size, can_list(folders[i]), folders[i]);
    const char *own[] = {"environ", "maps", "mem", "cmdline"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        snprintf(parent, sizeof parent, "/proc/%d/%s", (int)getppid(), own[i]);
        note(found, size, can_read(parent), own[i]);
    }
    note(found, size, *environ != NULL, "variables");
}

static void touch_everything(const struct session *session, char *found, size_t size) {
    char path[700], aside[700];
    pid_t gateway = getppid();
    snprintf(path, sizeof path, "%s/link", session->root);
    note(found, size, symlink("/etc/passwd", path) == 0, "symlink");
    note(found, size, link(session->target, path) == 0, "link");
    note(found, size, mkfifo(path, 0600) == 0, "fifo");
    snprintf(aside, sizeof aside, "%s.aside", session->target);
    note(found, size, open(session->target, O_WRONLY) >= 0, "write");
    note(found, size, rename(session->target, aside) == 0, "rename");
    note(found, size, unlink(session->target) == 0, "unlink");
    note(found, size, truncate(session->target, 0) == 0, "truncate");
    note(found, size, chmod(session->target, 0777) == 0, "chmod");
    note(found, size, chown(session->target, 65534, 65534) == 0, "chown");
    note(found, size, creat("/tmp/entente-hostile", 0600) >= 0, "create");
    note(found, size, kill(gateway, 0) == 0, "kill");
    int socket_pair[2];
    int paired = socketpair(AF_UNIX, SOCK_STREAM, 0, socket_pair) == 0;
    note(found, size, !paired || fcntl(socket_pair[0], F_SETOWN, gateway) == 0, "setown");
    note(found, size, setpriority(PRIO_PROCESS, (id_t)gateway, 19) == 0, "setpriority");
    struct rlimit limit = {3, 3};
    note(found, size, prlimit(gateway, RLIMIT_NOFILE, &limit, NULL) == 0, "prlimit");
    note(found, size, ptrace(PTRACE_ATTACH, gateway, NULL, NULL) == 0, "ptrace");
    note(found, size, syscall(SYS_setuid, 12345) == 0, "setuid");
    note(found, size, chroot("/") == 0, "chroot");
    /* What is its own it may use. */
    snprintf(path, sizeof path, "%s/file", session->root);
    snprintf(aside, sizeof aside, "%s/folder", session->root);
    note(found, size, creat(path, 0600) < 0 || mkdir(aside, 0700) || unlink(path) || rmdir(aside), "not-even-its-own");
    const char *certificates = "/etc/ssl/certs/ca-certificates.crt";
    struct stat there;
    note(found, size, stat(certificates, &there) == 0 && !can_read(certificates), "not-even-certificates");
}

static void make_sockets(char *found, size_t size) {
    const int kinds[][3] = {{AF_INET, SOCK_STREAM, 0}, {AF_INET, SOCK_DGRAM, 0}, {AF_INET, SOCK_RAW, IPPROTO_ICMP},
                            {AF_INET6, SOCK_STREAM, 0}, {AF_UNIX, SOCK_STREAM, 0}, {AF_UNIX, SOCK_DGRAM, 0},
                            {AF_NETLINK, SOCK_RAW, 0}, {AF_PACKET, SOCK_RAW, 0}};
    int pair[2];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        note(found, size, socket(kinds[i][0], kinds[i][1], kinds[i][2]) >= 0, "socket");
    note(found, size, socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0, "datagrams");
    note(found, size, socketpair(AF_UNIX, SOCK_RAW | SOCK_CLOEXEC, 0, pair) == 0, "raw-datagrams");
}

/* With a connection in hand it tries to come to another port by it. */
static void turn_elsewhere(int connection, int port, char *found, size_t size) {
    struct sockaddr_in other = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    struct iovec text = {"x", 1};
    struct mmsghdr messages = {
        .msg_hdr = {.msg_name = &other, .msg_namelen = sizeof other, .msg_iov = &text, .msg_iovlen = 1}};
    struct linger forever = {1, 1000};
    int yes = 1, hops = 7;
    note(found, size, setsockopt(connection, IPPROTO_IP, IP_TTL, &hops, sizeof hops) == 0, "options-of-ip");
    note(found, size, setsockopt(connection, SOL_SOCKET, SO_LINGER, &forever, sizeof forever) == 0, "linger");
    note(found, size, setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0, "not-even-options");
    note(found, size, connect(connection, &nobody, sizeof nobody) == 0, "disconnect");
    note(found, size, connect(connection, (struct sockaddr *)&other, sizeof other) == 0, "connect");
    note(found, size, bind(connection, (struct sockaddr *)&other, sizeof other) == 0, "bind");
    note(found, size, listen(connection, 1) == 0, "listen");
    /* It answers a question with a reset, after which the socket has no peer any more. */
    note(found, size, send(connection, "reset", 5, MSG_NOSIGNAL) != 5, "not-even-sending");
    char byte;
    while (recv(connection, &byte, 1, 0) > 0)
        ;
    int fast = MSG_FASTOPEN | MSG_NOSIGNAL;
    struct sockaddr *name = (struct sockaddr *)&other;
    note(found, size, sendto(connection, "x", 1, fast, name, sizeof other) >= 0, "sendto");
    note(found, size, sendmsg(connection, &messages.msg_hdr, fast) >= 0, "sendmsg");
    note(found, size, sendmmsg(connection, &messages, 1, fast) >= 0, "sendmmsg");
    note(found, size, connect(connection, name, sizeof other) == 0, "connect-again");
}

static void connect_elsewhere(const struct session *session, char *found, size_t size) {
    char refused[64], redirect[512] = "";
    int connection = connect_to(session->connector, "localhost", session->port, refused, sizeof refused);
    if (connection < 0) {
        note(found, size, 1, "not-even-its-own");
        return;
    }
    /* A redirect is a host like any other. */
    ssize_t length = recv(connection, redirect, sizeof redirect - 1, 0);
    char *host = length > 0 ? strstr(redirect, "http://") : NULL;
    note(found, size, !host, "no-redirect");
    if (host) {
        host += strlen("http://");
        host[strcspn(host, "/")] = 0;
        note(found, size, connect_to(session->connector, host, 80, refused, sizeof refused) >= 0, host);
        note(found, size, strcmp(refused, session->refused) != 0, refused);
    }
    int other = connect_to(session->connector, session->elsewhere, session->port, refused, sizeof refused);
    note(found, size, other >= 0, session->elsewhere);
    note(found, size, strcmp(refused, session->refused) != 0, refused);
    turn_elsewhere(connection, session->port, found, size);
}

/* What every request but one that is sound gets: nothing, and nothing after it. */
static void ask_for_rubbish(const struct session *session, char *found, size_t size) {
    static char long_text[4096];
    char refused[64];
    int pair[2], number = session->connector;
    memset(long_text, ' ', sizeof long_text);
    memcpy(long_text, "{\"host\":\"localhost\",\"port\":1}", 30);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return;
    const char *what = session->elsewhere;
    if (!strcmp(what, "no descriptor")) send_request(number, "{\"host\":\"localhost\",\"port\":1}", 30, NULL, 0, 0);
    if (!strcmp(what, "no json")) send_request(number, "\xff\xfe{", 3, &pair[1], 1, 0);
    if (!strcmp(what, "no port")) send_request(number, "{\"host\":\"localhost\"}", 20, &pair[1], 1, 0);
    if (!strcmp(what, "too long")) send_request(number, long_text, sizeof long_text, &pair[1], 1, 0);
    if (!strcmp(what, "nothing")) send_request(number, "", 0, &pair[1], 1, 0);
    if (!strcmp(what, "itself")) send_request(number, "{\"host\":\"localhost\",\"port\":1}", 30, &number, 1, 0);
    if (!strcmp(what, "closed")) close(number);
    if (!strcmp(what, "itself")) usleep(200000);
    note(found, size, connect_to(number, "localhost", session->port, refused, sizeof refused) >= 0, "connected");
    note(found, size, *refused, refused);
}

/* Asks without waiting for answers, and at last takes those that there are. */
static void flood(const struct session *session, char *found, size_t size) {
    enum { MOST = 400 };
    int asked[MOST], count = 0, connections = 0;
    char refused[64];
    struct timeval now, end;
    gettimeofday(&end, NULL);
    end.tv_sec += 2;
    do {
        int one = ask(session->connector, "localhost", session->port, MSG_DONTWAIT);
        if (one >= 0 && count < MOST) asked[count++] = one;
        else if (one >= 0) close(one);
        else usleep(100);
        gettimeofday(&now, NULL);
    } while (timercmp(&now, &end, <));
    while (count-- > 0) {
        struct timeval at_once = {.tv_usec = 1};
        setsockopt(asked[count], SOL_SOCKET, SO_RCVTIMEO, &at_once, sizeof at_once);
        connections += take_answer(asked[count], refused, sizeof refused) >= 0;
    }
    note(found, size, connections == 0, "not-even-some");
}

/* An error that tells what it succeeded in. */
static int32_t succeeded_in(const char *found, struct entente_buffer *buffer) {
    char message[2048];
    snprintf(message, sizeof message, "{\"message\":\"succeeded in:%s\"}", found);
    return answer(buffer, ENTENTE_PERMANENT, message);
}

static int32_t write_batch(void *opened, uint64_t sequence, struct entente_slice key, struct ArrowArray *array,
                           struct ArrowSchema *schema, struct entente_buffer *state, struct entente_buffer *buffer) {
    struct session *session = opened;
    const char *mode = session->mode;
    char found[1024] = "", text[200];
    unsigned long rows = (unsigned long)array->length;
    (void)sequence, (void)key, (void)schema;
    if (!strcmp(mode, "panics")) return ENTENTE_PANICKED;
    if (!strcmp(mode, "segfaults")) {
        int *volatile nowhere = NULL;
        *nowhere = 1;
    }
    if (!strcmp(mode, "hangs")) for (;;) pause();
    if (!strcmp(mode, "loops")) loop();
    if (!strcmp(mode, "leaks")) leak();
    if (!strcmp(mode, "prints")) print();
    if (!strcmp(mode, "garbage")) return answer(buffer, ENTENTE_OK, "\xff\xfe{]garbage");
    if (!strcmp(mode, "too much")) {
        give_many(buffer, (size_t)40 << 20);
        return ENTENTE_OK;
    }
    if (!strcmp(mode, "too much state")) {
        give_many(state, (64 << 10) + 1);
        return answer(buffer, ENTENTE_OK, "{\"accepted\":0}");
    }
    if (!strcmp(mode, "nowhere")) {
        buffer->data = (uint8_t *)16;
        buffer->len = 4096;
        return ENTENTE_OK;
    }
    if (!strcmp(mode, "frees twice")) {
        give(buffer, "{\"accepted\":0}");
        buffer->free = release_twice;
        return ENTENTE_OK;
    }
    if (!strcmp(mode, "forks")) {
        start_processes(found, sizeof found);
        return succeeded_in(found, buffer);
    }
    if (!strcmp(mode, "reads")) {
        read_everything(session, found, sizeof found);
        return succeeded_in(found, buffer);
    }
    if (!strcmp(mode, "touches")) {
        touch_everything(session, found, sizeof found);
        return succeeded_in(found, buffer);
    }
    if (!strcmp(mode, "connects")) {
        make_sockets(found, sizeof found);
        const char *near[] = {"127.0.0.1", "::1", "::ffff:127.0.0.1", "0x7f.1", "2130706433", "localhost", "10.0.0.1",
                              "169.254.169.254", "0.0.0.0", "127.0.0.1 ", "", "localhost\\u0000.tvtube.example"};
        for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
            char refused[64];
            int connection = connect_to(session->connector, near[i], 22, refused, sizeof refused);
            note(found, sizeof found, connection >= 0, near[i]);
            note(found, sizeof found, !*refused, "unanswered");
        }
        return succeeded_in(found, buffer);
    }
    if (!strcmp(mode, "strays")) {
        connect_elsewhere(session, found, sizeof found);
        return succeeded_in(found, buffer);
    }
    if (!strcmp(mode, "asks for rubbish")) {
        ask_for_rubbish(session, found, sizeof found);
        return succeeded_in(found, buffer);
    }
    if (!strcmp(mode, "floods")) {
        flood(session, found, sizeof found);
        return succeeded_in(found, buffer);
    }
    const char *row = "{\"row\":%lu,\"code\":\"X\",\"reason\":\"x\"}";
    char rejected[80];
    snprintf(rejected, sizeof rejected, row, strcmp(mode, "rejects others") ? 0 : rows);
    if (!strcmp(mode, "rejects others")) {
        snprintf(text, sizeof text, "{\"accepted\":0,\"rejected\":[%s]}", rejected);
        return answer(buffer, ENTENTE_OK, text);
    }
    if (!strcmp(mode, "rejects twice")) {
        snprintf(text, sizeof text, "{\"accepted\":0,\"rejected\":[%s,%s]}", rejected, rejected);
        return answer(buffer, ENTENTE_OK, text);
    }
    if (!strcmp(mode, "rejects what it took")) {
        snprintf(text, sizeof text, "{\"accepted\":%lu,\"rejected\":[%s]}", rows, rejected);
        return answer(buffer, ENTENTE_OK, text);
    }
    if (!strcmp(mode, "takes more")) rows++;
    if (!strcmp(mode, "takes fewer")) rows--;
    snprintf(text, sizeof text, "{\"accepted\":%lu}", rows);
    return answer(buffer, ENTENTE_OK, text);
}

static int32_t poll_session(void *opened, struct entente_buffer *state, struct entente_buffer *buffer) {
    struct session *session = opened;
    (void)state;
    if (!strcmp(session->mode, "settles again"))
        return answer(buffer, ENTENTE_OK, "{\"settled\":[{\"sequence\":1,\"accepted\":1}]}");
    if (!strcmp(session->mode, "settles others"))
        return answer(buffer, ENTENTE_OK, "{\"settled\":[{\"sequence\":1000,\"accepted\":1}]}");
    return answer(buffer, ENTENTE_OK, "{}");
}

static int32_t end(void *opened, struct entente_buffer *buffer) {
    (void)opened;
    return answer(buffer, ENTENTE_OK, "");
}

static void close_session(void *opened) {
    free(opened);
}

static const struct entente_destination_table table = {
    ENTENTE_DESTINATION_MAGIC, sizeof(struct entente_destination_table),
    ENTENTE_DESTINATION_VERSION, describe,
    check, open_session,
    write_batch, poll_session,
    end, end,
    close_session,
};

const struct entente_destination_table *entente_destination_v1(void) {
    return &table;
}
