/* SPDX-License-Identifier: MIT */
/*
 * tomerge.h - token merging for Vision Transformers, on anyone's buffers
 *
 * Token Merging (Bolya, Fu, Dai, Zhang, Feichtenhofer, Hoffman: "Token
 * Merging: Your ViT But Faster", ICLR 2023), cited below as [ToMe].
 *
 * Words
 *   sequence   the tokens of one image, in order
 *   token      a row of `channels` numbers
 *   protected  tokens that never merge: the first `protect` of a sequence
 *              (class, distillation, register tokens), and any others
 *   metric     what similarity is measured on (usually the keys' head mean)
 *   size       how many input tokens a row stands for
 *   map        map[i] = output row of input token i, or -1 if it was dropped
 *   origin     origin[j] = the input token that output row j is built on: a
 *              destination, a source or other token that stays alone, or as
 *              the method says; always one whose map is j
 *
 * Rules that hold for every function
 *   - Memory is the caller's. Nothing is allocated, printed, or read from the
 *     environment; the one global is the CPU mask (atomic). Functions are
 *     thread-safe; those that take `threads` split whole sequences over an
 *     OpenMP team (in a library built without OpenMP one thread does all)
 *     and give the same bits for any number of threads.
 *   - Every function that can fail returns 0 or a negative TOMERGE_E code and
 *     then has written to none of its outputs.
 *   - Inputs and outputs must not overlap unless a function says so. The very
 *     same rows as input and output are refused (EINVAL); other overlaps are
 *     not looked for.
 *   - Strides and offsets are counted in elements and rows, never in bytes.
 *   - The same bits on every CPU tier, for any number of threads, for a
 *     sequence alone or in a batch: a map does not depend on the machine.
 *     (Softmax similarity, the size bias and TOMERGE_MCTF call the C library's
 *     expf, logf and powf, and are as portable as those.)
 *   - An empty sequence is a valid one.
 *   - Within version 1 no function changes or goes, enums grow at their ends,
 *     and no struct changes its size: tomerge_options has reserved fields,
 *     the others are as they are for good.
 */
#ifndef TOMERGE_H
#define TOMERGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#define TOMERGE_VERSION_MAJOR 1
#define TOMERGE_VERSION_MINOR 0
#define TOMERGE_VERSION_PATCH 0
#define TOMERGE_VERSION (TOMERGE_VERSION_MAJOR * 10000 + \
                         TOMERGE_VERSION_MINOR * 100 + TOMERGE_VERSION_PATCH)

/* The version of the library in use: MAJOR * 10000 + MINOR * 100 + PATCH. */
int tomerge_version(void);
const char *tomerge_version_string(void);

/* ---- errors -------------------------------------------------------------- */

enum tomerge_error {
    TOMERGE_OK = 0,
    TOMERGE_EINVAL = -1,   /* a NULL, zero or out-of-range argument, data not
                            * aligned for its type, rows that overlap, plans
                            * that do not follow one another; options->why
                            * says which of these */
    TOMERGE_EOPTION = -2,  /* an enum value or struct_size not known here, a
                            * reserved field that is not 0 */
    TOMERGE_ESPACE = -3,   /* a workspace smaller than its size query says */
    TOMERGE_ERANGE = -4,   /* a count too large for int32_t rows or memory */
    TOMERGE_EMAP = -5      /* a map, origin or trace entry points outside its
                            * rows, or no token goes to a row */
};

/* A constant English sentence for a code; never NULL. */
const char *tomerge_strerror(int error);

/* ---- CPU tiers ----------------------------------------------------------- */

/* One bit a tier. A tier counts as present only if the CPU has all of its
 * features and the operating system has enabled their registers; those of AMX
 * count if it hands them to a process that asks, which this library never
 * does: it has no kernels for them. */
enum tomerge_cpu {
    TOMERGE_CPU_AVX2 = 1,         /* AVX2, FMA, F16C, BMI2 */
    TOMERGE_CPU_AVX512 = 2,       /* AVX-512 F, BW, DQ, VL, CD */
    TOMERGE_CPU_AVX512_VNNI = 4,
    TOMERGE_CPU_AVX512_BF16 = 8,
    TOMERGE_CPU_AMX_BF16 = 16,
    TOMERGE_CPU_AMX_INT8 = 32,
    TOMERGE_CPU_NEON = 64,        /* AArch64, which has it always */
    TOMERGE_CPU_NEON_DOTPROD = 128, /* SDOT */
    TOMERGE_CPU_NEON_I8MM = 256,  /* SMMLA */
    TOMERGE_CPU_NEON_BF16 = 512   /* BFMMLA */
};

/* What this machine has. */
uint32_t tomerge_cpu_detected(void);

/* What will be used: what the machine has, less what the mask leaves out.
 * A tier is used only if the tiers it builds on are used too. */
uint32_t tomerge_cpu_flags(void);

/* Restricts every later call to the tiers in `mask` (all by default;
 * 0 = scalar only). Atomic; results of calls under way keep their tier. */
void tomerge_set_cpu_mask(uint32_t mask);

/* "scalar", "avx2", "avx512", "avx512-vnni", "avx512-bf16", "amx-bf16",
 * "amx-int8": the mask that admits this tier and those it builds on.
 * Returns TOMERGE_EINVAL for any other name. */
