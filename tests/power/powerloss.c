/* Power-loss shim: loaded by LD_PRELOAD, it remembers what each write covered since the last fsync of its file, so
 * that after a kill the harness can put every file back to what a disk would hold after the power went.
 *
 * POWERLOSS_LOG     folder for the undo logs (outside the watched folder); one log a process
 * POWERLOSS_ROOT    only files below this folder are watched
 *
 * Before a write, the bytes it will cover and the file's size go to the undo log as one record, in one write(2). An
 * fsync or fdatasync appends a record when it begins and one when it succeeded; it covers what was written before it
 * began. A file's name is an entry of its folder: it lasts from the first sync of the folder that began after the file
 * was made. Removals are taken to last at once. After the kill, `undo.py` walks each log backwards from its end and
 * takes back what no later, successful sync covers.
 * The page cache survives SIGKILL, so the log needs no fsync of its own, and a sync of a watched file need not go to
 * the real disk: it takes SYNC_US, the same on every machine, which leaves time for a kill in its midst.
 *
 * A call that changes a watched file and is not modelled here ends the process with a word on stderr.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* How long a disk takes to sync. */
#define SYNC_US 20000

enum kind {
    KIND_WRITE = 1,
    KIND_SYNC_BEGAN = 2,
    KIND_TRUNCATE = 3,
    KIND_SYNC_DONE = 4,
    KIND_CREATE = 5, /* `offset` is the inode of the folder */
    KIND_REMOVE = 6,
};

