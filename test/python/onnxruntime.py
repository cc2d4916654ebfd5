"""
The part of the Python package `onnxruntime` that docs/snippets use, on top of ONNX Runtime's own C library.

Debian has no package for onnxruntime, so this module calls the C library of npm's onnxruntime-node. The files run in
the real ONNX Runtime; only these few Python calls are ours. The tests use this module only if Python has no
`onnxruntime` of its own.
"""

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from platform import machine

import numpy as np

_architecture = {"x86_64": "x64", "AMD64": "x64", "aarch64": "arm64"}.get(machine(), machine())
_packages = Path(__file__).parents[2] / "node_modules" / "onnxruntime-node" / "bin"
_library = ctypes.CDLL(str(next(_packages.glob(f"*/*/{_architecture}/libonnxruntime.*"))))


class _Base(ctypes.Structure):
    _fields_ = [("get_api", ctypes.CFUNCTYPE(c_void_p, ctypes.c_uint32)), ("get_version", c_void_p)]


_library.OrtGetApiBase.restype = POINTER(_Base)
# Version 1 of the C interface: a table of functions. Later versions only append to it.
_table = ctypes.cast(_library.OrtGetApiBase().contents.get_api(1), POINTER(c_void_p))

# Places in the table, in the order of onnxruntime_c_api.h.
_PLACES = {
    "GetErrorMessage": 2,
    "CreateEnv": 3,
    "CreateSession": 7,
    "Run": 9,
    "CreateSessionOptions": 10,
    "SessionGetInputCount": 30,
    "SessionGetInputTypeInfo": 33,
    "SessionGetInputName": 36,
    "CreateTensorWithDataAsOrtValue": 49,
    "GetTensorMutableData": 51,
    "CastTypeInfoToTensorInfo": 55,
    "GetDimensionsCount": 61,
    "GetDimensions": 62,
    "GetTensorTypeAndShape": 65,
    "CreateCpuMemoryInfo": 69,
    "GetAllocatorWithDefaultOptions": 78,
    "SessionGetModelMetadata": 111,
    "ModelMetadataLookupCustomMetadataMap": 116,
}
_ELEMENT_TYPES = {np.dtype(np.float32): 1, np.dtype(np.int32): 6}


def _call(name, *arguments):
    """Calls a function of the table, and raises its error."""
    function = ctypes.CFUNCTYPE(c_void_p, *(type(argument) for argument in arguments))(_table[_PLACES[name]])
    status = function(*arguments)
    if status:
        message = ctypes.CFUNCTYPE(c_char_p, c_void_p)(_table[_PLACES["GetErrorMessage"]])
        raise RuntimeError(message(status).decode())


def _made(name, *arguments):
    """Calls a function that writes a new pointer to its last argument, and returns the pointer."""
    made = c_void_p()
    _call(name, *arguments, ctypes.cast(ctypes.pointer(made), c_void_p))
    return made


# Nothing is released, because the programs that use this module end soon.
_environment = _made("CreateEnv", c_int(2), c_char_p(b"makemore-web"))
_allocator = _made("GetAllocatorWithDefaultOptions")
_memory = _made("CreateCpuMemoryInfo", c_int(0), c_int(0))


def _shape(information):
    count = c_size_t()
    _call("GetDimensionsCount", information, ctypes.cast(byref(count), c_void_p))
    dimensions = (c_int64 * count.value)()
    _call("GetDimensions", information, ctypes.cast(dimensions, c_void_p), count)
    return list(dimensions)


class _Input:
    def __init__(self, session, place):
        information = _made("SessionGetInputTypeInfo", session, c_size_t(place))
        self.shape = _shape(_made("CastTypeInfoToTensorInfo", information))
        name = _made("SessionGetInputName", session, c_size_t(place), _allocator)
        self.name = ctypes.string_at(name.value).decode()


class _Metadata:
    """Looks up a key on access."""

    def __init__(self, session):
        self._metadata = _made("SessionGetModelMetadata", session)
        self.custom_metadata_map = self

    def __getitem__(self, key):
        value = _made("ModelMetadataLookupCustomMetadataMap", self._metadata, _allocator, c_char_p(key.encode()))
        if not value.value:
            raise KeyError(key)
        return ctypes.string_at(value.value).decode()


class InferenceSession:
    def __init__(self, path):
        options = _made("CreateSessionOptions")
        self._session = _made("CreateSession", _environment, c_char_p(str(path).encode()), options)

    def get_modelmeta(self):
        return _Metadata(self._session)

    def get_inputs(self):
        count = c_size_t()
        _call("SessionGetInputCount", self._session, ctypes.cast(byref(count), c_void_p))
        return [_Input(self._session, place) for place in range(count.value)]

    def run(self, output_names, feeds):
        arrays = [np.ascontiguousarray(array) for array in feeds.values()]
        values = [
            _made(
                "CreateTensorWithDataAsOrtValue",
                _memory,
                array.ctypes.data_as(c_void_p),
                c_size_t(array.nbytes),
                (c_int64 * array.ndim)(*array.shape),
                c_size_t(array.ndim),
                c_int(_ELEMENT_TYPES[array.dtype]),
            )
            for array in arrays
        ]
        inputs = (c_void_p * len(values))(*values)
        outputs = (c_void_p * len(output_names))()
        _call(
            "Run",
            self._session,
            c_void_p(),
            (c_char_p * len(values))(*(name.encode() for name in feeds)),
            inputs,
            c_size_t(len(values)),
            (c_char_p * len(output_names))(*(name.encode() for name in output_names)),
            c_size_t(len(output_names)),
            outputs,
        )
        return [_array(c_void_p(output)) for output in outputs]


def _array(value):
    """A copy of a float32 tensor."""
    shape = _shape(_made("GetTensorTypeAndShape", value))
    data = ctypes.cast(_made("GetTensorMutableData", value), POINTER(ctypes.c_float))
    return np.ctypeslib.as_array(data, shape).copy()