int tomerge_cpu_mask(const char *name, uint32_t *mask);

/* The names above by number, from "scalar", 0, on; NULL after the last. Each
 * comes after those that it builds on. */
const char *tomerge_cpu_tier(int index);

/* The name of the highest tier in `flags`: the reverse of the above. */
const char *tomerge_cpu_name(uint32_t flags);

/* The tier whose kernels matching and merging use now, by the same names. */
const char *tomerge_tier(void);

/* ---- buffers ------------------------------------------------------------- */

enum tomerge_dtype {
    TOMERGE_F32 = 0,
    TOMERGE_BF16 = 1,
    TOMERGE_F16 = 2
};

/* Rows in the caller's memory. Row i starts `i * stride` elements after
 * `data`, which is aligned for its element type; its channels are contiguous.
 * `stride` may exceed the number of channels and may be negative, but rows
 * must not overlap (EINVAL). For a single row it does not matter. */
typedef struct tomerge_view {
    void *data;
    ptrdiff_t stride;
    int dtype;             /* enum tomerge_dtype */
} tomerge_view;

typedef struct tomerge_const_view {
    const void *data;
    ptrdiff_t stride;
    int dtype;
} tomerge_const_view;

/* Views of rows that lie one after the other, `channels` apart. */
static inline tomerge_view tomerge_view_of(void *data, size_t channels,
                                           int dtype)
{
    tomerge_view view = {data, (ptrdiff_t)channels, dtype};

    return view;
}

static inline tomerge_const_view tomerge_const_view_of(const void *data,
                                                       size_t channels,
                                                       int dtype)
{
    tomerge_const_view view = {data, (ptrdiff_t)channels, dtype};

    return view;
}

/* The same rows, to be read only. */
static inline tomerge_const_view tomerge_view_const(tomerge_view view)
{
    tomerge_const_view same = {view.data, view.stride, view.dtype};

    return same;
}

/* The rows from `row` on. */
static inline tomerge_view tomerge_view_at(tomerge_view view, size_t row)
{
    view.data = (char *)view.data + (ptrdiff_t)row * view.stride *
                (view.dtype == TOMERGE_F32 ? 4 : 2);
    return view;
}

static inline tomerge_const_view tomerge_const_view_at(tomerge_const_view view,
                                                       size_t row)
{
    view.data = (const char *)view.data + (ptrdiff_t)row * view.stride *
                (view.dtype == TOMERGE_F32 ? 4 : 2);
    return view;
}

/* ---- matching: which tokens merge ---------------------------------------- */

/* How a sequence is split into sources and destinations. */
enum tomerge_method {
    /* Bipartite soft matching on alternating tokens [ToMe, 3.2]: even
     * positions are sources, odd positions destinations; the r sources most
     * similar to their best destination merge into it. Positions count from
     * the first token that is there, protected or not. */
    TOMERGE_ALTERNATING = 0,
    /* The same on the first and the second half of the tokens that may merge,
     * the first being the larger [ToMe, table 1d]. */
    TOMERGE_SEQUENTIAL = 1,
    /* r sources chosen at random (from `seed`, anew for each sequence), all
     * others destinations [ToMe, table 1d]. */
    TOMERGE_RANDOM = 2,
    /* The last of every `stride` tokens is a destination, all others merge;
     * tokens after the last whole group are dropped. r is not used. */
    TOMERGE_STRIDED = 3,
    /* The r least important tokens are dropped (see `importance` below).
     * Grouped: by falling importance. */
    TOMERGE_TOPK = 4,
    /* The r + 1 least important tokens become one row, the last, built on the
     * most important of them [Liang et al., ICLR 2022: EViT, where its values
     * are TOMERGE_WEIGHTED_SUM with the importance as sizes]. */
    TOMERGE_EVIT = 5,
    /* The tokens of TOMERGE_DESTINATION are destinations, all others sources;
     * see tomerge_partition_grid. r may be any number of sources. */
    TOMERGE_GIVEN = 6,
    /* As TOMERGE_ALTERNATING, but all sources merge whose similarity is above
     * `threshold`; r is not used. With importance, rows whose most important
     * token is not above `cutoff` are dropped then [Bonnaerens, Dambre, TMLR
     * 2023: LTMP, by the mean attention that a token receives]. */
    TOMERGE_THRESHOLD = 7,
    /* Of the tokens by falling energy, the mean of ELU(cosine - threshold)
     * over all that may merge, the first 2 r are sources and destinations in
     * turn, and all those sources merge. Grouped: the others by falling energy,
     * then the destinations [Tran et al., NeurIPS 2024: PiToMe and its margin].
     */
    TOMERGE_PITOME = 8,
    /* Its variant for early layers: all are sources and destinations in turn,
     * by falling energy, and the r most similar merge. */
    TOMERGE_PITOME_ORDER = 9,
    /* TOMERGE_ALTERNATING if the variance (of n - 1) of the tokens' shares in
     * the sum of the importance is below `threshold`, else TOMERGE_TOPK [Wu et
     * al., 2023: PPT, by the class token's attention times |value|]. */
    TOMERGE_PPT = 10,
    /* Of the tokens by falling importance, the last `prune` are dropped and
     * the r - prune before them merge into the most similar of the others.
     * Grouped: by falling importance [Chen et al., ICCV 2023: DiffRate, on the
     * tokens themselves; its values are TOMERGE_MEAN]. */
    TOMERGE_DIFFRATE = 11,
    /* Agglomerative clustering by 1 - cosine with `linkage`, until r tokens are
     * gone; rows that cannot be compared are at a distance of 4. Grouped: by
     * the first token of a cluster, on which the row is built [Haurum et al.,
     * ECCV 2024: ATC, whose patch removes r - 1 with a class token]. */
    TOMERGE_CLUSTERS = 12,
    /* What a token would lose in the most similar of those that are more
     * important, its importance times 1 - cosine, is known of each but the
     * first. The r that lose least go into the most similar of the others;
     * with a `threshold` above 0, only those that lose less than that. `exact`
     * goes without a threshold. Grouped: by falling importance. */
    TOMERGE_UPWARD = 13,
    /* As TOMERGE_ALTERNATING with half of the r, rounded down, by a weight of
     * several criteria; then as many destinations as are missing go to the
     * sources that are left. The weight of a pair is ((cosine + 1) / 2)^(1 /
     * tau[0]) * (g g')^(1 / tau[1]) * (z z')^(1 / tau[2]): g and z are 1 /
     * importance and 1 / `size`, over the largest of all tokens'. A tau of 0
     * leaves its factor out, no `size` the last; with `one_way` all r go the
     * first way. `exact` takes pairs that cannot be compared for such of no
     * weight. Grouped: sources, then what is left of the destinations by
     * falling weight [Lee, Choi, Kim, CVPR 2024: MCTF, on the tokens themselves
     * and the attention that they receive; tau 1, 20, 40. Its values are
     * TOMERGE_WEIGHTED by importance times size]. */
    TOMERGE_MCTF = 14,
    /* Two tokens that are each the other's most similar become one, built on
     * the first; r is not used. Grouped: in order [arXiv 2604.05718: MPM, on
     * the tokens themselves; its values are TOMERGE_MEAN]. */
    TOMERGE_MUTUAL = 15
};