struct record {
    uint32_t magic;
    uint32_t kind;
    uint64_t inode;
    uint64_t offset;
    uint64_t old_size;   /* size of the file before the operation */
    uint64_t saved;      /* bytes of old content that follow */
    uint64_t path_bytes; /* then the path */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -2;
static uint64_t syncs;
static char root[PATH_MAX];
static ssize_t (*real_pwrite64)(int, const void *, size_t, off64_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate64)(int, off64_t);
static int (*real_openat64)(int, const char *, int, ...);
static int (*real_unlink)(const char *);

static void refuse(const char *what) {
    dprintf(2, "powerloss: %s\n", what);
    abort();
}

static void start(void) {
    if (log_fd != -2) return;
    real_pwrite64 = dlsym(RTLD_NEXT, "pwrite64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate64 = dlsym(RTLD_NEXT, "ftruncate64");
    real_openat64 = dlsym(RTLD_NEXT, "openat64");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    const char *folder = getenv("POWERLOSS_LOG");
    const char *watched = getenv("POWERLOSS_ROOT");
    if (!folder || !watched || !realpath(watched, root)) { log_fd = -1; return; }
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%ld.undo", folder, (long)getpid());
    log_fd = real_openat64(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) refuse("the undo log cannot be made");
}

/* Whether a path is the watched folder or below it. The shared-memory index (-shm) is no durable state. */
static int is_below_root(const char *path) {
    size_t prefix = strlen(root), length = strlen(path);
    if (strncmp(path, root, prefix) != 0 || (path[prefix] != '/' && path[prefix] != 0)) return 0;
    return length <= 4 || strcmp(path + length - 4, "-shm") != 0;
}

/* The path and state of a watched file or folder behind fd, or 0. */
static int watched_any(int fd, char *path, struct stat *state) {
    char link[64];
    if (log_fd < 0 || fd == log_fd) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return is_below_root(path) && fstat(fd, state) == 0;
}

/* The same of a regular file. */
static int watched(int fd, char *path, struct stat *state) {
    return watched_any(fd, path, state) && S_ISREG(state->st_mode);
}

static void save(enum kind kind, uint64_t offset, uint64_t count, const char *path, const struct stat *state) {
    uint64_t size = (uint64_t)state->st_size;
    uint64_t saved = offset < size ? (offset + count > size ? size - offset : count) : 0;
    size_t path_bytes = strlen(path);
    size_t total = sizeof(struct record) + saved + path_bytes;
    char *buffer = malloc(total);
    if (!buffer) abort();
    struct record *record = (struct record *)buffer;
    *record = (struct record){0x544c5350u, kind, state->st_ino, offset, size, saved, path_bytes};
    uint64_t done = 0;
    while (done < saved) {
        /* The application's descriptor may be write-only; read through a fresh one. */
        int reader = real_openat64(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
        ssize_t got = reader < 0 ? -1 : pread64(reader, buffer + sizeof *record + done, saved - done, (off64_t)(offset + done));
        if (reader >= 0) close(reader);
        if (got <= 0) abort();
        done += (uint64_t)got;
    }
    memcpy(buffer + sizeof *record + saved, path, path_bytes);
    if (real_write(log_fd, buffer, total) != (ssize_t)total) abort();
    free(buffer);
}

static ssize_t guarded_pwrite(int fd, const void *bytes, size_t count, off64_t offset) {
    char path[PATH_MAX];
    struct stat state;
    pthread_mutex_lock(&lock);
    start();
    if (watched(fd, path, &state)) save(KIND_WRITE, (uint64_t)offset, count, path, &state);
    ssize_t done = real_pwrite64(fd, bytes, count, offset);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) { return guarded_pwrite(fd, bytes, count, offset); }
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return guarded_pwrite(fd, bytes, count, offset); }

ssize_t write(int fd, const void *bytes, size_t count) {
    char path[PATH_MAX];
    struct stat state;
    pthread_mutex_lock(&lock);
    start();
    if (watched(fd, path, &state)) {
        int flags = fcntl(fd, F_GETFL);
        off64_t at = (flags & O_APPEND) ? state.st_size : lseek64(fd, 0, SEEK_CUR);
        save(KIND_WRITE, (uint64_t)at, count, path, &state);
    }
    ssize_t done = real_write(fd, bytes, count);
    pthread_mutex_unlock(&lock);
    return done;
}

static int guarded_sync(int fd, int (**real)(int)) {
    char path[PATH_MAX];
    struct stat state;
    pthread_mutex_lock(&lock);
    start();
    int is_watched = watched_any(fd, path, &state);
    uint64_t number = ++syncs;
    state.st_size = 0; /* sync records save no content; `offset` carries their number */
    if (is_watched) save(KIND_SYNC_BEGAN, number, 0, path, &state);
    pthread_mutex_unlock(&lock);
    if (!is_watched) return (*real)(fd);
    usleep(SYNC_US);
    pthread_mutex_lock(&lock);
    save(KIND_SYNC_DONE, number, 0, path, &state);
    pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int fd) { start(); return guarded_sync(fd, &real_fsync); }
int fdatasync(int fd) { start(); return guarded_sync(fd, &real_fdatasync); }

static int guarded_truncate(int fd, off64_t length) {
    char path[PATH_MAX];
    struct stat state;
    pthread_mutex_lock(&lock);
    start();
    if (watched(fd, path, &state) && length < state.st_size)
        save(KIND_TRUNCATE, (uint64_t)length, (uint64_t)(state.st_size - length), path, &state);
    else if (watched(fd, path, &state))
        save(KIND_TRUNCATE, (uint64_t)state.st_size, 0, path, &state);
    int done = real_ftruncate64(fd, length);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate64(int fd, off64_t length) { return guarded_truncate(fd, length); }
int ftruncate(int fd, off_t length) { return guarded_truncate(fd, length); }

static int guarded_open(int folder, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    struct stat state, parent;
    pthread_mutex_lock(&lock);
    start();
    int is_new = log_fd >= 0 && (flags & O_CREAT) && faccessat(folder, name, F_OK, 0) != 0;
    int fd = real_openat64(folder, name, flags & ~O_TRUNC, mode);
    int error = errno;
    if (fd >= 0 && (is_new || (flags & O_TRUNC)) && watched(fd, path, &state)) {
        if (state.st_size > 0) refuse("a watched file was opened with O_TRUNC");
        char *slash = strrchr(path, '/');
        *slash = 0;
        int has_parent = stat(path, &parent) == 0;
        *slash = '/';
        if (is_new && has_parent) save(KIND_CREATE, (uint64_t)parent.st_ino, 0, path, &state);
    } else if (fd >= 0 && (flags & O_TRUNC) && fstat(fd, &state) == 0 && S_ISREG(state.st_mode)) {
        real_ftruncate64(fd, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return fd;
}

static mode_t mode_of(int flags, va_list arguments) {
    return (flags & (O_CREAT | O_TMPFILE)) ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name, parameters, folder)                                                                                \
    int name parameters {                                                                                             \
        va_list arguments;                                                                                            \
        va_start(arguments, flags);                                                                                   \
        mode_t mode = mode_of(flags, arguments);                                                                      \
        va_end(arguments);                                                                                            \
        return guarded_open(folder, path, flags, mode);                                                               \
    }
OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int folder, const char *path, int flags, ...), folder)
OPEN(openat64, (int folder, const char *path, int flags, ...), folder)

int unlink(const char *name) {
    char path[PATH_MAX];
    struct stat state;
    pthread_mutex_lock(&lock);
    start();
    if (log_fd >= 0 && realpath(name, path) && is_below_root(path) && stat(path, &state) == 0) {
        state.st_size = 0;
        save(KIND_REMOVE, 0, 0, path, &state);
    }
    int done = real_unlink(name);
    pthread_mutex_unlock(&lock);
    return done;
}

/* Calls that would change a watched file behind the log's back. */
#define NOT_MODELLED(type, name, parameters, call)                                                                    \
    type name parameters {                                                                                            \
        static type (*real) parameters;                                                                               \
        char path[PATH_MAX];                                                                                          \
        struct stat state;                                                                                            \
        pthread_mutex_lock(&lock);                                                                                    \
        start();                                                                                                      \
        if (!real) real = dlsym(RTLD_NEXT, #name);                                                                    \
        if (watched(fd, path, &state)) refuse(#name " on a watched file");                                            \
        pthread_mutex_unlock(&lock);                                                                                  \
        return real call;                                                                                             \
    }
NOT_MODELLED(ssize_t, writev, (int fd, const struct iovec *vector, int count), (fd, vector, count))
NOT_MODELLED(ssize_t, pwritev, (int fd, const struct iovec *vector, int count, off_t at), (fd, vector, count, at))
NOT_MODELLED(ssize_t, pwritev64, (int fd, const struct iovec *vector, int count, off64_t at), (fd, vector, count, at))
NOT_MODELLED(int, fallocate, (int fd, int mode, off_t at, off_t length), (fd, mode, at, length))
NOT_MODELLED(int, fallocate64, (int fd, int mode, off64_t at, off64_t length), (fd, mode, at, length))
NOT_MODELLED(int, posix_fallocate, (int fd, off_t at, off_t length), (fd, at, length))
NOT_MODELLED(int, posix_fallocate64, (int fd, off64_t at, off64_t length), (fd, at, length))

static int guarded_rename(const char *from, const char *to) {
    static int (*real)(const char *, const char *);
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    start();
    if (!real) real = dlsym(RTLD_NEXT, "rename");
    if (log_fd >= 0 && realpath(from, path) && is_below_root(path)) refuse("rename of a watched file");
    pthread_mutex_unlock(&lock);
    return real(from, to);
}

int rename(const char *from, const char *to) { return guarded_rename(from, to); }
