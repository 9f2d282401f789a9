/* SPDX-License-Identifier: MIT */
/* Matching one sequence: options, workspace, what all methods share. */
#include "build.h"

#include "match.h"

#include <string.h>

void tomerge_options_init(tomerge_options *options)
{
    static const tomerge_options defaults = {
        .struct_size = sizeof(defaults),
        .method = TOMERGE_ALTERNATING,
        .similarity = TOMERGE_COSINE,
        .stride = 2,
        .tau = {1, 20, 40},
    };

    if (options)
        *options = defaults;
}

/* A field of a later version, whose 0 means what this one does. */
static int reserved_used(const tomerge_options *options)
{
    uint64_t used = (uint64_t)options->reserved_int;

    for (size_t i = 0;
         i < sizeof(options->reserved) / sizeof(options->reserved[0]); i++)
        used |= options->reserved[i];
    return used != 0;
}

int tomerge_check_options(const tomerge_options *options, size_t channels)
{
    const tomerge_method_entry *method;

    if (!options)
        return TOMERGE_EINVAL;
    if (options->struct_size != sizeof(*options)) /* there may be no `why` */
        return TOMERGE_EOPTION;
    method = tomerge_method_of(options->method);
    if (!method)
        return tomerge_refuse(options, TOMERGE_EOPTION,
                              "options->method is no method");
    if (!tomerge_similarity_of(options->similarity))
        return tomerge_refuse(options, TOMERGE_EOPTION,
                              "options->similarity is none");
    if (reserved_used(options))
        return tomerge_refuse(options, TOMERGE_EOPTION,
                              "a reserved field of options is not 0");
    if (options->order < TOMERGE_GROUPED ||
        options->order > TOMERGE_BY_POSITION)
        return tomerge_refuse(options, TOMERGE_EOPTION,
                              "options->order is none");
    if (options->linkage < TOMERGE_AVERAGE ||
        options->linkage > TOMERGE_SINGLE)
        return tomerge_refuse(options, TOMERGE_EOPTION,
                              "options->linkage is none");
    if (options->one_way & ~1)
        return tomerge_refuse(options, TOMERGE_EOPTION,
                              "options->one_way is neither 0 nor 1");
    for (int i = 0; options->method == TOMERGE_MCTF && i < 3; i++)
        if (!(options->tau[i] >= 0))
            return tomerge_refuse(options, TOMERGE_EINVAL,
                                  "options->tau is not a number from 0 on");
    if (options->exact & ~1)
        return tomerge_refuse(options, TOMERGE_EOPTION,
                              "options->exact is neither 0 nor 1");
    if (method->needs_stride && options->stride < 2)
        return tomerge_refuse(options, TOMERGE_EINVAL,
                              "options->stride is below 2");
    if (method->needs & TOMERGE_NEEDS_THRESHOLD &&
        options->threshold != options->threshold)
        return tomerge_refuse(options, TOMERGE_EINVAL,
                              "options->threshold is not a number");
    if (method->needs & TOMERGE_NEEDS_METRIC && channels == 0)
        return tomerge_refuse(options, TOMERGE_EINVAL,
                              "the metric has no channels");
    return 0;
}

int tomerge_check_needs(const tomerge_options *options, size_t channels,
                        tomerge_const_view metric, size_t tokens)
{
    uint32_t needs = tomerge_method_needs(options->method);

    int error = needs & TOMERGE_NEEDS_METRIC
                    ? tomerge_check_view(metric, tokens, channels) : 0;

    if (needs & TOMERGE_NEEDS_IMPORTANCE && tokens && !options->importance)
        return tomerge_refuse(options, TOMERGE_EINVAL,
                              "the method needs options->importance");
    if (needs & TOMERGE_NEEDS_DESTINATIONS && tokens && !options->role)
        return tomerge_refuse(options, TOMERGE_EINVAL,
                              "the method needs options->role");
    return tomerge_refuse(options, error,
                          "the metric has no data, or is misaligned, of no "
                          "type, or of rows that overlap or are too many");
}

