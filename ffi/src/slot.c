/* A slot of checkpoints, written by one call: for each request there is one.

   Python writes the same octets (core/checkpoint_rows.py), and reads them; a test holds both equal. It is of
   CPython's own C API, not of cffi, whose calls cost several times as much.

   Source: ISO 3309 (the CRC of zlib). */

#include <Python.h>
#include <stdint.h>
#include <string.h>

enum { HEAD_BYTES = 16, SUM_BYTES = 4, HEAD_ROOM = 64, ARGUMENTS = 9 };

enum { NOTHING_KEPT, STEM_KEPT, ALL_KEPT };

/* Of an octet that so many others follow: eight are looked up at once. For the order of octets in a word of x86 and
   ARM. */
static uint32_t crc_tables[8][256];

static void fill_crc_tables(void) {
    for (uint32_t octet = 0; octet < 256; octet++) {
        uint32_t crc = octet;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
        crc_tables[0][octet] = crc;
    }
    for (int behind = 1; behind < 8; behind++)
        for (int octet = 0; octet < 256; octet++) {
            uint32_t crc = crc_tables[behind - 1][octet];
            crc_tables[behind][octet] = crc_tables[0][crc & 0xFF] ^ crc >> 8;
        }
}

static uint32_t crc32_of(const uint8_t *octets, size_t count, uint32_t crc) {
    uint32_t (*of)[256] = crc_tables, low, high;
    crc = ~crc;
    for (; count >= 8; count -= 8, octets += 8) {
        memcpy(&low, octets, 4);
        memcpy(&high, octets + 4, 4);
        low ^= crc;
        crc = of[7][low & 0xFF] ^ of[6][low >> 8 & 0xFF] ^ of[5][low >> 16 & 0xFF] ^ of[4][low >> 24]
              ^ of[3][high & 0xFF] ^ of[2][high >> 8 & 0xFF] ^ of[1][high >> 16 & 0xFF] ^ of[0][high >> 24];
    }
    while (count--)
        crc = of[0][(crc ^ *octets++) & 0xFF] ^ crc >> 8;
    return ~crc;
}

/* What was written before it is in memory before what is written after it. Whoever reads does so once the
   writer is no more: the processor has kept that order then, and only the compiler must be told. */
#define IN_ORDER() __asm__ volatile("" ::: "memory")

static int octets_of(PyObject *object, char **octets, Py_ssize_t *count) {
    return PyBytes_AsStringAndSize(object, octets, count);
}

static int put_slot(uint8_t *head, uint8_t *content, Py_ssize_t room, PyObject *const *args) {
    uint8_t made[HEAD_ROOM];
    char *note, *stem, *octets;
    Py_ssize_t note_bytes, stem_bytes, octets_bytes;
    uint64_t sequence = PyLong_AsUnsignedLongLong(args[3]);
    uint32_t sum = (uint32_t)PyLong_AsUnsignedLongMask(args[6]);
    long kept = PyLong_AsLong(args[7]);
    if (octets_of(args[4], &note, &note_bytes) < 0 || octets_of(args[5], &stem, &stem_bytes) < 0
        || octets_of(args[8], &octets, &octets_bytes) < 0 || PyErr_Occurred())
        return -1;
    if (note_bytes > HEAD_ROOM - HEAD_BYTES - SUM_BYTES || stem_bytes > UINT16_MAX || octets_bytes > room
        || stem_bytes + octets_bytes > room) {
        PyErr_SetString(PyExc_ValueError, "a checkpoint that finds no room");
        return -1;
    }
    uint16_t sizes[2] = {(uint16_t)note_bytes, (uint16_t)stem_bytes};
    uint32_t size = (uint32_t)octets_bytes;
    memcpy(made, &sequence, 8);
    memcpy(made + 8, sizes, 4);
    memcpy(made + 12, &size, 4);
    memcpy(made + HEAD_BYTES, note, (size_t)note_bytes);
    sum = crc32_of(made, (size_t)(HEAD_BYTES + note_bytes), sum);
    memcpy(made + HEAD_BYTES + note_bytes, &sum, SUM_BYTES);
    if (kept == NOTHING_KEPT)
        memcpy(content, stem, (size_t)stem_bytes);
    if (kept != ALL_KEPT)
        memcpy(content + stem_bytes, octets, (size_t)octets_bytes);
    IN_ORDER();
    memcpy(head, made, (size_t)(HEAD_BYTES + note_bytes + SUM_BYTES));
    IN_ORDER();
    return 0;
}

static PyObject *write_slot(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    Py_buffer memory;
    (void)module;
    if (count != ARGUMENTS) {
        PyErr_SetString(PyExc_TypeError, "write_slot takes nine arguments");
        return NULL;
    }
    Py_ssize_t head = PyLong_AsSsize_t(args[1]), content = PyLong_AsSsize_t(args[2]);
    if (PyErr_Occurred() || PyObject_GetBuffer(args[0], &memory, PyBUF_WRITABLE) < 0)
        return NULL;
    int failed = -1;
    uint8_t *begin = memory.buf;
    if (head < 0 || head > memory.len - HEAD_ROOM || content < 0 || content > memory.len)
        PyErr_SetString(PyExc_ValueError, "a slot outside of its memory");
    else
        failed = put_slot(begin + head, begin + content, memory.len - content, args);
    PyBuffer_Release(&memory);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef slot_methods[] = {
    {"write_slot", (PyCFunction)(void (*)(void))write_slot, METH_FASTCALL,
     "write_slot(memory, head_at, content_at, sequence, note, stem, checksum, kept, octets)"},
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
    fill_crc_tables();
    return PyModule_Create(&slot_module);
}
