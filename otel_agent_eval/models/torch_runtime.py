"""ONNX files in torch: those whose operations are among the ones that the built-in models have.

Needs the extra `torch`, and is imported only where it is wanted.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import onnx
import torch
from onnx import helper, numpy_helper
from torch.nn import functional

from otel_agent_eval.models.processor import EXACT_INT8, processor_features
from otel_agent_eval.models.runtime import FloatArray, ModelError, TokenBatch, check_inputs

_MIDDLE = 128

Tensor = Any
_Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Step:
    """One node of the graph; `done` are the values that nothing after it reads."""

    operation: Callable[..., Tensor]
    attributes: _Attributes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    done: tuple[str, ...] = ()

    def run(self, values: dict[str, Tensor]) -> None:
        made = self.operation(self.attributes, *(values[name] if name else None for name in self.inputs))
        values.update(zip(self.outputs, made if isinstance(made, tuple) else (made,), strict=True))
        for name in self.done:
            del values[name]


class TorchRuntime:
    """One loaded file, run node by node."""

    def __init__(self, path: Path) -> None:
        torch.set_num_threads(1)  # of each run: as many go side by side as there are cores
        more = {"in_integers": bool(processor_features() & EXACT_INT8)}
        try:
            graph = onnx.load(path).graph
            self._constants = {one.name: torch.tensor(numpy_helper.to_array(one)) for one in graph.initializer}
            self._inputs = {one.name for one in graph.input} - self._constants.keys()
            steps = self._fold([_step(node, more) for node in graph.node])
            given = {*self._constants, *self._inputs, ""}
            self._steps = {one.name: _plan(steps, one.name, given) for one in graph.output}
        except Exception as error:
            unknown = isinstance(error, _UnknownError)
            reason = f"it has the operation {error}" if unknown else type(error).__name__
            raise ModelError(f"{path} cannot be loaded by torch ({reason})") from error
        check_inputs(path, self._inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the model's outputs."""
        return tuple(self._steps)

    def run(self, batch: TokenBatch, output: str) -> FloatArray:
        """Return one of the model's outputs, of shape [batch, values] or [batch, sequence, values]."""
        values = {name: torch.from_numpy(array) for name, array in batch.by_name().items() if name in self._inputs}
        values |= self._constants
        with torch.inference_mode():
            for step in self._steps[output]:
                step.run(values)
        found: FloatArray = values[output].numpy()
        return found

    def _fold(self, steps: list[_Step]) -> list[_Step]:
        """Run what depends on no input, once; return the rest."""
        rest = []
        for step in steps:
            if all(name in self._constants for name in step.inputs):
                step.run(self._constants)
            else:
                rest.append(step)
        return rest


class _UnknownError(Exception):
    """An operation that is not in the table."""


def _step(node: Any, more: _Attributes) -> _Step:  # noqa: ANN401 (onnx is not typed)
    if node.op_type not in _OPERATIONS:
        raise _UnknownError(node.op_type)
    attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    attributes |= {"parts": len(node.output), **more}
    return _Step(_OPERATIONS[node.op_type], attributes, (*node.input,), (*node.output,))


def _plan(steps: list[_Step], output: str, given: AbstractSet[str]) -> tuple[_Step, ...]:
    """Choose the steps that an output needs, each with what can be forgotten after it.

    Raises KeyError for what is neither given nor made.
    """
    needed, plan = {output}, list[_Step]()
    for step in reversed(steps):
        if needed.isdisjoint(step.outputs):
            continue
        last = {*step.inputs, *step.outputs} - needed - given
        plan.append(replace(step, done=tuple(last)))
        needed |= {*step.inputs}
    missing = needed.difference(given, *(step.outputs for step in plan))
    if missing:
        raise KeyError(min(missing))
    return tuple(reversed(plan))


def _gather(attributes: _Attributes, data: Tensor, places: Tensor) -> Tensor:
    axis = attributes.get("axis", 0)
    shape = (*data.shape[:axis], *places.shape, *data.shape[axis + 1 :])
    return data.index_select(axis, places.reshape(-1)).reshape(shape)


