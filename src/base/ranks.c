/* SPDX-License-Identifier: MIT */
/* The processes that a launcher started as one run, through MPI [MPI: A
 * Message-Passing Interface Standard 3.1]. */
#include "config.h"

#include "ranks.h"

#include "memory.h"
#include "message.h"

#include <stdlib.h>
#include <string.h>

/* What launchers tell the processes that they start together: Open MPI; PMI,
 * which MPICH and Intel's MPI have; Slurm's srun. mpirun may itself have used
 * srun, so that the first that is there counts. */
static const struct {
    const char *count, *rank;
} launchers[] = {
    {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},
    {"PMI_SIZE", "PMI_RANK"},
    {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID"}
};

/* Which of them there is: LAUNCHERS if none. */
enum { LAUNCHERS = sizeof(launchers) / sizeof(launchers[0]) };
static size_t launcher(void)
{
    size_t i = 0;

    while (i < LAUNCHERS && !getenv(launchers[i].count))
        i++;
    return i;
}

int ranks_launched(void)
{
    size_t i = launcher();
    const char *text = i == LAUNCHERS ? NULL : getenv(launchers[i].count);
    int count = text ? atoi(text) : 1;

    return count > 1 ? count : 1;
}

int ranks_launched_as(void)
{
    size_t i = launcher();
    const char *text = i == LAUNCHERS ? NULL : getenv(launchers[i].rank);

    return text ? atoi(text) : 0;
}

int ranks_alone(const char *only)
{
#ifdef HAVE_MPI
    static const char way[] = "MPI does not bring them together (srun does "
                              "with --mpi=pmix)";
#else
    static const char way[] = "this build has no MPI (configure --with-mpi)";
#endif

    if (ranks_on() || ranks_launched() == 1)
        return 0;
    /* What all would say is said once. */
    if (ranks_launched_as() != 0)
        message_hold("");
    if (only)
        message_usage("%s runs as one process, and was started as %d", only,
                      ranks_launched());
    else
        message_usage("started as one of %d processes, each of which would do "
                      "all of the work, as %s: give each its --part K/N and "
                      "join their journals", ranks_launched(), way);
    message_release(0);
    return -1;
}

#ifdef HAVE_MPI

#include <mpi.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static struct {
    int on, settled;       /* 1: in a run; after the last step */
    int rank, count, beside;
} run = {.count = 1, .beside = 1};

/* A number that is the same for processes that may run on the same CPUs. */
TM_WRAPS static uint64_t cpus_key(void)
{
    uint64_t key = 0;
#ifdef __linux__
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 0;
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set))
            key = (key ^ (uint64_t)i) * UINT64_C(0x9E3779B97F4A7C15) + 1;
#endif
    return key;
}

/* How many ranks of this machine have that number. */
static int count_beside(void)
{
    uint64_t own = cpus_key(), *all;
    MPI_Comm node;
    int count, same = 0;

    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL,
                        &node);
    MPI_Comm_size(node, &count);
    all = memory_zero((size_t)count, sizeof(*all));
    MPI_Allgather(&own, 1, MPI_UINT64_T, all, 1, MPI_UINT64_T, node);
    for (int i = 0; i < count; i++)
        same += all[i] == own;
    free(all);
    MPI_Comm_free(&node);
    return same;
}

/* Rank 0 speaks as a process by itself does; others only if they fail. */
static void set_voice(void)
{
    char host[100] = "?", name[150];

    gethostname(host, sizeof(host) - 1);
    snprintf(name, sizeof(name), "rank %d of %d on %s", run.rank, run.count,
             host);
    if (run.rank == 0)
        return;
    message_drop(1, 1);
    message_hold(name);
}

int ranks_begin(void)
{
    int given;

    if (launcher() == LAUNCHERS)
        return 0;
    /* The thread that deals is not the one that began. */
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &given) !=
            MPI_SUCCESS || given < MPI_THREAD_SERIALIZED) {
        message_failed("MPI does not start, or knows no threads");
        return -1;
    }
    MPI_Comm_rank(MPI_COMM_WORLD, &run.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &run.count);
    if (run.count == 1 && ranks_launched() > 1) {
        MPI_Finalize();
        return 0;
    }
    run.on = 1;
    run.beside = count_beside();
    set_voice();
    return 0;
}

int ranks_on(void)
{
    return run.on;
}

size_t ranks_rank(void)
{
    return (size_t)run.rank;
}

