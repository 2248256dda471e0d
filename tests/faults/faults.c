/* Fault shim: loaded by LD_PRELOAD, it counts the calls with which a process changes the files below a folder, or
 * writes to the sockets of a port, and at the n-th of them fails, waits or kills the process.
 *
 * FAULTS_ROOT     only files below this folder are watched; the shared-memory index (-shm) is no durable state
 * FAULTS_FILES    a text that the path must hold; TEXT$: a path of the journal must end with it; absent: every file
 * FAULTS_PORTS    ports whose sockets are watched, local or remote, separated by commas; absent: no socket
 * FAULTS_KINDS    letters of what is counted: w write, s sync, t truncate, u unlink, n sent to the network, r received
 *                 (which can only be killed after); absent: wstun
 * FAULTS_AT       the first call to act on, from 1; absent or 0: only counts
 * FAULTS_TIMES    how many calls from there on are acted on; 0: all; absent: 1
 * FAULTS_WHILE    a file: acted on only while it is there
 * FAULTS_ACT      eio, enospc, short (half is written, and said so), delay (FAULTS_DELAY_US), before, amid, after
 *                 (SIGKILL to itself before the call, after half of what it writes, or after the call)
 * FAULTS_LOG      a line for each counted call: number, letter, name of the file; and one before it acts
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum act { NOTHING, EIO_ERROR, NO_SPACE, SHORT, DELAY, BEFORE, AMID, AFTER };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char root[PATH_MAX];
static const char *files, *ports, *kinds, *gate;
static long at, times, delay_us;
static enum act act;
static int log_fd = -1;
static atomic_long calls;

#define REAL(type, name, parameters) static type (*real_##name) parameters
REAL(ssize_t, pwrite64, (int, const void *, size_t, off64_t));
REAL(ssize_t, write, (int, const void *, size_t));
REAL(ssize_t, writev, (int, const struct iovec *, int));
REAL(ssize_t, send, (int, const void *, size_t, int));
REAL(ssize_t, sendto, (int, const void *, size_t, int, const struct sockaddr *, socklen_t));
REAL(ssize_t, sendmsg, (int, const struct msghdr *, int));
REAL(ssize_t, recv, (int, void *, size_t, int));
REAL(int, fsync, (int));
REAL(int, fdatasync, (int));
REAL(int, ftruncate64, (int, off64_t));
REAL(int, unlink, (const char *));
REAL(int, unlinkat, (int, const char *, int));

static long number(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text && *text ? atol(text) : otherwise;
}

static enum act act_of(const char *word) {
    static const char *words[] = {"", "eio", "enospc", "short", "delay", "before", "amid", "after"};
    for (int n = 1; word && n < 8; n++)
        if (strcmp(word, words[n]) == 0) return (enum act)n;
    return NOTHING;
}

static void start(void) {
    real_pwrite64 = dlsym(RTLD_NEXT, "pwrite64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_send = dlsym(RTLD_NEXT, "send");
    real_sendto = dlsym(RTLD_NEXT, "sendto");
    real_sendmsg = dlsym(RTLD_NEXT, "sendmsg");
    real_recv = dlsym(RTLD_NEXT, "recv");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate64 = dlsym(RTLD_NEXT, "ftruncate64");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_unlinkat = dlsym(RTLD_NEXT, "unlinkat");
    const char *watched = getenv("FAULTS_ROOT");
    if (!watched || !realpath(watched, root)) { root[0] = 0; return; }
    files = getenv("FAULTS_FILES");
    ports = getenv("FAULTS_PORTS");
    kinds = getenv("FAULTS_KINDS");
    if (!kinds) kinds = "wstun";
    gate = getenv("FAULTS_WHILE");
    at = number("FAULTS_AT", 0);
    times = number("FAULTS_TIMES", 1);
    delay_us = number("FAULTS_DELAY_US", 0);
    act = act_of(getenv("FAULTS_ACT"));
    const char *log = getenv("FAULTS_LOG");
    if (log) log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void begin(void) { pthread_once(&once, start); }

static void say(const char *word, long call, char kind, const char *name) {
    char line[NAME_MAX + 64];
    int length = snprintf(line, sizeof line, "%s %ld %c %s\n", word, call, kind, name);
    if (log_fd >= 0 && real_write(log_fd, line, (size_t)length) != length) abort();
}

/* Counts a call on a watched thing, and says what is to be done about it. */
static enum act judge(char kind, const char *name) {
    if (!strchr(kinds, kind)) return NOTHING;
    if (gate && access(gate, F_OK) != 0) return NOTHING;
    long call = atomic_fetch_add(&calls, 1) + 1;
    int acts = at > 0 && act != NOTHING && call >= at && (times == 0 || call < at + times);
    say(acts ? "act" : "call", call, kind, name);
    if (!acts) return NOTHING;
    if (act == BEFORE) kill(getpid(), SIGKILL);
    if (act == DELAY) usleep((useconds_t)delay_us);
    return act;
}

static const char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int is_watched(const char *path) {
    size_t prefix = strlen(root), length = strlen(path);
    if (!prefix || strncmp(path, root, prefix) != 0 || (path[prefix] != '/' && path[prefix] != 0)) return 0;
    if (length > 4 && strcmp(path + length - 4, "-shm") == 0) return 0;
    if (!files) return 1;
    size_t wanted = strlen(files);
    if (!wanted || files[wanted - 1] != '$') return strstr(path + prefix, files) != NULL;
    wanted--;
    return length >= prefix + wanted && strncmp(path + length - wanted, files, wanted) == 0 && strstr(path, "/journal/");
}