/* What "similar" means [ToMe, table 1b]. */
enum tomerge_similarity {
    TOMERGE_COSINE = 0,
    TOMERGE_DOT = 1,
    TOMERGE_EUCLIDEAN = 2, /* the smaller the distance, the more similar */
    TOMERGE_SOFTMAX = 3    /* over destinations, of dot / sqrt(channels) */
};

/* How far apart two clusters are. */
enum tomerge_linkage {
    TOMERGE_AVERAGE = 0,   /* as their tokens are in the mean */
    TOMERGE_COMPLETE = 1,  /* at most */
    TOMERGE_SINGLE = 2     /* at least */
};

/* What may happen to a single token, besides the `protect` leading ones. */
enum tomerge_role {
    TOMERGE_MERGEABLE = 0,
    TOMERGE_PROTECTED = 1, /* never merges, at any position */
    TOMERGE_PADDING = 2,   /* not there: the others merge as if they were
                            * alone. It gets one of the last rows, and has a
                            * size, which counts nowhere: masking it in
                            * attention stays the caller's */
    TOMERGE_DROPPED = 3,   /* not there either, and gets no row: map -1 */
    TOMERGE_DESTINATION = 4 /* others may merge into it: TOMERGE_GIVEN alone
                            * knows it, and needs one */
};

/* In which order the output rows come. */
enum tomerge_order {
    /* Protected tokens, unmerged sources, destinations, each ascending. With a
     * class token that is the reference's order; without one the reference
     * leaves its unmerged sources by falling similarity. */
    TOMERGE_GROUPED = 0,
    /* By the first token that went into a row: the sequence keeps its order,
     * as positional codes and causal masks want it. */
    TOMERGE_BY_POSITION = 1
};

/* Set by tomerge_options_init, then changed field by field. Its size is fixed
 * for all versions 1: later fields take the place of reserved ones, where 0
 * will mean what it means now. */
typedef struct tomerge_options {
    size_t struct_size;    /* sizeof(tomerge_options) */
    int method;            /* enum tomerge_method */
    int similarity;        /* enum tomerge_similarity */
    size_t protect;        /* leading tokens that never merge */
    size_t stride;         /* TOMERGE_STRIDED: at least 2 */
    uint64_t seed;         /* TOMERGE_RANDOM */
    const uint8_t *role;   /* [tokens] of enum tomerge_role, read during the
                            * call; NULL: all are TOMERGE_MERGEABLE */
    int order;             /* enum tomerge_order */
    int exact;             /* 1: exactly r tokens go, which no number in
                            * the metric can change; 0: see tomerge_match */
    const float *importance; /* [tokens], read during the call: the higher,
                            * the longer a token is kept, a NaN longest;
                            * among equals the first. Usually the attention
                            * that the class token pays to each token, meaned
                            * over the heads. For methods that need it */
    float threshold;       /* for methods that need it; not a NaN */
    float cutoff;          /* TOMERGE_THRESHOLD with importance */
    size_t prune;          /* TOMERGE_DIFFRATE: how many of the r are dropped */
    int linkage;           /* TOMERGE_CLUSTERS: enum tomerge_linkage */
    int one_way;           /* TOMERGE_MCTF: 1: destinations never go */
    const char **why;      /* gets, if a call with these options fails, a
                            * constant sentence that names what was refused;
                            * else it stays as it is. NULL: not wanted */
    const float *size;     /* TOMERGE_MCTF: [tokens], read during the call, the
                            * sizes of the tokens; NULL: they do not count */
    float tau[3];          /* TOMERGE_MCTF: temperatures of similarity,
                            * importance and size; not negative */
    int reserved_int;      /* 0 */
    uint64_t reserved[1];  /* 0 */
} tomerge_options;

