/* mallopt(3): how the C library's allocator treats what is freed. It concerns the whole process. */
#include <malloc.h>

/* Memory that was freed stays with the process up to `kept` bytes, and blocks below `mapped` bytes come
 * from the heap instead of a mapping of their own. Returns 1, or 0 where the C library has no such thing. */
static int gossamer_keep_memory(int kept, int mapped)
{
#ifdef __GLIBC__
    return mallopt(M_TRIM_THRESHOLD, kept) && mallopt(M_MMAP_THRESHOLD, mapped);
#else
    (void)kept;
    (void)mapped;
    return 0;
#endif
}
