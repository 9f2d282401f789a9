/* SPDX-License-Identifier: MIT */
/*
 * Token merging as a custom operator of ONNX Runtime: a library that a session
 * loads (register_custom_ops_library in Python, RegisterCustomOpsLibrary_V2 in
 * C). onnx_merge.py puts the operator into an exported Vision Transformer.
 *
 *   tomerge.MergeTokens
 *     inputs      x [batch, tokens, channels]
 *                 metric [batch, tokens, any]   usually the keys' head mean
 *                 size [batch, tokens]          optional: all 1
 *     outputs     y [batch, rows, channels], size_out [batch, rows]
 *     attributes  r                             tokens to remove
 *                 protect                       leading tokens left alone
 *                 threads                       that share the batch
 *
 * It needs ONNX Runtime 1.16 or newer, and of it only onnxruntime_c_api.h:
 * the runtime hands over its functions when the library is registered.
 */
#include <tomerge.h>

#include <onnxruntime_c_api.h>

#include <stdint.h>
#include <stdlib.h>

enum { API = 16 };

typedef struct kernel {
    const OrtApi *api;
    tomerge_options options;
    size_t r;
    int threads;
} kernel;

/* One f32 tensor: what the runtime has of it. */
typedef struct tensor {
    float *data;
    size_t dims[3], rank;
} tensor;

/* The parts of one allocation for a call. */
typedef struct scratch {
    size_t *offsets, *offsets_out, *r;
    int32_t *map;
    char *workspace;
    size_t workspace_bytes;
} scratch;

#define TRY(call) do { OrtStatus *status_ = (call); \
                       if (status_) return status_; } while (0)

static OrtStatus *refuse(const kernel *k, const char *message)
{
    return k->api->CreateStatus(ORT_INVALID_ARGUMENT, message);
}

static OrtStatus *check(const kernel *k, int error)
{
    return error ? refuse(k, tomerge_strerror(error)) : NULL;
}

/* ---- tensors ------------------------------------------------------------- */

static OrtStatus *shape_of(const kernel *k, const OrtValue *value, tensor *t)
{
    OrtTensorTypeAndShapeInfo *info;
    OrtStatus *status;
    int64_t dims[3];

    TRY(k->api->GetTensorTypeAndShape(value, &info));
    status = k->api->GetDimensionsCount(info, &t->rank);
    if (!status && (t->rank < 2 || t->rank > 3))
        status = refuse(k, "MergeTokens: expected inputs of 2 or 3 dimensions");
    if (!status)
        status = k->api->GetDimensions(info, dims, t->rank);
    for (size_t i = 0; !status && i < t->rank; i++)
        t->dims[i] = (size_t)dims[i];
    k->api->ReleaseTensorTypeAndShapeInfo(info);
    return status;
}

/* The C API reads through what it calls mutable. */
static OrtStatus *data_of(const kernel *k, const OrtValue *value, tensor *t)
{
    void *data;

    TRY(k->api->GetTensorMutableData((OrtValue *)(uintptr_t)value, &data));
    t->data = data;
    return NULL;
}

/* Input `index`; t->data is NULL where an optional one is left out. */
static OrtStatus *input(const kernel *k, OrtKernelContext *context,
                        size_t index, size_t rank, tensor *t)
{
    const OrtValue *value = NULL;
    size_t count;

    t->data = NULL;
    TRY(k->api->KernelContext_GetInputCount(context, &count));
    if (index < count)
        TRY(k->api->KernelContext_GetInput(context, index, &value));
    if (!value)
        return NULL;
    TRY(shape_of(k, value, t));
    if (t->rank != rank)
        return refuse(k, "MergeTokens: expected x and metric of 3 dimensions "
                         "and size of 2");
    return data_of(k, value, t);
}

static OrtStatus *output(const kernel *k, OrtKernelContext *context,
                         size_t index, tensor *t)
{
    int64_t dims[3];
    OrtValue *value;

    for (size_t i = 0; i < t->rank; i++)
        dims[i] = (int64_t)t->dims[i];
    TRY(k->api->KernelContext_GetOutput(context, index, dims, t->rank,
                                        &value));
    return data_of(k, value, t);
}