/* Alternating, cosine, nothing protected, stride 2, seed 0, no roles, grouped,
 * not exact, no importance, threshold and cutoff 0, nothing pruned, average,
 * both ways, no sizes, tau 1, 20, 40. NULL is ignored. */
void tomerge_options_init(tomerge_options *options);

/* The same as an initialiser. */
#define TOMERGE_OPTIONS_INIT                                                 \
    {sizeof(tomerge_options), TOMERGE_ALTERNATING, TOMERGE_COSINE, 0, 2, 0,  \
     NULL, TOMERGE_GROUPED, 0, NULL, 0, 0, 0, TOMERGE_AVERAGE, 0, NULL,      \
     NULL, {1, 20, 40}, 0, {0}}

/* "alternating", "pitome-order" and so on, and back; NULL or EINVAL for what is
 * not a method. Likewise for similarities. */
const char *tomerge_method_name(int method);
int tomerge_method_from_name(const char *name, int *method);
const char *tomerge_similarity_name(int similarity);
int tomerge_similarity_from_name(const char *name, int *similarity);

/* What a method looks at. What it does not need is not read: such a metric may
 * be without data and have 0 channels. */
enum tomerge_need {
    TOMERGE_NEEDS_METRIC = 1,
    TOMERGE_NEEDS_R = 2,   /* else the method decides how many tokens go */
    TOMERGE_NEEDS_IMPORTANCE = 4,
    TOMERGE_NEEDS_DESTINATIONS = 8, /* role names some */
    TOMERGE_NEEDS_THRESHOLD = 16,
    TOMERGE_NEEDS_PAIRS = 32 /* workspace for every pair of tokens */
};

/* The bits of enum tomerge_need for a method; 0 for what is none. */
uint32_t tomerge_method_needs(int method);

/*
 * Partitions for TOMERGE_GIVEN: each writes TOMERGE_DESTINATION or
 * TOMERGE_MERGEABLE to all of `role`, which then goes to options->role. With
 * other tokens in front or behind, point into a longer array.
 *
 * tomerge_partition_list: the `count` tokens of `destinations` (any order).
 * EINVAL: NULL, an entry outside of the tokens. ERANGE.
 *
 * tomerge_partition_grid: tokens in h rows of w; of each whole tile of sy by
 * sx the top left one, or, with a seed, one at random [Bolya, Hoffman, CVPR
 * workshops 2023: Token Merging for Stable Diffusion, whose values are
 * TOMERGE_MEAN]. role [h * w]. EINVAL: NULL, an empty tile. ERANGE.
 */
int tomerge_partition_list(size_t tokens, size_t count,
                           const int32_t *destinations, uint8_t *role);
int tomerge_partition_grid(size_t h, size_t w, size_t sy, size_t sx,
                           const uint64_t *seed, uint8_t *role);

/* How one sequence merges: the result of matching, the input of merging.
 * Both arrays are the caller's. */
typedef struct tomerge_plan {
    size_t tokens;         /* input tokens */
    size_t rows;           /* output rows, at most `tokens` */
    int32_t *map;          /* [tokens] */
    int32_t *origin;       /* [tokens], the first `rows` used; NULL if the
                            * caller has no use for it (TOMERGE_KEEP has) */
} tomerge_plan;

/* The most tokens one call of a method can remove, of n = tokens - protect,
 * `protect` being all tokens that may not merge: where sources and
 * destinations are matched, n / 2 [ToMe, appendix D] (tomerge_match_rounds
 * removes more); all n by TOPK and STRIDED; n - 1 by EVIT, DIFFRATE, CLUSTERS,
 * UPWARD and, if there is but one destination, GIVEN. Larger r are lowered to
 * this.
 * 0 for what is not a method. */
size_t tomerge_max_r(int method, size_t tokens, size_t protect);

/* Bytes of workspace tomerge_match needs for one sequence of at most `tokens`
 * tokens: O(tokens * channels), and tokens * tokens only for methods with
 * TOMERGE_NEEDS_PAIRS. EINVAL: NULL, and where they are used channels 0, a
 * stride below 2, a threshold that is a NaN; EOPTION; ERANGE. */
int tomerge_match_workspace(const tomerge_options *options, size_t tokens,
                            size_t channels, size_t *bytes);

