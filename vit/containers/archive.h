/* SPDX-License-Identifier: MIT */
/* The containers that are zip archives. */
#ifndef TOMEVIT_ARCHIVE_H
#define TOMEVIT_ARCHIVE_H

#include "tensors.h"
#include "zip.h"

/* 1 if the entries are those of this container. */
int tomevit_torch_zip_detect(const vit_zip *zip);
int tomevit_npz_detect(const vit_zip *zip);

/* As vit_container.read. What is needed later is taken out of *zip, which
 * the caller closes. */
int tomevit_torch_zip_read(vit_tensors *tensors, vit_zip *zip,
                           const vit_report *report);
int tomevit_npz_read(vit_tensors *tensors, vit_zip *zip,
                     const vit_report *report);

#endif
