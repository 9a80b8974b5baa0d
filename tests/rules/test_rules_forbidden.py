"""Forbidden names in source: every way round, and honest code that only looks like one."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules_examples import NO_LSTM, assignment, check, python

from grader.assignment.assignment import Rule
from grader.rules import SourceFile, check_sources

HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"

NAMED = {
    "attribute": "nn.LSTM(3, 4)",
    "full name": "torch.nn.LSTM(3, 4)",
    "cell": "nn.LSTMCell(3, 4)",
    "from import": "from torch.nn import LSTM\nLSTM(3, 4)",
    "renamed": "from torch.nn import LSTM as L\nL(3, 4)",
    "module renamed": "from torch import nn as n\nn.LSTM(3, 4)",
    "defining module": "from torch.nn.modules.rnn import LSTM as L\nL(3, 4)",
    "defining module, attribute": "torch.nn.modules.LSTM(3, 4)",
    "quantised": "import torch.ao.nn.quantized as q\nq.LSTM(3, 4)",
    "through another module": "torch.nn.modules.rnn.torch.nn.LSTM(3, 4)",
    "star import": "from torch.nn import *\nLSTM(3, 4)",
    "star import in the defining module": "from torch.nn.modules.rnn import *\nLSTM(3, 4)",
    "assigned alias": "make = nn.LSTM\nmake(3, 4)",
    "alias of the module": "library = torch.nn\nlibrary.LSTM(3, 4)",
    "alias of an alias": "a = torch\nb = a.nn\nc = b\nc.LSTM(3, 4)",
    "tuple assignment": "a, b = torch.nn, 3\na.LSTM(3, 4)",
    "walrus": "(lib := nn).LSTM(3, 4)",
    "default value": "def f(lib=nn):\n    return lib.LSTM(3, 4)",
    "attribute of an object": "class A:\n    def __init__(self):\n        self.lib = nn\n        self.lib.LSTM(3, 4)",
    "class attribute": "class A:\n    lib = nn\n    core = lib.LSTM",
    "conditional": "(nn if True else None).LSTM(3, 4)",
    "or": "(None or nn).LSTM(3, 4)",
    "element of a list": "[nn][0].LSTM(3, 4)",
    "value of a dict": "{'a': nn}['a'].LSTM(3, 4)",
    "base class": "class Mine(nn.LSTM):\n    pass",
    "same name as base": "class LSTM(nn.LSTM):\n    pass",
    "base class by alias": "B = nn.LSTM\nclass Mine(B):\n    pass",
    "method": "nn.LSTM.forward",
    "in a lambda": "f = lambda: nn.LSTM(3, 4)",
    "in a comprehension": "[nn.LSTM(3, 4) for _ in range(2)]",
    "in a loop": "for kind in (nn.LSTM, nn.GRU):\n    kind(3, 4)",
    "in a decorator": "def d(x):\n    return lambda f: f\n@d(nn.LSTM)\ndef f():\n    pass",
    "global": "def setup():\n    global lib\n    lib = nn\nlib.LSTM(3, 4)",
    "function of torch": "torch.lstm()",
    "function by import": "from torch import lstm as run\nrun()",
    "torch._VF": "torch._VF.lstm()",
    "from torch import _VF": "from torch import _VF as v\nv.lstm()",
    "cell function": "torch.lstm_cell(x, h)",
    "literal getattr": "getattr(nn, 'LSTM')(3, 4)",
    "added strings": "getattr(nn, 'LS' + 'TM')(3, 4)",
    "f-string": "getattr(nn, f\"L{'ST'}M\")(3, 4)",
    "joined strings": "getattr(nn, ''.join(['L', 'STM']))(3, 4)",
    "reversed string": "getattr(nn, 'MTSL'[::-1])(3, 4)",
    "upper": "getattr(nn, 'lstm'.upper())(3, 4)",
    "string in a variable": "name = 'LSTM'\ngetattr(nn, name)(3, 4)",
    "nested getattr": "getattr(getattr(torch, 'nn'), 'LSTM')(3, 4)",
    "getattr by another name": "g = getattr\ng(nn, 'LSTM')(3, 4)",
    "vars": "vars(nn)['LSTM'](3, 4)",
    "__dict__": "nn.__dict__['LSTM'](3, 4)",
    "__dict__.get": "nn.__dict__.get('LSTM')(3, 4)",
    "globals": "globals()['nn'].LSTM(3, 4)",
    "importlib": "import importlib\nimportlib.import_module('torch.nn').LSTM(3, 4)",
    "importlib renamed": "from importlib import import_module as load\nload('torch.' + 'nn').LSTM(3, 4)",
    "__import__": "__import__('torch').nn.LSTM(3, 4)",
    "sys.modules": "import sys\nsys.modules['torch.nn'].LSTM(3, 4)",
    "sys.modules.get": "import sys\nsys.modules.get('torch.nn').LSTM(3, 4)",
    "attrgetter": "import operator\noperator.attrgetter('LSTM')(nn)(3, 4)",
    "attrgetter of a path": "from operator import attrgetter as a\na('nn.LSTM')(torch)(3, 4)",
    "methodcaller": "import operator\noperator.methodcaller('LSTM', 3, 4)(nn)",
    "__getattribute__": "nn.__getattribute__('LSTM')(3, 4)",
    "eval of a literal": "eval('nn.LSTM')(3, 4)",
    "exec of a literal": "exec('import torch.nn as t\\nnet = t.LSTM(3, 4)')",
    "nested function": "def f():\n    from torch import nn as q\n    def g():\n        q.LSTM(3, 4)\n    return g",
    "try": "try:\n    from torch.nn import LSTM as X\nexcept ImportError:\n    X = None\nX(3, 4)",
    "torch's sys": "torch.sys.modules['torch.nn'].LSTM(3, 4)",
    "torch's sys by import": "from torch import sys as s\ns.modules['torch.nn'].LSTM(3, 4)",
    "typing's sys": "import typing\ntyping.sys.modules['torch'].nn.LSTM(3, 4)",
    "os's sys": "import os\nos.sys.modules['torch.nn'].LSTM(3, 4)",
    "sys of a private os": "import random\nrandom._os.sys.modules['torch.nn'].LSTM(3, 4)",
    "inspect's importlib": "import inspect\ninspect.importlib.import_module('torch.nn').LSTM(3, 4)",
    "torch's importlib": "torch.importlib.import_module('torch.nn').LSTM(3, 4)",
    "torch in another library": "import torchvision\ntorchvision.ops.misc.torch.nn.LSTM(3, 4)",
    "nn in another library": "import torchvision\ntorchvision.models.resnet.nn.LSTM(3, 4)",
    "torch in a module of torch": "torch.nn.modules.module.torch.nn.LSTM(3, 4)",
    "eval_str": "import inspect\ndef f(x: 'nn.LSTM'): pass\n"
    "inspect.signature(f, eval_str=True).parameters['x'].annotation(3, 4)",
    "annotations": "def f(x: nn.LSTM): pass\nf.__annotations__['x'](3, 4)",
    "class annotations": "class C:\n    core: nn.LSTM\nC.__annotations__['core'](3, 4)",
    "circle": "a = nn\nb = a\na = b\nb.LSTM(3, 4)",
    "exchanged": "a, b, c = 1, 2, nn\na, b, c = b, c, a\na.LSTM(3, 4)",
    "module annotations": "core: nn.LSTM\n__annotations__['core'](3, 4)",
    "return annotation": "def f() -> nn.LSTM: pass\nf.__annotations__['return'](3, 4)",
    "signature annotation": "import inspect\ndef f(x: nn.LSTM): pass\ninspect.signature(f).return_annotation(3)",
    "dataclass field type": "import dataclasses\n@dataclasses.dataclass\nclass C:\n"
    "    core: nn.LSTM\ndataclasses.fields(C)[0].type(3, 4)",
    "singledispatch": "import functools\n@functools.singledispatch\ndef f(x): pass\n"
    "@f.register\ndef _(x: nn.LSTM): pass\nlist(f.registry)[1](3, 4)",
    "class body": "class Box:\n    lib = nn\nBox.lib.LSTM(3, 4)",
    "class body by self": "class Box:\n    lib = nn\n    def f(self):\n        return self.lib.LSTM(3, 4)",
    "class body import": "class Box:\n    import torch.nn as lib\nBox.lib.LSTM(3, 4)",
    "class body from import": "class Box:\n    from torch import nn\n    def f(self):\n        self.nn.LSTM(3, 4)",
    "class body computed": "class Box:\n    lib = nn\ngetattr(Box, 'lib').LSTM(3, 4)",
    "attribute computed": "class Box: pass\no = Box()\no.lib = nn\nvars(o)['lib'].LSTM(3, 4)",
    "attribute computed2": "class Box: pass\no = Box()\no.lib = nn\ngetattr(o, 'li' + 'b').LSTM(3, 4)",
    "mkldnn_rnn_layer": "torch.mkldnn_rnn_layer(x)",
    "miopen_rnn": "torch.miopen_rnn(x)",
    "quantized_lstm_cell": "torch.quantized_lstm_cell(x)",
    "self import, getattr": "import models.lstm as me\ngetattr(me, 'nn').LSTM(3, 4)",
    "self import, vars": "import models.lstm as me\nvars(me)['nn'].LSTM(3, 4)",
    "self import plain": "import models.lstm as me\nme.nn.LSTM(3, 4)",
    "class of class body": "class A:\n    class B:\n        lib = nn\nA.B.lib.LSTM(3, 4)",
}

HIDDEN = {
    "builtins of the module": "__builtins__['eval']('nn.LSTM')(3, 4)",
    "torch's sys, computed": "def f(n):\n    return torch.sys.modules[n]",
    "torch's sys, as values": "list(torch.sys.modules.values())",
    "inspect's sys": "import inspect\ninspect.sys.modules[n]",
    "numpy's sys": "import numpy as np\nnp.testing.sys.modules[n]",
    "numpy's ctypes": "import numpy as np\nnp.ctypeslib.ctypes.CDLL(None)",
    "torch's ctypes": "torch.ctypes.CDLL(None)",
    "torch's builtins": "torch.builtins.eval(x)",
    "__builtins__": "__builtins__[n]('x')",
    "builtins, computed": "import builtins\ngetattr(builtins, n)('x')",
    "torch's functools": "torch.functools.reduce(getattr, ['nn', 'LSTM'], torch)",
    "reduce of getattr": "import functools\ndef g(x):\n    return functools.reduce(getattr, ['a', 'b'], x)",
    "map of getattr": "list(map(getattr, [x], ['LSTM']))",
    "partial of getattr": "from functools import partial\npartial(getattr, x)",
    "torch's pickle": "torch.serialization.pickle.loads(b'ctorch.nn\\nLSTM\\n.')",
    "pickle": "import pickle\npickle.loads(b'ctorch.nn\\nLSTM\\n.')",
    "unpickler": "import pickle, io\npickle.Unpickler(io.BytesIO(b'x')).load()",
    "pickle in memory": "import pickle, io\npickle.load(io.BytesIO(b'x'))",
    "pickle in memory, named": "import pickle, io\nf = io.BytesIO(b'x')\npickle.load(f)",
    "weights in memory": "import io\ntorch.load(io.BytesIO(b'x'), weights_only=False)",
    "the queue's threads": "import queue\nqueue.threading.Thread(target=f).start()",
    "threads of torch": "torch.multiprocessing.pool.ThreadPool(2)",
    "processes of torch": "import torch.multiprocessing as mp\nmp.Pool(2)",
    "parallel_apply": "torch.nn.parallel.parallel_apply([a, b], x)",
    "asyncio": "import asyncio\nasyncio.to_thread(f)",
    "fork": "import os\nos.fork()",
    "stack": "import inspect\ninspect.stack()[0].frame.f_globals",
    "frames of a traceback": "try:\n    1/0\nexcept Exception as e:\n    e.__traceback__.tb_frame.f_back",
    "frame of a generator": "def f(g):\n    return g.gi_frame.f_globals",
    "module of a builtin": "print.__self__",
    "spec": "torch.__spec__.loader.load_module(n)",
    "referents": "import gc\ngc.get_referents(nn)",
    "code": "import types\ntypes.FunctionType(c, {})",
    "locate": "import pydoc\npydoc.locate('torch.nn.LSTM')",
    "mock": "import unittest.mock\nunittest.mock.patch('torch.nn.Linear')",
    "logging's resolver": "import logging.config\nlogging.config.BaseConfigurator({}).resolve('torch.nn.LSTM')",
    "interpreter": "import code\ncode.InteractiveInterpreter().runsource('x')",
    "copy of the modules": "import sys\ndict(sys.modules)['torch.nn'].LSTM(3, 4)",
    "union of the modules": "import sys\n(sys.modules | {})['torch.nn'].LSTM(3, 4)",
    "copy of globals": "dict(globals())['nn'].LSTM(3, 4)",
    "forward reference": "import typing\ntyping.ForwardRef('nn.LSTM')._evaluate({}, {}, frozenset())",
    "shelf": "import shelve\nshelve.open('x')['y']",
    "setattr on a class of torch": "setattr(nn.Module, '__init__', f)",
    "type's setattr": "type.__setattr__(nn.Module, '__init__', f)",
    "entry of a module replaced": "torch.nn.__dict__['Linear'] = f",
    "the grader": "import grader.worker.trace as t\nt.traced = None",
    "the grader, by import": "from grader.worker import trace",
    "the main module": "import __main__",
    "module of a lambda": "(lambda: nn)().LSTM(3, 4)",
    "module in a dict": "d = {}\nd['x'] = nn\nd['x'].LSTM(3, 4)",
    "module of modules as a value": "import sys\ndef f(s):\n    return s.modules\nf(sys)",
    "another function of torch._VF": "torch._VF.batch_norm()",
    "getattr of a computed name": "def f(name):\n    return getattr(nn, name)",
    "getattr of torch": "getattr(torch, chr(110) * 2).LSTM",
    "exec": "import base64\nexec(base64.b64decode('eA=='))",
    "eval": "def f(text):\n    return eval(text)",
    "compile": "compile('x', 'y', 'eval')",
    "exec as a value": "list(map(exec, ['x']))",
    "import_module of a computed name": "import importlib\nimportlib.import_module(chr(116))",
    "__import__ of a computed name": "__import__(chr(116))",
    "vars of a module": "def f(name):\n    return vars(nn)[name]",
    "vars as a value": "list(vars(nn).values())[3]",
    "__dict__ of a computed name": "def f(name):\n    return nn.__dict__[name]",
    "__dict__ as a value": "table = dict(nn.__dict__)",
    "__dict__.items": "list(nn.__dict__.items())",
    "globals of a computed name": "def f(name):\n    return globals()[name]",
    "sys.modules of a computed name": "import sys\ndef f(name):\n    return sys.modules[name]",
    "attrgetter of a computed name": "import operator\ndef f(name):\n    return operator.attrgetter(name)",
    "torch._C": "torch._C._VariableFunctions.lstm()",
    "import torch._C": "import torch._C as c\nc._nn",
    "torch.ops": "torch.ops.aten.lstm.input()",
    "TorchScript": "torch.jit.CompilationUnit('def f(x): return torch.lstm(x)')",
    "TorchScript of a file": "from torch.jit import load\nload('x.pt')",
    "TorchScript defined by a text": "m = torch.jit.script(net)\nm.define('def f(self, x): return torch.lstm(x)')",
    "graph of a scripted function": "@torch.jit.script\ndef f(x):\n    return x\nf.graph.create('aten::lstm', [])",
    "fx": "import torch.fx\ntorch.fx.symbolic_trace",
    "load_inline": "from torch.utils import cpp_extension\ncpp_extension.load_inline('x')",
    "star import of a private module": "from torch._VF import *",
    "module handed to a function": "def f(m):\n    return m.LSTM(3, 4)\nf(nn)",
    "module in a list": "libs = [nn]\nlibs[0].LSTM(3, 4)",
    "module returned": "def f():\n    return nn",
    "subclasses": "nn.Module.__subclasses__()",
    "a function's globals": "F.relu.__globals__['torch']",
    "thread": "import threading\nthreading.Thread(target=print).start()",
    "pool": "from multiprocessing import Pool\nPool(2)",
    "executor": "from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor()",
    "ctypes": "import ctypes\nctypes.CDLL(None)",
    "frames": "import sys\nsys._getframe()",
    "live objects": "import gc\ngc.get_objects()",
    "replaced method": "nn.Linear.forward = lambda self, x: x",
    "replaced function": "torch.sigmoid = None",
    "replaced through an attribute": "class A:\n    def f(self):\n        self.n = nn.Linear\n        self.n.x = f",
    "setattr on torch": "setattr(torch, 'sigmoid', None)",
    "modes disabled": "from torch._C import DisableTorchFunction\nDisableTorchFunction()",
    "pattern of any class": "match F.relu:\n    case object(__globals__={'torch': t}):\n        t.nn",
    "formatter field": "import string\nstring.Formatter().get_field('0.__globals__[torch].nn.LSTM', (F.relu,), {})",
    "formatter vformat": "import string\nstring.Formatter().vformat('{0.__globals__[torch]}', (F.relu,), {})",
    "map getattribute": "list(map(nn.__getattribute__, ['LSTM']))[0](3, 4)",
    "sorted key getattribute": "sorted(['LSTM'], key=nn.__getattribute__)",
    "map dict get": "list(map(nn.__dict__.get, ['LSTM']))[0](3, 4)",
    "map vars get": "list(map(vars(nn).get, ['LSTM']))[0](3, 4)",
    "map sys.modules get": "import sys\nlist(map(sys.modules.get, ['torch.nn']))[0].LSTM(3, 4)",
    "map globals get": "list(map(globals().get, ['nn']))[0].LSTM(3, 4)",
    "loader name": "__loader__.load_module(n)",
    "spec name": "__spec__.loader",
    "doctest": "import doctest\ndef f():\n    '''\n"
    "    >>> import torch.nn as n; f.core = n.LSTM\n    '''\ndoctest.run_docstring_examples(f, {'f': f})",
    "cProfile.Profile": "import cProfile\ncProfile.Profile().run('import torch')",
    "cProfile.runctx": "import cProfile\ncProfile.runctx('x', {}, {})",
    "profile.Profile": "import profile\nprofile.Profile().runctx('x', {}, {})",
    "pdb": "import pdb\npdb.run('x')",
    "bdb": "import bdb\nbdb.Bdb().run('x')",
    "trace": "import trace\ntrace.Trace().run('x')",
    "ifexp argument": "def f(m):\n    return m.LSTM(3, 4)\nf(nn if True else None)",
    "or argument": "def f(m):\n    return m.LSTM(3, 4)\nf(nn or None)",
    "walrus argument": "def f(m):\n    return m.LSTM(3, 4)\nf(x := nn)",
    "walrus returned": "def f():\n    return (x := nn)\nf().LSTM(3, 4)",
    "starred target": "a, *b = 1, nn\nb[0].LSTM(3, 4)",
    "pair": "pair = nn, 1\npair[0].LSTM(3, 4)",
    "pair unpacked": "pair = (nn, F)\nlib, fn = pair\nlib.LSTM(3, 4)",
    "annotated item": "d = {}\nd['x']: object = nn\nd['x'].LSTM(3, 4)",
    "defaults": "def f(lib=nn): pass\nf.__defaults__[0].LSTM(3, 4)",
    "kwdefaults": "def f(*, lib=nn): pass\nf.__kwdefaults__['lib'].LSTM(3, 4)",
    "entry point": "import importlib.metadata as m\nm.EntryPoint('x', 'torch.nn:LSTM', 'g').load()(3, 4)",
    "pydoc.resolve": "import pydoc\npydoc.resolve('torch.nn.LSTM')[0](3, 4)",
    "unittest loader": "import unittest\nunittest.TestLoader().loadTestsFromName('torch.nn.LSTM')",
    "test support": "from test.support import import_helper\nimport_helper.import_module('torch.nn').LSTM(3, 4)",
    "pickle._loads": "import pickle\npickle._loads(b'ctorch.nn\\nLSTM\\n.')(3, 4)",
    "pickle._Unpickler": "import pickle, io\npickle._Unpickler(io.BytesIO(b'')).find_class('torch.nn', 'LSTM')(3, 4)",
    "numpy read_array": "import numpy as np, io\nnp.lib.format.read_array(io.BytesIO(b''), allow_pickle=True)",
    "benchmark timer": "import torch.utils.benchmark as b\nb.Timer('import torch').timeit(1)",
    "benchmark timer full": "from torch.utils.benchmark import Timer\nTimer(stmt='x', setup='y').timeit(1)",
    "CompilationUnit": "torch.CompilationUnit('def f(x): return torch.lstm(x)')",
    "import_ir": "torch.import_ir_module_from_buffer",
    "parse_ir": "torch.parse_ir('x')",
    "self import, passed": "import models.lstm as me\ndef f(m):\n    return m.nn.LSTM(3, 4)\nf(me)",
    "self import, computed": "import models.lstm as me\ngetattr(me, chr(110) * 2).LSTM(3, 4)",
    "getattr default arg": "def f(o, n, g=getattr):\n    return g(o, n)\nf(F.relu, '__globals__')",
    "getattr of a function, dunder": "getattr(F.relu, '__glo' + 'bals__')['torch'].nn.LSTM(3, 4)",
    "attrgetter dunder": "import operator\noperator.attrgetter('__globals__')(F.relu)['torch'].nn.LSTM(3, 4)",
    "mro subclasses by getattr": "getattr(nn.Module, '__subclasses__')()",
    "sys.last_traceback": "import sys\nsys.last_traceback",
    "sys call_tracing": "import sys\nsys.call_tracing(f, ())",
    "greenlet frames": "import sys\nsys._current_exceptions()",
    "ctypes from array": "import numpy as np\nnp.zeros(3).ctypes._ctypes.CDLL(None)",
    "socketserver threads": "import socketserver\nsocketserver.ThreadingMixIn",
    "module replaced by sys.modules": "import sys\nsys.modules['torch'] = x",
    "compare": "class M:\n    def __eq__(self, o):\n        o.LSTM(3, 4)\nM() == nn",
    "contains": "class M:\n    def __contains__(self, o):\n        o.LSTM(3, 4)\nnn in M()",
    "locals returned": "def f():\n    x = nn\n    return locals()\nf()['x'].LSTM(3, 4)",
    "built-in function replaced": "import builtins\nbuiltins.print = getattr\nprint(nn, 'LSTM')(3, 4)",
    "runner put elsewhere": "import sys\nsys.breakpointhook = exec\nbreakpoint('nn.LSTM')",
    "module that is written": "open('h.py', 'w').write('from torch.nn import LSTM as L')\nimport h\nh.L(3, 4)",
    "module that is written by a path": "import pathlib\npathlib.Path('h.py').write_text('x')\nimport h",
}

HONEST = {
    "own loop": "class LSTM(nn.Module):\n    def forward(self, x):\n        return torch.tanh(x)",
    "own class of that name, used": "class LSTM(nn.Module):\n    pass\nnet = LSTM()\nnet2 = globals",
    "variable": "LSTM = 3\nlstm = LSTM + 1",
    "own attribute": "class A(nn.Module):\n    def f(self):\n        self.LSTM = nn.Linear(3, 4)\n        self.LSTM(x)",
    "docstring": '"""Like nn.LSTM(3, 4), torch.lstm."""',
    "comment": "x = 1  # nn.LSTM(3, 4)",
    "string": "title = 'nn.LSTM'\nprint('torch.nn.LSTM')",
    "keyword argument": "def f(LSTM=None):\n    return LSTM\nf(LSTM=1)",
    "shadowed module": "def f(nn):\n    return nn.LSTM",
    "shadowed in a loop": "def f(items):\n    for nn in items:\n        nn.LSTM()",
    "isinstance": "def init(m):\n    if isinstance(m, (nn.LSTM, nn.GRU)):\n        pass",
    "annotation": "def f(m: nn.LSTM) -> nn.LSTM:\n    x: nn.LSTM = m\n    return x",
    "scripted function": "@torch.jit.script\ndef f(x):\n    return x",
    "own define": "class A:\n    def define(self):\n        self.graph = 1\nA().define()",
    "other layers": "nn.GRU(3, 4)\nnn.Linear(1, 2)\nF.softmax(x, dim=-1)",
    "getattr of self": "class A:\n    def f(self, i):\n        return getattr(self, f'layer_{i}')",
    "getattr of an argument": "def f(config, name):\n    return getattr(config, name, None)",
    "literal getattr of something else": "getattr(nn, 'Linear')(1, 2)",
    "model.eval": "model = nn.Linear(1, 2)\nmodel.eval()",
    "re.compile": "import re\nre.compile('LSTM')",
    "torch.compile": "torch.compile(nn.Linear(1, 2))",
    "hasattr": "hasattr(F, 'scaled_dot_product_attention')",
    "own __dict__": "class A:\n    def f(self, **kw):\n        self.__dict__.update(kw)\n        vars(self).update(kw)",
    "dict lookup": "kinds = {'LSTM': 1}\nkinds['LSTM']",
    "cudnn switch": "torch.backends.cudnn.deterministic = True",
    "private init": "nn.init._calculate_fan_in_and_fan_out(w)",
    "version": "torch.__version__",
    "gc": "import gc\ngc.collect()",
    "cpu_count": "import multiprocessing\nmultiprocessing.cpu_count()",
    "data loader": "from torch.utils.data import DataLoader\nDataLoader([1], num_workers=2)",
    "own method replaced": "class A(nn.Module):\n    pass\nA.forward = lambda self, x: x",
    "module named like torch's": "import mylib\nmylib.nn.LSTM",
    "if guard": "if __name__ == '__main__':\n    torch.manual_seed(1)",
    "main class": "class Net(nn.Module):\n    def f(self):\n        super().f()\n        self.cell = Cell()",
    "autocast": "with torch.no_grad():\n    x = F.relu(torch.zeros(2))",
    "swap functions": "act = {'relu': F.relu, 'tanh': torch.tanh}['relu']",
    "literal eval": "import ast\nast.literal_eval('[1]')",
    "looked for in globals": "if 'model' in globals():\n    pass",
    "looked for among modules": "import sys\nIN_COLAB = 'google.colab' in sys.modules",
    "format of locals": "x = 1\n'{x}'.format(**locals())",
    "own setattr": "class A:\n    def __setattr__(self, n, v):\n        super().__setattr__(n, v)\nA().x = 1",
    "pickle of a file": "import pickle\nwith open('x.pkl', 'rb') as f:\n    batch = pickle.load(f)",
    "weights of a file": "torch.load('x.pt', weights_only=False)",
    "clock": "import timeit\ntimeit.default_timer()",
    "partial of a layer": "from functools import partial\nnorm = partial(nn.LayerNorm, eps=1e-6)\nnorm(3)",
    "reduce": "import functools, operator\nfunctools.reduce(operator.mul, x.shape)",
    "signature": "import inspect\ninspect.signature(f).parameters",
    "arguments and paths": "import os, sys\nsys.path.append('.')\nsys.argv\nos.path.join('a', 'b')\nsys.stdout.flush()",
    "start method": "import torch.multiprocessing as mp\nmp.set_start_method('spawn')",
    "deepcopy": "import copy\ncopy.deepcopy(nn.Linear(1, 2))",
    "lambda": "act = lambda x: torch.tanh(x) * F.relu(x)",
    "layers in a dict": "d = {}\nd['x'] = nn.Linear(1, 2)",
    "own file called like the grader's": "import graders\ngraders.run",
    "class name": "x.__class__.__name__",
    "functions kept": "class A(nn.Module):\n    def __init__(self, act=torch.tanh):\n        self.out = F.relu\n"
    "        self.gate, self.act = torch.sigmoid, act\n    def forward(self, x):\n        self.out = self.act",
    "module kept": "class A:\n    def __init__(self):\n        self.F = F\n    def f(self):\n        self.F.relu(1)",
    "start method, plainly": "import multiprocessing\nmultiprocessing.set_start_method('spawn')",
    "annotations that nobody reads": "def f(x: nn.LSTM, y: 'nn.LSTM' = None) -> nn.LSTM:\n    return f.__name__",
    "fields of a dataclass": "import dataclasses\nclass C:\n    cell: nn.GRU\nnames = dataclasses.fields(C)",
    "class attribute": "class A:\n    act, norm = F.relu, nn.LayerNorm\n    def f(self, x):\n        self.act(x)",
    "optimiser by name": "import torch.optim as optim\ndef f(name):\n    return getattr(optim, name)",
    "pair of functions": "pair = F.relu, torch.tanh\nf, g = pair",
    "conditional module": "lib = nn if torch.cuda.is_available() else torch.nn\nlib.Linear(1, 2)",
    "module as a default": "def f(x, F=F):\n    return F.relu(x)",
    "layer by a number": "class A:\n    def f(self, i):\n        return getattr(self, 'layer' + str(i))",
    "letters": "letters = [chr(i) for i in range(97, 123)]",
    "own dict of locals": "class A:\n    def __init__(self, a):\n        self.__dict__.update(locals())",
    "sentence": "raise TypeError('a method has a __self__ and {} more')",
    "own file looked at": "import importlib, inspect, models.lstm as me\nimportlib.reload(me)\ninspect.getsource(me)",
    "files written": "import json\nopen('log.txt', 'w').write('x')\nopen('json.py')\nopen('out.py', 'w')",
    "own tests": "import unittest\nclass T(unittest.TestCase):\n    pass\nunittest.main()",
    "version by metadata": "import importlib.metadata as m\nm.version('torch')",
    "layer in a pattern": "match m:\n    case nn.Linear(weight=w):\n        pass",
    "benign eval of a literal": "eval('1 + 1')",
}


@pytest.mark.parametrize("code", NAMED.values(), ids=NAMED)
def test_every_spelling_of_a_forbidden_name_is_found(code):
    violations = check(NO_LSTM, python(HEAD + code))
    assert any("which “no library LSTM” forbids" in violation.message for violation in violations), violations
    assert all(violation.rule == "no-lstm" and violation.evidence == "source" for violation in violations)
    assert all(violation.file == "models/lstm.py" and violation.line for violation in violations)


@pytest.mark.parametrize("code", HIDDEN.values(), ids=HIDDEN)
def test_ways_that_hide_the_name_are_reported_as_dynamic(code):
    violations = check(NO_LSTM, python(HEAD + code))
    assert any("reached dynamically" in violation.message for violation in violations), violations


@pytest.mark.parametrize("code", HONEST.values(), ids=HONEST)
def test_honest_code_breaks_nothing(code):
    assert check(NO_LSTM, python(HEAD + code)) == ()


def test_the_message_says_what_where_and_what_to_do():
    (violation,) = check(NO_LSTM, python(HEAD + "\nnet = nn.LSTM(3, 4)\n"))
    assert violation.message == ("uses `torch.nn.LSTM`, which “no library LSTM” forbids. Write this part yourself")
    assert (violation.file, violation.line, violation.cell) == ("models/lstm.py", 5, None)


def test_a_place_is_reported_once():
    (violation,) = check(NO_LSTM, python(HEAD + "torch._VF.lstm(x)\n"))
    assert "uses `torch._VF.lstm`" in violation.message


def test_a_function_behind_a_class_is_named_as_such():
    (violation,) = check(NO_LSTM, python(HEAD + "torch.lstm(x)\n"))
    assert "`torch.lstm` (the inside of `torch.nn.LSTM`)" in violation.message


def test_many_places_are_cut_short():
    violations = check(NO_LSTM, python(HEAD + "nn.LSTM(3, 4)\n" * 40))
    assert len(violations) == 13
    assert "28 further places" in violations[-1].message


# --- limits of a rule --------------------------------------------------------------------------------------------


def test_other_files_are_none_of_the_rules_business():
    assert check(NO_LSTM, python(HEAD + "nn.LSTM(3, 4)", "encoder", "models/encoder.py")) == ()


def test_allowed_names_pass():
    rule = replace(NO_LSTM, names=("torch.nn.*",), allowed=("torch.nn.Module", "torch.nn.Linear", "torch.nn.init"))
    honest = (
        "class A(nn.Module):\n    def f(self):\n        self.a = nn.Linear(1, 2)\n        nn.init.zeros_(self.a.bias)"
    )
    assert check(rule, python(HEAD + honest)) == ()
    (violation,) = check(rule, python(HEAD + "nn.Conv2d(1, 2, 3)"))
    assert "torch.nn.Conv2d" in violation.message
    assert len(check(rule, python(HEAD + "F.softmax(x, dim=-1)"))) == 1


def test_allowed_evasions_pass():
    code = python(HEAD + "torch.jit.load('x.pt')\ngetattr(nn, name)")
    assert len(check(NO_LSTM, code)) == 2
    assert check(replace(NO_LSTM, allowed=("torch.jit", "getattr")), code) == ()


WITHIN = replace(NO_LSTM, within=("LSTM",))
ENCODER = "class Encoder(nn.Module):\n    def __init__(self):\n        self.rnn = nn.LSTM(3, 4)\n"


def test_a_rule_within_a_class_leaves_the_rest_alone():
    honest = "from torch.nn import LSTM as Library\nclass LSTM(nn.Module):\n    def f(self, x):\n        return x\n"
    assert check(WITHIN, python(HEAD + honest + ENCODER)) == ()


@pytest.mark.parametrize(
    "code",
    [
        "class LSTM(nn.Module):\n    def f(self):\n        self.core = nn.LSTM(3, 4)\n",
        "class LSTM(nn.LSTM):\n    pass\n",
        "def make():\n    return nn.LSTM(3, 4)\nclass LSTM(nn.Module):\n    def f(self):\n        self.core = make()\n",
        "def one():\n    return nn.LSTM(3)\ndef two():\n    return one()\nclass LSTM(nn.Module):\n    core = two()\n",
        "CORE = nn.LSTM(3, 4)\nclass LSTM(nn.Module):\n    def forward(self, x):\n        return CORE(x)\n",
        "class Base(nn.LSTM):\n    pass\nclass LSTM(Base):\n    pass\n",
        "class Helper(nn.Module):\n    def __init__(self):\n        self.core = nn.LSTM(3, 4)\nclass LSTM(nn.Module):\n"
        "    def __init__(self):\n        self.helper = Helper()\n",
    ],
    ids=["directly", "as base", "by a function", "by two functions", "by a variable", "by a base", "by a helper class"],
)
def test_a_helper_of_the_class_belongs_to_it(code):
    assert check(WITHIN, python(HEAD + code))


OWN = "class LSTM(nn.Module):\n    def forward(self, x):\n        return x\n"

PASSED_OFF = {
    "forward assigned": OWN + "def f(self, x):\n    return nn.LSTM(3, 4)(x)\nLSTM.forward = f",
    "forward set": OWN + "def f(self, x):\n    return nn.LSTM(3, 4)(x)\nsetattr(LSTM, 'forward', f)",
    "forward lambda": OWN + "LSTM.forward = lambda self, x: nn.LSTM(3, 4)(x)",
    "alias": "class Impl(nn.LSTM):\n    pass\nLSTM = Impl",
    "made by type": "LSTM = type('LSTM', (nn.LSTM,), {})",
    "rebound": OWN + "LSTM = nn.LSTM",
    "imported name": "from torch.nn import LSTM",
    "registry": "REG = {}\nREG['c'] = nn.LSTM\nclass LSTM(nn.Module):\n    def f(self):\n"
    "        self.core = REG['c'](3, 4)",
    "registry append": "REG = []\nREG.append(nn.LSTM)\nclass LSTM(nn.Module):\n    def f(self):\n"
    "        self.core = REG[0](3, 4)",
    "registry in a function": "REG = {}\ndef setup():\n    REG['c'] = nn.LSTM\nsetup()\nclass LSTM(nn.Module):\n"
    "    def f(self):\n        self.core = REG['c'](3, 4)",
    "holder": "class Box:\n    pass\nBox.core = nn.LSTM\nclass LSTM(nn.Module):\n    def f(self):\n"
    "        self.core = Box.core(3, 4)",
    "decorated": "def swap(c):\n    return nn.LSTM\n@swap\nclass LSTM(nn.Module):\n    pass",
    "metaclass": "class M(type):\n    def __call__(cls, *a):\n        return nn.LSTM(*a)\n"
    "class LSTM(metaclass=M):\n    pass",
    "init subclass": "class B(nn.Module):\n    def __init_subclass__(cls):\n        cls.core = nn.LSTM\n"
    "class LSTM(B):\n    pass",
    "globals": OWN + "globals()['LSTM'] = nn.LSTM",
    "globals update": OWN + "globals().update(LSTM=nn.LSTM)",
    "for": OWN + "for LSTM in [nn.LSTM]:\n    pass",
    "with": OWN + "import contextlib\nwith contextlib.nullcontext(nn.LSTM) as LSTM:\n    pass",
    "walrus": OWN + "(LSTM := nn.LSTM)",
    "module attribute": OWN + "import models.lstm as me\nme.LSTM = nn.LSTM",
    "sys.modules": OWN + "import sys\nsys.modules[__name__].LSTM = nn.LSTM",
    "setattr on me": OWN + "import models.lstm as me\nsetattr(me, 'LSTM', nn.LSTM)",
    "class in function": "def make():\n    class LSTM(nn.LSTM):\n        pass\n    return LSTM\nLSTM = make()",
    "if": "if True:\n    class LSTM(nn.LSTM):\n        pass",
    "nested": "class A:\n    class LSTM(nn.LSTM):\n        pass\nLSTM = A.LSTM",
    "encoder shared": "class Encoder(nn.Module):\n    def __init__(self):\n        self.rnn = nn.LSTM(3, 4)\n"
    "class LSTM(nn.Module):\n    def f(self):\n        self.core = Encoder().rnn",
    "encoder class attribute": "class Encoder(nn.Module):\n    kind = nn.LSTM\nclass LSTM(nn.Module):\n"
    "    def f(self):\n"
    "        self.core = Encoder.kind(3, 4)",
    "getattr default": "def __getattr__(name):\n    return nn.LSTM",
    "new": OWN + "LSTM.__new__ = lambda c, *a: nn.LSTM(*a)",
    "call": OWN + "LSTM.__call__ = lambda s, *a: nn.LSTM(3, 4)(*a)",
    "base added": OWN + "LSTM.__bases__ = (nn.LSTM,)",
    "class getattr": OWN + "LSTM.__class__ = nn.LSTM",
}

KEPT_APART = {
    "encoder uses": OWN + "class Encoder(nn.Module):\n    def __init__(self):\n        self.rnn = nn.LSTM(3, 4)\n",
    "model made": OWN + "class Encoder(nn.Module):\n    def __init__(self):\n        self.rnn = nn.LSTM(3, 4)\n"
    "model = LSTM()\nmodel.name = 'x'\nenc = Encoder()\nenc.rnn.flatten_parameters()",
    "counter": "COUNT = {'n': 0}\nclass LSTM(nn.Module):\n    def forward(self, x):\n"
    "        COUNT['n'] += 1\nclass Encoder(nn.Module):\n    def __init__(self):\n"
    "        COUNT['n'] += 1\n        self.rnn = nn.LSTM(3, 4)",
    "device": "device = torch.device('cpu')\nclass LSTM(nn.Module):\n    def forward(self, x):\n"
    "        return x.to(device)\ndef train():\n    m = nn.LSTM(3, 4).to(device)\n    print(device.type)",
    "config": "class Cfg:\n    dim = 3\ncfg = Cfg()\ncfg.dim = 4\nclass LSTM(nn.Module):\n"
    "    def __init__(self):\n        self.dim = cfg.dim\nclass Encoder(nn.Module):\n"
    "    def __init__(self):\n        self.r = nn.LSTM(cfg.dim, 3)\nenc = Encoder()",
    "compare": OWN + "def test():\n    ours = LSTM()\n    theirs = nn.LSTM(3, 4)\n"
    "    ours.load_state_dict(theirs.state_dict())\ntest()",
    "compare toplevel": OWN + "ours, theirs = LSTM(), nn.LSTM(3, 4)\nours.load_state_dict(theirs.state_dict())",
    "reference of": OWN + "reference = nn.LSTM(3, 4)\nmine = LSTM()\nmine.reference = reference",
    "test calls static": OWN + "def test():\n    LSTM.check(nn.LSTM(3, 4))",
}


@pytest.mark.parametrize("code", PASSED_OFF.values(), ids=PASSED_OFF)
def test_what_is_put_in_the_place_of_the_class_belongs_to_it(code):
    assert check(WITHIN, python(HEAD + code))


@pytest.mark.parametrize("code", KEPT_APART.values(), ids=KEPT_APART)
def test_what_stands_beside_the_class_does_not(code):
    assert check(WITHIN, python(HEAD + code)) == ()


def test_a_single_method_can_be_named():
    rule = replace(NO_LSTM, within=("Net.forward",))
    code = "class Net:\n    def f(self):\n        self.a = nn.LSTM(3, 4)\n    def forward(self, x):\n        return x\n"
    assert check(rule, python(HEAD + code)) == ()
    assert len(check(rule, python(HEAD + code + "        nn.LSTM(3, 4)\n"))) == 1


# --- more than one file ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "helper"),
    [
        ("from helper import Core\nclass LSTM(nn.Module):\n    core = Core(3, 4)", "from torch.nn import LSTM as Core"),
        ("import helper\nclass LSTM(nn.Module):\n    core = helper.Core(3, 4)", "import torch\nCore = torch.nn.LSTM"),
        ("from helper import *\nclass LSTM(nn.Module):\n    core = Core(3, 4)", "from torch.nn import LSTM as Core"),
        (
            "from .helper import make\nclass LSTM(nn.Module):\n    core = make()",
            "import torch as t\ndef make():\n    t.nn.LSTM(1)",
        ),
        (
            "import models.helper as h\nclass LSTM(h.Base):\n    pass",
            "import torch as t\nclass Base(t.nn.LSTM):\n    pass",
        ),
        ("from helper import lib\nclass LSTM(nn.Module):\n    core = lib.LSTM(3, 4)", "from torch import nn as lib"),
    ],
)
@pytest.mark.parametrize("rule", [NO_LSTM, WITHIN], ids=["file", "within"])
def test_a_helper_file_is_followed(code, helper, rule):
    violations = check(rule, python(HEAD + code), python(helper, "", "models/helper.py"))
    assert violations


def test_a_stray_file_that_nobody_imports_is_no_evidence():
    assert check(NO_LSTM, python(HEAD), python(HEAD + "nn.LSTM(1, 2)", "", "old/attempt.py")) == ()


def test_files_that_import_each_other_end():
    one, two = python("from b import y\nx = y", path="models/a.py"), python("from a import x\ny = x", "", "models/b.py")
    assert check(NO_LSTM, one, two) == ()


# --- notebooks ---------------------------------------------------------------------------------------------------


def test_a_notebook_is_named_by_cell_and_line():
    cells = ((2, "%matplotlib inline\nfrom torch import nn"), (5, "!nvidia-smi\nx = 1\nnet = nn.LSTM(3, 4)"))
    (violation,) = check(replace(NO_LSTM, files=("nb",)), SourceFile(id="nb", path="hw.ipynb", cells=cells))
    assert (violation.file, violation.cell, violation.line) == ("hw.ipynb", 5, 3)
    assert violation.message.startswith("uses `torch.nn.LSTM`")


def test_a_broken_cell_does_not_hide_the_others():
    cells = ((1, "from torch import nn\nx ="), (2, "nn.LSTM(3, 4)\ny = ("))
    assert len(check(replace(NO_LSTM, files=("nb",)), SourceFile(id="nb", path="hw.ipynb", cells=cells))) == 1


# --- hostile text ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "-" * 200_000 + "1",
        "a" + ".b" * 100_000,
        "+".join(["1"] * 100_000),
        "1" * 100_000,
        "lambda: " * 20_000 + "1",
        "x = 1\0",
        "\ud800",
        "if 1:\n" + "".join(" " * i + "if 1:\n" for i in range(1, 200)),
        "\n".join(f"a{i} = a{i + 1}.b" for i in range(2000)),
        "x = x.y\n" * 500 + "x.z",
        "a = b\nb = a\na.LSTM",
        "x = (x or x or x)\n" * 200 + "x()",
    ],
    ids=range(13),
)
def test_hostile_text_ends_without_an_exception(text):
    assert check(NO_LSTM, python(text)) == ()


def test_deep_but_valid_code_is_still_read():
    deep = "x = " + "(" * 80 + "nn.LSTM" + ")" * 80
    chain = "y = nn.Linear" + ".a" * 500
    assert len(check(NO_LSTM, python(HEAD + deep + "\n" + chain))) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [("#" * 1_000_001, "1,000,001 characters"), ("x = 1\n" * 60_000, "more than 150,000 names")],
    ids=["characters", "nodes"],
)
def test_a_file_too_large_to_check_does_not_keep_the_rule(text, why):
    (violation,) = check(NO_LSTM, python(text))
    assert "cannot be checked" in violation.message
    assert why in violation.message


# --- generated aliases -------------------------------------------------------------------------------------------

identifiers = st.sampled_from(["a", "b", "c", "lib", "tools"])


@settings(deadline=None, max_examples=80, database=None)
@given(st.lists(identifiers, min_size=1, max_size=5, unique=True), st.data())
def test_any_chain_of_aliases_is_followed(names, data):
    forms = st.sampled_from(["{new} = {old}", "({new} := {old})", "{new}, _ = {old}, 0"])
    steps = data.draw(st.lists(forms, min_size=5))
    lines, last = [], "torch.nn"
    for name, step in zip(names, steps, strict=False):
        lines.append(step.format(new=name, old=last))
        last = name
    lines.append(data.draw(st.sampled_from([f"{last}.LSTM(1, 2)", f"getattr({last}, 'LSTM')", f"k = {last}.LSTM"])))
    assert check(NO_LSTM, python(HEAD + "\n".join(lines)))
    assert check(NO_LSTM, python(HEAD + "\n".join(lines).replace("LSTM", "Linear"))) == ()


@settings(deadline=None, max_examples=50, database=None)
@given(st.text(alphabet="nLSTM.()[]= \n'\"xdefclas:#", max_size=80))
def test_any_text_is_survived(text):
    for violation in check(NO_LSTM, python(HEAD + text)):
        assert "LSTM" in violation.message


def test_a_rule_without_names_reports_no_evasions():
    rule = Rule(id="r", kind="forbidden", title="t", files=("lstm",), operations=("lstm",))
    assert check(rule, python(HEAD + "getattr(nn, name)")) == ()


def test_the_suites_own_modules_are_not_the_students(tmp_path):
    """Which hold a library's layers to compare with, and are there where student code runs."""
    (tmp_path / "yardstick.py").touch()
    course = replace(assignment(NO_LSTM), suite=tmp_path)
    for use in (
        "import yardstick\nyardstick.LSTM(3)",
        "from yardstick import LSTM",
        "import yardstick as y\ny.LSTM = 1",
    ):
        file = python(HEAD + use)
        assert any("yardstick" in found.message for found in check_sources(course, {"f": file}, {})), use
    own = SourceFile(id="", path="models/yardstick.py", text="x = 1")
    assert check_sources(course, {"f": python("import yardstick\nyardstick.x"), "g": own}, {}) == ()