static enum act of_file(int fd, char kind) {
    char link[64], path[PATH_MAX];
    struct stat state;
    begin();
    if (!root[0] || fd == log_fd) return NOTHING;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0 || path[0] != '/') return NOTHING;
    path[length] = 0;
    if (!is_watched(path) || fstat(fd, &state) != 0) return NOTHING;
    return judge(kind, name_of(path));
}

static int is_a_port(const struct sockaddr_storage *address) {
    int port = address->ss_family == AF_INET    ? ntohs(((const struct sockaddr_in *)address)->sin_port)
               : address->ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)address)->sin6_port)
                                                : 0;
    for (const char *next = ports; port && next; next = strchr(next, ',')) {
        if (*next == ',') next++;
        if (atoi(next) == port) return port;
    }
    return 0;
}

static enum act of_socket(int fd, char kind) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char name[16];
    begin();
    if (!root[0] || !ports) return NOTHING;
    int port = getsockname(fd, (struct sockaddr *)&address, &length) == 0 ? is_a_port(&address) : 0;
    length = sizeof address;
    if (!port && getpeername(fd, (struct sockaddr *)&address, &length) == 0) port = is_a_port(&address);
    if (!port) return NOTHING;
    snprintf(name, sizeof name, "%d", port);
    return judge(kind, name);
}

static int fails(enum act what) {
    if (what == EIO_ERROR) errno = EIO;
    if (what == NO_SPACE) errno = ENOSPC;
    return what == EIO_ERROR || what == NO_SPACE;
}

static size_t part(enum act what, size_t count) { return what == SHORT || what == AMID ? (count + 1) / 2 : count; }

static void after(enum act what) {
    if (what == AMID || what == AFTER) kill(getpid(), SIGKILL);
}

static ssize_t faulty_pwrite(int fd, const void *bytes, size_t count, off64_t offset) {
    enum act what = of_file(fd, 'w');
    if (fails(what)) return -1;
    ssize_t done = real_pwrite64(fd, bytes, part(what, count), offset);
    after(what);
    return done;
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) { return faulty_pwrite(fd, bytes, count, offset); }
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return faulty_pwrite(fd, bytes, count, offset); }

ssize_t write(int fd, const void *bytes, size_t count) {
    begin();
    enum act what = of_file(fd, 'w');
    if (fails(what)) return -1;
    ssize_t done = real_write(fd, bytes, part(what, count));
    after(what);
    return done;
}

ssize_t writev(int fd, const struct iovec *vector, int count) {
    begin();
    enum act what = of_socket(fd, 'n');
    if (fails(what)) return -1;
    ssize_t done = real_writev(fd, vector, count);
    after(what);
    return done;
}

ssize_t send(int fd, const void *bytes, size_t count, int flags) {
    begin();
    enum act what = of_socket(fd, 'n');
    if (fails(what)) return -1;
    ssize_t done = real_send(fd, bytes, part(what, count), flags);
    after(what);
    return done;
}

ssize_t sendto(int fd, const void *bytes, size_t count, int flags, const struct sockaddr *to, socklen_t length) {
    begin();
    enum act what = of_socket(fd, 'n');
    if (fails(what)) return -1;
    ssize_t done = real_sendto(fd, bytes, part(what, count), flags, to, length);
    after(what);
    return done;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    begin();
    enum act what = of_socket(fd, 'n');
    if (fails(what)) return -1;
    ssize_t done = real_sendmsg(fd, message, flags);
    after(what);
    return done;
}

ssize_t recv(int fd, void *bytes, size_t count, int flags) {
    begin();
    ssize_t done = real_recv(fd, bytes, count, flags);
    int error = errno;
    if (done > 0) after(of_socket(fd, 'r'));
    errno = error;
    return done;
}

static int faulty_sync(int fd, int (**real)(int)) {
    enum act what = of_file(fd, 's');
    if (fails(what)) return -1;
    int done = (*real)(fd);
    after(what);
    return done;
}
int fsync(int fd) { begin(); return faulty_sync(fd, &real_fsync); }
int fdatasync(int fd) { begin(); return faulty_sync(fd, &real_fdatasync); }

static int faulty_truncate(int fd, off64_t length) {
    enum act what = of_file(fd, 't');
    if (fails(what)) return -1;
    int done = real_ftruncate64(fd, length);
    after(what);
    return done;
}
int ftruncate64(int fd, off64_t length) { return faulty_truncate(fd, length); }
int ftruncate(int fd, off_t length) { return faulty_truncate(fd, length); }

static enum act of_path(const char *name) {
    char path[PATH_MAX];
    begin();
    if (!root[0] || !realpath(name, path) || !is_watched(path)) return NOTHING;
    return judge('u', name_of(path));
}

int unlink(const char *name) {
    enum act what = of_path(name);
    if (fails(what)) return -1;
    int done = real_unlink(name);
    after(what);
    return done;
}

int unlinkat(int folder, const char *name, int flags) {
    enum act what = name[0] == '/' ? of_path(name) : NOTHING;
    begin();
    if (fails(what)) return -1;
    int done = real_unlinkat(folder, name, flags);
    after(what);
    return done;
}
