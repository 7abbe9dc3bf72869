/* A disk that fails when it is told to, for one process: preloaded, it stands between the program and the C library.
 *
 * It watches files whose names end in `.db` and `.db-wal`, and keeps beside them, in DISK_FOLDER, one byte for each
 * byte of such a file: 0 durable, 1 written and not synced, 2 lost. A sync that succeeds makes 1 into 0. A sync that
 * fails makes 1 into 2, as kernels do: they report the failure once, call the pages clean, and a later sync that succeeds
 * says nothing of them (https://www.usenix.org/conference/atc20/presentation/rebello). Only a new write makes 2 into 1.
 * The map is a file, so that it outlives kill -9, and the test takes from it what a power cut leaves.
 *
 *   DISK_CALL    sync | write: the call that goes wrong
 *   DISK_FILE    the end of the name of the file it goes wrong on
 *   DISK_AT      the first such call that does, from 1
 *   DISK_TIMES   how many of them do
 *   DISK_HOW     EIO | ENOSPC | EROFS | short (half of it is written, then ENOSPC) | kill (half of it, then kill -9)
 *
 * Once something went wrong there is a file `fired` in DISK_FOLDER. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#define SIZE (8 << 20) /* A sparse file: larger than any store of a test. */

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static long calls, shortened;
static struct { unsigned char *map; off_t end; } files[2]; /* The main file, and the log. */

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

static int ends(const char *text, const char *end) {
    size_t a = strlen(text), b = strlen(end);
    return a >= b && b > 0 && strcmp(text + a - b, end) == 0;
}

/* The name of the file behind fd, when it is watched. */
static const char *watched(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length <= 0) return NULL;
    path[length] = 0;
    if (!ends(path, ".db") && !ends(path, ".db-wal")) return NULL;
    return strrchr(path, '/') + 1;
}

static int open_in_folder(const char *name, const char *end) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s%s", setting("DISK_FOLDER"), name, end);
    return open(path, O_RDWR | O_CREAT, 0600);
}

static int of(const char *name) {
    int at = ends(name, "-wal");
    if (!files[at].map) {
        int fd = open_in_folder(name, ".map");
        if (fd < 0 || ftruncate(fd, SIZE)) abort();
        files[at].map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (files[at].map == MAP_FAILED) abort();
        close(fd);
    }
    return at;
}

static void wrote(const char *name, off_t from, ssize_t count) {
    if (count <= 0) return;
    if (from + count > SIZE) abort();
    int file = of(name);
    memset(files[file].map + from, 1, count);
    if (files[file].end < from + count) files[file].end = from + count;
}

static void synced(const char *name, int failed) {
    int file = of(name);
    for (off_t at = 0; at < files[file].end; at++)
        if (files[file].map[at] == 1) files[file].map[at] = failed ? 2 : 0;
}

/* Whether this call is to go wrong. */
static int chosen(const char *call, const char *name) {
    if (strcmp(call, setting("DISK_CALL")) || !ends(name, setting("DISK_FILE"))) return 0;
    long at = atol(setting("DISK_AT")), times = atol(setting("DISK_TIMES"));
    calls++;
    if (calls < at || calls >= at + times) return 0;
    close(open_in_folder("fired", ""));
    return 1;
}

static int code(void) {
    const char *how = setting("DISK_HOW");
    return !strcmp(how, "EIO") ? EIO : !strcmp(how, "EROFS") ? EROFS : ENOSPC;
}

static ssize_t put(int fd, const void *from, size_t count, off_t at) {
    static ssize_t (*real)(int, const void *, size_t, off_t);
    static ssize_t (*plain)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
    if (!plain) plain = dlsym(RTLD_NEXT, "write");
    return at < 0 ? plain(fd, from, count) : real(fd, from, count, at);
}

static ssize_t store(int fd, const void *from, size_t count, off_t at) {
    char path[4096];
    const char *name = watched(fd, path, sizeof path);
    if (!name) return put(fd, from, count, at);
    pthread_mutex_lock(&turn);
    const char *how = setting("DISK_HOW");
    off_t place = at < 0 ? lseek(fd, 0, SEEK_CUR) : at;
    ssize_t done = -1;
    int half = !strcmp(how, "short") || !strcmp(how, "kill");
    if (shortened) {
        shortened = 0;
        errno = ENOSPC;
    } else if (!chosen("write", name)) {
        done = put(fd, from, count, at);
    } else if (half) {
        done = put(fd, from, count / 2, at);
        shortened = 1;
    } else {
        errno = code();
    }
    int error = errno;
    wrote(name, place, done);
    if (shortened && !strcmp(how, "kill")) kill(getpid(), SIGKILL);
    pthread_mutex_unlock(&turn);
    errno = error;
    return done;
}

ssize_t write(int fd, const void *from, size_t count) { return store(fd, from, count, -1); }
ssize_t pwrite(int fd, const void *from, size_t count, off_t at) { return store(fd, from, count, at); }
ssize_t pwrite64(int fd, const void *from, size_t count, off_t at) { return store(fd, from, count, at); }

static int sync_by(const char *call, int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, call);
    char path[4096];
    const char *name = watched(fd, path, sizeof path);
    if (!name) return real(fd);
    pthread_mutex_lock(&turn);
    int done = -1;
    if (!chosen("sync", name)) {
        done = real(fd);
    } else if (!strcmp(setting("DISK_HOW"), "kill")) {
        kill(getpid(), SIGKILL);
    } else {
        errno = code();
    }
    int error = errno;
    synced(name, done);
    pthread_mutex_unlock(&turn);
    errno = error;
    return done;
}

int fsync(int fd) { return sync_by("fsync", fd); }
int fdatasync(int fd) { return sync_by("fdatasync", fd); }
