/* A slot of checkpoints, written by one call: for each request there is one.

   Python writes the same octets (core/checkpoint_rows.py), and reads them; a test holds both equal. It is of
   CPython's own C API, not of cffi, whose calls cost several times as much.

   Source: ISO 3309 (the CRC of zlib). */

#include <Python.h>
#include <stdint.h>
#include <string.h>

enum { HEAD_BYTES = 16, SUM_BYTES = 4, NOTE_BYTES_MAX = 256, ARGUMENTS = 8 };

static uint32_t crc_table[256];

static void fill_crc_table(void) {
    for (uint32_t octet = 0; octet < 256; octet++) {
        uint32_t crc = octet;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
        crc_table[octet] = crc;
    }
}

static uint32_t crc32_of(const uint8_t *octets, size_t count, uint32_t crc) {
    crc = ~crc;
    while (count--)
        crc = crc_table[(crc ^ *octets++) & 0xFF] ^ crc >> 8;
    return ~crc;
}

/* What was written before it is in memory before what is written after it. Whoever reads does so once the
   writer is no more: the processor has kept that order then, and only the compiler must be told. */
#define IN_ORDER() __asm__ volatile("" ::: "memory")

static int octets_of(PyObject *object, char **octets, Py_ssize_t *count) {
    return PyBytes_AsStringAndSize(object, octets, count);
}

static int put_slot(uint8_t *slot, Py_ssize_t room, PyObject *const *args) {
    uint8_t head[HEAD_BYTES + NOTE_BYTES_MAX + SUM_BYTES];
    char *note, *stem, *octets;
    Py_ssize_t note_bytes, stem_bytes, octets_bytes;
    uint64_t sequence = PyLong_AsUnsignedLongLong(args[2]);
    uint32_t sum = (uint32_t)PyLong_AsUnsignedLongMask(args[5]);
    int is_there = PyObject_IsTrue(args[6]);
    if (octets_of(args[3], &note, &note_bytes) < 0 || octets_of(args[4], &stem, &stem_bytes) < 0
        || octets_of(args[7], &octets, &octets_bytes) < 0 || is_there < 0 || PyErr_Occurred())
        return -1;
    Py_ssize_t head_bytes = HEAD_BYTES + note_bytes + SUM_BYTES;
    if (note_bytes > NOTE_BYTES_MAX || stem_bytes > UINT16_MAX || octets_bytes > room
        || head_bytes + stem_bytes + octets_bytes > room) {
        PyErr_SetString(PyExc_ValueError, "a checkpoint that finds no room");
        return -1;
    }
    uint16_t sizes[2] = {(uint16_t)note_bytes, (uint16_t)stem_bytes};
    uint32_t size = (uint32_t)octets_bytes;
    memcpy(head, &sequence, 8);
    memcpy(head + 8, sizes, 4);
    memcpy(head + 12, &size, 4);
    memcpy(head + HEAD_BYTES, note, (size_t)note_bytes);
    sum = crc32_of(head, (size_t)(HEAD_BYTES + note_bytes), sum);
    memcpy(head + HEAD_BYTES + note_bytes, &sum, SUM_BYTES);
    if (!is_there)
        memcpy(slot + head_bytes, stem, (size_t)stem_bytes);
    memcpy(slot + head_bytes + stem_bytes, octets, (size_t)octets_bytes);
    IN_ORDER();
    memcpy(slot, head, (size_t)head_bytes);
    IN_ORDER();
    return 0;
}

static PyObject *write_slot(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    Py_buffer memory;
    (void)module;
    if (count != ARGUMENTS) {
        PyErr_SetString(PyExc_TypeError, "write_slot takes eight arguments");
        return NULL;
    }
    Py_ssize_t begin = PyLong_AsSsize_t(args[1]);
    if ((begin == -1 && PyErr_Occurred()) || PyObject_GetBuffer(args[0], &memory, PyBUF_WRITABLE) < 0)
        return NULL;
    int failed = -1;
    if (begin < 0 || begin > memory.len)
        PyErr_SetString(PyExc_ValueError, "a slot outside of its memory");
    else
        failed = put_slot((uint8_t *)memory.buf + begin, memory.len - begin, args);
    PyBuffer_Release(&memory);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef slot_methods[] = {
    {"write_slot", (PyCFunction)(void (*)(void))write_slot, METH_FASTCALL,
     "write_slot(memory, begin, sequence, note, stem, checksum, is_there, octets)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef slot_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "gossamer.ffi._slot",
    .m_doc = "Writes a slot of checkpoints.",
    .m_size = -1,
    .m_methods = slot_methods,
};

PyMODINIT_FUNC PyInit__slot(void) {
    fill_crc_table();
    return PyModule_Create(&slot_module);
}
