"""One text classifier, built alone at its own sizes, in plain NumPy."""

import itertools

import numpy as np

ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "swish": lambda x: x / (1 + np.exp(-x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


def choices_of(options, architecture):
    """The label of every decision, those that are fixed included."""
    taken = options.space.choices(architecture)
    labels = {}
    for name, field in options.decision_fields.items():
        actions = getattr(options, field)
        if len(actions) == 1:
            labels[name] = actions[0]
        elif name in taken:
            labels[name] = actions[taken[name]]
    return labels


def logits(model, parameters, architecture, batch):
    """The logits `[B, K]` of a child without dropout, one text after the other."""
    options = model.options
    labels = choices_of(options, architecture)
    parameters = {t: {n: np.asarray(x) for n, x in of.items()} for t, of in parameters.items()}
    tokens = np.asarray(batch.tokens)[_variant(options, labels)]
    deep = parameters["deep"]
    texts = [row[row != 0] for row in tokens]
    table = _table(options, labels, deep, batch)
    if labels["convolution"] == "yes":
        x = _convolution(labels, deep, table, texts, tokens.shape[1], max(options.embedding_widths))
    else:
        x = np.stack([table[text].sum(0) / np.sqrt(len(text)) for text in texts])
    result = tower(labels, deep, x, np.asarray(batch.weights))
    if labels["wide"] == "yes":
        result = result + np.stack([_wide(model, parameters["wide"], text) for text in texts])
    return np.where(np.asarray(batch.class_mask), result, -1e9)


def _variant(options, labels):
    lower = options.lowercase.index(labels["lowercase"])
    return lower * len(options.strip) + options.strip.index(labels["strip"])


def _table(options, labels, deep, batch):
    width = int(labels["embedding"].split("-")[1])
    own = deep["embedding"][:, :width]
    if labels["embedding"] in options.tables:
        base = np.asarray(batch.tables)[options.tables.index(labels["embedding"])]
        own = own + base[:, :width]
    return own


def _convolution(labels, deep, table, texts, length, widest):
    span, number, width = int(labels["ngram"]), int(labels["filters"]), table.shape[1]
    kernels = deep["filters"].reshape(-1, widest, deep["filters"].shape[1])[:span, :width, :number]
    rows, ends = [], []
    for text in texts:
        embedded = np.concatenate([table[text], np.zeros((span - 1, width))])
        rows += [sum(embedded[t + i] @ kernels[i] for i in range(span)) for t in range(len(text))]
        ends.append(len(rows))
    rows = np.stack(rows)
    if labels["conv_normalization"] == "batch":
        rows = (rows - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-5)
    rows = rows * deep["filter_scales"][:number] + deep["filter_biases"][:number]
    rows = ACTIVATIONS[labels["conv_activation"]](rows)
    return np.stack([part.max(0) for part in np.split(rows, ends[:-1])])


def tower(labels, deep, x, weights, rows=None):
    """The logits of a deep tower; its features stand in `rows`, the first ones by default."""
    rows = np.arange(x.shape[1]) if rows is None else rows
    for i in range(int(labels["layers"])):
        width = int(labels["width"])
        x = x @ deep["kernels"][i][rows, :width]
        rows = np.arange(width)
        if labels["normalization"] == "batch":
            x = (x - x[weights > 0].mean(0)) / np.sqrt(x[weights > 0].var(0) + 1e-5)
        if labels["normalization"] == "layer":
            x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
        x = x * deep["scales"][i][:width] + deep["biases"][i][:width]
        x = ACTIVATIONS[labels["activation"]](x)
    return x @ deep["head"][rows] + deep["head_bias"]


def _wide(model, wide, text):
    kernel, numbers = wide["kernel"], [int(t) for t in text]
    total = sum(kernel[t] for t in numbers)
    for first, second in itertools.pairwise(numbers):
        mixed = (first * 0x9E3779B1 ^ second * 0x85EBCA77) % 2**32
        mixed ^= mixed >> 15
        total = total + kernel[model.vocabulary_size + mixed % model.pairs]
    return total / np.sqrt(2 * len(numbers) - 1)
