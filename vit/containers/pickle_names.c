/* SPDX-License-Identifier: MIT */
/* The names that a pickled checkpoint may use, and what they mean. */
#include "config.h"

#include <string.h>

#include "pickle.h"

#define STORAGE(name, dtype) {"torch", name, VIT_IS_STORAGE, dtype}
#define OPAQUE(module, name) {module, name, VIT_MAKES_OPAQUE, NULL}
#define DTYPE(name, dtype) {"torch", name, VIT_MAKES_OPAQUE, dtype}

/* The first row that fits holds. What is opaque here was seen in published
 * checkpoints: optimizers' numbers, options, random generators, metrics. */
static const vit_global globals[] = {
    /* tensors [torch/_utils.py, torch/_tensor.py] */
    {"torch._utils", "_rebuild_tensor_v2", VIT_MAKES_TENSOR, NULL},
    {"torch._utils", "_rebuild_tensor", VIT_MAKES_TENSOR, NULL},
    {"torch._utils", "_rebuild_tensor_v3", VIT_MAKES_TENSOR, NULL},
    {"torch._utils", "_rebuild_parameter*", VIT_IS_ARGUMENT, NULL},
    {"torch._tensor", "_rebuild_from_type_v2", VIT_IS_CALL, NULL},
    OPAQUE("torch._utils", "_rebuild_*"),   /* sparse, quantised, no storage */
    /* their storages [torch/storage.py] */
    STORAGE("FloatStorage", "F32"),
    STORAGE("HalfStorage", "F16"),
    STORAGE("BFloat16Storage", "BF16"),
    STORAGE("DoubleStorage", "F64"),
    STORAGE("LongStorage", "I64"),
    STORAGE("IntStorage", "I32"),
    STORAGE("ShortStorage", "I16"),
    STORAGE("CharStorage", "I8"),
    STORAGE("ByteStorage", "U8"),
    STORAGE("BoolStorage", "BOOL"),
    STORAGE("ComplexFloatStorage", "C64"),
    {"torch.storage", "UntypedStorage", VIT_IS_BYTES, "U8"},
    /* dtypes of tensors in storages without a type */
    DTYPE("float8_e4m3fn", "F8_E4M3"), DTYPE("float8_e5m2", "F8_E5M2"),
    DTYPE("float8_e4m3fnuz", "F8_E4M3FNUZ"),
    DTYPE("float8_e5m2fnuz", "F8_E5M2FNUZ"),
    DTYPE("float8_e8m0fnu", "F8_E8M0"), DTYPE("uint16", "U16"),
    DTYPE("uint32", "U32"), DTYPE("uint64", "U64"),
    /* what holds them */
    {"collections", "OrderedDict", VIT_MAKES_DICT, NULL},
    {"collections", "defaultdict", VIT_MAKES_DICT, NULL},
    {"__builtin__", "dict", VIT_MAKES_DICT, NULL},
    {"builtins", "dict", VIT_MAKES_DICT, NULL},
    {"__torch__.*", "*", VIT_MAKES_OBJECT, NULL},   /* TorchScript modules */
    {"torch.jit._pickle", "build_*", VIT_IS_ARGUMENT, NULL},
    {"torch.jit._pickle", "restore_type_tag", VIT_IS_ARGUMENT, NULL},
    {"torch", "Size", VIT_IS_ARGUMENT, NULL},
    /* what stands beside them */
    OPAQUE("torch", "Tensor"),
    OPAQUE("torch", "device"),
    OPAQUE("torch", "Generator"),
    OPAQUE("torch", "float*"), OPAQUE("torch", "bfloat16"),
    OPAQUE("torch", "half"), OPAQUE("torch", "double"),
    OPAQUE("torch", "int*"), OPAQUE("torch", "uint*"), OPAQUE("torch", "long"),
    OPAQUE("torch", "bool"), OPAQUE("torch", "complex*"),
    OPAQUE("torch.nn.parameter", "Parameter"),
    OPAQUE("torch.optim.*", "*"),
    OPAQUE("torch.serialization", "_get_layout"),
    OPAQUE("argparse", "Namespace"),
    OPAQUE("types", "SimpleNamespace"),
    OPAQUE("collections", "Counter"), OPAQUE("collections", "deque"),
    OPAQUE("copy_reg", "_reconstructor"), OPAQUE("copyreg", "_reconstructor"),
    OPAQUE("__builtin__", "object"), OPAQUE("builtins", "object"),
    OPAQUE("__builtin__", "set"), OPAQUE("builtins", "set"),
    OPAQUE("__builtin__", "frozenset"), OPAQUE("builtins", "frozenset"),
    OPAQUE("__builtin__", "list"), OPAQUE("builtins", "list"),
    OPAQUE("__builtin__", "tuple"), OPAQUE("builtins", "tuple"),
    OPAQUE("__builtin__", "int"), OPAQUE("builtins", "int"),
    OPAQUE("__builtin__", "float"), OPAQUE("builtins", "float"),
    OPAQUE("__builtin__", "complex"), OPAQUE("builtins", "complex"),
    OPAQUE("__builtin__", "str"), OPAQUE("builtins", "str"),
    OPAQUE("__builtin__", "bool"), OPAQUE("builtins", "bool"),
    OPAQUE("__builtin__", "slice"), OPAQUE("builtins", "slice"),
    OPAQUE("__builtin__", "bytearray"), OPAQUE("builtins", "bytearray"),
    OPAQUE("_codecs", "encode"),            /* bytes, in protocol 2 */
    OPAQUE("numpy", "*"), OPAQUE("numpy.dtypes", "*"),
    OPAQUE("numpy.core.*", "*"), OPAQUE("numpy._core.*", "*"),
    OPAQUE("numpy.random.*", "*"),
    OPAQUE("datetime", "*"), OPAQUE("pathlib*", "*"), OPAQUE("decimal", "*"),
    OPAQUE("omegaconf.*", "*"), OPAQUE("yacs.config", "CfgNode"),
    OPAQUE("easydict", "EasyDict"), OPAQUE("typing", "Any"),
    OPAQUE("pytorch_lightning.*", "*"), OPAQUE("lightning.*", "*"),
    OPAQUE("mmengine.*", "*"), OPAQUE("mmcv.*", "*"),
};

/* "a.*" fits "a.b" and "a"; "a*" what starts with a; others themselves. */
static int fits(const char *pattern, const char *text, size_t length)
{
    size_t known = strlen(pattern);

    if (known == 0 || pattern[known - 1] != '*')
        return known == length && !memcmp(pattern, text, length);
    known--;
    if (known > 0 && pattern[known - 1] == '.' && length == known - 1)
        return !memcmp(pattern, text, length);
    return length >= known && !memcmp(pattern, text, known);
}

const vit_global *tomevit_pickle_global(const char *module,
                                        size_t module_length,
                                        const char *name, size_t name_length,
                                        int *known)
{
    static const vit_global unknown = OPAQUE("*", "*");
    size_t i;

    *known = 1;
    for (i = 0; i < sizeof(globals) / sizeof(*globals); i++)
        if (fits(globals[i].module, module, module_length) &&
            fits(globals[i].name, name, name_length))
            return &globals[i];
    *known = 0;
    return &unknown;
}