/* ---- the operator -------------------------------------------------------- */

/* One allocation, cut up; s->offsets is what to free. */
static OrtStatus *allocate(const kernel *k, size_t batch, size_t tokens,
                           size_t channels, scratch *s)
{
    size_t match = 0, merge = 0, words = 3 * (batch + 1);
    size_t map_bytes = (batch * tokens * sizeof(int32_t) + 63) / 64 * 64;

    s->offsets = malloc(words * sizeof(size_t) + map_bytes);
    if (!s->offsets)
        return k->api->CreateStatus(ORT_FAIL, "MergeTokens: out of memory");
    s->offsets_out = s->offsets + batch + 1;
    s->r = s->offsets_out + batch + 1;
    s->map = (int32_t *)(s->r + batch + 1);
    for (size_t i = 0; i <= batch; i++) {
        s->offsets[i] = i * tokens;
        s->r[i] = k->r;
    }
    TRY(check(k, tomerge_match_batch_workspace(&k->options, batch, s->offsets,
                                               channels, k->threads, &match)));
    TRY(check(k, tomerge_merge_batch_workspace(batch, s->offsets, k->threads,
                                               &merge)));
    s->workspace_bytes = match > merge ? match : merge;
    s->workspace = malloc(s->workspace_bytes);
    return s->workspace ? NULL : k->api->CreateStatus(
        ORT_FAIL, "MergeTokens: out of memory");
}

static OrtStatus *run(const kernel *k, OrtKernelContext *context,
                      const tensor *x, const tensor *metric,
                      const tensor *size, scratch *s)
{
    size_t batch = x->dims[0], tokens = x->dims[1], rows;
    tensor y = {NULL, {batch, 0, x->dims[2]}, 3};
    tensor size_out = {NULL, {batch, 0, 0}, 2};
    tomerge_const_view by = {metric->data, (ptrdiff_t)metric->dims[2],
                             TOMERGE_F32};
    tomerge_const_view in = {x->data, (ptrdiff_t)x->dims[2], TOMERGE_F32};
    tomerge_view out = {NULL, (ptrdiff_t)x->dims[2], TOMERGE_F32};

    TRY(allocate(k, batch, tokens, metric->dims[2], s));
    TRY(check(k, tomerge_match_batch(&k->options, batch, s->offsets,
                                     metric->dims[2], by, s->r, s->map, NULL,
                                     s->offsets_out, k->threads, s->workspace,
                                     s->workspace_bytes)));
    rows = s->offsets_out[1];
    y.dims[1] = size_out.dims[1] = rows;
    TRY(output(k, context, 0, &y));
    TRY(output(k, context, 1, &size_out));
    out.data = y.data;
    return check(k, tomerge_merge_batch(
        TOMERGE_WEIGHTED, batch, s->offsets, s->offsets_out, s->map, NULL,
        x->dims[2], in, size->data, out, size_out.data, k->threads,
        s->workspace, s->workspace_bytes));
}

static OrtStatusPtr ORT_API_CALL compute(void *op_kernel,
                                         OrtKernelContext *context)
{
    const kernel *k = op_kernel;
    tensor x, metric, size;
    scratch s = {0};
    OrtStatus *status;

    TRY(input(k, context, 0, 3, &x));
    TRY(input(k, context, 1, 3, &metric));
    TRY(input(k, context, 2, 2, &size));
    if (metric.dims[0] != x.dims[0] || metric.dims[1] != x.dims[1] ||
        (size.data && (size.dims[0] != x.dims[0] ||
                       size.dims[1] != x.dims[1])))
        return refuse(k, "MergeTokens: x, metric and size differ in their "
                         "batch or tokens");
    if (x.dims[0] == 0)
        return refuse(k, "MergeTokens: an empty batch");
    status = run(k, context, &x, &metric, &size, &s);
    free(s.workspace);
    free(s.offsets);
    return status;
}