size_t ranks_count(void)
{
    return (size_t)run.count;
}

size_t ranks_beside(void)
{
    return (size_t)run.beside;
}

int ranks_agree(int ready, int last)
{
    int mine = ready ? run.count : run.rank, first;

    if (!run.on)
        return ready;
    MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    run.settled = last || first < run.count;
    if (run.settled)
        message_release(first == run.rank);
    return first == run.count;
}

int ranks_same(const char *text)
{
    char *zero = ranks_share(run.rank == 0 ? text : NULL);
    int mine = strcmp(zero, text) == 0, all;

    MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    free(zero);
    return all;
}

char *ranks_share(const char *text)
{
    uint64_t count = text ? strlen(text) : 0;

    MPI_Bcast(&count, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    char *copy = text ? memory_text(text) : memory_zero((size_t)count + 1, 1);
    MPI_Bcast(copy, (int)count, MPI_CHAR, 0, MPI_COMM_WORLD);
    return copy;
}

void ranks_send(size_t to, int tag, const char *bytes, size_t count)
{
    MPI_Send(bytes, (int)count, MPI_CHAR, (int)to, tag, MPI_COMM_WORLD);
}

void ranks_take(ranks_message *out)
{
    const struct timespec pause = {0, 300000};
    int there = 0, count = 0;
    MPI_Message message;
    MPI_Status status;

    for (;;) {
        MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &there,
                    &message, &status);
        if (there)
            break;
        nanosleep(&pause, NULL);
    }
    MPI_Get_count(&status, MPI_CHAR, &count);
    out->from = (size_t)status.MPI_SOURCE;
    out->tag = status.MPI_TAG;
    out->count = (size_t)count;
    out->bytes = memory_zero(out->count + 1, 1);
    MPI_Mrecv(out->bytes, count, MPI_CHAR, &message, MPI_STATUS_IGNORE);
}

/* ---- the thread that serves ---------------------------------------------- */

static struct {
    int (*handle)(void *data, const ranks_message *m);
    void *data;
    pthread_t thread;
} server;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *serve(void *unused)
{
    ranks_message m;
    int more;

    do {
        ranks_take(&m);
        ranks_lock();
        more = server.handle(server.data, &m);
        ranks_unlock();
        free(m.bytes);
    } while (more);
    return unused;
}

int ranks_serve(int (*handle)(void *data, const ranks_message *m), void *data)
{
    server.handle = handle;
    server.data = data;
    if (pthread_create(&server.thread, NULL, serve, NULL) == 0)
        return 0;
    message_failed("no thread for what other ranks say");
    return -1;
}

void ranks_served(void)
{
    pthread_join(server.thread, NULL);
}

void ranks_lock(void)
{
    pthread_mutex_lock(&lock);
}

void ranks_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void ranks_abort(void)
{
    if (!run.on)
        return;
    fflush(stdout);
    MPI_Abort(MPI_COMM_WORLD, message_status());
}

void ranks_part(void)
{
    message_release(0);
    message_drop(0, 0);
    MPI_Finalize();
    run.on = run.rank = 0;
    run.count = run.beside = 1;
}

void ranks_end(void)
{
    if (!run.on)
        return;
    if (!run.settled)
        ranks_agree(0, 1);
    run.on = 0;
    MPI_Finalize();
}

#else /* !HAVE_MPI */

int ranks_begin(void)
{
    return 0;
}

int ranks_on(void)
{
    return 0;
}

size_t ranks_rank(void)
{
    return 0;
}

size_t ranks_count(void)
{
    return 1;
}

size_t ranks_beside(void)
{
    return 1;
}

int ranks_agree(int ready, int last)
{
    (void)last;
    return ready;
}

int ranks_same(const char *text)
{
    (void)text;
    return 1;
}

char *ranks_share(const char *text)
{
    return memory_text(text);
}

void ranks_send(size_t to, int tag, const char *bytes, size_t count)
{
    (void)to;
    (void)tag;
    (void)bytes;
    (void)count;
}

void ranks_take(ranks_message *out)
{
    memset(out, 0, sizeof(*out));
}

int ranks_serve(int (*handle)(void *data, const ranks_message *m), void *data)
{
    (void)handle;
    (void)data;
    return 0;
}

void ranks_served(void)
{
}

void ranks_lock(void)
{
}

void ranks_unlock(void)
{
}

void ranks_abort(void)
{
}

void ranks_part(void)
{
}

void ranks_end(void)
{
}

#endif
