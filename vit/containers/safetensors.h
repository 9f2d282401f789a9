/* SPDX-License-Identifier: MIT */
/*
 * Reader of .safetensors files: 8 bytes little-endian header length, a JSON
 * header that names every tensor, then the data of all tensors without a gap.
 * [github.com/huggingface/safetensors, README, "Format"]
 *
 * A file that opens has been checked whole: every dtype is known, every
 * shape's size is that of its offsets, and the tensors cover the data exactly
 * once. The file is mapped, so memory goes with the header's size alone.
 */
#ifndef TOMEVIT_SAFETENSORS_H
#define TOMEVIT_SAFETENSORS_H

#include "tensors.h"

enum { VIT_ST_HEADER_BYTES = 100 * 1024 * 1024 };

/* Parses and checks `length` bytes of header that stand at byte 8 of a file
 * with `data_bytes` bytes of data. Fills list, count and metadata, with begin
 * and end as bytes within the data. *json holds the names and is to be
 * released even on failure. */
int tomevit_st_header_parse(vit_tensors *tensors, const char *text,
                            size_t length, size_t data_bytes,
                            struct json_t **json, const vit_report *report);

#endif