/*
 * Finds the tokens of one sequence to merge.
 *
 * metric     [tokens, channels], any dtype; compared in f32. Ignored by
 *            methods that do not need it
 * r          tokens to remove, lowered to tomerge_max_r
 * plan       in: `tokens`, `map`, `origin` or NULL; out: map, origin, rows
 * workspace  any alignment; see tomerge_match_workspace. Nothing in it is
 *            kept from call to call.
 *
 * Output rows: as enum tomerge_order or the method says. Rows of padding come
 * last, in ascending order. With r = 0, also after lowering, all other rows
 * stay in order, as in the reference.
 *
 * Ties: highest score first, then lowest source index; among equally similar
 * destinations the lowest index. A row whose metric holds a NaN or infinity
 * or, under TOMERGE_COSINE, has zero norm never merges, neither as source nor
 * as destination; nor do two rows whose similarity overflows to a NaN or
 * -infinity. `rows` may then exceed tokens - r; so it may where protected
 * tokens leave fewer than r on a side.
 *
 * With options->exact it may not: `rows` is what is there less r, r being
 * lowered to tomerge_max_r and for TOMERGE_GIVEN to the sources. Sources that
 * never merge by the above then merge last, the first first, into the first
 * destination that would not be merged into either, or into the first of all
 * if there is none. Where protected tokens leave too few on a side, positions
 * count tokens that may merge only. (TOMERGE_STRIDED has no r.)
 *
 * Errors: EINVAL (also for a role that is none, for destinations where they
 * are not known, and for no importance or destinations where they are needed),
 * EOPTION, ESPACE (also for no workspace), ERANGE.
 */
int tomerge_match(const tomerge_options *options, size_t channels,
                  tomerge_const_view metric, size_t r, tomerge_plan *plan,
                  void *workspace, size_t workspace_bytes);

/* Makes one plan of two in turn: `next` merges the rows that `plan` leaves.
 * plan->rows and plan->map, and plan->origin unless NULL, become those of both.
 * EINVAL (also for next->tokens other than plan->rows, or no next->origin where
 * there is a plan->origin), ERANGE, EMAP. */
int tomerge_join(tomerge_plan *plan, const tomerge_plan *next);

/*
 * As tomerge_match, for any r: rounds of matching, each on the rows that the
 * one before left, their metric being the mean over the group weighted by
 * size, until r tokens are removed or a later round removes none. Where one
 * round is enough the plan is that of tomerge_match. ALTERNATING, SEQUENTIAL
 * and RANDOM, which adds the number of the round, from 0, to the seed, have
 * rounds; all others are one.
 *
 * size       [plan->tokens], or NULL: all 1
 *
 * The workspace query and the errors are those of tomerge_match; EINVAL also
 * for a size that is not positive and finite.
 */
int tomerge_match_rounds_workspace(const tomerge_options *options,
                                   size_t tokens, size_t channels,
                                   size_t *bytes);
int tomerge_match_rounds(const tomerge_options *options, size_t channels,
                         tomerge_const_view metric, const float *size,
                         size_t r, tomerge_plan *plan,
                         void *workspace, size_t workspace_bytes);

/* ---- merging: combining the rows of a group ------------------------------ */

enum tomerge_combine {
    TOMERGE_WEIGHTED = 0,  /* mean weighted by size [ToMe, 3.2; default] */
    TOMERGE_MEAN = 1,      /* plain mean */
    TOMERGE_SUM = 2,
    TOMERGE_MAX = 3,       /* elementwise */
    TOMERGE_KEEP = 4,      /* the origin's row, unchanged (pruning) */
    TOMERGE_MLERP = 5,     /* the weighted mean, made as long as the longest
                            * row of the group: norm-preserving [Kim et al.,
                            * "Token Fusion", WACV 2024]. The mean itself if
                            * it is 0 or a norm leaves the range of f32 */
    TOMERGE_WEIGHTED_SUM = 6, /* the sum of size times row, not divided */
    TOMERGE_MLERP_ORIGIN = 7 /* the plain mean, times the longest norm in the
                            * group over that of the origin's row, as code that
                            * is published as ToFu has it: the result is not as
                            * long as the longest row. The mean itself if the
                            * origin's row is 0 or a norm leaves the range */
};

/* As tomerge_method_name. */
const char *tomerge_combine_name(int combine);
int tomerge_combine_from_name(const char *name, int *combine);

/* Bytes of workspace tomerge_merge needs for at most `tokens` tokens.
 * EINVAL, ERANGE. */
int tomerge_merge_workspace(size_t tokens, size_t *bytes);

/*
 * Combines the rows of one sequence.
 *
 * x          [plan->tokens, channels]
 * plan       from tomerge_match, or the caller's own: any map onto its rows
 * size       [plan->tokens], the size of each input row, positive and finite
 *            (TOMERGE_WEIGHTED_SUM: finite); NULL means all 1
 * y          [plan->rows, channels]; may have another dtype than x
 * size_out   [plan->rows], sums of sizes; NULL if not wanted
 * workspace  any alignment; see tomerge_merge_workspace
 *
 * Sums run in f32, over a group's tokens in ascending order. A group of one
 * token is copied exactly, bit for bit if x and y have the same dtype. The
 * maximum with a NaN is a NaN. Dropped tokens count nowhere.
 *
 * Errors: EINVAL (also for TOMERGE_KEEP without plan->origin), EOPTION,
 * ESPACE, ERANGE, EMAP.
 */
int tomerge_merge(int combine, const tomerge_plan *plan, size_t channels,
                  tomerge_const_view x, const float *size,
                  tomerge_view y, float *size_out,
                  void *workspace, size_t workspace_bytes);

/* Copies each output row back to every token that went into it:
 * x[i] = y[map[i]]; rows of dropped tokens become 0.
 * y [plan->rows, channels] -> x [plan->tokens, channels], of any two dtypes.
 * Undoes the order and the number of rows, not the loss. plan->origin is not
 * used. EINVAL, EOPTION, ERANGE, EMAP. */
