#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    /* Folders may be entered, and files read, by the owner and its group. */
    FOLDER_MODE = 0750,
    FILE_MODE = 0640,
    FOLDER_FLAGS = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
};

static int open_root(const char *root, struct failure *failure, entente_status *status) {
    int folder = open(root, FOLDER_FLAGS);
    if (folder < 0) *status = fail_errno(failure, "the operator's folder cannot be opened");
    return folder;
}

/* Goes down by one name and closes where it came from; -1 with errno where that does not work. */
static int step(int folder, const char *name) {
    int below = openat(folder, name, FOLDER_FLAGS | O_NOFOLLOW);
    int error = errno;
    close(folder);
    errno = error;
    return below;
}

entente_status folder_open(int *folder, const char *root, const char *const *names, size_t count,
                           struct failure *failure) {
    entente_status status = ENTENTE_OK;
    int at = open_root(root, failure, &status);
    for (size_t name = 0; name < count && at >= 0; name++) {
        bool made = mkdirat(at, names[name], FOLDER_MODE) == 0;
        if ((!made && errno != EEXIST) || (made && fsync(at) != 0)) {
            status = fail_errno(failure, "the folder cannot be made");
            close(at);
            return status;
        }
        at = step(at, names[name]);
        if (at < 0) status = fail_errno(failure, "the folder cannot be opened");
    }
    *folder = at;
    return status;
}

/* Makes an empty file and removes it. */
static entente_status try_file(int folder, struct failure *failure) {
    char name[64];
    snprintf(name, sizeof name, ".check-%ld.tmp", (long)getpid());
    int file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (file < 0) return fail_errno(failure, "a file cannot be written into the folder");
    close(file);
    if (unlinkat(folder, name, 0) != 0) return fail_errno(failure, "a file cannot be removed from the folder");
    return ENTENTE_OK;
}

entente_status folder_try(const char *root, const char *const *names, size_t count, struct failure *failure) {
    entente_status status = ENTENTE_OK;
    int at = open_root(root, failure, &status);
    if (at < 0) return status;
    for (size_t name = 0; name < count; name++) {
        struct stat found;
        /* Where the rest of the path is yet to be made, it is here that it would be. */
        if (fstatat(at, names[name], &found, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) break;
        at = step(at, names[name]);
        if (at < 0) return fail_errno(failure, "the folder cannot be opened");
    }
    status = try_file(at, failure);
    close(at);
    return status;
}

static int write_all(int file, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = write(file, bytes, length);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return -1;
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

entente_status folder_write(int folder, const char *name, const char *bytes, size_t length, struct failure *failure) {
    static const char what[] = "the file cannot be written";
    char aside[128];
    snprintf(aside, sizeof aside, ".%s.tmp", name);
    if (unlinkat(folder, aside, 0) != 0 && errno != ENOENT) return fail_errno(failure, what);
    int file = openat(folder, aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (file < 0) return fail_errno(failure, what);
    bool whole = write_all(file, bytes, length) == 0 && fsync(file) == 0;
    entente_status status = whole ? ENTENTE_OK : fail_errno(failure, what);
    if (close(file) != 0 && !status) status = fail_errno(failure, what);
    if (!status && (renameat(folder, aside, folder, name) != 0 || fsync(folder) != 0))
        status = fail_errno(failure, what);
    return status;
}

entente_status folder_size(int folder, const char *name, long long *size, struct failure *failure) {
    struct stat found;
    *size = -1;
    if (fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) == 0) {
        if (S_ISREG(found.st_mode)) *size = (long long)found.st_size;
        return ENTENTE_OK;
    }
    return errno == ENOENT ? ENTENTE_OK : fail_errno(failure, "the delivery's folder cannot be read");
}
