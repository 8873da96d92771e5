/* Stands before the C library: fails chosen system calls below one folder, and turns the wall clock.
 *
 * Built and preloaded by harness.py; does nothing until a process calls arm() or turn_clock(). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OFF, ONCE, FULL, SHORT };

static char folder[PATH_MAX];
static int mode = OFF, code, clock_turns;
static long count, at;
static unsigned long long state = 88172645463325252ull;

void arm(const char *path, int how, long number, int error) {
    snprintf(folder, sizeof folder, "%s", path);
    count = 0, at = number, code = error, mode = how;
}

long calls(void) { return count; }

void turn_clock(int on) { clock_turns = on; }

static int below(const char *path) {
    char here[PATH_MAX];
    if (path[0] != '/') {
        if (syscall(SYS_getcwd, here, sizeof here) < 0) return 0;
        path = here;
    }
    return strncmp(path, folder, strlen(folder)) == 0;
}

static int file_below(int file) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    long length = syscall(SYS_readlink, link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below(path);
}

/* Whether this call, one of those counted, is to fail; space: whether it needs room on the disk. */
static int fails(int space) {
    long number = count++;
    int now = mode == ONCE ? number == at : mode == FULL && number >= at && space;
    if (now) errno = code;
    return now;
}

ssize_t write(int file, const void *buffer, size_t size) {
    if (mode && file_below(file)) {
        if (mode == SHORT && size > 1) size = 1 + size / 3;
        else if (fails(1)) return -1;
    }
    return syscall(SYS_write, file, buffer, size);
}

ssize_t pwrite64(int file, const void *buffer, size_t size, off64_t offset) {
    if (mode && file_below(file) && fails(1)) return -1;
    return syscall(SYS_pwrite64, file, buffer, size, offset);
}

ssize_t pwrite(int file, const void *buffer, size_t size, off_t offset) {
    return pwrite64(file, buffer, size, offset);
}

ssize_t writev(int file, const struct iovec *parts, int number) {
    if (mode && file_below(file) && fails(1)) return -1;
    return syscall(SYS_writev, file, parts, number);
}

int fsync(int file) { return mode && file_below(file) && fails(0) ? -1 : (int)syscall(SYS_fsync, file); }

int fdatasync(int file) {
    return mode && file_below(file) && fails(0) ? -1 : (int)syscall(SYS_fdatasync, file);
}

int ftruncate64(int file, off64_t size) {
    return mode && file_below(file) && fails(1) ? -1 : (int)syscall(SYS_ftruncate, file, size);
}

int ftruncate(int file, off_t size) { return ftruncate64(file, size); }

int rename(const char *from, const char *to) {
    if (mode && below(to) && fails(0)) return -1;
    return (int)syscall(SYS_rename, from, to);
}

int mkdir(const char *path, mode_t rights) {
    if (mode && below(path) && fails(1)) return -1;
    return (int)syscall(SYS_mkdir, path, rights);
}

static int opened(int from, const char *path, int flags, mode_t rights) {
    if (mode && (flags & O_CREAT) && below(path) && fails(1)) return -1;
    return (int)syscall(SYS_openat, from, path, flags, rights);
}

#define OPEN(name)                                     \
    int name(const char *path, int flags, ...) {       \
        va_list rest;                                  \
        va_start(rest, flags);                         \
        mode_t rights = va_arg(rest, mode_t);          \
        va_end(rest);                                  \
        return opened(AT_FDCWD, path, flags, rights);  \
    }
OPEN(open)
OPEN(open64)

/* Up to ten years to either side, anew at each look. */
static long wander(void) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (long)(state % 630000000ull) - 315000000l;
}

int clock_gettime(clockid_t which, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, which, now);
    if (clock_turns && which == CLOCK_REALTIME) count++, now->tv_sec += wander();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec fine;
    int result = clock_gettime(CLOCK_REALTIME, &fine);
    now->tv_sec = fine.tv_sec, now->tv_usec = fine.tv_nsec / 1000;
    return result;
}

time_t time(time_t *place) {
    struct timespec fine;
    clock_gettime(CLOCK_REALTIME, &fine);
    if (place) *place = fine.tv_sec;
    return fine.tv_sec;
}