int tomerge_unmerge(const tomerge_plan *plan, size_t channels,
                    tomerge_const_view y, tomerge_view x);

/* ---- one call a layer ---------------------------------------------------- */

/* A sequence on its way through a model: after tomerge_layer, what enters the
 * MLP and the next layer's attention. */
typedef struct tomerge_sequence {
    size_t tokens;         /* rows of x: in and out */
    size_t heads, head_channels; /* of the keys, or of any other metric, which
                            * has one head; averaged over heads */
    tomerge_const_view keys; /* [tokens, head_channels] of the first head */
    ptrdiff_t head_stride; /* elements from one head to the next */
    size_t channels;       /* of x */
    int combine;           /* enum tomerge_combine */
    tomerge_view x;        /* [tokens, channels]: merged in place, unless */
    tomerge_view y;        /* [tokens, channels] has data: then x stays as it
                            * is and the first rows here are written */
    float *size;           /* [tokens], all 1 before the first layer: in and
                            * out */
    float *bias;           /* [tokens], gets ln(size), what proportional
                            * attention adds to the logits of each key; or
                            * NULL */
    int32_t *map, *origin; /* [tokens] each, get the plan; or NULL */
} tomerge_sequence;

/* Nothing yet, one head, TOMERGE_WEIGHTED. */
#define TOMERGE_SEQUENCE_INIT                                                \
    {0, 1, 0, {NULL, 0, TOMERGE_F32}, 0, 0, TOMERGE_WEIGHTED,                \
     {NULL, 0, TOMERGE_F32}, {NULL, 0, TOMERGE_F32}, NULL, NULL, NULL, NULL}

/*
 * All that a layer needs: averages the keys over the heads, matches, merges
 * rows and sizes, and takes the next bias. The same as tomerge_mean_heads,
 * tomerge_match, tomerge_merge and tomerge_size_bias in turn, bit for bit.
 *
 *     tomerge_options options = TOMERGE_OPTIONS_INIT;
 *     tomerge_sequence s = TOMERGE_SEQUENCE_INIT;
 *
 *     options.protect = 1;                    (the class token)
 *     s.tokens = 197;
 *     s.keys = tomerge_const_view_of(k, 384, TOMERGE_F32);
 *     s.heads = 6, s.head_channels = 64, s.head_stride = 64;
 *     s.x = tomerge_view_of(x, 384, TOMERGE_F32), s.channels = 384;
 *     s.size = size, s.bias = bias;           (197 times 1, 197 times 0)
 *     tomerge_layer_workspace(&options, &s, &bytes);
 *     work = malloc(bytes);
 *     for (layer = 0; layer < 12; layer++) {
 *         attention(layer, x, s.tokens, bias); (writes k, adds to x)
 *         tomerge_layer(&options, 13, &s, work, bytes);
 *         mlp(layer, x, s.tokens);
 *     }
 *
 * The workspace for s->tokens is enough for fewer. Errors: those of
 * tomerge_match and tomerge_merge; EINVAL also for no size, for bias in place
 * of size, and for y on x with another stride or type.
 */
int tomerge_layer_workspace(const tomerge_options *options,
                            const tomerge_sequence *sequence, size_t *bytes);
int tomerge_layer(const tomerge_options *options, size_t r,
                  tomerge_sequence *sequence,
                  void *workspace, size_t workspace_bytes);

/* ---- several tensors with one plan --------------------------------------- */

/* What else belongs to the tokens: keys and values of a cache, positions,
 * masks. A tensor may have several parts, say heads, each of one row a token:
 * [tokens, heads, channels] is heads parts of stride heads * channels, one
 * `channels` after the other; so is [heads, tokens, channels], of stride
 * `channels`, tokens * channels apart. */
typedef struct tomerge_tensor {
    int combine;           /* enum tomerge_combine */
    size_t channels;
    size_t parts;          /* at least 1 */
    tomerge_const_view x;  /* [tokens, channels] of the first part */
    ptrdiff_t x_part;      /* elements from one part of x to the next */
    tomerge_view y;        /* [rows, channels] of the first part */
    ptrdiff_t y_part;
} tomerge_tensor;

/* tomerge_merge for `count` tensors, after all of them have been checked.
 * `size` counts for those that are weighted; size_out may be NULL. The
 * workspace is that of tomerge_merge. Errors as there. */
int tomerge_merge_tensors(const tomerge_plan *plan, size_t count,
                          const tomerge_tensor *tensors, const float *size,
                          float *size_out,
                          void *workspace, size_t workspace_bytes);

/*
 * Combines both rows and columns of tables with an entry for each pair of
 * tokens: relative position biases, attention masks.
 *
 * x  [tables, tokens, tokens], x_table elements from one table to the next,
 *    x.stride from one row of a table to the next
 * y  [tables, rows, rows], likewise
 *
 * Rows are combined first, then columns; in between is f32. An entry between
 * two rows of one token each is copied. TOMERGE_MLERP is refused (EOPTION).
 * Errors as tomerge_merge.
 */
int tomerge_merge_table_workspace(size_t tokens, size_t *bytes);
int tomerge_merge_table(int combine, const tomerge_plan *plan, size_t tables,
                        tomerge_const_view x, ptrdiff_t x_table,
                        const float *size, tomerge_view y, ptrdiff_t y_table,
                        void *workspace, size_t workspace_bytes);

