/* SPDX-License-Identifier: MIT */
/* The golden data's reader, and that the data is whole. */
#include "golden.h"

#include <criterion/criterion.h>
#include <string.h>

Test(golden, small_folder_is_complete)
{
    const char *folder = golden_small_folder();
    json_t *index = golden_index(folder), *entry;
    const char *const lists[] = {"merge", "kth", "random"};
    size_t i, files = 0;

    for (size_t l = 0; l < 3; l++) {
        json_array_foreach(json_object_get(index, lists[l]), i, entry) {
            golden_file *file =
                golden_open(folder, golden_string(entry, "file"));

            golden_f32(file, "metric", golden_size(entry, "batch") *
                                           golden_size(entry, "tokens") *
                                           golden_size(entry, "channels"));
            golden_close(file);
            files++;
        }
    }
    cr_assert_geq(files, 30);
    cr_assert_eq(json_array_size(json_object_get(index, "schedule")), 141);
    cr_assert_eq(json_array_size(json_object_get(index, "model")), 1);
    json_decref(index);
}

Test(golden, tensors_have_their_values)
{
    golden_file *file = golden_open(golden_small_folder(),
                                    "merge_008.safetensors");
    static const int32_t group[] = {0, 1, 3, 3, 2};
    const golden_tensor *merged = golden_get(file, "merged");

    cr_assert_arr_eq(golden_i32(file, "group", 5), group, sizeof(group));
    cr_assert_eq(golden_i64(file, "unm_idx", 2)[1], 2);
    cr_assert_eq(golden_f32(file, "merged_size", 4)[3], 13.0f);
    cr_assert_eq(merged->dims, 3);
    cr_assert_eq(merged->shape[1], 4);
    cr_assert_null(golden_find(file, "nothing"));
    golden_close(file);
}

Test(golden, shared_folders_are_there_or_NULL)
{
    const char *real = golden_real_folder(), *data = golden_data_folder();

    cr_assert(!real || strlen(real) > 0);
    cr_assert(!data || strlen(data) > 0);
    if (!real || !data)
        cr_skip_test("no reference data at $TOMERGE_SHARED");
}
