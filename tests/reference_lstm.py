"""The LSTM policy written a second time: one walk, one step, one number at a time, in NumPy.

It reads the decisions of the space, not its tables.
"""

from __future__ import annotations

import numpy as np


def reference(
    space,
    params,
    architecture,
    context=None,
    *,
    temperature=None,
    tanh_constant=None,
    share_heads=False,
    context_size=0,
    visit_inputs=True,
    skip_connection=False,
    layers=1,
):
    """Log-probability, entropy and probabilities `[T, A]` of one architecture `[T]`."""
    params = _to_numpy(params)
    decisions = {d.name: d for d in space.decisions}
    names = list(decisions)
    groups = {}
    for d in space.decisions:
        groups.setdefault(d.group if share_heads and d.group else (d.name,), len(groups))
    anchors = {}
    if "attention" in params:
        for i, node in enumerate(space.nodes):
            anchors[node] = params["attention"]["initial_anchors"][i]

    x, h = params["start"], np.zeros(params["kernel"].shape[1] // 4)
    c = np.zeros_like(h)
    upper = [(np.zeros_like(h), np.zeros_like(h)) for _ in range(layers - 1)]
    name, visits = space.start, {}
    log_prob, entropy = 0.0, 0.0
    table = np.zeros((space.max_length, space.max_actions))
    for step, action in enumerate(int(a) for a in architecture):
        if name == "end":
            break
        decision = decisions[name]
        visits[name] = visits.get(name, 0) + 1
        head = groups[decision.group if share_heads and decision.group else (decision.name,)]
        read = x if context is None else x + context @ params["context_kernel"]
        if visit_inputs and "visits" in params:
            read = read + params["visits"][visits[name] - 1]
        h, c = _lstm(params["kernel"], read, h, c)
        top = h
        for layer, state in enumerate(upper):
            upper[layer] = _lstm(params["upper"][layer], top, *state)
            top = upper[layer][0]
        skipped = read if skip_connection else read[:0]
        logits = _logits(params, decision, head, top, anchors, skipped)
        if temperature is not None:
            logits = logits / temperature
        if tanh_constant is not None:
            logits = tanh_constant * np.tanh(logits)
        targets = _targets(decision, names)
        is_open = [_can_end(decisions, names, target, dict(visits)) for target in targets]
        p = np.where(is_open, np.exp(logits), 0)
        p = p / p.sum()
        table[step, : len(p)] = p
        log_prob += np.log(p[action])
        entropy -= sum(q * np.log(q) for q in p if q > 0)
        x = params["embeddings"][head, action]
        if _points(decision) and decision.points_at[action] is not None:
            x = x + anchors[decision.points_at[action]]
        if decision.node is not None:
            anchors[decision.node] = top
        name = targets[action]
    return log_prob, entropy, table


def _to_numpy(tree):
    if isinstance(tree, dict):
        return {key: _to_numpy(value) for key, value in tree.items()}
    return np.asarray(tree, np.float64)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _lstm(kernel, x, h, c):
    i, f, o, g = np.split(np.concatenate([x, h]) @ kernel, 4)
    c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
    return _sigmoid(o) * np.tanh(c), c


def _points(decision):
    return any(node is not None for node in decision.points_at or ())


def _logits(params, decision, head, h, anchors, skipped):
    num = len(decision.actions)
    if not _points(decision):
        read = np.concatenate([h, skipped])
        return read @ params["head_kernel"][head][:, :num] + params["head_bias"][head][:num]
    w = params["attention"]
    of = {
        node: w["vector"] @ np.tanh(anchors[node] @ w["anchor_kernel"] + h @ w["query_kernel"])
        for node in decision.points_at
        if node is not None
    }
    nothing = -np.mean(list(of.values()))
    return np.array([nothing if node is None else of[node] for node in decision.points_at])


def _targets(decision, names):
    following = names[names.index(decision.name) + 1 :][:1] or ["end"]
    target = following[0] if decision.next is None else decision.next
    return [target] * len(decision.actions) if isinstance(target, str) else list(target)


def _can_end(decisions, names, target, visits):
    """Whether some walk from `target` reaches the end; caps count visits of the whole walk."""
    if target == "end":
        return True
    visits[target] = visits.get(target, 0) + 1
    if visits[target] > decisions[target].max_visits:
        return False
    targets = _targets(decisions[target], names)
    return any(_can_end(decisions, names, t, dict(visits)) for t in targets)
