/* SPDX-License-Identifier: MIT */
/* The containers that are zip archives: told apart by their entries. */
#include "config.h"

#include <string.h>

#include "archive.h"
#include "containers.h"

int tomevit_zip_detect(const unsigned char *bytes, size_t count)
{
    return count >= 4 && (!memcmp(bytes, "PK\3\4", 4) ||
                          !memcmp(bytes, "PK\5\6", 4));
}

int tomevit_zip_read(vit_tensors *tensors, const vit_report *report)
{
    vit_zip zip;
    int code = tomevit_zip_open(&zip, &tensors->mapping, report);

    if (!code && tomevit_torch_zip_detect(&zip)) {
        tensors->container = "PyTorch zip";
        code = tomevit_torch_zip_read(tensors, &zip, report);
    } else if (!code && tomevit_npz_detect(&zip)) {
        tensors->container = "npz";
        code = tomevit_npz_read(tensors, &zip, report);
    } else if (!code) {
        code = tomevit_fail(report, TOMEVIT_EFORMAT, "a zip archive of %zu "
                            "entries: expected data.pkl (PyTorch) or .npy "
                            "arrays among them", zip.count);
    }
    tomevit_zip_close(&zip);
    return code;
}
