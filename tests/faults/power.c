/* SPDX-License-Identifier: MIT */
/* Runs a program until its AT-th change of a file below the folder it is run
 * in, and ends it there as kill -9 or a loss of power does:
 *
 *     power kill AT COMMAND...   a write is half done, all before it is kept
 *     power data AT COMMAND...   of what was written only what was synced is
 *                                kept; names are, of files that were not, too
 *     power lose AT COMMAND...   nor are names, unless their folder was synced
 *     power count 0 COMMAND...   counts the changes, on descriptor 9
 *
 * Where there are fewer changes power is lost after the program's end.
 *
 * A change is a write, a cut, a sync, a new name, a removed or a moved one. The
 * program is watched by ptrace, so that what the C library writes by itself
 * counts too; what a change overwrites is kept, and put back for whatever no
 * sync came after. Exits with 99 where nothing can be watched, with 137 where
 * the program was ended, else as the program did. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <linux/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANNOT = 99, KILLED = 137 };

typedef struct ptrace_syscall_info call_info;

/* ---- what was there before each change ----------------------------------- */

enum change_kind { BYTES, CREATED, MOVED, REMOVED };

typedef struct change {
    enum change_kind kind;
    int fd;                /* BYTES: ours, of the file */
    dev_t device;          /* of the file, or of the folder that names it */
    ino_t inode;
    off_t size, at;        /* BYTES: its size before, and what was at `at` */
    char *bytes;
    size_t count;
    char name[PATH_MAX], from[PATH_MAX], kept[PATH_MAX];
} change;

static change *changes;
static size_t changed, room;
static char folder[PATH_MAX], spare[PATH_MAX];

static change *add_change(enum change_kind kind)
{
    if (changed == room) {
        room = room ? 2 * room : 64;
        changes = realloc(changes, room * sizeof(*changes));
        if (!changes)
            exit(CANNOT);
    }
    change *c = &changes[changed++];
    memset(c, 0, sizeof(*c));
    c->kind = kind;
    c->fd = -1;
    return c;
}

static void names_folder(change *c)
{
    char parent[PATH_MAX];
    struct stat status;

    snprintf(parent, sizeof(parent), "%s", c->name);
    *strrchr(parent, '/') = '\0';
    if (stat(parent, &status) == 0) {
        c->device = status.st_dev;
        c->inode = status.st_ino;
    }
}

/* The file's bytes from `at` on, as they are now. */
static void keep_bytes(int fd, off_t at, size_t count)
{
    struct stat status;
    change *c = add_change(BYTES);

    c->fd = fd;
    fstat(fd, &status);
    c->device = status.st_dev;
    c->inode = status.st_ino;
    c->size = status.st_size;
    c->at = at;
    if (at < status.st_size) {
        size_t rest = (size_t)(status.st_size - at);
        c->bytes = malloc(rest < count ? rest : count);
        ssize_t got = c->bytes
            ? pread(fd, c->bytes, rest < count ? rest : count, at) : -1;
        if (got < 0)
            exit(CANNOT);
        c->count = (size_t)got;
    }
}

/* A second name for a file that is about to lose its own. */
static void keep_file(change *c, const char *path)
{
    static unsigned number;

    snprintf(c->kept, sizeof(c->kept), "%.4000s/%u", spare, number++);
    if (link(path, c->kept) != 0)
        c->kept[0] = '\0';
}

static void undo(const change *c)
{
    switch (c->kind) {
    case BYTES:
        if ((c->count > 0 && pwrite(c->fd, c->bytes, c->count, c->at) < 0) ||
            ftruncate(c->fd, c->size) != 0)
            perror("power: undo");
        return;
    case CREATED:
        unlink(c->name);
        return;
    case MOVED:
        rename(c->name, c->from);
        break;
    case REMOVED:
        break;
    }
    if (c->kept[0] != '\0')
        link(c->kept, c->name);
}

/* A file, or a folder's names, came to the disk. */
static void forget(int fd)
{
    struct stat status;
    size_t kept = 0;

    if (fstat(fd, &status) != 0)
        return;
    int names = S_ISDIR(status.st_mode);
    for (size_t i = 0; i < changed; i++) {
        change *c = &changes[i];
        if (c->device == status.st_dev && c->inode == status.st_ino &&
            (c->kind != BYTES) == names)
            continue; /* its descriptor stays: there are few */
        changes[kept++] = *c;
    }
    changed = kept;
}

static void lose(int names)
{
    while (changed-- > 0)
        if (names || changes[changed].kind == BYTES)
            undo(&changes[changed]);
}

/* ---- what the program does ----------------------------------------------- */

/* A file of ours, open for reading and writing; -1 if it is none. */
static int file_of(pid_t pid, uint64_t number)
{
    char path[64], target[PATH_MAX];
    struct stat status;

    snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, (int)number);
    ssize_t length = readlink(path, target, sizeof(target) - 1);
    if (length < 0 || stat(path, &status) != 0)
        return -1;
    target[length] = '\0';
    if (strncmp(target, folder, strlen(folder)) != 0 ||
        !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)))
        return -1;
    return open(path, S_ISREG(status.st_mode) ? O_RDWR : O_RDONLY);
}

