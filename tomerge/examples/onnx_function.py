# SPDX-License-Identifier: MIT
"""MergeTokens as a function of ONNX: in the standard's own operators, carried
by the file itself, so that whatever runs ONNX runs it.

    y, total, row_of = MergeTokens_R_P(x, metric, size)

x [batch, tokens, channels], metric [batch, tokens, any], size [batch, tokens]
become y [batch, rows, channels], their sizes total [batch, rows], and row_of
[batch, tokens], the row of every token. Always r rows fewer, or half of the
tokens that are not protected if those are fewer; rows of the metric that
cannot be compared merge last. Order of rows as in tomerge.h.
"""

import onnx.parser

# Constants; every one of them has to be a node in a function.
_CONSTANTS = """
    zero = Constant <value_ints = [0]> ()
    one = Constant <value_ints = [1]> ()
    two = Constant <value_ints = [2]> ()
    three = Constant <value_ints = [3]> ()
    four = Constant <value_ints = [4]> ()
    last = Constant <value_ints = [-1]> ()
    end = Constant <value_ints = [9223372036854775807]> ()
    first = Constant <value_int = 0> ()
    step = Constant <value_int = 1> ()
    nothing = Constant <value_floats = [0.0]> ()
    barred = Constant <value_floats = [-3.4e38]> ()
    least = Constant <value_floats = [-3.0e38]> ()
    protected = Constant <value_ints = [{protect}]> ()
    r = Constant <value_ints = [{r}]> ()
"""

# How many rows there are and will be.
_COUNTS = """
    shape = Shape (metric)
    batch = Slice (shape, zero, one)
    tokens = Slice (shape, one, two)
    free = Sub (tokens, protected)
    some = Max (free, zero)
    most = Div (some, two)
    merged = Min (r, most)
    rows = Sub (tokens, merged)
    batch_tokens = Concat <axis = 0> (batch, tokens)
    batch_rows = Concat <axis = 0> (batch, rows)
    token_count = Squeeze (tokens, zero)
    row_count = Squeeze (rows, zero)
    at = Range (first, token_count, step)
"""

# For every even position the most similar odd one, and those that merge.
_MATCH = """
    wide = Cast <to = 1> (metric)
    even = Slice (wide, zero, end, one, two)
    odd = Slice (wide, one, end, one, two)
    even_at = Slice (at, zero, end, zero, two)
    odd_at = Slice (at, one, end, zero, two)
    even_squares = Mul (even, even)
    odd_squares = Mul (odd, odd)
    even_sum = ReduceSum <keepdims = 1> (even_squares, last)
    odd_sum = ReduceSum <keepdims = 1> (odd_squares, last)
    even_norm = Sqrt (even_sum)
    odd_norm = Sqrt (odd_sum)
    even_unit = Div (even, even_norm)
    odd_unit = Div (odd, odd_norm)
    odd_turned = Transpose <perm = [0, 2, 1]> (odd_unit)
    products = MatMul (even_unit, odd_turned)
    not_a_number = IsNaN (products)
    numbers = Where (not_a_number, least, products)
    even_stays = Less (even_at, protected)
    odd_stays = Less (odd_at, protected)
    even_column = Unsqueeze (even_stays, last)
    open = Where (odd_stays, barred, numbers)
    scores = Where (even_column, barred, open)
    best_kept, nearest_kept = TopK <axis = -1> (scores, one)
    best = Squeeze (best_kept, last)
    nearest = Squeeze (nearest_kept, last)
    evens = Shape (even_at)
    ranked, falling = TopK <axis = -1> (best, evens)
    source = Slice (falling, zero, merged, one)
    source_at = Mul (source, two)
    target = GatherElements <axis = 1> (nearest, source)
    target_twice = Mul (target, two)
    target_at = Add (target_twice, one)
"""

# Rows by a key: protected tokens, then even positions, then odd ones.
_ORDER = """
    parity = Mod (at, two)
    parity_key = Mul (parity, tokens)
    class_key = Add (parity_key, tokens)
    stays = Less (at, protected)
    group_key = Where (stays, zero, class_key)
    key = Add (group_key, at)
    keys_all = Expand (key, batch_tokens)
    beyond = Mul (tokens, four)
    source_shape = Shape (source_at)
    beyond_all = Expand (beyond, source_shape)
    keys = ScatterElements <axis = 1> (keys_all, source_at, beyond_all)
    ordered, origin = TopK <axis = -1, largest = 0> (keys, rows)
    numbers_of_rows = Range (first, row_count, step)
    row_numbers = Expand (numbers_of_rows, batch_rows)
    zeros = Expand (zero, batch_tokens)
    own = ScatterElements <axis = 1> (zeros, origin, row_numbers)
    into = GatherElements <axis = 1> (own, target_at)
    row_of = ScatterElements <axis = 1> (own, source_at, into)
"""

# Means weighted by size.
_MERGE = """
    empty = Expand (nothing, batch_rows)
    total = ScatterElements <axis = 1, reduction = "add"> (empty, row_of, size)
    x_shape = Shape (x)
    channels = Slice (x_shape, two, three)
    y_shape = Concat <axis = 0> (batch_rows, channels)
    empty_rows = Expand (nothing, y_shape)
    map_column = Unsqueeze (row_of, last)
    map_all = Expand (map_column, x_shape)
    size_column = Unsqueeze (size, last)
    x_wide = Cast <to = 1> (x)
    weighted = Mul (x_wide, size_column)
    sums = ScatterElements <axis = 1, reduction = "add"> (
        empty_rows, map_all, weighted)
    total_column = Unsqueeze (total, last)
    mean = Div (sums, total_column)
    y = CastLike (mean, x)
"""


def name_of(r, protect):
    return f"MergeTokens_{r}_{protect}"


def function(r, protect, opset):
    """The function for one r, a FunctionProto; opset 16 or newer."""
    body = _CONSTANTS.format(r=r, protect=protect)
    body += _COUNTS + _MATCH + _ORDER + _MERGE
    return onnx.parser.parse_function(
        f'<domain: "tomerge", opset_import: ["" : {opset}]>\n'
        f"{name_of(r, protect)} (x, metric, size) => (y, total, row_of)\n"
        f"{{{body}}}")