static OrtStatus *attribute(const OrtApi *api, const OrtKernelInfo *info,
                            const char *name, int64_t least, int64_t *value)
{
    OrtStatus *status = api->KernelInfoGetAttribute_int64(info, name, value);

    if (status) { /* left out: the least there can be */
        api->ReleaseStatus(status);
        *value = least;
    }
    if (*value < least || *value > INT32_MAX)
        return api->CreateStatus(ORT_INVALID_ARGUMENT,
                                 "MergeTokens: an attribute out of range");
    return NULL;
}

static OrtStatusPtr ORT_API_CALL create(const OrtCustomOp *op,
                                        const OrtApi *api,
                                        const OrtKernelInfo *info,
                                        void **op_kernel)
{
    int64_t r, protect, threads;
    kernel *k;

    (void)op;
    TRY(attribute(api, info, "r", 0, &r));
    TRY(attribute(api, info, "protect", 0, &protect));
    TRY(attribute(api, info, "threads", 1, &threads));
    k = malloc(sizeof(*k));
    if (!k)
        return api->CreateStatus(ORT_FAIL, "MergeTokens: out of memory");
    k->api = api;
    k->r = (size_t)r;
    k->threads = (int)threads;
    tomerge_options_init(&k->options);
    k->options.protect = (size_t)protect;
    k->options.exact = 1; /* one number of rows for all of a batch */
    *op_kernel = k;
    return NULL;
}

static void ORT_API_CALL destroy(void *op_kernel)
{
    free(op_kernel);
}

/* ---- what the runtime asks ----------------------------------------------- */

static const char *ORT_API_CALL name(const OrtCustomOp *op)
{
    (void)op;
    return "MergeTokens";
}

static const char *ORT_API_CALL provider(const OrtCustomOp *op)
{
    (void)op;
    return NULL; /* the CPU */
}

static size_t ORT_API_CALL inputs(const OrtCustomOp *op)
{
    (void)op;
    return 3;
}

static size_t ORT_API_CALL outputs(const OrtCustomOp *op)
{
    (void)op;
    return 2;
}

static ONNXTensorElementDataType ORT_API_CALL type(const OrtCustomOp *op,
                                                   size_t index)
{
    (void)op;
    (void)index;
    return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
}

static OrtCustomOpInputOutputCharacteristic ORT_API_CALL
input_kind(const OrtCustomOp *op, size_t index)
{
    (void)op;
    return index == 2 ? INPUT_OUTPUT_OPTIONAL : INPUT_OUTPUT_REQUIRED;
}

static OrtCustomOpInputOutputCharacteristic ORT_API_CALL
output_kind(const OrtCustomOp *op, size_t index)
{
    (void)op;
    (void)index;
    return INPUT_OUTPUT_REQUIRED;
}

static OrtMemType ORT_API_CALL memory(const OrtCustomOp *op, size_t index)
{
    (void)op;
    (void)index;
    return OrtMemTypeDefault;
}

OrtStatus *ORT_API_CALL RegisterCustomOps(OrtSessionOptions *options,
                                          const OrtApiBase *base);

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
OrtStatus *ORT_API_CALL RegisterCustomOps(OrtSessionOptions *options,
                                          const OrtApiBase *base)
{
    static const OrtCustomOp op = {
        .version = API,
        .CreateKernelV2 = create, .KernelComputeV2 = compute,
        .KernelDestroy = destroy, .GetName = name,
        .GetExecutionProviderType = provider,
        .GetInputType = type, .GetInputTypeCount = inputs,
        .GetOutputType = type, .GetOutputTypeCount = outputs,
        .GetInputCharacteristic = input_kind,
        .GetOutputCharacteristic = output_kind, .GetInputMemoryType = memory,
    };
    const OrtApi *api = base->GetApi(API);
    OrtCustomOpDomain *domain;

    if (!api) /* an older runtime cannot even say so */
        return NULL;
    /* The domain has to live as long as the session does, which is not known
     * here: it stays. */
    TRY(api->CreateCustomOpDomain("tomerge", &domain));
    TRY(api->CustomOpDomain_Add(domain, &op));
    return api->AddCustomOpDomain(options, domain);
}
