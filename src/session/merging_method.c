/* SPDX-License-Identifier: MIT */
/* How tokens merge: one of the methods that were given, and whether it leaves
 * anything to r. */
#include "merging_args.h"

#include "tomevit_methods.h"

int merging_decides(const merging_args *args)
{
    return args->file ||
           tomevit_method_decides(args->row, args->options, NULL) == 1;
}

int merging_has_r(const merging_args *args)
{
    return args->method != TOMERGE_STRIDED && !merging_decides(args);
}

merging_args merging_of_method(const merging_args *args, size_t index)
{
    merging_args one = *args;

    one.methods = NULL;
    one.method_count = 0;
    one.budgets = NULL;
    one.budget_count = 0;
    if (index < args->method_count) {
        one.file = args->methods[index].said ? &args->methods[index] : NULL;
        one.row = args->methods[index].row;
        one.method = tomevit_method_at(one.row)->method;
        if (args->methods[index].options)
            one.options = args->methods[index].options;
    }
    /* What is given for the others is not for one that decides by itself. */
    if (args->method_count > 1 && merging_decides(&one)) {
        one.kind = MERGING_UNSET;
        one.count = 0;
    }
    return one;
}