def _slice(_: _Attributes, data: Tensor, starts: Tensor, ends: Tensor, axes: Tensor) -> Tensor:
    index = [slice(None)] * data.dim()
    for axis, start, end in zip(axes.tolist(), starts.tolist(), ends.tolist(), strict=True):
        index[axis] = slice(start, end)
    return data[tuple(index)]


def _reshape(_: _Attributes, data: Tensor, shape: Tensor) -> Tensor:
    return data.reshape([size or data.shape[axis] for axis, size in enumerate(shape.tolist())])


def _unsqueeze(_: _Attributes, data: Tensor, axes: Tensor) -> Tensor:
    for axis in sorted(axes.tolist()):
        data = data.unsqueeze(axis)
    return data


def _normalize(attributes: _Attributes, data: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    return functional.layer_norm(data, gain.shape, gain, bias, attributes["epsilon"])


def _quantize(_: _Attributes, data: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    limits = torch.iinfo(zero.dtype)
    return (torch.round(data / scale) + zero).clamp(limits.min, limits.max).to(zero.dtype)


def _dequantize(attributes: _Attributes, data: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    shape = [1] * data.dim()
    if scale.dim():
        shape[attributes.get("axis", 1)] = -1
    wide = data.float() if zero is None else data.float() - zero.float().reshape(shape)
    return wide * scale.reshape(shape)


def _integer_product(
    attributes: _Attributes, one: Tensor, other: Tensor, step: Tensor, scale: Tensor, zero: Tensor, *rest: Tensor
) -> Tensor:
    """Multiply unsigned integers of 8 bits by signed ones; in floats, too, each sum is exact or nearly so."""
    if attributes["in_integers"]:
        signed = (one.reshape(-1, one.shape[-1]) ^ _MIDDLE).view(torch.int8)  # less 128
        sums = torch._int_mm(signed, other)  # noqa: SLF001 (torch has no other name for it)
        if zero != _MIDDLE:
            sums += (_MIDDLE - zero.int()) * other.sum(0, dtype=torch.int32)
        sums = sums.reshape(*one.shape[:-1], -1)
    else:
        sums = (one.float() - zero.float()) @ other.float()
    return sums * (step * scale) + rest[-1]  # the bias, behind a zero point of the weights that they do not have


_DTYPES = {
    onnx.TensorProto.FLOAT: torch.float32,
    onnx.TensorProto.INT64: torch.int64,
    onnx.TensorProto.INT32: torch.int32,
}
_OPERATIONS: Mapping[str, Callable[..., Tensor]] = MappingProxyType(
    {
        "Add": lambda _, one, other: one + other,
        "Cast": lambda attributes, data: data.to(_DTYPES[attributes["to"]]),
        "Concat": lambda attributes, *parts: torch.cat(parts, attributes["axis"]),
        "DequantizeLinear": _dequantize,
        "Div": lambda _, one, other: one / other,
        "Erf": lambda _, data: torch.erf(data),
        "Gather": _gather,
        "LayerNormalization": _normalize,
        "MatMul": lambda _, one, other: one @ other,
        "MatMulIntegerToFloat": _integer_product,
        "Max": lambda _, one, other: torch.maximum(one, other),
        "Mod": lambda _, one, other: torch.remainder(one, other),
        "Mul": lambda _, one, other: one * other,
        "QuantizeLinear": _quantize,
        "ReduceSum": lambda attributes, data, axes: data.sum(axes.tolist(), keepdim=attributes.get("keepdims", 1) == 1),
        "Reshape": _reshape,
        "Shape": lambda _, data: torch.tensor(data.shape),
        "Slice": _slice,
        "Softmax": lambda attributes, data: functional.softmax(data, attributes.get("axis", -1)),
        "Split": lambda a, data: data.tensor_split(a["parts"], a.get("axis", 0)),
        "Sqrt": lambda _, data: torch.sqrt(data),
        "Sub": lambda _, one, other: one - other,
        "Transpose": lambda attributes, data: data.permute(attributes["perm"]),
        "Unsqueeze": _unsqueeze,
    }
)
"""By ONNX name: attributes and inputs to the output, or to a tuple of several."""
