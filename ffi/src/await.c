/* What `await` needs of a system call: an object that hands the call out once, and takes one answer.

   A generator that does the same costs 192 bytes for every blocked thread, and a frame of Python each time.
   It is of CPython's own C API, not of cffi: it has to be the `__await__` of a class of Python.

   Source: PEP 492 (__await__), CPython's documentation of PyIter_Send and am_send. */

#include <Python.h>

typedef struct {
    PyObject_HEAD
    PyObject *call;
    int is_asked;
} Answer;

static PyTypeObject *answer_type;

/* `visit` and `arg` are the names that Py_VISIT uses. */
static int answer_traverse(Answer *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE((PyObject *)self));
    Py_VISIT(self->call);
    return 0;
}

static int answer_clear(Answer *self) {
    Py_CLEAR(self->call);
    return 0;
}

static void answer_dealloc(Answer *self) {
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->call);
    PyObject_GC_Del(self);
    Py_DECREF((PyObject *)type);
}

/* The first time the call goes to the scheduler; the second time, what came back goes to the thread. */
static PySendResult answer_send(Answer *self, PyObject *value, PyObject **result) {
    if (self->is_asked) {
        Py_INCREF(value);
        *result = value;
        return PYGEN_RETURN;
    }
    if (self->call == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "what was awaited is gone");
        *result = NULL;
        return PYGEN_ERROR;
    }
    self->is_asked = 1;
    Py_INCREF(self->call);
    *result = self->call;
    return PYGEN_NEXT;
}

/* A result other than None has to leave as StopIteration where nobody asks by PyIter_Send: under a tracer,
   and from generators of Python. A tuple as the value would be taken for the arguments, hence the instance. */
static PyObject *answer_method_send(Answer *self, PyObject *value) {
    PyObject *result, *stop;
    PySendResult status = answer_send(self, value, &result);
    if (status != PYGEN_RETURN)
        return result;
    stop = PyObject_CallFunctionObjArgs(PyExc_StopIteration, result, NULL);
    Py_DECREF(result);
    if (stop != NULL) {
        PyErr_SetObject(PyExc_StopIteration, stop);
        Py_DECREF(stop);
    }
    return NULL;
}

static PyObject *answer_next(Answer *self) {
    return answer_method_send(self, Py_None);
}

static PyObject *answer_iter(PyObject *self) {
    Py_INCREF(self);
    return self;
}

static PyObject *answer_call(Answer *self, void *closure) {
    PyObject *call = self->call != NULL ? self->call : Py_None;
    (void)closure;
    Py_INCREF(call);
    return call;
}

static PyMethodDef answer_methods[] = {
    {"send", (PyCFunction)answer_method_send, METH_O, "Hand out the call, or take its answer."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef answer_fields[] = {
    {"call", (getter)answer_call, NULL, "The system call whose answer is waited for.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot answer_slots[] = {
    {Py_tp_doc, "Waits for the answer to one system call."},
    {Py_tp_dealloc, answer_dealloc},
    {Py_tp_traverse, answer_traverse},
    {Py_tp_clear, answer_clear},
    {Py_tp_iter, answer_iter},
    {Py_tp_iternext, answer_next},
    {Py_tp_methods, answer_methods},
    {Py_tp_getset, answer_fields},
    {Py_am_send, answer_send},
    {0, NULL},
};

static PyType_Spec answer_spec = {
    .name = "gossamer.ffi._await.Answer",
    .basicsize = sizeof(Answer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = answer_slots,
};

static PyObject *await_answer(PyObject *call, PyObject *nothing) {
    Answer *answer = PyObject_GC_New(Answer, answer_type);
    (void)nothing;
    if (answer == NULL)
        return NULL;
    Py_INCREF(call);
    answer->call = call;
    answer->is_asked = 0;
    PyObject_GC_Track(answer);
    return (PyObject *)answer;
}

static PyMethodDef await_method = {
    "__await__", await_answer, METH_NOARGS, "Hand the call to the scheduler, and wait for its answer."};

static struct PyModuleDef await_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "gossamer.ffi._await",
    .m_doc = "The `__await__` of system calls.",
    .m_size = -1,
};

PyMODINIT_FUNC PyInit__await(void) {
    PyObject *module = PyModule_Create(&await_module);
    PyObject *type, *method;
    if (module == NULL)
        return NULL;
    type = PyType_FromSpec(&answer_spec);
    /* A method of whatever class it is put into: a plain function of C would not be given the instance. */
    method = PyDescr_NewMethod(&PyBaseObject_Type, &await_method);
    if (type == NULL || method == NULL || PyModule_AddObjectRef(module, "Answer", type) < 0
        || PyModule_AddObjectRef(module, "await_answer", method) < 0) {
        Py_XDECREF(type);
        Py_XDECREF(method);
        Py_DECREF(module);
        return NULL;
    }
    answer_type = (PyTypeObject *)type;
    Py_DECREF(method);
    return module;
}
