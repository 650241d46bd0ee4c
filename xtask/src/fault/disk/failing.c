/* A disk that fails once: preloaded before the C library, it counts the calls that open, write, sync, cut, rename or
 * remove a file below one folder, over all threads of the process, and lets one of them fail.
 *
 *   DISK_FOLDER  the folder; what lies below DISK_EXCEPT is not counted
 *   DISK_AT      which call fails, from 1; 0 for none
 *   DISK_ERROR   EIO; ENOSPC, after half of what was to be written; or KILL, which ends the process before the call
 *   DISK_SITES   where a line "call path" is appended: of each call where none fails, else of the one that failed
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static const char *folder, *except, *sites, *word;
static long fails_at;
static atomic_long calls;

__attribute__((constructor)) static void begin(void) {
    const char *at = getenv("DISK_AT");
    folder = getenv("DISK_FOLDER");
    except = getenv("DISK_EXCEPT");
    sites = getenv("DISK_SITES");
    word = getenv("DISK_ERROR");
    fails_at = at ? atol(at) : 0;
}

static int below(const char *path, const char *parent) {
    return parent && *parent && strncmp(path, parent, strlen(parent)) == 0;
}

static void note(const char *call, const char *path) {
    char line[1024];
    int length = snprintf(line, sizeof line, "%s %s\n", call, path);
    long file = sites ? syscall(SYS_openat, AT_FDCWD, sites, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (file < 0 || length < 0) return;
    syscall(SYS_write, file, line, (size_t)length < sizeof line ? (size_t)length : sizeof line);
    syscall(SYS_close, file);
}

/* Whether this call is the one that fails; errno says how. */
static int fails(const char *call, const char *path) {
    long number;
    if (!path || !below(path, folder) || below(path, except)) return 0;
    number = atomic_fetch_add(&calls, 1) + 1;
    if (fails_at == 0) note(call, path);
    if (number != fails_at) return 0;
    note(call, path);
    if (word && strcmp(word, "KILL") == 0) raise(SIGKILL);
    errno = word && strcmp(word, "ENOSPC") == 0 ? ENOSPC : EIO;
    return 1;
}

static int fails_on(const char *call, int file) {
    char link[64], path[1024];
    int saved = errno;
    long length;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    errno = saved;
    if (length <= 0) return 0;
    path[length] = 0;
    return fails(call, path);
}

static int open_file(int at, const char *path, int flags, mode_t mode) {
    if (fails("open", path)) return -1;
    return (int)syscall(SYS_openat, at, path, flags, mode);
}

#define MODE(flags, last)                                            \
    mode_t mode = 0;                                                 \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                         \
        va_list more;                                                \
        va_start(more, last);                                        \
        mode = va_arg(more, mode_t);                                 \
        va_end(more);                                                \
    }

int open(const char *path, int flags, ...) { MODE(flags, flags) return open_file(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, flags) return open_file(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags, flags) return open_file(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags, flags) return open_file(at, path, flags, mode); }

ssize_t write(int file, const void *bytes, size_t length) {
    if (fails_on("write", file)) {
        int error = errno;
        if (error == ENOSPC) syscall(SYS_write, file, bytes, length / 2);
        errno = error;
        return -1;
    }
    return syscall(SYS_write, file, bytes, length);
}

static ssize_t write_at(int file, const void *bytes, size_t length, off64_t place) {
    if (fails_on("pwrite", file)) {
        int error = errno;
        if (error == ENOSPC) syscall(SYS_pwrite64, file, bytes, length / 2, place);
        errno = error;
        return -1;
    }
    return syscall(SYS_pwrite64, file, bytes, length, place);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t place) { return write_at(file, bytes, length, place); }
ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t place) { return write_at(file, bytes, length, place); }
int fsync(int file) { return fails_on("fsync", file) ? -1 : (int)syscall(SYS_fsync, file); }
int fdatasync(int file) { return fails_on("fdatasync", file) ? -1 : (int)syscall(SYS_fdatasync, file); }
int ftruncate(int file, off_t length) { return fails_on("ftruncate", file) ? -1 : (int)syscall(SYS_ftruncate, file, length); }
int ftruncate64(int file, off64_t length) { return fails_on("ftruncate", file) ? -1 : (int)syscall(SYS_ftruncate, file, length); }
int rename(const char *from, const char *to) {
    return fails("rename", to) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int unlink(const char *path) { return fails("unlink", path) ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0); }
