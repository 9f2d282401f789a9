# SPDX-License-Identifier: MIT
"""An ONNX graph with its ways forwards and backwards, and the layers of a
Vision Transformer in it."""

import numpy as np
import onnx
from onnx import helper, numpy_helper


class Refused(Exception):
    """The graph is not what can be rewritten."""


class Graph:
    def __init__(self, model, oldest):
        self.model, self.graph = model, model.graph
        self.opset = max(entry.version for entry in model.opset_import
                         if entry.domain in ("", "ai.onnx"))
        if self.opset < oldest:
            raise Refused(f"opset {self.opset}: {oldest} or newer is needed")
        self.constants = {entry.name: entry for entry in self.graph.initializer}
        self.fixed = set(self.constants)  # the same for every image
        self.producer, self.consumers = {}, {}
        self.nodes = list(self.graph.node)  # what id() knows them by
        self.place = {id(node): i for i, node in enumerate(self.nodes)}
        for node in self.nodes:
            self.learn(node)
        self.before, self.after = {}, {}

    def learn(self, node):
        if node.domain not in ("", "ai.onnx"):
            raise Refused(f"{node.name or node.op_type}: operator of "
                          f"{node.domain}; rewrite the model as it was "
                          f"exported, before it is optimized")
        if self.fixed.issuperset(name for name in node.input if name):
            self.fixed.update(node.output)
        for name in node.output:
            self.producer[name] = node
        for name in node.input:
            self.consumers.setdefault(name, []).append(node)
        if node.op_type == "Constant":
            self.constants[node.output[0]] = node.attribute[0].t
        elif node.op_type == "Identity" and node.input[0] in self.constants:
            self.constants[node.output[0]] = self.constants[node.input[0]]

    def moving(self, node):
        """The inputs that depend on the image."""
        return [name for name in node.input
                if name and name not in self.constants]

    def array(self, name):
        """The value of a constant."""
        return numpy_helper.to_array(self.constants[name])

    def uniform(self, name):
        """The one value that all of a tensor's entries have, whatever the
        image, or None."""
        if name in self.constants:
            values = np.unique(self.array(name))
            return values[0] if values.size == 1 else None
        node = self.producer.get(name)
        if node is None:
            return None
        if node.op_type in ("Expand", "Unsqueeze", "Reshape", "Cast"):
            return self.uniform(node.input[0])
        if node.op_type == "ConstantOfShape":
            return node.attribute and numpy_helper.to_array(
                node.attribute[0].t).item() or 0.0
        if node.op_type == "Where":
            chosen = self.uniform(node.input[0])
            return None if chosen is None else self.uniform(
                node.input[1 if chosen else 2])
        return None

    def constant(self, name, values):
        self.graph.initializer.append(
            numpy_helper.from_array(np.array(values), name))
        return name

    def put(self, where, anchor, op, inputs, outputs, **attributes):
        """A new node, to stand before or after another."""
        node = helper.make_node(op, inputs, outputs, name=outputs[0],
                                **attributes)
        where.setdefault(id(anchor), []).append(node)
        return node

    def redirect(self, old, new):
        """What read one tensor reads another from now on."""
        if any(entry.name == old for entry in self.graph.output):
            raise Refused(f"{old}: merged rows cannot be an output")
        for node in self.consumers.get(old, []):
            for i, name in enumerate(node.input):
                if name == old:
                    node.input[i] = new

    def finish(self):
        nodes = []
        for node in self.nodes:
            nodes += self.before.get(id(node), [])
            nodes.append(node)
            nodes += self.after.get(id(node), [])
        needed, kept = {entry.name for entry in self.graph.output}, []
        for node in reversed(nodes):  # a mask left out is not computed
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        del self.graph.node[:]
        self.graph.node.extend(reversed(kept))
        for i in reversed(range(len(self.graph.initializer))):
            if self.graph.initializer[i].name not in needed:
                del self.graph.initializer[i]
        del self.graph.value_info[:]  # shapes before merging


# ---- layers ------------------------------------------------------------------


class Layer:
    """One block: where its softmax is, its keys, its two sums.

    ``keys`` are [batch, heads, tokens, channels], or, if ``turned``, [batch,
    heads, channels, tokens].
    """

    def __init__(self, graph, attention):
        self.attention = attention
        if attention.op_type == "Attention":
            self._of_operator(graph, attention)
        else:
            self.turned = True
            self.keys = _logits_of(graph, attention).input[1]
        self.residual = _next_sum(graph, attention.output[0])
        self.rows = self.residual.output[0]
        self.out = _sum_with(graph, self.rows)

    def _of_operator(self, graph, node):
        names = {entry.name for entry in node.attribute}
        if "q_num_heads" in names or len([n for n in node.input if n]) > 4:
            raise Refused(f"{node.name}: Attention over rows of all heads, or "
                          f"with a past")
        if any(entry.name == "is_causal" and entry.i
               for entry in node.attribute):
            raise Refused(f"{node.name}: causal attention")
        if len(node.input) > 3 and node.input[3] and \
                not _open(graph.uniform(node.input[3])):
            raise Refused(f"{node.name}: attention with a mask")
        self.turned, self.keys = False, node.input[1]


def attentions(graph):
    found = [node for node in graph.nodes
             if node.op_type in ("Softmax", "Attention")]
    if not found:
        raise Refused("no Softmax or Attention that could be rewritten")
    return found


def _open(value):
    """Whether a uniform mask lets everything through."""
    return value is not None and (value == 0.0 if not isinstance(
        value, (bool, np.bool_)) else bool(value))