static void text_of(pid_t pid, uint64_t address, char *text, size_t size)
{
    struct iovec to = { text, size - 1 };
    /* No further than the page that is there for certain. */
    size_t left = 4096 - address % 4096;
    struct iovec from = { (void *)(uintptr_t)address, left };
    ssize_t got = process_vm_readv(pid, &to, 1, &from, 1, 0);

    if (got == (ssize_t)left && (size_t)got < size - 1 &&
        !memchr(text, '\0', left)) {
        to.iov_base = text + left;
        to.iov_len = size - 1 - left;
        from.iov_base = (void *)(uintptr_t)(address + left);
        from.iov_len = to.iov_len < 4096 ? to.iov_len : 4096;
        ssize_t more = process_vm_readv(pid, &to, 1, &from, 1, 0);
        got += more > 0 ? more : 0;
    }
    text[got > 0 ? got : 0] = '\0';
}

/* 1 with the whole name of a file in our folder. */
static int name_of(pid_t pid, int64_t at, uint64_t address, char *name)
{
    char text[PATH_MAX - 1], base[PATH_MAX], link[64];

    text_of(pid, address, text, sizeof(text));
    if (text[0] == '\0')
        return 0;
    if (text[0] == '/') {
        snprintf(name, PATH_MAX, "%s", text);
    } else {
        if (at == AT_FDCWD)
            snprintf(link, sizeof(link), "/proc/%d/cwd", (int)pid);
        else
            snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, (int)at);
        ssize_t length = readlink(link, base, sizeof(base) - 1);
        if (length < 0)
            return 0;
        base[length] = '\0';
        if ((size_t)snprintf(name, PATH_MAX, "%.2000s/%.2000s", base, text) >=
                PATH_MAX)
            return 0;
    }
    return strncmp(name, folder, strlen(folder)) == 0;
}

static off_t position(pid_t pid, uint64_t number, int fd)
{
    char path[64];
    long long at = 0;
    unsigned flags = 0;
    struct stat status;

    snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, (int)number);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "pos: %lld flags: %o", &at, &flags) != 2)
        exit(CANNOT);
    fclose(file);
    if (flags & O_APPEND && fstat(fd, &status) == 0)
        return status.st_size;
    return (off_t)at;
}

static unsigned long at_most, number;
static int half;

/* One more change. 1 if it is the last. */
static int is_last(void)
{
    return ++number == at_most;
}

static size_t copy_half(pid_t pid, const struct iovec *from, size_t parts,
                        char **bytes)
{
    size_t count = 0;

    for (size_t i = 0; i < parts; i++)
        count += from[i].iov_len;
    *bytes = malloc(count + 1);
    struct iovec to = { *bytes, count / 2 };
    ssize_t got = *bytes ? process_vm_readv(pid, &to, 1, from, parts, 0) : -1;
    return got > 0 ? (size_t)got : 0;
}

static int watch_write(pid_t pid, const uint64_t *a, int is_vector, int is_at)
{
    struct iovec parts[64];
    size_t count = 1, bytes = 0;
    int fd = file_of(pid, a[0]);

    if (fd < 0)
        return 0;
    if (is_vector) {
        struct iovec to = { parts, sizeof(parts) };
        struct iovec from = { (void *)(uintptr_t)a[1],
                              (count = a[2]) * sizeof(*parts) };
        if (count > 64 || process_vm_readv(pid, &to, 1, &from, 1, 0) < 0)
            exit(CANNOT);
    } else {
        parts[0] = (struct iovec){ (void *)(uintptr_t)a[1], a[2] };
    }
    for (size_t i = 0; i < count; i++)
        bytes += parts[i].iov_len;
    off_t at = is_at ? (off_t)a[3] : position(pid, a[0], fd);
    if (is_last()) {
        char *some;
        size_t some_bytes = copy_half(pid, parts, count, &some);
        if (half && pwrite(fd, some, some_bytes, at) < 0)
            perror("power: half a write");
        return 1;
    }
    keep_bytes(fd, at, bytes);
    return 0;
}

static int watch_open(pid_t pid, int64_t at, uint64_t path, uint64_t flags)
{
    char name[PATH_MAX];
    struct stat status;

    if (!(flags & (O_CREAT | O_TRUNC)) || !name_of(pid, at, path, name))
        return 0;
    int there = stat(name, &status) == 0;
    if (there && (flags & O_EXCL || !(flags & O_TRUNC)))
        return 0;
    if (!there && !(flags & O_CREAT))
        return 0;
    if (is_last())
        return 1;
    if (there) {
        int fd = open(name, O_RDWR);
        if (fd >= 0)
            keep_bytes(fd, 0, (size_t)status.st_size);
        return 0;
    }
    change *c = add_change(CREATED);
    memcpy(c->name, name, sizeof(name));
    names_folder(c);
    return 0;
}

