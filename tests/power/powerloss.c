/* Power-loss shim: loaded by LD_PRELOAD, it remembers what each write covered since the last fsync of its file, so
 * that after a kill the harness can put every file back to what a disk would hold after the power went.
 *
 * POWERLOSS_LOG     folder for the undo logs (outside the watched folder); one log a process
 * POWERLOSS_ROOT    only files below this folder are watched
 *
 * Before a write, the bytes it will cover and the file's size go to the undo log as one record, in one write(2). An
 * fsync or fdatasync appends a record when it begins and one when it succeeded; it covers what was written before it
 * began. After the kill, `undo.py` walks each log backwards from its end and restores every write of a file that no
 * later, successful sync of the same file covers.
 * The page cache survives SIGKILL, so the log needs no fsync of its own.
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

enum kind { KIND_WRITE = 1, KIND_SYNC_BEGAN = 2, KIND_TRUNCATE = 3, KIND_SYNC_DONE = 4 };

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

static void start(void) {
    if (log_fd != -2) return;
    real_pwrite64 = dlsym(RTLD_NEXT, "pwrite64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate64 = dlsym(RTLD_NEXT, "ftruncate64");
    const char *folder = getenv("POWERLOSS_LOG");
    const char *watched = getenv("POWERLOSS_ROOT");
    if (!folder || !watched || !realpath(watched, root)) { log_fd = -1; return; }
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%ld.undo", folder, (long)getpid());
    log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* The path of a watched regular file behind fd, or 0. The shared-memory index (-shm) is no durable state. */
static int watched(int fd, char *path, struct stat *state) {
    char link[64];
    if (log_fd < 0 || fd == log_fd) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    size_t prefix = strlen(root);
    if (strncmp(path, root, prefix) != 0 || path[prefix] != '/') return 0;
    if (length > 4 && strcmp(path + length - 4, "-shm") == 0) return 0;
    return fstat(fd, state) == 0 && S_ISREG(state->st_mode);
}

static void save(int fd, enum kind kind, uint64_t offset, uint64_t count, const char *path, const struct stat *state) {
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
        int reader = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t got = reader < 0 ? -1 : pread64(reader, buffer + sizeof *record + done, saved - done, (off64_t)(offset + done));
        if (reader >= 0) close(reader);
        if (got <= 0) abort();
        done += (uint64_t)got;
    }
    memcpy(buffer + sizeof *record + saved, path, path_bytes);
    if (real_write(log_fd, buffer, total) != (ssize_t)total) abort();
    free(buffer);
    (void)fd;
}

static ssize_t guarded_pwrite(int fd, const void *bytes, size_t count, off64_t offset) {
    char path[PATH_MAX];
    struct stat state;
    pthread_mutex_lock(&lock);
    start();
    if (watched(fd, path, &state)) save(fd, KIND_WRITE, (uint64_t)offset, count, path, &state);
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
        save(fd, KIND_WRITE, (uint64_t)at, count, path, &state);
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
    int is_watched = watched(fd, path, &state);
    uint64_t number = ++syncs;
    state.st_size = 0; /* sync records save no content; `offset` carries their number */
    if (is_watched) save(fd, KIND_SYNC_BEGAN, number, 0, path, &state);
    pthread_mutex_unlock(&lock);
    int done = (*real)(fd);
    if (done == 0 && is_watched) {
        pthread_mutex_lock(&lock);
        save(fd, KIND_SYNC_DONE, number, 0, path, &state);
        pthread_mutex_unlock(&lock);
    }
    return done;
}

int fsync(int fd) { start(); return guarded_sync(fd, &real_fsync); }
int fdatasync(int fd) { start(); return guarded_sync(fd, &real_fdatasync); }

static int guarded_truncate(int fd, off64_t length) {
    char path[PATH_MAX];
    struct stat state;
    pthread_mutex_lock(&lock);
    start();
    if (watched(fd, path, &state) && length < state.st_size)
        save(fd, KIND_TRUNCATE, (uint64_t)length, (uint64_t)(state.st_size - length), path, &state);
    else if (watched(fd, path, &state))
        save(fd, KIND_TRUNCATE, (uint64_t)state.st_size, 0, path, &state);
    int done = real_ftruncate64(fd, length);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate64(int fd, off64_t length) { return guarded_truncate(fd, length); }
int ftruncate(int fd, off_t length) { return guarded_truncate(fd, length); }