/* ---- gradients: training with merging ------------------------------------ */

/*
 * The gradient of tomerge_merge: from that of a loss L by what it wrote, that
 * by what it read. Which tokens merge is held fixed.
 *
 * combine .. size  as they were given to tomerge_merge
 * grad_y           [plan->rows, channels], dL/dy
 * grad_size_out    [plan->rows], dL/dsize_out, or NULL: 0
 * grad_x           [plan->tokens, channels], gets dL/dx; 0 for dropped tokens
 * grad_size        [plan->tokens], gets dL/dsize, or NULL: not wanted
 * workspace        that of tomerge_merge
 *
 * With g and h the gradients of a row and its size, s and S the sizes of token
 * i and of its group, n the number of tokens in it:
 *
 *                     dL/dx[i]                      dL/dsize[i]
 *   TOMERGE_WEIGHTED  g s / S                       h + g.(x[i] - y) / S
 *   TOMERGE_MEAN      g / n                         h
 *   TOMERGE_SUM       g                             h
 *   TOMERGE_WEIGHTED_SUM
 *                     g s                           h + g.x[i]
 *   TOMERGE_MAX       g in the channels where x[i]  h
 *                     is the first to be the largest
 *                     (or a NaN), 0 in the others
 *   TOMERGE_KEEP      g if i is the origin, or 0    h
 *   TOMERGE_MLERP     that of y = f m, f = l / |m|  h + d.(x[i] - m) / S
 *   TOMERGE_MLERP_ORIGIN
 *                     that of y = f m, f = l / |o|  h
 *
 * All but three are differentiable wherever they are defined. MAX is not where
 * two tokens share a maximum, and gets a subgradient there; MLERP and
 * MLERP_ORIGIN, m being the mean, l the largest norm and o the origin's row,
 * not where two tokens share it: the first has it. There d = f (g - m (m.g) /
 * |m|^2), dL/dx[i] = d s / S, and the token that has l gets x[i] (m.g) / (|m|
 * l) besides; where MLERP is the mean itself, so is its gradient. With |o| in
 * place of |m| it is d = f g, the token that has l gets as much, and the origin
 * -o (m.g) f / |o|^2. A group of one token passes g on exactly.
 *
 * Arithmetic is in f32, like tomerge_merge's. Errors as there.
 */
int tomerge_merge_backward(int combine, const tomerge_plan *plan,
                           size_t channels, tomerge_const_view x,
                           const float *size, tomerge_const_view grad_y,
                           const float *grad_size_out, tomerge_view grad_x,
                           float *grad_size,
                           void *workspace, size_t workspace_bytes);

/* The gradient of tomerge_unmerge: grad_y[j] is the sum of grad_x over the
 * tokens of row j, 0 for a row without any. grad_x [plan->tokens, channels] ->
 * grad_y [plan->rows, channels]. Workspace that of tomerge_merge. EINVAL,
 * EOPTION, ESPACE, ERANGE, EMAP. */
int tomerge_unmerge_backward(const tomerge_plan *plan, size_t channels,
                             tomerge_const_view grad_x, tomerge_view grad_y,
                             void *workspace, size_t workspace_bytes);

/* ---- sizes by similarity ------------------------------------------------- */

/*
 * Sizes of merged rows as DiffRate has them [Chen et al., ICCV 2023]: a row has
 * the size of its origin, and of each other token that went into it the size
 * times the cosine between the two, 0 where they cannot be compared. Such sizes
 * are no counts, and may be 0 or less, which tomerge_size_bias refuses.
 *
 * plan      with its origin
 * metric    [plan->tokens, channels], what was compared
 * size      [plan->tokens], finite
 * size_out  [plan->rows]
 *
 * EINVAL, EOPTION, ERANGE, EMAP.
 */
int tomerge_sizes_by_similarity(const tomerge_plan *plan, size_t channels,
                                tomerge_const_view metric, const float *size,
                                float *size_out);

/* ---- tracing ------------------------------------------------------------- */

/* Follows tokens through a further layer, in place:
 * trace[i] = map[trace[i]] for i < count, -1 staying -1. Start from
 * trace[i] = i; after the last layer it holds the final row of every input
 * token [ToMe, 4.3 and figure 4]. `trace` must point into plan->tokens rows.
 * EINVAL, ERANGE, EMAP. */
int tomerge_compose(const tomerge_plan *plan, size_t count, int32_t *trace);

/* ---- attention with merged tokens ---------------------------------------- */

/* bias[i] = ln(size[i]), to be added to the attention logits of key i before
 * softmax: proportional attention [ToMe, equation 1]. In place is allowed.
 * EINVAL: a size that is not positive and finite. ERANGE. */
int tomerge_size_bias(size_t rows, const float *size, float *bias);

/* metric[t] = mean over h of k[t, h]: the usual metric [ToMe, 3.2, table 1c].
 * Head h of row t starts at k.data + t * k.stride + h * head_stride.
 * So k may be a slice of a [tokens, 3, heads, channels] buffer, or lie head by
 * head with k.stride = channels. Sums run in f32, in order of the heads.
 * k [tokens, heads, channels] -> metric [tokens, channels], of any two dtypes.
 * EINVAL, EOPTION, ERANGE. */