static int watch_move(pid_t pid, int64_t from_at, uint64_t from, int64_t to_at,
                      uint64_t to)
{
    char old[PATH_MAX], name[PATH_MAX];
    struct stat status;

    if (!name_of(pid, from_at, from, old) || !name_of(pid, to_at, to, name) ||
        stat(old, &status) != 0)
        return 0;
    if (is_last())
        return 1;
    change *c = add_change(MOVED);
    memcpy(c->name, name, sizeof(name));
    memcpy(c->from, old, sizeof(old));
    keep_file(c, name);
    names_folder(c);
    return 0;
}

static int watch_remove(pid_t pid, int64_t at, uint64_t path)
{
    char name[PATH_MAX];
    struct stat status;

    if (!name_of(pid, at, path, name) || lstat(name, &status) != 0)
        return 0;
    if (is_last())
        return 1;
    change *c = add_change(REMOVED);
    memcpy(c->name, name, sizeof(name));
    keep_file(c, name);
    names_folder(c);
    return 0;
}

static int watch_sync(pid_t pid, uint64_t number_of_file)
{
    int fd = file_of(pid, number_of_file);

    if (fd < 0)
        return 0;
    if (is_last())
        return 1;
    forget(fd);
    close(fd);
    return 0;
}

static int watch_cut(pid_t pid, const uint64_t *a)
{
    int fd = file_of(pid, a[0]);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) != 0)
        return 0;
    if (is_last())
        return 1;
    off_t to = (off_t)a[1] < status.st_size ? (off_t)a[1] : status.st_size;
    keep_bytes(fd, to, (size_t)(status.st_size - to));
    return 0;
}

/* A call that begins: 1 if the program is to end before it. */
static int watch(pid_t pid, const call_info *call)
{
    const uint64_t *a = (const uint64_t *)call->entry.args;

    switch (call->entry.nr) {
    case SYS_write:
        return watch_write(pid, a, 0, 0);
    case SYS_pwrite64:
        return watch_write(pid, a, 0, 1);
    case SYS_writev:
        return watch_write(pid, a, 1, 0);
    case SYS_ftruncate:
        return watch_cut(pid, a);
    case SYS_fsync:
    case SYS_fdatasync:
        return watch_sync(pid, a[0]);
    case SYS_openat:
        return watch_open(pid, (int)a[0], a[1], a[2]);
    case SYS_renameat2:
        return watch_move(pid, (int)a[0], a[1], (int)a[2], a[3]);
    case SYS_unlinkat:
        return watch_remove(pid, (int)a[0], a[1]);
#ifdef SYS_renameat
    case SYS_renameat:
        return watch_move(pid, (int)a[0], a[1], (int)a[2], a[3]);
#endif
#ifdef SYS_open
    case SYS_open:
        return watch_open(pid, AT_FDCWD, a[0], a[1]);
#endif
#ifdef SYS_rename
    case SYS_rename:
        return watch_move(pid, AT_FDCWD, a[0], AT_FDCWD, a[1]);
#endif
#ifdef SYS_unlink
    case SYS_unlink:
        return watch_remove(pid, AT_FDCWD, a[0]);
#endif
    default:
        return 0;
    }
}

/* ---- the program --------------------------------------------------------- */

static void begin(char **words)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(CANNOT);
    raise(SIGSTOP);
    execvp(words[0], words);
    _exit(CANNOT);
}

/* Until it ends or is to be ended: its status, or KILLED. */
static int follow(pid_t first)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        int signal = 0;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (pid == first)
                return WIFEXITED(status) ? WEXITSTATUS(status)
                                         : 128 + WTERMSIG(status);
            continue;
        }
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            call_info call;
            memset(&call, 0, sizeof(call));
            if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(call), &call) <= 0)
                exit(CANNOT);
            if (call.op == PTRACE_SYSCALL_INFO_ENTRY && watch(pid, &call)) {
                kill(first, SIGKILL);
                /* Its threads first, or it would never be reported. */
                while (waitpid(-1, &status, __WALL) > 0)
                    ;
                return KILLED;
            }
        } else if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP) {
            signal = WSTOPSIG(status);
        }
        ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)signal);
    }
    return CANNOT;
}

int main(int argc, char **argv)
{
    int status;

    if (argc < 4 || !getcwd(folder, sizeof(folder) - 1))
        return CANNOT;
    half = strcmp(argv[1], "kill") == 0;
    at_most = strtoul(argv[2], NULL, 10);
    /* Beside the folder, so that nobody finds it there. */
    if ((size_t)snprintf(spare, sizeof(spare), "%.4000s.spare", folder) >=
            sizeof(spare) || (mkdir(spare, 0700) != 0 && errno != EEXIST))
        return CANNOT;
    strcat(folder, "/");
    pid_t pid = fork();
    if (pid == 0)
        begin(argv + 3);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
        ptrace(PTRACE_SETOPTIONS, pid, NULL,
               (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
                        PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                        PTRACE_O_EXITKILL)) != 0)
        return CANNOT;
    ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
    int result = follow(pid);
    /* Power may be lost after its end, too. */
    if (!half && number <= at_most)
        lose(strcmp(argv[1], "lose") == 0);
    if (strcmp(argv[1], "count") == 0)
        dprintf(9, "%lu\n", number);
    return result;
}