def _logits_of(graph, softmax):
    """The product of queries and keys behind a softmax. A mask that masks
    nothing is left out: it has the shape of unmerged tokens."""
    reader, node = softmax, graph.producer.get(softmax.input[0])
    while node is not None and node.op_type in ("Add", "Mul", "Div"):
        rest = [name for name in node.input if node.op_type != "Add"
                or not _open(graph.uniform(name))]
        if len(rest) == 1:
            reader.input[list(reader.input).index(node.output[0])] = rest[0]
            node = graph.producer.get(rest[0])
            continue
        moving = graph.moving(node)
        if len(moving) != 1 or node.op_type == "Add":
            raise Refused(f"{node.name}: attention with a mask")
        reader, node = node, graph.producer.get(moving[0])
    if node is None or node.op_type != "MatMul":
        raise Refused(f"{softmax.name}: no MatMul of queries and keys before "
                      f"this softmax")
    return node


def _next_sum(graph, name):
    """The sum of a block's input and its attention."""
    for _ in range(20):
        onward = [node for node in graph.consumers.get(name, [])
                  if node.op_type not in ("Shape", "IsNaN")]
        if len(onward) != 1:
            break
        node = onward[0]
        if node.op_type == "Add" and len(graph.moving(node)) == 2:
            return node
        name = node.output[0]
    raise Refused(f"{name}: no residual sum after this attention")


def _sum_with(graph, rows):
    """The sum of rows and their MLP, or None."""
    sums = [node for node in graph.consumers.get(rows, [])
            if node.op_type == "Add" and len(graph.moving(node)) == 2]
    return sums[0] if len(sums) == 1 else None


# ---- shapes --------------------------------------------------------------------


class Shapes:
    """What a file says of its tensors' shapes: numbers, names of what
    depends on the input, or None."""

    def __init__(self, model):
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
        graph = inferred.graph
        self.of = {
            entry.name: [self._side(side) for side
                         in entry.type.tensor_type.shape.dim]
            for group in (graph.value_info, graph.input, graph.output)
            for entry in group}

    @staticmethod
    def _side(side):
        return side.dim_value or side.dim_param or None

    def tokens(self, layers):
        """How many tokens there are, or 0 where the file leaves it open."""
        dims = self.of.get(layers[0].rows) or []
        return dims[1] if len(dims) == 3 and isinstance(dims[1], int) else 0


def free_shapes(graph, layers, schedule, shapes, protect):
    """Within the blocks, shapes with a fixed number of tokens take it from
    their input. Other constants of that many rows are refused."""
    tokens = shapes.tokens(layers)
    if tokens == 0:
        return
    merging = [layer for layer, r in zip(layers, schedule) if r]
    first = graph.place[id(merging[0].residual)]
    last = layers[-1].out or layers[-1].residual
    for node in graph.nodes[first:graph.place[id(last)]]:
        if node.op_type == "Reshape" and node.input[1] in graph.constants:
            _free_shape(graph, node, tokens, shapes.of)
        elif node.op_type in ("Add", "Mul", "Sub", "Concat", "Gather"):
            for name in graph.fixed.intersection(node.input):
                dims = (graph.constants[name].dims if name in graph.constants
                        else shapes.of.get(name) or ())
                if {tokens, tokens - protect, tokens - 1}.intersection(
                        dims[:-1]):
                    raise Refused(f"{node.name}: a constant with a row for "
                                  f"every token ({name}); positions inside "
                                  f"blocks cannot be rewritten")


def _free_shape(graph, node, tokens, shapes):
    """Leaves the number of tokens open in the shape that a Reshape is to
    give; never by a guess."""
    shape = graph.array(node.input[1]).tolist()
    at = [axis for axis, side in enumerate(shape) if side == tokens]
    if not at:
        return
    source, target = (shapes.get(name) or [None] * len(shape)
                      for name in (node.input[0], node.output[0]))
    if len(at) > 1:
        raise Refused(f"{node.name}: which side of {shape} is the number of "
                      f"tokens?")
    at, given = at[0], list(shape)
    if -1 in shape:
        axis = shape.index(-1)
        same = axis < len(source) and source[axis] == target[axis]
        if isinstance(target[axis], int):
            shape[axis], shape[at] = target[axis], -1
        elif same and target[axis] is not None:
            shape[axis], shape[at] = 0, -1
        elif at < len(source) and source[at] == tokens:
            shape[at] = 0
        else:
            raise Refused(f"{node.name}: a shape {given} with two numbers "
                          f"that depend on the input")
    else:
        shape[at] = -1
    keep = [entry for entry in node.attribute if entry.name != "allowzero"]
    if 0 in given:
        raise Refused(f"{node.name}: a shape {given} of nothing")
    del node.attribute[:]
    node.attribute.extend(keep)
    node.input[1] = graph.constant(node.output[0] + "_shape",
                                   np.int64(shape))


# ---- whether it runs -------------------------------------------------------------


def check(model):
    """Loads and runs a model; says in a line what was tried."""
    try:
        onnx.checker.check_model(model)
        import onnxruntime
    except onnx.checker.ValidationError as error:
        raise Refused(f"rewriting failed: {error}") from None
    except ImportError:
        return "not run: there is no onnxruntime here"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options,
            providers=["CPUExecutionProvider"])
        session.run(None, {entry.name: _some(entry)
                           for entry in session.get_inputs()})
    except Exception as error:  # whatever the runtime raises
        raise Refused(f"the rewritten model does not run: {error}") from None
    return f"ran on onnxruntime {onnxruntime.__version__}"


def _some(entry):
    """An input of the right shape, of two images where that is open."""
    shape = [side if isinstance(side, int) else 2 if i == 0 else 224
             for i, side in enumerate(entry.shape)]
    kinds = {"tensor(float)": np.float32, "tensor(float16)": np.float16,
             "tensor(int64)": np.int64}
    rng = np.random.default_rng(1)
    return rng.random(shape).astype(kinds.get(entry.type, np.float32))