int tomerge_mean_heads(size_t tokens, size_t heads, size_t channels,
                       tomerge_const_view k, ptrdiff_t head_stride,
                       tomerge_view metric);

/* ---- packed batches ------------------------------------------------------ */

/*
 * Sequences of any lengths lie one after another: sequence s has the rows
 * offsets[s] .. offsets[s + 1] - 1 of every buffer (offsets[0] need not be 0).
 * map, origin, options->role and options->importance have one entry for every
 * such row, maps and origins counted from the first row of their own sequence:
 * map[offsets[s] + i] is a row within sequence s.
 *
 * workspace: `threads` times what the single call needs for the longest
 * sequence, each part rounded up to a multiple of 64 bytes; the size queries
 * below do that sum.
 *
 * threads: at least 1, and then no team is formed. Inside a parallel region
 * of one's own, call with 1, or the single functions sequence by sequence.
 *
 * EINVAL: no sequences, offsets that fall, threads below 1, and whatever the
 * single calls refuse; all sequences are checked before any output is written.
 */
int tomerge_match_batch_workspace(const tomerge_options *options,
                                  size_t sequences, const size_t *offsets,
                                  size_t channels, int threads, size_t *bytes);

/* r [sequences]: one for each. offsets_out [sequences + 1] gets the packed
 * positions after merging, starting at 0; map and origin (or NULL) as above. */
int tomerge_match_batch(const tomerge_options *options, size_t sequences,
                        const size_t *offsets, size_t channels,
                        tomerge_const_view metric, const size_t *r,
                        int32_t *map, int32_t *origin, size_t *offsets_out,
                        int threads, void *workspace, size_t workspace_bytes);

int tomerge_merge_batch_workspace(size_t sequences, const size_t *offsets,
                                  int threads, size_t *bytes);

/* size_out and y follow offsets_out, which is only read here and need not
 * start at 0; see tomerge_merge. */
int tomerge_merge_batch(int combine, size_t sequences, const size_t *offsets,
                        const size_t *offsets_out, const int32_t *map,
                        const int32_t *origin, size_t channels,
                        tomerge_const_view x, const float *size,
                        tomerge_view y, float *size_out,
                        int threads, void *workspace, size_t workspace_bytes);

/* See tomerge_unmerge. */
int tomerge_unmerge_batch(size_t sequences, const size_t *offsets,
                          const size_t *offsets_out, const int32_t *map,
                          size_t channels, tomerge_const_view y,
                          tomerge_view x, int threads);

/* The gradients of both; see tomerge_merge_backward and
 * tomerge_unmerge_backward. The workspace is that of tomerge_merge_batch; what
 * follows offsets_out has rows there as y has. */
int tomerge_merge_backward_batch(int combine, size_t sequences,
                                 const size_t *offsets,
                                 const size_t *offsets_out,
                                 const int32_t *map, const int32_t *origin,
                                 size_t channels, tomerge_const_view x,
                                 const float *size, tomerge_const_view grad_y,
                                 const float *grad_size_out,
                                 tomerge_view grad_x, float *grad_size,
                                 int threads, void *workspace,
                                 size_t workspace_bytes);
int tomerge_unmerge_backward_batch(size_t sequences, const size_t *offsets,
                                   const size_t *offsets_out,
                                   const int32_t *map, size_t channels,
                                   tomerge_const_view grad_x,
                                   tomerge_view grad_y, int threads,
                                   void *workspace, size_t workspace_bytes);

/* ---- schedules: r for every layer ---------------------------------------- */

/* A constant r (inflection 0), or a ramp: inflection in [-1, 1] runs from
 * r * (1 - inflection) in the first layer to r * (1 + inflection) in the last,
 * each lowered to a whole number; -1 merges early and is the fastest
 * [ToMe, 4.3]. A single layer merges r. out [layers]. EINVAL: no layers, an
 * inflection outside its range. ERANGE. */
int tomerge_schedule(size_t layers, size_t r, double inflection, size_t *out);

/* A list [count] for the first layers, padded with zeros to out [layers];
 * EINVAL if it is longer. */
int tomerge_schedule_list(size_t layers, size_t count, const size_t *list,
                          size_t *out);

/* The evenest schedule whose merge ratio is nearest to `ratio` in [0, 1). No
 * two layers differ by more than one token, the earlier ones merging more,
 * except that a layer with less to give merges what it can. The ratio is met
 * to half a token in all, to half a token a layer (0.5 / tokens) where layers
 * run out. ERANGE if even merging the most in every layer stays more than
 * that below it. EINVAL: no layers, no tokens, a ratio outside its range.
 * EOPTION: no method. */
int tomerge_schedule_ratio(int method, size_t layers, size_t tokens,
                           size_t protect, double ratio, size_t *out);

/* What a schedule does to one sequence: tokens leaving each layer (out
 * [layers], or NULL) and the merge ratio, the share of tokens merged away
 * averaged over the layers (or NULL). r beyond tomerge_max_r is lowered.
 * EINVAL: no layers or no tokens. EOPTION: no method. ERANGE. */
int tomerge_schedule_tokens(int method, size_t layers, size_t tokens,
                            size_t protect, const size_t *r, size_t *out,
                            double *ratio);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