int tomerge_check_roles(const tomerge_options *options, size_t first,
                        size_t end)
{
    uint32_t needs = tomerge_method_needs(options->method);
    uint8_t last = needs & TOMERGE_NEEDS_DESTINATIONS ? TOMERGE_DESTINATION
                                                      : TOMERGE_DROPPED;

    for (size_t i = first; options->role && i < end; i++)
        if (options->role[i] > last)
            return tomerge_refuse(options, TOMERGE_EINVAL,
                                  "options->role holds what is no role, or "
                                  "none for this method");
    return 0;
}

void tomerge_match_carve(tomerge_match_space *s, tomerge_arena *arena,
                         const tomerge_options *options, size_t tokens,
                         size_t channels)
{
    size_t whole = tokens + TOMERGE_PANEL - 1;
    size_t pairs = tomerge_method_needs(options->method) & TOMERGE_NEEDS_PAIRS
                       ? tokens : 0;

    s->present = tomerge_take(arena, tokens, sizeof(*s->present));
    s->sources = tomerge_take(arena, tokens, sizeof(*s->sources));
    s->destinations = tomerge_take(arena, tokens, sizeof(*s->destinations));
    s->a_scale = tomerge_take(arena, whole, sizeof(*s->a_scale));
    s->b_scale = tomerge_take(arena, whole, sizeof(*s->b_scale));
    s->score = tomerge_take(arena, whole, sizeof(*s->score));
    s->best = tomerge_take(arena, whole, sizeof(*s->best));
    s->key = tomerge_take(arena, tokens, sizeof(*s->key));
    s->kept = tomerge_take(arena, tokens, sizeof(*s->kept));
    s->merges = tomerge_take(arena, tokens, sizeof(*s->merges));
    s->rest = tomerge_take(arena, whole, sizeof(*s->rest));
    s->aside = tomerge_take(arena, tokens, sizeof(*s->aside));
    if (channels && tokens + 3 * TOMERGE_PANEL > SIZE_MAX / channels) {
        arena->overflow = 1;
        return;
    }
    s->rows = tomerge_take(arena, TOMERGE_PANEL * channels, sizeof(*s->rows));
    s->panels = tomerge_take(arena, (tokens + 2 * TOMERGE_PANEL) * channels,
                             sizeof(*s->panels));
    if (pairs && tokens > SIZE_MAX / pairs)
        arena->overflow = 1;
    else
        s->distance = tomerge_take(arena, tokens * pairs,
                                   sizeof(*s->distance));
}

int tomerge_match_workspace(const tomerge_options *options, size_t tokens,
                            size_t channels, size_t *bytes)
{
    tomerge_arena arena = tomerge_arena_at(NULL);
    tomerge_match_space space;
    int error = tomerge_check_options(options, channels);

    if (error)
        return error;
    if (!bytes)
        return tomerge_refuse(options, TOMERGE_EINVAL, "bytes is NULL");
    if (tomerge_check_rows(tokens))
        return tomerge_refuse(options, TOMERGE_ERANGE, "too many tokens");
    tomerge_match_carve(&space, &arena, options, tokens, channels);
    return tomerge_refuse(options, tomerge_arena_bytes(&arena, bytes),
                          "too many tokens or channels");
}

/* EINVAL for an argument other than the options, which are not known to be any
 * good. */
int tomerge_check_refused(const tomerge_options *options, const char *what)
{
    if (options && options->struct_size == sizeof(*options))
        tomerge_refuse(options, TOMERGE_EINVAL, what);
    return TOMERGE_EINVAL;
}

int tomerge_check_match(const tomerge_options *options, size_t channels,
                        tomerge_const_view metric, const tomerge_plan *plan,
                        size_t *bytes)
{
    int error;

    if (!plan || (plan->tokens && !plan->map))
        return tomerge_check_refused(options, "plan or plan->map is NULL");
    error = tomerge_match_workspace(options, plan->tokens, channels, bytes);
    if (!error)
        error = tomerge_check_needs(options, channels, metric, plan->tokens);
    return error ? error : tomerge_check_roles(options, 0, plan->tokens);
}

/* Finds the tokens that are there, and how many of them may merge. */
static void count_tokens(tomerge_job *job)
{
    const uint8_t *role = job->options.role;

    job->present = job->mergeable = 0;
    for (size_t i = 0; i < job->tokens; i++) {
        if (role && (role[i] == TOMERGE_PADDING || role[i] == TOMERGE_DROPPED))
            continue;
        job->space.present[job->present++] = (int32_t)i;
        job->mergeable += (size_t)tomerge_may_merge(job, job->present - 1);
    }
}

