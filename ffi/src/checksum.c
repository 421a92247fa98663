/* The Internet checksum (RFC 1071), eight bytes at a time.
 *
 * Sums are kept in memory order: RFC 1071 2(B) shows that byte order cancels out as long as the result is stored the way the
 * words were loaded. Only the last piece added to a sum may have an odd length.
 */
#include "packet.h"
#include <string.h>

static inline uint64_t add_with_carry(uint64_t sum, uint64_t word)
{
    sum += word;
    return sum + (sum < word);
}

static inline uint64_t load64(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

uint64_t checksum_add(uint64_t sum, const uint8_t *bytes, uint32_t length)
{
    uint64_t second = 0, third = 0, fourth = 0; /* chains of carries of their own, so that they run side by side */
    for (; length >= 32; bytes += 32, length -= 32) {
        sum = add_with_carry(sum, load64(bytes));
        second = add_with_carry(second, load64(bytes + 8));
        third = add_with_carry(third, load64(bytes + 16));
        fourth = add_with_carry(fourth, load64(bytes + 24));
    }
    sum = add_with_carry(add_with_carry(sum, second), add_with_carry(third, fourth));
    for (; length >= 8; bytes += 8, length -= 8)
        sum = add_with_carry(sum, load64(bytes));
    if (length) {
        uint64_t word = 0; /* a missing last byte counts as zero */
        memcpy(&word, bytes, length);
        sum = add_with_carry(sum, word);
    }
    return sum;
}

uint16_t checksum_finish(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}
