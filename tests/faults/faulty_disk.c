/* Counts the changes that a process makes to files under FAULT_ROOT, and lets one of them go wrong.

   FAULT_AT=n     the n-th change, counted from 1; 0 for none
   FAULT_KIND     kill: the process dies in the middle of it; full: it and all later writes fail, the disk is full
   FAULT_COUNT    file to which the number of changes is written at the end

   To be preloaded with LD_PRELOAD; it reaches Python, Java and libsndfile alike, since all call the C library. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static long changes;

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

static int under_root(const char *path) {
    const char *root = setting("FAULT_ROOT");
    return *root && path && strncmp(path, root, strlen(root)) == 0;
}

static int path_is_ours(const char *path) {
    char cwd[PATH_MAX], whole[2 * PATH_MAX];
    if (!path || *path == '/' || !getcwd(cwd, sizeof cwd)) return under_root(path);
    snprintf(whole, sizeof whole, "%s/%s", cwd, path);
    return under_root(whole);
}

static int file_is_ours(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return under_root(path);
}

/* 0: go on; 1: die in the middle; -1: fail. */
static int fate(int takes_space) {
    long number = __atomic_add_fetch(&changes, 1, __ATOMIC_SEQ_CST), at = atol(setting("FAULT_AT"));
    if (!at) return 0;
    if (!strcmp(setting("FAULT_KIND"), "kill")) return number == at;
    return takes_space && number >= at ? -1 : 0;
}

static void die(void) { kill(getpid(), SIGKILL); }

static int full(void) {
    errno = ENOSPC;
    return -1;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, write, int, const void *, size_t);
    if (!file_is_ours(fd)) return real(fd, data, size);
    switch (fate(1)) {
        case 1: real(fd, data, size / 2); die();
        case -1: return full();
    }
    return real(fd, data, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    if (file_is_ours(fd)) switch (fate(1)) {
        case 1: real(fd, parts, count / 2); die();
        case -1: return full();
    }
    return real(fd, parts, count);
}

#define OPEN(name) \
int name(const char *path, int flags, ...) { \
    REAL(int, name, const char *, int, ...); \
    va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
    if ((flags & O_CREAT) && path_is_ours(path) && access(path, F_OK)) switch (fate(1)) { \
        case 1: die(); \
        case -1: return full(); \
    } \
    return real(path, flags, mode); \
}
OPEN(open)
OPEN(open64)

#define ON_PATH(name, parameters, arguments, path, space) \
int name parameters { \
    static int (*real) parameters; \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name); \
    if (path_is_ours(path)) switch (fate(space)) { \
        case 1: die(); \
        case -1: return full(); \
    } \
    return real arguments; \
}
ON_PATH(rename, (const char *from, const char *to), (from, to), to, 0)
ON_PATH(unlink, (const char *path), (path), path, 0)
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode), path, 1)

int fsync(int fd) {
    REAL(int, fsync, int);
    if (file_is_ours(fd)) switch (fate(1)) {
        case 1: die();
        case -1: return full();
    }
    return real(fd);
}

__attribute__((destructor)) static void report(void) {
    const char *path = setting("FAULT_COUNT");
    FILE *file = *path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%ld\n", changes);
        fclose(file);
    }
}