void tomerge_open_rows(tomerge_job *job, const int32_t *token, size_t count)
{
    int32_t *map = job->map, row = (int32_t)job->rows;

    for (size_t i = 0; i < count; i++)
        map[token[i]] = row++;
    if (job->origin && count)
        memcpy(job->origin + job->rows, token, count * sizeof(*token));
    job->rows += count;
}

void tomerge_open_protected(tomerge_job *job)
{
    const int32_t *present = job->space.present;
    size_t protect = job->options.protect;

    protect = protect < job->present ? protect : job->present;
    tomerge_open_rows(job, present, protect);
    for (size_t p = protect; job->options.role && p < job->present; p++)
        if (!tomerge_may_merge(job, p))
            tomerge_open_rows(job, &present[p], 1);
}

/* Renumbers the rows by their first token. */
static void order_rows(tomerge_job *job)
{
    int32_t *row = job->space.sources, *token = job->space.destinations;
    int32_t count = 0;

    for (size_t j = 0; j < job->rows; j++)
        row[j] = -1;
    for (size_t i = 0; i < job->tokens; i++) {
        if (job->map[i] < 0)
            continue;
        if (row[job->map[i]] < 0)
            row[job->map[i]] = count++;
        job->map[i] = row[job->map[i]];
    }
    if (!job->origin)
        return;
    memcpy(token, job->origin, job->rows * sizeof(*token));
    for (size_t j = 0; j < job->rows; j++)
        job->origin[row[j]] = token[j];
}

void tomerge_match_present(tomerge_job *job, void *workspace)
{
    const tomerge_method_entry *method = tomerge_method_of(job->options.method);
    tomerge_arena arena = tomerge_arena_at(workspace);
    size_t most;

    tomerge_match_carve(&job->space, &arena, &job->options, job->tokens,
                        job->channels);
    count_tokens(job);
    job->rows = 0;
    for (size_t i = 0; i < job->tokens; i++)
        job->map[i] = -1;
    most = method->most(job->mergeable);
    if (job->r > most)
        job->r = most;
    /* The rows stay in order. */
    if (method->needs & TOMERGE_NEEDS_R && job->r == 0)
        tomerge_open_rows(job, job->space.present, job->present);
    else
        method->plan(job);
}

void tomerge_match_finish(tomerge_job *job)
{
    const uint8_t *role = job->options.role;

    if (job->options.order == TOMERGE_BY_POSITION)
        order_rows(job);
    for (size_t i = 0; role && i < job->tokens; i++) {
        int32_t token = (int32_t)i;

        if (role[i] == TOMERGE_PADDING)
            tomerge_open_rows(job, &token, 1);
    }
}

void tomerge_match_run(tomerge_job *job, void *workspace)
{
    tomerge_match_present(job, workspace);
    tomerge_match_finish(job);
}

tomerge_job tomerge_new_job(const tomerge_dsp *dsp,
                            const tomerge_options *options, size_t channels,
                            tomerge_const_view metric, size_t r,
                            const tomerge_plan *plan)
{
    tomerge_job job = {
        .options = *options,
        .tokens = plan->tokens,
        .channels = channels,
        .r = r,
        .metric = metric,
        .map = plan->map,
        .origin = plan->origin,
        .dsp = dsp,
    };

    return job;
}

int tomerge_match(const tomerge_options *options, size_t channels,
                  tomerge_const_view metric, size_t r, tomerge_plan *plan,
                  void *workspace, size_t workspace_bytes)
{
    tomerge_dsp dsp;
    tomerge_job job;
    size_t bytes;
    int error = tomerge_check_match(options, channels, metric, plan, &bytes);

    if (error)
        return error;
    if (!workspace || workspace_bytes < bytes)
        return tomerge_refuse(options, TOMERGE_ESPACE,
                              "the workspace is too small");

    tomerge_dsp_init(&dsp, tomerge_cpu_flags());
    job = tomerge_new_job(&dsp, options, channels, metric, r, plan);
    tomerge_match_run(&job, workspace);
    tomerge_unpoison(workspace, bytes);
    plan->rows = job.rows;
    return 0;
}
