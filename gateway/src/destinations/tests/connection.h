/* Asking the gateway for connections, as the header says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Sends a request with as many descriptors as are given. Whether it was sent. */
static int send_request(int connector, const char *request, size_t length, int *descriptors, int count, int flags) {
    char control[CMSG_SPACE(8 * sizeof(int))] = "";
    struct iovec text = {(void *)request, length};
    struct msghdr message = {.msg_iov = &text, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    }
    return sendmsg(connector, &message, flags | MSG_NOSIGNAL) == (ssize_t)length;
}

/* The socket on which the answer to a request comes; -1 where it cannot be asked for. */
static int ask(int connector, const char *host, int port, int flags) {
    char request[512];
    int pair[2];
    struct timeval patience = {.tv_sec = 30};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return -1;
    snprintf(request, sizeof request, "{\"host\":\"%s\",\"port\":%d}", host, port);
    int sent = send_request(connector, request, strlen(request), &pair[1], 1, flags);
    close(pair[1]);
    if (sent && setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0) return pair[0];
    close(pair[0]);
    return -1;
}

/* The connected socket, or -1 and why not: `HOST` and the like, nothing where there was no answer. */
static int take_answer(int asked, char *refused, size_t size) {
    char control[CMSG_SPACE(sizeof(int))] = "", answer[1025] = "";
    struct iovec text = {answer, sizeof answer - 1};
    struct msghdr message = {
        .msg_iov = &text, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t length = asked < 0 ? -1 : recvmsg(asked, &message, 0);
    if (asked >= 0) close(asked);
    refused[0] = 0;
    if (length <= 0) return -1;
    const char *start = strstr(answer, "\"refused\":\"");
    if (start) {
        start += strlen("\"refused\":\"");
        snprintf(refused, size, "%.*s", (int)strcspn(start, "\""), start);
        return -1;
    }
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int connection = -1;
    if (header && header->cmsg_type == SCM_RIGHTS) memcpy(&connection, CMSG_DATA(header), sizeof connection);
    return connection;
}

static int connect_to(int connector, const char *host, int port, char *refused, size_t size) {
    return take_answer(ask(connector, host, port, 0), refused, size);
}

/* The number after `"name":`; -1 where there is none. */
static int member(const uint8_t *json, size_t length, const char *name) {
    char *text = calloc(length + 1, 1), pattern[64];
    memcpy(text, json, length);
    snprintf(pattern, sizeof pattern, "\"%s\":", name);
    char *start = strstr(text, pattern);
    int value = start ? atoi(start + strlen(pattern)) : -1;
    free(text);
    return value;
}
